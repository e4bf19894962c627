// Answering an offer (RFC 3264, RFC 8829 section 5.3). The client always offers: to publish, and
// with recvonly m-lines to subscribe; the server answers. So there is no glare and every m-line's
// mid is the client's.
//
// What is accepted: m-lines of one BUNDLE group (or the only m-line) over one DTLS transport with
// rtcp-mux; Opus and its RED, VP8, VP9, H264, AV1 and RTX for them; the extensions of
// rtp_extensions.h; simulcast by rid or by ssrc-group SIM; one data channel m-line. Everything else
// is rejected line by line and the rest goes on.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "rtc/ice.h"
#include "rtc/rtp_extensions.h"
#include "rtc/sdp.h"

namespace footlight::rtc {

enum class RtpCodec : uint8_t { kOpus, kRed, kVp8, kVp9, kH264, kAv1 };

// A codec as one m-line has it.
struct NegotiatedCodec {
  RtpCodec codec = RtpCodec::kOpus;
  uint8_t payload_type = 0;
  std::optional<uint8_t> rtx_payload_type;
  uint32_t clock_rate = 0;
  // What must agree for a subscriber to decode a publisher's stream: VP9's profile-id, H264's
  // packetization-mode and profile, AV1's profile; "" for others.
  std::string format;
  bool nack = false, pli = false, fir = false, transport_cc = false, remb = false;
};

// One encoding that the client sends on an m-line, as far as the offer names it. Without ssrc it is
// recognized by mid and rid in its packets, or by its payload type.
struct NegotiatedEncoding {
  std::string rid;
  uint32_t ssrc = 0, rtx_ssrc = 0;
};

struct NegotiatedMedia {
  std::string mid;
  MediaKind kind = MediaKind::kOther;
  bool rejected = false;
  bool client_sends = false, client_receives = false;
  std::vector<NegotiatedCodec> codecs;  // the client's preference first
  RtpExtensionMap extensions;
  std::vector<NegotiatedEncoding> encodings;  // client_sends: lowest quality first, at least one
  // Of all m-lines on which the client sends no other has one of its payload types, and its packets
  // carry no mid: then a payload type names the m-line (RFC 9143, before it 8843, section 9.2).
  bool named_by_type = false;
  std::string msid;  // of what the client sends
  uint16_t sctp_port = 0;
  uint32_t max_message_bytes = 0;

  const NegotiatedCodec* codec_of(uint8_t payload_type) const;
};

// A stream that the server sends on an m-line with client_receives.
struct OutgoingStream {
  std::string mid;
  std::string cname, msid;          // msid: "stream track"
  uint32_t ssrc = 0, rtx_ssrc = 0;  // rtx_ssrc 0: no RTX
};

struct AnswerInput {
  std::string session_id;  // digits; the same for all answers of a session
  uint64_t version = 1;    // counts up with each answer
  IceCredentials ice;
  SdpFingerprint fingerprint;
  std::vector<SdpCandidate> candidates;
  uint16_t sctp_port = 5000;
  uint32_t max_message_bytes = 262'144;
  // Looked up by mid; an m-line that has none here is answered without sending on it.
  std::vector<OutgoingStream> outgoing;
};

struct SdpAnswer {
  SessionDescription description;
  std::vector<NegotiatedMedia> media;  // as many as the offer has m-lines, in order
  IceCredentials remote_ice;
  std::vector<SdpFingerprint> remote_fingerprints;
  bool we_are_client = false;  // of DTLS: only when the offer is passive
};

// kSdpTransport: no m-line that can be carried, or the transport lacks what is named there.
Result<SdpAnswer> answer_offer(const SessionDescription& offer, const AnswerInput& input);

// Whether `next` may follow `previous` in the same session (RFC 8829 section 5.2.2): no m-line
// fewer, and each of the same kind and mid unless it was rejected. kSdpChanged names the m-line.
Status check_reoffer(const SessionDescription& previous, const SessionDescription& next);

}  // namespace footlight::rtc
