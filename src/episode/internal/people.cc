#include "episode/internal/people.h"

#include <utility>

namespace footlight::episode {

const Person* People::find(uint64_t who) const {
  const auto found = people_.find(who);
  return found == people_.end() ? nullptr : &found->second;
}

Person& People::see(uint64_t who, const std::string& name, proto::Role role, uint64_t log) {
  auto found = people_.find(who);
  if (found == people_.end()) {
    if (people_.size() >= kMostPeople) {
      const auto oldest = by_age_.begin();
      people_.erase(oldest->second);
      by_age_.erase(oldest);
    }
    found = people_.try_emplace(who).first;
  } else {
    by_age_.erase(found->second.seen_log);
  }
  Person& person = found->second;
  if (person.name != name) person.name = name;
  person.role = role;
  person.seen_log = log;
  by_age_.emplace(log, who);
  return person;
}

const Moderated* People::moderated(uint64_t who) const {
  if (moderation_.empty()) return nullptr;
  const auto found = moderation_.find(who);
  return found == moderation_.end() ? nullptr : &found->second;
}

bool People::mute(uint64_t who, const std::string& name, WallMs until_ms) {
  Moderated& entry = moderation_[who];
  if (!name.empty()) entry.name = name;
  entry.muted_until_ms = until_ms;
  return settle(who);
}

bool People::ban(uint64_t who, const std::string& name, bool on) {
  Moderated& entry = moderation_[who];
  if (!name.empty()) entry.name = name;
  entry.banned = on;
  if (on) {
    banned_[who] = true;
  } else {
    banned_.erase(who);
  }
  return settle(who);
}

bool People::settle(uint64_t who) {
  const auto entry = moderation_.find(who);
  if (entry->second.banned || entry->second.muted_until_ms != 0) return true;
  moderation_.erase(entry);
  return false;
}

bool People::restore(uint64_t who, Person person) {
  if (people_.size() >= kMostPeople || person.seen_log == 0) return false;
  if (!by_age_.emplace(person.seen_log, who).second) return false;
  return people_.try_emplace(who, std::move(person)).second;
}

bool People::restore(uint64_t who, Moderated entry) {
  if (!room_to_moderate() || (!entry.banned && entry.muted_until_ms == 0)) return false;
  if (entry.banned) banned_[who] = true;
  return moderation_.try_emplace(who, std::move(entry)).second;
}

}  // namespace footlight::episode
