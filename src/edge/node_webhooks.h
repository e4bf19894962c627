// Webhooks on threads of their own: a queue on the first shard, blocking calls on a few workers.
#pragma once
#include <atomic>
#include <memory>
#include <vector>

#include "edge/ports.h"
#include "edge/webhooks.h"
#include "net/asio/shard.h"
#include "net/asio/worker.h"

namespace footlight::edge {

class NodeWebhooks final : public WebhookSink, public net::Resident {
 public:
  // Lives on `home`. Makes no thread when there is no endpoint.
  NodeWebhooks(WebhookOptions options, net::Shard& home);
  ~NodeWebhooks() override;

  void post(WebhookEvent event) override;  // any thread
  MonoUs on_turn_end(MonoUs now_us) override;
  WebhookCounters counters() const;  // any thread
  void stop();                       // after the shards: gives up calls that have not begun

 private:
  void call(WebhookRequest request);

  net::Shard& home_;
  Webhooks webhooks_;
  std::vector<std::unique_ptr<net::Worker>> workers_;
  size_t next_worker_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<uint64_t> delivered_ = 0;
  std::atomic<uint64_t> failed_ = 0;
  std::atomic<uint64_t> dead_ = 0;
  std::atomic<uint64_t> waiting_ = 0;
};

}  // namespace footlight::edge
