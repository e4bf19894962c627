// The view: single entities, the whole of it, what one person sees, the tallies.
#include <bit>

#include "episode/internal/view.h"

namespace footlight::episode {
namespace {

template <class List, class Id>
std::vector<std::string> ids_of(const List& list, Id id) {
  std::vector<std::string> out;
  out.reserve(list.size());
  for (const auto& entry : list) out.push_back(id(entry));
  return out;
}

constexpr auto kOwnId = [](const auto& entry) { return entry.id; };

const Collection kCollections[] = {
    {"episode", &ViewWriter::episode,
     [](const State::Impl&) { return std::vector<std::string>{"state"}; }},
    {"scenes", &ViewWriter::scene,
     [](const State::Impl& state) { return ids_of(state.definition.scenes, kOwnId); }},
    {"story", &ViewWriter::story,
     [](const State::Impl& state) {
       return ids_of(state.story, [](const StoryStep& step) { return std::to_string(step.n); });
     }},
    {"polls", &ViewWriter::poll,
     [](const State::Impl& state) {
       return ids_of(state.world.polls, [](const PollState& poll) { return poll.def->id; });
     }},
    {"characters", &ViewWriter::character,
     [](const State::Impl& state) { return ids_of(state.definition.characters, kOwnId); }},
    {"rolls", &ViewWriter::roll,
     [](const State::Impl& state) {
       return ids_of(state.rolls, [](const RollEntry& e) { return std::to_string(e.roll.n); });
     }},
    {"chat", &ViewWriter::chat,
     [](const State::Impl& state) {
       return ids_of(state.chat, [](const ChatMessage& m) { return std::to_string(m.id); });
     }},
    {"captions", &ViewWriter::caption,
     [](const State::Impl& state) {
       return ids_of(state.captions, [](const Caption& c) { return std::to_string(c.n); });
     }},
    {"timers", &ViewWriter::timer,
     [](const State::Impl& state) {
       return ids_of(state.world.timers, [](const auto& timer) { return timer.first; });
     }},
    {"cues", &ViewWriter::cue,
     [](const State::Impl& state) {
       std::vector<std::string> out;
       for (size_t i = 1; i <= state.definition.cues.size(); ++i) out.push_back(std::to_string(i));
       return out;
     }},
    {"moderation", &ViewWriter::moderation,
     [](const State::Impl& state) {
       return ids_of(state.people.moderation(), [](const auto& m) { return hex_u64(m.first); });
     }},
    {"log", &ViewWriter::log_line,
     [](const State::Impl& state) {
       return ids_of(state.log_tail, [](const LogLine& line) { return std::to_string(line.log); });
     }},
};

constexpr std::string_view kDirectorsOnly[] = {"cues", "moderation", "log"};

bool directors_only(std::string_view collection) {
  for (const std::string_view name : kDirectorsOnly) {
    if (name == collection) return true;
  }
  return false;
}

void write_ballot(JsonWriter& out, const PollState& poll, const Register& held, uint64_t who) {
  Ballot ballot;
  ballot.who = who;
  ballot.choice_mask = held.mask;
  ballot.n = held.n;
  ballot.weight = held.weight;
  ballot.flags = held.flags;
  ballot.edge = held.edge();
  ballot.edge_ms = poll.opened_ms + held.edge_rel_ms;
  out.key(poll.def->id).object().key("choice").array();
  for (uint32_t mask = held.mask; mask != 0; mask &= mask - 1) {
    out.value(int64_t{std::countr_zero(mask)});
  }
  out.end_array().field("n", held.n).field("log", held.log());
  out.field("hash", std::string_view(to_hex(ballot_receipt(ballot, poll.def->id)))).end_object();
}

}  // namespace

std::span<const Collection> collections() { return kCollections; }

std::string encode_entity(const State& state, proto::ViewClass view, std::string_view collection,
                          std::string_view id) {
  std::string out;
  JsonWriter writer(out);
  const ViewWriter entities{state.impl(), view};
  for (const Collection& candidate : kCollections) {
    if (candidate.name == collection) (void)(entities.*candidate.write)(writer, id);
  }
  return out;
}

std::string encode_view(const State& state, proto::ViewClass view) {
  std::string out;
  out.reserve(16 * 1024);
  JsonWriter writer(out);
  const ViewWriter entities{state.impl(), view};
  writer.object();
  std::string entity;
  for (const Collection& collection : kCollections) {
    if (!entities.directs() && directors_only(collection.name)) continue;
    writer.key(collection.name).object();
    for (const std::string& id : collection.ids(state.impl())) {
      entity.clear();
      JsonWriter one(entity);
      if ((entities.*collection.write)(one, id)) writer.key(id).raw(entity);
    }
    writer.end_object();
  }
  writer.end_object();
  return out;
}

std::string encode_me(const State& outer, const Actor& actor, uint64_t cid) {
  const State::Impl& state = outer.impl();
  std::string out;
  JsonWriter writer(out);
  writer.object().key("ballots").object();
  for (size_t i = 0; i < state.registers.size(); ++i) {
    const Register* held = state.registers[i].find(actor.who);
    if (held != nullptr) write_ballot(writer, state.world.polls[i], *held, actor.who);
  }
  const Moderated* entry = state.people.moderated(actor.who);
  writer.end_object().field("last_i", state.dedup.last_i(actor.who, cid));
  writer.field("muted_until_ms", entry == nullptr ? int64_t{0} : int64_t{entry->muted_until_ms});
  writer.key("chars").array();
  for (const std::string& id : actor.characters) {
    if (state.definition.character_index(id) >= 0) writer.value(std::string_view(id));
  }
  writer.end_array().field("who", std::string_view(hex_u64(actor.who))).end_object();
  return out;
}

std::vector<Tally> tallies(const State& outer, proto::ViewClass view) {
  std::vector<Tally> out;
  for (const PollState& poll : outer.impl().world.polls) {
    const bool counted = poll.phase != PollPhase::kReady;
    const bool hidden =
        poll.def->hidden && poll.phase != PollPhase::kClosed && view != proto::ViewClass::kDirector;
    if (!counted || hidden) continue;
    Tally& tally = out.emplace_back();
    tally.poll = poll.def->id;
    tally.version = poll.version;
    tally.counts = poll.counts;
    tally.voters = poll.voters;
    tally.final = poll.phase == PollPhase::kClosed;
    tally.state = poll_phase_name(poll.phase);
  }
  return out;
}

}  // namespace footlight::episode
