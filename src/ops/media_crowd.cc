#include "ops/media_crowd.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <map>
#include <utility>

#include "net/asio/datagrams.h"
#include "net/asio/framed.h"
#include "net/asio/http_client.h"
#include "net/asio/readiness.h"
#include "net/asio/shard.h"
#include "net/asio/system.h"
#include "net/asio/worker.h"

namespace footlight::ops {
namespace {

constexpr size_t kOutBytes = 4 << 20;
constexpr size_t kOutDatagrams = 8'192;
constexpr int kSocketBuffer = 1 << 20;
constexpr MonoUs kLongestTickUs = 10 * kUsPerMs;
constexpr int kCrowdBatches = 4;
constexpr size_t kDatagramBytes = 2'048;

net::UdpAddress to_udp(const rtc::Address& address) {
  return {address.ip, address.port, address.v6};
}
rtc::Address from_udp(const net::UdpAddress& address) {
  return {address.ip, address.port, address.v6};
}

void add_to(PublisherStats& sum, const PublisherStats& more) {
  sum.packets += more.packets;
  sum.bytes += more.bytes;
  sum.frames += more.frames;
  sum.key_frames += more.key_frames;
  sum.key_frames_asked += more.key_frames_asked;
  sum.nacked += more.nacked;
  sum.sent_again += more.sent_again;
  sum.loss_per_mille = std::max(sum.loss_per_mille, more.loss_per_mille);
  sum.round_trip_us = std::max(sum.round_trip_us, more.round_trip_us);
}

}  // namespace

struct MediaCrowd::Impl final : net::Resident {
  // One session: made on the joining thread, handed to the shard with its answer.
  struct Member {
    MediaJoin join;
    std::unique_ptr<net::UdpSocket> socket;  // one of the two
    std::unique_ptr<net::FramedStream> stream;
    rtc::IceTcpReader frames;
    std::unique_ptr<MediaPublisher> publisher;  // one of the two
    std::unique_ptr<MediaWatcher> watcher;
    std::string session;
    std::unique_ptr<net::Readiness> readiness;
    bool counted = false;  // as connected

    rtc::ClientPeer& peer() { return publisher ? publisher->peer() : watcher->peer(); }
    std::string offer() const { return publisher ? publisher->offer() : watcher->offer(); }
    Status accept(std::string_view answer, MonoUs now) {
      return publisher ? publisher->accept(answer, now) : watcher->accept(answer, now);
    }
    void on_datagram(const rtc::Address& from, std::span<uint8_t> datagram, MonoUs now) {
      publisher ? publisher->on_datagram(from, datagram, now)
                : watcher->on_datagram(from, datagram, now);
    }
    MonoUs deadline() const { return publisher ? publisher->deadline() : watcher->deadline(); }
    void on_time(MonoUs now) { publisher ? publisher->on_time(now) : watcher->on_time(now); }
  };

  MonoUs on_turn_end(MonoUs now) override;
  // On the joining thread.
  void do_join(const MediaJoin& join);
  Result<std::unique_ptr<Member>> make(const MediaJoin& join);
  void hang_up();
  // On the shard.
  void adopt(uint32_t number, std::unique_ptr<Member> member, const std::string& answer);
  void note_failure(const MediaJoin& join, const Error& why);
  Status watch(Member& member);
  bool receive(Member& member);
  bool receive_stream(Member& member);
  void send();
  void tend(Member& member);
  void tell_lines();
  CrowdReport report() const;
  template <class Job>
  auto ask(Job job) {
    std::promise<decltype(job())> answered;
    shard.post([&] { answered.set_value(job()); });
    return answered.get_future().get();
  }

  net::SystemClock clock;
  net::SystemEntropy entropy;
  std::shared_ptr<const rtc::DtlsIdentity> identity;
  std::function<void(std::vector<MediaLineState>)> on_lines;
  uint64_t run = 0;
  MonoUs began_us = 0;
  rtc::DatagramOut out{kOutBytes, kOutDatagrams};
  std::vector<uint8_t> memory;
  std::vector<net::UdpSlot> slots;
  std::map<uint32_t, std::unique_ptr<Member>> members;
  std::vector<std::pair<MonoUs, MediaJoin>> again;
  std::vector<uint32_t> gone;
  CrowdReport past;  // of sessions that are over; the counts of all
  MonoUs next_tick_us = 0, lines_us = 0;
  std::atomic<size_t> joining{0};
  std::atomic<bool> closing{false};
  // The joining thread's own.
  std::map<uint32_t, std::pair<WhipCall, WhipSession>> sessions;
  uint32_t next_number = 0;

  net::Shard shard{1};
  std::unique_ptr<net::Worker> worker = std::make_unique<net::Worker>("media-join");
};

// --- joining

Result<std::unique_ptr<MediaCrowd::Impl::Member>> MediaCrowd::Impl::make(const MediaJoin& join) {
  auto member = std::make_unique<Member>();
  member->join = join;
  const auto url = net::parse_url(join.call.url);
  if (!url) return std::unexpected(url.error());
  const bool v6 = url->host.contains(':');
  if (!join.tcp) {
    net::UdpOptions options;
    options.bind.v6 = v6;
    options.receive_buffer_bytes = options.send_buffer_bytes = kSocketBuffer;
    auto socket = net::UdpSocket::open(options);
    if (!socket) return std::unexpected(socket.error());
    member->socket = std::move(*socket);
  }
  const rtc::ClientPeer::Config config{next_number, !v6, v6, join.tcp};
  if (join.publishes) {
    PublisherOptions published;
    published.clip = &clip(join.clip_kind, join.clip);
    published.began_us = began_us;
    published.wall_offset_us = int64_t{1000} * clock.wall_ms() - clock.now_us();
    published.run = run;
    member->publisher = std::make_unique<MediaPublisher>(published, config, entropy, identity, out);
  } else {
    const WatcherOptions watched{join.voices, join.pictures, run};
    member->watcher = std::make_unique<MediaWatcher>(watched, config, entropy, identity, out);
  }
  return member;
}

void MediaCrowd::Impl::do_join(const MediaJoin& join) {
  if (closing) return;
  auto member = make(join);
  auto session = member ? whip_open(join.call, (*member)->offer())
                        : Result<WhipSession>(std::unexpected(member.error()));
  if (!session) {
    shard.post([this, join, why = session.error()] { note_failure(join, why); });
    return;
  }
  const uint32_t number = next_number++;
  (*member)->session = session->address.substr(session->address.rfind('/') + 1);
  shard.post([this, number, member = std::move(*member), answer = session->answer]() mutable {
    adopt(number, std::move(member), answer);
  });
  sessions.emplace(number, std::pair{join.call, std::move(*session)});
}

// Says goodbye to the server; one that is not there is not asked again and again.
void MediaCrowd::Impl::hang_up() {
  for (const auto& [number, session] : sessions) {
    const auto closed = whip_close(session.first, session.second);
    if (!closed && closed.error().code == Code::kUnreachable) return;
  }
}

void MediaCrowd::Impl::note_failure(const MediaJoin& join, const Error& why) {
  --joining;
  if (past.first_error.empty()) past.first_error = why.message();
  if (!closing) again.emplace_back(clock.now_us() + kAgainUs, join);
}

void MediaCrowd::Impl::adopt(uint32_t number, std::unique_ptr<Member> member,
                             const std::string& answer) {
  auto accepted = member->accept(answer, clock.now_us());
  if (accepted) accepted = watch(*member);
  if (!accepted) return note_failure(member->join, accepted.error());
  --joining;
  members.emplace(number, std::move(member));
  next_tick_us = 0;
  send();
}

// The connection is begun here: its first check is lost, the second finds it.
Status MediaCrowd::Impl::watch(Member& member) {
  if (member.join.tcp) {
    auto stream = net::FramedStream::connect(to_udp(member.peer().first_way()));
    if (!stream) return std::unexpected(stream.error());
    member.stream = std::move(*stream);
  }
  const int descriptor = member.stream ? member.stream->descriptor() : member.socket->descriptor();
  auto readiness = net::Readiness::watch(
      shard, descriptor,
      [this, &member] { return member.stream ? receive_stream(member) : receive(member); },
      [&member] { (void)(member.stream && member.stream->on_writable()); });
  if (!readiness) return std::unexpected(readiness.error());
  member.readiness = std::move(*readiness);
  return {};
}

// --- on the shard

bool MediaCrowd::Impl::receive(Member& member) {
  for (int batch = 0; batch < kCrowdBatches; ++batch) {
    for (size_t i = 0; i < slots.size(); ++i) {
      slots[i].memory = std::span(memory).subspan(i * kDatagramBytes, kDatagramBytes);
    }
    const size_t count = member.socket->receive(slots);
    const MonoUs now = clock.now_us();
    for (size_t i = 0; i < count; ++i) {
      member.on_datagram(from_udp(slots[i].from), slots[i].memory.first(slots[i].size), now);
    }
    send();
    if (count < slots.size()) return false;
  }
  return true;
}

bool MediaCrowd::Impl::receive_stream(Member& member) {
  for (int batch = 0; batch < kCrowdBatches; ++batch) {
    const auto got = member.stream->read(memory);
    if (!got || *got == 0) return false;  // at its end the peer's consent runs out
    const MonoUs now = clock.now_us();
    ByteView in = ByteView(memory).first(*got), frame;
    std::array<uint8_t, rtc::IceTcpReader::kMaxFrameBytes> datagram;
    for (;;) {
      const auto more = member.frames.next(in, frame);
      if (!more) return false;
      if (!*more) break;
      std::ranges::copy(frame, datagram.begin());
      member.on_datagram(member.peer().first_way(), std::span(datagram).first(frame.size()), now);
    }
    send();
  }
  return true;
}

void MediaCrowd::Impl::send() {
  for (size_t i = 0; i < out.batch_count(); ++i) {
    const rtc::SendBatch batch = out.batch(i);
    const auto found = members.find(batch.path.socket);
    if (found == members.end()) continue;
    if (found->second->stream) {
      found->second->stream->write(batch.bytes, batch.sizes);
      continue;
    }
    found->second->socket->send(to_udp(batch.path.remote), batch.bytes, batch.sizes);
    found->second->socket->flush();
  }
  out.clear();
}

void MediaCrowd::Impl::tend(Member& member) {
  if (member.peer().connected() && !std::exchange(member.counted, true)) ++past.connected;
  if (member.peer().state() != rtc::ClientPeerState::kClosed || closing) return;
  ++past.lost_sessions;
  if (past.first_error.empty()) past.first_error = member.peer().error().message();
  again.emplace_back(clock.now_us() + kAgainUs, member.join);
  member.join.publishes = false;
}

MonoUs MediaCrowd::Impl::on_turn_end(MonoUs now) {
  if (now < next_tick_us) return next_tick_us;
  MonoUs next = now + kLongestTickUs;
  for (auto& [number, member] : members) {
    if (member->deadline() <= now) member->on_time(now);
    tend(*member);
    if (member->peer().state() == rtc::ClientPeerState::kClosed) gone.push_back(number);
    next = std::min(next, std::max(member->deadline(), now + kUsPerMs));
  }
  send();
  for (const uint32_t number : std::exchange(gone, {})) {
    const auto found = members.find(number);
    Member& member = *found->second;
    if (member.publisher) add_to(past.published, member.publisher->stats());
    if (member.watcher) past.watched.add(member.watcher->stats(now));
    members.erase(found);
  }
  std::erase_if(again, [&](const auto& each) {
    if (each.first > now || closing) return closing.load();
    ++joining;
    worker->post([this, join = each.second] { do_join(join); });
    return true;
  });
  if (on_lines && lines_us <= now) {
    lines_us = now + kLinesUs;
    tell_lines();
  }
  next_tick_us = next;
  return next;
}

void MediaCrowd::Impl::tell_lines() {
  std::vector<MediaLineState> lines;
  for (auto& [number, member] : members) {
    if (!member->peer().connected()) continue;
    MediaLineState& line = lines.emplace_back();
    line.number = member->join.number;
    line.session = member->session;
    line.publishes = member->publisher != nullptr;
    MonoUs trip = member->peer().round_trip_us();
    if (member->publisher) {
      const PublisherStats& stats = member->publisher->stats();
      if (stats.round_trip_us > 0) trip = stats.round_trip_us;
      line.loss_per_mille = stats.loss_per_mille;
    } else {
      line.loss_per_mille = member->watcher->take_loss_per_mille();
    }
    line.round_trip_ms = static_cast<uint32_t>((trip + kUsPerMs - 1) / kUsPerMs);
  }
  if (!lines.empty()) on_lines(std::move(lines));
}

CrowdReport MediaCrowd::Impl::report() const {
  CrowdReport report = past;
  for (const auto& [number, member] : members) {
    if (member->publisher) add_to(report.published, member->publisher->stats());
    if (member->watcher) report.watched.add(member->watcher->stats(clock.now_us()));
    report.socket_drops +=
        member->stream ? member->stream->stats().dropped : member->socket->stats().dropped;
  }
  return report;
}

// --- any thread

MediaCrowd::MediaCrowd(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MediaCrowd::~MediaCrowd() { close(); }

Result<std::unique_ptr<MediaCrowd>> MediaCrowd::start(
    std::function<void(std::vector<MediaLineState>)> on_lines) {
  auto impl = std::make_unique<Impl>();
  auto identity = rtc::DtlsIdentity::make(impl->entropy, impl->clock.wall_ms());
  if (!identity) return std::unexpected(identity.error());
  impl->identity = std::move(*identity);
  impl->on_lines = std::move(on_lines);
  impl->entropy.fill({reinterpret_cast<uint8_t*>(&impl->run), sizeof impl->run});
  impl->began_us = impl->clock.now_us();
  impl->memory.resize(net::UdpSocket::kBatch * kDatagramBytes);
  impl->slots.resize(net::UdpSocket::kBatch);
  impl->shard.add_resident(impl.get());
  impl->shard.start();
  return std::unique_ptr<MediaCrowd>(new MediaCrowd(std::move(impl)));
}

void MediaCrowd::join(MediaJoin join) {
  ++impl_->joining;
  impl_->shard.post([this] { ++impl_->past.asked; });
  impl_->worker->post([this, join = std::move(join)] { impl_->do_join(join); });
}

size_t MediaCrowd::joining() const { return impl_->joining; }

void MediaCrowd::reset() {
  impl_->ask([this] {
    for (auto& [number, member] : impl_->members) {
      if (member->watcher) member->watcher->reset();
    }
    CrowdReport fresh;
    fresh.asked = impl_->past.asked;
    fresh.connected = impl_->past.connected;
    impl_->past = fresh;
    return true;
  });
}

CrowdReport MediaCrowd::report() {
  return impl_->ask([this] { return impl_->report(); });
}

void MediaCrowd::close() {
  if (!impl_ || impl_->closing.exchange(true)) return;
  impl_->worker->post([this] { impl_->hang_up(); });
  impl_->ask([this] {
    for (auto& [number, member] : impl_->members) member->peer().close(impl_->clock.now_us());
    impl_->send();
    return true;
  });
  impl_->worker.reset();
  impl_->ask([this] {
    impl_->shard.remove_resident(impl_.get());
    impl_->members.clear();
    return true;
  });
  impl_->shard.stop();
  impl_->shard.join();
}

}  // namespace footlight::ops
