// hls_feed PORT FOLDER [NAME=VALUE ...]: a whole node with one episode ("show") whose program is
// fed in real time from fragmented MP4 files in FOLDER (v360.mp4, v240.mp4, a.mp4, one chunk a
// part), again and again with a discontinuity between. For tests that look at the stream as a
// player does.
//
// Says "ready" when the first segment is out. Takes lines: `cue ID KIND TEXT`, `stall MS`, `poster
// FILE`, `thumb FILE`, `end`; ends with its input.
//
//   data=DIR      logs and recording, kept; else a folder of its own
//   pages=DIR     serves these
//   window=S      so many seconds of it are kept while it is live, 30 at the least, else 30
//   feed=no       nothing is fed: what is there from an earlier life is served
//   push=FOLDER   pushes to a folder;  bucket=ENDPOINT  to the bucket "shows" there, path-style,
//   signed with the key "feed" and the secret in $FEED_SECRET;  parts=yes  also parts
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <sstream>
#include <thread>

#include "edge/node.h"
#include "edge/program.h"
#include "hls/boxes.h"
#include "net/asio/shard.h"

namespace footlight {
namespace {

constexpr const char* kDefinition =
    R"({"footlight":1,"title":"Show","start":"a",)"
    R"("scenes":{"a":{"title":"A","polls":["p"]},"b":{"title":"B"}},)"
    R"("polls":{"p":{"title":"P?","options":["yes","no"],"seconds":600}}})";
constexpr int64_t kPartUs = 533'333;
constexpr uint32_t kParts = 4;

Blob read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return make_blob(std::string(std::istreambuf_iterator<char>(file), {}));
}

struct Clip {
  Blob init;
  std::vector<Blob> chunks;
};

// Cuts a file at its boxes: what comes before the first moof, then each moof with its mdat.
Clip read_clip(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string all(std::istreambuf_iterator<char>(file), {});
  Clip clip;
  size_t at = 0, from = 0;
  while (at + 8 <= all.size()) {
    size_t size = 0;
    for (size_t i = 0; i < 4; ++i) size = size << 8 | static_cast<unsigned char>(all[at + i]);
    const std::string type = all.substr(at + 4, 4);
    if (size < 8 || at + size > all.size()) break;
    if (type == "moof" && !clip.init) {
      clip.init = make_blob(all.substr(0, at));
      from = at;
    }
    at += size;
    if (type != "mdat") continue;
    clip.chunks.push_back(make_blob(all.substr(from, at - from)));
    from = at;
  }
  return clip;
}

hls::Hello make_hello(int64_t started_ms) {
  hls::Hello hello;
  hello.epoch = "t" + std::to_string(started_ms);
  hello.part_target_us = 533'334;
  hello.parts_per_segment = kParts;
  hls::Rendition video;
  video.codecs = "avc1.42c01e";
  video.timescale = 15'360;
  video.frame_rate_milli = 30'000;
  video.id = "v360", video.width = 640, video.height = 360, video.bandwidth_bps = 1'200'000;
  hello.renditions.push_back(video);
  video.codecs = "avc1.42c015";
  video.id = "v240", video.width = 426, video.height = 240, video.bandwidth_bps = 600'000;
  hello.renditions.push_back(video);
  hls::Rendition audio;
  audio.id = "a", audio.kind = hls::Kind::kAudio, audio.codecs = "mp4a.40.2";
  audio.timescale = 48'000, audio.bandwidth_bps = 110'000, audio.channels = 2;
  hello.renditions.push_back(audio);
  return hello;
}

struct Feed {
  edge::Node& node;
  std::vector<Clip> clips;
  hls::Hello hello;
  int64_t stall_ms = 0;
  bool over = false;

  void each(std::move_only_function<void(edge::Program&)> job) {
    node.feed("show", std::move(job));
  }
  static void check(const Status& status) {
    if (!status) std::printf("refused %s\n", status.error().message().c_str());
  }
  void inits() {
    for (uint32_t i = 0; i < clips.size(); ++i) {
      each([i, init = clips[i].init](edge::Program& to) { check(to.init(i, init)); });
    }
  }
  // Part `n` of the clip, which began at `began_ms` wall time.
  void part(uint64_t n, WallMs began_ms) {
    for (uint32_t i = 0; i < clips.size(); ++i) {
      const auto info = hls::read_chunk(*clips[i].chunks[n]);
      if (!info) continue;
      hls::PartUnit unit;
      unit.rendition = i;
      unit.msn = n / kParts;
      unit.part = static_cast<uint32_t>(n % kParts);
      unit.independent = hello.renditions[i].kind == hls::Kind::kAudio || unit.part == 0;
      unit.tfdt = info->tfdt;
      unit.duration = info->duration.value_or(hello.renditions[i].timescale * kPartUs / 1'000'000);
      unit.program_date_time_ms = began_ms + static_cast<WallMs>(n) * kPartUs / 1000;
      unit.bytes = clips[i].chunks[n];
      each([unit](edge::Program& to) { check(to.part(unit)); });
    }
  }
  void take_line(const std::string& line) {
    std::istringstream in(line);
    std::string what, id, kind, rest;
    in >> what;
    if (what == "stall") in >> stall_ms;
    if (what == "end") over = true;
    if (what == "poster" || what == "thumb") {
      in >> rest;
      each([small = what == "thumb", jpeg = read_file(rest)](edge::Program& to) {
        check(small ? to.thumb(net::SystemClock().wall_ms(), jpeg) : to.poster(jpeg));
      });
    }
    if (what != "cue") return;
    in >> id >> kind;
    std::getline(in >> std::ws, rest);
    hls::Cue cue{.id = id, .kind = kind, .at_ms = net::SystemClock().wall_ms(), .payload = rest};
    each([cue](edge::Program& to) { check(to.cue(cue)); });
  }
  // Lines until `until`; false when there will be no more.
  bool wait(std::chrono::steady_clock::time_point until) {
    for (;;) {
      const auto left = until - std::chrono::steady_clock::now();
      const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
      if (ms <= 0) return true;
      pollfd in{STDIN_FILENO, POLLIN, 0};
      if (::poll(&in, 1, static_cast<int>(ms)) <= 0) continue;
      std::string line;
      for (char c = 0; ::read(STDIN_FILENO, &c, 1) == 1;) {
        if (c == '\n') break;
        line.push_back(c);
      }
      if (line.empty()) return false;
      take_line(line);
    }
  }
  void run() {
    const size_t length =
        std::min({clips[0].chunks.size(), clips[1].chunks.size(), clips[2].chunks.size()}) /
        kParts * kParts;
    for (int turn = 0; !over; ++turn) {
      if (turn > 0) each([](edge::Program& to) { check(to.discontinuity()); });
      inits();
      auto began = std::chrono::steady_clock::now();
      WallMs began_ms = net::SystemClock().wall_ms();
      for (uint64_t n = 0; n < length && !over; ++n) {
        if (stall_ms > 0) {
          const auto more = std::chrono::milliseconds(std::exchange(stall_ms, 0));
          began += more;
          began_ms += more.count();
        }
        // A part can be there once its last frame has been filmed.
        const auto due = began + std::chrono::microseconds((static_cast<int64_t>(n) + 1) * kPartUs);
        if (!wait(due)) return;
        part(n, began_ms);
        if (turn == 0 && n == kParts) std::printf("ready\n");
        std::fflush(stdout);
      }
    }
    each([](edge::Program& to) { to.end(); });
    while (wait(std::chrono::steady_clock::now() + std::chrono::seconds(1))) continue;
  }
};

using Settings = std::map<std::string, std::string>;

edge::NodeOptions options_of(uint16_t port, Settings& settings) {
  edge::NodeOptions options;
  options.config.server.port = port;
  options.config.server.threads = 2;
  options.config.server.static_dir = settings["pages"];
  options.config.data.dir = settings["data"];
  options.config.program.folder = settings["data"] + "/program";
  options.config.program.dvr_window_s =
      settings["window"].empty() ? 30 : std::stoi(settings["window"]);
  options.config.program.push_parts = settings["parts"] == "yes";
  options.config.media.enabled = false;
  if (!settings["push"].empty()) options.config.push.push_back({.folder = settings["push"]});
  if (!settings["bucket"].empty()) {
    options.config.push.push_back({.endpoint = settings["bucket"],
                                   .bucket = "shows",
                                   .prefix = "live",
                                   .path_style = true,
                                   .key_id = "feed",
                                   .secret_env = "FEED_SECRET"});
  }
  options.dev_secret = "a secret of the tests, thirty-two bytes";
  options.episodes = {{"show", kDefinition}};
  options.version = "test";
  options.log = [](edge::LogLevel level, std::string_view text) {
    if (level == edge::LogLevel::kInfo) return;
    std::printf("log %.*s\n", static_cast<int>(text.size()), text.data());
  };
  return options;
}

int run(uint16_t port, const std::string& folder, Settings settings) {
  char data[] = "/tmp/footlight-feed-XXXXXX";
  if (settings["data"].empty()) {
    if (!mkdtemp(data)) return 1;
    settings["data"] = data;
  }
  edge::NodeOptions options = options_of(port, settings);
  auto node = edge::Node::start(std::move(options));
  if (!node) {
    std::fprintf(stderr, "%s\n", node.error().message().c_str());
    return 1;
  }
  Feed feed{**node, {}, make_hello(net::SystemClock().wall_ms())};
  if (settings["feed"] == "no") {
    std::printf("ready\n");
    std::fflush(stdout);
    while (feed.wait(std::chrono::steady_clock::now() + std::chrono::seconds(1))) continue;
    (*node)->stop();
    return 0;
  }
  for (const char* name : {"v360", "v240", "a"}) {
    feed.clips.push_back(read_clip(folder + "/" + name + ".mp4"));
    if (feed.clips.back().chunks.size() < 2 * kParts) {
      std::fprintf(stderr, "no clip %s\n", name);
      return 1;
    }
  }
  feed.each([hello = feed.hello](edge::Program& to) { Feed::check(to.hello(hello)); });
  feed.run();
  (*node)->stop();
  return 0;
}

}  // namespace
}  // namespace footlight

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  footlight::Settings settings;
  for (int i = 3; i < argc; ++i) {
    const std::string_view text = argv[i];
    const size_t equals = std::min(text.find('='), text.size() - 1);
    settings.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return footlight::run(static_cast<uint16_t>(std::atoi(argv[1])), argv[2], std::move(settings));
}
