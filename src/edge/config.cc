#include "edge/config.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "edge/config_table.h"
#include "edge/config_yaml.h"
#include "edge/fallback_rule.h"
#include "edge/relays.h"
#include "gate/token.h"
#include "hls/s3.h"

namespace footlight::edge {
namespace {

constexpr std::string_view kWebhookEvents[] = {"episode.started", "episode.ended", "poll.opened",
                                               "poll.closed", "log.halted"};
constexpr size_t kMostFaults = 50;
constexpr size_t kMostWebhooks = 16;
constexpr size_t kMostRelays = 16;
constexpr size_t kMostPush = 4;

// "1280x720@2500", as `footlight-media compose --rung` takes it.
bool is_rung(const std::string& text) {
  int width = 0, height = 0, kbps = 0, end = 0;
  if (std::sscanf(text.c_str(), "%4dx%4d@%5d%n", &width, &height, &kbps, &end) != 3) return false;
  return static_cast<size_t>(end) == text.size() && width >= 320 && width <= 3'840 &&
         height >= 180 && height <= 2'160 && width % 2 == 0 && height % 2 == 0 && kbps >= 100 &&
         kbps <= 50'000;
}

class Loader {
 public:
  Loader(Config& config, std::vector<ConfigFault>& faults) : config_(config), faults_(faults) {}

  void tree(const ConfigNode& root) {
    if (root.kind == ConfigNode::Kind::kNull) return;
    if (root.kind != ConfigNode::Kind::kMap) return fault(root, "", "must be a map");
    members(root, "");
  }

  void override_with(const Setting& setting) {
    const SettingInfo* info = find_setting(setting.first);
    ConfigNode nowhere;
    if (info == nullptr) return fault(nowhere, setting.first, "there is no such setting");
    const bool is_list =
        std::holds_alternative<std::vector<std::string>* (*)(Config&)>(info->place);
    std::vector<std::string> values;
    if (is_list) {
      std::string_view rest = setting.second;
      while (!rest.empty()) {
        const size_t comma = std::min(rest.find(','), rest.size());
        values.emplace_back(rest.substr(0, comma));
        rest.remove_prefix(std::min(rest.size(), comma + 1));
      }
    } else {
      values.push_back(setting.second);
    }
    const std::string wanted = set_value(*info, config_, values, is_list);
    if (!wanted.empty()) fault(nowhere, setting.first, "must be " + wanted);
  }

  // What no single setting can say.
  void whole() {
    const ConfigNode nowhere;
    if (config_.server.tls_cert.empty() != config_.server.tls_key.empty()) {
      fault(nowhere, "server.tls_cert", "needs server.tls_key, and the other way round");
    }
    if (config_.program.fps != 25 && config_.program.fps != 30) {
      fault(nowhere, "program.fps", "must be 25 or 30");
    }
    if (config_.program.rungs.empty() || !std::ranges::all_of(config_.program.rungs, &is_rung)) {
      fault(nowhere, "program.rungs", "must be like [1280x720@2500, 854x480@1100], sizes even");
    }
    if (!are_fallback_steps(config_.program.fallback_steps)) {
      fault(nowhere, "program.fallback_steps",
            "must be some of [capped, hls, audio, votes] in this order");
    }
    for (size_t i = 0; i < config_.keys.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (config_.keys[i].kid == config_.keys[j].kid) {
          fault(nowhere, "keys", "two keys have the kid \"" + config_.keys[i].kid + "\"");
        }
      }
    }
  }

 private:
  void fault(const ConfigNode& at, std::string key, std::string why) {
    if (faults_.size() >= kMostFaults) return;
    faults_.push_back(
        {at.line, at.column, std::move(key), {Code::kConfigValue, std::move(why), 0}});
  }

  void members(const ConfigNode& map, const std::string& path) {
    std::vector<std::string_view> seen;
    for (const ConfigNode::Member& member : map.members) {
      const std::string key = path.empty() ? member.key : path + "." + member.key;
      ConfigNode at_key;
      at_key.line = member.line;
      at_key.column = member.column;
      if (std::find(seen.begin(), seen.end(), member.key) != seen.end()) {
        fault(at_key, key, "is given twice");
        continue;
      }
      seen.push_back(member.key);
      if (key == "keys") {
        list(member.value, key, gate::kMaxKeys, &Loader::key_entry);
      } else if (key == "webhooks") {
        list(member.value, key, kMostWebhooks, &Loader::webhook_entry);
      } else if (key == "relays") {
        list(member.value, key, kMostRelays, &Loader::relay_entry);
      } else if (key == "push") {
        list(member.value, key, kMostPush, &Loader::push_entry);
      } else if (const SettingInfo* info = find_setting(key)) {
        setting(*info, member.value);
      } else if (is_group(key)) {
        if (member.value.kind == ConfigNode::Kind::kMap) {
          members(member.value, key);
        } else if (member.value.kind != ConfigNode::Kind::kNull) {
          fault(member.value, key, "must be a map");
        }
      } else {
        fault(at_key, key, "there is no such setting");
      }
    }
  }

  static bool is_group(const std::string& key) {
    const std::string prefix = key + ".";
    return std::any_of(settings().begin(), settings().end(),
                       [&](const SettingInfo& info) { return info.key.starts_with(prefix); });
  }

  void setting(const SettingInfo& info, const ConfigNode& node) {
    if (node.kind == ConfigNode::Kind::kMap) {
      return fault(node, std::string(info.key), "must be one value, not a map");
    }
    std::vector<std::string> values;
    const bool is_list = node.kind == ConfigNode::Kind::kList;
    if (is_list) {
      for (const ConfigNode& item : node.items) {
        if (item.kind != ConfigNode::Kind::kScalar) {
          return fault(item, std::string(info.key), "must be a list of plain texts");
        }
        values.push_back(item.text);
      }
    } else {
      values.push_back(node.text);
    }
    const std::string wanted = set_value(info, config_, values, is_list);
    if (!wanted.empty()) fault(node, std::string(info.key), "must be " + wanted);
  }

  void list(const ConfigNode& node, const std::string& key, size_t most,
            void (Loader::*entry)(const ConfigNode&, const std::string&)) {
    if (node.kind == ConfigNode::Kind::kNull) return;
    if (node.kind != ConfigNode::Kind::kList) return fault(node, key, "must be a list");
    if (node.items.size() > most) {
      return fault(node, key, "must have at most " + std::to_string(most) + " entries");
    }
    for (size_t i = 0; i < node.items.size(); ++i) {
      const std::string at = key + "[" + std::to_string(i) + "]";
      if (node.items[i].kind != ConfigNode::Kind::kMap) {
        fault(node.items[i], at, "must be a map");
      } else {
        (this->*entry)(node.items[i], at);
      }
    }
  }

  // Fills texts by name; complains of all else.
  void texts(const ConfigNode& map, const std::string& path,
             std::initializer_list<std::pair<std::string_view, std::string*>> known) {
    for (const ConfigNode::Member& member : map.members) {
      const auto found = std::find_if(known.begin(), known.end(),
                                      [&](const auto& each) { return each.first == member.key; });
      if (found == known.end()) {
        if (member.key == "events" || member.key == "urls") continue;  // lists: the entry's own
        ConfigNode at;
        at.line = member.line;
        at.column = member.column;
        fault(at, path + "." + member.key, "there is no such setting");
      } else if (member.value.kind != ConfigNode::Kind::kScalar) {
        fault(member.value, path + "." + member.key, "must be a text");
      } else {
        *found->second = member.value.text;
      }
    }
  }

  void key_entry(const ConfigNode& node, const std::string& path) {
    KeyConfig key;
    texts(node, path,
          {{"kid", &key.kid},
           {"algorithm", &key.algorithm},
           {"secret_env", &key.secret_env},
           {"file", &key.file}});
    const auto algorithm = gate::parse_algorithm(key.algorithm);
    if (!algorithm) return fault(node, path + ".algorithm", "must be HS256, EdDSA or ES256");
    if (*algorithm == gate::Algorithm::kHs256) {
      if (key.secret_env.empty() == key.file.empty()) {
        return fault(node, path, "HS256 needs secret_env or file, not both");
      }
    } else if (key.file.empty() || !key.secret_env.empty()) {
      return fault(node, path, key.algorithm + " needs file: a public key, PEM");
    }
    if (key.kid.size() > 128) return fault(node, path + ".kid", "must be of at most 128 bytes");
    config_.keys.push_back(std::move(key));
  }

  void webhook_entry(const ConfigNode& node, const std::string& path) {
    WebhookConfig hook;
    texts(
        node, path,
        {{"url", &hook.url}, {"secret_env", &hook.secret_env}, {"secret_file", &hook.secret_file}});
    if (!hook.url.starts_with("https://") && !hook.url.starts_with("http://")) {
      return fault(node, path + ".url", "must begin with https:// or http://");
    }
    if (hook.secret_env.empty() == hook.secret_file.empty()) {
      return fault(node, path, "needs secret_env or secret_file, not both");
    }
    for (const ConfigNode::Member& member : node.members) {
      if (member.key != "events") continue;
      if (member.value.kind != ConfigNode::Kind::kList) {
        return fault(member.value, path + ".events", "must be a list");
      }
      for (const ConfigNode& item : member.value.items) {
        if (std::find(std::begin(kWebhookEvents), std::end(kWebhookEvents), item.text) ==
            std::end(kWebhookEvents)) {
          return fault(item, path + ".events", "there is no event \"" + item.text + "\"");
        }
        hook.events.push_back(item.text);
      }
    }
    config_.webhooks.push_back(std::move(hook));
  }

  void relay_entry(const ConfigNode& node, const std::string& path) {
    RelayConfig relay;
    std::string priority = "0";
    texts(node, path,
          {{"secret_env", &relay.secret_env},
           {"secret_file", &relay.secret_file},
           {"region", &relay.region},
           {"priority", &priority}});
    if (relay.secret_env.empty() == relay.secret_file.empty()) {
      return fault(node, path, "needs secret_env or secret_file, not both");
    }
    if (const auto [end, error] =
            std::from_chars(priority.data(), priority.data() + priority.size(), relay.priority);
        error != std::errc() || end != priority.data() + priority.size() || relay.priority < 0 ||
        relay.priority > 1'000) {
      return fault(node, path + ".priority", "must be an integer from 0 to 1000");
    }
    bool udp = false;
    for (const ConfigNode::Member& member : node.members) {
      if (member.key != "urls") continue;
      for (const ConfigNode& item : member.value.items) {
        const auto url = parse_relay_url(item.text);
        if (!url) {
          return fault(item, path + ".urls", "must be like turn:turn.example:3478?transport=udp");
        }
        udp |= !url->tcp;
        relay.urls.push_back(item.text);
      }
    }
    if (!udp || relay.urls.size() > proto::kMaxIceUrls) {
      return fault(
          node, path + ".urls",
          "must be a list of 1 to 8, of which one is over UDP: there the relay is checked");
    }
    config_.relays.push_back(std::move(relay));
  }

  void push_entry(const ConfigNode& node, const std::string& path) {
    PushConfig push;
    std::string path_style = "false", remove = "false";
    texts(node, path,
          {{"folder", &push.folder},
           {"endpoint", &push.endpoint},
           {"bucket", &push.bucket},
           {"prefix", &push.prefix},
           {"region", &push.region},
           {"path_style", &path_style},
           {"remove", &remove},
           {"key_id", &push.key_id},
           {"key_id_env", &push.key_id_env},
           {"secret_env", &push.secret_env},
           {"secret_file", &push.secret_file},
           {"token_env", &push.token_env},
           {"token_file", &push.token_file}});
    for (const auto& [name, text] : {std::pair("path_style", &path_style), {"remove", &remove}}) {
      if (*text == "true" || *text == "false") continue;
      return fault(node, path + "." + name, "must be true or false");
    }
    push.path_style = path_style == "true";
    push.remove = remove == "true";
    if (push.folder.empty() == push.endpoint.empty()) {
      return fault(node, path, "needs folder or endpoint, not both");
    }
    if (!push.endpoint.empty() && !check_bucket(node, path, push)) return;
    config_.push.push_back(std::move(push));
  }

  bool check_bucket(const ConfigNode& node, const std::string& path, const PushConfig& push) {
    const auto wrong = [&](const char* what, const char* why) {
      fault(node, path + what, why);
      return false;
    };
    if (!hls::is_endpoint(push.endpoint)) {
      return wrong(".endpoint", "must be like https://s3.eu-central-1.amazonaws.com");
    }
    if (!hls::is_bucket_name(push.bucket)) {
      return wrong(".bucket", "must be 3 to 63 of a-z 0-9 . -");
    }
    if (push.prefix.starts_with('/') || push.prefix.ends_with('/') || push.prefix.size() > 256) {
      return wrong(".prefix", "must neither begin nor end with a slash");
    }
    if (push.key_id.empty() == push.key_id_env.empty()) {
      return wrong("", "needs key_id or key_id_env, not both");
    }
    if (push.secret_env.empty() == push.secret_file.empty()) {
      return wrong("", "needs secret_env or secret_file, not both");
    }
    return true;
  }

  Config& config_;
  std::vector<ConfigFault>& faults_;
};

}  // namespace

std::vector<ConfigFault> load_config(std::string_view yaml, std::span<const Setting> overrides,
                                     Config& config) {
  config = Config{};
  std::vector<ConfigFault> faults;
  ConfigNode root;
  ConfigFault syntax;
  if (!parse_config_yaml(yaml, root, syntax)) {
    faults.push_back(std::move(syntax));
    return faults;
  }
  Loader loader(config, faults);
  loader.tree(root);
  for (const Setting& setting : overrides) loader.override_with(setting);
  loader.whole();
  return faults;
}

std::string describe(const ConfigFault& fault, std::string_view file) {
  std::string out(file);
  if (fault.line > 0) {
    out += ":" + std::to_string(fault.line) + ":" + std::to_string(fault.column);
  }
  if (!out.empty()) out += ": ";
  if (!fault.key.empty()) out += fault.key + ": ";
  return out + fault.error.message();
}

namespace {

// What is no single setting.
constexpr std::string_view kListsMarkdown =
    "\nA rate is `5/s burst 20` (20 at once, then 5 a second), `30/min burst 20`, or "
    "`unlimited`.\n"
    "\n## keys\n\nA list; tokens name one by `kid` (docs/protocol.md, Tokens). SIGHUP reads the "
    "files again.\n\n"
    "| member | meaning |\n|---|---|\n"
    "| `kid` | the key's name in tokens; may be empty for the only key |\n"
    "| `algorithm` | `HS256` (default), `EdDSA`, `ES256` |\n"
    "| `secret_env` | HS256: the environment variable that holds the secret, at least 32 bytes "
    "|\n"
    "| `file` | HS256: a file with the secret; else the public key in PEM, or a JSON Web Key "
    "Set (RFC 7517) |\n"
    "\n## webhooks\n\nA list of at most 16, read at start; see [webhooks.md](webhooks.md).\n\n"
    "| member | meaning |\n|---|---|\n"
    "| `url` | `https://…` or `http://…` |\n"
    "| `secret_env`, `secret_file` | where the signing secret is: `whsec_` and base64 of "
    "24 to 64 bytes, or any other text of as many |\n"
    "| `events` | which; empty or absent: all |\n"
    "\n## relays\n\nTURN relays that are handed out to clients, at most 16; see "
    "[media.md](media.md#relays).\n\n"
    "| member | meaning |\n|---|---|\n"
    "| `urls` | a list: `turn:HOST:PORT`, `turn:HOST:PORT?transport=tcp`, `turns:HOST:PORT`; one "
    "of them over UDP |\n"
    "| `secret_env`, `secret_file` | where the secret is that the relay has as "
    "`static-auth-secret` |\n"
    "| `region` | where it is; those of `media.region` are handed out first |\n"
    "| `priority` | 0 to 1000; of equals in region the higher is handed out first |\n"
    "\n## push\n\nPlaces that every program stream is pushed to, for a CDN to take it from, at "
    "most "
    "4, read at start; see [program.md](program.md#pushing-it-to-a-cdns-store).\n\n"
    "| member | meaning |\n|---|---|\n"
    "| `folder` | a folder of this machine, in place of all below but `remove` |\n"
    "| `endpoint` | of an S3-like store: `https://HOST` or `http://HOST:PORT` |\n"
    "| `bucket`, `prefix` | the bucket, and what every name in it begins with |\n"
    "| `region` | what requests are signed for; `us-east-1` |\n"
    "| `path_style` | `true`: `HOST/BUCKET/NAME`; `false` (default): `BUCKET.HOST/NAME` |\n"
    "| `key_id`, `key_id_env` | the access key's id, or the variable that holds it |\n"
    "| `secret_env`, `secret_file` | where its secret is |\n"
    "| `token_env`, `token_file` | where the token of temporary credentials is; may be absent |\n"
    "| `remove` | `true`: what has left the window is removed, and no recording is kept there "
    "|\n";

}  // namespace

std::string config_markdown() {
  Config defaults;
  std::string out =
      "<!-- Generated from src/edge/config_table.cc by `./dev fmt`; do not edit. -->\n"
      "# Configuration\n\n"
      "`footlight serve --config FILE.yaml`. A file is YAML; a setting `server.port` is written\n\n"
      "```yaml\nserver:\n  port: 8080\n```\n\n"
      "`--set server.port=8081` on the command line wins over the file; lists are separated by "
      "commas there.\nUnknown settings and values out of range are refused with line and column.\n";
  std::string_view group;
  for (const SettingInfo& info : settings()) {
    const std::string_view its = info.key.substr(0, info.key.find('.'));
    if (its != group) {
      group = its;
      out += "\n## " + std::string(group) +
             "\n\n| setting | default | range | meaning |\n|---|---|---|---|\n";
    }
    out += "| `" + std::string(info.key) + "` | `" + setting_text(info, defaults) + "` | ";
    if (std::holds_alternative<int64_t* (*)(Config&)>(info.place)) {
      out += std::to_string(info.low) + "–" + std::to_string(info.high);
      if (!info.unit.empty()) out += " " + std::string(info.unit);
    } else if (std::holds_alternative<bool* (*)(Config&)>(info.place)) {
      out += "`true`, `false`";
    } else if (std::holds_alternative<gate::Rate* (*)(Config&)>(info.place)) {
      out += "rate";
    } else if (std::holds_alternative<std::vector<std::string>* (*)(Config&)>(info.place)) {
      out += "list, at most " + std::to_string(info.high);
    } else {
      out += "text";
    }
    out += " | " + std::string(info.doc);
    if (info.doc.back() != '.') out += ".";
    out += " |\n";
  }
  return out.append(kListsMarkdown);
}

}  // namespace footlight::edge
