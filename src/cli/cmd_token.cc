#include <cstdio>
#include <memory>

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
};

int token(Options options) {
  const auto role = proto::parse_role(options.role);
  if (!role) return complain({Code::kUsage, "roles: producer, gm, player, viewer", 0}, kExitUsage);
  options.who.role = *role;
  auto tokens = token_source(options.signing, options.episode);
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
  command.option("--page", options->url,
                 "print this page's address with the token, e.g. https://show.example/stage/");
  add_signing_options(command, options->signing);
}

}  // namespace footlight::cli
