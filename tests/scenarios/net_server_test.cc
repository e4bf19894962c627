// The server over loopback: what it promises to HTTP clients.
#include <gmock/gmock.h>

#include "net/asio/http_client.h"
#include "net_support.h"

namespace footlight::net {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kHello = "GET /hello HTTP/1.1\r\nHost: test\r\n\r\n";

TEST(NetServer, answers_and_keeps_the_connection) {
  TestServer server;
  RawClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    client.send(kHello);
    const std::string response = client.read_response();
    EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(response, HasSubstr("\r\nDate: "));
    EXPECT_THAT(response, EndsWith("\r\n\r\nhello 127.0.0.1"));
  }
  EXPECT_EQ(server.server().counters().accepted, 1u);
}

TEST(NetServer, pipelined_requests_are_answered_in_order) {
  TestServer server;
  RawClient client(server.port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\none"
      "GET /later HTTP/1.1\r\nHost: t\r\n\r\n"
      "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\ntwo");
  EXPECT_THAT(client.read_response(), EndsWith("one"));
  ASSERT_TRUE(server.tally().wait("/later", 1));
  server.app().release_later();
  EXPECT_THAT(client.read_response(), EndsWith("later"));
  EXPECT_THAT(client.read_response(), EndsWith("two"));
}

TEST(NetServer, a_request_may_come_byte_by_byte) {
  TestServer server;
  RawClient client(server.port());
  for (const char c : kHello) client.send({&c, 1});
  EXPECT_THAT(client.read_response(), StartsWith("HTTP/1.1 200"));
}

TEST(NetServer, a_body_may_come_in_chunks_and_after_continue) {
  TestServer server;
  RawClient client(server.port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_THAT(client.read_response(), EndsWith("\r\n\r\nabcde"));
}

TEST(NetServer, http_1_0_and_close_end_the_connection) {
  TestServer server;
  for (const char* request : {"GET /hello HTTP/1.0\r\n\r\n",
                              "GET /hello HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"}) {
    RawClient client(server.port());
    client.send(request);
    const std::string all = client.read_to_end();
    EXPECT_THAT(all, EndsWith("hello 127.0.0.1"));
    EXPECT_FALSE(client.is_reset());
  }
}

TEST(NetServer, head_has_no_body_and_the_same_length) {
  TestServer server;
  RawClient client(server.port());
  client.send("HEAD /hello HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("Content-Length: 15\r\n"));
  client.send(kHello);
  EXPECT_THAT(client.read_response(), StartsWith("HTTP/1.1 200"));
}

TEST(NetServer, bad_requests_get_a_number_and_cost_only_their_connection) {
  TestServer server;
  RawClient bystander(server.port());
  for (const std::string& request :
       {std::string("garbage\r\n\r\n"), std::string("GET /hello HTTP/1.1\r\n\r\n"),
        std::string("GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        std::string("GET /../etc/passwd HTTP/1.1\r\nHost: t\r\n\r\n"),
        std::string("GET /%2e%2e/etc/passwd HTTP/1.1\r\nHost: t\r\n\r\n"),
        std::string("GET http://evil/ HTTP/1.1\r\nHost: t\r\n\r\n"),
        std::string("GET / HTTP/2.0\r\nHost: t\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nTransfer-Encoding: "
                    "chunked\r\n\r\n0\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: x\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost: t\r\nX: ") + std::string(1, '\0') + "\r\n\r\n",
        std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + "\r\n\r\n"}) {
    RawClient client(server.port());
    client.send(request);
    const std::string all = client.read_to_end();
    EXPECT_THAT(all, StartsWith("HTTP/1.1 400 ")) << request;
    EXPECT_THAT(all, HasSubstr("{\"code\":4016,")) << request;
    EXPECT_FALSE(client.is_reset()) << request;
  }
  bystander.send(kHello);
  EXPECT_THAT(bystander.read_response(), StartsWith("HTTP/1.1 200"));
}

TEST(NetServer, what_is_too_large_is_refused_before_it_is_read) {
  TestServer server;
  RawClient header(server.port());
  header.send("GET / HTTP/1.1\r\nHost: t\r\nX: " + std::string(17'000, 'x'));
  EXPECT_THAT(header.read_to_end(), HasSubstr("\"code\":4001"));
  RawClient body(server.port());
  body.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 262145\r\n\r\n");
  EXPECT_THAT(body.read_to_end(), StartsWith("HTTP/1.1 413 "));
  RawClient chunks(server.port());
  chunks.send("POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(65536, 'c') + "\r\n";
  for (int i = 0; i < 5; ++i) chunks.send(chunk);
  EXPECT_THAT(chunks.read_to_end(), StartsWith("HTTP/1.1 413 "));
}

TEST(NetServer, bodies_under_way_are_bounded_in_sum) {
  TestServer server({.max_buffered_body_bytes = 100'000});
  const std::string half =
      "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 80000\r\n\r\n" + std::string(60'000, 'b');
  RawClient first(server.port());
  first.send(half);
  RawClient second(server.port());
  second.send(half);
  // Whichever came second is told; the other goes on.
  RawClient third(server.port());
  third.send(half);
  EXPECT_THAT(third.read_to_end(), StartsWith("HTTP/1.1 503 "));
}

TEST(NetServer, a_slow_sender_is_cut) {
  TestServer server({.header_timeout_ms = 150, .body_timeout_ms = 150, .keep_alive_ms = 150});
  RawClient silent(server.port());
  EXPECT_EQ(silent.read_to_end(), "");
  RawClient half(server.port());
  half.send("GET /hello HT");
  EXPECT_THAT(half.read_to_end(), StartsWith("HTTP/1.1 408 "));
  RawClient body(server.port());
  body.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_THAT(body.read_to_end(), StartsWith("HTTP/1.1 408 "));
  RawClient idle(server.port());
  idle.send(kHello);
  EXPECT_THAT(idle.read_to_end(), EndsWith("hello 127.0.0.1"));
}

TEST(NetServer, a_drip_does_not_prolong_the_header) {
  TestServer server({.header_timeout_ms = 200});
  RawClient client(server.port());
  std::atomic<bool> done = false;
  std::thread dripping([&] {
    client.send("GET /hello HTTP/1.1\r\n");
    for (int i = 0; i < 400 && !done; ++i) {
      client.send("X");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  const auto start = std::chrono::steady_clock::now();
  client.read_to_end();
  done = true;
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4));
  dripping.join();
}

TEST(NetServer, a_slow_reader_of_a_large_body_is_cut) {
  TestServer server({.write_timeout_ms = 200, .send_buffer_bytes = 16 * 1024});
  RawClient client(server.port(), 4096);
  client.send("GET /large HTTP/1.1\r\nHost: t\r\n\r\n");
  while (server.server().counters().timeouts == 0) std::this_thread::yield();
  EXPECT_LT(client.read_to_end().size(), EchoApp::kLargeBytes);
}

TEST(NetServer, a_large_body_arrives_whole) {
  TestServer server;
  const auto answer =
      http_call({.url = "http://127.0.0.1:" + std::to_string(server.port()) + "/large"});
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->body, std::string(EchoApp::kLargeBytes, 'L'));
}

TEST(NetServer, what_the_application_does_not_answer_is_answered_for_it) {
  TestServer server({.answer_timeout_ms = 150});
  RawClient dropped(server.port());
  dropped.send("GET /drop HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_THAT(dropped.read_to_end(), StartsWith("HTTP/1.1 500 "));
  RawClient never(server.port());
  never.send("GET /never HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_THAT(never.read_to_end(), StartsWith("HTTP/1.1 504 "));
}

TEST(NetServer, an_answer_after_the_client_left_harms_nobody) {
  TestServer server;
  {
    RawClient client(server.port());
    client.send("GET /later HTTP/1.1\r\nHost: t\r\n\r\n");
    ASSERT_TRUE(server.tally().wait("/later", 1));
  }
  server.app().release_later();
  RawClient other(server.port());
  other.send(kHello);
  EXPECT_THAT(other.read_response(), StartsWith("HTTP/1.1 200"));
}

TEST(NetServer, a_busy_port_is_told_by_number) {
  TestServer server;
  Shard shard(0);
  Tally tally;
  EchoApp app(tally);
  Shard* shards[] = {&shard};
  ServerApp* apps[] = {&app};
  const auto second = Server::listen({.port = server.port()}, shards, apps);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kPortBusy);
  EXPECT_THAT(second.error().message(), HasSubstr(std::to_string(server.port())));
}

TEST(NetServer, at_the_limit_idle_http_makes_room_and_sessions_stay) {
  TestServer server({.max_connections = 2});
  RawClient session(server.port());
  session.upgrade();
  RawClient idle(server.port());
  idle.send(kHello);
  idle.read_response();
  RawClient next(server.port());
  next.send(kHello);
  EXPECT_THAT(next.read_response(), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(idle.read_to_end(), "");
  session.send_text("still here");
  EXPECT_EQ(session.read_frame().payload, "still here");
  EXPECT_EQ(server.server().counters().evicted, 1u);
}

TEST(NetServer, at_the_limit_with_sessions_alone_the_next_is_told) {
  TestServer server({.max_connections = 1});
  RawClient session(server.port());
  session.upgrade();
  RawClient next(server.port());
  const std::string all = next.read_to_end();
  EXPECT_THAT(all, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(all, HasSubstr("Retry-After: "));
  EXPECT_THAT(all, HasSubstr("\"code\":4205"));
  EXPECT_EQ(server.server().counters().turned_away, 1u);
}

TEST(NetServer, after_stop_accepting_nobody_gets_in_and_those_inside_stay) {
  TestServer server;
  RawClient inside(server.port());
  inside.send(kHello);
  inside.read_response();
  server.server().stop_accepting();
  std::atomic<bool> closed = false;
  server.shard().post([&] { closed = true; });
  while (!closed) std::this_thread::yield();
  const auto refused =
      http_call({.url = "http://127.0.0.1:" + std::to_string(server.port()) + "/hello"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnreachable);
  inside.send(kHello);
  EXPECT_THAT(inside.read_response(), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace footlight::net
