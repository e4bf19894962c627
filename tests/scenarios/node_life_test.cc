// The life of a node: restart, drain, reload, webhooks, and what goes wrong at start.
#include <sqlite3.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>

#include "edge/webhooks.h"
#include "net/asio/server.h"
#include "node_support.h"

namespace footlight::edge {
namespace {

namespace fs = std::filesystem;
using net::RawClient;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

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

TEST_F(NodeTest, a_log_that_fails_is_told_to_clients_and_once_to_the_operator) {
  start();
  open_poll();
  RawClient viewer(node_->port());
  join(viewer, token_of("vera", proto::Role::kViewer));
  EXPECT_EQ(complaints_, "");
  // From here on no file of this process grows: the next append fails.
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  rlimit none = limit;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  const auto say = [this] {
    return call("POST", "/v1/episodes/demo/commands", R"({"k":"chat.say","a":{"text":"x"}})",
                bearer(token_of("boss", proto::Role::kProducer)));
  };
  const auto refused = say();
  const auto again = say();
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, previous);
  EXPECT_EQ(code_of(refused), static_cast<int>(Code::kLogHalted));
  EXPECT_EQ(code_of(again), static_cast<int>(Code::kLogHalted));
  EXPECT_EQ(next(viewer, "mode")["mode"].as_string(), "halted");
  EXPECT_THAT(complaints_, HasSubstr("episode demo takes nothing more: 4600"));
  EXPECT_EQ(std::ranges::count(complaints_, '\n'), 1) << complaints_;
  const auto ready = call("GET", "/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(code_of(ready), code_of(refused));
  EXPECT_EQ(call("GET", "/v1/episodes/demo").status, 200) << "reading goes on";
}

// While it lives, SQLite finds the disk full.
class FullDisk {
 public:
  FullDisk() {
    set("write", +[](int, const void*, size_t) { return no_space(); });
    set("pwrite", +[](int, const void*, size_t, off_t) { return no_space(); });
    set("pwrite64", +[](int, const void*, size_t, off_t) { return no_space(); });
  }
  ~FullDisk() {
    for (const char* name : {"write", "pwrite", "pwrite64"}) {
      vfs_->xSetSystemCall(vfs_, name, nullptr);
    }
  }

 private:
  static ssize_t no_space() {
    errno = ENOSPC;
    return -1;
  }
  template <class Call>
  void set(const char* name, Call* call) {
    vfs_->xSetSystemCall(vfs_, name, reinterpret_cast<sqlite3_syscall_ptr>(call));
  }
  sqlite3_vfs* vfs_ = sqlite3_vfs_find(nullptr);
};

TEST_F(NodeTest, a_full_disk_has_its_own_number_for_commands_and_for_who_asks_whether_it_is_ready) {
  start();
  open_poll();
  const FullDisk full;
  const auto refused =
      call("POST", "/v1/episodes/demo/commands", R"({"k":"chat.say","a":{"text":"x"}})",
           bearer(token_of("boss", proto::Role::kProducer)));
  EXPECT_EQ(code_of(refused), static_cast<int>(Code::kDiskFull));
  const auto ready = call("GET", "/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(code_of(ready), static_cast<int>(Code::kDiskFull));
  EXPECT_THAT(complaints_, HasSubstr("episode demo takes nothing more: 4604"));
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

TEST_F(NodeTest, bad_keys_certificates_and_secrets_stop_the_start) {
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
  const auto with_hook = [&](std::string_view secret) {
    write(directory_ + "/hook", secret);
    return code_with([&](NodeOptions& o) {
      o.config.webhooks = {{.url = "http://127.0.0.1:1/", .secret_file = directory_ + "/hook"}};
    });
  };
  EXPECT_EQ(with_hook("short"), Code::kKeyFile);
  EXPECT_EQ(with_hook("whsec_not base64"), Code::kKeyFile);
  EXPECT_EQ(with_hook(std::string(65, 's')), Code::kKeyFile);
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
  waiting.send(
      "POST /v1/whip/demo HTTP/1.1\r\nHost: t\r\nContent-Type: application/sdp\r\nContent-Length: "
      "0\r\n\r\n");
  const std::string publisher = waiting.read_response();
  EXPECT_THAT(publisher, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(publisher, HasSubstr("Retry-After: 2\r\n"));
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

TEST_F(NodeTest, webhooks_reach_their_endpoint_signed_and_are_tried_again) {
  // An endpoint of our own that keeps what it gets.
  class Endpoint final : public net::ServerApp {
   public:
    void on_request(net::HttpRequest request, net::Responder responder) override {
      ids.emplace_back(request.header("webhook-id"));
      net::HttpResponse response;
      if (ids.size() == 1) {  // the first attempt fails
        response.status = 503;
      } else {
        const std::string timestamp(request.header("webhook-timestamp"));
        expected = webhook_signature(secret, ids.back(), std::stoll(timestamp), request.body);
        signature = request.header("webhook-signature");
        body = request.body;
        response.status = 204;
      }
      responder.send(std::move(response));
      tally.add("got");
    }
    void on_open(net::Connection&, const net::HttpRequest&) override {}
    void on_message(net::Connection&, std::string_view) override {}
    void on_fault(net::Connection&, Code) override {}
    void on_writable(net::Connection&) override {}
    void on_closed(net::Connection&) override {}
    net::Tally tally;
    Bytes secret = Bytes(32, 'k');
    std::vector<std::string> ids;
    std::string expected;
    std::string signature;
    std::string body;
  };
  Endpoint endpoint;
  net::Shard shard(0);
  net::Shard* shards[] = {&shard};
  net::ServerApp* apps[] = {&endpoint};
  auto server = net::Server::listen({}, shards, apps).value();
  shard.start();
  write(directory_ + "/hook", "whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n");
  NodeOptions made = options();
  made.config.webhooks = {{.url = "http://127.0.0.1:" + std::to_string(server->port()) + "/hook",
                           .secret_file = directory_ + "/hook",
                           .events = {"poll.opened"}}};
  start(std::move(made));
  open_poll();
  ASSERT_TRUE(endpoint.tally.wait("got", 2));
  node_.reset();
  shard.stop();
  shard.join();
  EXPECT_EQ(endpoint.signature, endpoint.expected);
  EXPECT_EQ(endpoint.ids[0], endpoint.ids[1]) << "a receiver tells a repetition by it";
  EXPECT_EQ(Json::parse(endpoint.body).value()["type"].as_string(), "poll.opened");
  server.reset();
}

}  // namespace
}  // namespace footlight::edge
