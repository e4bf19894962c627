#include <algorithm>
#include <charconv>

#include "rtc/sdp.h"

namespace footlight::rtc {
namespace {

// Takes the next word, up to `separator`, off the front.
std::string_view take(std::string_view& text, char separator = ' ') {
  const size_t end = text.find(separator);
  const std::string_view word = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  return word;
}

template <class T>
bool number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

bool is_token(std::string_view text, size_t max_size) {
  return !text.empty() && text.size() <= max_size &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
}

class Parser {
 public:
  Status line(char type, std::string_view value);
  SessionDescription finish();

 private:
  Status media_line(std::string_view value);
  Status attribute(std::string_view value);
  Status session_attribute(std::string_view name, std::string_view value);
  Status media_attribute(SdpMedia& media, std::string_view name, std::string_view value);
  Status shared_attribute(SdpMedia& media, std::string_view name, std::string_view value);
  Status rtpmap(SdpMedia& media, std::string_view value);
  Status rtcp_feedback(SdpMedia& media, std::string_view value);
  Status format_parameters(SdpMedia& media, std::string_view value);
  Status extension(SdpMedia& media, std::string_view value);
  Status ssrc(SdpMedia& media, std::string_view value);
  Status ssrc_group(SdpMedia& media, std::string_view value);
  Status rid(SdpMedia& media, std::string_view value);
  Status simulcast(SdpMedia& media, std::string_view value);
  Status fingerprint(SdpMedia& media, std::string_view value);

  SessionDescription description_;
  SdpMedia session_;  // attributes above the first m-line
};

Status bad(std::string_view what) {
  return fail(Code::kSdpSyntax, std::string(what.substr(0, 80)));
}
Status full(const char* what) { return fail(Code::kSdpTooLarge, what); }

SdpCodec* codec_of(SdpMedia& media, std::string_view payload_type) {
  uint8_t wanted;
  if (!number(payload_type, wanted)) return nullptr;
  for (auto& codec : media.codecs) {
    if (codec.payload_type == wanted) return &codec;
  }
  return nullptr;
}

Status Parser::line(char type, std::string_view value) {
  if (type == 'm') return media_line(value);
  if (type == 'a') return attribute(value);
  if (type == 'o' && description_.media.empty()) {
    take(value);
    const std::string_view id = take(value);
    if (!is_token(id, 64)) return bad("o=");
    description_.session_id = id;
    if (!number(take(value), description_.version)) return bad("o=");
  }
  return {};
}

Status Parser::media_line(std::string_view value) {
  if (description_.media.size() == kSdpMaxMedia) return full("m-lines");
  SdpMedia media = session_;
  const std::string_view whole = value;
  const std::string_view kind = take(value);
  media.kind_text = kind;
  media.kind = kind == "audio"         ? MediaKind::kAudio
               : kind == "video"       ? MediaKind::kVideo
               : kind == "application" ? MediaKind::kApplication
                                       : MediaKind::kOther;
  std::string_view port = take(value);
  if (!number(take(port, '/'), media.port)) return bad(whole);
  const std::string_view protocol = take(value);
  if (!is_token(protocol, 64) || !is_token(kind, 32)) return bad(whole);
  media.protocol = protocol;
  if (value.size() > 1024) return full("formats");
  media.formats = value;
  if (media.kind == MediaKind::kAudio || media.kind == MediaKind::kVideo) {
    while (!value.empty()) {
      if (media.codecs.size() == kSdpMaxFormats) return full("formats");
      SdpCodec codec;
      if (!number(take(value), codec.payload_type) || codec.payload_type > 127) return bad(whole);
      if (codec_of(media, std::to_string(codec.payload_type))) return bad(whole);
      media.codecs.push_back(std::move(codec));
    }
  }
  description_.media.push_back(std::move(media));
  return {};
}

Status Parser::attribute(std::string_view value) {
  const std::string_view name = take(value, ':');
  if (description_.media.empty()) return session_attribute(name, value);
  return media_attribute(description_.media.back(), name, value);
}

Status Parser::session_attribute(std::string_view name, std::string_view value) {
  if (name == "ice-lite") {
    description_.ice_lite = true;
  } else if (name == "extmap-allow-mixed") {
    description_.extmap_allow_mixed = true;
  } else if (name == "group" && take(value) == "BUNDLE") {
    auto& mids = description_.bundle.emplace();
    while (!value.empty()) {
      if (mids.size() == kSdpMaxMedia) return full("BUNDLE");
      mids.emplace_back(take(value));
    }
  } else {
    return shared_attribute(session_, name, value);
  }
  return {};
}

// What may stand at both levels.
Status Parser::shared_attribute(SdpMedia& media, std::string_view name, std::string_view value) {
  if (name == "ice-ufrag" || name == "ice-pwd") {
    if (!is_token(value, 256)) return bad(name);
    (name == "ice-ufrag" ? media.ice_ufrag : media.ice_password) = value;
  } else if (name == "fingerprint") {
    return fingerprint(media, value);
  } else if (name == "setup") {
    media.setup = value == "actpass"   ? SdpSetup::kActpass
                  : value == "active"  ? SdpSetup::kActive
                  : value == "passive" ? SdpSetup::kPassive
                                       : SdpSetup::kMissing;
  } else if (name == "sendrecv") {
    media.direction = SdpDirection::kSendRecv;
  } else if (name == "sendonly") {
    media.direction = SdpDirection::kSendOnly;
  } else if (name == "recvonly") {
    media.direction = SdpDirection::kRecvOnly;
  } else if (name == "inactive") {
    media.direction = SdpDirection::kInactive;
  } else if (name == "extmap") {
    return extension(media, value);
  }
  return {};
}

Status Parser::media_attribute(SdpMedia& media, std::string_view name, std::string_view value) {
  if (name == "mid") {
    if (!is_token(value, 64)) return bad(name);
    media.mid = value;
  } else if (name == "rtcp-mux") {
    media.rtcp_mux = true;
  } else if (name == "rtcp-rsize") {
    media.rtcp_rsize = true;
  } else if (name == "bundle-only") {
    media.bundle_only = true;
  } else if (name == "msid") {
    if (value.size() > 256) return full("msid");
    media.msid = value;
  } else if (name == "end-of-candidates") {
    media.end_of_candidates = true;
  } else if (name == "sctp-port") {
    if (!number(value, media.sctp_port)) return bad(name);
  } else if (name == "max-message-size") {
    if (!number(value, media.max_message_bytes)) return bad(name);
  } else if (name == "candidate") {
    if (media.candidates.size() == kSdpMaxCandidates) return full("candidates");
    if (auto candidate = parse_candidate(value)) media.candidates.push_back(std::move(*candidate));
  } else if (name == "rtpmap") {
    return rtpmap(media, value);
  } else if (name == "fmtp") {
    return format_parameters(media, value);
  } else if (name == "rtcp-fb") {
    return rtcp_feedback(media, value);
  } else if (name == "ssrc") {
    return ssrc(media, value);
  } else if (name == "ssrc-group") {
    return ssrc_group(media, value);
  } else if (name == "rid") {
    return rid(media, value);
  } else if (name == "simulcast") {
    return simulcast(media, value);
  } else {
    return shared_attribute(media, name, value);
  }
  return {};
}

Status Parser::rtpmap(SdpMedia& media, std::string_view value) {
  const std::string_view whole = value;
  SdpCodec* codec = codec_of(media, take(value));
  if (!codec) return {};  // of no format of this m-line
  const std::string_view name = take(value, '/');
  if (!is_token(name, 32)) return bad(whole);
  codec->name = lower(name);
  if (!number(take(value, '/'), codec->clock_rate)) return bad(whole);
  if (!value.empty() && !number(value, codec->channels)) return bad(whole);
  return {};
}

Status Parser::format_parameters(SdpMedia& media, std::string_view value) {
  SdpCodec* codec = codec_of(media, take(value));
  if (!codec) return {};
  if (value.size() > 1024) return full("fmtp");
  codec->fmtp = value;
  return {};
}

Status Parser::rtcp_feedback(SdpMedia& media, std::string_view value) {
  const std::string_view payload_type = take(value);
  const auto note = [&](SdpCodec& codec) {
    if (value == "nack") codec.nack = true;
    if (value == "nack pli") codec.pli = true;
    if (value == "ccm fir") codec.fir = true;
    if (value == "transport-cc") codec.transport_cc = true;
    if (value == "goog-remb") codec.remb = true;
    if (value == "rrtr") codec.rrtr = true;
  };
  if (payload_type == "*") {
    std::for_each(media.codecs.begin(), media.codecs.end(), note);
  } else if (SdpCodec* codec = codec_of(media, payload_type)) {
    note(*codec);
  }
  return {};
}

Status Parser::extension(SdpMedia& media, std::string_view value) {
  if (media.extensions.size() == kSdpMaxExtensions) return full("extensions");
  const std::string_view whole = value;
  std::string_view entry = take(value);
  SdpExtension extension;
  uint16_t id;
  if (!number(take(entry, '/'), id)) return bad(whole);
  if (id == 0 || id > 255) return {};  // RFC 8285 section 7: an offerer's way to say "later"
  extension.id = static_cast<uint8_t>(id);
  const std::string_view uri = take(value);
  if (!is_token(uri, 256)) return bad(whole);
  extension.uri = uri;
  media.extensions.push_back(std::move(extension));
  return {};
}

Status Parser::ssrc(SdpMedia& media, std::string_view value) {
  const std::string_view whole = value;
  uint32_t number_of;
  if (!number(take(value), number_of)) return bad(whole);
  auto found = std::find_if(media.ssrcs.begin(), media.ssrcs.end(),
                            [&](const SdpSsrc& ssrc) { return ssrc.ssrc == number_of; });
  if (found == media.ssrcs.end()) {
    if (media.ssrcs.size() == kSdpMaxSsrcs) return full("ssrc");
    found = media.ssrcs.insert(found, SdpSsrc{number_of, {}, {}});
  }
  const std::string_view name = take(value, ':');
  if (value.size() > 256) return full("ssrc");
  if (name == "cname") found->cname = value;
  if (name == "msid") found->msid = value;
  return {};
}

Status Parser::ssrc_group(SdpMedia& media, std::string_view value) {
  if (media.ssrc_groups.size() == kSdpMaxSsrcs) return full("ssrc-group");
  const std::string_view whole = value;
  SdpSsrcGroup group;
  group.semantics = take(value).substr(0, 16);
  while (!value.empty()) {
    if (group.ssrcs.size() == kSdpMaxSsrcs) return full("ssrc-group");
    uint32_t number_of;
    if (!number(take(value), number_of)) return bad(whole);
    group.ssrcs.push_back(number_of);
  }
  media.ssrc_groups.push_back(std::move(group));
  return {};
}

Status Parser::rid(SdpMedia& media, std::string_view value) {
  if (media.rids.size() == kSdpMaxRids) return full("rid");
  const std::string_view id = take(value);
  if (!is_token(id, 16)) return bad("rid");
  media.rids.push_back({std::string(id), take(value) == "send"});
  return {};
}

// RFC 8853: "send q;h;f recv …", alternatives by commas (the first is taken), "~" for paused.
Status Parser::simulcast(SdpMedia& media, std::string_view value) {
  while (!value.empty()) {
    const std::string_view direction = take(value);
    std::string_view list = take(value);
    if (direction != "send" && direction != "recv") return bad("simulcast");
    auto& rids = direction == "send" ? media.simulcast_send : media.simulcast_recv;
    while (!list.empty()) {
      if (rids.size() == kSdpMaxRids) return full("simulcast");
      std::string_view alternatives = take(list, ';');
      std::string_view rid = take(alternatives, ',');
      if (rid.starts_with('~')) rid.remove_prefix(1);
      if (!is_token(rid, 16)) return bad("simulcast");
      rids.emplace_back(rid);
    }
  }
  return {};
}

Status Parser::fingerprint(SdpMedia& media, std::string_view value) {
  if (media.fingerprints.size() == 8) return full("fingerprints");
  SdpFingerprint fingerprint;
  fingerprint.hash = lower(take(value).substr(0, 16));
  if (value.size() > 200) return bad("fingerprint");
  std::string digits;
  while (!value.empty()) {
    const std::string_view byte = take(value, ':');
    if (byte.size() != 2) return bad("fingerprint");
    digits += byte;
  }
  if (!from_hex(digits, fingerprint.digest)) return bad("fingerprint");
  // A media-level one replaces those of the session level (RFC 8122 section 5).
  if (&media != &session_ && !session_.fingerprints.empty() &&
      media.fingerprints == session_.fingerprints) {
    media.fingerprints.clear();
  }
  media.fingerprints.push_back(std::move(fingerprint));
  return {};
}

SessionDescription Parser::finish() { return std::move(description_); }

}  // namespace

std::string_view SdpCodec::parameter(std::string_view key) const {
  std::string_view rest = fmtp;
  while (!rest.empty()) {
    std::string_view pair = take(rest, ';');
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (take(pair, '=') == key) return pair;
  }
  return {};
}

std::optional<uint8_t> SdpCodec::repairs() const {
  uint8_t payload_type;
  if (name != "rtx" || !number(parameter("apt"), payload_type)) return std::nullopt;
  return payload_type;
}

Result<SessionDescription> parse_sdp(std::string_view text) {
  if (text.size() > kSdpMaxBytes) return fail(Code::kSdpTooLarge, "bytes");
  if (!text.starts_with("v=0")) return fail(Code::kSdpSyntax, "v=0 must come first");
  Parser parser;
  while (!text.empty()) {
    std::string_view line = take(text, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (line.size() < 2 || line[1] != '=')
      return fail(Code::kSdpSyntax, std::string(line.substr(0, 80)));
    if (auto read = parser.line(line[0], line.substr(2)); !read) {
      return std::unexpected(read.error());
    }
  }
  return parser.finish();
}

namespace {

bool parse_ipv4(std::string_view text, Address& address) {
  for (size_t i = 0; i < 4; ++i) {
    if (!number(take(text, '.'), address.ip[i])) return false;
  }
  return text.empty();
}

bool parse_ipv6(std::string_view text, Address& address) {
  address.v6 = true;
  std::vector<uint16_t> head, tail;
  auto* groups = &head;
  if (text.starts_with("::")) {
    groups = &tail;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    if (head.size() + tail.size() == 8) return false;
    const size_t end = text.find(':');
    uint16_t value;
    const std::string_view digits = text.substr(0, end);
    const auto [at, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (error != std::errc() || at != digits.data() + digits.size()) return false;
    groups->push_back(value);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
    if (text.starts_with(':')) {
      if (groups == &tail) return false;
      groups = &tail;
      text.remove_prefix(1);
    } else if (text.empty()) {
      return false;
    }
  }
  if (groups == &head ? head.size() != 8 : head.size() + tail.size() > 7) return false;
  const auto put = [&](size_t index, uint16_t value) {
    address.ip[2 * index] = static_cast<uint8_t>(value >> 8);
    address.ip[2 * index + 1] = static_cast<uint8_t>(value);
  };
  for (size_t i = 0; i < head.size(); ++i) put(i, head[i]);
  for (size_t i = 0; i < tail.size(); ++i) put(8 - tail.size() + i, tail[i]);
  return true;
}

}  // namespace

std::optional<SdpCandidate> parse_candidate(std::string_view text) {
  if (text.starts_with("a=")) text.remove_prefix(2);
  if (text.starts_with("candidate:")) text.remove_prefix(10);
  SdpCandidate candidate;
  const std::string_view foundation = take(text);
  if (!is_token(foundation, 32)) return std::nullopt;
  candidate.foundation = foundation;
  take(text);  // component
  const std::string transport = lower(take(text).substr(0, 8));
  candidate.tcp = transport == "tcp";
  if (transport != "udp" && !candidate.tcp) return std::nullopt;
  if (!number(take(text), candidate.priority)) return std::nullopt;
  const std::string_view ip = take(text);
  if (!parse_ipv4(ip, candidate.address)) {
    candidate.address = {};
    if (!parse_ipv6(ip, candidate.address)) return std::nullopt;
  }
  if (!number(take(text), candidate.address.port)) return std::nullopt;
  return candidate;
}

}  // namespace footlight::rtc
