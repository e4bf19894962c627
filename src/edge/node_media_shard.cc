#include "edge/node_media_shard.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include "core/json.h"
#include "edge/node_shard.h"
#include "net/asio/system.h"
#include "rtc/rtp.h"

namespace footlight::edge {
namespace {

constexpr int kBatchesAtOnce = 4;  // of 64 datagrams, before the shard's other sockets have a turn
// How a compositor is that there is none of.
constexpr std::string_view kNoProgram =
    R"({"state":"off","layout":"table","chosen":false,"starts":0,"parts":0,"bytes":0,)"
    R"("last_end":null,"renditions":[],"encoder":null})";
constexpr MonoUs kRenewUs = kUsPerSecond, kSweepUs = kUsPerSecond;
constexpr size_t kSendAtBytes = 64 * 1024;
// Of the lanes that lead to one shard together, and of each.
constexpr size_t kCopiesAtOnce = 256;  // before they are forwarded
constexpr size_t kLanesBytes = 4 << 20, kMostLaneBytes = 1 << 20, kLeastLaneBytes = 64 << 10;

net::UdpAddress to_udp(const rtc::Address& address) {
  return {address.ip, address.port, address.v6};
}
rtc::Address from_udp(const net::UdpAddress& address) {
  return {address.ip, address.port, address.v6};
}

}  // namespace

NodeMediaShard::NodeMediaShard(net::Shard& shard, const Clock& clock, Options options)
    : shard_(shard),
      clock_(clock),
      index_(options.index),
      shards_(options.shards),
      packets_(net::UdpSocket::kBatch),
      slots_(packets_.size()) {
  for (auto& socket : options.sockets) {
    auto port = std::make_unique<Port>();
    port->index = static_cast<uint32_t>(ports_.size());
    port->socket = std::move(socket);
    ports_.push_back(std::move(port));
  }
  if (!options.tcp) return;
  streams_ = std::make_unique<NodeStreams>(
      shard_, index_, shards_, clock_,
      NodeStreams::Ports{[this] { send(); },
                         [this](size_t to, net::FramedSocket socket, Bytes early) {
                           NodeMediaShard* other = all_[to];
                           other->shard_.post([other, socket = std::move(socket),
                                               early = std::move(early)]() mutable {
                             other->adopt(std::move(socket), std::move(early));
                           });
                         }});
}

NodeMediaShard::~NodeMediaShard() {
  programs_.reset();
  shard_.remove_resident(this);
  finish();
  for (sfu::Packet* packet : packets_) {
    if (packet) media_->give_back(packet);
  }
}

// Each shard has an identity of its own: nothing of DTLS crosses.
Result<std::unique_ptr<NodeMediaShard>> NodeMediaShard::open(const Config& config, Options given,
                                                             net::Shard& shard, const Clock& clock,
                                                             Entropy& entropy) {
  auto identity = rtc::DtlsIdentity::make(entropy, clock.wall_ms());
  if (!identity) return std::unexpected(identity.error());
  MediaOptions options;
  options.identity = std::move(*identity);
  options.candidates = given.candidates;
  options.quota = given.quota;
  auto listeners = std::move(given.listeners);
  const bool receives = given.receives;
  std::unique_ptr<NodeMediaShard> made(new NodeMediaShard(shard, clock, std::move(given)));
  options.ufrag_prefix = shard_prefix(made->index_, made->shards_);
  options.shard = made->index_;
  options.shards = made->shards_;
  if (made->shards_ > 1) options.lanes = made.get();
  options.spread_after = static_cast<size_t>(config.media.spread_after);
  options.max_sessions = static_cast<size_t>(config.media.max_sessions);
  options.packet_slots = static_cast<size_t>(config.media.packets);
  made->recorder_ = std::make_unique<NodeRecorder>(
      config.data.dir, static_cast<uint64_t>(config.media.record_keep_free_bytes), shard);
  options.record_disk = made->recorder_.get();
  options.clock = &clock;
  options.record.bytes = static_cast<uint64_t>(config.media.record_max_bytes);
  options.record_all = config.media.record;
  const size_t most_paths = 2 * options.max_sessions * MediaHandover::kMaxPaths;
  made->media_ = std::make_unique<Media>(std::move(options), entropy);
  made->handover_ =
      std::make_unique<MediaHandover>(*made->media_, made->index_, made->shards_, most_paths);
  made->media_->out().set_drain(kSendAtBytes, [raw = made.get()] { raw->send(); });
  made->recorder_->set_pool(made->media_->records());
  if (made->streams_) made->streams_->serve(*made->media_);
  if (auto status = made->watch(std::move(listeners), receives); !status)
    return std::unexpected(status.error());
  return made;
}

Status NodeMediaShard::watch(std::vector<std::unique_ptr<net::FramedListener>> listeners,
                             bool receives) {
  for (auto& listener : listeners) {
    if (auto status = streams_->listen(std::move(listener)); !status) return status;
  }
  for (auto& port : ports_) {
    if (!receives) break;
    auto readiness = net::Readiness::watch(shard_, port->socket->descriptor(),
                                           [this, at = port.get()] { return receive(*at); });
    if (!readiness) return std::unexpected(readiness.error());
    port->readiness = std::move(*readiness);
  }
  return {};
}

// Media follow the edge of their shard: what it wrote to data channels in a turn goes out in it.
void NodeMediaShard::begin(std::vector<NodeShard*> edges, std::vector<NodeMediaShard*> all) {
  edges_ = std::move(edges);
  all_ = std::move(all);
  media_->serve_channels(edges_[static_cast<size_t>(shard_.index())]->edge());
  const size_t bytes =
      std::clamp(std::bit_floor(kLanesBytes / shards_), kLeastLaneBytes, kMostLaneBytes);
  for (size_t from = 0; from < shards_; ++from) {
    in_.push_back(from == index_ ? nullptr : std::make_unique<Crossing>(bytes));
  }
  written_.resize(shards_);
  shard_.add_resident(this);
}

void NodeMediaShard::adopt(net::FramedSocket socket, Bytes early) {
  if (streams_) streams_->adopt(std::move(socket), std::move(early));
}

// --- datagrams

bool NodeMediaShard::receive(Port& port) {
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
      take({from_udp(slots_[i].from), port.index, false}, i, now);
    }
    send_notes();
    wake_others();
    media_->flush(now);
    send();
    if (count < ready) return false;
  }
  return true;
}

// What was received in this slot: to Media, or to the shard it is for.
void NodeMediaShard::take(const rtc::Path& path, size_t slot, MonoUs now) {
  const ByteView datagram(packets_[slot]->buffer.data(), slots_[slot].size);
  auto route = handover_->route(path, datagram);
  if (route.shard == index_ && shards_ > 1 && !media_->knows(path)) {
    // A stranger, or one whose session has just told so: its notes may have come already.
    take_notes();
    route = handover_->route(path, datagram);
  }
  if (route.shard != index_) return hand_over(route, path, datagram);
  const bool check = rtc::datagram_kind(datagram) == rtc::DatagramKind::kStun;
  media_->on_datagram(path, std::exchange(packets_[slot], nullptr), datagram.size(), now);
  if (check) handover_->on_check(path);
}

void NodeMediaShard::hand_over(const MediaHandover::Route& route, const rtc::Path& path,
                               ByteView datagram) {
  static_assert(std::is_trivially_copyable_v<rtc::Path>);
  ByteLane& lane = all_[route.shard]->in_[index_]->datagrams;
  const auto room =
      lane.room(sizeof path + datagram.size(), route.proven ? 0 : lane.capacity() / 2);
  if (room.empty()) {
    ++handover_drops_;
    return;
  }
  std::memcpy(room.data(), &path, sizeof path);
  std::ranges::copy(datagram, room.begin() + sizeof path);
  lane.commit();
  ++handed_over_;
  written_[route.shard] = true;
}

void NodeMediaShard::wake_others() {
  for (size_t to = 0; to < shards_; ++to) {
    if (!written_[to]) continue;
    written_[to] = false;
    Crossing& crossing = *all_[to]->in_[index_];
    // All are asked: whichever was written, the other side reads all.
    const bool datagrams = crossing.datagrams.wake(), notes = crossing.notes.wake();
    const bool copies = crossing.copies.wake();
    if (!datagrams && !notes && !copies) continue;
    all_[to]->shard_.post([other = all_[to], from = index_] { other->come(from); });
  }
}

// Another shard has written.
void NodeMediaShard::come(size_t from) {
  in_[from]->datagrams.begin();
  in_[from]->notes.begin();
  in_[from]->copies.begin();
  take_notes();
  const MonoUs now = clock_.now_us();
  take_handed(from, now);
  take_copies(from, now);
  send_notes();
  wake_others();
  media_->flush(now);
  send();
}

void NodeMediaShard::take_handed(size_t from, MonoUs now) {
  ByteLane& lane = in_[from]->datagrams;
  while (const auto record = lane.front()) {
    rtc::Path path;
    std::memcpy(&path, record->data(), sizeof path);
    const ByteView datagram = record->subspan(sizeof path);
    if (sfu::Packet* packet = media_->take()) {
      const bool check = rtc::datagram_kind(datagram) == rtc::DatagramKind::kStun;
      std::ranges::copy(datagram, packet->buffer.begin());
      media_->on_datagram(path, packet, datagram.size(), now);
      if (check) handover_->on_handed_check(from, path);
      if (!handover_->notes().empty()) send_notes();
    }
    lane.pop();
  }
}

void NodeMediaShard::take_copies(size_t from, MonoUs now) {
  ByteLane& lane = in_[from]->copies;
  size_t count = 0;
  while (const auto record = lane.front()) {
    media_->on_copy(from, *record, now);
    lane.pop();
    if (++count % kCopiesAtOnce == 0) {
      media_->flush(now);
      send();
    }
  }
}

std::span<uint8_t> NodeMediaShard::room(size_t shard, size_t bytes) {
  return all_[shard]->in_[index_]->copies.room(bytes);
}

void NodeMediaShard::commit(size_t shard) {
  all_[shard]->in_[index_]->copies.commit();
  written_[shard] = true;
}

void NodeMediaShard::take_notes() {
  for (size_t from = 0; from < shards_; ++from) {
    if (!in_[from]) continue;
    ByteLane& lane = in_[from]->notes;
    while (const auto record = lane.front()) {
      HandoverNote note;
      std::memcpy(&note, record->data(), sizeof note);
      handover_->on_note(from, note);
      lane.pop();
    }
  }
}

// Before what Media answers: a client that has its answer may send to the other shard at once. What
// finds a lane full waits for the next turn, for a note must not be lost.
void NodeMediaShard::send_notes() {
  static_assert(std::is_trivially_copyable_v<HandoverNote>);
  auto& notes = handover_->notes();
  size_t sent = 0;
  for (; sent < notes.size(); ++sent) {
    const auto& [to, note] = notes[sent];
    ByteLane& lane = all_[to]->in_[index_]->notes;
    const auto room = lane.room(sizeof note);
    if (room.empty()) break;
    std::memcpy(room.data(), &note, sizeof note);
    lane.commit();
    written_[to] = true;
  }
  notes.erase(notes.begin(), notes.begin() + static_cast<ptrdiff_t>(sent));
}

// There is no memory for what came: it is taken from the socket all the same.
bool NodeMediaShard::drop(Port& port) {
  std::array<uint8_t, 64> nowhere;
  for (net::UdpSlot& slot : slots_) slot.memory = nowhere;
  return port.socket->receive(slots_) == slots_.size();
}

void NodeMediaShard::send() {
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

void NodeMediaShard::begin_programs(const Config& config, const std::vector<NodeEpisode*>& episodes,
                                    ProgramSinkMaker maker) {
  if (!config.program.enabled || episodes.empty()) return;
  fallback_ = {static_cast<uint32_t>(config.program.fallback_loss_pm),
               static_cast<uint32_t>(config.program.fallback_rtt_ms),
               static_cast<uint32_t>(config.program.fallback_cpu_pm),
               config.program.fallback_steps};
  if (fallback_.any()) episodes_ = episodes;
  programs_ = std::make_unique<NodeCompositors>(config, shard_, *media_, clock_);
  programs_->begin(episodes, std::move(maker));
}

void NodeMediaShard::tell() {
  for (MediaTold& told : media_->told()) {
    if (told.edge >= edges_.size()) continue;
    NodeShard* shard = edges_[told.edge];
    shard->shard().post([shard, told = std::move(told)] { shard->edge().on_media(told); });
  }
  media_->told().clear();
}

// --- one show on several shards

void NodeMediaShard::send_mirror_notes() {
  for (auto& [to, note] : media_->mirror_notes()) {
    NodeMediaShard* other = all_[to];
    other->shard_.post([other, from = index_, note = std::move(note)]() mutable {
      other->media_->on_mirror(from, std::move(note), other->clock_.now_us());
    });
  }
  media_->mirror_notes().clear();
}

void NodeMediaShard::place(MediaRequest request, Open open) {
  std::vector<size_t> sessions;
  for (const NodeMediaShard* each : all_) sessions.push_back(each->sessions());
  const size_t at = media_->place(request, sessions);
  if (at == index_) return open(*media_, request);
  request.placed = true;
  send_mirror_notes();  // the show comes before its viewers
  NodeMediaShard* other = all_[at];
  other->shard_.post([other, request = std::move(request), open = std::move(open)]() mutable {
    open(*other->media_, request);
  });
}

void NodeMediaShard::ask(MediaAsk ask) {
  if (std::holds_alternative<MediaAsk::Open>(ask.what)) {
    return place(std::move(ask.from), [what = std::move(ask.what), &clock = clock_](
                                          Media& media, MediaRequest& from) mutable {
      media.ask({std::move(from), std::move(what)}, clock.now_us());
    });
  }
  // What concerns an account goes to the shards that show the episode too, behind what its home
  // has placed there.
  const bool account = std::holds_alternative<MediaAsk::Keep>(ask.what) ||
                       std::holds_alternative<MediaAsk::Kick>(ask.what);
  for (const size_t at : account ? media_->mirrors(ask.from.episode) : std::vector<size_t>()) {
    NodeMediaShard* other = all_[at];
    other->shard_.post(
        [other, ask]() mutable { other->media_->ask(std::move(ask), other->clock_.now_us()); });
  }
  media_->ask(std::move(ask), clock_.now_us());
}

MonoUs NodeMediaShard::on_turn_end(MonoUs now_us) {
  if (media_->deadline() <= now_us) media_->on_time(now_us);
  if (media_->flush_channels(now_us)) shard_.ask_turn();
  if (shards_ > 1 && now_us - swept_us_ >= kSweepUs) {
    swept_us_ = now_us;
    handover_->sweep();
  }
  send_notes();
  send_mirror_notes();
  wake_others();
  send();
  if (!media_->told().empty()) tell();
  if (now_us - renewed_us_ >= kRenewUs) renew_counters(now_us);
  sessions_ = media_->session_count();
  MonoUs due = std::min(media_->deadline(), streams_ ? streams_->tend(now_us) : kNever);
  if (handover_->has_told()) due = std::min(due, swept_us_ + kSweepUs);
  if (!handover_->notes().empty()) due = std::min(due, now_us + kUsPerMs);  // a lane was full
  return due;
}

void NodeMediaShard::renew_counters(MonoUs now_us) {
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
  made->handed_over = handed_over_;
  made->handover_drops = handover_drops_;
  made->handover_paths = handover_->stats().paths;
  const double cpu_s = net::thread_cpu_s();
  made->cpu_s = {cpu_s};
  const double busy_us = (cpu_s - std::exchange(cpu_s_, cpu_s)) * kUsPerSecond;
  cpu_pm_ = static_cast<uint32_t>(std::clamp(1'000 * busy_us / passed_us, 0.0, 1'000.0));
  for (NodeEpisode* episode : episodes_) {
    CallHealth health = media_->call_health(episode->id());
    health.cpu_pm = cpu_pm_;
    for (const size_t at : media_->mirrors(episode->id())) {
      health.cpu_pm = std::max(health.cpu_pm, all_[at]->cpu_pm());
    }
    episode->check_call(health, fallback_);
  }
  counters_.store(std::move(made));
}

// --- the producer's calls

ApiAnswer NodeMediaShard::api(const ApiCall& call, const std::string& episode) {
  if (call.route >= ApiRoute::kProgram && call.route <= ApiRoute::kProgramRestart) {
    if (programs_) return programs_->api(call, episode);
    if (call.route == ApiRoute::kProgram) return {.body = std::string(kNoProgram)};
    return api_error({Code::kProgramOff, "program.enabled is false", 0});
  }
  if (call.route == ApiRoute::kRecord) {
    const auto wanted = Json::parse(call.body);
    const Json* on = wanted ? wanted->find("on") : nullptr;
    if (!on || on->type() != JsonType::kBool) {
      return api_error({Code::kBadRequest, R"(the body is {"on":true} or {"on":false})"});
    }
    const auto done = media_->record(episode, on->as_bool(), clock_.now_us());
    if (!done) return api_error(done.error());
  }
  return {.body = media_->recording_json(episode)};
}

// --- the end

void NodeMediaShard::end_all() {
  if (programs_) programs_->end_all();
  media_->end_all(clock_.now_us());
  send();
  if (!media_->told().empty()) tell();
}

void NodeMediaShard::finish() {
  programs_.reset();  // while the streams they feed are there
  if (!recorder_ || !media_) return;
  media_->end_all(clock_.now_us());
  recorder_.reset();
}

}  // namespace footlight::edge
