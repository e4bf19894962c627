// Webhooks, without HTTP: a bounded queue of deliveries, signed, retried with exponential backoff
// and full jitter, then counted as dead. Headers and signature follow Standard Webhooks 1.0
// (`webhook-id`, `webhook-timestamp`, `webhook-signature: v1,base64(HMAC-SHA-256)`); events and
// bodies are in docs/webhooks.md.
//
// The shell takes next(), POSTs it, and reports on_result(). At most `in_flight_max` at once; an
// endpoint's deliveries start in order but retries do not hold up the others. One thread.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/prng.h"
#include "core/result.h"
#include "core/time.h"
#include "edge/ports.h"

namespace footlight::edge {

struct WebhookEndpoint {
  std::string url;                 // http:// or https://
  Bytes secret;                    // 24..64 bytes
  std::vector<std::string> types;  // empty: all
};

struct WebhookOptions {
  const Clock* clock = nullptr;
  Entropy* entropy = nullptr;
  std::vector<WebhookEndpoint> endpoints;
  uint32_t queue_max = 1'000;  // deliveries waiting; beyond: the oldest is dead
  uint32_t in_flight_max = 4;
  uint32_t attempts_max = 12;
  uint32_t backoff_first_ms = 1'000;
  uint32_t backoff_max_ms = 3'600'000;
};

struct WebhookRequest {
  uint64_t delivery = 0;  // for on_result
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct WebhookCounters {
  uint64_t delivered = 0;
  uint64_t failed = 0;  // attempts
  uint64_t dead = 0;
  uint64_t waiting = 0;
};

class Webhooks {
 public:
  explicit Webhooks(WebhookOptions options);
  ~Webhooks();
  void post(const WebhookEvent& event);
  std::optional<WebhookRequest> next();  // the next that is due
  // `status`: HTTP; 0: no answer. 2xx is delivered; 410 and an exhausted count are dead; all else
  // is retried, not before `retry_after_s` (of the answer; 0: none).
  void on_result(uint64_t delivery, int status, uint32_t retry_after_s);
  MonoUs next_due_us() const;  // kNever: nothing waits
  WebhookCounters counters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// "v1,<base64>" over "id.timestamp.body".
std::string webhook_signature(ByteView secret, std::string_view id, int64_t timestamp_s,
                              std::string_view body);

}  // namespace footlight::edge
