// The program stream through a whole node, over real sockets.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "edge/program.h"
#include "hls/gzip.h"
#include "hls/internal/test_feed.h"
#include "node_support.h"

namespace footlight::edge {
namespace {

using testing::HasSubstr;

class NodeProgramTest : public NodeTest {
 protected:
  NodeProgramTest() { up(false); }
  explicit NodeProgramTest(bool tls) { up(tls); }
  void up(bool tls = false) {
    NodeOptions made = options();
    if (tls) {
      made.config.server.tls_cert = directory_ + "/certificate.pem";
      made.config.server.tls_key = directory_ + "/key.pem";
      net::write_certificate("node", made.config.server.tls_cert, made.config.server.tls_key);
    }
    made.config.program.folder = directory_ + "/program";
    made.config.program.dvr_window_s = 30;
    made.config.push = {{.folder = directory_ + "/cdn"}, {.folder = key_file_ + "/cdn"}};
    start(std::move(made));
  }
  // GET until `body` is in it: what goes by other threads is there after a moment.
  net::HttpAnswer call_until(const std::string& path, const std::string& body,
                             net::HeaderList headers = {}) {
    net::HttpAnswer answer;
    for (int i = 0; i < 5'000; ++i) {
      answer = call("GET", path, "", headers);
      if (answer.body.find(body) != std::string::npos) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    EXPECT_THAT(answer.body, HasSubstr(body)) << path;
    return answer;
  }
  // Runs `job` where the program is fed, and waits for it.
  void feed(std::function<void(Program&)> job) {
    std::promise<void> done;
    ASSERT_TRUE(node_->feed("demo", [&](Program& program) {
      job(program);
      done.set_value();
    }));
    done.get_future().wait();
  }
  void begin() {
    feed([this](Program& to) {
      ASSERT_TRUE(to.hello(hello_));
      for (uint32_t i = 0; i < 3; ++i) {
        ASSERT_TRUE(to.init(i, hls::make_init(hello_.renditions[i].timescale)));
      }
    });
  }
  void run(uint64_t count) {
    feed([this, count](Program& to) {
      for (uint64_t i = 0; i < count; ++i, ++next_) {
        for (uint32_t rendition = 0; rendition < 3; ++rendition) {
          ASSERT_TRUE(to.part(hls::make_part(hello_, rendition, next_, 0, 20'000)));
        }
      }
    });
    // Other shards have put it up once they answer for it.
    const std::string last = "/v1/program/demo/e1/v720/" +
                             hls::part_name((next_ - 1) / 4, static_cast<uint32_t>(next_ - 1) % 4);
    for (int i = 0; i < 6; ++i) ASSERT_EQ(call("GET", last).status, 200);
  }
  // The metrics tell when so many wait.
  void await_waiting(uint64_t count) {
    for (int i = 0; i < 2'000; ++i) {
      uint64_t now = 0;
      feed([&](Program& program) { now = program.metrics().shelves.waiting; });
      if (now == count) return;
      std::this_thread::yield();
      feed([](Program& program) { (void)program.cue({.id = "!"}); });
    }
  }
  hls::Hello hello_ = hls::make_hello();
  uint64_t next_ = 0;
};

class NodeProgramTlsTest : public NodeProgramTest {
 protected:
  NodeProgramTlsTest() : NodeProgramTest(true) {}
};

TEST_F(NodeProgramTest, APlayerFindsItsWayFromTheOneAddress) {
  EXPECT_EQ(code_of(call("GET", "/v1/program/demo/index.m3u8")), 4780) << "before it begins";
  begin();
  run(10);
  const auto index = call("GET", "/v1/program/demo/index.m3u8");
  EXPECT_EQ(index.status, 200);
  EXPECT_EQ(index.header("Content-Type"), "application/vnd.apple.mpegurl");
  EXPECT_EQ(index.header("Cache-Control"), "public, max-age=1");
  EXPECT_EQ(index.header("Access-Control-Allow-Origin"), "*");
  EXPECT_THAT(index.body, HasSubstr("e1/v720.m3u8"));
  const auto list = call("GET", "/v1/program/demo/e1/v720.m3u8");
  EXPECT_THAT(list.body, HasSubstr("v720/s1.p1.m4s"));
  const auto packed =
      call("GET", "/v1/program/demo/e1/v720.m3u8", "", {{"Accept-Encoding", "gzip"}});
  EXPECT_EQ(packed.header("Content-Encoding"), "gzip");
  EXPECT_EQ(packed.header("Vary"), "Accept-Encoding");
  EXPECT_LT(packed.body.size(), list.body.size());
  const auto part = call("GET", "/v1/program/demo/e1/v720/s1.p1.m4s");
  EXPECT_EQ(part.body, *hls::make_part(hello_, 0, 5, 0, 20'000).bytes);
  EXPECT_EQ(part.header("Cache-Control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(part.header("Content-Type"), "video/mp4");
  EXPECT_EQ(call("GET", "/v1/program/demo/e1/a/init-0.mp4").body, *hls::make_init(48'000));
  EXPECT_EQ(call("GET", "/v1/program/demo/manifest.mpd").header("Content-Type"),
            "application/dash+xml");
}

TEST_F(NodeProgramTest, AskingAgainOrForAPieceIsAnsweredAsCachesExpect) {
  begin();
  run(6);
  const std::string path = "/v1/program/demo/e1/v720/s0.m4s";
  const auto whole = call("GET", path);
  ASSERT_EQ(whole.status, 200);
  const std::string tag(whole.header("ETag"));
  const auto same = call("GET", path, "", {{"If-None-Match", "\"x\", " + tag}});
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.body, "");
  const auto piece = call("GET", path, "", {{"Range", "bytes=20000-20999"}});
  EXPECT_EQ(piece.status, 206);
  EXPECT_EQ(piece.body, whole.body.substr(20'000, 1'000)) << "across two parts";
  EXPECT_EQ(piece.header("Content-Range"),
            "bytes 20000-20999/" + std::to_string(whole.body.size()));
  EXPECT_EQ(call("GET", path, "", {{"Range", "bytes=-5"}}).body,
            whole.body.substr(whole.body.size() - 5));
  EXPECT_EQ(call("GET", path, "", {{"Range", "bytes=9999999-"}}).status, 416);
  EXPECT_EQ(call("GET", path, "", {{"Range", "bytes=1-2,4-5"}}).status, 200);
  const auto head = call("HEAD", path);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), std::to_string(whole.body.size()));
  EXPECT_EQ(call("OPTIONS", path).status, 204);
  EXPECT_EQ(call("POST", path).status, 405);
}

TEST_F(NodeProgramTest, TricksWithAddressesLeadNowhere) {
  begin();
  run(6);
  for (const char* path :
       {"/v1/program/", "/v1/program/demo", "/v1/program/other/index.m3u8",
        "/v1/program/demo/e1/v720/%73%30.m4s", "/v1/program/demo/e1/v720/s0.m4s/",
        "/v1/program/demo/e1/v720/s00.m4s", "/v1/program/demo/e1/v1080.m3u8",
        "/v1/program/demo/e1/v720/s999999.p0.m4s"}) {
    EXPECT_EQ(call("GET", path).status, 404) << path;
  }
  EXPECT_EQ(call("GET", "/v1/program/demo/e1/%2e%2e/v720.m3u8").status, 400);
  EXPECT_EQ(code_of(call("GET", "/v1/program/demo/e1/v720.m3u8?_HLS_part=1")), 4783);
  EXPECT_EQ(code_of(call("GET", "/v1/program/demo/e1/v720.m3u8?_HLS_msn=900")), 4784);
}

TEST_F(NodeProgramTest, ABlockingReloadIsAnsweredWhenThePartIsThereOnWhateverThread) {
  begin();
  run(6);
  std::vector<std::future<net::HttpAnswer>> waiting;
  for (int i = 0; i < 6; ++i) {
    waiting.push_back(std::async(std::launch::async, [this] {
      return call("GET", "/v1/program/demo/e1/v720.m3u8?_HLS_msn=1&_HLS_part=2");
    }));
  }
  await_waiting(6);
  run(1);
  for (auto& one : waiting) {
    const auto answer = one.get();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("Cache-Control"), "public, max-age=18");
    EXPECT_THAT(answer.body, HasSubstr("s1.p2.m4s\"\n"));
  }
  const std::string metrics = call("GET", "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("footlight_program_parts_total 21"));
}

TEST_F(NodeProgramTlsTest, ManyBlockingReloadsWaitOnOneConnectionOfHttp2) {
  begin();
  run(6);
  const std::string base = node_->url() + "/v1/program/demo/e1/v720";
  auto said = std::async(std::launch::async, [&] {
    return net::output_of("nghttp -y -m 100 '" + base + ".m3u8?_HLS_msn=1&_HLS_part=2'");
  });
  await_waiting(100);
  run(1);
  const std::string lists = said.get();
  size_t with_the_part = 0;
  for (size_t at = 0; (at = lists.find("s1.p2.m4s\"\n", at)) != std::string::npos; ++at) {
    ++with_the_part;
  }
  EXPECT_GE(with_the_part, 100u);
  EXPECT_EQ(net::output_of("nghttp -y " + base + "/s1.p1.m4s"),
            *hls::make_part(hello_, 0, 5, 0, 20'000).bytes);
  EXPECT_THAT(net::output_of("nghttp -nv -y " + base + "/s1.p1.m4s"),
              HasSubstr("cache-control: public, max-age=31536000, immutable"));
}

TEST_F(NodeProgramTest, AfterTheEndTheRecordingPlaysFromTheDisk) {
  begin();
  for (int i = 0; i < 25; ++i) run(4);
  feed([](Program& program) { program.end(); });
  call_until("/v1/program/demo/index.m3u8", "e1/v720/vod.m3u8");
  EXPECT_THAT(call("GET", "/v1/program/demo/e1/v720/vod.m3u8").body, HasSubstr("\ns0.m4s\n"));
  std::string wanted;
  for (uint64_t n = 0; n < 4; ++n) wanted += *hls::make_part(hello_, 0, n, 0, 20'000).bytes;
  EXPECT_EQ(call("GET", "/v1/program/demo/e1/v720/s0.m4s").body, wanted);
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/program/demo/e1/v720/s0.m4s"));
}

TEST_F(NodeProgramTest, ARecordingIsServedAfterARestartWithItsTimeLine) {
  open_poll();
  begin();
  for (int i = 0; i < 3; ++i) run(4);
  feed([](Program& program) {
    ASSERT_TRUE(program.poster(make_blob("a poster")));
    ASSERT_TRUE(program.thumb(1'800'000'001'000, make_blob("a small picture")));
    program.end();
  });
  call_until("/v1/program/demo/index.m3u8", "vod.m3u8");
  const std::string list = call("GET", "/v1/program/demo/e1/v720/vod.m3u8").body;
  const std::string marks = call("GET", "/v1/program/demo/timeline.json").body;
  EXPECT_THAT(marks, HasSubstr(R"("kind":"poll","poll":"p","title":"P?","options":["yes","no"])"));
  node_.reset();
  up();
  EXPECT_EQ(call("GET", "/v1/program/demo/status.json").body, R"({"there":true,"live":false})");
  EXPECT_THAT(call("GET", "/v1/program/demo/index.m3u8").body, HasSubstr("e1/v720/vod.m3u8"));
  const auto vod = call("GET", "/v1/program/demo/e1/v720/vod.m3u8");
  EXPECT_EQ(vod.body, list);
  EXPECT_EQ(vod.header("Vary"), "Accept-Encoding");
  EXPECT_EQ(call("GET", "/v1/program/demo/timeline.json").body, marks);
  EXPECT_EQ(call("GET", "/v1/program/demo/poster.jpg").body, "a poster");
  EXPECT_THAT(call("GET", "/v1/program/demo/thumbs.vtt").body, HasSubstr("\ne1/t0.jpg\n"));
  EXPECT_EQ(call("GET", "/v1/program/demo/e1/t0.jpg").body, "a small picture");
  const auto segment = call("GET", "/v1/program/demo/e1/a/s2.m4s");
  EXPECT_EQ(segment.header("Content-Type"), "audio/mp4");
  EXPECT_EQ(segment.header("Cache-Control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(call("GET", "/v1/program/demo/e1/a/s3.m4s").status, 404);
  EXPECT_EQ(call("GET", "/v1/program/demo/e9/a/s2.m4s").status, 404);
  // Packed for who takes it, once: the file is not looked for again.
  const net::HeaderList takes = {{"Accept-Encoding", "gzip"}};
  const std::string kept = directory_ + "/program/demo/e1/v720/vod.m3u8";
  for (int i = 0; i < 2; ++i) {
    const auto packed = call("GET", "/v1/program/demo/e1/v720/vod.m3u8", "", takes);
    EXPECT_EQ(packed.header("Content-Encoding"), "gzip");
    EXPECT_EQ(packed.header("Vary"), "Accept-Encoding");
    EXPECT_NE(packed.header("ETag"), vod.header("ETag"));
    EXPECT_EQ(packed.body, hls::Gzip().pack(list));
    std::filesystem::remove(kept);
  }
  EXPECT_EQ(call("GET", "/v1/program/demo/e1/v720/vod.m3u8").status, 404);
  for (const char* text : {"index.m3u8", "manifest.mpd", "e1/v720.m3u8"}) {
    const auto packed = call("GET", std::string("/v1/program/demo/") + text, "", takes);
    EXPECT_EQ(packed.header("Content-Encoding"), "gzip") << text;
  }
  const auto media = call("GET", "/v1/program/demo/e1/a/s2.m4s", "", takes);
  EXPECT_EQ(media.header("Content-Encoding"), "");
  EXPECT_EQ(media.body, segment.body);
  // A new stream takes its place; who is in the middle of the old one can go on.
  hello_.epoch = "e2";
  next_ = 0;
  feed([this](Program& to) { ASSERT_TRUE(to.hello(hello_)); });
  EXPECT_EQ(code_of(call("GET", "/v1/program/demo/index.m3u8")), 4782);
  EXPECT_EQ(call("GET", "/v1/program/demo/e1/a/s2.m4s").body, segment.body);
}

TEST_F(NodeProgramTest, ItIsPushedToAFolderAndAPlaceThatTakesNothingCostsNothing) {
  begin();
  run(12);
  const auto producer = bearer(token_of("boss", proto::Role::kProducer));
  const std::string path = "/v1/episodes/demo/program/push";
  const std::string said = call_until(path, R"("state":"failing")", producer).body;
  EXPECT_THAT(said, HasSubstr(R"("error":{"code":4796,)"));
  EXPECT_THAT(said, HasSubstr(R"("place":")" + directory_ + "/cdn\""));
  call_until(path, R"("state":"idle")", producer);
  std::ifstream in(directory_ + "/cdn/demo/e1/v720.m3u8");
  const std::string list(std::istreambuf_iterator<char>(in), {});
  EXPECT_THAT(list, HasSubstr("\nv720/s2.m4s\n"));
  EXPECT_THAT(list, testing::Not(HasSubstr("EXT-X-PART:")));
  EXPECT_EQ(std::filesystem::file_size(directory_ + "/cdn/demo/e1/v720/s2.m4s"),
            call("GET", "/v1/program/demo/e1/v720/s2.m4s").body.size());
  EXPECT_THAT(call("GET", "/metrics").body,
              HasSubstr("footlight_program_push_failing{place=\"" + key_file_ + "/cdn\"} 1"));
  EXPECT_EQ(code_of(call("GET", path)), 4100) << "the producer's alone";
}

TEST_F(NodeProgramTest, ANewEpochLeavesTheOldOnesAddressesBehind) {
  begin();
  run(6);
  hello_.epoch = "e2";
  next_ = 0;
  begin();
  EXPECT_THAT(call("GET", "/v1/program/demo/e1/v720.m3u8").body, HasSubstr("#EXT-X-ENDLIST"));
  feed([this](Program& program) {
    EXPECT_EQ(program.hello(hello_).error().code, Code::kFeedOrder) << "never twice";
  });
}

// Of a process that is killed the socket tells the end: after the show that listened.
TEST_F(NodeTest, compositors_that_are_ended_in_a_drain_are_heard_no_more) {
  const std::string program = directory_ + "/compositor";
  write(program, "#!/bin/sh\nexec sleep 600\n");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  NodeOptions made = options();
  made.config.server.threads = 1;
  made.config.program = {.enabled = true, .compositor = program};
  for (const char* id : {"second", "third"}) made.episodes.push_back({id, kDefinition});
  for (int round = 0; round < 5; ++round) {
    start(made);
    for (const std::string id : {"demo", "second", "third"}) {
      const auto headers = bearer(token_of("boss", proto::Role::kProducer, id));
      const std::string path = "/v1/episodes/" + id;
      call("POST", path + "/commands", R"({"k":"episode.start","a":{}})", headers);
      while (call("GET", path + "/program", "", headers).body.find("\"starts\":0") !=
             std::string::npos) {
      }
    }
    std::atomic<bool> over = false;
    net::RawClient client(node_->port());
    std::thread busy([&] {  // so that the shard has much to do
      while (!over) {
        client.send("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
        client.read_response();
      }
    });
    node_->drain(5'000);
    over = true;
    busy.join();
    node_.reset();
  }
}

}  // namespace
}  // namespace footlight::edge
