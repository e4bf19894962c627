// TLS over loopback: both protocols, both directions, a certificate replaced under way.
#include <gmock/gmock.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "net/asio/client.h"
#include "net/asio/http_client.h"
#include "net/asio/tls.h"
#include "net_support.h"

namespace footlight::net {
namespace {

using testing::HasSubstr;

class NetTls : public testing::Test {
 protected:
  NetTls() {
    char path[] = "/tmp/footlight-tls-XXXXXX";
    directory_ = mkdtemp(path);
    certificate_ = directory_ + "/certificate.pem";
    key_ = directory_ + "/key.pem";
    write_certificate("first", certificate_, key_);
    tls_ = TlsServer::load(certificate_, key_).value();
  }
  ~NetTls() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  std::string certificate_;
  std::string key_;
  std::shared_ptr<TlsServer> tls_;
};

class EchoClient final : public WsClientApp {
 public:
  explicit EchoClient(Tally& tally) : tally_(tally) {}
  void on_open(WsClient& client) override {
    tally_.add("open");
    client.send(std::string(15'000, 'e'));
  }
  void on_message(WsClient& client, std::string_view text) override {
    tally_.add("bytes", text.size());
    tally_.add("messages");
    last = &client;
  }
  void on_closed(WsClient&, const WsClosed& how) override {
    tally_.add("closed");
    reason = how.reason;
  }
  WsClient* last = nullptr;
  std::string reason;

 private:
  Tally& tally_;
};

TEST_F(NetTls, requests_and_sessions_work_and_the_peer_is_checked) {
  TestServer server({.tls = tls_});
  const std::string url = "https://127.0.0.1:" + std::to_string(server.port());
  const auto hello = http_call({.url = url + "/hello", .tls_verify = false});
  ASSERT_TRUE(hello) << hello.error().message();
  EXPECT_THAT(hello->body, HasSubstr("by TLS"));
  const auto large = http_call({.url = url + "/large", .tls_verify = false});
  ASSERT_TRUE(large) << large.error().message();
  EXPECT_EQ(large->body.size(), EchoApp::kLargeBytes);
  // Self-signed: whoever checks refuses.
  const auto checked = http_call({.url = url + "/hello"});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, Code::kUnreachable);
  EXPECT_THAT(checked.error().detail, HasSubstr("self"));
}

TEST_F(NetTls, websockets_echo_and_push_through_small_buffers) {
  TestServer server({.tls = tls_, .send_buffer_bytes = 8 * 1024});
  Tally tally;
  Shard shard(100);
  EchoClient app(tally);
  auto clients =
      WsClients::create(shard, app, {.port = server.port(), .tls = true, .tls_verify = false})
          .value();
  shard.start();
  shard.post([&] {
    for (int i = 0; i < 50; ++i) clients->open(nullptr);
  });
  ASSERT_TRUE(tally.wait("messages", 50));
  EXPECT_EQ(tally.of("bytes"), 50u * 15'000);
  shard.post([&] { app.last->send("push 100"); });
  EXPECT_TRUE(tally.wait("bytes", 50u * 15'000 + 100 * EchoApp::kPushBytes));
  shard.post([&] { app.last->close(); });
  EXPECT_TRUE(tally.wait("closed", 1));
  EXPECT_TRUE(server.tally().wait("closed", 1));
  shard.stop();
  shard.join();
}

TEST_F(NetTls, a_new_certificate_is_shown_to_new_connections_and_old_ones_live_on) {
  TestServer server({.tls = tls_});
  Tally tally;
  Shard shard(100);
  EchoClient app(tally);
  auto clients =
      WsClients::create(shard, app, {.port = server.port(), .tls = true, .tls_verify = false})
          .value();
  shard.start();
  shard.post([&] { clients->open(nullptr); });
  ASSERT_TRUE(tally.wait("messages", 1));
  write_certificate("second", certificate_, key_);
  ASSERT_TRUE(tls_->reload());
  const auto shown = [&] {
    const std::string command =
        "openssl s_client -connect 127.0.0.1:" + std::to_string(server.port()) +
        " </dev/null 2>/dev/null";
    std::string out;
    FILE* pipe = popen(command.c_str(), "r");
    char bytes[4096];
    while (const size_t count = std::fread(bytes, 1, sizeof bytes, pipe)) out.append(bytes, count);
    pclose(pipe);
    return out;
  };
  EXPECT_THAT(shown(), HasSubstr("CN = second"));
  shard.post([&] { app.last->send("still here"); });
  EXPECT_TRUE(tally.wait("messages", 2));
  // A broken file changes nothing.
  std::ofstream(certificate_) << "garbage";
  const auto status = tls_->reload();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kCertificate);
  EXPECT_THAT(shown(), HasSubstr("CN = second"));
  shard.stop();
  shard.join();
}

TEST_F(NetTls, old_protocols_and_plain_text_are_refused) {
  TestServer server({.tls = tls_});
  RawClient plain(server.port());
  plain.send("GET /hello HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_THAT(plain.read_to_end(), testing::Not(HasSubstr("hello")));
  const std::string command =
      "openssl s_client -tls1_1 -cipher 'ALL:@SECLEVEL=0' -connect 127.0.0.1:" +
      std::to_string(server.port()) + " </dev/null >/dev/null 2>&1";
  EXPECT_NE(std::system(command.c_str()), 0);
  const std::string modern =
      "openssl s_client -tls1_2 -connect 127.0.0.1:" + std::to_string(server.port()) +
      " </dev/null >/dev/null 2>&1";
  EXPECT_EQ(std::system(modern.c_str()), 0);
}

TEST_F(NetTls, a_silent_handshake_is_cut) {
  TestServer server({.tls = tls_, .header_timeout_ms = 150});
  RawClient client(server.port());
  EXPECT_EQ(client.read_to_end(), "");
}

TEST_F(NetTls, what_is_wrong_with_the_files_is_said) {
  const auto missing = TlsServer::load(directory_ + "/none.pem", key_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kCertificate);
  EXPECT_THAT(missing.error().detail, HasSubstr("none.pem: No such file"));
  write_certificate("other", directory_ + "/other.pem", directory_ + "/other-key.pem");
  const auto foreign = TlsServer::load(certificate_, directory_ + "/other-key.pem");
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, Code::kCertificate);
}

TEST_F(NetTls, a_certificate_is_described) {
  const auto info = read_certificate(certificate_);
  ASSERT_TRUE(info) << info.error().message();
  EXPECT_THAT(info->subject, HasSubstr("CN=first"));
  EXPECT_EQ(info->names, (std::vector<std::string>{"localhost", "127.0.0.1"}));
  EXPECT_EQ(info->not_after_ms - info->not_before_ms, 7200 * 1000);
  EXPECT_FALSE(read_certificate(key_));
}

}  // namespace
}  // namespace footlight::net
