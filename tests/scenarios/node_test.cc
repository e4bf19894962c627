// The whole node in this process, over loopback: sessions by both transports, the HTTP addresses,
// pages, restart, drain, reload, and what goes wrong at start.
#include "edge/node.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "core/json.h"
#include "gate/token.h"
#include "net/asio/http_client.h"
#include "net/asio/server.h"
#include "net/asio/system.h"
#include "net_support.h"

namespace footlight::edge {
namespace {

namespace fs = std::filesystem;
using net::HttpAnswer;
using net::RawClient;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kSecret = "a secret of the tests, thirty-two bytes";
constexpr const char* kDefinition =
    R"({"footlight":1,"title":"Test","cast":{"ann":{"name":"Ann","role":"player"}},)"
    R"("characters":{"aria":{"name":"Aria","owner":"ann","hp_max":12}},"emotes":["heart"],)"
    R"("scenes":{"a":{"title":"A","polls":["p"]}},)"
    R"("polls":{"p":{"title":"P?","options":["yes","no"],"seconds":600}}})";

std::string token_of(const std::string& sub, proto::Role role, const std::string& episode = "demo",
                     const char* secret = kSecret) {
  gate::Claims claims;
  claims.sub = sub;
  claims.episode = episode;
  claims.role = role;
  claims.name = sub;
  claims.expires_s = net::SystemClock().wall_ms() / 1000 + 3600;
  return gate::mint_token(claims, "test", *gate::hs256_signer(secret)).value();
}

std::string hello_of(const std::string& token, const std::string& cid = "00000000000000aa") {
  return R"({"t":"hello","v":1,"token":")" + token + R"(","cid":")" + cid + R"("})";
}

class NodeTest : public testing::Test {
 protected:
  NodeTest() {
    char path[] = "/tmp/footlight-node-XXXXXX";
    directory_ = mkdtemp(path);
    pages_ = directory_ + "/pages";
    key_file_ = directory_ + "/key";
    fs::create_directories(pages_ + "/assets");
    fs::create_directories(pages_ + "/audience");
    write(pages_ + "/index.html", "<p>index</p>");
    write(pages_ + "/audience/index.html", "<p>audience</p>");
    write(pages_ + "/assets/app-DF8LkC1-.js", "let a = 1;");
    write(pages_ + "/assets/app-DF8LkC1-.js.br", "brotli of it");
    write(pages_ + "/build.json", R"({"build":"b1"})");
    write(pages_ + "/.hidden", "hidden");
    write(directory_ + "/outside.txt", "outside");
    fs::create_symlink(directory_ + "/outside.txt", pages_ + "/link.txt");
    write(key_file_, kSecret);
  }
  ~NodeTest() override { fs::remove_all(directory_); }

  static void write(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
  }

  NodeOptions options() {
    NodeOptions made;
    made.config.server.port = 0;
    made.config.server.threads = 3;
    made.config.server.static_dir = pages_;
    made.config.server.allowed_origins = {"https://show.example"};
    made.config.data.dir = directory_ + "/data";
    made.config.keys = {{.kid = "test", .file = key_file_}};
    made.episodes = {{"demo", kDefinition}};
    made.version = "0.0-test";
    made.log = [this](LogLevel level, std::string_view text) {
      if (level != LogLevel::kInfo) complaints_.append(text).append("\n");
    };
    return made;
  }
  void start() { start(options()); }
  void start(NodeOptions made) {
    auto node = Node::start(std::move(made));
    ASSERT_TRUE(node) << node.error().message();
    node_ = std::move(*node);
  }

  HttpAnswer call(const std::string& method, const std::string& path, const std::string& body = "",
                  net::HeaderList headers = {}) {
    const auto answer = net::http_call({.method = method,
                                        .url = node_->url() + path,
                                        .headers = std::move(headers),
                                        .body = body});
    EXPECT_TRUE(answer) << path << ": " << answer.error().message();
    return answer.value_or(HttpAnswer{});
  }
  static net::HeaderList bearer(const std::string& token) {
    return {{"Authorization", "Bearer " + token}};
  }
  static int code_of(const HttpAnswer& answer) {
    const auto json = Json::parse(answer.body);
    return json ? static_cast<int>((*json)["code"].as_int()) : -1;
  }

  // The next message over a WebSocket. Ends the test when the connection ends instead.
  static Json next(RawClient& client) {
    const auto frame = client.read_frame();
    if (frame.kind == net::WsOpcode::kClose) {
      throw std::runtime_error("closed with " + std::to_string(frame.close_code));
    }
    return Json::parse(frame.payload).value();
  }
  // The next of type `type`; the others are passed over.
  static Json next(RawClient& client, std::string_view type) {
    for (;;) {
      Json message = next(client);
      if (message["t"].as_string() == type) return message;
    }
  }
  Json join(RawClient& client, const std::string& token) {
    client.upgrade();
    client.send_text(hello_of(token));
    return next(client, "welcome");
  }
  // Starts the episode and opens the poll through the API.
  void open_poll() {
    const auto producer = bearer(token_of("boss", proto::Role::kProducer));
    const std::string path = "/v1/episodes/demo/commands";
    EXPECT_EQ(call("POST", path, R"({"k":"episode.start","a":{}})", producer).status, 200);
    EXPECT_EQ(call("POST", path, R"({"k":"poll.open","a":{"poll":"p"}})", producer).status, 200);
  }

  std::string directory_;
  std::string pages_;
  std::string key_file_;
  std::string complaints_;
  std::unique_ptr<Node> node_;
};

constexpr const char* kVote =
    R"({"t":"ev","e":[{"i":1,"k":"poll.vote","a":{"poll":"p","choice":[1],"n":1}}]})";

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

TEST_F(NodeTest, an_episode_goes_on_after_a_restart) {
  start();
  open_poll();
  RawClient viewer(node_->port());
  EXPECT_EQ(join(viewer, token_of("v1", proto::Role::kViewer))["epoch"].as_int(), 1);
  viewer.send_text(kVote);
  while (next(viewer, "ack")["confirmed"].items().empty()) {
  }
  node_.reset();
  start();
  RawClient again(node_->port());
  const Json welcome = join(again, token_of("v1", proto::Role::kViewer));
  EXPECT_EQ(welcome["epoch"].as_int(), 2);
  EXPECT_EQ(welcome["me"]["ballots"]["p"]["n"].as_int(), 1);
  EXPECT_EQ(complaints_, "");
}

TEST_F(NodeTest, the_log_wins_over_a_changed_file_and_says_so) {
  start();
  node_.reset();
  NodeOptions changed = options();
  changed.episodes = {{"demo", R"({"footlight":1,"title":"Another"})"}};
  start(std::move(changed));
  EXPECT_THAT(complaints_, HasSubstr("episode demo: the file has changed"));
  EXPECT_THAT(call("GET", "/v1/episodes").body, HasSubstr("\"title\":\"Test\""));
}

TEST_F(NodeTest, without_episode_files_every_log_of_the_directory_goes_on) {
  NodeOptions two = options();
  two.episodes.push_back({"second", R"({"footlight":1,"title":"Second"})"});
  start(std::move(two));
  node_.reset();
  NodeOptions none = options();
  none.episodes.clear();
  start(std::move(none));
  const std::string list = call("GET", "/v1/episodes").body;
  EXPECT_THAT(list, HasSubstr("\"id\":\"demo\""));
  EXPECT_THAT(list, HasSubstr("\"id\":\"second\""));
}

TEST_F(NodeTest, a_corrupt_log_costs_its_episode_alone_and_is_left_as_it_is) {
  fs::create_directories(directory_ + "/data");
  const std::string path = directory_ + "/data/broken.episode";
  const std::string garbage(8192, 'g');
  write(path, garbage);
  NodeOptions both = options();
  both.episodes.push_back({"broken", R"({"footlight":1,"title":"Broken"})"});
  start(std::move(both));
  EXPECT_THAT(complaints_, HasSubstr("episode broken is left out: 460"));
  EXPECT_THAT(call("GET", "/v1/episodes").body, Not(HasSubstr("broken")));
  std::ifstream in(path, std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), garbage);
  node_.reset();
  NodeOptions alone = options();
  alone.episodes = {{"broken", kDefinition}};
  const auto refused = Node::start(std::move(alone));
  ASSERT_FALSE(refused);
  EXPECT_EQ(static_cast<int>(refused.error().code) / 10, 460);
}

TEST_F(NodeTest, two_nodes_on_one_log_or_one_port_are_kept_apart) {
  start();
  NodeOptions same_log = options();
  const auto locked = Node::start(std::move(same_log));
  ASSERT_FALSE(locked);
  EXPECT_EQ(locked.error().code, Code::kLogLocked);
  NodeOptions same_port = options();
  same_port.config.server.port = node_->port();
  same_port.config.data.dir = directory_ + "/other";
  const auto busy = Node::start(std::move(same_port));
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code, Code::kPortBusy);
  EXPECT_TRUE(fs::is_empty(directory_ + "/other")) << "no log was touched";
}

TEST_F(NodeTest, bad_keys_and_certificates_stop_the_start) {
  const auto code_with = [&](auto change) {
    NodeOptions made = options();
    change(made);
    const auto node = Node::start(std::move(made));
    EXPECT_FALSE(node);
    return node ? Code::kOk : node.error().code;
  };
  EXPECT_EQ(code_with([](NodeOptions& o) { o.config.keys[0].file = "/nowhere"; }), Code::kKeyFile);
  EXPECT_EQ(code_with([&](NodeOptions& o) {
              write(directory_ + "/short", "short");
              o.config.keys[0].file = directory_ + "/short";
            }),
            Code::kKeyFile);
  EXPECT_EQ(code_with([](NodeOptions& o) { o.config.keys[0].secret_env = "FOOTLIGHT_NO_SUCH"; }),
            Code::kKeyFile);
  EXPECT_EQ(code_with([](NodeOptions& o) { o.config.server.tls_cert = "/nowhere"; }),
            Code::kCertificate);
  EXPECT_EQ(code_with([](NodeOptions& o) { o.config.server.static_dir = "/nowhere"; }), Code::kIo);
}

TEST_F(NodeTest, drain_tells_everyone_to_come_back_later_and_keeps_what_was_confirmed) {
  start();
  RawClient viewer(node_->port());
  join(viewer, token_of("v1", proto::Role::kViewer));
  RawClient waiting(node_->port());  // keeps an HTTP connection open across the drain
  waiting.send("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
  waiting.read_response();
  node_->drain(5'000);
  const Json bye = next(viewer, "bye");
  EXPECT_EQ(bye["code"].as_int(), 4900);
  EXPECT_TRUE(bye["reconnect"].as_bool());
  EXPECT_EQ(bye["after_ms"].items().size(), 2u);
  EXPECT_EQ(viewer.read_frame().close_code, 4900);
  waiting.send("GET /readyz HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_THAT(waiting.read_response(), StartsWith("HTTP/1.1 503"));
  waiting.send(
      "GET /v1/ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Protocol: footlight.v1\r\n\r\n");
  const std::string refused = waiting.read_response();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 2\r\n"));
  node_->stop();
}

TEST_F(NodeTest, reload_takes_new_keys_and_pages_and_keeps_sessions) {
  start();
  RawClient viewer(node_->port());
  join(viewer, token_of("v1", proto::Role::kViewer));
  const char* fresh = "a fresh secret, also of thirty-two bytes";
  write(key_file_, fresh);
  write(pages_ + "/index.html", "<p>new</p>");
  node_->reload();
  EXPECT_EQ(call("GET", "/").body, "<p>new</p>");
  viewer.send_text(R"({"t":"ping","c":5})");
  EXPECT_EQ(next(viewer, "pong")["c"].as_int(), 5);
  RawClient with_new(node_->port());
  join(with_new, token_of("v2", proto::Role::kViewer, "demo", fresh));
  RawClient with_old(node_->port());
  with_old.upgrade();
  with_old.send_text(hello_of(token_of("v3", proto::Role::kViewer)));
  EXPECT_THAT(with_old.read_frame().payload, HasSubstr("\"code\":4101"));
  // What cannot be read stays as it was.
  fs::remove(key_file_);
  node_->reload();
  EXPECT_THAT(complaints_, HasSubstr("stays as it was"));
  RawClient still(node_->port());
  join(still, token_of("v4", proto::Role::kViewer, "demo", fresh));
}

TEST_F(NodeTest, links_with_tokens_exist_in_development_only) {
  start();
  EXPECT_EQ(call("GET", "/v1/dev/links").status, 404);
  EXPECT_TRUE(node_->dev_links().empty());
  node_.reset();
  NodeOptions dev = options();
  dev.dev_secret = "the development secret, thirty-two bytes";
  start(std::move(dev));
  const auto links = Json::parse(call("GET", "/v1/dev/links").body);
  ASSERT_TRUE(links);
  bool ann = false;
  for (const Json& link : (*links)["links"].items()) {
    if (link["page"].as_string() != "stage" || link["name"].as_string() != "Ann (player)") continue;
    ann = true;
    const std::string& url = link["url"].as_string();
    RawClient player(node_->port());
    const Json welcome = join(player, url.substr(url.find("token=") + 6));
    EXPECT_EQ(welcome["role"].as_string(), "player");
    EXPECT_EQ(welcome["me"]["chars"].items().size(), 1u);
  }
  EXPECT_TRUE(ann);
}

TEST_F(NodeTest, webhooks_reach_their_endpoint_signed) {
  // An endpoint of our own that keeps what it gets.
  class Endpoint final : public net::ServerApp {
   public:
    void on_request(net::HttpRequest request, net::Responder responder) override {
      signature = request.header("webhook-signature");
      body = request.body;
      net::HttpResponse response;
      response.status = 204;
      responder.send(std::move(response));
      tally.add("got");
    }
    void on_open(net::Connection&, const net::HttpRequest&) override {}
    void on_message(net::Connection&, std::string_view) override {}
    void on_fault(net::Connection&, Code) override {}
    void on_writable(net::Connection&) override {}
    void on_closed(net::Connection&) override {}
    net::Tally tally;
    std::string signature;
    std::string body;
  };
  Endpoint endpoint;
  net::Shard shard(0);
  net::Shard* shards[] = {&shard};
  net::ServerApp* apps[] = {&endpoint};
  auto server = net::Server::listen({}, shards, apps).value();
  shard.start();
  write(directory_ + "/hook", "a webhook secret of thirty-two bytes");
  NodeOptions made = options();
  made.config.webhooks = {{.url = "http://127.0.0.1:" + std::to_string(server->port()) + "/hook",
                           .secret_file = directory_ + "/hook"}};
  start(std::move(made));
  open_poll();
  ASSERT_TRUE(endpoint.tally.wait("got", 1));
  node_.reset();
  shard.stop();
  shard.join();
  EXPECT_THAT(endpoint.signature, StartsWith("v1,"));
  EXPECT_TRUE(Json::parse(endpoint.body));
  server.reset();
}

}  // namespace
}  // namespace footlight::edge
