// The same fan-out against Centrifugo, in the same run as ours: N connections subscribe to one
// channel, a message of about 120 bytes is published at a fixed rate over its HTTP API, and every
// delivery is counted. Prints one JSON object: connections, deliveries, server CPU and memory.
//
//   peer_centrifugo URL API_KEY PID CONNECTIONS SECONDS HZ
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <thread>
#include <vector>

#include "core/json.h"
#include "net/asio/client.h"
#include "net/asio/http_client.h"
#include "net/asio/shard.h"
#include "ops/load.h"

namespace footlight {
namespace {

class Listeners final : public net::WsClientApp, public net::Resident {
 public:
  Listeners(net::Shard& shard, uint32_t wanted) : shard_(shard), wanted_(wanted) {}

  Status open(const std::string& url) {
    auto parts = net::parse_url(url);
    if (!parts) return std::unexpected(parts.error());
    net::WsClientOptions to;
    to.host = parts->host;
    to.port = parts->port;
    to.path = "/connection/websocket";
    to.subprotocol = "";
    to.connects_per_s = 2'000;
    to.sources = net::loopback_sources(wanted_);
    auto engine = net::WsClients::create(shard_, *this, to);
    if (!engine) return std::unexpected(engine.error());
    engine_ = std::move(*engine);
    for (uint32_t k = 0; k < wanted_; ++k) engine_->open(nullptr);
    shard_.add_resident(this);
    return {};
  }
  void close() {
    shard_.remove_resident(this);
    engine_.reset();
  }

  void on_open(net::WsClient& client) override {
    client.send(R"({"id":1,"connect":{}})");
    client.send(R"({"id":2,"subscribe":{"channel":"tally"}})");
  }
  void on_message(net::WsClient& client, std::string_view text) override {
    if (text == "{}") {
      client.send("{}");  // its ping wants a pong
      return;
    }
    if (text.starts_with(R"({"push")")) {
      deliveries.fetch_add(1, std::memory_order_relaxed);
    } else if (text.find(R"("id":2)") != std::string_view::npos) {
      subscribed.fetch_add(1, std::memory_order_relaxed);
    }
  }
  void on_closed(net::WsClient&, const net::WsClosed&) override { lost.fetch_add(1); }
  MonoUs on_turn_end(MonoUs) override { return kNever; }

  std::atomic<uint64_t> subscribed{0}, deliveries{0}, lost{0};

 private:
  net::Shard& shard_;
  uint32_t wanted_;
  std::unique_ptr<net::WsClients> engine_;
};

bool publish(const std::string& url, const std::string& key, uint64_t version) {
  net::HttpCall call;
  call.method = "POST";
  call.url = url + "/api/publish";
  call.headers = {{"X-API-Key", key}, {"Content-Type", "application/json"}};
  call.body = R"({"channel":"tally","data":{"t":"tally","poll":"fork","ver":)" +
              std::to_string(version) +
              R"(,"log":1241,"counts":[3000,5000],"voters":8000,"state":"open","final":false}})";
  auto answer = net::http_call(call);
  return answer && answer->status == 200;
}

}  // namespace
}  // namespace footlight

int main(int argc, char** argv) {
  using namespace footlight;
  if (argc != 7) {
    std::fprintf(stderr, "peer_centrifugo URL API_KEY PID CONNECTIONS SECONDS HZ\n");
    return 2;
  }
  const std::string url = argv[1];
  const std::string key = argv[2];
  const int pid = std::atoi(argv[3]);
  const auto connections = static_cast<uint32_t>(std::atoi(argv[4]));
  const int seconds = std::atoi(argv[5]);
  const int hz = std::atoi(argv[6]);

  const net::SystemClock clock;
  net::Shard shard(0);
  Listeners listeners(shard, connections);
  const uint64_t idle_bytes = ops::process_memory_bytes(pid);
  if (auto opened = listeners.open(url); !opened) {
    std::fprintf(stderr, "%s\n", opened.error().message().c_str());
    return 1;
  }
  shard.start();
  const MonoUs began_us = clock.now_us();
  const auto wait_until = [&](MonoUs at_us) {
    const MonoUs left_us = at_us - clock.now_us();
    if (left_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(left_us));
  };
  while (listeners.subscribed + listeners.lost < connections &&
         clock.now_us() - began_us < 60 * kUsPerSecond) {
    wait_until(clock.now_us() + 50 * kUsPerMs);
  }
  wait_until(clock.now_us() + 2 * kUsPerSecond);
  const uint64_t connected_bytes = ops::process_memory_bytes(pid);

  const double cpu_before = ops::process_cpu_s(pid);
  const uint64_t before = listeners.deliveries;
  const MonoUs from_us = clock.now_us();
  uint64_t published = 0;
  for (int k = 0; k < seconds * hz; ++k) {
    wait_until(from_us + int64_t{k} * kUsPerSecond / hz);
    published += publish(url, key, static_cast<uint64_t>(k + 1)) ? 1 : 0;
  }
  wait_until(clock.now_us() + kUsPerSecond / 2);
  const double cpu_s = ops::process_cpu_s(pid) - cpu_before;
  const uint64_t deliveries = listeners.deliveries - before;

  std::string line;
  JsonWriter out(line);
  out.object().field("connections", listeners.subscribed.load()).field("published", published);
  out.field("deliveries", deliveries).field("server_cpu_ms", static_cast<uint64_t>(cpu_s * 1000));
  out.field("server_idle_bytes", idle_bytes).field("server_connected_bytes", connected_bytes);
  out.field("lost", listeners.lost.load()).end_object();
  std::printf("%s\n", line.c_str());

  std::promise<void> closed;
  shard.post([&] {
    listeners.close();
    closed.set_value();
  });
  closed.get_future().wait();
  shard.stop();
  shard.join();
  return 0;
}
