// AWS Signature Version 4: how a request to an S3-like store proves who sends it. The secret never
// leaves the process; a key that is derived of it for one day, region and service signs a digest of
// the request.
//
// Source: AWS General Reference, "Create a signed AWS API request", and Amazon S3 API Reference,
// "Authenticating Requests: Using the Authorization Header".
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/time.h"

namespace footlight::hls {

struct Credentials {
  std::string key_id;
  std::string secret;
  std::string token;  // of temporary credentials; "" for none
};

struct SignedRequest {
  std::string method;  // "PUT"
  std::string path;    // absolute, as it is sent: percent-encoded once
  std::vector<std::pair<std::string, std::string>> query;    // not encoded
  std::vector<std::pair<std::string, std::string>> headers;  // all that are signed, with Host
  std::string payload_sha256;                                // hex
};

struct SigningScope {
  std::string region;   // "eu-central-1"
  std::string service;  // "s3"
  WallMs at_ms = 0;
};

// "20150830T123600Z", the value of X-Amz-Date.
std::string amz_date(WallMs at_ms);
// RFC 3986 section 2.3: all but A-Z a-z 0-9 - . _ ~ becomes %XX; with `keep_slash` also not '/'.
std::string uri_encode(std::string_view text, bool keep_slash);

std::string canonical_request(const SignedRequest& request);
std::string string_to_sign(const SignedRequest& request, const SigningScope& scope);
// The value of the header Authorization. `request` has x-amz-date among its headers already.
std::string authorization(const SignedRequest& request, const SigningScope& scope,
                          const Credentials& who);

}  // namespace footlight::hls
