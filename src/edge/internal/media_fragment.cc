#include "edge/internal/media_fragment.h"

namespace footlight::edge {
namespace {

constexpr uint32_t kHostPreference = 126;  // RFC 8445 section 5.1.2.2
constexpr uint32_t kTcpPreference = 90;    // below every UDP host, above relays
constexpr uint32_t kPassive = 4 << 13;     // RFC 6544 section 4.2: the direction, of a host

// The first value of `name` ("a=ice-ufrag:") in the text; "" when there is none.
std::string_view attribute(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
    if (line.starts_with(name)) return line.substr(name.size());
  }
  return {};
}

// Lines of a letter, "=" and a value, and at least one.
bool is_description(std::string_view text) {
  bool any = false;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line == "\r") continue;
    if (line.size() < 2 || line[1] != '=') return false;
    any = true;
  }
  return any;
}

}  // namespace

Result<MediaFragment> read_fragment(std::string_view text) {
  if (text.size() > kMaxFragmentBytes) return fail(Code::kSdpTooLarge, "fragment");
  if (!is_description(text)) return fail(Code::kSdpSyntax, "no fragment");
  MediaFragment fragment;
  fragment.ufrag = attribute(text, "a=ice-ufrag:");
  fragment.password = attribute(text, "a=ice-pwd:");
  if (fragment.ufrag.empty() && fragment.password.empty()) return fragment;
  const auto within = [](const std::string& word, size_t least) {
    return word.size() >= least && word.size() <= 256;
  };
  if (!within(fragment.ufrag, 4)) return fail(Code::kSdpSyntax, "ice-ufrag");
  if (!within(fragment.password, 22)) return fail(Code::kSdpSyntax, "ice-pwd");
  return fragment;
}

std::vector<rtc::SdpCandidate> fragment_candidates(const MediaAddresses& addresses) {
  std::vector<rtc::SdpCandidate> candidates;
  const auto add = [&](const rtc::Address& address, bool tcp, uint32_t type, uint32_t local) {
    rtc::SdpCandidate candidate;
    candidate.foundation = std::to_string(candidates.size() + 1);
    candidate.priority = type << 24 | (local - static_cast<uint32_t>(candidates.size())) << 8 | 255;
    candidate.address = address;
    candidate.tcp = tcp;
    candidates.push_back(candidate);
  };
  for (const auto& address : addresses.udp) add(address, false, kHostPreference, 65'535);
  for (const auto& address : addresses.tcp) add(address, true, kTcpPreference, kPassive + 8'191);
  return candidates;
}

std::string fragment_line(const rtc::SdpMedia& media) {
  return "m=" + media.kind_text + " 9 " + media.protocol + " 0\r\na=mid:" + media.mid + "\r\n";
}

std::string write_fragment(const rtc::IceCredentials& ice, std::string_view line,
                           const MediaAddresses& addresses) {
  std::string out = "a=ice-lite\r\na=ice-ufrag:" + ice.ufrag + "\r\na=ice-pwd:" + ice.password;
  out.append("\r\n").append(line);
  for (const rtc::SdpCandidate& each : fragment_candidates(addresses)) {
    out += "a=" + rtc::write_candidate(each) + "\r\n";
  }
  return out + "a=end-of-candidates\r\n";
}

}  // namespace footlight::edge
