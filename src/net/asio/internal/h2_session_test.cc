// HTTP/2, bytes in and bytes out: nghttp2's client on the other side, or frames by hand.
#include "net/asio/internal/h2_session.h"

#include <gmock/gmock.h>
#include <malloc.h>
#include <nghttp2/nghttp2.h>

#include <map>

#include "net/asio/internal/h2_test_client.h"

namespace footlight::net {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr MonoUs kSecond = kUsPerSecond;

// The application: keeps requests, answers those for /now at once.
class App final : public H2App {
 public:
  H2Session* session = nullptr;
  std::map<uint32_t, HttpRequest> requests;
  std::vector<uint32_t> rooms, ends;
  int64_t bytes = 0, most_bytes = 0, bytes_allowed = 1 << 30;
  int expired = 0;
  MonoUs now_us = 0;
  std::string body = "now";

  void on_request(uint32_t stream, HttpRequest request) override {
    const bool now = request.path == "/now";
    requests.insert_or_assign(stream, std::move(request));
    if (now) answer(stream);
  }
  void answer(uint32_t stream) {
    HttpResponse response;
    response.content_type = "text/plain";
    response.headers.emplace_back("X-Test", "a\r\nb: c");
    response.headers.emplace_back("Connection", "keep-alive");
    response.head_lines = std::make_shared<const std::string>("ETag: \"1\"\r\nVary: Origin\r\n");
    response.body = body;
    session->answer(stream, std::move(response), now_us);
  }
  bool count_bytes(int64_t more) override {
    bytes += more;
    most_bytes = std::max(most_bytes, bytes);
    return bytes <= bytes_allowed;
  }
  HttpResponse error_response(const Error& error) override {
    HttpResponse response;
    response.status = error.code == Code::kFrameTooLarge ? 413 : 400;
    return response;
  }
  void on_event_room(uint32_t stream) override { rooms.push_back(stream); }
  void on_event_end(uint32_t stream) override { ends.push_back(stream); }
  void on_expired() override { ++expired; }
  std::string_view date() override { return "today"; }
};

ServerOptions small() {
  ServerOptions options;
  options.max_streams = 8;
  options.max_header_bytes = 1'000;
  options.max_body_bytes = 100'000;
  return options;
}

struct Rig {
  ServerOptions options;
  App app;
  H2Session session;
  Client client;
  MonoUs now_us = 0;
  Status last;

  explicit Rig(ServerOptions given = small())
      : options(std::move(given)), session(options, app, 0) {
    app.session = &session;
    run();
  }
  // Bytes to and fro until both have nothing to say.
  void run() {
    for (int round = 0; round < 200; ++round) {
      const std::string asked = client.out();
      if (!asked.empty()) last = session.feed(asked, now_us);
      const std::string answered = output();
      client.in(answered);
      if (asked.empty() && answered.empty()) return;
    }
  }
  std::string output() {
    std::string out;
    session.output(out, 32 * 1024);
    return out;
  }
  void pass(MonoUs us) {
    now_us += us;
    app.now_us = now_us;
    session.on_time(now_us);
    run();
  }
};

TEST(H2Session, answers_with_the_fields_of_http_1_1_in_lower_case) {
  Rig rig;
  const int32_t id = rig.client.ask(
      "/now?a=b", {{"accept-encoding", "gzip"}, {"cookie", "a=1"}, {"cookie", "b=2"}});
  rig.run();
  const HttpRequest& request = rig.app.requests.at(1);
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.target, "/now?a=b");
  EXPECT_EQ(request.path, "/now");
  EXPECT_EQ(request.header("Host"), "t");
  EXPECT_EQ(request.header("Accept-Encoding"), "gzip");
  EXPECT_EQ(request.header("Cookie"), "a=1; b=2");
  const Answer& answer = rig.client.answers.at(id);
  EXPECT_TRUE(answer.whole);
  EXPECT_EQ(answer.body, "now");
  EXPECT_EQ(answer.fields.at(":status"), "200");
  EXPECT_EQ(answer.fields.at("content-length"), "3");
  EXPECT_EQ(answer.fields.at("date"), "today");
  EXPECT_EQ(answer.fields.at("etag"), "\"1\"");
  EXPECT_EQ(answer.fields.at("vary"), "Origin");
  EXPECT_EQ(answer.fields.at("x-test"), "a  b: c");
  EXPECT_FALSE(answer.fields.contains("connection"));
  EXPECT_EQ(rig.session.streams(), 0u);
}

TEST(H2Session, head_has_the_length_and_no_body) {
  Rig rig;
  const int32_t id = rig.client.ask("/now", {}, "HEAD");
  rig.run();
  EXPECT_TRUE(rig.client.answers.at(id).whole);
  EXPECT_EQ(rig.client.answers.at(id).fields.at("content-length"), "3");
  EXPECT_EQ(rig.client.answers.at(id).body, "");
}

TEST(H2Session, a_body_comes_in_frames_and_counts_until_it_is_whole) {
  Rig rig;
  std::string body(90'000, 'b');
  rig.client.ask("/now", {}, "POST", &body);
  rig.run();
  EXPECT_EQ(rig.app.requests.at(1).body.size(), 90'000u);
  EXPECT_GT(rig.app.most_bytes, 90'000);
  EXPECT_EQ(rig.app.bytes, 0);
}

TEST(H2Session, many_wait_on_one_connection_and_are_answered_in_any_order) {
  Rig rig;
  std::vector<int32_t> ids;
  for (int i = 0; i < 8; ++i) ids.push_back(rig.client.ask("/later"));
  rig.run();
  ASSERT_EQ(rig.app.requests.size(), 8u);
  for (auto i = ids.rbegin(); i != ids.rend(); ++i) {
    EXPECT_FALSE(rig.client.answers[*i].whole);
    rig.app.answer(static_cast<uint32_t>(*i));
    rig.run();
    EXPECT_TRUE(rig.client.answers[*i].whole);
  }
}

TEST(H2Session, a_request_that_waits_takes_less_than_4_kb) {
  ServerOptions options;
  options.max_streams = 2'000;
  App app;
  H2Session session(options, app, 0);
  app.session = &session;
  std::string asked;
  {
    Client client;
    for (int i = 0; i < 2'000; ++i) {
      client.ask("/v1/program/show/e1/v720.m3u8?_HLS_msn=20&_HLS_part=0",
                 {{"accept-encoding", "gzip"}, {"user-agent", std::string(100, 'a')}});
    }
    std::string settings;
    session.output(settings, 1'000);
    client.in(settings);
    asked = client.out();
  }
  const auto before = ::mallinfo2().uordblks;
  ASSERT_TRUE(session.feed(asked, 0));
  ASSERT_EQ(session.streams(), 2'000u);
  app.requests.clear();  // what the application keeps is its own
  // Instrumented builds do not count: there it is 0.
  EXPECT_LT((::mallinfo2().uordblks - before) / 2'000, 4'096u);
}

TEST(H2Session, more_streams_than_allowed_are_refused_and_the_others_live_on) {
  Rig rig;
  // A client that does not know the limit yet.
  Client eager;
  App app;
  H2Session session(rig.options, app, 0);
  app.session = &session;
  std::vector<int32_t> ids;
  for (int i = 0; i < 12; ++i) ids.push_back(eager.ask("/later"));
  ASSERT_TRUE(session.feed(eager.out(), 0));
  std::string out;
  session.output(out, 1 << 20);
  eager.in(out);
  EXPECT_EQ(app.requests.size(), 8u);
  for (int i = 8; i < 12; ++i) EXPECT_EQ(eager.answers[ids[i]].reset, NGHTTP2_REFUSED_STREAM);
  EXPECT_EQ(session.streams(), 8u);
}

TEST(H2Session, flow_control_holds_an_answer_back_until_the_peer_takes_more) {
  Rig rig;
  rig.client.takes = false;
  rig.app.body = std::string(200'000, 'x');
  const int32_t id = rig.client.ask("/now");
  rig.run();
  EXPECT_EQ(rig.client.answers[id].body.size(), 65'535u);
  rig.client.open_window(id, 1'000'000);
  rig.client.open_window(0, 1'000'000);
  rig.run();
  EXPECT_EQ(rig.client.answers[id].body, rig.app.body);
  EXPECT_TRUE(rig.client.answers[id].whole);
}

TEST(H2Session, output_makes_no_more_than_is_taken) {
  Rig rig;
  rig.app.body = std::string(60'000, 'x');
  rig.client.ask("/now");
  ASSERT_TRUE(rig.session.feed(rig.client.out(), 0));
  std::string out;
  rig.session.output(out, 20'000);
  EXPECT_LE(out.size(), 20'000u + 16'384 + 9);
}

TEST(H2Session, a_header_or_body_that_is_too_large_is_told_and_costs_its_stream) {
  Rig rig;
  const int32_t header = rig.client.ask("/now", {{"x", std::string(1'000, 'h')}});
  std::string body(150'000, 'b');
  const int32_t large = rig.client.ask("/now", {}, "POST", &body);
  const int32_t good = rig.client.ask("/now");
  rig.run();
  EXPECT_EQ(rig.client.answers[header].fields[":status"], "413");
  EXPECT_EQ(rig.client.answers[large].fields[":status"], "413");
  EXPECT_EQ(rig.client.answers[good].body, "now");
  EXPECT_EQ(rig.app.requests.size(), 1u);
  EXPECT_EQ(rig.app.bytes, 0);
  EXPECT_EQ(rig.session.streams(), 0u);
}

TEST(H2Session, unfinished_requests_are_counted_together) {
  Rig rig;
  rig.app.bytes_allowed = 50'000;
  std::string body(90'000, 'b');
  const int32_t id = rig.client.ask("/now", {}, "POST", &body);
  rig.run();
  EXPECT_EQ(rig.client.answers[id].fields[":status"], "400");
  EXPECT_EQ(rig.app.bytes, 0);
}

TEST(H2Session, a_path_that_leaves_the_root_is_refused) {
  Rig rig;
  const int32_t id = rig.client.ask("/a/../../etc/passwd");
  const int32_t coded = rig.client.ask("/%2e%2e/etc/passwd");
  rig.run();
  EXPECT_EQ(rig.client.answers[id].fields[":status"], "400");
  EXPECT_EQ(rig.client.answers[coded].fields[":status"], "400");
  EXPECT_THAT(rig.app.requests, IsEmpty());
}

TEST(H2Session, who_waits_in_vain_is_told_after_the_time_limit) {
  Rig rig;
  const int32_t id = rig.client.ask("/never");
  rig.run();
  EXPECT_LE(rig.session.due_us(), 30 * kSecond);
  rig.pass(31 * kSecond);
  EXPECT_EQ(rig.client.answers[id].fields[":status"], "504");
  rig.app.answer(static_cast<uint32_t>(id));  // too late: passed over
  rig.run();
  EXPECT_EQ(rig.app.expired, 1);
}

TEST(H2Session, a_body_that_does_not_come_is_given_up) {
  Rig rig;
  const std::string held = rig.client.out();
  std::string body(50'000, 'b');
  const int32_t id = rig.client.ask("/now", {}, "POST", &body);
  const std::string all = rig.client.out();
  ASSERT_TRUE(rig.session.feed(all.substr(0, all.size() / 2), 0));
  rig.pass(21 * kSecond);
  EXPECT_EQ(rig.client.answers[id].reset, NGHTTP2_CANCEL);
  EXPECT_EQ(rig.app.bytes, 0);
  EXPECT_EQ(rig.session.streams(), 0u);
}

TEST(H2Session, an_answer_that_is_not_taken_costs_its_stream_alone) {
  Rig rig;
  rig.client.takes = false;
  rig.app.body = std::string(70'000, 'x');
  const int32_t slow = rig.client.ask("/now");
  rig.run();
  rig.pass(29 * kSecond);
  EXPECT_EQ(rig.session.streams(), 1u);
  rig.pass(2 * kSecond);
  EXPECT_EQ(rig.client.answers[slow].reset, NGHTTP2_CANCEL);
  EXPECT_EQ(rig.session.streams(), 0u);
  rig.client.open_window(0, 1'000'000);
  rig.app.body = "fine";
  const int32_t next = rig.client.ask("/now");
  rig.run();
  EXPECT_EQ(rig.client.answers[next].body, "fine");
}

TEST(H2Session, rapid_resets_end_the_connection) {
  Rig rig;
  uint32_t asked = 0;
  for (; asked < 5'000 && rig.last; ++asked) {
    const int32_t id = rig.client.ask("/later");
    rig.run();
    rig.client.reset(id);
    rig.run();
  }
  EXPECT_LE(asked, H2Session::kFreeFrames + 1);
  ASSERT_FALSE(rig.last);
  EXPECT_EQ(rig.last.error().code, Code::kOverloaded);
  EXPECT_EQ(rig.client.gone_away, NGHTTP2_ENHANCE_YOUR_CALM);
}

TEST(H2Session, resets_now_and_then_are_a_players_right) {
  Rig rig;
  for (int i = 0; i < 1'500; ++i) {
    const int32_t id = rig.client.ask("/later");
    rig.run();
    rig.client.reset(id);
    rig.pass(kSecond / 50);
  }
  EXPECT_TRUE(rig.last);
  EXPECT_EQ(rig.session.streams(), 0u);
}

TEST(H2Session, a_stream_that_is_reset_lets_go_of_who_would_answer) {
  Rig rig;
  const int32_t id = rig.client.ask("/later");
  rig.run();
  const std::weak_ptr<void> token = rig.session.token(static_cast<uint32_t>(id));
  EXPECT_FALSE(token.expired());
  rig.client.reset(id);
  rig.run();
  EXPECT_TRUE(token.expired());
  rig.app.answer(static_cast<uint32_t>(id));
}

TEST(H2Session, empty_frames_without_end_are_a_flood) {
  Rig rig;
  std::string ping = std::string("\0\0\x08\x06\0\0\0\0\0", 9) + "12345678";
  std::string many;
  for (int i = 0; i < 2'000; ++i) many += ping;
  const auto fed = rig.session.feed(many, 0);
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, Code::kOverloaded);
  EXPECT_LT(rig.output().size(), 4'096u);
}

TEST(H2Session, what_is_no_http_2_is_a_fault) {
  App app;
  const ServerOptions options;
  H2Session session(options, app, 0);
  const auto fed = session.feed("GET / HTTP/1.1\r\nHost: t\r\n\r\n", 0);
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, Code::kBadRequest);
}

TEST(H2Session, an_event_stream_gives_what_is_added_and_holds_back_when_it_is_not_taken) {
  Rig rig;
  rig.client.takes = false;
  const auto id = static_cast<uint32_t>(rig.client.ask("/events"));
  rig.run();
  ASSERT_TRUE(rig.session.open_events(id, {{"X-Sid", "1"}}, 0));
  ASSERT_TRUE(rig.session.add_event(id, "one", 0));
  ASSERT_TRUE(rig.session.add_event(id, "two\nlines", 0));
  rig.run();
  Answer& answer = rig.client.answers[static_cast<int32_t>(id)];
  EXPECT_EQ(answer.fields["content-type"], "text/event-stream");
  EXPECT_EQ(answer.fields["x-sid"], "1");
  EXPECT_EQ(answer.body, "data: one\n\ndata: two lines\n\n");
  rig.pass(15 * kSecond);
  EXPECT_TRUE(answer.body.ends_with("\n\n:\n\n")) << answer.body;
  const std::string large(5'000, 'e');
  int taken = 0;
  while (rig.session.add_event(id, large, rig.now_us)) {
    rig.run();
    ASSERT_LT(++taken, 100);
  }
  EXPECT_THAT(rig.app.rooms, IsEmpty());
  rig.client.open_window(static_cast<int32_t>(id), 1'000'000);
  rig.client.open_window(0, 1'000'000);
  rig.run();
  EXPECT_THAT(rig.app.rooms, ElementsAre(id));
  rig.session.end_events(id, rig.now_us);
  rig.run();
  EXPECT_TRUE(answer.whole);
  EXPECT_THAT(rig.app.ends, IsEmpty());
}

TEST(H2Session, an_event_stream_that_the_peer_ends_is_told) {
  Rig rig;
  const int32_t id = rig.client.ask("/events");
  rig.run();
  ASSERT_TRUE(rig.session.open_events(static_cast<uint32_t>(id), {}, 0));
  rig.run();
  rig.client.reset(id);
  rig.run();
  EXPECT_THAT(rig.app.ends, ElementsAre(static_cast<uint32_t>(id)));
  EXPECT_FALSE(rig.session.add_event(static_cast<uint32_t>(id), "late", 0));
}

TEST(H2Session, going_away_ends_in_order) {
  Rig rig;
  rig.client.ask("/now");
  rig.run();
  rig.session.go_away();
  rig.run();
  EXPECT_EQ(rig.client.gone_away, NGHTTP2_NO_ERROR);
  EXPECT_TRUE(rig.session.is_over());
}

}  // namespace
}  // namespace footlight::net
