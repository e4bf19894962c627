// decide: form and role, the event's id, bans, then the command itself, the cue list and the rules.
#include <algorithm>
#include <array>

#include "core/assert.h"
#include "episode/internal/commands.h"
#include "proto/commands.h"

namespace footlight::episode {
namespace {

using proto::Kind;

uint64_t body_hash(const Command& command) {
  static constexpr uint8_t kSeparator[] = {0};
  Sha256 hash;
  hash.update(command.kind);
  hash.update(ByteView(kSeparator));
  hash.update(command.args);
  const Hash256 digest = hash.finish();
  uint64_t out = 0;
  for (size_t i = 0; i < 8; ++i) out = out << 8 | digest[i];
  return out;
}

Status run_command(Kind kind, const CommandContext& context) {
  switch (kind) {
    case Kind::kDiceRoll:
      return do_dice_roll(context);
    case Kind::kCharHp:
      return do_char_hp(context);
    case Kind::kCharItem:
      return do_char_item(context);
    case Kind::kCharCond:
      return do_char_cond(context);
    case Kind::kCharField:
      return do_char_field(context);
    case Kind::kPollOpen:
      return do_poll_open(context);
    case Kind::kPollClose:
      return do_poll_close(context);
    case Kind::kPollCreate:
      return do_poll_create(context);
    case Kind::kSceneGo:
      return do_scene_go(context);
    case Kind::kStoryChoose:
      return do_story_choose(context);
    case Kind::kTimerStart:
      return do_timer_start(context);
    case Kind::kTimerStop:
      return do_timer_stop(context);
    case Kind::kSlate:
      return do_slate(context);
    case Kind::kMediaMode:
      return do_media_mode(context);
    case Kind::kEpisodeStart:
      return do_episode_start(context);
    case Kind::kEpisodeEnd:
      return do_episode_end(context);
    case Kind::kChatSay:
      return do_chat_say(context);
    case Kind::kCaptionSay:
      return do_caption_say(context);
    case Kind::kCaptionTakeBack:
      return do_caption_take_back(context);
    case Kind::kChatDelete:
      return do_chat_delete(context);
    case Kind::kChatSlow:
      return do_chat_slow(context);
    case Kind::kModMute:
      return do_mod_mute(context);
    case Kind::kModBan:
      return do_mod_ban(context);
    case Kind::kModUnban:
      return do_mod_unban(context);
    case Kind::kPollVote:
    case Kind::kEmote:
    case Kind::kUnknown:
      break;
  }
  return fail(Code::kUnknownCommand, "ballots and emotes are no commands of decide");
}

// The arguments the command knows, and nothing else: a peer may send thousands of others.
Result<Json> known_args(Kind kind, std::string_view text) {
  Json out = Json::object();
  if (text.empty()) return out;
  JsonReader in(text);
  std::string_view key;
  if (in.enter_object()) {
    while (in.next_key(key)) {
      const auto& specs = proto::command_spec(kind).args;
      const auto spec = std::ranges::find(specs, key, &proto::ArgSpec::name);
      const std::string_view raw = in.raw();
      if (spec == specs.end() || !in.ok()) continue;
      Result<Json> value = Json::parse(raw);
      if (!value) return std::unexpected(value.error());
      out.set(std::string(spec->name), std::move(*value));
    }
  }
  if (!in.finish()) return fail(in.code());
  return out;
}

bool same_value(const Json& a, const Json& b) { return a.dump() == b.dump(); }

// The first cue that is not done and asks for no more than this command did.
size_t matching_cue(const State::Impl& state, std::string_view kind, const Json& args) {
  for (size_t i = 0; i < state.definition.cues.size(); ++i) {
    const CueDef& cue = state.definition.cues[i];
    if (state.cues_done[i] || cue.kind != kind) continue;
    const Result<Json> wanted = Json::parse(cue.args);
    if (!wanted) continue;
    const bool matches = std::ranges::all_of(wanted->members(), [&](const Json::Member& member) {
      const Json* given = args.find(member.first);
      return given != nullptr && same_value(*given, member.second);
    });
    if (matches) return i + 1;
  }
  return 0;
}

Status check_emote(const State::Impl& state, const Actor& actor, WallMs now_ms, const Json& args) {
  if (state.world.phase == Phase::kEnded) return fail(Code::kEpisodeEnded);
  if (state.people.is_muted(actor.who, now_ms)) return fail(Code::kMuted);
  const std::string& name = args["e"].as_string();
  const auto& known = state.definition.emotes;
  if (std::ranges::find(known, name) != known.end()) return {};
  return fail(Code::kEmoteUnknown, "emote " + name);
}

Result<std::vector<Event>> decide_fresh(const State::Impl& state, const Command& command, Kind kind,
                                        const Actor& actor, Origin origin, const Json& args,
                                        const Secrets& secrets) {
  if (state.world.phase == Phase::kEnded) return fail(Code::kEpisodeEnded);
  Draft draft(state, std::move(origin), command.now_ms, secrets);
  const CommandContext context{state, actor, args, draft};
  if (Status done = run_command(kind, context); !done) return std::unexpected(done.error());
  if (draft.empty()) {
    if (Status added = draft.add(NothingChanged{}); !added) return std::unexpected(added.error());
  }
  if (context.directs()) {
    if (const size_t cue = matching_cue(state, command.kind, args); cue != 0) {
      if (Status added = draft.add(CueDone{cue}); !added) return std::unexpected(added.error());
    }
  }
  if (Status settled = draft.settle(); !settled) return std::unexpected(settled.error());
  return draft.take();
}

}  // namespace

Result<Decision> decide(const State& outer, const Command& command, const Secrets& secrets) {
  static const Actor kServer{0, proto::Role::kProducer, "server", {}};
  const State::Impl& state = outer.impl();
  const Actor& actor = command.actor == nullptr ? kServer : *command.actor;
  const Kind kind = proto::parse_kind(command.kind);
  const proto::Rights rights(actor.role, actor.captions);
  if (const proto::FormFault fault = proto::check_command(kind, rights, command.args);
      !fault.ok()) {
    return std::unexpected(fault.error());
  }

  Origin origin;
  origin.who = actor.who;
  origin.name = actor.name;
  origin.role = actor.role;
  origin.trace = command.traceparent;
  if (command.i != 0) {
    origin.cid = command.cid;
    origin.i = command.i;
    origin.body = body_hash(command);
    const auto done = state.dedup.look_up(actor.who, command.cid, command.i, origin.body);
    if (!done) return std::unexpected(done.error());
    if (*done != nullptr) return Decision{true, (*done)->log, {}};
  }
  if (state.people.is_banned(actor.who)) return fail(Code::kBanned);

  const Result<Json> args = known_args(kind, command.args);
  if (!args) return std::unexpected(args.error());
  if (kind == Kind::kEmote) {
    if (Status known = check_emote(state, actor, command.now_ms, *args); !known) {
      return std::unexpected(known.error());
    }
    return Decision{};
  }
  Result<std::vector<Event>> events =
      decide_fresh(state, command, kind, actor, std::move(origin), *args, secrets);
  if (!events) return std::unexpected(events.error());
  return Decision{false, 0, std::move(*events)};
}

Status may_join(const State& state, const Actor& actor) {
  if (state.impl().people.is_banned(actor.who)) return fail(Code::kBanned);
  return {};
}

std::vector<std::string> emotes(const State& state) { return state.impl().definition.emotes; }

bool has_ended(const State& state) { return state.impl().world.phase == Phase::kEnded; }
const Definition& definition_of(const State& state) { return state.impl().definition; }

}  // namespace footlight::episode
