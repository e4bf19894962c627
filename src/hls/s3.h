// An object store that speaks the S3 API: where an object's address lies, the signed request that
// puts or removes it, and what an answer means. No socket.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/chain.h"
#include "core/result.h"
#include "core/time.h"
#include "hls/sigv4.h"

namespace footlight::hls {

struct S3Bucket {
  std::string endpoint;  // "https://s3.eu-central-1.amazonaws.com": scheme and host, no path
  std::string bucket;    // 3..63 of a-z 0-9 . -
  std::string region = "us-east-1";
  bool path_style = false;  // ENDPOINT/BUCKET/KEY instead of BUCKET.ENDPOINT/KEY
  Credentials credentials;
};
bool is_bucket_name(std::string_view text);
// http:// or https://, a host, perhaps a port, and nothing after it.
bool is_endpoint(std::string_view text);

struct S3Object {
  std::string key;  // without a slash before it
  Chain body;
  std::string content_type;
  std::string cache_control;
};

struct S3Request {
  std::string method;
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;  // without Host and Content-Length
};
// Signs for `at_ms`; a store refuses what is more than 15 minutes off.
S3Request s3_put(const S3Bucket& bucket, const S3Object& object, WallMs at_ms);
S3Request s3_remove(const S3Bucket& bucket, std::string_view key, WallMs at_ms);

// What an answer says: nothing for 2xx; kPushFull when the store has no room; else kPushFailed with
// the status and the store's own word, and what to do where that is known.
Status s3_outcome(int status, std::string_view body);

}  // namespace footlight::hls
