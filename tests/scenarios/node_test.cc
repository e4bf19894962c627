// The whole node over loopback: sessions by both transports, the HTTP addresses, pages.
#include "node_support.h"

namespace footlight::edge {
namespace {

using net::RawClient;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST_F(NodeTest, a_vote_over_a_websocket_is_confirmed_and_counted) {
  start();
  open_poll();
  RawClient viewer(node_->port());
  const Json welcome = join(viewer, token_of("v1", proto::Role::kViewer));
  EXPECT_EQ(welcome["ep"].as_string(), "demo");
  EXPECT_EQ(welcome["build"].as_string(), "b1") << "of the pages' build.json";
  viewer.send_text(kVote);
  bool confirmed = false;
  bool counted = false;
  while (!confirmed || !counted) {  // in whichever order
    const Json message = next(viewer);
    if (message["t"].as_string() == "ack" && !message["confirmed"].items().empty()) {
      const Json& one = message["confirmed"].items().front();
      EXPECT_EQ(one["i"].as_int(), 1);
      EXPECT_EQ(one["hash"].as_string().size(), 32u);
      confirmed = true;
    } else if (message["t"].as_string() == "tally" && message["voters"].as_int() > 0) {
      EXPECT_EQ(message["counts"].items()[1].as_int(), 1);
      counted = true;
    }
  }
}

// The next message of a type, chunk framing taken off.
std::string next_event(RawClient& client, std::string_view type) {
  for (;;) {
    std::string chunk = client.read_until("\n\n\r\n");
    if (chunk.empty()) throw std::runtime_error("the stream ended before " + std::string(type));
    const size_t at = chunk.find("data: ");
    if (at == std::string::npos) continue;
    const std::string message = chunk.substr(at + 6, chunk.size() - at - 6 - 4);
    if (message.find("\"t\":\"" + std::string(type) + "\"") != std::string::npos) return message;
  }
}

TEST_F(NodeTest, a_vote_over_server_sent_events_is_confirmed_from_whichever_shard) {
  start();
  open_poll();
  for (int i = 0; i < 6; ++i) {
    RawClient stream(node_->port());
    const std::string hello = hello_of(token_of("s" + std::to_string(i), proto::Role::kViewer));
    stream.send("POST /v1/sessions HTTP/1.1\r\nHost: t\r\nContent-Length: " +
                std::to_string(hello.size()) + "\r\n\r\n" + hello);
    EXPECT_THAT(stream.read_until("\r\n\r\n"), HasSubstr("Content-Type: text/event-stream\r\n"));
    const auto welcome = Json::parse(next_event(stream, "welcome"));
    ASSERT_TRUE(welcome);
    const std::string sid = (*welcome)["sid"].as_string();
    ASSERT_EQ(sid.size(), 32u);
    const std::string two = R"({"t":"ping","c":7})" + std::string("\r\n\n") + kVote;
    EXPECT_EQ(call("POST", "/v1/sessions/" + sid, two).status, 204);
    EXPECT_THAT(next_event(stream, "pong"), HasSubstr("\"c\":7"));
    EXPECT_THAT(next_event(stream, "ack"), HasSubstr("\"i\":1"));
  }
}

TEST_F(NodeTest, a_stream_that_is_unknown_or_gone_is_told_so) {
  start();
  for (const std::string& sid :
       {std::string("x"), std::string(32, 'f'), std::string(32, '0'), std::string("00/../00")}) {
    const auto answer = call("POST", "/v1/sessions/" + sid, "{}");
    EXPECT_TRUE(code_of(answer) == 4014 || code_of(answer) == 4016) << sid << answer.body;
  }
  EXPECT_EQ(call("GET", "/v1/sessions").status, 405);
  // A hello that is refused ends the stream with a bye.
  RawClient stream(node_->port());
  stream.send("POST /v1/sessions HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n{}");
  const std::string all = stream.read_to_end();
  EXPECT_THAT(all, HasSubstr("\"t\":\"bye\""));
  EXPECT_THAT(all, EndsWith("0\r\n\r\n"));
}

TEST_F(NodeTest, garbage_costs_its_sender_a_numbered_bye_and_nobody_else) {
  start();
  RawClient bystander(node_->port());
  join(bystander, token_of("v1", proto::Role::kViewer));
  struct Case {
    std::string bytes;
    int code;
  };
  using net::client_frame;
  using net::WsOpcode;
  for (const Case& bad :
       {Case{client_frame(WsOpcode::kText, "garbage"), 4000},
        Case{client_frame(WsOpcode::kText, R"({"t":"ping","c":1})"), 4004},
        Case{client_frame(WsOpcode::kText, hello_of("no.to.ken")), 4100},
        Case{
            client_frame(WsOpcode::kText, hello_of(token_of("x", proto::Role::kViewer, "demo",
                                                            "another secret of thirty-two bytes"))),
            4101},
        Case{client_frame(WsOpcode::kText,
                          hello_of(token_of("x", proto::Role::kViewer, "elsewhere"))),
             4300},
        Case{client_frame(WsOpcode::kText, std::string(17'000, ' ')), 4001},
        Case{client_frame(WsOpcode::kText, "\xFF"), 4013},
        Case{client_frame(WsOpcode::kBinary, "{}"), 4000}, Case{"not a frame at all", 4015}}) {
    RawClient client(node_->port());
    client.upgrade();
    client.send(bad.bytes);
    const auto bye = client.read_frame();
    EXPECT_THAT(bye.payload, HasSubstr("\"code\":" + std::to_string(bad.code)));
    const auto close = client.read_frame();
    EXPECT_EQ(close.kind, net::WsOpcode::kClose);
    EXPECT_EQ(close.close_code, bad.code);
  }
  bystander.send_text(R"({"t":"ping","c":5})");
  EXPECT_EQ(next(bystander, "pong")["c"].as_int(), 5);
}

TEST_F(NodeTest, the_api_takes_producers_alone) {
  start();
  EXPECT_THAT(call("GET", "/v1/episodes").body, HasSubstr("\"id\":\"demo\""));
  EXPECT_THAT(call("GET", "/v1/openapi.json").body, HasSubstr("openapi"));
  const std::string path = "/v1/episodes/demo/figures";
  EXPECT_EQ(call("GET", path).status, 401);
  EXPECT_EQ(call("GET", path, "", bearer(token_of("v", proto::Role::kViewer))).status, 403);
  EXPECT_EQ(code_of(call("GET", path, "", bearer(token_of("p", proto::Role::kProducer, "other")))),
            4107);
  const auto figures = call("GET", path, "", bearer(token_of("p", proto::Role::kProducer)));
  EXPECT_EQ(figures.status, 200);
  EXPECT_TRUE(Json::parse(figures.body));
  EXPECT_EQ(code_of(call("GET", "/v1/episodes/none/figures")), 4300);
  const auto method = call("DELETE", "/v1/episodes/demo");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.header("Allow"), "GET");
  EXPECT_EQ(code_of(call("GET", "/v1/nothing")), 4017);
}

TEST_F(NodeTest, pages_of_allowed_origins_may_use_the_http_addresses) {
  start();
  const auto preflight = call("OPTIONS", "/v1/sessions", "", {{"Origin", "https://show.example"}});
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.header("Access-Control-Allow-Origin"), "https://show.example");
  EXPECT_EQ(call("OPTIONS", "/v1/sessions", "", {{"Origin", "https://evil.example"}}).status, 403);
  EXPECT_EQ(call("POST", "/v1/sessions", "{}", {{"Origin", "https://evil.example"}}).status, 403);
  const auto listed = call("GET", "/v1/episodes", "", {{"Origin", "https://show.example"}});
  EXPECT_EQ(listed.header("Access-Control-Allow-Origin"), "https://show.example");
}

TEST_F(NodeTest, health_readiness_and_metrics_are_told) {
  start();
  EXPECT_EQ(call("GET", "/healthz").status, 200);
  EXPECT_EQ(call("GET", "/readyz").status, 200);
  EXPECT_EQ(call("POST", "/healthz").status, 405);
  RawClient viewer(node_->port());
  join(viewer, token_of("v1", proto::Role::kViewer));
  const auto metrics = call("GET", "/metrics");
  EXPECT_THAT(std::string(metrics.header("Content-Type")), StartsWith("text/plain; version=0.0.4"));
  EXPECT_THAT(metrics.body, HasSubstr("\nfootlight_sessions{role=\"viewer\"} 1\n"));
  EXPECT_THAT(metrics.body, HasSubstr("\nfootlight_tcp_connections "));
  EXPECT_THAT(metrics.body, Not(HasSubstr("demo"))) << "no label per episode";
}

TEST_F(NodeTest, pages_are_served_with_the_headers_they_need) {
  start();
  const auto index = call("GET", "/");
  EXPECT_EQ(index.body, "<p>index</p>");
  EXPECT_EQ(index.header("Cache-Control"), "no-cache");
  EXPECT_EQ(index.header("X-Content-Type-Options"), "nosniff");
  EXPECT_THAT(std::string(index.header("Content-Security-Policy")), HasSubstr("frame-ancestors"));
  EXPECT_EQ(call("GET", "/audience/").body, "<p>audience</p>");
  const auto moved = call("GET", "/audience?ep=demo");
  EXPECT_EQ(moved.status, 308);
  EXPECT_EQ(moved.header("Location"), "/audience/?ep=demo");
  const std::string script = "/assets/app-DF8LkC1-.js";
  const auto plain = call("GET", script);
  EXPECT_EQ(plain.body, "let a = 1;");
  EXPECT_EQ(plain.header("Cache-Control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(plain.header("Vary"), "Accept-Encoding");
  const auto small = call("GET", script, "", {{"Accept-Encoding", "gzip, br"}});
  EXPECT_EQ(small.body, "brotli of it");
  EXPECT_EQ(small.header("Content-Encoding"), "br");
  EXPECT_NE(small.header("ETag"), plain.header("ETag"));
  const std::string etag(index.header("ETag"));
  const auto same = call("GET", "/", "", {{"If-None-Match", "\"x\", W/" + etag}});
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.body, "");
  EXPECT_EQ(call("HEAD", "/").body, "");
}

TEST_F(NodeTest, no_path_leaves_the_directory_of_the_pages) {
  start();
  for (const char* path :
       {"/../outside.txt", "/%2e%2e/outside.txt", "/..%2foutside.txt", "/assets/../../outside.txt",
        "/link.txt", "/.hidden", "//outside.txt", "/assets", "/assets/", "/assets/app-DF8LkC1-.js/",
        "/assets/app-DF8LkC1-.js.br", "/audience/index.html/..", "/%00", "/index.html%00.png"}) {
    RawClient client(node_->port());
    client.send(std::string("GET ") + path + " HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    const std::string all = client.read_to_end();
    EXPECT_THAT(all, testing::AnyOf(StartsWith("HTTP/1.1 404"), StartsWith("HTTP/1.1 400")))
        << path;
    EXPECT_THAT(all, Not(HasSubstr("outside\n"))) << path;
    EXPECT_THAT(all, Not(HasSubstr("hidden"))) << path;
  }
  EXPECT_EQ(call("POST", "/index.html").status, 405);
}

}  // namespace
}  // namespace footlight::edge
