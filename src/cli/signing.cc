#include "cli/signing.h"

#include <fstream>
#include <memory>

#include "gate/openssl/keys.h"
#include "gate/token.h"
#include "net/asio/shard.h"

namespace footlight::cli {
namespace {

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path);
  if (!in) return fail(Code::kKeyFile, path + " cannot be read");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

Result<std::shared_ptr<gate::SignatureSigner>> signer_of(const SigningOptions& options) {
  if (options.dev) {
    if (!options.key_file.empty() || !options.kid.empty() || options.algorithm != kHs256) {
      return fail(Code::kUsage,
                  "--dev has its own key, for HS256: leave --key, --kid and --alg away");
    }
    return gate::hs256_signer(kDevSecret);
  }
  if (options.key_file.empty()) return fail(Code::kUsage, "give --dev, or --key FILE");
  auto text = read_file(options.key_file);
  if (!text) return std::unexpected(text.error());
  if (options.algorithm != kHs256) {
    auto signer = gate::signer_from_pem(*text);
    if (!signer) return std::unexpected(signer.error());
    if (gate::algorithm_name((*signer)->algorithm()) != options.algorithm) {
      return fail(Code::kKeyFile, options.key_file + " is no key for " + options.algorithm);
    }
    return std::shared_ptr<gate::SignatureSigner>(std::move(*signer));
  }
  if (text->size() < gate::kMinSecretBytes) {
    return fail(Code::kKeyFile, options.key_file + " holds fewer than 32 bytes");
  }
  return gate::hs256_signer(*text);
}

}  // namespace

Result<ops::TokenSource> token_source(const SigningOptions& options, const std::string& episode,
                                      const gate::Claims& media) {
  auto signer = signer_of(options);
  if (!signer) return std::unexpected(signer.error());
  const std::string kid = options.dev ? kDevKid : options.kid;
  const int64_t now_s = net::SystemClock().wall_ms() / 1000;
  return [signer = *signer, kid, now_s, episode, hours = options.hours,
          media](const ops::Identity& who) {
    gate::Claims claims = media;
    claims.sub = who.sub;
    claims.episode = episode;
    claims.role = who.role;
    claims.name = who.name.empty() ? who.sub.substr(0, 64) : who.name;
    claims.characters = who.characters;
    claims.issued_s = now_s;
    claims.expires_s = now_s + hours * 3600;
    return gate::mint_token(claims, kid, *signer).value_or("");
  };
}

void add_signing_options(Command& command, SigningOptions& options) {
  command.flag("--dev", options.dev, "sign with the development key (serve --dev)");
  command.option("--key", options.key_file,
                 "key file: the secret for HS256, a private key in PEM else");
  command.option("--kid", options.kid, "the key's id");
  command.option("--alg", options.algorithm, "HS256, EdDSA, ES256");
  command.option("--hours", options.hours, "until tokens expire");
}

}  // namespace footlight::cli
