// A WebRTC client without a socket: an offer and an answer as text, and made up media, above the
// client's transport of rtc/client_peer.h. Tests and benchmarks put it beside the server; what it
// sends goes to a function.
//
// It publishes Opus and VP8, or watches any number of m-lines and counts what it can decrypt. Its
// receiving side reports as a browser does: transport feedback and receiver reports.
#pragma once
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/prng.h"
#include "rtc/client_peer.h"
#include "rtc/rtp_extensions.h"
#include "rtc/sdp.h"
#include "rtc/transport_feedback.h"

namespace footlight::rtc {

class SeededEntropy final : public Entropy {
 public:
  explicit SeededEntropy(uint64_t seed) : prng_(seed) {}
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out) byte = static_cast<uint8_t>(prng_.next());
  }

 private:
  Prng prng_;
};

// What came of one stream, decrypted.
struct Heard {
  uint64_t packets = 0, bytes = 0, frames = 0, key_frames = 0, jumps = 0;
  uint16_t last_sequence = 0;
  uint32_t last_timestamp = 0;
  uint8_t payload_type = 0;
  Bytes last_payload;
};

class MediaClient {
 public:
  using Send = std::function<void(std::span<uint8_t>)>;
  struct Options {
    bool publish = false;
    size_t audio = 1, video = 1;  // m-lines
    uint64_t seed = 1;
    bool channels = false;  // an m-line for data channels, last
    size_t encodings = 1;   // of a picture, each of twice the bytes of the one before
    bool nameless = false;  // neither the offer nor packets say which SSRC is which m-line's
  };
  static constexpr uint8_t kOpus = 111, kVp8 = 96, kRtx = 97;
  static constexpr uint8_t kMidId = 4, kTransportCcId = 3, kAudioLevelId = 1;

  MediaClient(const Options& options, std::shared_ptr<const DtlsIdentity> identity);

  std::string offer() const;
  // An answer, or the fragment that answers a restart.
  Status accept(std::string_view description);
  // New credentials of its own; offer them by a fragment.
  std::string restart_ice() { return peer_.restart_ice(); }

  // Checks the path (again, too) and begins DTLS.
  void check(MonoUs now, const Send& send);
  void on_datagram(std::span<uint8_t> datagram, MonoUs now, const Send& send);
  // DTLS that was lost.
  void on_time(MonoUs now, const Send& send);
  bool connected() const { return peer_.connected(); }
  bool closed() const { return peer_.state() == ClientPeerState::kClosed; }

  // Of a client with data channels, once the answer takes them; call pump() after using them.
  DataChannels* channels() { return peer_.channels(); }
  void pump(MonoUs now, const Send& send);

  // A frame of video in `packets` packets of `payload_bytes` (of the highest encoding); a voice
  // packet; a sender report.
  void send_frame(bool key, size_t packets, size_t payload_bytes, MonoUs now, const Send& send);
  void send_voice(size_t payload_bytes, MonoUs now, const Send& send);
  void send_report(MonoUs now, const Send& send);
  // What the server asked for since the last call.
  bool take_key_frame_request() { return std::exchange(key_frame_asked_, false); }
  // Feedback about what arrived.
  void feed_back(MonoUs now, const Send& send);

  // By SSRC. The streams the answer named, m-line by m-line.
  const std::map<uint32_t, Heard>& heard() const { return heard_; }
  uint32_t stream(size_t line) const { return streams_.at(line); }
  const Heard& of(size_t line) const;
  const SessionDescription& answer() const { return answer_; }
  uint64_t refused() const { return refused_ + peer_.refused(); }
  uint64_t rtcp() const { return rtcp_; }
  std::optional<DtlsSrtpKeys> keys() const { return peer_.keys(); }

 private:
  SdpMedia line(size_t index, bool video) const;
  uint32_t video_ssrc(size_t encoding) const {
    return video_ssrc_ + 4 * static_cast<uint32_t>(encoding);
  }
  void emit(const Send& send);
  void on_rtp(std::span<uint8_t> packet, MonoUs now);
  void on_rtcp(ByteView compound);

  Options options_;
  SeededEntropy entropy_;
  std::shared_ptr<const DtlsIdentity> identity_;
  DatagramOut datagrams_{1 << 18, 1024};
  ClientPeer peer_;
  std::string restart_;  // the fragment that answered a restart, until the next check
  SessionDescription answer_;
  std::vector<uint32_t> streams_;
  std::map<uint32_t, Heard> heard_;
  TransportFeedbackWriter feedback_;
  uint64_t refused_ = 0, rtcp_ = 0;
  bool key_frame_asked_ = false;
  uint32_t video_ssrc_, audio_ssrc_;
  std::array<uint16_t, 4> video_sequence_{100, 100, 100, 100};
  uint16_t audio_sequence_ = 200, transport_sequence_ = 1;
  uint16_t picture_ = 0;
  uint8_t tl0_ = 0;
  Bytes payload_;
};

}  // namespace footlight::rtc
