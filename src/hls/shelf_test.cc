// What goes out: playlists that keep their promises over reloads, and requests that wait.
#include "hls/shelf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "hls/internal/test_feed.h"

namespace footlight::hls {
namespace {

using testing::HasSubstr;
using testing::Not;

// A media playlist as a reader that knows nothing of ours sees it.
struct Read {
  std::map<std::string, std::string> head;                 // tags said once
  std::vector<std::string> lines;                          // of segments, in order
  std::vector<std::pair<uint64_t, std::string>> segments;  // msn, everything that belongs to it
  std::string tail;  // after the last whole segment: parts, hint, reports
  uint64_t first = 0, skipped = 0;
  bool ended = false;
};

Read read_playlist(const std::string& text) {
  Read out;
  std::istringstream in(text);
  std::string line, gathered;
  EXPECT_TRUE(std::getline(in, line) && line == "#EXTM3U");
  uint64_t msn = 0;
  while (std::getline(in, line)) {
    const size_t colon = line.find(':');
    const std::string tag = line.substr(0, colon);
    const std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    static const std::vector<std::string> kOnce = {"#EXT-X-VERSION", "#EXT-X-TARGETDURATION",
                                                   "#EXT-X-SERVER-CONTROL", "#EXT-X-PART-INF",
                                                   "#EXT-X-INDEPENDENT-SEGMENTS"};
    if (std::ranges::find(kOnce, tag) != kOnce.end()) {
      EXPECT_TRUE(out.head.emplace(tag, value).second) << tag << " is said once";
    } else if (tag == "#EXT-X-MEDIA-SEQUENCE") {
      out.first = msn = std::stoull(value);
    } else if (tag == "#EXT-X-DISCONTINUITY-SEQUENCE") {
      out.head[tag] = value;
    } else if (tag == "#EXT-X-SKIP") {
      out.skipped = std::stoull(value.substr(value.find('=') + 1));
      msn += out.skipped;
    } else if (tag == "#EXT-X-DATERANGE") {
      out.lines.push_back(line);
    } else if (tag == "#EXT-X-ENDLIST") {
      out.ended = true;
    } else if (line.starts_with("#EXT-X-PART:") || line.starts_with("#EXT-X-PRELOAD") ||
               line.starts_with("#EXT-X-RENDITION")) {
      out.tail += line + "\n";
    } else {
      gathered += line + "\n";
      if (line[0] != '#') {
        out.segments.emplace_back(msn++, std::exchange(gathered, {}));
      }
    }
  }
  return out;
}

TEST(HlsShelf, ReloadsKeepEveryPromise) {
  Limits limits;
  limits.dvr_window_ms = 30'000;
  TestStream stream(limits);
  stream.inits();
  Read before;
  uint64_t deltas = 0;
  for (int n = 0; n < 220; ++n) {
    if (n == 70 || n == 180) {  // the encoder is restarted
      ASSERT_TRUE(stream.origin.on_discontinuity());
      stream.put();
      stream.inits(n == 70 ? 'b' : 'c');
      stream.next = 0;
    }
    stream.run(1);
    ASSERT_EQ(stream.faults, "");
    const Read now = read_playlist(stream.text("e1/v720.m3u8"));
    for (const char* tag : {"#EXT-X-TARGETDURATION", "#EXT-X-SERVER-CONTROL", "#EXT-X-PART-INF"}) {
      if (n == 0) continue;
      ASSERT_EQ(now.head.at(tag), before.head.at(tag)) << "constant for life";
    }
    ASSERT_GE(now.first, before.first) << "media sequence never goes back";
    // A segment that is listed twice is the same both times.
    std::map<uint64_t, std::string> known(before.segments.begin(), before.segments.end());
    const auto bare = [](std::string text) {
      const size_t map = text.find("#EXT-X-MAP");  // is said again where the list begins
      if (map != std::string::npos) text.erase(map, text.find('\n', map) + 1 - map);
      return text;
    };
    for (const auto& [msn, text] : now.segments) {
      if (!known.contains(msn)) continue;
      ASSERT_EQ(bare(text), bare(known[msn])) << msn;
    }
    if (!before.segments.empty() && !now.segments.empty()) {
      ASSERT_LE(now.segments.back().first, before.segments.back().first + 1) << "none is left out";
    }
    // The skipped part of a delta update with what a reader had makes the whole.
    const std::string delta_text = stream.text("e1/v720.m3u8", "_HLS_skip=YES");
    const Read delta = read_playlist(delta_text);
    if (delta.skipped > 0) {
      ++deltas;
      ASSERT_EQ(delta.first, now.first);
      std::vector<std::pair<uint64_t, std::string>> joined(
          now.segments.begin(), now.segments.begin() + static_cast<long>(delta.skipped));
      for (const auto& one : delta.segments) joined.push_back(one);
      ASSERT_EQ(joined, now.segments);
      ASSERT_EQ(delta.tail, now.tail);
    }
    before = now;
  }
  EXPECT_GT(deltas, 80u);
  EXPECT_EQ(before.head.at("#EXT-X-DISCONTINUITY-SEQUENCE"), "1")
      << "one break has left the window";
}

TEST(HlsShelf, ThePlaylistSaysWhatPlayersNeedForLowLatency) {
  TestStream stream;
  stream.inits();
  stream.run(10);
  const std::string text = stream.text("e1/v720.m3u8");
  EXPECT_THAT(text, HasSubstr("#EXT-X-TARGETDURATION:3\n"));
  EXPECT_THAT(text,
              HasSubstr("CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=18.00000,PART-HOLD-BACK=1.60002"));
  EXPECT_THAT(text, HasSubstr("#EXT-X-PART-INF:PART-TARGET=0.53334\n"));
  EXPECT_THAT(text,
              HasSubstr("#EXT-X-PART:DURATION=0.53333,URI=\"v720/s2.p0.m4s\",INDEPENDENT=YES\n"));
  EXPECT_THAT(text, HasSubstr("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"v720/s2.p2.m4s\"\n"));
  EXPECT_THAT(text, HasSubstr("#EXT-X-RENDITION-REPORT:URI=\"a.m3u8\",LAST-MSN=2,LAST-PART=0\n"));
  EXPECT_THAT(text, HasSubstr("#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:00.000Z\n"));
  const std::string index = stream.text("index.m3u8");
  EXPECT_THAT(index,
              HasSubstr("BANDWIDTH=3128000,AVERAGE-BANDWIDTH=2628000,CODECS=\"avc1.64001f,"
                        "mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO=\"audio\""));
  EXPECT_THAT(index, HasSubstr("CODECS=\"mp4a.40.2\",AUDIO=\"audio\"\ne1/a.m3u8")) << "audio alone";
  const std::string manifest = stream.text("manifest.mpd");
  for (const char* wanted :
       {"<S t=\"0\" d=\"32768\" r=\"1\"/>", " publishTime=\"2027-01-15T08:00:04.266Z\"",
        "schemeIdUri=\"urn:mpeg:dash:utc:http-head:2014\" value=\"manifest.mpd\"",
        "<InbandEventStream schemeIdUri=\"https://aomedia.org/emsg/ID3\"/>"}) {
    EXPECT_THAT(manifest, HasSubstr(wanted));
  }
}

TEST(HlsShelf, APartAndItsSegmentAreTheSameBytes) {
  TestStream stream;
  stream.inits();
  stream.run(4);
  std::string parts;
  for (uint32_t i = 0; i < 4; ++i) parts += stream.text("e1/a/" + part_name(0, i));
  EXPECT_EQ(stream.text("e1/a/s0.m4s"), parts);
  const auto part = stream.get("e1/a/s0.p1.m4s").resource->body.slices().back();
  const auto whole = stream.get("e1/a/s0.m4s").resource->body.slices()[1];
  EXPECT_EQ(part.bytes.data(), whole.bytes.data()) << "and are not copied";
}

struct Waiting : testing::Test {
  Waiting() {
    stream.inits();
    stream.run(6);  // segment 1 has parts 0 and 1
  }
  // 0: it waits.
  int ask(const std::string& query, const std::string& path = "e1/v720.m3u8", MonoUs now = 0) {
    const auto request = parse_request(path, query);
    EXPECT_TRUE(request) << query;
    auto reply = stream.shelf.get(*request);
    if (reply) return reply->status;
    stream.shelf.wait(*request, now, [this](Reply got) {
      statuses.push_back(got.status);
      if (got.resource) texts.push_back(got.resource->body.joined());
    });
    return 0;
  }
  // Those who still wait are answered when the stream ends: these are there longer.
  std::vector<int> statuses;
  std::vector<std::string> texts;
  TestStream stream;
};

TEST_F(Waiting, ABlockingReloadIsAnsweredByTheVersionThatHasThePart) {
  EXPECT_EQ(ask("_HLS_msn=1&_HLS_part=1"), 200) << "it is there already";
  EXPECT_EQ(ask("_HLS_msn=1&_HLS_part=2"), 0);
  EXPECT_EQ(ask("_HLS_msn=1"), 0) << "the whole segment";
  stream.run(1);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_THAT(texts[0], HasSubstr("s1.p2.m4s\"\n"));
  stream.run(1);
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_THAT(texts[1], HasSubstr("\nv720/s1.m4s\n"));
  EXPECT_EQ(stream.shelf.counters().waiting, 0u);
}

TEST_F(Waiting, APartPastTheSegmentsEndIsTheFirstOfTheNext) {
  EXPECT_EQ(ask("_HLS_msn=1&_HLS_part=4"), 0);
  stream.run(2);
  EXPECT_TRUE(texts.empty());
  stream.run(1);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_THAT(texts[0], HasSubstr("s2.p0.m4s"));
}

TEST_F(Waiting, ASegmentThatEndsEarlyDoesNotStrandThoseWhoWait) {
  EXPECT_EQ(ask("_HLS_msn=1&_HLS_part=3"), 0);
  EXPECT_EQ(ask("", "e1/v720/s1.p2.m4s"), 0) << "the hinted part";
  ASSERT_TRUE(stream.origin.on_discontinuity());
  stream.put();
  EXPECT_EQ(statuses, std::vector<int>{404}) << "the part will never be";
  stream.inits('b');
  stream.next = 0;
  stream.run(1);
  EXPECT_EQ(statuses, (std::vector<int>{404, 200}));
  EXPECT_THAT(texts[0], HasSubstr("s2.p0.m4s"));
}

TEST_F(Waiting, TooFarAheadIsABadRequest) {
  EXPECT_EQ(ask("_HLS_msn=4"), 400);
  EXPECT_EQ(ask("_HLS_msn=3&_HLS_part=3"), 400);
  EXPECT_EQ(ask("_HLS_msn=99999999&_HLS_part=0"), 400);
  EXPECT_EQ(ask("_HLS_msn=2"), 0);
}

TEST_F(Waiting, OnlyTheHintedPartMayBeAskedForBeforeItIsThere) {
  EXPECT_EQ(ask("", "e1/v720/s1.p2.m4s"), 0);
  EXPECT_EQ(ask("", "e1/v720/s1.p3.m4s"), 404);
  EXPECT_EQ(ask("", "e1/v720/s2.p0.m4s"), 404);
  EXPECT_EQ(ask("", "e1/v720/s1.m4s"), 404) << "not whole yet";
  EXPECT_EQ(ask("", "e1/v720/s9000000.p0.m4s"), 404);
  EXPECT_EQ(ask("", "e2/v720/s1.p1.m4s"), 404) << "another epoch";
  EXPECT_EQ(ask("", "e1/v1080/s1.p1.m4s"), 404) << "another rendition";
  stream.run(1);
  EXPECT_EQ(statuses, std::vector<int>{200});
  EXPECT_EQ(texts[0], stream.text("e1/v720/s1.p2.m4s"));
}

TEST_F(Waiting, WhenTheEncoderStallsTheWaitIsBounded) {
  EXPECT_EQ(ask("_HLS_msn=1&_HLS_part=2", "e1/v720.m3u8", 1'000'000), 0);
  EXPECT_EQ(ask("_HLS_msn=1&_HLS_part=2", "e1/v720.m3u8", 2'000'000), 0);
  const MonoUs due = stream.shelf.next_due_us();
  EXPECT_EQ(due, 1'000'000 + 9'000'000) << "three target durations";
  EXPECT_EQ(stream.shelf.on_time(due - 1), due);
  EXPECT_TRUE(statuses.empty());
  EXPECT_EQ(stream.shelf.on_time(due), due + 1'000'000);
  EXPECT_EQ(statuses, std::vector<int>{503});
  stream.run(1);
  EXPECT_EQ(statuses, (std::vector<int>{503, 200}));
  EXPECT_EQ(stream.shelf.next_due_us(), kNever);
}

TEST_F(Waiting, TenThousandMayWaitAndNoMore) {
  for (int i = 0; i < 10'000; ++i) ASSERT_EQ(ask("_HLS_msn=1&_HLS_part=2"), 0);
  EXPECT_EQ(ask("_HLS_msn=1&_HLS_part=2"), 0);
  EXPECT_EQ(statuses, std::vector<int>{503}) << "the one too many is told at once";
  statuses.clear();
  stream.run(1);
  EXPECT_EQ(statuses.size(), 10'000u);
  EXPECT_EQ(std::ranges::count(statuses, 200), 10'000);
}

TEST_F(Waiting, ClientsThatLeftMakeRoomForThoseThatCome) {
  auto gone = std::make_shared<int>(), here = std::make_shared<int>();
  const auto request = parse_request("e1/v720.m3u8", "_HLS_msn=1&_HLS_part=2");
  const auto wait = [&](const std::shared_ptr<int>& asker, MonoUs now_us) {
    stream.shelf.wait(
        *request, now_us, [this](Reply got) { statuses.push_back(got.status); }, asker);
  };
  for (int i = 0; i < 10'000; ++i) wait(i < 6'000 ? gone : here, 0);
  gone.reset();
  wait(here, kUsPerSecond);
  EXPECT_EQ(stream.shelf.counters().waiting, 4'001u);
  for (int i = 0; i < 6'000; ++i) wait(here, kUsPerSecond);
  EXPECT_EQ(statuses, std::vector<int>{503});
  statuses.clear();
  stream.run(1);
  EXPECT_EQ(std::ranges::count(statuses, 200), 10'000);
}

TEST_F(Waiting, TheEndAnswersEveryone) {
  EXPECT_EQ(ask("_HLS_msn=2&_HLS_part=0"), 0);
  EXPECT_EQ(ask("", "e1/v720/s1.p2.m4s"), 0);
  stream.origin.on_end();
  stream.put();
  std::ranges::sort(statuses);
  EXPECT_EQ(statuses, (std::vector<int>{200, 404}));
  EXPECT_THAT(texts[0], HasSubstr("#EXT-X-ENDLIST"));
  EXPECT_EQ(ask("_HLS_msn=9"), 200) << "there is nothing to wait for";
}

TEST(HlsShelf, EachVersionIsRenderedOnceForAll) {
  TestStream stream;
  stream.inits();
  stream.run(5);
  const auto one = stream.get("e1/v720.m3u8").resource;
  const auto other = stream.get("e1/v720.m3u8", "_HLS_msn=1&_HLS_part=0").resource;
  EXPECT_EQ(one, other);
  EXPECT_EQ(stream.origin.counters().versions, 15u);
  auto request = *parse_request("e1/v720.m3u8", "");
  request.gzip = true;
  const auto packed = stream.shelf.get(request)->resource;
  EXPECT_LT(packed->body.size_bytes(), one->body.size_bytes());
  EXPECT_NE(packed->etag, one->etag);
}

TEST(HlsShelf, CachesAreToldWhatTheyMayKeep) {
  TestStream stream;
  stream.inits();
  stream.run(5);
  EXPECT_EQ(stream.get("e1/v720/s0.m4s").cache_control, "public, max-age=31536000, immutable");
  EXPECT_EQ(stream.get("e1/v720/init-0.mp4").cache_control, "public, max-age=31536000, immutable");
  EXPECT_EQ(stream.get("e1/v720.m3u8").cache_control, "public, max-age=1");
  EXPECT_EQ(stream.get("index.m3u8").cache_control, "public, max-age=1");
  EXPECT_EQ(stream.get("e1/v720.m3u8", "_HLS_msn=1&_HLS_part=0").cache_control,
            "public, max-age=18");
  EXPECT_EQ(stream.get("e1/v720/s7.m4s").cache_control, "public, max-age=1");
  EXPECT_EQ(stream.get("e1/v720.m3u8", "_HLS_msn=50").cache_control, "no-store");
}

}  // namespace
}  // namespace footlight::hls
