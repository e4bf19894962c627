#include "net/asio/client.h"

#include <sys/random.h>

#include <algorithm>

#include "core/assert.h"
#include "net/asio/internal/ws_client.h"

namespace footlight::net {
namespace {

constexpr MonoUs kSweepUs = 250 * kUsPerMs;
constexpr MonoUs kCloseTimeoutUs = 2 * kUsPerSecond;
constexpr uint64_t kPortsPerSource = 20'000;  // of some 28,000; those in TIME_WAIT are missing
constexpr MonoUs kBurstUs = 20 * kUsPerMs;

uint64_t random_seed() {
  uint64_t seed = 0;
  FL_ASSERT(getrandom(&seed, sizeof seed, 0) == sizeof seed, "the system gives random bytes");
  return seed;
}

}  // namespace

std::vector<std::string> loopback_sources(uint64_t connections) {
  std::vector<std::string> sources;
  const uint64_t count = std::min<uint64_t>(connections / kPortsPerSource + 1, 250);
  for (uint64_t i = 1; i <= count; ++i) sources.push_back("127.0.0." + std::to_string(i));
  return sources;
}

WsClients::Impl::Impl(Shard& shard, WsClientApp& app, WsClientOptions options,
                      SocketAddress address)
    : shard(shard), app(app), options(std::move(options)), address(address), random(random_seed()) {
  const bool v6 = this->options.host.find(':') != std::string::npos;
  host_header = (v6 ? "[" + this->options.host + "]" : this->options.host) + ":" +
                std::to_string(this->options.port);
  shard.add_resident(this);
}

WsClients::Impl::~Impl() {
  shard.remove_resident(this);
  for (const auto& client : all) {
    if (client->transport) shard.impl().poller.remove(client->transport->fd());
    shard.impl().poller.forget(client.get());
  }
}

const SocketAddress* WsClients::Impl::next_source() {
  return sources.empty() ? nullptr : &sources[next_source_index++ % sources.size()];
}

// No longer opening or closing.
void WsClients::Impl::opening_ended(Client& client) { std::erase(timed, &client); }

void WsClients::Impl::begin_connects(MonoUs now_us) {
  const MonoUs gap_us = options.connects_per_s > 0 ? kUsPerSecond / options.connects_per_s : 0;
  next_connect_us = std::max(next_connect_us, now_us - kBurstUs);
  while (waiting_at < waiting.size() && timed.size() < options.max_opening &&
         next_connect_us <= now_us) {
    next_connect_us += gap_us;
    Client* client = std::exchange(waiting[waiting_at++], nullptr);
    if (client != nullptr) client->connect();
    next_sweep_us = std::min(next_sweep_us, now_us + kSweepUs);
  }
  if (waiting_at == waiting.size()) {
    waiting.clear();
    waiting_at = 0;
  }
}

void WsClients::Impl::sweep(MonoUs now_us) {
  const MonoUs open_timeout_us = options.open_timeout_ms * kUsPerMs;
  for (size_t i = timed.size(); i-- > 0;) {
    if (i >= timed.size()) continue;
    Client& client = *timed[i];
    const bool closing = client.phase == Client::Phase::kClosing;
    const MonoUs timeout_us = closing ? kCloseTimeoutUs : open_timeout_us;
    if (now_us - client.started_us >= timeout_us) client.die("no answer in time");
  }
  next_sweep_us = timed.empty() ? kNever : now_us + kSweepUs;
}

void WsClients::Impl::settle_finished() {
  while (!finished.empty()) {
    std::vector<Client*> batch;
    batch.swap(finished);
    for (Client* client : batch) {
      if (client->opened) {
        counters.open--;
        counters.closed++;
      } else {
        counters.failed++;
      }
      app.on_closed(*client, *client->how);
      if (client->started_us == 0) std::ranges::replace(waiting, client, nullptr);
      const uint32_t slot = client->slot;
      all[slot].swap(all.back());
      all[slot]->slot = slot;
      all.pop_back();
    }
  }
}

MonoUs WsClients::Impl::on_turn_end(MonoUs now_us) {
  settle_finished();
  if (now_us >= next_sweep_us) sweep(now_us);
  begin_connects(now_us);
  settle_finished();
  counters.waiting = waiting.size() - waiting_at;
  counters.opening = timed.size();
  MonoUs due_us = next_sweep_us;
  if (waiting_at < waiting.size() && timed.size() < options.max_opening) {
    due_us = std::min(due_us, next_connect_us);
  }
  return due_us;
}

Result<std::unique_ptr<WsClients>> WsClients::create(Shard& shard, WsClientApp& app,
                                                     WsClientOptions options) {
  auto address = SocketAddress::resolve(options.host, options.port);
  if (!address) return std::unexpected(address.error());
  std::vector<SocketAddress> sources;
  for (const std::string& source : options.sources) {
    auto from = SocketAddress::parse(source, 0);
    if (!from) return std::unexpected(from.error());
    sources.push_back(*from);
  }
  SslContext tls;
  if (options.tls) {
    auto context = make_tls_client_context(options.tls_verify);
    if (!context) return std::unexpected(context.error());
    tls = std::move(*context);
  }
  auto impl = std::make_unique<Impl>(shard, app, std::move(options), *address);
  impl->sources = std::move(sources);
  impl->tls = std::move(tls);
  return std::make_unique<WsClients>(std::move(impl));
}

WsClients::WsClients(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WsClients::~WsClients() = default;

WsClient& WsClients::open(void* user) {
  auto owned = std::make_unique<WsClient::Impl>(*impl_);
  WsClient::Impl& client = *owned;
  client.user = user;
  client.slot = static_cast<uint32_t>(impl_->all.size());
  impl_->all.push_back(std::move(owned));
  impl_->waiting.push_back(&client);
  return client;
}

const WsClientCounters& WsClients::counters() const { return impl_->counters; }

bool WsClient::send(std::string_view text) {
  return static_cast<Impl*>(this)->send_message(WsOpcode::kText, text);
}
bool WsClient::send_binary(std::string_view bytes) {
  return static_cast<Impl*>(this)->send_message(WsOpcode::kBinary, bytes);
}

void WsClient::close(uint16_t code) { static_cast<Impl*>(this)->close_with(code); }

void WsClient::abort() { static_cast<Impl*>(this)->die("dropped"); }

bool WsClient::is_open() const {
  return static_cast<const Impl*>(this)->phase == Impl::Phase::kOpen;
}

size_t WsClient::unsent_bytes() const {
  const auto* impl = static_cast<const Impl*>(this);
  return impl->unsent ? impl->unsent->size() : 0;
}

MonoUs WsClient::started_us() const { return static_cast<const Impl*>(this)->started_us; }

}  // namespace footlight::net
