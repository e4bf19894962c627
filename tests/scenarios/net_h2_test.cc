// HTTP/2 over TLS on loopback, asked by clients of others: nghttp and h2load.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "net_support.h"

namespace footlight::net {
namespace {

using testing::HasSubstr;

class NetH2 : public testing::Test {
 protected:
  NetH2() {
    char path[] = "/tmp/footlight-h2-XXXXXX";
    directory_ = mkdtemp(path);
    write_certificate("h2", directory_ + "/certificate.pem", directory_ + "/key.pem");
    tls_ = load(true);
  }
  ~NetH2() override { std::filesystem::remove_all(directory_); }
  std::shared_ptr<TlsServer> load(bool http2) const {
    return TlsServer::load(directory_ + "/certificate.pem", directory_ + "/key.pem", http2).value();
  }
  static std::string url(const TestServer& server, const std::string& path) {
    return "https://127.0.0.1:" + std::to_string(server.port()) + path;
  }
  static size_t count(const std::string& all, std::string_view what) {
    size_t out = 0;
    for (size_t at = 0; (at = all.find(what, at)) != std::string::npos; at += what.size()) ++out;
    return out;
  }
  std::string directory_;
  std::shared_ptr<TlsServer> tls_;
};

TEST_F(NetH2, answers_as_http_1_1_does) {
  TestServer server({.tls = tls_});
  const std::string said = output_of("nghttp -v -y " + url(server, "/hello") + " 2>&1");
  EXPECT_THAT(said, HasSubstr(":status: 200"));
  EXPECT_THAT(said, HasSubstr("hello 127.0.0.1 by TLS"));
  EXPECT_THAT(output_of("nghttp -v -y " + url(server, "/none") + " 2>&1"),
              HasSubstr(":status: 404"));
  EXPECT_THAT(output_of("nghttp -v -y " + url(server, "/drop") + " 2>&1"),
              HasSubstr(":status: 500"));
  EXPECT_EQ(server.server().counters().requests, 3u);
}

TEST_F(NetH2, who_does_not_offer_it_and_a_server_without_it_speak_http_1_1) {
  TestServer server({.tls = tls_});
  const auto chosen = [](const TestServer& from, const std::string& offered) {
    return output_of("openssl s_client -alpn " + offered + " -connect 127.0.0.1:" +
                     std::to_string(from.port()) + " </dev/null 2>/dev/null");
  };
  EXPECT_THAT(chosen(server, "http/1.1,h2"), HasSubstr("ALPN protocol: h2"));
  EXPECT_THAT(chosen(server, "http/1.1"), HasSubstr("ALPN protocol: http/1.1"));
  TestServer without({.tls = load(false)});
  EXPECT_THAT(chosen(without, "h2,http/1.1"), HasSubstr("ALPN protocol: http/1.1"));
}

TEST_F(NetH2, bodies_go_both_ways) {
  TestServer server({.tls = tls_});
  const std::string body(100'000, 'b');
  std::ofstream(directory_ + "/body") << body;
  EXPECT_EQ(output_of("nghttp -y -d " + directory_ + "/body " + url(server, "/echo")), body);
  EXPECT_EQ(output_of("nghttp -y " + url(server, "/large") + " | wc -c"),
            std::to_string(EchoApp::kLargeBytes) + "\n");
}

TEST_F(NetH2, many_wait_on_one_connection_and_get_their_answers_from_another_thread) {
  TestServer server({.tls = tls_});
  auto said = std::async(
      std::launch::async,
      [command = "nghttp -y -m 200 " + url(server, "/later")] { return output_of(command); });
  ASSERT_TRUE(server.tally().wait("/later", 200));
  EXPECT_EQ(server.server().counters().connections, 1u);
  server.app().release_later();
  EXPECT_EQ(count(said.get(), "later"), 200u);
}

TEST_F(NetH2, load_of_many_streams_on_many_connections_and_threads_is_answered) {
  TestServer server({.tls = tls_}, 2);
  const std::string said =
      output_of("h2load -n 4000 -c 8 -m 40 " + url(server, "/hello") + " 2>&1");
  EXPECT_THAT(said, HasSubstr("4000 succeeded, 0 failed"));
  EXPECT_EQ(server.server().counters().accepted, 8u);
}

TEST_F(NetH2, event_streams_are_streams_and_end_with_the_connection) {
  TestServer server({.tls = tls_});
  const std::string said = output_of("timeout 1 stdbuf -o0 nghttp -y " + url(server, "/events") +
                                     " " + url(server, "/hello"));
  EXPECT_THAT(said, HasSubstr("data: first\n\n"));
  EXPECT_THAT(said, HasSubstr("hello 127.0.0.1"));
  EXPECT_TRUE(server.tally().wait("closed", 1));
}

TEST_F(NetH2, an_idle_connection_is_ended_in_order) {
  TestServer server({.tls = tls_, .keep_alive_ms = 100});
  // Its side stays open until the server has ended: sleep would end it.
  const std::string said = output_of(
      "(printf 'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n\\0\\0\\0\\4\\0\\0\\0\\0\\0'; sleep 1) | "
      "openssl s_client -quiet -alpn h2 -connect 127.0.0.1:" +
      std::to_string(server.port()) + " 2>/dev/null | od -An -v -tx1 | tr -d ' \\n'");
  EXPECT_THAT(said, HasSubstr("0700000000"));  // GOAWAY
  EXPECT_EQ(server.server().counters().timeouts, 1u);
}

TEST_F(NetH2, what_is_no_http_2_is_told_so_and_ended) {
  TestServer server({.tls = tls_});
  const std::string said = output_of(
      "(printf 'GET / HTTP/1.1\\r\\nHost: t\\r\\n\\r\\n'; sleep 1) | openssl s_client -quiet -alpn "
      "h2 "
      "-connect 127.0.0.1:" +
      std::to_string(server.port()) + " 2>/dev/null | od -An -v -tx1 | tr -d ' \\n'");
  EXPECT_THAT(said, HasSubstr("0700000000"));
  EXPECT_EQ(server.server().counters().bad_requests, 1u);
}

}  // namespace
}  // namespace footlight::net
