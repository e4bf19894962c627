#include "edge/node_webhooks.h"

#include <charconv>

#include "net/asio/http_client.h"

namespace footlight::edge {
namespace {

constexpr uint32_t kTimeoutMs = 10'000;
constexpr size_t kMaxAnswerBytes = 64 * 1024;

uint32_t retry_after_of(const net::HttpAnswer& answer) {
  const std::string_view value = answer.header("Retry-After");
  uint32_t seconds = 0;
  std::from_chars(value.data(), value.data() + value.size(), seconds);
  return seconds;  // a date reads as 0: then our own backoff holds
}

}  // namespace

NodeWebhooks::NodeWebhooks(WebhookOptions options, net::Shard& home)
    : home_(home), webhooks_(options) {
  if (options.endpoints.empty()) return;
  for (uint32_t i = 0; i < options.in_flight_max; ++i) {
    workers_.push_back(std::make_unique<net::Worker>("webhooks"));
  }
  home_.add_resident(this);
}

NodeWebhooks::~NodeWebhooks() { stop(); }

void NodeWebhooks::stop() {
  stopping_ = true;
  if (!workers_.empty()) home_.remove_resident(this);
  workers_.clear();
}

void NodeWebhooks::post(WebhookEvent event) {
  if (workers_.empty()) return;
  home_.post([this, event = std::move(event)] { webhooks_.post(event); });
}

MonoUs NodeWebhooks::on_turn_end(MonoUs) {
  while (auto request = webhooks_.next()) call(std::move(*request));
  const WebhookCounters now = webhooks_.counters();
  delivered_ = now.delivered;
  failed_ = now.failed;
  dead_ = now.dead;
  waiting_ = now.waiting;
  return webhooks_.next_due_us();
}

void NodeWebhooks::call(WebhookRequest request) {
  net::Worker& worker = *workers_[next_worker_++ % workers_.size()];
  worker.post([this, request = std::move(request)]() mutable {
    if (stopping_) return;
    net::HttpCall call;
    call.method = "POST";
    call.url = std::move(request.url);
    call.headers = std::move(request.headers);
    call.body = std::move(request.body);
    call.timeout_ms = kTimeoutMs;
    call.max_body_bytes = kMaxAnswerBytes;
    const auto answer = net::http_call(call);
    const int status = answer ? answer->status : 0;
    const uint32_t retry_after_s = answer ? retry_after_of(*answer) : 0;
    home_.post([this, delivery = request.delivery, status, retry_after_s] {
      webhooks_.on_result(delivery, status, retry_after_s);
    });
  });
}

WebhookCounters NodeWebhooks::counters() const { return {delivered_, failed_, dead_, waiting_}; }

}  // namespace footlight::edge
