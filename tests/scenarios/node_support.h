// A whole node in this process on a directory of its own, with one small episode and pages, and
// what its tests ask of it.
#pragma once
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/json.h"
#include "edge/node.h"
#include "gate/token.h"
#include "net/asio/http_client.h"
#include "net/asio/system.h"
#include "net_support.h"

namespace footlight::edge {

inline constexpr const char* kSecret = "a secret of the tests, thirty-two bytes";
inline constexpr const char* kDefinition =
    R"({"footlight":1,"title":"Test","cast":{"ann":{"name":"Ann","role":"player"}},)"
    R"("characters":{"aria":{"name":"Aria","owner":"ann","hp_max":12}},"emotes":["heart"],)"
    R"("scenes":{"a":{"title":"A","polls":["p"]}},)"
    R"("polls":{"p":{"title":"P?","options":["yes","no"],"seconds":600}}})";

inline std::string token_of(const std::string& sub, proto::Role role,
                            const std::string& episode = "demo", const char* secret = kSecret) {
  gate::Claims claims;
  claims.sub = sub;
  claims.episode = episode;
  claims.role = role;
  claims.name = sub;
  claims.expires_s = net::SystemClock().wall_ms() / 1000 + 3600;
  return gate::mint_token(claims, "test", *gate::hs256_signer(secret)).value();
}

inline std::string hello_of(const std::string& token, const std::string& cid = "00000000000000aa") {
  return R"({"t":"hello","v":1,"token":")" + token + R"(","cid":")" + cid + R"("})";
}

class NodeTest : public testing::Test {
 protected:
  NodeTest() {
    char path[] = "/tmp/footlight-node-XXXXXX";
    directory_ = mkdtemp(path);
    pages_ = directory_ + "/pages";
    key_file_ = directory_ + "/key";
    std::filesystem::create_directories(pages_ + "/assets");
    std::filesystem::create_directories(pages_ + "/audience");
    write(pages_ + "/index.html", "<p>index</p>");
    write(pages_ + "/audience/index.html", "<p>audience</p>");
    write(pages_ + "/assets/app-DF8LkC1-.js", "let a = 1;");
    write(pages_ + "/assets/app-DF8LkC1-.js.br", "brotli of it");
    write(pages_ + "/build.json", R"({"build":"b1"})");
    write(pages_ + "/.hidden", "hidden");
    write(directory_ + "/outside.txt", "outside");
    std::filesystem::create_symlink(directory_ + "/outside.txt", pages_ + "/link.txt");
    write(key_file_, kSecret);
  }
  ~NodeTest() override {
    node_.reset();  // it may be writing there
    std::filesystem::remove_all(directory_);
  }

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

  net::HttpAnswer call(const std::string& method, const std::string& path,
                       const std::string& body = "", net::HeaderList headers = {}) {
    const auto answer = net::http_call({.method = method,
                                        .url = node_->url() + path,
                                        .headers = std::move(headers),
                                        .body = body,
                                        .tls_verify = false});
    EXPECT_TRUE(answer) << path << ": " << answer.error().message();
    return answer.value_or(net::HttpAnswer{});
  }
  static net::HeaderList bearer(const std::string& token) {
    return {{"Authorization", "Bearer " + token}};
  }
  static int code_of(const net::HttpAnswer& answer) {
    const auto json = Json::parse(answer.body);
    return json ? static_cast<int>((*json)["code"].as_int()) : -1;
  }

  // The next message over a WebSocket. Ends the test when the connection ends instead.
  static Json next(net::RawClient& client) {
    const auto frame = client.read_frame();
    if (frame.kind == net::WsOpcode::kClose) {
      throw std::runtime_error("closed with " + std::to_string(frame.close_code));
    }
    return Json::parse(frame.payload).value();
  }
  // The next of type `type`; the others are passed over.
  static Json next(net::RawClient& client, std::string_view type) {
    for (;;) {
      Json message = next(client);
      if (message["t"].as_string() == type) return message;
    }
  }
  Json join(net::RawClient& client, const std::string& token) {
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

inline constexpr const char* kVote =
    R"({"t":"ev","e":[{"i":1,"k":"poll.vote","a":{"poll":"p","choice":[1],"n":1}}]})";

}  // namespace footlight::edge
