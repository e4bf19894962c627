// One track on its way to one subscriber: which of the publisher's packets go out, and with which
// numbers.
//
// The subscriber sees a single stream without gaps or jumps: sequence numbers, timestamps and VP8's
// picture numbers are rewritten so that a change of encoding looks like the next frame of the same
// one. An encoding is changed only at a key frame of the new one. Payloads are never touched but
// for VP8's descriptor, which is written anew into the head.
//
// The head of a packet is made here and its payload is a view into the publisher's packet, so
// forwarding copies and allocates nothing. A resend on the same SSRC is byte for byte what was sent
// before, as the cipher demands (rtc/srtp.h).
//
// Bounds: kHistory packets can be asked for again, at most kMaxResends in 100 ms.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "core/time.h"
#include "rtc/rtp.h"
#include "rtc/rtp_extensions.h"
#include "sfu/sequence_map.h"
#include "sfu/stream.h"

namespace footlight::sfu {

// A choice of what to forward. `stream` is an index of Track::encodings; of WatchOptions::max a
// rank in Track::by_quality.
struct Layer {
  uint8_t stream = 0, spatial = 0, temporal = 0;
  bool operator==(const Layer&) const = default;
};

// How the subscriber's session names this track's stream.
struct OutgoingSpec {
  uint32_t ssrc = 0;
  uint32_t rtx_ssrc = 0;  // 0: no RTX; lost packets are then sent again on `ssrc`
  uint8_t payload_type = 0, rtx_payload_type = 0;
  uint8_t red_payload_type = 0;  // of Opus in RED; 0: none, the primary block goes out
  std::string mid;               // written into packets when its extension has an id
  rtc::RtpExtensionMap extensions;
};

// A packet as it goes out: `head` lies in the caller's buffer, `payload` in the publisher's packet.
struct Outgoing {
  ByteView head, payload;
  size_t bytes() const { return head.size() + payload.size(); }
};

struct SubscriptionStats {
  uint64_t packets = 0, bytes = 0;
  uint64_t resent = 0, resend_misses = 0, resends_refused = 0;
  uint64_t switches = 0;
};

class Subscription {
 public:
  static constexpr size_t kHistory = 256;
  static constexpr size_t kMaxResends = 64;  // in kResendWindowUs
  static constexpr MonoUs kResendWindowUs = 100 * kUsPerMs;
  static constexpr size_t kHeadBytes = 400;  // a buffer of this size holds every head

  explicit Subscription(const OutgoingSpec& spec);

  // Where the numbers of an outgoing stream stand. A stream that is to carry another track goes on
  // from here: the peer sees one stream, and no number is used for two packets under one key.
  struct Place {
    uint32_t ssrc = 0;
    int64_t next_out = 1;
    uint16_t next_rtx = 1;
    uint32_t last_timestamp = 0;
    MonoUs last_sent_at = 0;
    bool sent_any = false;
    uint16_t next_picture = 0, last_frame_number = 0;
    uint8_t last_tl0 = 0, last_key = 0;
  };
  Place place() const;
  void resume(const Place& place);  // before anything was forwarded

  // What the allocation wants. A higher or other stream begins at its next key frame
  // (needs_key_frame()), lower layers of the same stream at once. nullopt pauses.
  void set_target(std::optional<Layer> target);
  std::optional<Layer> target() const { return target_; }
  // The stream that goes out now; nullopt before the first packet and while paused.
  std::optional<uint8_t> current_stream() const { return current_; }
  uint8_t current_temporal() const { return temporal_; }
  // Whether it waits for a key frame of target()->stream.
  bool needs_key_frame() const {
    return target_ && (!current_ || *current_ != target_->stream || target_->spatial > spatial_);
  }

  // Decides about a packet of `stream` (its index is `index`), and when it goes out, writes its
  // head into `buffer`. `transport_sequence` is written when that extension is negotiated.
  std::optional<Outgoing> forward(const IncomingStream& stream, uint8_t index, const Packet& packet,
                                  uint16_t transport_sequence, MonoUs now,
                                  std::span<uint8_t> buffer);

  // The peer lost `sequence`. Answers the packet again (by RTX with a new transport sequence if it
  // has one), or nothing when it is gone, was just resent, or too much is asked.
  template <class FindStream>
  std::optional<Outgoing> resend(uint16_t sequence, uint16_t transport_sequence, MonoUs now,
                                 MonoUs round_trip, FindStream&& find_stream,
                                 std::span<uint8_t> buffer) {
    Sent* sent = sent_packet(sequence, now, round_trip);
    if (!sent) return std::nullopt;
    const IncomingStream* stream = find_stream(sent->stream);
    const Packet* packet = stream ? stream->find(sent->in) : nullptr;
    return repeat(*sent, packet, sequence, transport_sequence, now, buffer);
  }
  // Something to probe with: by RTX a packet sent lately, again; padding when nothing goes out
  // (because there seems to be no room for it), without RTX on the SSRC that rests.
  template <class FindStream>
  std::optional<Outgoing> probe(uint16_t transport_sequence, FindStream&& find_stream,
                                std::span<uint8_t> buffer) {
    if (!spec_.rtx_ssrc) {
      if (current_) return std::nullopt;
      return write_padding(transport_sequence, buffer);
    }
    const Sent& sent = history_[static_cast<uint16_t>(next_out_ - 1) % history_.size()];
    const IncomingStream* stream = sent.used ? find_stream(sent.stream) : nullptr;
    const Packet* packet = stream ? stream->find(sent.in) : nullptr;
    if (!packet) return write_padding(transport_sequence, buffer);
    return write_rtx(sent, *packet, transport_sequence, buffer);
  }

  // For sender reports: what went out and where the timestamps stand.
  uint32_t ssrc() const { return spec_.ssrc; }
  const OutgoingSpec& spec() const { return spec_; }
  uint32_t timestamp_offset() const { return timestamp_offset_; }
  const SubscriptionStats& stats() const { return stats_; }

 private:
  struct Numbers {
    uint16_t picture_id = 0;  // VP8; of other codecs the dependency descriptor's frame number
    uint8_t tl0 = 0, key_index = 0;
  };
  struct Frame {  // VP8: one decision and one set of numbers for all packets of a frame
    uint32_t timestamp = 0;
    bool used = false, forwarded = false;
    Numbers numbers;
  };
  struct Sent {           // kept small: a session's memory is mostly these
    int64_t in : 54 = 0;  // the publisher's sequence
    uint64_t stream : 8 = 0;
    bool marker : 1 = false, used : 1 = false;
    uint32_t resent_ms = 0;  // low bits of the time; 0: not yet
    uint32_t timestamp = 0;
    uint16_t out = 0, transport_sequence = 0;
    Numbers numbers;
  };
  static_assert(sizeof(Sent) == 24);

  bool admit(const IncomingStream& stream, uint8_t index, const Packet& packet, MonoUs now);
  void begin(const IncomingStream& stream, uint8_t index, const Packet& packet, MonoUs now);
  uint32_t aligned_timestamp(const IncomingStream& stream, const Packet& packet, MonoUs now) const;
  bool wanted_layer(const IncomingStream& stream, const Packet& packet);
  bool vp8_frame(const Packet& packet, Numbers& numbers);
  void move_temporal(const PayloadInfo& info, uint8_t wanted);
  void number_frame(const Packet& packet, Numbers& numbers);
  rtc::RtpHead original_head(const Sent& sent, const Packet& packet) const;
  Outgoing write(const Sent& sent, const Packet& packet, const rtc::RtpHead& head,
                 uint16_t transport_sequence, bool rtx, std::span<uint8_t> buffer) const;
  std::optional<Outgoing> write_rtx(const Sent& sent, const Packet& packet,
                                    uint16_t transport_sequence, std::span<uint8_t> buffer);
  Outgoing write_padding(uint16_t transport_sequence, std::span<uint8_t> buffer);
  Sent* sent_packet(uint16_t sequence, MonoUs now, MonoUs round_trip);
  std::optional<Outgoing> repeat(Sent& sent, const Packet* packet, uint16_t sequence,
                                 uint16_t transport_sequence, MonoUs now,
                                 std::span<uint8_t> buffer);

  OutgoingSpec spec_;
  std::optional<Layer> target_;
  std::optional<uint8_t> current_;
  uint8_t spatial_ = 0, temporal_ = 0;
  std::optional<size_t> decode_target_;

  SequenceMap sequences_;
  int64_t next_out_ = 1;  // below 2^15, as SRTP wants the first to be
  uint32_t timestamp_offset_ = 0, last_timestamp_ = 0;
  uint64_t last_ntp_ = 0;
  MonoUs last_sent_at_ = 0;
  bool sent_any_ = false;

  std::array<Frame, 16> frames_{};
  size_t frame_at_ = 0;
  uint16_t next_picture_ = 0, picture_offset_ = 0;
  uint8_t tl0_offset_ = 0, key_offset_ = 0, last_tl0_ = 0, last_key_ = 0;
  uint16_t frame_number_offset_ = 0, last_frame_number_ = 0;

  std::array<Sent, kHistory> history_{};
  uint16_t next_rtx_ = 1;
  MonoUs resend_window_ = 0;
  size_t resends_ = 0;
  mutable std::array<uint8_t, 256> descriptor_;  // of the packet being written
  SubscriptionStats stats_;
};

}  // namespace footlight::sfu
