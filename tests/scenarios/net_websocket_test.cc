// The server over loopback: WebSockets, event streams, and the client engine.
#include <gmock/gmock.h>

#include <cstring>
#include <thread>

#include "net/asio/client.h"
#include "net/asio/http_client.h"
#include "net_support.h"

namespace footlight::net {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(NetWebSocket, a_handshake_is_answered_as_the_rfc_says) {
  TestServer server;
  RawClient client(server.port());
  const std::string head = client.upgrade();
  EXPECT_THAT(head, StartsWith("HTTP/1.1 101 "));
  EXPECT_THAT(head, HasSubstr("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  EXPECT_THAT(head, HasSubstr("Sec-WebSocket-Protocol: footlight.v1\r\n"));
  client.send_text("hello");
  EXPECT_EQ(client.read_frame().payload, "hello");
}

TEST(NetWebSocket, a_wrong_handshake_is_refused_and_the_connection_lives_on) {
  TestServer server;
  RawClient client(server.port());
  const std::string good =
      "GET /v1/ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Protocol: other, footlight.v1\r\n\r\n";
  struct Case {
    const char* what;
    const char* with;
    const char* status;
  };
  for (const Case& change : {Case{"GET", "POST", "405"},
                             {"Upgrade: websocket", "Upgrade: h2c", "426"},
                             {"Version: 13", "Version: 8", "426"},
                             {"dGhlIHNhbXBsZSBub25jZQ==", "short", "400"},
                             {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ!==", "400"},
                             {"other, footlight.v1", "footlight.v2", "400"},
                             {"Sec-WebSocket-Protocol: other, footlight.v1\r\n", "", "400"}}) {
    std::string request = good;
    request.replace(request.find(change.what), strlen(change.what), change.with);
    client.send(request);
    const std::string response = client.read_response();
    EXPECT_THAT(response, StartsWith(std::string("HTTP/1.1 ") + change.status)) << change.what;
    EXPECT_THAT(response, HasSubstr("\"code\":40")) << change.what;
  }
  client.send(good);
  EXPECT_THAT(client.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 101"));
}

TEST(NetWebSocket, origins_are_judged_by_the_list) {
  TestServer server({.allowed_origins = {"https://show.example"}});
  const auto status_for = [&](const std::string& origin) {
    RawClient client(server.port());
    return client.upgrade("Origin: " + origin + "\r\n").substr(9, 3);
  };
  EXPECT_EQ(status_for("https://show.example"), "101");
  EXPECT_EQ(status_for("http://test"), "101") << "the same origin: Host is test";
  EXPECT_EQ(status_for("https://evil.example"), "403");
  EXPECT_EQ(status_for("null"), "403");
}

TEST(NetWebSocket, the_application_may_refuse) {
  TestServer server;
  RawClient client(server.port());
  client.send(
      "GET /v1/ws?full HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Protocol: footlight.v1\r\n\r\n");
  EXPECT_THAT(client.read_response(), StartsWith("HTTP/1.1 503"));
}

TEST(NetWebSocket, frames_sent_with_the_handshake_are_heard) {
  TestServer server;
  RawClient client(server.port());
  client.send(
      "GET /v1/ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Protocol: footlight.v1\r\n\r\n" +
      client_frame(WsOpcode::kText, "early") + client_frame(WsOpcode::kText, "bird").substr(0, 5));
  client.read_until("\r\n\r\n");
  EXPECT_EQ(client.read_frame().payload, "early");
  client.send(client_frame(WsOpcode::kText, "bird").substr(5));
  EXPECT_EQ(client.read_frame().payload, "bird");
}

TEST(NetWebSocket, many_frames_in_one_segment_and_one_frame_in_many) {
  TestServer server;
  RawClient client(server.port());
  client.upgrade();
  std::string all;
  for (int i = 0; i < 2000; ++i) all += client_frame(WsOpcode::kText, std::to_string(i));
  std::thread sending([&] { client.send(all); });
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(client.read_frame().payload, std::to_string(i));
  sending.join();
  const std::string one = client_frame(WsOpcode::kText, "in many");
  for (const char c : one) client.send({&c, 1});
  EXPECT_EQ(client.read_frame().payload, "in many");
}

TEST(NetWebSocket, ping_is_answered_and_pong_is_not) {
  TestServer server;
  RawClient client(server.port());
  client.upgrade();
  client.send(client_frame(WsOpcode::kPong, "x") + client_frame(WsOpcode::kPing, "are you there"));
  const auto pong = client.read_frame();
  EXPECT_EQ(pong.kind, WsOpcode::kPong);
  EXPECT_EQ(pong.payload, "are you there");
}

TEST(NetWebSocket, a_close_is_answered_and_the_connection_ends) {
  TestServer server;
  RawClient client(server.port());
  client.upgrade();
  client.send(client_frame(WsOpcode::kClose, ws_close_payload(1001, "bye")));
  const auto answer = client.read_frame();
  EXPECT_EQ(answer.kind, WsOpcode::kClose);
  EXPECT_EQ(answer.close_code, 1001);
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_FALSE(client.is_reset());
  EXPECT_TRUE(server.tally().wait("closed", 1));
}

TEST(NetWebSocket, the_applications_close_arrives_though_the_client_still_sends) {
  TestServer server;
  RawClient client(server.port());
  client.upgrade();
  client.send_text("close 4905");
  for (int i = 0; i < 100; ++i) client.send_text(std::string(10'000, 'x'));
  const auto close = client.read_frame();
  EXPECT_EQ(close.kind, WsOpcode::kClose);
  EXPECT_EQ(close.close_code, 4905);
  EXPECT_EQ(close.payload, "as asked");
  EXPECT_FALSE(client.is_reset());
  EXPECT_TRUE(server.tally().wait("closed", 1));
}

TEST(NetWebSocket, bad_framing_closes_with_its_number) {
  TestServer server;
  struct Case {
    std::string bytes;
    Code code;
  };
  const std::string large(16 * 1024 + 1, 'x');
  for (const Case& bad : {Case{"garbage that is no frame", Code::kBadWebSocket},
                          Case{std::string("\x81\x01x", 3), Code::kBadWebSocket},
                          Case{client_frame(WsOpcode::kText, large), Code::kFrameTooLarge},
                          Case{client_frame(WsOpcode::kText, "\xFF"), Code::kBadUtf8},
                          Case{client_frame(WsOpcode::kBinary, "x"), Code::kBadFrame},
                          Case{client_frame(WsOpcode::kContinuation, "x"), Code::kBadWebSocket}}) {
    RawClient client(server.port());
    client.upgrade();
    client.send(bad.bytes);
    const auto close = client.read_frame();
    EXPECT_EQ(close.kind, WsOpcode::kClose);
    EXPECT_EQ(close.close_code, static_cast<uint16_t>(bad.code));
    EXPECT_EQ(client.read_to_end(), "");
  }
  EXPECT_TRUE(server.tally().wait("fault", 6));
  EXPECT_TRUE(server.tally().wait("closed", 6));
}

TEST(NetWebSocket, a_slow_reader_gets_every_byte_in_order) {
  TestServer server({.send_buffer_bytes = 8 * 1024});
  RawClient client(server.port(), 4096);
  client.upgrade();
  client.send_text("push 64");
  ASSERT_TRUE(server.tally().wait("blocked", 1));
  // A pong must wait for the end of the frame that is half out.
  client.send(client_frame(WsOpcode::kPing, "between"));
  int pongs = 0;
  for (int frames = 0; frames < 64;) {
    const auto frame = client.read_frame();
    if (frame.kind == WsOpcode::kPong) {
      EXPECT_EQ(frame.payload, "between");
      ++pongs;
      continue;
    }
    ASSERT_EQ(frame.kind, WsOpcode::kText);
    ASSERT_EQ(frame.payload, std::string(EchoApp::kPushBytes, 'p'));
    ++frames;
  }
  client.send_text("end");
  while (pongs == 0) pongs += client.read_frame().kind == WsOpcode::kPong;
}

TEST(NetWebSocket, cut_in_the_middle_of_a_frame_ends_without_a_false_frame) {
  TestServer server({.send_buffer_bytes = 8 * 1024});
  RawClient client(server.port(), 4096);
  client.upgrade();
  client.send_text("push 64");
  ASSERT_TRUE(server.tally().wait("blocked", 1));
  client.send_text("close 4901");
  ASSERT_TRUE(server.tally().wait("closed", 1));
  while (server.server().counters().connections > 0) std::this_thread::yield();
}

TEST(NetWebSocket, a_vanished_peer_is_noticed_while_writing) {
  TestServer server({.send_buffer_bytes = 8 * 1024});
  {
    RawClient client(server.port(), 4096);
    client.upgrade();
    client.send_text("push 64");
    ASSERT_TRUE(server.tally().wait("blocked", 1));
  }
  EXPECT_TRUE(server.tally().wait("closed", 1));
}

TEST(NetEventStream, begins_at_once_and_carries_events) {
  TestServer server({.event_stream_comment_ms = 100});
  RawClient client(server.port());
  client.send("GET /events HTTP/1.1\r\nHost: t\r\n\r\n");
  const std::string head = client.read_until("\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"));
  EXPECT_THAT(head, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Test: 1\r\n"));
  EXPECT_EQ(client.read_until("\n\n\r\n"), "d\r\ndata: first\n\n\r\n");
  EXPECT_EQ(client.read_until(":\n\n\r\n"), "3\r\n:\n\n\r\n") << "a comment after silence";
  client.close();
  EXPECT_TRUE(server.tally().wait("closed", 1));
}

// Counts, and waits for what it is told to.
class CountingApp final : public WsClientApp {
 public:
  explicit CountingApp(Tally& tally) : tally_(tally) {}
  void on_open(WsClient& client) override {
    tally_.add("client open");
    client.send("hello");
  }
  void on_message(WsClient& client, std::string_view text) override {
    tally_.add(std::string(text));
    if (text == "hello" && close_after_hello) client.close();
  }
  void on_closed(WsClient&, const WsClosed& how) override {
    tally_.add(how.opened ? "client closed" : "client failed");
    tally_.add("closed by " + std::to_string(how.code));
    if (how.http_status != 0) tally_.add("status " + std::to_string(how.http_status));
  }
  bool close_after_hello = false;

 private:
  Tally& tally_;
};

struct ClientRig {
  explicit ClientRig(WsClientOptions options) : app(tally) {
    clients = WsClients::create(shard, app, std::move(options)).value();
    shard.start();
  }
  ~ClientRig() {
    shard.stop();
    shard.join();
    clients.reset();
  }
  void open(int count) {
    shard.post([this, count] {
      for (int i = 0; i < count; ++i) clients->open(nullptr);
    });
  }
  Tally tally;
  Shard shard{100};
  CountingApp app;
  std::unique_ptr<WsClients> clients;
};

TEST(NetClients, a_thousand_connect_and_hear_a_broadcast) {
  TestServer server({}, 2);
  ClientRig rig({.port = server.port(), .sources = loopback_sources(50'000)});
  rig.open(1000);
  ASSERT_TRUE(rig.tally.wait("hello", 1000));
  EXPECT_EQ(rig.tally.of("client open"), 1000u);
  // One in each half, for each shard has its own.
  RawClient first(server.port());
  first.upgrade();
  RawClient second(server.port());
  second.upgrade();
  first.send_text("all news");
  second.send_text("all news");
  EXPECT_TRUE(rig.tally.wait("news", 1000));
}

TEST(NetClients, a_close_in_order_carries_its_code_both_ways) {
  TestServer server;
  ClientRig rig({.port = server.port()});
  rig.app.close_after_hello = true;
  rig.open(10);
  EXPECT_TRUE(rig.tally.wait("closed by 1000", 10));
  EXPECT_TRUE(server.tally().wait("closed", 10));
}

TEST(NetClients, refusal_and_silence_are_told) {
  TestServer server;
  ClientRig refused({.port = server.port(), .path = "/v1/ws?full"});
  refused.open(1);
  EXPECT_TRUE(refused.tally.wait("status 503", 1));
  server.server().stop_accepting();
  std::atomic<bool> stopped = false;
  server.shard().post([&] { stopped = true; });
  while (!stopped) std::this_thread::yield();
  ClientRig nobody({.port = server.port()});
  nobody.open(3);
  EXPECT_TRUE(nobody.tally.wait("client failed", 3));
}

TEST(NetClients, connects_are_paced) {
  TestServer server;
  ClientRig rig({.port = server.port(), .connects_per_s = 100});
  const SystemClock clock;
  const MonoUs start_us = clock.now_us();
  rig.open(30);
  ASSERT_TRUE(rig.tally.wait("client open", 30));
  EXPECT_GE(clock.now_us() - start_us, 250 * kUsPerMs);
}

TEST(HttpClient, urls_are_taken_apart) {
  const auto url = parse_url("https://[::1]:8443/a?b=c#d");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/a?b=c");
  EXPECT_EQ(parse_url("http://host")->target, "/");
  EXPECT_EQ(parse_url("http://host?x")->target, "/?x");
  EXPECT_EQ(parse_url("http://host")->port, 80);
  for (const char* bad : {"ftp://x", "http://", "http://h:0/", "http://h:65536/", "http://h:x/",
                          "http://u@h/", "http://h /", "http://[::1/", "http://h:80x/"}) {
    EXPECT_FALSE(parse_url(bad)) << bad;
  }
}

TEST(HttpClient, calls_answer_or_say_why_not) {
  TestServer server({.answer_timeout_ms = 10'000});
  const std::string base = "http://127.0.0.1:" + std::to_string(server.port());
  const auto echo = http_call({.method = "POST", .url = base + "/echo", .body = "body"});
  ASSERT_TRUE(echo) << echo.error().message();
  EXPECT_EQ(echo->body, "body");
  EXPECT_EQ(http_call({.url = base + "/nothing"})->status, 404);
  const auto large = http_call({.url = base + "/large", .max_body_bytes = 1000});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Code::kFrameTooLarge);
  const auto late = http_call({.url = base + "/never", .timeout_ms = 100});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kUnreachable);
  const auto split = http_call({.url = base + "/hello", .headers = {{"X", "a\r\nB: c"}}});
  EXPECT_FALSE(split);
}

}  // namespace
}  // namespace footlight::net
