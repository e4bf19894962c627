// Fragments of session descriptions (RFC 8840) as WHIP and WHEP trickle them: what a client says of
// its ICE transport after the offer, and our answer to a restart.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "rtc/ice.h"
#include "rtc/sdp.h"

namespace footlight::edge {

inline constexpr size_t kMaxFragmentBytes = 16 * 1024;

struct MediaFragment {
  std::string ufrag, password;  // both or neither
  bool operator==(const MediaFragment&) const = default;
};
// Reads the credentials and passes over everything else. kSdpTooLarge; kSdpSyntax: no lines of a
// description, one without the other, or of a length that RFC 8839 section 5.4 does not allow.
Result<MediaFragment> read_fragment(std::string_view text);

// Where clients reach the port, by UDP and by TCP, the best of each first.
struct MediaAddresses {
  std::vector<rtc::Address> udp, tcp;
};
// UDP is preferred (RFC 6544 section 4.2).
std::vector<rtc::SdpCandidate> fragment_candidates(const MediaAddresses& addresses);
// The m-line and its mid, as a fragment names the section it is about.
std::string fragment_line(const rtc::SdpMedia& media);
std::string write_fragment(const rtc::IceCredentials& ice, std::string_view line,
                           const MediaAddresses& addresses);

}  // namespace footlight::edge
