#include "edge/node_media.h"

#include <algorithm>
#include <span>
#include <utility>

#include "edge/node_shard.h"

namespace footlight::edge {
namespace {

constexpr int kBatchesAtOnce = 4;  // of 64 datagrams, before the shard's other sockets have a turn
constexpr MonoUs kRenewUs = kUsPerSecond;

net::UdpAddress to_udp(const rtc::Address& address) {
  return {address.ip, address.port, address.v6};
}
rtc::Address from_udp(const net::UdpAddress& address) {
  return {address.ip, address.port, address.v6};
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

void append(std::string& out, std::string_view name, std::string_view type, std::string_view help,
            uint64_t value) {
  out.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
  out.append(name).append(" ").append(type).append("\n").append(name).append(" ");
  out.append(std::to_string(value)).append("\n");
}

}  // namespace

NodeMedia::NodeMedia(net::Shard& shard, const Clock& clock)
    : shard_(shard), clock_(clock), packets_(net::UdpSocket::kBatch), slots_(packets_.size()) {}

NodeMedia::~NodeMedia() {
  shard_.remove_resident(this);
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
  node->media_ = std::make_unique<Media>(std::move(options), entropy);
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
  const auto& wanted = config.media.address.empty() ? config.server.address : config.media.address;
  const auto addresses = bind_addresses(wanted);
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
    if (address.port == 0) address.port = port();
    advertised_.push_back(from_udp(address));
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
  return media_->deadline();
}

void NodeMedia::renew_counters(MonoUs now_us) {
  renewed_us_ = now_us;
  const MediaStats stats = media_->stats();
  counters_.publishers = stats.publishers;
  counters_.watchers = stats.watchers;
  counters_.tracks = stats.tracks;
  counters_.rtp_in = stats.rtp_in;
  counters_.rtp_out = stats.rtp_out;
  counters_.bytes_in = stats.bytes_in;
  counters_.bytes_out = stats.bytes_out;
  counters_.strangers = stats.strangers + stats.unknown;
  counters_.refused = stats.refused;
  counters_.unsent = stats.unsent;
  counters_.channels = stats.channels;
  counters_.channels_opened = stats.channels_opened;
  counters_.channels_refused = stats.channels_refused;
  uint64_t drops = 0;
  for (const auto& port : ports_) drops += port->socket->stats().dropped;
  counters_.socket_drops = drops;
}

std::string NodeMedia::metrics() const {
  std::string out;
  append(out, "footlight_media_publishers", "gauge", "Sessions that publish.",
         counters_.publishers);
  append(out, "footlight_media_watchers", "gauge", "Sessions that watch.", counters_.watchers);
  append(out, "footlight_media_tracks", "gauge", "Tracks published.", counters_.tracks);
  append(out, "footlight_media_channels", "gauge", "Data channels that carry a session.",
         counters_.channels);
  append(out, "footlight_media_channels_opened_total", "counter",
         "Data channels that began to carry a session.", counters_.channels_opened);
  append(out, "footlight_media_channels_refused_total", "counter",
         "Data channels of another kind, or beyond the one.", counters_.channels_refused);
  append(out, "footlight_media_packets_in_total", "counter", "Media packets received.",
         counters_.rtp_in);
  append(out, "footlight_media_packets_out_total", "counter", "Media packets sent.",
         counters_.rtp_out);
  append(out, "footlight_media_bytes_in_total", "counter", "Bytes of media received.",
         counters_.bytes_in);
  append(out, "footlight_media_bytes_out_total", "counter", "Bytes of media sent.",
         counters_.bytes_out);
  append(out, "footlight_media_strangers_total", "counter",
         "Datagrams of no session or no protocol.", counters_.strangers);
  append(out, "footlight_media_refused_total", "counter",
         "Media packets malformed, forged or replayed.", counters_.refused);
  append(out, "footlight_media_unsent_total", "counter",
         "Media packets without a path, keys or room.", counters_.unsent);
  append(out, "footlight_media_socket_drops_total", "counter", "Datagrams the socket did not take.",
         counters_.socket_drops);
  return out;
}

}  // namespace footlight::edge
