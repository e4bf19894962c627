#include "rtc/data_channel.h"

#include <algorithm>
#include <array>

#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

// Payload protocol identifiers (RFC 8831 section 8, RFC 8832 section 8.1); the partial ones are old
// and only read.
enum Protocol : uint32_t {
  kControl = 50,
  kText = 51,
  kBinaryPartial = 52,
  kBinary = 53,
  kTextPartial = 54,
  kTextEmpty = 56,
  kBinaryEmpty = 57,
};
constexpr uint8_t kAck = 2;
constexpr uint8_t kOpen = 3;
constexpr size_t kOpenBytes = 12;  // before label and protocol
constexpr uint8_t kUnordered = 0x80;
constexpr uint8_t kByRetransmits = 1;
constexpr uint8_t kByLifetime = 2;

Bytes open_request(const ChannelOptions& options) {
  Bytes request(kOpenBytes);
  request[0] = kOpen;
  request[1] = options.ordered ? 0 : kUnordered;
  uint32_t parameter = 0;
  if (options.max_retransmits) {
    request[1] |= kByRetransmits;
    parameter = *options.max_retransmits;
  } else if (options.lifetime_ms) {
    request[1] |= kByLifetime;
    parameter = *options.lifetime_ms;
  }
  store_u16(&request[2], options.priority);
  store_u32(&request[4], parameter);
  store_u16(&request[8], static_cast<uint16_t>(options.label.size()));
  store_u16(&request[10], static_cast<uint16_t>(options.protocol.size()));
  const ByteView label = as_bytes(options.label);
  const ByteView protocol = as_bytes(options.protocol);
  request.insert(request.end(), label.begin(), label.end());
  request.insert(request.end(), protocol.begin(), protocol.end());
  return request;
}

bool read_open_request(ByteView request, ChannelOptions& options) {
  if (request.size() < kOpenBytes) return false;
  const size_t label = load_u16(&request[8]);
  const size_t protocol = load_u16(&request[10]);
  if (label > kChannelMaxTextBytes || protocol > kChannelMaxTextBytes ||
      request.size() != kOpenBytes + label + protocol) {
    return false;
  }
  options.ordered = (request[1] & kUnordered) == 0;
  options.priority = load_u16(&request[2]);
  const uint32_t parameter = load_u32(&request[4]);
  switch (request[1] & ~kUnordered) {
    case 0:
      break;
    case kByRetransmits:
      options.max_retransmits = static_cast<uint16_t>(std::min<uint32_t>(parameter, UINT16_MAX));
      break;
    case kByLifetime:
      options.lifetime_ms = parameter;
      break;
    default:
      return false;
  }
  options.label = as_text(request.subspan(kOpenBytes, label));
  options.protocol = as_text(request.subspan(kOpenBytes + label));
  return true;
}

}  // namespace

DataChannels::DataChannels(DtlsRole role, const SctpConfig& config, Entropy& entropy,
                           size_t max_channels)
    : role_(role), config_(config), max_channels_(max_channels), sctp_(config, entropy) {}

Result<uint16_t> DataChannels::open(ChannelOptions options, MonoUs now) {
  if (options.label.size() > kChannelMaxTextBytes ||
      options.protocol.size() > kChannelMaxTextBytes) {
    return fail(Code::kChannelMessageSize);
  }
  if (channels_.size() >= max_channels_) return fail(Code::kChannelTooMany);
  uint32_t id = role_ == DtlsRole::kClient ? 0 : 1;
  while (id < config_.streams && channels_.contains(static_cast<uint16_t>(id))) id += 2;
  if (id >= config_.streams) return fail(Code::kChannelTooMany);
  const auto stream = static_cast<uint16_t>(id);
  if (auto sent = sctp_.send(stream, kControl, open_request(options), {}, now); !sent) {
    return std::unexpected(sent.error());
  }
  channels_.emplace(stream, Channel{.options = std::move(options)});
  return stream;
}

Status DataChannels::open_negotiated(uint16_t id, ChannelOptions options) {
  if (id >= config_.streams) return fail(Code::kChannelUnknown);
  if (channels_.size() >= max_channels_ || channels_.contains(id)) {
    return fail(Code::kChannelTooMany);
  }
  channels_.emplace(id, Channel{.options = std::move(options), .agreed = true, .told = true});
  return {};
}

Status DataChannels::send(uint16_t id, bool text, ByteView payload, MonoUs now) {
  const auto found = channels_.find(id);
  if (found == channels_.end() || found->second.closing) return fail(Code::kChannelUnknown);
  Channel& channel = found->second;
  // SCTP has no empty messages: one zero byte and an identifier of its own stand for it.
  const bool empty = payload.empty();
  Bytes bytes = empty ? Bytes{0} : Bytes(payload.begin(), payload.end());
  const uint32_t protocol = empty ? (text ? kTextEmpty : kBinaryEmpty) : (text ? kText : kBinary);
  // In order until the peer knows the channel, or a message could overtake the request to open it
  // (RFC 8832 section 6).
  const SctpSendOptions options{.unordered = !channel.options.ordered && channel.agreed,
                                .max_retransmits = channel.options.max_retransmits,
                                .lifetime_ms = channel.options.lifetime_ms};
  auto sent = sctp_.send(id, protocol, std::move(bytes), options, now);
  if (sent) note_fill(id, channel);
  return sent;
}

void DataChannels::note_fill(uint16_t id, Channel& channel) {
  const bool above = sctp_.buffered_bytes(id) > channel.threshold;
  if (channel.above && !above) events_.push_back(ChannelDrained{id});
  channel.above = above;
}

Status DataChannels::set_threshold(uint16_t id, size_t bytes) {
  const auto found = channels_.find(id);
  if (found == channels_.end()) return fail(Code::kChannelUnknown);
  found->second.threshold = bytes;
  found->second.above = sctp_.buffered_bytes(id) > bytes;
  return {};
}

Status DataChannels::close(uint16_t id) {
  const auto found = channels_.find(id);
  if (found == channels_.end()) return fail(Code::kChannelUnknown);
  begin_close(id, found->second);
  return {};
}

void DataChannels::begin_close(uint16_t id, Channel& channel) {
  if (channel.closing) return;
  channel.closing = true;
  (void)sctp_.reset_stream(id);  // after the end there is nothing to close
}

void DataChannels::settle_close(uint16_t id) {
  const auto found = channels_.find(id);
  if (found == channels_.end() || !found->second.we_closed || !found->second.peer_closed) return;
  channels_.erase(found);
  events_.push_back(ChannelClosed{id});
}

void DataChannels::on_peer_closed(uint16_t id) {
  const auto found = channels_.find(id);
  if (found == channels_.end()) return;
  found->second.peer_closed = true;
  begin_close(id, found->second);
  settle_close(id);
}

bool DataChannels::next_event(ChannelEvent& event, MonoUs now) {
  SctpEvent below;
  while (events_.empty() && sctp_.next_event(below)) {
    if (auto* message = std::get_if<SctpMessage>(&below)) {
      on_message(std::move(*message), now);
    } else if (auto* reset = std::get_if<SctpStreamsReset>(&below)) {
      if (reset->all) {
        for (const auto& [id, channel] : channels_) reset->streams.push_back(id);
      }
      for (const uint16_t id : reset->streams) on_peer_closed(id);
    } else if (auto* done = std::get_if<SctpResetDone>(&below)) {
      for (const uint16_t id : done->streams) {
        const auto found = channels_.find(id);
        if (found == channels_.end()) continue;
        found->second.we_closed = true;
        settle_close(id);
      }
    } else if (auto* ended = std::get_if<SctpEnded>(&below)) {
      channels_.clear();
      events_.push_back(ChannelsEnded{std::move(ended->error)});
    }
  }
  if (events_.empty()) {
    for (auto& [id, channel] : channels_) {
      if (channel.above) note_fill(id, channel);
    }
  }
  if (events_.empty()) return false;
  event = std::move(events_.front());
  events_.pop_front();
  return true;
}

void DataChannels::on_message(SctpMessage message, MonoUs now) {
  if (message.protocol == kControl) return on_control(message, now);
  const auto found = channels_.find(message.stream);
  if (found == channels_.end()) return;  // of a channel that was refused or is closed
  if (!found->second.agreed) agreed(message.stream, found->second);
  ChannelMessage out{.id = message.stream};
  switch (message.protocol) {
    case kText:
    case kTextPartial:
      out.text = true;
      break;
    case kBinary:
    case kBinaryPartial:
      break;
    case kTextEmpty:
      out.text = true;
      message.payload.clear();
      break;
    case kBinaryEmpty:
      message.payload.clear();
      break;
    default:
      return;  // no identifier of WebRTC's
  }
  out.payload = std::move(message.payload);
  events_.push_back(std::move(out));
}

void DataChannels::agreed(uint16_t id, Channel& channel) {
  channel.agreed = true;
  if (channel.told) return;
  channel.told = true;
  events_.push_back(ChannelOpened{id, false, channel.options});
}

void DataChannels::on_control(const SctpMessage& message, MonoUs now) {
  const uint8_t type = message.payload.empty() ? 0 : message.payload[0];
  const auto found = channels_.find(message.stream);
  if (type == kAck && found != channels_.end()) {
    agreed(message.stream, found->second);
  } else if (type == kOpen && found == channels_.end()) {
    on_open(message.stream, message.payload, now);
  }
}

void DataChannels::on_open(uint16_t id, ByteView request, MonoUs now) {
  const bool theirs = id % 2 == (role_ == DtlsRole::kClient ? 1 : 0);
  Channel channel{.agreed = true, .told = true};
  const std::array<uint8_t, 1> ack{kAck};
  if (!theirs || channels_.size() >= max_channels_ ||
      !read_open_request(request, channel.options) ||
      !sctp_.send(id, kControl, Bytes(ack.begin(), ack.end()), {}, now)) {
    (void)sctp_.reset_stream(id);
    return;
  }
  events_.push_back(ChannelOpened{id, true, channel.options});
  channels_.emplace(id, std::move(channel));
}

}  // namespace footlight::rtc
