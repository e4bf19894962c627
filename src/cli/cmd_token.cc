#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/signing.h"

namespace footlight::cli {
namespace {

struct Options {
  SigningOptions signing;
  std::string episode;
  ops::Identity who;
  std::string role = "viewer";
  std::string url;
  std::string publish, subscribe, tracks;
  bool captions = false;
};

// "yes" or "no"; nothing: as the role has it.
bool read_word(const std::string& word, std::optional<bool>& out) {
  if (word == "yes" || word == "no") out = word == "yes";
  return word.empty() || out.has_value();
}

// "audio,screen"; nothing: as the role has it, "none": none.
bool read_tracks(std::string text, std::optional<uint8_t>& out) {
  using gate::MediaGrants;
  if (text.empty()) return true;
  out = 0;
  if (text == "none") return true;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string word = text.substr(0, comma);
    text.erase(0, comma + 1);
    const uint8_t bit = word == "audio"    ? MediaGrants::kAudio
                        : word == "video"  ? MediaGrants::kVideo
                        : word == "screen" ? MediaGrants::kScreen
                                           : 0;
    if (bit == 0) return false;
    *out |= bit;
  }
  return true;
}

int token(Options options) {
  const auto role = proto::parse_role(options.role);
  if (!role) return complain({Code::kUsage, "roles: producer, gm, player, viewer", 0});
  options.who.role = *role;
  gate::Claims media;
  media.captions = options.captions;
  if (!read_word(options.publish, media.publish) ||
      !read_word(options.subscribe, media.subscribe) ||
      !read_tracks(options.tracks, media.tracks)) {
    return complain({Code::kUsage,
                     "--publish and --subscribe take yes or no; --tracks takes audio, video and "
                     "screen, with commas, or none",
                     0});
  }
  auto tokens = token_source(options.signing, options.episode, media);
  if (!tokens) return complain(tokens.error());
  const std::string text = (*tokens)(options.who);
  if (text.empty())
    return complain(
        {Code::kTokenClaims, "a name or id is too long or has characters that are not allowed", 0});
  if (options.url.empty()) {
    std::printf("%s\n", text.c_str());
  } else {
    std::printf("%s#ep=%s&token=%s\n", options.url.c_str(), options.episode.c_str(), text.c_str());
  }
  return 0;
}

}  // namespace

void add_token(CommandLine& line) {
  auto options = std::make_shared<Options>();
  Command command = line.command("token", "sign a token, or the whole address of a page",
                                 [options] { return token(*options); });
  command.option("--episode-id", options->episode, "the episode's id").required();
  command.option("--sub", options->who.sub, "the account").required();
  command.option("--role", options->role, "producer, gm, player, viewer");
  command.option("--name", options->who.name, "shown name");
  command.option("--char", options->who.characters,
                 "a character this player may change; may be repeated");
  command.option("--publish", options->publish,
                 "yes or no: may publish voice and video, whatever the role may");
  command.option("--subscribe", options->subscribe, "yes or no: may watch");
  command.option("--tracks", options->tracks, "what may be published: audio,video,screen; or none");
  command.flag("--captions", options->captions, "may say captions, whatever the role");
  command.option("--page", options->url,
                 "print this page's address with the token, e.g. https://show.example/stage/");
  add_signing_options(command, options->signing);
}

}  // namespace footlight::cli
