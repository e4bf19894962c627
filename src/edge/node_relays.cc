#include "edge/node_relays.h"

#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "edge/internal/metrics_page.h"
#include "edge/node_keys.h"
#include "net/asio/datagrams.h"
#include "rtc/turn.h"

namespace footlight::edge {
namespace {

constexpr std::string_view kAccount = "footlight";  // of the node's own allocations
constexpr int64_t kLifetimeS = 120;                 // of their credentials
constexpr MonoUs kPatience = 8 * kUsPerSecond;      // whatever the probes say
constexpr size_t kMostBytes = 1500;
constexpr MonoUs kLookUpUs = 100 * kUsPerMs;  // whether to stop

// A question to the resolver, which may wait for a name server that is silent for half a minute.
struct LookUp {
  LookUp(std::string host, uint16_t port) : name(std::move(host)), service(std::to_string(port)) {
    hints.ai_socktype = SOCK_DGRAM;
    request.ar_name = name.c_str();
    request.ar_service = service.c_str();
    request.ar_request = &hints;
  }
  std::string name, service;
  addrinfo hints{};
  gaicb request{};
};

// Resolves a name, but no longer than it may take or until `stop`. The caller frees what it found.
Result<addrinfo*> resolve(const std::string& host, uint16_t port, const Clock& clock,
                          const std::atomic<bool>& stop) {
  auto look_up = std::make_unique<LookUp>(host, port);
  gaicb* request = &look_up->request;
  int fault = getaddrinfo_a(GAI_NOWAIT, &request, 1, nullptr);
  const MonoUs end = clock.now_us() + kPatience;
  while (fault == 0 && (fault = gai_error(request)) == EAI_INPROGRESS) {
    if (stop || clock.now_us() >= end) {
      // What cannot be taken back is written to by the resolver when it is done: it is left to it.
      if (gai_cancel(request) == EAI_NOTCANCELED) (void)look_up.release();
      return fail(Code::kRelaySilent, host + ": the look-up of its name takes too long");
    }
    const timespec wait{0, kLookUpUs * 1000};
    const gaicb* waiting = request;
    (void)gai_suspend(&waiting, 1, &wait);
    fault = 0;
  }
  if (fault != 0 || !request->ar_result) {
    return fail(Code::kRelaySilent, host + ": " + gai_strerror(fault));
  }
  return request->ar_result;
}

// The first address of the relay's first URL over UDP.
Result<net::UdpAddress> address_of(const Relay& relay, const Clock& clock,
                                   const std::atomic<bool>& stop) {
  for (const std::string& text : relay.urls) {
    const auto url = parse_relay_url(text);
    if (!url || url->tcp) continue;
    if (auto numeric = net::parse_udp_address(url->host)) {
      numeric->port = url->port;
      return *numeric;
    }
    const auto resolved = resolve(url->host, url->port, clock, stop);
    if (!resolved) return std::unexpected(resolved.error());
    addrinfo* found = *resolved;
    net::UdpAddress address;
    address.port = url->port;
    address.v6 = found->ai_family == AF_INET6;
    if (address.v6) {
      std::memcpy(address.ip.data(),
                  &reinterpret_cast<const sockaddr_in6*>(found->ai_addr)->sin6_addr, 16);
    } else {
      std::memcpy(address.ip.data(),
                  &reinterpret_cast<const sockaddr_in*>(found->ai_addr)->sin_addr, 4);
    }
    freeaddrinfo(found);
    return address;
  }
  return fail(Code::kRelaySilent, "it has no address over UDP");
}

// One that is being asked, by a socket of its own.
struct Question {
  Question(const Relay& relay, const Clock& clock, Entropy& entropy)
      : probe(rtc::turn_credentials(relay.secret, kAccount, clock.wall_ms() / 1000 + kLifetimeS),
              entropy) {}
  Status begin(const Relay& relay, const Clock& clock, const std::atomic<bool>& stop) {
    auto address = address_of(relay, clock, stop);
    if (!address) return std::unexpected(address.error());
    to = *address;
    net::UdpOptions options;
    options.bind.v6 = to.v6;
    options.receive_buffer_bytes = options.send_buffer_bytes = 64 * 1024;
    auto opened = net::UdpSocket::open(options);
    if (!opened) return std::unexpected(opened.error());
    socket = std::move(*opened);
    probe.start(clock.now_us());
    send();
    return {};
  }
  void send() {
    Bytes datagram;
    while (probe.next_datagram(datagram)) {
      const std::array<uint16_t, 1> sizes{static_cast<uint16_t>(datagram.size())};
      socket->send(to, datagram, sizes);
      socket->flush();
    }
  }
  void receive(MonoUs now) {
    std::array<uint8_t, kMostBytes> buffer;
    std::array<net::UdpSlot, 1> slots;
    slots[0].memory = buffer;
    while (socket->receive(slots) == 1) {
      const bool theirs = slots[0].from.ip == to.ip && slots[0].from.port == to.port;
      if (theirs) probe.receive(ByteView(buffer).first(slots[0].size), now);
    }
    send();
  }

  rtc::TurnProbe probe;
  net::UdpAddress to;
  std::unique_ptr<net::UdpSocket> socket;  // null: the question could not be asked
};

// Until every question is answered or given up.
void ask_all(std::span<const std::unique_ptr<Question>> questions, const Clock& clock,
             const std::atomic<bool>& stop) {
  const MonoUs end = clock.now_us() + kPatience;
  for (;;) {
    std::vector<pollfd> waiting;
    MonoUs due = end;
    const MonoUs now = clock.now_us();
    for (const auto& each : questions) {
      if (!each->socket || each->probe.done()) continue;
      each->receive(now);
      each->probe.on_deadline(now);
      each->send();
      if (each->probe.done()) continue;
      due = std::min(due, each->probe.deadline());
      waiting.push_back({each->socket->descriptor(), POLLIN, 0});
    }
    if (waiting.empty() || now >= end || stop) return;
    const MonoUs wait_us = std::clamp<MonoUs>(due - now, 0, kLookUpUs);
    const auto wait_ms = static_cast<int>(wait_us / kUsPerMs + 1);
    (void)poll(waiting.data(), waiting.size(), wait_ms);
  }
}

}  // namespace

Result<std::vector<Relay>> load_relays(std::span<const RelayConfig> relays) {
  std::vector<Relay> out;
  for (const RelayConfig& config : relays) {
    const auto secret = read_secret(config.secret_env, config.secret_file);
    if (!secret || secret->empty()) {
      Error error = secret ? Error{Code::kKeyFile, "its secret is empty", 0} : secret.error();
      error.detail = "relay " + config.urls.front() + ": " + error.detail;
      return std::unexpected(std::move(error));
    }
    out.push_back({config.urls, *secret, config.region, config.priority});
  }
  return out;
}

std::vector<RelayState> ask_relays(std::span<const Relay> relays, const Clock& clock,
                                   Entropy& entropy, const std::atomic<bool>& stop) {
  std::vector<std::unique_ptr<Question>> questions;
  std::vector<RelayState> states(relays.size());
  for (size_t i = 0; i < relays.size(); ++i) {
    questions.push_back(std::make_unique<Question>(relays[i], clock, entropy));
    const auto begun = questions[i]->begin(relays[i], clock, stop);
    if (!begun) states[i].why = begun.error().message();
  }
  ask_all(questions, clock, stop);
  for (size_t i = 0; i < relays.size(); ++i) {
    const Question& each = *questions[i];
    RelayState& state = states[i];
    state.asked = true;
    state.at_ms = clock.wall_ms();
    state.works = each.socket && each.probe.done() && each.probe.verdict();
    if (state.works) state.rtt_us = static_cast<uint64_t>(each.probe.round_trip());
    if (!state.works && state.why.empty()) {
      state.why = each.probe.done() ? each.probe.verdict().error().message()
                                    : std::string(code_sentence(Code::kRelaySilent));
    }
  }
  return states;
}

NodeRelays::NodeRelays(net::Shard& shard, const Clock& clock, Entropy& entropy)
    : shard_(shard), clock_(clock), entropy_(entropy) {}

NodeRelays::~NodeRelays() {
  stopping_ = true;
  shard_.remove_resident(this);
}

Result<std::unique_ptr<NodeRelays>> NodeRelays::open(const Config& config, net::Shard& shard,
                                                     const Clock& clock, Entropy& entropy) {
  auto relays = load_relays(config.relays);
  if (!relays) return std::unexpected(relays.error());
  std::unique_ptr<NodeRelays> node(new NodeRelays(shard, clock, entropy));
  auto table = std::make_shared<RelayTable>();
  table->relays = std::move(*relays);
  table->states.resize(table->relays.size());
  table->region = config.media.region;
  table->lifetime_s = static_cast<uint32_t>(config.media.relay_credentials_s);
  node->period_us_ = config.media.relay_check_s * kUsPerSecond;
  if (!table->relays.empty()) {
    node->worker_ = std::make_unique<net::Worker>("relays");
    shard.add_resident(node.get());
  }
  node->table_.store(std::move(table));
  return node;
}

MonoUs NodeRelays::on_turn_end(MonoUs now_us) {
  if (asking_) return kNever;
  if (now_us < due_us_) return due_us_;
  asking_ = true;
  worker_->post([this, table = table_.load()] {
    auto states = ask_relays(table->relays, clock_, entropy_, stopping_);
    shard_.post([this, states = std::move(states)]() mutable { answered(std::move(states)); });
  });
  return kNever;
}

void NodeRelays::answered(std::vector<RelayState> states) {
  auto next = std::make_shared<RelayTable>(*table_.load());
  next->states = std::move(states);
  table_.store(std::move(next));
  ++rounds_;
  asking_ = false;
  due_us_ = clock_.now_us() + period_us_;
}

std::string NodeRelays::metrics() const {
  const auto table = this->table();
  const auto working = std::ranges::count_if(table->states, &RelayState::works);
  MetricsPage page;
  page.gauge("footlight_relays", "TURN relays in the configuration.", table->relays.size());
  page.gauge("footlight_relays_working", "TURN relays that gave an allocation when asked last.",
             static_cast<uint64_t>(working));
  page.counter("footlight_relay_checks_total", "Times all relays were asked.", rounds_);
  return page.take();
}

}  // namespace footlight::edge
