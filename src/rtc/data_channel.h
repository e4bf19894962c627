// Data channels (RFC 8831) and the protocol that opens them (DCEP, RFC 8832), over an
// SctpAssociation of their own. A channel is a pair of streams with one id: even ids are opened by
// the DTLS client, odd ones by the server, so both may open at once.
//
// Packets and the time in, packets, events and a deadline out, as with SctpAssociation. The peer
// may open at most `max_channels`, with a label and a protocol of at most kChannelMaxTextBytes
// each; beyond that, and when its request is malformed, its stream is closed at once and nobody is
// told.
//
// Not for use by two threads at once.
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/bytes.h"
#include "core/prng.h"
#include "core/result.h"
#include "core/time.h"
#include "rtc/dtls.h"
#include "rtc/sctp.h"

namespace footlight::rtc {

inline constexpr size_t kChannelMaxTextBytes = 1024;

struct ChannelOptions {
  std::string label;
  std::string protocol;
  bool ordered = true;
  // At most one of the two; with neither the channel is reliable.
  std::optional<uint16_t> max_retransmits;
  std::optional<uint32_t> lifetime_ms;
  uint16_t priority =
      256;  // RFC 8831 section 6.4: 128, 256, 512 or 1,024; told to the peer, not used
};

struct ChannelOpened {
  uint16_t id = 0;
  bool by_peer = false;
  ChannelOptions options;
};
struct ChannelMessage {
  uint16_t id = 0;
  bool text = false;  // text is passed on as it came; who needs valid UTF-8 must look
  Bytes payload;      // may be empty
};
// What was buffered fell to the channel's threshold.
struct ChannelDrained {
  uint16_t id = 0;
};
struct ChannelClosed {
  uint16_t id = 0;
};
// The association is over, and all channels with it.
struct ChannelsEnded {
  Error error;
};
using ChannelEvent =
    std::variant<ChannelOpened, ChannelMessage, ChannelDrained, ChannelClosed, ChannelsEnded>;

class DataChannels {
 public:
  DataChannels(DtlsRole role, const SctpConfig& config, Entropy& entropy,
               size_t max_channels = 256);

  // DTLS is connected.
  void start(MonoUs now) { sctp_.connect(now); }
  void receive(ByteView packet, MonoUs now) { sctp_.receive(packet, now); }
  void on_deadline(MonoUs now) { sctp_.on_deadline(now); }
  MonoUs deadline_us() const { return sctp_.deadline_us(); }
  // As SctpAssociation::produce; pull events first: answers come of them.
  size_t produce(std::span<uint8_t> out, MonoUs now) { return sctp_.produce(out, now); }
  bool next_event(ChannelEvent& event, MonoUs now);

  // Opens a channel and returns its id; messages may be sent at once, ChannelOpened tells when the
  // peer has agreed. kChannelTooMany, kChannelMessageSize (label or protocol), kChannelFull,
  // kSctpClosed.
  Result<uint16_t> open(ChannelOptions options, MonoUs now);
  // A channel that both sides know by id (`negotiated` in the browser's API): stands at once.
  Status open_negotiated(uint16_t id, ChannelOptions options);

  // kChannelUnknown (also while closing), kChannelMessageSize, kChannelFull, kSctpClosed.
  Status send(uint16_t id, bool text, ByteView payload, MonoUs now);
  // Closes in both directions; what was sent before still arrives. ChannelClosed tells when the id
  // is free again.
  Status close(uint16_t id);
  // ChannelDrained comes each time what is buffered has been above `bytes` and falls to it.
  Status set_threshold(uint16_t id, size_t bytes);
  size_t buffered_bytes(uint16_t id) const { return sctp_.buffered_bytes(id); }
  size_t channel_count() const { return channels_.size(); }

  // Ends the association in order.
  void shutdown(MonoUs now) { sctp_.shutdown(now); }
  bool connected() const { return sctp_.state() == SctpState::kEstablished; }

 private:
  struct Channel {
    ChannelOptions options;
    bool agreed = false;     // the peer has acknowledged, or there was nothing to ask
    bool told = false;       // ChannelOpened was given out
    bool closing = false;    // our direction is being closed
    bool we_closed = false;  // ... and that is done
    bool peer_closed = false;
    size_t threshold = 0;
    bool above = false;
  };

  void on_message(SctpMessage message, MonoUs now);
  void on_control(const SctpMessage& message, MonoUs now);
  void on_open(uint16_t id, ByteView request, MonoUs now);
  void on_peer_closed(uint16_t id);
  void begin_close(uint16_t id, Channel& channel);
  void settle_close(uint16_t id);
  void note_fill(uint16_t id, Channel& channel);
  void agreed(uint16_t id, Channel& channel);

  const DtlsRole role_;
  const SctpConfig config_;
  const size_t max_channels_;
  SctpAssociation sctp_;
  std::map<uint16_t, Channel> channels_;
  std::deque<ChannelEvent> events_;
};

}  // namespace footlight::rtc
