// Polls, story, timers, slate, start and end: what the GM and the producer do.
#include <algorithm>

#include "episode/fairness.h"
#include "episode/internal/commands.h"

namespace footlight::episode {
namespace {

Result<int> known_poll(const CommandContext& context) {
  const int index = context.state.world.poll_index(context.text("poll"));
  if (index < 0) return fail(Code::kPollUnknown, "poll " + context.text("poll"));
  return index;
}

const PollState& poll_at(const CommandContext& context, int poll) {
  return context.state.world.polls[static_cast<size_t>(poll)];
}

}  // namespace

Status do_poll_open(const CommandContext& context) {
  if (!context.live()) return fail(Code::kEpisodeNotStarted);
  const Result<int> poll = known_poll(context);
  if (!poll) return std::unexpected(poll.error());
  switch (poll_at(context, *poll).phase) {
    case PollPhase::kReady:
      return context.draft.open_poll(*poll, context.number("seconds"));
    case PollPhase::kClosed:
      return fail(Code::kPollClosed, "poll " + context.text("poll"));
    default:
      return fail(Code::kPollAlreadyOpen, "poll " + context.text("poll"));
  }
}

Status do_poll_close(const CommandContext& context) {
  const Result<int> poll = known_poll(context);
  if (!poll) return std::unexpected(poll.error());
  const PollState& state = poll_at(context, *poll);
  const WallMs now = context.draft.now_ms();
  switch (state.phase) {
    case PollPhase::kReady:
      return fail(Code::kPollNotOpen, "poll " + context.text("poll"));
    case PollPhase::kOpen:
      return context.draft.close_poll(
          *poll, state.deadline_ms == 0 ? now : std::min(state.deadline_ms, now));
    case PollPhase::kClosing:
      return {};
    case PollPhase::kClosed:
      break;
  }
  return fail(Code::kPollClosed, "poll " + context.text("poll"));
}

Status do_poll_create(const CommandContext& context) {
  PollCreated fact;
  fact.poll = context.text("poll");
  if (context.state.world.poll_index(fact.poll) >= 0) {
    return fail(Code::kFieldOutOfRange, "poll: there is a poll " + fact.poll + " already");
  }
  if (context.state.world.polls.size() >= WorldLimits::kPolls) {
    return fail(Code::kTooMany, "polls");
  }
  fact.title = context.text("title");
  for (const Json& option : context.args["options"].items()) {
    fact.options.push_back(option.as_string());
  }
  const auto options = static_cast<int64_t>(fact.options.size());
  fact.multiple = context.text("kind") == "multiple";
  const int64_t max = context.args["max"].as_int(fact.multiple ? options : 1);
  if (max > options || (!fact.multiple && max != 1)) {
    return fail(Code::kFieldOutOfRange, "max: 1 for a single choice, else at most the options");
  }
  fact.max = static_cast<uint64_t>(max);
  fact.seconds = static_cast<uint64_t>(context.number("seconds"));
  fact.hidden = context.args["hidden"].as_bool();
  fact.changeable = context.args["changeable"].as_bool(true);
  return context.draft.add(std::move(fact));
}

Status do_scene_go(const CommandContext& context) {
  if (!context.live()) return fail(Code::kEpisodeNotStarted);
  const int scene = context.state.definition.scene_index(context.text("scene"));
  if (scene < 0) return fail(Code::kSceneUnknown, "scene " + context.text("scene"));
  return context.draft.enter_scene(scene, How::kGm, "", "");
}

Status do_story_choose(const CommandContext& context) {
  if (!context.live()) return fail(Code::kEpisodeNotStarted);
  const int scene = context.state.world.scene;
  const std::string& id = context.text("choice");
  if (scene < 0) return fail(Code::kChoiceUnknown, "the story has no scene yet");
  const auto& choices = context.state.definition.scenes[static_cast<size_t>(scene)].choices;
  const auto choice = std::ranges::find(choices, id, &ChoiceDef::id);
  if (choice == choices.end()) return fail(Code::kChoiceUnknown, "choice " + id);
  return context.draft.enter_scene(context.state.definition.scene_index(choice->to), How::kChoice,
                                   "", id);
}

Status do_timer_start(const CommandContext& context) {
  const std::string& id = context.text("id");
  const auto& timers = context.state.world.timers;
  if (timers.size() >= WorldLimits::kTimers && !timers.contains(id)) {
    return fail(Code::kTooMany, "running timers");
  }
  const TimerDef* def = context.state.definition.timer(id);
  const std::string& label =
      context.has("label") || def == nullptr ? context.text("label") : def->label;
  return context.draft.start_timer(id, label, context.number("seconds"));
}

Status do_timer_stop(const CommandContext& context) {
  const std::string& id = context.text("id");
  if (!context.state.world.timers.contains(id)) return fail(Code::kTimerUnknown, "timer " + id);
  return context.draft.stop_timer(id, false);
}

Status do_slate(const CommandContext& context) {
  SlateSet fact;
  fact.on = context.args["on"].as_bool();
  fact.text = context.text("text");
  if (fact.on == context.state.slate_on && fact.text == context.state.slate_text) return {};
  return context.draft.add(std::move(fact));
}

Status do_media_mode(const CommandContext& context) {
  MediaModeSet fact;
  const auto mode = parse_media_mode(context.text("mode"));
  if (!mode) return fail(Code::kFieldOutOfRange, "mode");
  fact.mode = *mode;
  fact.why = context.text("why");
  if (fact.mode == context.state.media_mode) return {};
  return context.draft.add(std::move(fact));
}

Status do_episode_start(const CommandContext& context) {
  if (context.live()) return fail(Code::kEpisodeStarted);
  if (Status added = context.draft.add(EpisodeStarted{}); !added) return added;
  context.draft.fire(Trigger::kStart, "", {});
  const Definition& definition = context.state.definition;
  if (definition.start.empty()) return {};
  return context.draft.enter_scene(definition.scene_index(definition.start), How::kStart, "", "");
}

// The votes that are on their way are lost with the end, and are refused: they were not
// acknowledged. The results count, but move no story any more.
Status do_episode_end(const CommandContext& context) {
  if (!context.live()) return fail(Code::kEpisodeNotStarted);
  const Secrets& secrets = context.draft.secrets();
  if (seed_commitment(secrets.dice_seed) != context.state.genesis.seed_commit) {
    return fail(Code::kInternal, "the dice seed is not the one that was committed to");
  }
  for (size_t i = 0; i < context.state.world.polls.size(); ++i) {
    if (!context.state.world.polls[i].running()) continue;
    if (Status closed = context.draft.finish_poll(static_cast<int>(i), Draft::Story::kStays);
        !closed) {
      return closed;
    }
  }
  EpisodeEnded fact;
  fact.seed = secrets.dice_seed;
  fact.chain = secrets.chain_head;
  fact.chain_log = secrets.chain_log;
  return context.draft.add(fact);
}

}  // namespace footlight::episode
