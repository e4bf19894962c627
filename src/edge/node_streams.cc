#include "edge/node_streams.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "edge/media_handover.h"

namespace footlight::edge {
namespace {

constexpr size_t kReadBytes = 64 * 1024;
constexpr int kReadsAtOnce = 4;  // then it is the others' turn
constexpr MonoUs kSweepUs = kUsPerSecond;
constexpr size_t kLeastStrangers = 16;  // of one of many shards

}  // namespace

struct NodeStreams::Line {
  explicit Line(net::FramedSocket socket) : stream(std::move(socket)) {}
  uint32_t number = 0;
  rtc::Path path;
  MonoUs since_us = 0;
  bool proven = false;  // a session's check has come on it
  bool doomed = false;
  bool begun = false;        // its first frame has come
  std::optional<size_t> to;  // the shard it is passed on to, with
  Bytes early;               // what was read of it
  net::FramedStream stream;
  rtc::IceTcpReader reader;
  std::unique_ptr<net::Readiness> readiness;
};

NodeStreams::NodeStreams(net::Shard& shard, size_t index, size_t shards, const Clock& clock,
                         Ports ports)
    : shard_(shard),
      index_(index),
      shards_(shards),
      most_strangers_(std::max(kLeastStrangers, kMostStrangers / shards)),
      clock_(clock),
      ports_(std::move(ports)) {}
NodeStreams::~NodeStreams() = default;

Status NodeStreams::listen(std::unique_ptr<net::FramedListener> listener) {
  auto readiness = net::Readiness::watch(shard_, listener->descriptor(),
                                         [this, raw = listener.get()] { return accept(*raw); });
  if (!readiness) return std::unexpected(readiness.error());
  listeners_.emplace_back(std::move(listener), std::move(*readiness));
  return {};
}

bool NodeStreams::accept(net::FramedListener& listener) {
  auto socket = listener.accept();
  if (!socket) return false;
  adopt(std::move(*socket));
  return true;
}

void NodeStreams::adopt(net::FramedSocket socket, Bytes early) {
  if (strangers_ >= most_strangers_) make_room();
  const net::UdpAddress peer = socket.peer();
  auto line = std::make_unique<Line>(std::move(socket));
  while (lines_.contains(next_)) ++next_;
  line->number = next_++;
  line->path = {{peer.ip, peer.port, peer.v6}, line->number, true};
  line->since_us = clock_.now_us();
  Line& raw = *line;
  auto readiness = net::Readiness::watch(
      shard_, raw.stream.descriptor(), [this, &raw] { return receive(raw); },
      [this, &raw] {
        if (!raw.stream.on_writable()) doom(raw);
      });
  if (!readiness) return;
  raw.readiness = std::move(*readiness);
  lines_.emplace(raw.number, std::move(line));
  ++strangers_;
  ++stats_.opened;
  raw.begun = !early.empty();
  if (raw.begun && !take(raw, early)) return;
  // What came before it was watched is no news to the poller.
  if (receive(raw)) {
    shard_.post([this, number = raw.number] {
      const auto found = lines_.find(number);
      if (found != lines_.end()) receive(*found->second);
    });
  }
}

// Who has waited longest without having proven anything is cut.
void NodeStreams::make_room() {
  Line* oldest = nullptr;
  for (auto& [number, line] : lines_) {
    if (line->proven || line->doomed) continue;
    if (!oldest || line->since_us < oldest->since_us) oldest = line.get();
  }
  if (oldest) doom(*oldest);
}

// True: it may have left something.
bool NodeStreams::receive(Line& line) {
  if (line.doomed || !media_) return false;
  if (buffer_.empty()) buffer_.resize(kReadBytes);
  for (int round = 0; round < kReadsAtOnce; ++round) {
    const auto got = line.stream.read(buffer_);
    if (!got) {
      doom(line);
      return false;
    }
    if (*got == 0 || !take(line, ByteView(buffer_).first(*got))) return false;
  }
  return true;
}

// False: nothing more is read from it.
bool NodeStreams::take(Line& line, ByteView bytes) {
  const MonoUs now = clock_.now_us();
  const bool sound = take_frames(line, bytes, now);
  if (!line.proven && !line.doomed && media_->knows(line.path)) {
    line.proven = true;
    --strangers_;
  }
  media_->flush(now);
  ports_.on_batch();
  if (!sound) {
    ++stats_.broken;
    doom(line);
  }
  return !line.doomed;
}

bool NodeStreams::take_frames(Line& line, ByteView bytes, MonoUs now) {
  ByteView frame;
  for (;;) {
    const auto more = line.reader.next(bytes, frame);
    if (!more) return false;
    if (!*more) return true;
    if (!std::exchange(line.begun, true)) {
      line.to = shard_of_check(frame, shards_);
      if (line.to == index_) line.to.reset();
      if (line.to) {
        line.early.resize(2);
        rtc::write_ice_tcp_header(std::span<uint8_t, 2>(line.early), frame.size());
        line.early.insert(line.early.end(), frame.begin(), frame.end());
        line.early.insert(line.early.end(), bytes.begin(), bytes.end());
        leave(line);
        return true;
      }
    }
    sfu::Packet* packet = media_->take();
    if (!packet) continue;  // there is no memory for it
    if (frame.size() > packet->buffer.size()) {
      media_->give_back(packet);
      continue;
    }
    std::memcpy(packet->buffer.data(), frame.data(), frame.size());
    media_->on_datagram(line.path, packet, frame.size(), now);
  }
}

void NodeStreams::send(const rtc::SendBatch& batch) {
  const auto found = lines_.find(batch.path.socket);
  if (found == lines_.end() || found->second->doomed) return;
  if (!found->second->stream.write(batch.bytes, batch.sizes)) doom(*found->second);
}

// It may be in use further up the stack: it goes at the turn's end.
void NodeStreams::doom(Line& line) {
  if (line.doomed) return;
  if (!line.proven) ++stats_.strangers;
  leave(line);
}

void NodeStreams::leave(Line& line) {
  line.doomed = true;
  if (!line.proven) --strangers_;
  doomed_.push_back(line.number);
}

void NodeStreams::sweep(MonoUs now) {
  swept_us_ = now;
  for (auto& [number, line] : lines_) {
    if (line->doomed) continue;
    if (line->proven ? !media_->knows(line->path) : now - line->since_us >= kProveUs) doom(*line);
  }
  // Whoever the system had no descriptor for waits since then.
  for (auto& [listener, readiness] : listeners_) {
    while (accept(*listener)) continue;
  }
}

MonoUs NodeStreams::tend(MonoUs now) {
  const bool any = !lines_.empty() || !listeners_.empty();
  if (any && now - swept_us_ >= kSweepUs) sweep(now);
  while (!doomed_.empty()) {
    for (const uint32_t number : std::exchange(doomed_, {})) {
      const auto found = lines_.find(number);
      stats_.dropped += found->second->stream.stats().dropped;
      const rtc::Path path = found->second->path;
      if (found->second->to) {
        found->second->readiness.reset();
        ports_.pass_on(*found->second->to, found->second->stream.release(),
                       std::move(found->second->early));
      }
      lines_.erase(found);
      media_->on_path_gone(path);
    }
  }
  return any ? swept_us_ + kSweepUs : kNever;
}

NodeStreamsStats NodeStreams::stats() const {
  NodeStreamsStats out = stats_;
  out.connections = lines_.size();
  for (const auto& [number, line] : lines_) out.dropped += line->stream.stats().dropped;
  return out;
}

}  // namespace footlight::edge
