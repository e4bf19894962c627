// Chat, captions and moderation.
#include <algorithm>

#include "episode/internal/commands.h"
#include "proto/commands.h"

namespace footlight::episode {
namespace {

constexpr int64_t kMsPerSecond = 1000;

struct Target {
  uint64_t who = 0;
  std::string name;
};

// Whom a moderation command means, when the actor may moderate them: nobody of the same rank or
// above, as far as the episode has heard of them.
Result<Target> moderation_target(const CommandContext& context) {
  Target out;
  if (!parse_hex_u64(context.text("who"), out.who) || out.who == 0) {
    return fail(Code::kPersonUnknown, "who " + context.text("who"));
  }
  if (out.who == context.actor.who) return fail(Code::kForbidden, "not oneself");
  const Person* person = context.state.people.find(out.who);
  if (person != nullptr && context.actor.who != 0 && person->role >= context.actor.role) {
    return fail(Code::kForbidden, "not one of the same rank or above");
  }
  if (person != nullptr) {
    out.name = person->name;
  } else if (const Moderated* entry = context.state.people.moderated(out.who)) {
    out.name = entry->name;
  }
  return out;
}

Status check_room(const CommandContext& context, uint64_t who) {
  const People& people = context.state.people;
  if (people.room_to_moderate() || people.moderated(who) != nullptr) return {};
  return fail(Code::kTooMany, "muted and banned people");
}

Status set_ban(const CommandContext& context, bool on) {
  Result<Target> target = moderation_target(context);
  if (!target) return std::unexpected(target.error());
  const bool banned = context.state.people.is_banned(target->who);
  if (!on && !banned) return fail(Code::kPersonUnknown, "nobody with this id is banned");
  if (on && banned) return {};
  if (Status room = check_room(context, target->who); !room) return room;
  return context.draft.add(PersonBanned{{target->who}, std::move(target->name), on});
}

Status check_muted(const CommandContext& context) {
  const WallMs now = context.draft.now_ms();
  const Moderated* entry = context.state.people.moderated(context.actor.who);
  if (entry == nullptr || entry->muted_until_ms <= now) return {};
  const int64_t left_s = (entry->muted_until_ms - now + kMsPerSecond - 1) / kMsPerSecond;
  return fail(Code::kMuted, "for " + std::to_string(left_s) + " s more");
}

// Long enough to be read: a second and a half, and 20 characters a second.
uint64_t reading_ms(std::string_view text) {
  return 1'500 + 50 * static_cast<uint64_t>(proto::count_chars(text));
}

}  // namespace

Status do_chat_say(const CommandContext& context) {
  const uint64_t who = context.actor.who;
  const WallMs now = context.draft.now_ms();
  if (Status muted = check_muted(context); !muted) return muted;
  const Person* person = context.state.people.find(who);
  if (context.state.slow_seconds > 0 && !context.directs() && person != nullptr &&
      person->last_chat_ms != 0) {
    const int64_t wait = person->last_chat_ms + context.state.slow_seconds * kMsPerSecond - now;
    if (wait > 0) return fail(Code::kChatSlow, {}, static_cast<uint32_t>(wait));
  }
  const std::string& text = context.text("text");
  if (text.find_first_not_of(" \n\t") == std::string::npos) {
    return fail(Code::kFieldOutOfRange, "text: nothing but white space");
  }
  return context.draft.say(text);
}

Status do_caption_say(const CommandContext& context) {
  const WallMs now = context.draft.now_ms();
  if (Status muted = check_muted(context); !muted) return muted;
  const auto& captions = context.state.captions;
  if (captions.size() == StateLimits::kCaptions) {
    const int64_t wait = captions.front().said_ms + StateLimits::kCaptionsMs - now;
    if (wait > 0) return fail(Code::kRateEpisode, "captions", static_cast<uint32_t>(wait));
  }
  CaptionSaid fact;
  fact.n = context.state.caption_count + 1;
  fact.lang = context.text("lang");
  fact.text = context.text("text");
  fact.at_ms = context.has("at_ms") ? context.number("at_ms") : now;
  if (fact.at_ms > now) return fail(Code::kCaptionTime, "at_ms: not yet");
  if (fact.at_ms < now - StateLimits::kCaptionAgeMs) {
    return fail(Code::kCaptionTime, "at_ms: more than 30 s ago");
  }
  fact.for_ms = context.has("for_ms") ? static_cast<uint64_t>(context.number("for_ms"))
                                      : reading_ms(fact.text);
  return context.draft.add(std::move(fact));
}

Status do_caption_take_back(const CommandContext& context) {
  if (Status muted = check_muted(context); !muted) return muted;
  const std::string& text = context.text("caption");
  for (const Caption& caption : context.state.captions) {
    if (std::to_string(caption.n) == text && !caption.text.empty()) {
      return context.draft.add(CaptionTakenBack{caption.n});
    }
  }
  return fail(Code::kCaptionUnknown, "caption " + text);
}

Status do_chat_delete(const CommandContext& context) {
  const std::string& text = context.text("chat");
  for (const ChatMessage& message : context.state.chat) {
    if (std::to_string(message.id) == text) return context.draft.add(ChatDeleted{message.id});
  }
  return fail(Code::kChatUnknown, "message " + text);
}

Status do_chat_slow(const CommandContext& context) {
  const int64_t seconds = context.number("seconds");
  if (seconds == context.state.slow_seconds) return {};
  return context.draft.add(ChatSlowed{static_cast<uint64_t>(seconds)});
}

Status do_mod_mute(const CommandContext& context) {
  Result<Target> target = moderation_target(context);
  if (!target) return std::unexpected(target.error());
  const int64_t seconds = context.number("seconds");
  if (seconds == 0) {
    const Moderated* entry = context.state.people.moderated(target->who);
    if (entry == nullptr || entry->muted_until_ms == 0) {
      return fail(Code::kPersonUnknown, "nobody with this id is muted");
    }
  } else if (Status room = check_room(context, target->who); !room) {
    return room;
  }
  const WallMs until = seconds == 0 ? 0 : context.draft.now_ms() + seconds * kMsPerSecond;
  return context.draft.add(PersonMuted{{target->who}, std::move(target->name), until});
}

Status do_mod_ban(const CommandContext& context) { return set_ban(context, true); }
Status do_mod_unban(const CommandContext& context) { return set_ban(context, false); }

}  // namespace footlight::episode
