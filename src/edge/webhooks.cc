#include "edge/webhooks.h"

#include <algorithm>
#include <deque>
#include <unordered_map>

#include "core/json.h"

namespace footlight::edge {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
// An attempt that is never reported (the shell's fault) is given up after this.
constexpr MonoUs kAttemptUs = 60 * kUsPerSecond;

std::string to_base64(ByteView bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = bytes.size() - i;
    const uint32_t word = static_cast<uint32_t>(bytes[i]) << 16 |
                          (left > 1 ? static_cast<uint32_t>(bytes[i + 1]) << 8 : 0) |
                          (left > 2 ? static_cast<uint32_t>(bytes[i + 2]) : 0);
    out += kAlphabet[word >> 18];
    out += kAlphabet[word >> 12 & 63];
    out += left > 1 ? kAlphabet[word >> 6 & 63] : '=';
    out += left > 2 ? kAlphabet[word & 63] : '=';
  }
  return out;
}

uint64_t seed_from(Entropy& entropy) {
  std::array<uint8_t, 8> bytes;
  entropy.fill(bytes);
  return ByteReader(bytes).u64();
}

std::string body_of(const WebhookEvent& event) {
  std::string body;
  JsonWriter out(body);
  out.object().field("type", std::string_view(event.type)).field("timestamp_ms", event.at_ms);
  out.field("episode", std::string_view(event.episode)).field("log", event.log);
  out.key("data").raw(event.data.empty() ? "{}" : event.data).end_object();
  return body;
}

}  // namespace

std::string webhook_signature(ByteView secret, std::string_view id, int64_t timestamp_s,
                              std::string_view body) {
  std::string signed_text(id);
  signed_text.append(".").append(std::to_string(timestamp_s)).append(".").append(body);
  return "v1," + to_base64(hmac_sha256(secret, as_bytes(signed_text)));
}

struct Webhooks::Impl {
  struct Delivery {
    uint64_t number = 0;
    size_t endpoint = 0;
    std::string id;  // the event's, the same at each attempt and endpoint
    std::shared_ptr<const std::string> body;
    uint32_t attempts = 0;
    MonoUs due_us = 0;
    bool in_flight = false;
  };

  explicit Impl(WebhookOptions given)
      : options(std::move(given)), prng(seed_from(*options.entropy)) {}

  // Full jitter (Brooker 2015): anywhere between nothing and the step, so that a receiver that
  // comes back is not met by all at once.
  MonoUs backoff_us(uint32_t attempts, uint32_t retry_after_s) {
    const uint32_t shift = std::min<uint32_t>(attempts - 1, 20);
    const uint64_t step_ms = std::min<uint64_t>(
        static_cast<uint64_t>(options.backoff_first_ms) << shift, options.backoff_max_ms);
    const uint64_t wait_ms = std::max<uint64_t>(
        prng.below(step_ms + 1),
        std::min<uint64_t>(uint64_t{retry_after_s} * 1000, options.backoff_max_ms));
    return static_cast<MonoUs>(wait_ms) * kUsPerMs;
  }

  void kill(std::deque<Delivery>::iterator it) {
    ++counted.dead;
    waiting.erase(it);
  }

  WebhookOptions options;
  Prng prng;
  std::deque<Delivery> waiting;  // oldest first; at most queue_max
  uint64_t next_number = 1;
  uint32_t in_flight = 0;
  WebhookCounters counted;
};

Webhooks::Webhooks(WebhookOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Webhooks::~Webhooks() = default;

void Webhooks::post(const WebhookEvent& event) {
  Impl& impl = *impl_;
  const auto body = std::make_shared<const std::string>(body_of(event));
  const std::string id = event.episode + "." + std::to_string(event.log) + "." + event.type;
  for (size_t i = 0; i < impl.options.endpoints.size(); ++i) {
    const auto& types = impl.options.endpoints[i].types;
    if (!types.empty() && std::find(types.begin(), types.end(), event.type) == types.end()) {
      continue;
    }
    if (impl.waiting.size() >= impl.options.queue_max) {
      const auto oldest = std::find_if(impl.waiting.begin(), impl.waiting.end(),
                                       [](const auto& each) { return !each.in_flight; });
      if (oldest == impl.waiting.end()) {
        ++impl.counted.dead;
        continue;
      }
      impl.kill(oldest);
    }
    impl.waiting.push_back(
        {impl.next_number++, i, id, body, 0, impl.options.clock->now_us(), false});
  }
}

std::optional<WebhookRequest> Webhooks::next() {
  Impl& impl = *impl_;
  const MonoUs now_us = impl.options.clock->now_us();
  for (auto it = impl.waiting.begin(); it != impl.waiting.end();) {
    if (it->in_flight && it->due_us <= now_us) {  // lost: as if it had not been answered
      const uint64_t number = it->number;
      const size_t at = static_cast<size_t>(it - impl.waiting.begin());
      on_result(number, 0, 0);
      it = impl.waiting.begin() + static_cast<ptrdiff_t>(std::min(at, impl.waiting.size()));
    } else {
      ++it;
    }
  }
  if (impl.in_flight >= impl.options.in_flight_max) return std::nullopt;
  for (Impl::Delivery& each : impl.waiting) {
    if (each.in_flight || each.due_us > now_us) continue;
    each.in_flight = true;
    each.due_us = now_us + kAttemptUs;
    ++each.attempts;
    ++impl.in_flight;
    const WebhookEndpoint& endpoint = impl.options.endpoints[each.endpoint];
    const int64_t now_s = impl.options.clock->wall_ms() / 1000;
    WebhookRequest request;
    request.delivery = each.number;
    request.url = endpoint.url;
    request.body = *each.body;
    request.headers = {
        {"content-type", "application/json"},
        {"webhook-id", each.id},
        {"webhook-timestamp", std::to_string(now_s)},
        {"webhook-signature", webhook_signature(endpoint.secret, each.id, now_s, request.body)},
    };
    return request;
  }
  return std::nullopt;
}

void Webhooks::on_result(uint64_t delivery, int status, uint32_t retry_after_s) {
  Impl& impl = *impl_;
  const auto it = std::find_if(impl.waiting.begin(), impl.waiting.end(),
                               [&](const auto& each) { return each.number == delivery; });
  if (it == impl.waiting.end() || !it->in_flight) return;
  it->in_flight = false;
  --impl.in_flight;
  if (status >= 200 && status < 300) {
    ++impl.counted.delivered;
    impl.waiting.erase(it);
    return;
  }
  ++impl.counted.failed;
  if (status == 410 || it->attempts >= impl.options.attempts_max) return impl.kill(it);
  it->due_us = impl.options.clock->now_us() + impl.backoff_us(it->attempts, retry_after_s);
}

MonoUs Webhooks::next_due_us() const {
  MonoUs due_us = kNever;
  const bool may_start = impl_->in_flight < impl_->options.in_flight_max;
  for (const Impl::Delivery& each : impl_->waiting) {
    if (each.in_flight || may_start) due_us = std::min(due_us, each.due_us);
  }
  return due_us;
}

WebhookCounters Webhooks::counters() const {
  WebhookCounters out = impl_->counted;
  out.waiting = impl_->waiting.size();
  return out;
}

}  // namespace footlight::edge
