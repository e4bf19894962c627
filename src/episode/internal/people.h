// Who was heard of, who is muted or banned.
//
// Bounds: kMostPeople people (beyond, the one who was silent longest is forgotten: name and time of
// the last chat message only) and kMostModerated entries of moderation (beyond: kTooMany).
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/time.h"
#include "proto/role.h"

namespace footlight::episode {

struct Person {
  std::string name;
  proto::Role role = proto::Role::kViewer;
  WallMs last_chat_ms = 0;
  uint64_t seen_log = 0;  // last event of theirs
};

struct Moderated {
  std::string name;
  WallMs muted_until_ms = 0;
  bool banned = false;
};

class People {
 public:
  static constexpr size_t kMostPeople = 65'536;
  static constexpr size_t kMostModerated = 10'000;

  const Person* find(uint64_t who) const;
  // `log` is above all before it.
  Person& see(uint64_t who, const std::string& name, proto::Role role, uint64_t log);

  const Moderated* moderated(uint64_t who) const;
  bool room_to_moderate() const { return moderation_.size() < kMostModerated; }
  // An entry that says nothing any more is removed. The second of each pair: it is there still.
  bool mute(uint64_t who, const std::string& name, WallMs until_ms);
  bool ban(uint64_t who, const std::string& name, bool on);
  bool is_banned(uint64_t who) const { return !banned_.empty() && banned_.contains(who); }
  bool is_muted(uint64_t who, WallMs now_ms) const {
    const Moderated* entry = moderated(who);
    return entry != nullptr && entry->muted_until_ms > now_ms;
  }

  const std::map<uint64_t, Person>& people() const { return people_; }
  const std::map<uint64_t, Moderated>& moderation() const { return moderation_; }
  // For a snapshot: false when it does not fit.
  bool restore(uint64_t who, Person person);
  bool restore(uint64_t who, Moderated entry);

 private:
  bool settle(uint64_t who);

  std::map<uint64_t, Person> people_;
  std::map<uint64_t, uint64_t> by_age_;  // seen_log → who
  std::map<uint64_t, Moderated> moderation_;
  std::map<uint64_t, bool> banned_;  // the banned of moderation_: asked for every ballot
};

}  // namespace footlight::episode
