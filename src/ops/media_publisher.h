// One synthetic person who publishes: a clip's voice and picture, in up to as many encodings as the
// clip has, to any server that takes what write_offer() offers. Sender reports go out every second,
// lost packets are sent again (RTX where it was agreed on, as they were where not), and who needs a
// key frame gets the last one of the clip at once, the frames after it late, and is in step again
// from the next key frame on.
//
// Pure: datagrams and the time in; datagrams (in the peer's DatagramOut) and a deadline out. One
// thread. Bounds: kKeptPackets of each stream are kept to be sent again.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "ops/clip.h"
#include "ops/media_offer.h"
#include "rtc/client_peer.h"
#include "rtc/rtcp.h"

namespace footlight::ops {

struct PublisherOptions {
  const Clip* clip = nullptr;
  MonoUs began_us = 0;  // when the clip's first frame was due; clips with one moment are in step
  int64_t wall_offset_us = 0;  // Unix time less MonoUs, for sender reports
  uint64_t run = 1;            // in the stamps
  bool simulcast = true;
};

struct PublisherStats {
  uint64_t packets = 0, bytes = 0;  // without what was sent again
  uint64_t frames = 0, key_frames = 0;
  uint64_t key_frames_asked = 0, nacked = 0, sent_again = 0;
  // What the server last reported of the streams: the worst.
  uint32_t loss_per_mille = 0;
  MonoUs round_trip_us = 0;
};

class MediaPublisher {
 public:
  static constexpr size_t kKeptPackets = 256;  // a power of two

  MediaPublisher(const PublisherOptions& options, const rtc::ClientPeer::Config& config,
                 Entropy& entropy, std::shared_ptr<const rtc::DtlsIdentity> identity,
                 rtc::DatagramOut& out);

  std::string offer() const { return write_offer(peer_, offered_); }
  // kSdp...; kTrackCodec when neither voice nor picture is taken.
  Status accept(std::string_view answer, MonoUs now);

  void on_datagram(const rtc::Address& from, std::span<uint8_t> datagram, MonoUs now);
  MonoUs deadline() const;
  void on_time(MonoUs now);

  rtc::ClientPeer& peer() { return peer_; }
  const rtc::ClientPeer& peer() const { return peer_; }
  const PublisherStats& stats() const { return stats_; }

 private:
  struct Kept {
    uint16_t sequence = 0;
    uint16_t head_bytes = 0;
    bool marker = false;
    uint32_t timestamp = 0;
    Bytes packet;
  };
  struct Stream {
    uint32_t ssrc = 0, rtx_ssrc = 0;
    size_t layer = 0;  // of the clip; not for the voice
    bool video = false;
    std::string rid;  // "" without simulcast
    uint16_t sequence = 0, rtx_sequence = 0, picture = 0;
    uint8_t tl0 = 0;
    uint32_t first_timestamp = 0;
    uint32_t packets = 0, octets = 0;
    bool started = false, key_wanted = false;
    size_t position = 0;  // the frame that was sent last
    std::vector<Kept> kept;
  };
  void begin(MonoUs now);
  void send_voice(MonoUs now);
  void send_frame(Stream& stream, size_t due, MonoUs now);
  void send_packet(Stream& stream, bool marker, uint32_t timestamp, ByteView payload,
                   const ClipVoice* voice);
  void send_again(Stream& stream, uint16_t sequence);
  void send_reports(MonoUs now);
  void on_rtcp(ByteView compound, MonoUs now);
  void want_key_frame(uint32_t ssrc);
  Stream* stream_of(uint32_t ssrc);
  uint32_t timestamp_at(const Stream& stream, MonoUs now) const;
  uint64_t ntp_of(MonoUs now) const;
  MonoUs frame_due(uint64_t number) const;
  size_t write_head(const Stream& stream, const rtc::RtpHead& head, bool repair, uint8_t level,
                    bool has_level);

  PublisherOptions options_;
  Entropy& entropy_;
  rtc::ClientPeer peer_;
  PublishOffer offered_;
  std::vector<AnsweredLine> lines_;
  std::vector<Stream> streams_;               // the voice first, then the picture's
  uint64_t next_voice_ = 0, next_frame_ = 0;  // counted from began_us
  bool begun_ = false;
  MonoUs report_us_ = 0;
  uint16_t transport_sequence_ = 1;
  std::array<uint8_t, 80> head_{};
  Bytes payload_;
  PublisherStats stats_;
};

}  // namespace footlight::ops
