// One synthetic person who watches: places for voices and pictures on any server that answers what
// write_offer() offers. Nothing is decoded: what a decoder could have shown is measured
// (StreamMeter), and how long packets were on the way, from the stamps of publishers of the same
// run. Reports as a browser does: transport feedback, receiver reports, NACK, PLI.
//
// Pure: datagrams and the time in; datagrams (in the peer's DatagramOut) and a deadline out. One
// thread. Bounds: kMaxStreams streams.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/histogram.h"
#include "ops/media_meter.h"
#include "ops/media_offer.h"
#include "rtc/client_peer.h"
#include "rtc/transport_feedback.h"

namespace footlight::ops {

struct WatcherOptions {
  size_t voices = 1, pictures = 1;  // places
  uint64_t run = 1;                 // whose stamps count
};

struct WatcherStats {
  MeterStats voice, video;          // sums over the streams
  uint64_t voices = 0, videos = 0;  // streams that came
  uint64_t unknown = 0;             // packets of no stream that was offered, or beyond the bound
  Histogram voice_us, video_us;     // one way, of each stamp
  Histogram first_frame_us;         // from accept() to a picture's first decoded frame
  void add(const WatcherStats& other);
};

class MediaWatcher {
 public:
  static constexpr size_t kMaxStreams = 128;

  MediaWatcher(const WatcherOptions& options, const rtc::ClientPeer::Config& config,
               Entropy& entropy, std::shared_ptr<const rtc::DtlsIdentity> identity,
               rtc::DatagramOut& out);

  std::string offer() const { return write_offer(peer_, options_.voices, options_.pictures); }
  Status accept(std::string_view answer, MonoUs now);

  void on_datagram(const rtc::Address& from, std::span<uint8_t> datagram, MonoUs now);
  // What on_datagram() does with packets once they are decrypted.
  void on_rtp(std::span<uint8_t> packet, MonoUs now);
  void on_rtcp(ByteView compound, MonoUs now);
  MonoUs deadline() const;
  void on_time(MonoUs now);

  rtc::ClientPeer& peer() { return peer_; }
  const rtc::ClientPeer& peer() const { return peer_; }
  WatcherStats stats(MonoUs now) const;
  // From here on is measured anew; when first frames came stays known.
  void reset();
  // The state of the line as seen here, since the last call.
  uint32_t take_loss_per_mille();

 private:
  struct Stream {
    explicit Stream(bool video) : meter(video) {}
    StreamMeter meter;
    std::string mid;
  };
  Stream* stream_of(uint32_t ssrc, uint8_t payload_type, std::string_view mid);
  uint32_t original_of(uint32_t rtx_ssrc, std::string_view mid) const;
  void ask(MonoUs now);
  void report(MonoUs now);
  void feed_back();

  WatcherOptions options_;
  rtc::ClientPeer peer_;
  std::vector<AnsweredLine> lines_;
  rtc::RtpExtensionMap extensions_;
  std::map<uint32_t, Stream> streams_;      // by SSRC
  std::map<uint32_t, uint32_t> originals_;  // by the SSRC of RTX
  rtc::TransportFeedbackWriter feedback_;
  uint32_t own_ssrc_ = 1;
  MonoUs accepted_us_ = 0, ask_us_ = 0, report_us_ = 0, feed_us_ = 0;
  uint64_t told_gaps_ = 0, told_packets_ = 0;
  uint64_t unknown_ = 0;
  Histogram voice_us_, video_us_;
};

}  // namespace footlight::ops
