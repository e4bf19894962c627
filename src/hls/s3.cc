#include "hls/s3.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/sha256.h"

namespace footlight::hls {
namespace {

constexpr std::string_view kNoBody =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr size_t kMostWord = 64;

std::string hash_of(const Chain& body) {
  Sha256 sha;
  for (const Chain::Slice& slice : body.slices()) sha.update(slice.bytes);
  return to_hex(sha.finish());
}

S3Request make(const S3Bucket& bucket, std::string_view method, std::string_view key,
               const S3Object* object, WallMs at_ms) {
  const size_t host_at = bucket.endpoint.find("://") + 3;
  std::string host = bucket.endpoint.substr(host_at);
  SignedRequest request;
  request.method = method;
  request.path = "/" + uri_encode(key, true);
  if (bucket.path_style) {
    request.path = "/" + bucket.bucket + request.path;
  } else {
    host = bucket.bucket + "." + host;
  }
  request.payload_sha256 = object ? hash_of(object->body) : std::string(kNoBody);
  S3Request out;
  out.method = method;
  out.url = bucket.endpoint.substr(0, host_at) + host + request.path;
  if (object) {
    out.headers.emplace_back("Content-Type", object->content_type);
    out.headers.emplace_back("Cache-Control", object->cache_control);
  }
  out.headers.emplace_back("x-amz-content-sha256", request.payload_sha256);
  out.headers.emplace_back("x-amz-date", amz_date(at_ms));
  if (!bucket.credentials.token.empty()) {
    out.headers.emplace_back("x-amz-security-token", bucket.credentials.token);
  }
  request.headers = out.headers;
  // As it is sent: without the port that the scheme has by itself.
  const bool tls = bucket.endpoint.starts_with("https://");
  const std::string_view usual = tls ? ":443" : ":80";
  if (host.ends_with(usual)) host.resize(host.size() - usual.size());
  request.headers.emplace_back("Host", host);
  out.headers.emplace_back(
      "Authorization", authorization(request, {bucket.region, "s3", at_ms}, bucket.credentials));
  return out;
}

// The text of the first <Code>, if it looks like one: letters and digits.
std::string_view code_word(std::string_view xml) {
  constexpr std::string_view kOpen = "<Code>";
  const size_t at = xml.find(kOpen);
  if (at == std::string_view::npos) return {};
  xml.remove_prefix(at + kOpen.size());
  const std::string_view word = xml.substr(0, std::min(xml.find('<'), kMostWord + 1));
  const bool good =
      word.size() <= kMostWord && std::ranges::all_of(word, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
      });
  return good ? word : std::string_view();
}

std::string_view advice(int status, std::string_view word) {
  if (word == "RequestTimeTooSkewed") return ": set the clock";
  if (word == "NoSuchBucket" || status == 404) return ": there is no such bucket";
  if (word == "SignatureDoesNotMatch" || word == "InvalidAccessKeyId") return ": check the key";
  if (status == 401 || status == 403) return ": check the key and its rights";
  if (status >= 300 && status < 400) return ": check endpoint, region and path_style";
  return "";
}

}  // namespace

bool is_bucket_name(std::string_view text) {
  return text.size() >= 3 && text.size() <= 63 && text.find("..") == std::string_view::npos &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
         });
}

bool is_endpoint(std::string_view text) {
  const size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return false;
  if (text.substr(0, scheme) != "http" && text.substr(0, scheme) != "https") return false;
  text.remove_prefix(scheme + 3);
  return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':' || c == '[' || c == ']';
  });
}

S3Request s3_put(const S3Bucket& bucket, const S3Object& object, WallMs at_ms) {
  return make(bucket, "PUT", object.key, &object, at_ms);
}

S3Request s3_remove(const S3Bucket& bucket, std::string_view key, WallMs at_ms) {
  return make(bucket, "DELETE", key, nullptr, at_ms);
}

Status s3_outcome(int status, std::string_view body) {
  if (status >= 200 && status < 300) return {};
  const std::string_view word = code_word(body);
  std::string said = "the store answers " + std::to_string(status);
  if (!word.empty()) said.append(" ").append(word);
  said.append(advice(status, word));
  const bool full = status == 507 || word == "QuotaExceeded" || word == "XMinioStorageFull" ||
                    word == "EntityTooLarge";
  return fail(full ? Code::kPushFull : Code::kPushFailed, std::move(said));
}

}  // namespace footlight::hls
