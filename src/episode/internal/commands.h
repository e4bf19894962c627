// What each command does: judges it against the state and adds its events to the draft. Form and
// role were checked before (proto/commands.h). Each returns the numbered error it is refused with.
#pragma once
#include "core/json.h"
#include "episode/internal/draft.h"

namespace footlight::episode {

struct CommandContext {
  const State::Impl& state;
  const Actor& actor;  // the server itself acts as a producer with who 0
  const Json& args;
  Draft& draft;

  bool directs() const { return actor.role >= proto::Role::kGm; }
  bool live() const { return state.world.phase == Phase::kLive; }
  const std::string& text(std::string_view key) const { return args[key].as_string(); }
  int64_t number(std::string_view key) const { return args[key].as_int(); }
  bool has(std::string_view key) const { return args.find(key) != nullptr; }
};

Status do_dice_roll(const CommandContext& context);
Status do_char_hp(const CommandContext& context);
Status do_char_item(const CommandContext& context);
Status do_char_cond(const CommandContext& context);
Status do_char_field(const CommandContext& context);

Status do_poll_open(const CommandContext& context);
Status do_poll_close(const CommandContext& context);
Status do_poll_create(const CommandContext& context);
Status do_scene_go(const CommandContext& context);
Status do_story_choose(const CommandContext& context);
Status do_timer_start(const CommandContext& context);
Status do_timer_stop(const CommandContext& context);
Status do_slate(const CommandContext& context);
Status do_media_mode(const CommandContext& context);
Status do_episode_start(const CommandContext& context);
Status do_episode_end(const CommandContext& context);

Status do_chat_say(const CommandContext& context);
Status do_caption_say(const CommandContext& context);
Status do_caption_take_back(const CommandContext& context);
Status do_chat_delete(const CommandContext& context);
Status do_chat_slow(const CommandContext& context);
Status do_mod_mute(const CommandContext& context);
Status do_mod_ban(const CommandContext& context);
Status do_mod_unban(const CommandContext& context);

}  // namespace footlight::episode
