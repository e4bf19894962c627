// The session protocol over data channels: between the channels of peer connections and the edge.
#include <utility>

#include "edge/edge.h"
#include "edge/internal/media_stage.h"

namespace footlight::edge {
namespace {

// Above every number the sockets of a node give to connections.
constexpr ConnId kFirstConn = ConnId{1} << 63;
constexpr int kMaxPasses = 8;  // of sending and being told that there is room

// A channel as the protocol has it: of another kind events could be lost or overtake each other.
bool carries_sessions(const rtc::ChannelOptions& options) {
  return options.label == kChannelProtocol && options.protocol == kChannelProtocol &&
         options.ordered && !options.max_retransmits && !options.lifetime_ms;
}

std::string ip_of(const rtc::Address& address) {
  std::string text = rtc::to_string(address);
  text.resize(text.rfind(':'));
  return address.v6 ? text.substr(1, text.size() - 2) : text;
}

}  // namespace

bool SessionChannel::send(bool text, ByteView bytes) {
  rtc::DataChannels& channels = *peer_.channels();
  if (channels.buffered_bytes(id) >= kBufferBytes) return false;
  if (!channels.send(id, text, bytes, now)) return false;  // ended: ChannelClosed is on its way
  dirty = true;
  return true;
}

size_t SessionChannel::write(const proto::FramePtr& frame, size_t offset) {
  if (closing) return 0;
  const ByteView payload = as_bytes(frame->json());
  const size_t head = frame->wire().size() - payload.size();
  if (payload.size() <= kWholeBytes) {
    return send(!frame->is_binary(), payload) ? frame->wire().size() - offset : 0;
  }
  size_t at = offset < head ? 0 : offset - head;
  Bytes part;
  while (at < payload.size()) {
    const ByteView next = payload.subspan(at, std::min(kPartBytes, payload.size() - at));
    const PartKind last = frame->is_binary() ? kLastOfBinary : kLastOfText;
    part = {static_cast<uint8_t>(kPart),
            static_cast<uint8_t>(at + next.size() < payload.size() ? kMore : last)};
    part.insert(part.end(), next.begin(), next.end());
    if (!send(false, part)) break;
    at += next.size();
  }
  return at == 0 ? 0 : head + at - offset;
}

void Media::on_channel_opened(Session& session, const rtc::ChannelOpened& opened) {
  rtc::DataChannels& channels = *session.peer->channels();
  if (session.channel || !carries_sessions(opened.options)) {
    ++past_.channels_refused;
    (void)channels.close(opened.id);
    return;
  }
  ++past_.channels_opened;
  session.channel =
      std::make_unique<SessionChannel>(*session.peer, opened.id, kFirstConn + next_channel_++);
  (void)channels.set_threshold(opened.id, SessionChannel::kBufferBytes / 2);
  ConnectionInfo info;
  const std::string ip = session.peer->path() ? ip_of(session.peer->path()->remote) : "";
  info.ip = ip;
  info.who = session.request.who;
  edge_->on_open(session.channel->conn, info, *session.channel);
}

void Media::on_channel_message(Session& session, const rtc::ChannelMessage& message) {
  if (!session.channel || session.channel->id != message.id || session.channel->closing) return;
  const SessionChannel& channel = *session.channel;
  const std::string_view bytes = as_text(message.payload);
  if (message.text) {
    if (bytes.size() > channel.max_text) return edge_->on_fault(channel.conn, Code::kFrameTooLarge);
    if (!is_valid_utf8(bytes)) return edge_->on_fault(channel.conn, Code::kBadUtf8);
    return edge_->on_frame(channel.conn, bytes);
  }
  if (channel.max_binary == 0) return edge_->on_fault(channel.conn, Code::kBadFrame);
  if (bytes.size() > channel.max_binary) {
    return edge_->on_fault(channel.conn, Code::kFrameTooLarge);
  }
  edge_->on_binary(channel.conn, bytes);
}

// The channel is gone, or its peer connection is.
void Media::drop_channel(Session& session) {
  const auto channel = std::move(session.channel);
  if (!channel) return;
  edge_called_ = true;
  edge_->on_close(channel->conn);
}

void Media::pull_channels(Session& session, MonoUs now) {
  rtc::DataChannels* channels = session.peer->channels();
  if (channels == nullptr) return;
  bool any = false;
  rtc::ChannelEvent event;
  while (channels->next_event(event, now)) {
    any = edge_called_ = true;
    if (session.channel) session.channel->now = now;
    if (const auto* opened = std::get_if<rtc::ChannelOpened>(&event)) {
      on_channel_opened(session, *opened);
    } else if (const auto* message = std::get_if<rtc::ChannelMessage>(&event)) {
      on_channel_message(session, *message);
    } else if (const auto* drained = std::get_if<rtc::ChannelDrained>(&event)) {
      const bool ours = session.channel && session.channel->id == drained->id;
      if (ours && !session.channel->closing) edge_->on_writable(session.channel->conn);
    } else if (const auto* closed = std::get_if<rtc::ChannelClosed>(&event)) {
      if (session.channel && session.channel->id == closed->id) drop_channel(session);
    } else {
      drop_channel(session);  // the association is over
    }
  }
  if (!any) return;
  if (session.channel) session.channel->dirty = false;
  session.peer->flush(now);
}

bool Media::flush_channels(MonoUs now) {
  for (Session* session : with_channels_) {
    for (int pass = 0; pass < kMaxPasses && session->channel && session->channel->dirty; ++pass) {
      session->channel->dirty = false;
      session->peer->flush(now);
      pull_channels(*session, now);
    }
    if (!session->channel || !session->channel->closing) continue;
    (void)session->peer->channels()->close(session->channel->id);
    session->peer->flush(now);
    drop_channel(*session);
  }
  reap();
  return std::exchange(edge_called_, false);
}

}  // namespace footlight::edge
