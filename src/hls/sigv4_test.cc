// The examples that AWS publishes: those of its Signature Version 4 test suite (service "service",
// 2015-08-30) and those of the Amazon S3 API Reference (2013-05-24).
#include "hls/sigv4.h"

#include <gtest/gtest.h>

#include "core/bytes.h"
#include "core/sha256.h"
#include "hls/s3.h"

namespace footlight::hls {
namespace {

constexpr WallMs kSuiteMs = 1'440'938'160'000;  // 2015-08-30T12:36:00Z
constexpr WallMs kS3Ms = 1'369'353'600'000;     // 2013-05-24T00:00:00Z
const Credentials kSuite{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};
const Credentials kS3{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};

std::string hash_of(std::string_view text) { return to_hex(sha256(as_bytes(text))); }
std::string signature(const std::string& header) { return header.substr(header.find("ture=") + 5); }

SignedRequest suite(std::string method, std::string path) {
  SignedRequest made;
  made.method = std::move(method);
  made.path = std::move(path);
  made.headers = {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", amz_date(kSuiteMs)}};
  made.payload_sha256 = hash_of("");
  return made;
}
std::string sign(const SignedRequest& request) {
  return signature(authorization(request, {"us-east-1", "service", kSuiteMs}, kSuite));
}
SignedRequest s3(std::string method, std::string path, const std::string& body = "") {
  SignedRequest made;
  made.method = std::move(method);
  made.path = std::move(path);
  made.payload_sha256 = hash_of(body);
  made.headers = {{"host", "examplebucket.s3.amazonaws.com"},
                  {"x-amz-content-sha256", made.payload_sha256},
                  {"x-amz-date", amz_date(kS3Ms)}};
  return made;
}
std::string sign_s3(const SignedRequest& request) {
  return signature(authorization(request, {"us-east-1", "s3", kS3Ms}, kS3));
}

TEST(Sigv4Test, TheSuitesRequestsHaveTheSuitesSignatures) {
  EXPECT_EQ(sign(suite("GET", "/")),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  EXPECT_EQ(sign(suite("POST", "/")),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
  EXPECT_EQ(sign(suite("GET", "/%E1%88%B4")),
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
  SignedRequest query = suite("GET", "/");
  query.query = {{"Param2", "value2"}, {"Param1", "value1"}};
  EXPECT_EQ(sign(query), "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

TEST(Sigv4Test, TheFirstOfThemStepByStep) {
  const SignedRequest request = suite("GET", "/");
  EXPECT_EQ(canonical_request(request),
            "GET\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n"
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(string_to_sign(request, {"us-east-1", "service", kSuiteMs}),
            "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\n"
            "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63");
  EXPECT_EQ(authorization(request, {"us-east-1", "service", kSuiteMs}, kSuite).substr(0, 102),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=host;x-");
}

TEST(Sigv4Test, ValuesAreTrimmedAndSpacesInARowAreOne) {
  SignedRequest request = suite("GET", "/");
  request.headers.emplace_back("My-Header2", "    \"a   b   c\"  ");
  request.headers.emplace_back("My-Header1", " value1");
  EXPECT_EQ(sign(request), "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

TEST(Sigv4Test, TheExamplesOfTheS3ReferenceHaveItsSignatures) {
  SignedRequest get = s3("GET", "/test.txt");
  get.headers.emplace_back("Range", "bytes=0-9");
  EXPECT_EQ(sign_s3(get), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  SignedRequest put = s3("PUT", "/" + uri_encode("test$file.text", true), "Welcome to Amazon S3.");
  put.headers.emplace_back("Date", "Fri, 24 May 2013 00:00:00 GMT");
  put.headers.emplace_back("x-amz-storage-class", "REDUCED_REDUNDANCY");
  EXPECT_EQ(sign_s3(put), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  SignedRequest lifecycle = s3("GET", "/");
  lifecycle.query = {{"lifecycle", ""}};
  EXPECT_EQ(sign_s3(lifecycle), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  SignedRequest list = s3("GET", "/");
  list.query = {{"max-keys", "2"}, {"prefix", "J"}};
  EXPECT_EQ(sign_s3(list), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

S3Bucket bucket() {
  return {.endpoint = "https://s3.eu-central-1.amazonaws.com",
          .bucket = "shows",
          .region = "eu-central-1",
          .credentials = kS3};
}
std::string header(const S3Request& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return "";
}

TEST(S3Test, AnObjectLiesInTheBucketsHostOrBelowItsPath) {
  const S3Object object{"a b/s1.m4s", Chain(make_blob("x")), "video/mp4", "public, max-age=1"};
  S3Request put = s3_put(bucket(), object, kS3Ms);
  EXPECT_EQ(put.method, "PUT");
  EXPECT_EQ(put.url, "https://shows.s3.eu-central-1.amazonaws.com/a%20b/s1.m4s");
  EXPECT_EQ(header(put, "Content-Type"), "video/mp4");
  EXPECT_EQ(header(put, "Cache-Control"), "public, max-age=1");
  EXPECT_EQ(header(put, "x-amz-content-sha256"), hash_of("x"));
  EXPECT_NE(header(put, "Authorization")
                .find("SignedHeaders=cache-control;content-type;host;x-amz-content-sha256;"
                      "x-amz-date,"),
            std::string::npos);
  S3Bucket local = bucket();
  local.endpoint = "http://127.0.0.1:9000";
  local.path_style = true;
  local.credentials.token = "temporary";
  put = s3_put(local, object, kS3Ms);
  EXPECT_EQ(put.url, "http://127.0.0.1:9000/shows/a%20b/s1.m4s");
  EXPECT_EQ(header(put, "x-amz-security-token"), "temporary");
  EXPECT_NE(header(put, "Authorization").find("x-amz-security-token,"), std::string::npos);
  EXPECT_EQ(s3_remove(local, "k", kS3Ms).method, "DELETE");
}

TEST(S3Test, TheSecretStandsNowhereInARequest) {
  const S3Request put = s3_put(bucket(), {"k", Chain(make_blob("x")), "a/b", "c"}, kS3Ms);
  for (const auto& [name, value] : put.headers) {
    EXPECT_EQ(value.find(kS3.secret), std::string::npos) << name;
  }
  EXPECT_EQ(put.url.find(kS3.secret), std::string::npos);
}

TEST(S3Test, AnAnswerIsToldByItsCodeWithWhatToDo) {
  EXPECT_TRUE(s3_outcome(200, ""));
  EXPECT_TRUE(s3_outcome(204, "<Code>AccessDenied</Code>"));
  const auto said = [](int status, std::string_view body) {
    return s3_outcome(status, body).error();
  };
  EXPECT_EQ(said(403, "<Error><Code>AccessDenied</Code>").detail,
            "the store answers 403 AccessDenied: check the key and its rights");
  EXPECT_EQ(said(403, "<Code>RequestTimeTooSkewed</Code>").detail,
            "the store answers 403 RequestTimeTooSkewed: set the clock");
  EXPECT_EQ(said(404, "").detail, "the store answers 404: there is no such bucket");
  EXPECT_EQ(said(500, "<Code>\x01<b>" + std::string(100, 'x')).detail, "the store answers 500");
  EXPECT_EQ(said(503, "<Code>" + std::string(100, 'x')).detail, "the store answers 503");
  EXPECT_EQ(said(507, "").code, Code::kPushFull);
  EXPECT_EQ(said(403, "<Code>QuotaExceeded</Code>").code, Code::kPushFull);
  EXPECT_EQ(said(301, "").code, Code::kPushFailed);
}

TEST(S3Test, NamesAndEndpointsThatCannotBeAreRefused) {
  EXPECT_TRUE(is_bucket_name("my-show.2026"));
  for (const char* bad : {"ab", "Shows", "a/b", "a..b", ""}) EXPECT_FALSE(is_bucket_name(bad));
  EXPECT_TRUE(is_endpoint("http://127.0.0.1:9000"));
  EXPECT_TRUE(is_endpoint("https://s3.example"));
  for (const char* bad : {"s3.example", "ftp://a", "https://", "https://a/b", "https://u@h", ""}) {
    EXPECT_FALSE(is_endpoint(bad)) << bad;
  }
}

}  // namespace
}  // namespace footlight::hls
