// Session descriptions (RFC 8866) as WebRTC uses them (RFC 8829, RFC 9143): read into values, and
// written. What we do not know is skipped; what we know and cannot read is an error. Answering an
// offer is in sdp_answer.h.
//
// Reading is linear in the bytes. Bounds, each with kSdpTooLarge: kSdpMaxBytes, kSdpMaxMedia, and
// per m-line kSdpMaxFormats, kSdpMaxExtensions, kSdpMaxSsrcs, kSdpMaxRids.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "rtc/address.h"

namespace footlight::rtc {

inline constexpr size_t kSdpMaxBytes = 256 * 1024;
inline constexpr size_t kSdpMaxMedia = 128;
inline constexpr size_t kSdpMaxFormats = 128;
inline constexpr size_t kSdpMaxExtensions = 64;
inline constexpr size_t kSdpMaxSsrcs = 64;
inline constexpr size_t kSdpMaxRids = 8;
inline constexpr size_t kSdpMaxCandidates = 64;

enum class MediaKind : uint8_t { kAudio, kVideo, kApplication, kOther };
enum class SdpDirection : uint8_t { kInactive = 0, kSendOnly = 1, kRecvOnly = 2, kSendRecv = 3 };
inline bool sends(SdpDirection direction) { return static_cast<uint8_t>(direction) & 1; }
inline bool receives(SdpDirection direction) { return static_cast<uint8_t>(direction) & 2; }
// What the other side calls this direction.
inline SdpDirection reversed(SdpDirection direction) {
  return static_cast<SdpDirection>((sends(direction) ? 2 : 0) | (receives(direction) ? 1 : 0));
}
enum class SdpSetup : uint8_t { kMissing, kActpass, kActive, kPassive };

// One payload type of an m-line.
struct SdpCodec {
  uint8_t payload_type = 0;
  std::string name;  // lower case: "opus", "vp8", "vp9", "h264", "av1", "red", "rtx"
  uint32_t clock_rate = 0;
  uint8_t channels = 1;
  std::string fmtp;  // as it stands
  bool nack = false, pli = false, fir = false, transport_cc = false, remb = false;
  bool rrtr = false;  // RFC 3611 section 5: it asks for answers to its reference times

  // A value of fmtp, e.g. "profile-id"; "" when it is not there.
  std::string_view parameter(std::string_view key) const;
  std::optional<uint8_t> repairs() const;  // "apt" of an rtx codec
};

struct SdpExtension {
  uint8_t id = 0;
  std::string uri;
};
struct SdpSsrc {
  uint32_t ssrc = 0;
  std::string cname;
  std::string msid;  // "stream track"
};
struct SdpSsrcGroup {
  std::string semantics;  // "FID", "SIM"
  std::vector<uint32_t> ssrcs;
};
struct SdpRid {
  std::string id;
  bool send = false;  // from the writer's point of view
};
struct SdpCandidate {
  std::string foundation = "1";
  bool tcp = false;  // passive, in what we write
  uint32_t priority = 0;
  Address address;
};
struct SdpFingerprint {
  std::string hash;  // lower case, "sha-256"
  Bytes digest;
  bool operator==(const SdpFingerprint&) const = default;
};

// One m-section. Session-level attributes that apply to it are copied in.
struct SdpMedia {
  MediaKind kind = MediaKind::kOther;
  std::string kind_text;  // as it stands in the m-line
  std::string protocol;
  std::string formats;  // as they stand; of a rejected or unknown m-line they are echoed
  uint16_t port = 9;
  bool bundle_only = false;
  std::string mid;
  SdpDirection direction = SdpDirection::kSendRecv;
  std::string ice_ufrag, ice_password;
  std::vector<SdpFingerprint> fingerprints;
  SdpSetup setup = SdpSetup::kMissing;
  bool rtcp_mux = false, rtcp_rsize = false;
  std::string msid;              // "stream track" or "-"
  std::vector<SdpCodec> codecs;  // in the order of the m-line
  std::vector<SdpExtension> extensions;
  std::vector<SdpSsrc> ssrcs;
  std::vector<SdpSsrcGroup> ssrc_groups;
  std::vector<SdpRid> rids;
  std::vector<std::string> simulcast_send, simulcast_recv;  // rids, in order
  std::vector<SdpCandidate> candidates;
  bool end_of_candidates = false;
  uint16_t sctp_port = 0;              // data channels
  uint32_t max_message_bytes = 65536;  // RFC 8841 section 6: the default

  bool rejected() const { return port == 0 && !bundle_only; }
};

struct SessionDescription {
  std::string session_id = "0";
  uint64_t version = 1;
  bool ice_lite = false;
  bool extmap_allow_mixed = false;
  std::optional<std::vector<std::string>> bundle;  // mids
  std::vector<SdpMedia> media;
};

// kSdpSyntax names the line, kSdpTooLarge the bound.
Result<SessionDescription> parse_sdp(std::string_view text);
std::string write_sdp(const SessionDescription& description);
std::string write_candidate(const SdpCandidate& candidate);  // "candidate:1 1 udp ... typ host"

// A trickled candidate, with or without "a=" and "candidate:". Host names (mDNS) and unknown
// transports give nullopt: a lite agent has no use for them anyway.
std::optional<SdpCandidate> parse_candidate(std::string_view text);

}  // namespace footlight::rtc
