#include "net/http.h"

#include <gtest/gtest.h>

namespace footlight::net {
namespace {

TEST(Http, a_target_is_split_and_decoded) {
  const auto target = parse_target("/audience/a%20b.html?ep=demo&x=1");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/audience/a b.html");
  EXPECT_EQ(target->query, "ep=demo&x=1");
  EXPECT_EQ(parse_target("/")->path, "/");
  EXPECT_EQ(parse_target("/?")->query, "");
  EXPECT_EQ(parse_target("/a..b/...")->path, "/a..b/...");
}

TEST(Http, a_target_never_leaves_the_root) {
  for (const char* text : {"", "x", "*", "http://h/", "/..", "/../etc/passwd", "/a/../../b",
                           "/%2e%2e/x", "/a/%2E%2e", "/.", "/./x", "/a\\..\\b", "/%5c..", "/a%00b",
                           "/%", "/%4", "/%zz", "/%0a", "/a%2f..%2fb"}) {
    const auto target = parse_target(text);
    ASSERT_FALSE(target) << text;
    EXPECT_EQ(target.error().code, Code::kBadRequest) << text;
  }
}

TEST(Http, a_query_value_is_found_and_decoded) {
  EXPECT_EQ(query_value("a=1&b=x%26y+z&b=2", "b"), "x&y z");
  EXPECT_EQ(query_value("a&b=", "a"), "");
  EXPECT_EQ(query_value("a&b=", "b"), "");
  EXPECT_EQ(query_value("a=1", "c"), std::nullopt);
  EXPECT_EQ(query_value("a=%4", "a"), std::nullopt);
  EXPECT_EQ(query_value("", "a"), std::nullopt);
  EXPECT_EQ(query_value("%61=1", "a"), "1");
}

TEST(Http, percent_encoding_comes_back) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  std::string decoded;
  ASSERT_TRUE(percent_decode(percent_encode(all), decoded));
  EXPECT_EQ(decoded, all);
  EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
}

TEST(Http, a_token_is_found_in_a_list) {
  EXPECT_TRUE(header_has_token("keep-alive, Upgrade", "upgrade"));
  EXPECT_TRUE(header_has_token(" \tUPGRADE ", "upgrade"));
  EXPECT_FALSE(header_has_token("upgraded", "upgrade"));
  EXPECT_FALSE(header_has_token("", "upgrade"));
}

TEST(Http, accept_encoding_is_read_as_the_rfc_says) {
  EXPECT_TRUE(accepts_encoding("gzip, deflate, br", "br"));
  EXPECT_TRUE(accepts_encoding("br;q=1.0, gzip;q=0.8", "gzip"));
  EXPECT_FALSE(accepts_encoding("br;q=0, gzip", "br"));
  EXPECT_FALSE(accepts_encoding("br; q=0.000", "br"));
  EXPECT_TRUE(accepts_encoding("br;q=0.001", "br"));
  EXPECT_TRUE(accepts_encoding("*", "br"));
  EXPECT_FALSE(accepts_encoding("*, br;q=0", "br"));
  EXPECT_FALSE(accepts_encoding("*;q=0", "br"));
  EXPECT_FALSE(accepts_encoding("", "br"));
  EXPECT_TRUE(accepts_encoding("", "identity"));
  EXPECT_FALSE(accepts_encoding("*;q=0", "identity"));
}

TEST(Http, content_types_follow_the_extension) {
  EXPECT_EQ(content_type_of("/index.HTML"), "text/html; charset=utf-8");
  EXPECT_EQ(content_type_of("/a/b.woff2"), "font/woff2");
  EXPECT_EQ(content_type_of("/a.b/c"), "application/octet-stream");
  EXPECT_EQ(content_type_of(""), "application/octet-stream");
}

TEST(Http, a_head_is_written_whole_and_cannot_be_split) {
  const HeaderList headers = {{"X-A", "1\r\nX-Evil: 2"}};
  std::string out;
  append_response_head(out, {.status = 404,
                             .content_type = "text/plain",
                             .body_bytes = 12,
                             .close = true,
                             .headers = &headers});
  EXPECT_EQ(out,
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n"
            "Connection: close\r\nX-A: 1  X-Evil: 2\r\n\r\n");
  out.clear();
  append_response_head(out, {.status = 204});
  EXPECT_EQ(out, "HTTP/1.1 204 No Content\r\n\r\n");
  out.clear();
  append_response_head(out, {.body_bytes = std::nullopt});
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

}  // namespace
}  // namespace footlight::net
