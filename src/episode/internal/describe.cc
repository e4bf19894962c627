// One line for people about an event: the console's log tail and the timeline of a replay.
#include <algorithm>

#include "episode/internal/impl.h"

namespace footlight::episode {
namespace {

std::string number(int64_t value) { return std::to_string(value); }
std::string signed_number(int64_t value) {
  return value < 0 ? std::to_string(value) : "+" + std::to_string(value);
}
std::string quoted(std::string_view text) {
  std::string out = "“";
  out += text;
  return out += "”";
}

struct Describer {
  const State::Impl& state;

  std::string character(const std::string& id) const {
    const int index = state.definition.character_index(id);
    return index < 0 ? id : state.definition.characters[static_cast<size_t>(index)].name;
  }
  std::string poll(const std::string& id) const {
    const PollState* found = state.world.poll(id);
    return quoted(found == nullptr ? id : found->def->title);
  }
  std::string scene(const std::string& id) const {
    const int index = state.definition.scene_index(id);
    return index < 0 ? id : state.definition.scenes[static_cast<size_t>(index)].title;
  }
  std::string person(uint64_t who, const std::string& name) const {
    return name.empty() ? hex_u64(who) : name;
  }

  std::string operator()(const EpisodeStarted&) const { return "The episode starts"; }
  std::string operator()(const EpisodeEnded&) const {
    return "The episode ends; the dice seed is revealed";
  }
  std::string operator()(const SceneEntered& fact) const { return "Scene: " + scene(fact.scene); }
  std::string operator()(const PollCreated& fact) const {
    return "Poll " + quoted(fact.title) + " is ready";
  }
  std::string operator()(const PollOpened& fact) const {
    return "Poll " + poll(fact.poll) + " opens";
  }
  std::string operator()(const PollClosing& fact) const {
    return "Poll " + poll(fact.poll) + " closes; waiting for the last votes";
  }
  std::string operator()(const PollClosed& fact) const {
    std::string out = "Poll " + poll(fact.poll) + ": ";
    const PollState* found = state.world.poll(fact.poll);
    const bool known = found != nullptr && fact.winner >= 0 &&
                       static_cast<size_t>(fact.winner) < found->def->options.size();
    out += known ? quoted(found->def->options[static_cast<size_t>(fact.winner)].label) + " wins"
                 : "nobody wins";
    out += ", " + std::to_string(fact.voters) + (fact.voters == 1 ? " voter" : " voters");
    if (fact.why != Why::kVotes) out += " (" + std::string(why_name(fact.why)) + ")";
    return out;
  }
  std::string operator()(const HpChanged& fact) const {
    std::string out =
        character(fact.character) + ": " + number(fact.hp_before) + " → " + number(fact.hp) + " HP";
    if (fact.temp != fact.temp_before) {
      out += ", temporary " + number(fact.temp_before) + " → " + number(fact.temp);
    }
    return out;
  }
  std::string operator()(const ItemChanged& fact) const {
    return character(fact.character) + ": " + signed_number(fact.delta) + " " +
           std::string(state.definition.item_name(fact.item)) + ", has " + number(fact.count);
  }
  std::string operator()(const ConditionChanged& fact) const {
    return character(fact.character) + (fact.on ? " is " : " is no longer ") + fact.condition;
  }
  std::string operator()(const FieldChanged& fact) const {
    return character(fact.character) + ": " + fact.field + " = " +
           (fact.value.is_text ? fact.value.text : number(fact.value.number));
  }
  std::string operator()(const DiceRolled& fact) const {
    std::string out = fact.expr + " = " + number(fact.total);
    if (!fact.reason.empty()) out += " (" + fact.reason + ")";
    if (fact.crit == Crit::kHit) out += ", critical hit";
    if (fact.crit == Crit::kMiss) out += ", critical miss";
    return fact.secret ? out + ", secret" : out;
  }
  std::string operator()(const ChatSaid& fact) const { return fact.text; }
  std::string operator()(const CaptionSaid& fact) const { return fact.lang + ": " + fact.text; }
  std::string operator()(const CaptionTakenBack& fact) const {
    return "Caption " + std::to_string(fact.n) + " is taken back";
  }
  std::string operator()(const ChatDeleted& fact) const {
    return "Message " + std::to_string(fact.id) + " is deleted";
  }
  std::string operator()(const ChatSlowed& fact) const {
    return fact.seconds == 0 ? "Slow mode off"
                             : "Slow mode: " + std::to_string(fact.seconds) + " s";
  }
  std::string operator()(const PersonMuted& fact) const {
    return person(fact.person.who, fact.name) +
           (fact.until_ms == 0 ? " may speak again" : " is muted");
  }
  std::string operator()(const PersonBanned& fact) const {
    return person(fact.person.who, fact.name) + (fact.on ? " is banned" : " is no longer banned");
  }
  std::string operator()(const MediaModeSet& fact) const {
    const std::string why = fact.why.empty() ? "" : ": " + fact.why;
    return "Media for the audience: " + std::string(media_mode_name(fact.mode)) + why;
  }
  std::string operator()(const SlateSet& fact) const {
    if (!fact.on) return "Holding slate off";
    return fact.text.empty() ? "Holding slate on" : "Holding slate: " + fact.text;
  }
  std::string operator()(const TimerStarted& fact) const {
    return "Timer " + quoted(fact.label.empty() ? fact.id : fact.label) + ": " +
           number(fact.total_ms / 1000) + " s";
  }
  std::string operator()(const TimerStopped& fact) const {
    const auto found = state.world.timers.find(fact.id);
    const bool labelled = found != state.world.timers.end() && !found->second.label.empty();
    return "Timer " + quoted(labelled ? found->second.label : fact.id) +
           (fact.ran_out ? " ran out" : " is stopped");
  }
  std::string operator()(const VariableSet& fact) const {
    return fact.name + " = " + number(fact.value);
  }
  std::string operator()(const CueDone& fact) const {
    const bool known = fact.n >= 1 && fact.n <= state.definition.cues.size();
    return "Cue done: " +
           (known ? state.definition.cues[fact.n - 1].label : std::to_string(fact.n));
  }
  std::string operator()(const NothingChanged&) const { return "Nothing changes"; }
};

}  // namespace

std::string describe_fact(const State::Impl& state, const Fact& fact) {
  return with_fact(fact, [&](const auto& held) { return Describer{state}(held); });
}

}  // namespace footlight::episode
