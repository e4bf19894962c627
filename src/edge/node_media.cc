#include "edge/node_media.h"

#include <algorithm>
#include <future>
#include <span>
#include <utility>

#include "core/json.h"
#include "edge/node_shard.h"
#include "net/asio/system.h"

namespace footlight::edge {
namespace {

constexpr int kBatchesAtOnce = 4;  // of 64 datagrams, before the shard's other sockets have a turn
// How a compositor is that there is none of.
constexpr std::string_view kNoProgram =
    R"({"state":"off","layout":"table","chosen":false,"starts":0,"parts":0,"bytes":0,)"
    R"("last_end":null,"renditions":[],"encoder":null})";
constexpr MonoUs kRenewUs = kUsPerSecond;
constexpr size_t kSendAtBytes = 64 * 1024;

net::UdpAddress to_udp(const rtc::Address& address) {
  return {address.ip, address.port, address.v6};
}
rtc::Address from_udp(const net::UdpAddress& address) {
  return {address.ip, address.port, address.v6};
}

const std::string& media_address(const Config& config) {
  return config.media.address.empty() ? config.server.address : config.media.address;
}

// The addresses to bind: "::" is both families, as for TCP.
Result<std::vector<net::UdpAddress>> bind_addresses(const std::string& text) {
  std::vector<net::UdpAddress> out;
  if (text == "::") out.push_back({});
  const auto parsed = net::parse_udp_address(text);
  if (!parsed) return fail(Code::kConfigValue, "media.address: " + text + " is no IP address");
  out.push_back(*parsed);
  return out;
}

}  // namespace

NodeMedia::NodeMedia(net::Shard& shard, const Clock& clock)
    : shard_(shard), clock_(clock), packets_(net::UdpSocket::kBatch), slots_(packets_.size()) {}

NodeMedia::~NodeMedia() {
  programs_.reset();
  shard_.remove_resident(this);
  finish();
  for (sfu::Packet* packet : packets_) {
    if (packet) media_->give_back(packet);
  }
}

Result<std::unique_ptr<NodeMedia>> NodeMedia::open(const Config& config, uint16_t http_port,
                                                   net::Shard& shard, const Clock& clock,
                                                   Entropy& entropy) {
  std::unique_ptr<NodeMedia> node(new NodeMedia(shard, clock));
  if (auto status = node->bind(config, http_port); !status) return std::unexpected(status.error());
  auto identity = rtc::DtlsIdentity::make(entropy, clock.wall_ms());
  if (!identity) return std::unexpected(identity.error());
  MediaOptions options;
  options.identity = std::move(*identity);
  options.candidates = node->advertised_;
  options.max_sessions = static_cast<size_t>(config.media.max_sessions);
  options.packet_slots = static_cast<size_t>(config.media.packets);
  node->recorder_ = std::make_unique<NodeRecorder>(
      config.data.dir, static_cast<uint64_t>(config.media.record_keep_free_bytes), shard);
  options.record_disk = node->recorder_.get();
  options.clock = &clock;
  options.record.bytes = static_cast<uint64_t>(config.media.record_max_bytes);
  options.record_all = config.media.record;
  node->media_ = std::make_unique<Media>(std::move(options), entropy);
  node->media_->out().set_drain(kSendAtBytes, [raw = node.get()] { raw->send(); });
  node->recorder_->set_pool(node->media_->records());
  if (node->streams_) node->streams_->serve(*node->media_);
  for (auto& port : node->ports_) {
    auto readiness =
        net::Readiness::watch(shard, port->socket->descriptor(),
                              [raw = node.get(), at = port.get()] { return raw->receive(*at); });
    if (!readiness) return std::unexpected(readiness.error());
    port->readiness = std::move(*readiness);
  }
  return node;
}

Status NodeMedia::bind(const Config& config, uint16_t http_port) {
  const auto addresses = bind_addresses(media_address(config));
  if (!addresses) return std::unexpected(addresses.error());
  const bool chosen = config.media.port == 0 && config.server.port == 0;
  const auto number = static_cast<uint16_t>(config.media.port ? config.media.port : http_port);
  for (net::UdpAddress address : *addresses) {
    // A port the system chose for TCP may be taken for UDP: then any will do, one for all families.
    address.port = !chosen ? number : ports_.empty() ? uint16_t{0} : ports_[0]->socket->port();
    net::UdpOptions options;
    options.bind = address;
    auto socket = net::UdpSocket::open(options);
    if (!socket) return std::unexpected(socket.error());
    auto port = std::make_unique<Port>();
    port->index = static_cast<uint32_t>(ports_.size());
    port->socket = std::move(*socket);
    ports_.push_back(std::move(port));
  }
  if (config.media.tcp) listen(config);
  return advertise(config, http_port);
}

bool NodeMedia::shares_http_port(const Config& config) {
  if (!config.media.tcp) return false;
  if (config.media.port != 0 && config.media.port != config.server.port) return false;
  const std::string& at = config.server.address;
  const std::string& wanted = media_address(config);
  return wanted == at || at == "::" || (at == "0.0.0.0" && wanted.find(':') == std::string::npos);
}

void NodeMedia::adopt(net::FramedSocket socket) {
  shard_.post([this, socket = std::move(socket)]() mutable { streams_->adopt(std::move(socket)); });
}

// A port that something else has costs media over TCP, not the node.
void NodeMedia::listen(const Config& config) {
  streams_ = std::make_unique<NodeStreams>(shard_, clock_, [this] { send(); });
  if (shares_http_port(config)) return;
  const auto addresses = bind_addresses(media_address(config));
  for (net::UdpAddress address : *addresses) {
    address.port = port();
    if (auto status = streams_->listen(address); !status) {
      tcp_fault_ = status.error();
      streams_.reset();
      return;
    }
  }
}

Status NodeMedia::advertise(const Config& config, uint16_t http_port) {
  const auto addresses = bind_addresses(media_address(config));
  std::vector<net::UdpAddress> told;
  for (const std::string& text : config.media.advertise) {
    const auto address = net::parse_udp_address(text);
    if (!address) return fail(Code::kConfigValue, "media.advertise: " + text);
    told.push_back(*address);
  }
  if (told.empty()) {
    for (const net::UdpAddress& address : *addresses) {
      std::ranges::move(net::reachable_addresses(address), std::back_inserter(told));
    }
  }
  for (net::UdpAddress address : told) {
    rtc::Address reached = from_udp(address);
    if (address.port == 0) reached.port = port();
    advertised_.udp.push_back(reached);
    if (!streams_) continue;
    if (address.port == 0 && shares_http_port(config)) reached.port = http_port;
    advertised_.tcp.push_back(reached);
  }
  return {};
}

bool NodeMedia::receive(Port& port) {
  for (int batch = 0; batch < kBatchesAtOnce; ++batch) {
    size_t ready = 0;
    for (; ready < packets_.size(); ++ready) {
      if (!packets_[ready]) packets_[ready] = media_->take();
      if (!packets_[ready]) break;
      slots_[ready].memory = packets_[ready]->buffer;
    }
    if (ready == 0) return drop(port);
    const size_t count = port.socket->receive(std::span(slots_).first(ready));
    const MonoUs now = clock_.now_us();
    for (size_t i = 0; i < count; ++i) {
      const rtc::Path path{from_udp(slots_[i].from), port.index, false};
      media_->on_datagram(path, std::exchange(packets_[i], nullptr), slots_[i].size, now);
    }
    media_->flush(now);
    send();
    if (count < ready) return false;
  }
  return true;
}

// There is no memory for what came: it is taken from the socket all the same.
bool NodeMedia::drop(Port& port) {
  std::array<uint8_t, 64> nowhere;
  for (net::UdpSlot& slot : slots_) slot.memory = nowhere;
  return port.socket->receive(slots_) == slots_.size();
}

void NodeMedia::send() {
  rtc::DatagramOut& out = media_->out();
  for (size_t i = 0; i < out.batch_count(); ++i) {
    const rtc::SendBatch batch = out.batch(i);
    if (batch.path.stream) {
      if (streams_) streams_->send(batch);
      continue;
    }
    ports_[batch.path.socket]->socket->send(to_udp(batch.path.remote), batch.bytes, batch.sizes);
  }
  for (auto& port : ports_) port->socket->flush();
  out.clear();
}

// Media follow the edge of their shard: what it wrote to data channels in a turn goes out in it.
void NodeMedia::set_edges(std::vector<NodeShard*> edges) {
  edges_ = std::move(edges);
  for (NodeShard* each : edges_) {
    if (&each->shard() == &shard_) media_->serve_channels(each->edge());
  }
  shard_.add_resident(this);
}

void NodeMedia::begin_programs(const Config& config, const std::vector<NodeEpisode*>& episodes,
                               ProgramSinkMaker maker) {
  if (!config.program.enabled) return;
  fallback_ = {static_cast<uint32_t>(config.program.fallback_loss_pm),
               static_cast<uint32_t>(config.program.fallback_rtt_ms),
               static_cast<uint32_t>(config.program.fallback_cpu_pm)};
  if (fallback_.any()) episodes_ = episodes;
  programs_ = std::make_unique<NodeCompositors>(config, shard_, *media_, clock_);
  programs_->begin(episodes, std::move(maker));
}

void NodeMedia::ask(MediaAsk ask) {
  shard_.post(
      [this, ask = std::move(ask)]() mutable { media_->ask(std::move(ask), clock_.now_us()); });
}

void NodeMedia::tell() {
  for (MediaTold& told : media_->told()) {
    if (told.edge >= edges_.size()) continue;
    NodeShard* shard = edges_[told.edge];
    shard->shard().post([shard, told = std::move(told)] { shard->edge().on_media(told); });
  }
  media_->told().clear();
}

MonoUs NodeMedia::on_turn_end(MonoUs now_us) {
  if (media_->deadline() <= now_us) media_->on_time(now_us);
  if (media_->flush_channels(now_us)) shard_.ask_turn();
  send();
  if (!media_->told().empty()) tell();
  if (now_us - renewed_us_ >= kRenewUs) renew_counters(now_us);
  return std::min(media_->deadline(), streams_ ? streams_->tend(now_us) : kNever);
}

void NodeMedia::renew_counters(MonoUs now_us) {
  const auto passed_us = static_cast<double>(now_us - std::exchange(renewed_us_, now_us));
  auto made = std::make_shared<MediaCounters>();
  made->stats = media_->stats();
  for (const auto& port : ports_) made->socket_drops += port->socket->stats().dropped;
  if (streams_) {
    const NodeStreamsStats tcp = streams_->stats();
    made->tcp_connections = tcp.connections;
    made->tcp_strangers = tcp.strangers;
    made->tcp_drops = tcp.dropped;
  }
  made->cpu_s = net::thread_cpu_s();
  const double busy_us = (made->cpu_s - std::exchange(cpu_s_, made->cpu_s)) * kUsPerSecond;
  for (NodeEpisode* episode : episodes_) {
    CallHealth health = media_->call_health(episode->id());
    health.cpu_pm = static_cast<uint32_t>(std::clamp(1'000 * busy_us / passed_us, 0.0, 1'000.0));
    episode->check_call(health, fallback_);
  }
  counters_.store(std::move(made));
}

std::string NodeMedia::metrics() const {
  const auto counters = counters_.load();
  return counters ? media_metrics(*counters) : std::string();
}

// --- the producer's calls

void NodeMedia::api(ApiCall call, std::string episode, ApiReply reply) {
  shard_.post([this, call = std::move(call), episode = std::move(episode),
               reply = std::move(reply)] {
    ApiAnswer answer;
    if (call.route == ApiRoute::kMediaFigures) {
      answer.body = media_->figures_json(episode, clock_.now_us());
      return reply(std::move(answer));
    }
    if (call.route >= ApiRoute::kProgram && call.route <= ApiRoute::kProgramRestart) {
      if (programs_) return reply(programs_->api(call, episode));
      if (call.route == ApiRoute::kProgram) return reply({.body = std::string(kNoProgram)});
      return reply(api_error({Code::kProgramOff, "program.enabled is false", 0}));
    }
    if (call.route == ApiRoute::kRecord) {
      const auto wanted = Json::parse(call.body);
      const Json* on = wanted ? wanted->find("on") : nullptr;
      if (!on || on->type() != JsonType::kBool) {
        return reply(api_error({Code::kBadRequest, R"(the body is {"on":true} or {"on":false})"}));
      }
      const auto done = media_->record(episode, on->as_bool(), clock_.now_us());
      if (!done) return reply(api_error(done.error()));
    }
    answer.body = media_->recording_json(episode);
    reply(std::move(answer));
  });
}

// --- the end

void NodeMedia::drain() {
  shard_.post([this] { media_->drain(); });
}

size_t NodeMedia::sessions() {
  std::promise<size_t> promise;
  auto answer = promise.get_future();
  shard_.post([this, &promise] { promise.set_value(media_->stats().sessions); });
  return answer.get();
}

void NodeMedia::end_all() {
  if (programs_) programs_->end_all();
  media_->end_all(clock_.now_us());
  send();
  if (!media_->told().empty()) tell();
}

void NodeMedia::finish() {
  programs_.reset();  // while the streams they feed are there
  if (!recorder_ || !media_) return;
  media_->end_all(clock_.now_us());
  recorder_.reset();
}

}  // namespace footlight::edge
