#include <string>
#include <utility>

#include "rtc/sdp.h"

namespace footlight::rtc {
namespace {

class Writer {
 public:
  void session(const SessionDescription& description);
  void media(const SdpMedia& media);
  std::string take() { return std::move(out_); }

 private:
  template <class... Parts>
  void line(const Parts&... parts) {
    (append(parts), ...);
    out_ += "\r\n";
  }
  void append(std::string_view text) { out_ += text; }
  void append(uint64_t value) { out_ += std::to_string(value); }
  void codec(const SdpCodec& codec);
  void streams(const SdpMedia& media);
  void transport(const SdpMedia& media);
  void candidate(const SdpCandidate& candidate);

  std::string out_;
};

std::string joined(const std::vector<std::string>& parts, char separator) {
  std::string text;
  for (const auto& part : parts) {
    if (!text.empty()) text += separator;
    text += part;
  }
  return text;
}

// As they are registered: some peers compare what we lowered to compare.
std::string_view registered_name(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"vp8", "VP8"}, {"vp9", "VP9"}, {"h264", "H264"}, {"av1", "AV1"}};
  for (const auto& [lower, registered] : kNames) {
    if (name == lower) return registered;
  }
  return name;
}

std::string_view direction_text(SdpDirection direction) {
  switch (direction) {
    case SdpDirection::kInactive:
      return "inactive";
    case SdpDirection::kSendOnly:
      return "sendonly";
    case SdpDirection::kRecvOnly:
      return "recvonly";
    case SdpDirection::kSendRecv:
      break;
  }
  return "sendrecv";
}

std::string ip_text(const Address& address) {
  const std::string text = to_string(address);
  return address.v6 ? text.substr(1, text.rfind(']') - 1) : text.substr(0, text.rfind(':'));
}

void Writer::session(const SessionDescription& description) {
  line("v=0");
  line("o=- ", description.session_id, " ", description.version, " IN IP4 127.0.0.1");
  line("s=-");
  line("t=0 0");
  if (description.ice_lite) line("a=ice-lite");
  if (description.bundle) line("a=group:BUNDLE ", joined(*description.bundle, ' '));
  if (description.extmap_allow_mixed) line("a=extmap-allow-mixed");
  line("a=msid-semantic: WMS *");
}

void Writer::codec(const SdpCodec& codec) {
  const uint64_t type = codec.payload_type;
  if (codec.channels > 1) {
    line("a=rtpmap:", type, " ", registered_name(codec.name), "/", uint64_t{codec.clock_rate}, "/",
         uint64_t{codec.channels});
  } else {
    line("a=rtpmap:", type, " ", registered_name(codec.name), "/", uint64_t{codec.clock_rate});
  }
  if (codec.remb) line("a=rtcp-fb:", type, " goog-remb");
  if (codec.transport_cc) line("a=rtcp-fb:", type, " transport-cc");
  if (codec.fir) line("a=rtcp-fb:", type, " ccm fir");
  if (codec.nack) line("a=rtcp-fb:", type, " nack");
  if (codec.rrtr) line("a=rtcp-fb:", type, " rrtr");
  if (codec.pli) line("a=rtcp-fb:", type, " nack pli");
  if (!codec.fmtp.empty()) line("a=fmtp:", type, " ", codec.fmtp);
}

void Writer::transport(const SdpMedia& media) {
  line("a=ice-ufrag:", media.ice_ufrag);
  line("a=ice-pwd:", media.ice_password);
  for (const auto& fingerprint : media.fingerprints) {
    std::string digest;
    for (const uint8_t byte : fingerprint.digest) {
      if (!digest.empty()) digest += ':';
      for (const char c : to_hex({&byte, 1})) {
        digest += c >= 'a' ? static_cast<char>(c - 32) : c;
      }
    }
    line("a=fingerprint:", fingerprint.hash, " ", digest);
  }
  if (media.setup == SdpSetup::kActpass) line("a=setup:actpass");
  if (media.setup == SdpSetup::kActive) line("a=setup:active");
  if (media.setup == SdpSetup::kPassive) line("a=setup:passive");
}

void Writer::candidate(const SdpCandidate& candidate) { line("a=", write_candidate(candidate)); }

void Writer::streams(const SdpMedia& media) {
  for (const auto& rid : media.rids) line("a=rid:", rid.id, rid.send ? " send" : " recv");
  if (!media.simulcast_send.empty() || !media.simulcast_recv.empty()) {
    std::string text;
    if (!media.simulcast_send.empty()) text = "send " + joined(media.simulcast_send, ';');
    if (!media.simulcast_recv.empty()) {
      text += (text.empty() ? "recv " : " recv ") + joined(media.simulcast_recv, ';');
    }
    line("a=simulcast:", text);
  }
  for (const auto& group : media.ssrc_groups) {
    std::string text = group.semantics;
    for (const uint32_t ssrc : group.ssrcs) text += " " + std::to_string(ssrc);
    line("a=ssrc-group:", text);
  }
  for (const auto& ssrc : media.ssrcs) {
    line("a=ssrc:", uint64_t{ssrc.ssrc}, " cname:", ssrc.cname);
    if (!ssrc.msid.empty()) line("a=ssrc:", uint64_t{ssrc.ssrc}, " msid:", ssrc.msid);
  }
}

void Writer::media(const SdpMedia& media) {
  std::string formats;
  for (const auto& codec : media.codecs) {
    formats += (formats.empty() ? "" : " ") + std::to_string(codec.payload_type);
  }
  if (media.rejected() || formats.empty()) formats = media.formats;
  line("m=", media.kind_text, " ", uint64_t{media.port}, " ", media.protocol, " ", formats);
  line("c=IN IP4 0.0.0.0");
  if (!media.mid.empty()) line("a=mid:", media.mid);
  if (media.bundle_only) line("a=bundle-only");
  if (media.rejected()) return line("a=inactive");
  transport(media);
  for (const auto& each : media.candidates) candidate(each);
  if (media.end_of_candidates) line("a=end-of-candidates");
  if (media.kind == MediaKind::kApplication) {
    line("a=sctp-port:", uint64_t{media.sctp_port});
    line("a=max-message-size:", uint64_t{media.max_message_bytes});
    return;
  }
  for (const auto& extension : media.extensions) {
    line("a=extmap:", uint64_t{extension.id}, " ", extension.uri);
  }
  line("a=", direction_text(media.direction));
  if (!media.msid.empty()) line("a=msid:", media.msid);
  if (media.rtcp_mux) line("a=rtcp-mux");
  if (media.rtcp_rsize) line("a=rtcp-rsize");
  for (const auto& each : media.codecs) codec(each);
  streams(media);
}

}  // namespace

std::string write_candidate(const SdpCandidate& candidate) {
  return "candidate:" + candidate.foundation + " 1 " + (candidate.tcp ? "tcp " : "udp ") +
         std::to_string(candidate.priority) + " " + ip_text(candidate.address) + " " +
         std::to_string(candidate.address.port) + " typ host" +
         (candidate.tcp ? " tcptype passive" : "");
}

std::string write_sdp(const SessionDescription& description) {
  Writer writer;
  writer.session(description);
  for (const auto& media : description.media) writer.media(media);
  return writer.take();
}

}  // namespace footlight::rtc
