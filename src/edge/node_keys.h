// The keys tokens are signed with, from the configuration: environment variables and files.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "edge/config.h"
#include "edge/http_program_push.h"
#include "edge/webhooks.h"
#include "gate/token.h"

namespace footlight::edge {

inline constexpr const char* kDevKid = "dev";

// `dev_secret`: "" or one more key, with the kid "dev". kKeyFile names the key and what is wrong,
// never its content.
Result<std::shared_ptr<const gate::KeySet>> load_keys(std::span<const KeyConfig> keys,
                                                      const std::string& dev_secret);
// From the environment variable or else the file, without the line end that editors add. kKeyFile.
Result<std::string> read_secret(const std::string& variable, const std::string& path);
// The signing secret in a webhook's variable or file: "whsec_" and the base64 of it (Standard
// Webhooks 1.0), or the secret itself. kKeyFile unless it is of 24 to 64 bytes.
Result<Bytes> webhook_secret(std::string_view text);
// kKeyFile names the endpoint and what is wrong with its secret.
Result<std::vector<WebhookEndpoint>> load_webhooks(std::span<const WebhookConfig> webhooks);
// With the secrets of buckets read. kKeyFile.
Status load_push(std::span<const PushConfig> push, std::vector<PushPlace>& places);

}  // namespace footlight::edge
