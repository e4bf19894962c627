#include "edge/node_keys.h"

#include <cstdlib>
#include <fstream>

#include "core/bytes.h"
#include "gate/openssl/keys.h"

namespace footlight::edge {
namespace {

constexpr std::string_view kWebhookPrefix = "whsec_";
constexpr size_t kLeastWebhookSecret = 24;
constexpr size_t kMostWebhookSecret = 64;

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::kKeyFile, path + " cannot be read");
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Status add_key(gate::KeySet& keys, const KeyConfig& config) {
  if (config.algorithm == "HS256") {
    auto secret = read_secret(config.secret_env, config.file);
    if (!secret) return std::unexpected(secret.error());
    return keys.add_hs256(config.kid, *secret);
  }
  auto text = read_file(config.file);
  if (!text) return std::unexpected(text.error());
  const size_t start = text->find_first_not_of(" \t\r\n");
  if (start != std::string::npos && (*text)[start] == '{') {
    auto passed_over = gate::add_jwks(keys, *text);
    if (!passed_over) return std::unexpected(passed_over.error());
    return {};
  }
  auto verifier = gate::verifier_from_pem(*text);
  if (!verifier) return std::unexpected(verifier.error());
  if (gate::algorithm_name((*verifier)->algorithm()) != config.algorithm) {
    return fail(Code::kKeyFile, config.file + " is no key for " + config.algorithm);
  }
  return keys.add(config.kid, std::move(*verifier));
}

}  // namespace

Result<std::string> read_secret(const std::string& variable, const std::string& path) {
  std::string secret;
  if (!variable.empty()) {
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr) return fail(Code::kKeyFile, "the variable " + variable + " is not set");
    secret = value;
  } else {
    auto text = read_file(path);
    if (!text) return text;
    secret = std::move(*text);
  }
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  return secret;
}

Result<std::shared_ptr<const gate::KeySet>> load_keys(std::span<const KeyConfig> keys,
                                                      const std::string& dev_secret) {
  auto set = std::make_shared<gate::KeySet>();
  for (const KeyConfig& key : keys) {
    if (auto status = add_key(*set, key); !status) {
      Error error = status.error();
      error.detail = "key " + key.kid + ": " + error.detail;
      return std::unexpected(std::move(error));
    }
  }
  if (!dev_secret.empty()) {
    if (auto status = set->add_hs256(kDevKid, dev_secret); !status) {
      return std::unexpected(status.error());
    }
  }
  return set;
}

Result<Bytes> webhook_secret(std::string_view text) {
  Bytes secret(text.begin(), text.end());
  if (text.starts_with(kWebhookPrefix)) {
    // The one alphabet becomes the other; padding may be left out.
    std::string base64(text.substr(kWebhookPrefix.size()));
    while (base64.ends_with('=')) base64.pop_back();
    for (char& c : base64) c = c == '+' ? '-' : c == '/' ? '_' : c;
    if (!from_base64url(base64, secret))
      return fail(Code::kKeyFile, "whsec_ is followed by base64");
  }
  if (secret.size() < kLeastWebhookSecret || secret.size() > kMostWebhookSecret) {
    return fail(Code::kKeyFile, "a secret has 24 to 64 bytes");
  }
  return secret;
}

Result<std::vector<WebhookEndpoint>> load_webhooks(std::span<const WebhookConfig> webhooks) {
  std::vector<WebhookEndpoint> endpoints;
  for (const WebhookConfig& config : webhooks) {
    const auto text = read_secret(config.secret_env, config.secret_file);
    auto secret = text ? webhook_secret(*text) : std::unexpected(text.error());
    if (!secret) {
      Error error = secret.error();
      error.detail = "webhook " + config.url + ": " + error.detail;
      return std::unexpected(std::move(error));
    }
    endpoints.push_back({config.url, std::move(*secret), config.events});
  }
  return endpoints;
}

Status load_push(std::span<const PushConfig> push, std::vector<PushPlace>& places) {
  for (const PushConfig& config : push) {
    PushPlace place;
    place.folder = config.folder;
    place.prefix = config.prefix;
    place.remove = config.remove;
    if (config.folder.empty()) {
      place.bucket = {config.endpoint, config.bucket, config.region, config.path_style, {}};
      hls::Credentials& who = place.bucket.credentials;
      Result<std::string> id = config.key_id;
      if (!config.key_id_env.empty()) id = read_secret(config.key_id_env, "");
      Result<std::string> token = std::string();
      if (!config.token_env.empty() || !config.token_file.empty()) {
        token = read_secret(config.token_env, config.token_file);
      }
      auto secret = read_secret(config.secret_env, config.secret_file);
      for (const auto* read : {&id, &token, &secret}) {
        if (*read) continue;
        Error error = read->error();
        error.detail = "push to " + place.name() + ": " + error.detail;
        return std::unexpected(std::move(error));
      }
      who = {*id, *secret, *token};
    }
    places.push_back(std::move(place));
  }
  return {};
}

}  // namespace footlight::edge
