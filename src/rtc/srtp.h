// SRTP and SRTCP (RFC 3711; AEAD by RFC 7714): media packets, encrypted and authenticated under
// keys that DTLS agreed on.
//
// One SrtpSender and one SrtpReceiver serve a session. Both keep their cipher contexts from packet
// to packet and allocate nothing per packet; the sender encrypts straight from a payload that many
// subscribers share into the buffer that will be sent. Index and roll-over counter are kept per
// SSRC: what is not kept is forgotten on purpose (`forget`), because a forgotten receiving stream
// can be replayed.
//
// Not for use by two threads at once. No key material leaves these objects, and none is in an
// Error.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"

namespace footlight::rtc {

// The profiles' numbers in DTLS's use_srtp (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
enum class SrtpProfile : uint16_t {
  kAes128CmHmacSha1_80 = 0x0001,
  kAeadAes128Gcm = 0x0007,
  kAeadAes256Gcm = 0x0008,
};

struct SrtpSizes {
  size_t key_bytes;   // master key
  size_t salt_bytes;  // master salt
  size_t tag_bytes;
};
// Zeros for a number that is no profile.
SrtpSizes srtp_sizes(SrtpProfile profile);

struct SrtpMasterKey {
  SrtpProfile profile = SrtpProfile::kAeadAes128Gcm;
  Bytes key;
  Bytes salt;
};

// The most bytes that protecting adds to an RTP and to an RTCP packet, with any profile.
inline constexpr size_t kSrtpMaxTagBytes = 16;
inline constexpr size_t kSrtcpMaxOverheadBytes = 16 + 4;
inline constexpr size_t kSrtpReplayWindow = 1024;
inline constexpr size_t kSrtcpReplayWindow = 128;
// SSRCs that one session may use in one direction.
inline constexpr size_t kSrtpMaxStreams = 1024;

class SrtpSuite;

// Encrypts what this side sends.
class SrtpSender {
 public:
  // kSrtpKey when the key's or the salt's size is not the profile's.
  static Result<SrtpSender> make(const SrtpMasterKey& master);
  SrtpSender(SrtpSender&&) noexcept;
  SrtpSender& operator=(SrtpSender&&) noexcept;
  ~SrtpSender();

  // Writes the protected packet of `header` and `payload` into `out` and returns its size: header +
  // payload + tag. `header` is the RTP header with CSRCs and extensions, and what follows it there
  // is the beginning of the payload: a descriptor that was written anew for this receiver. `out`
  // may not overlap `payload`, save that payload may already stand at its place in `out`.
  //
  // A sequence number may be sent again, older by up to 2^15, and gets the same index and keystream
  // again. The caller then promises the very same header and payload: with an AEAD profile two
  // different packets under one index reveal the authentication key (RFC 7714 section 8.2). So a
  // resend whose extensions would differ goes by RTX, on an SSRC of its own.
  //
  // A stream starts in cycle zero with its first packet, as its receiver will assume; start it
  // below 2^15 so that a loss at the start cannot hide a roll-over (RFC 3711 section 3.3.1).
  //
  // kSrtpMalformed: no RTP header, or `out` is too small. kSrtpStreams: too many SSRCs.
  // kSrtpExhausted: the index has run out (2^48 packets), or a sequence number from before the
  // start.
  Result<size_t> protect_into(ByteView header, ByteView payload, std::span<uint8_t> out);

  // The same for a compound RTCP packet; `out` needs kSrtcpMaxOverheadBytes more than `packet`.
  Result<size_t> protect_rtcp_into(ByteView packet, std::span<uint8_t> out);

  // The sender will use this SSRC no more. It must not come back under this key.
  void forget(uint32_t ssrc);
  size_t stream_count() const { return streams_.size(); }

 private:
  struct Stream {
    uint32_t ssrc;
    uint64_t highest;  // index: roll-over counter and sequence number
  };
  SrtpSender();
  Result<uint64_t> index_of(uint32_t ssrc, uint16_t sequence);

  std::unique_ptr<SrtpSuite> rtp_;
  std::unique_ptr<SrtpSuite> rtcp_;
  std::vector<Stream> streams_;  // sorted by SSRC
  size_t last_ = 0;              // where the last packet's stream stands
  uint32_t rtcp_index_ = 0;      // 31 bits; one count for all our SSRCs
};

// The last `kBits` indices of one stream: which of them were received.
template <size_t kBits>
class ReplayWindow {
 public:
  static_assert(kBits % 64 == 0);
  // Whether `index` is neither received already nor too old to say.
  bool fresh(uint64_t index) const {
    if (!started_ || index > highest_) return true;
    return highest_ - index < kBits && (word(index) & bit(index)) == 0;
  }
  void mark(uint64_t index) {
    if (!started_) highest_ = index;
    if (index > highest_) {
      const uint64_t steps = index - highest_;
      if (steps >= kBits) {
        words_.fill(0);
      } else {
        for (uint64_t i = highest_ + 1; i <= index; ++i) word(i) &= ~bit(i);
      }
      highest_ = index;
    }
    started_ = true;
    word(index) |= bit(index);
  }
  uint64_t highest() const { return highest_; }

 private:
  static uint64_t bit(uint64_t index) { return uint64_t{1} << (index % 64); }
  uint64_t& word(uint64_t index) { return words_[index % kBits / 64]; }
  uint64_t word(uint64_t index) const { return words_[index % kBits / 64]; }

  std::array<uint64_t, kBits / 64> words_{};
  uint64_t highest_ = 0;
  bool started_ = false;
};

// Checks and decrypts what the peer sends.
class SrtpReceiver {
 public:
  static Result<SrtpReceiver> make(const SrtpMasterKey& master);
  SrtpReceiver(SrtpReceiver&&) noexcept;
  SrtpReceiver& operator=(SrtpReceiver&&) noexcept;
  ~SrtpReceiver();

  // Decrypts `packet` in place and returns the RTP packet, its first bytes. After an error the
  // packet's bytes are unspecified. A stream is remembered only once a packet of it proved
  // authentic, so strangers cannot fill the table.
  //
  // kSrtpMalformed, kSrtpReplayed (also: older than the window), kSrtpForged, kSrtpStreams (a new
  // SSRC beyond kSrtpMaxStreams).
  Result<std::span<uint8_t>> unprotect(std::span<uint8_t> packet);
  Result<std::span<uint8_t>> unprotect_rtcp(std::span<uint8_t> packet);

  // Makes room; the peer could replay what it sent on this SSRC.
  void forget(uint32_t ssrc);
  size_t stream_count() const { return streams_.size(); }

 private:
  struct Stream {
    uint32_t ssrc;
    ReplayWindow<kSrtpReplayWindow> window;
  };
  struct RtcpStream {
    uint32_t ssrc;
    ReplayWindow<kSrtcpReplayWindow> window;
  };
  SrtpReceiver();

  std::unique_ptr<SrtpSuite> rtp_;
  std::unique_ptr<SrtpSuite> rtcp_;
  std::vector<Stream> streams_;  // sorted by SSRC
  std::vector<RtcpStream> rtcp_streams_;
  size_t last_ = 0;
};

}  // namespace footlight::rtc
