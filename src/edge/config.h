// The configuration of a node: one table of settings from which come the defaults, the checks with
// line and column, and docs/configuration.md. A file is YAML; every setting has a dotted key, which
// the command line can override (`--set limits.join.episode=500/s`).
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "gate/admission.h"

namespace footlight::edge {

struct KeyConfig {
  std::string kid;
  std::string algorithm = "HS256";  // HS256, EdDSA, ES256
  std::string secret_env;           // HS256: the environment variable that holds the secret
  std::string file;                 // HS256: the secret; else a PEM public key
};

struct WebhookConfig {
  std::string url;
  std::string secret_env;
  std::string secret_file;
  std::vector<std::string> events;  // empty: all
};

struct RelayConfig {
  std::vector<std::string> urls;  // turn:HOST:PORT, ...
  std::string secret_env;
  std::string secret_file;
  std::string region;
  int64_t priority = 0;
};

// Where program streams are pushed to: a folder, or a bucket of an S3-like store.
struct PushConfig {
  std::string folder;
  std::string endpoint, bucket, prefix;
  std::string region = "us-east-1";
  bool path_style = false;
  bool remove = false;
  std::string key_id, key_id_env;
  std::string secret_env, secret_file;
  std::string token_env, token_file;
};

struct Config {
  struct {
    std::string address = "127.0.0.1";
    int64_t port = 8080;
    int64_t threads = 0;  // 0: one per core
    std::string tls_cert;
    std::string tls_key;
    bool http2 = true;
    int64_t http2_streams = 256;
    std::vector<std::string> allowed_origins;  // empty: same origin and none
    std::string static_dir;
    int64_t max_connections = 50'000;
    int64_t drain_spread_ms = 5'000;
    bool trust_forwarded = false;
  } server;
  struct {
    bool enabled = true;
    std::string address;                 // empty: server.address
    int64_t port = 0;                    // 0: the number of server.port
    std::vector<std::string> advertise;  // empty: what the port is bound to
    bool tcp = true;                     // also over TCP
    int64_t max_sessions = 4'096;
    int64_t packets = 65'536;
    int64_t spread_after = 128;
    bool record = false;
    int64_t record_max_bytes = int64_t{256} << 30;
    int64_t record_keep_free_bytes = int64_t{1} << 30;
    int64_t drain_ms = 5'000;
    std::string region;                    // of this node: its relays are handed out first
    int64_t relay_credentials_s = 21'600;  // how long a relay takes them
    int64_t relay_check_s = 15;
  } media;
  struct {
    bool enabled = false;
    int64_t fallback_loss_pm = 0;  // 0: never by itself
    int64_t fallback_rtt_ms = 0;
    int64_t fallback_cpu_pm = 0;
    std::vector<std::string> fallback_steps = {"hls"};
    std::vector<std::string> rungs = {"1280x720@2500", "854x480@1100"};
    int64_t fps = 30;
    std::string encoder = "libx264";
    std::string preset = "superfast";
    int64_t sound_kbps = 128;
    std::string compositor;  // empty: footlight-media beside the program
    int64_t dvr_window_s = 600;
    int64_t memory_bytes = 512 << 20;
    std::string folder;  // empty: recordings stay in memory, as far as it reaches
    bool push_parts = false;
    int64_t push_waiting_bytes = 64 << 20;
  } program;
  struct {
    std::string dir = "data";
    std::vector<std::string> episodes;  // episode files
    int64_t snapshot_every = 50'000;
    int64_t batch_max = 4'096;
  } data;
  struct {
    int64_t tally_ms = 100;
    int64_t crowd_tally_ms = 250;
    int64_t crowd_audience = 10'000;
    int64_t emote_ms = 150;
    int64_t ack_ms = 25;
  } ticks;
  struct {
    int64_t hello_timeout_ms = 5'000;
    int64_t idle_ms = 45'000;
    int64_t queue_bytes = 256 * 1024;
    gate::AdmissionLimits admission;
  } limits;
  struct {
    int64_t doc_bytes = 4 * 1024 * 1024;
    int64_t snapshot_updates = 2'000;
    int64_t idle_ms = 30'000;
  } boards;
  std::vector<KeyConfig> keys;
  std::vector<WebhookConfig> webhooks;
  std::vector<RelayConfig> relays;
  std::vector<PushConfig> push;
};

struct ConfigFault {
  int line = 0;  // 1-based; 0: not in a file
  int column = 0;
  std::string key;
  Error error;  // kConfigSyntax, kConfigValue
};

using Setting = std::pair<std::string, std::string>;  // key, value as text

// `yaml` may be empty. All faults, in file order; with none, `config` is complete and checked.
std::vector<ConfigFault> load_config(std::string_view yaml, std::span<const Setting> overrides,
                                     Config& config);
// "FILE:12:3: server.port: 4701 ..."
std::string describe(const ConfigFault& fault, std::string_view file);
std::string config_markdown();  // docs/configuration.md

}  // namespace footlight::edge
