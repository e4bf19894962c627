// A client's side of WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): an offer goes out by POST,
// the answer comes back with the session's address, which is deleted in the end.
//
// Blocks; any thread that may wait.
#pragma once
#include <string>
#include <string_view>

#include "core/result.h"

namespace footlight::ops {

struct WhipCall {
  std::string url;    // the endpoint
  std::string token;  // "" = none
  bool tls_verify = true;
};

struct WhipSession {
  std::string answer;   // SDP
  std::string address;  // absolute; "" when the server names none
  std::string etag;
};

// kUnreachable, or kBadRequest with the server's status and words.
Result<WhipSession> whip_open(const WhipCall& call, std::string_view offer);
Status whip_close(const WhipCall& call, const WhipSession& session);

// What a Location names, seen from where it was answered: absolute, a path, or relative (RFC 3986
// section 5.2, without dot segments in the middle).
std::string resolve_location(std::string_view base, std::string_view location);

}  // namespace footlight::ops
