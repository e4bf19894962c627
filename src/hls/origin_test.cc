// What comes in: what is taken, what is refused, and that the latter changes nothing.
#include "hls/origin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <regex>
#include <sstream>

#include "hls/boxes.h"
#include "hls/internal/test_feed.h"

namespace footlight::hls {
namespace {

using testing::HasSubstr;
using testing::Not;

struct MapStore final : SegmentStore {
  void put(const std::string& name, uint32_t rendition, uint64_t msn, Chain bytes) override {
    files[name] = bytes.joined();
    if (msn != UINT64_MAX) asked.emplace_back(rendition, msn);
  }
  std::map<std::string, std::string> files;
  std::vector<std::pair<uint32_t, uint64_t>> asked;
};

TEST(HlsOrigin, ADescriptionThatBreaksARuleIsRefused) {
  EXPECT_TRUE(check_hello(make_hello()));
  const auto broken = [](auto change) {
    Hello hello = make_hello();
    change(hello);
    const Status status = check_hello(hello);
    return !status && status.error().code == Code::kFeedHello;
  };
  EXPECT_TRUE(broken([](Hello& h) { h.epoch = "a/b"; }));
  EXPECT_TRUE(broken([](Hello& h) { h.renditions.clear(); }));
  EXPECT_TRUE(broken([](Hello& h) { h.renditions.resize(9, h.renditions[0]); }));
  EXPECT_TRUE(broken([](Hello& h) { h.renditions[1].id = h.renditions[0].id; }));
  EXPECT_TRUE(broken([](Hello& h) { h.renditions[0].id = "../x"; }));
  EXPECT_TRUE(broken([](Hello& h) { h.renditions[0].codecs = "avc1\"\n#EXT"; }));
  EXPECT_TRUE(broken([](Hello& h) { h.renditions[0].timescale = 0; }));
  EXPECT_TRUE(broken([](Hello& h) { h.renditions[2].language = "en\""; }));
  EXPECT_TRUE(broken([](Hello& h) { h.part_target_us = 99'999; }));
  EXPECT_TRUE(broken([](Hello& h) { h.parts_per_segment = 0; }));
  EXPECT_TRUE(
      broken([](Hello& h) { h.renditions[1] = h.renditions[2], h.renditions[1].id = "b"; }));
}

TEST(HlsOrigin, BadUnitsAreRefusedByNumberAndChangeNothing) {
  TestStream stream;
  EXPECT_EQ(stream.part(0, 0).error().code, Code::kFeedOrder) << "before its init segment";
  stream.inits();
  stream.run(6);
  EXPECT_EQ(stream.faults, "");
  const std::string before = stream.text("e1/v720.m3u8");
  const auto refused = [&](Code code, auto change) {
    PartUnit unit = make_part(stream.hello, 0, 6);
    change(unit);
    const Status status = stream.origin.on_part(unit);
    stream.put();
    EXPECT_EQ(stream.text("e1/v720.m3u8"), before);
    return !status && status.error().code == code;
  };
  const auto body = [](uint64_t tfdt, uint32_t samples, uint32_t each) {
    return make_blob(make_chunk(tfdt, samples, each));
  };
  EXPECT_TRUE(refused(Code::kFeedRendition, [](PartUnit& u) { u.rendition = 3; }));
  EXPECT_TRUE(refused(Code::kFeedOrder, [](PartUnit& u) { u.part = 1; })) << "seen before";
  EXPECT_TRUE(refused(Code::kFeedOrder, [](PartUnit& u) { u.part = 4; })) << "no such part";
  EXPECT_TRUE(refused(Code::kFeedOrder, [](PartUnit& u) { u.msn = 100; })) << "far ahead";
  EXPECT_TRUE(refused(Code::kFeedBroken, [](PartUnit& u) { u.bytes = make_blob("junk"); }));
  EXPECT_TRUE(refused(Code::kFeedBroken, [](PartUnit& u) { u.tfdt += 1; }))
      << "not what the box says";
  EXPECT_TRUE(refused(Code::kFeedBroken, [](PartUnit& u) { u.duration -= 1; }));
  EXPECT_TRUE(refused(Code::kFeedTooLarge,
                      [](PartUnit& u) { u.bytes = make_blob(std::string(9 << 20, 'x')); }));
  EXPECT_TRUE(refused(Code::kFeedTime, [&](PartUnit& u) {
    u.tfdt -= 8192;
    u.bytes = body(u.tfdt, 16, 512);
  })) << "time goes back";
  EXPECT_TRUE(refused(Code::kFeedTime, [&](PartUnit& u) {
    u.tfdt += 512;
    u.bytes = body(u.tfdt, 16, 512);
  })) << "a hole that no missing part explains";
  EXPECT_TRUE(refused(Code::kFeedOverrun, [&](PartUnit& u) {
    u.duration = 17 * 512;
    u.bytes = body(u.tfdt, 17, 512);
  })) << "one frame too long";
  EXPECT_EQ(stream.origin.counters().refused.at(Code::kFeedTime), 2u);
  EXPECT_TRUE(stream.part(0, 6)) << "the right one is still welcome";
  EXPECT_EQ(stream.origin.counters().gaps, 0u);
}

TEST(HlsOrigin, ASegmentBeginsWithAKeyFrame) {
  TestStream stream;
  stream.inits();
  PartUnit unit = make_part(stream.hello, 0, 0);
  unit.independent = false;
  EXPECT_EQ(stream.origin.on_part(unit).error().code, Code::kFeedBroken);
}

TEST(HlsOrigin, APartThatNeverCameIsAGapAndTheTimeGoesOn) {
  TestStream stream;
  stream.inits();
  stream.run(5);
  ASSERT_TRUE(stream.part(0, 7)) << "5 and 6 are missing";
  const std::string text = stream.text("e1/v720.m3u8");
  EXPECT_THAT(text, HasSubstr("s1.p1.m4s\",GAP=YES\n"));
  EXPECT_THAT(text, HasSubstr("s1.p2.m4s\",GAP=YES\n"));
  EXPECT_THAT(text, HasSubstr("#EXT-X-GAP\n#EXTINF:2.13333,\nv720/s1.m4s"));
  EXPECT_EQ(stream.get("e1/v720/s1.p1.m4s").status, 404);
  EXPECT_EQ(stream.get("e1/v720/s1.m4s").status, 404);
  EXPECT_EQ(stream.get("e1/v720/s1.p3.m4s").status, 200);
  EXPECT_EQ(stream.origin.counters().gaps, 2u);
}

// What the DASH manifest names is there and of the time it says. The Periods: id and start.
std::map<std::string, std::string> check_manifest(TestStream& stream) {
  static const std::regex kPeriod("<Period id=\"(\\S+)\" start=\"(\\S+)\">");
  static const std::regex kTrack(
      "<Representation id=\"(\\w+)\".* startNumber=\"(\\d+)\".*<SegmentTimeline>(.*)</S");
  static const std::regex kRun("<S(?: t=\"(\\d+)\")? d=\"(\\d+)\"(?: r=\"(\\d+)\")?/>");
  const std::sregex_iterator none;
  const std::string text = stream.text("manifest.mpd");
  for (std::sregex_iterator track(text.begin(), text.end(), kTrack); track != none; ++track) {
    uint64_t number = std::stoull((*track)[2]), time = 0;
    const std::string runs = (*track)[3];
    for (std::sregex_iterator run(runs.begin(), runs.end(), kRun); run != none; ++run) {
      if ((*run)[1].matched) time = std::stoull((*run)[1]);
      for (int left = (*run)[3].matched ? std::stoi((*run)[3]) : 0; left >= 0; --left, ++number) {
        const std::string segment = "e1/" + (*track)[1].str() + "/s" + std::to_string(number);
        EXPECT_EQ(stream.get(segment + ".m4s").status, 200) << segment;
        EXPECT_EQ(read_chunk(stream.text(segment + ".p0.m4s"))->tfdt, time) << segment;
        time += std::stoull((*run)[2]);
      }
    }
  }
  std::map<std::string, std::string> out;
  for (std::sregex_iterator at(text.begin(), text.end(), kPeriod); at != none; ++at) {
    EXPECT_TRUE(out.emplace((*at)[1], (*at)[2]).second) << "two of one id";
  }
  return out;
}

TEST(HlsOrigin, TheDashManifestNamesNoSegmentThatIsMissing) {
  Limits limits;
  limits.dvr_window_ms = 30'000;
  TestStream stream(limits);
  stream.inits();
  stream.run(8);
  EXPECT_EQ(check_manifest(stream).size(), 1u);
  for (uint64_t n = 8; n < 12; ++n) {
    if (n != 9) ASSERT_TRUE(stream.part(0, n));  // one rung lacks a part
    ASSERT_TRUE(stream.part(1, n));
    ASSERT_TRUE(stream.part(2, n));
  }
  stream.next = 12;
  stream.run(5);
  ++stream.next;  // all lack one
  stream.run(6);
  const auto before = check_manifest(stream);
  EXPECT_EQ(before.size(), 4u) << "before it, without the rung, and after each";
  EXPECT_THAT(stream.text("manifest.mpd"), HasSubstr("e1/v480/s$Number$.m4s"));
  ASSERT_TRUE(stream.origin.on_discontinuity());  // between two segments: a short hole
  stream.inits('b');
  stream.next = 0;
  stream.run(40);
  const auto after = check_manifest(stream);
  EXPECT_EQ(after.rbegin()->first, "1");
  for (const auto& [id, start] : before) {
    if (after.contains(id)) EXPECT_EQ(after.at(id), start) << id;
  }
  EXPECT_LT(after.size(), before.size() + 1) << "the first have left the window";
  EXPECT_EQ(stream.faults, "");
}

TEST(HlsOrigin, ARungThatFallsBehindIsLeftOutUntilItHasCaughtUp) {
  TestStream stream;
  stream.inits();
  stream.run(4);
  EXPECT_EQ(stream.get("index.m3u8").status, 404) << "before there are two segments of each";
  stream.run(4);
  EXPECT_THAT(stream.text("index.m3u8"), HasSubstr("e1/v480.m3u8"));
  for (uint64_t n = 8; n < 28; ++n) {
    ASSERT_TRUE(stream.part(0, n));
    ASSERT_TRUE(stream.part(2, n));
  }
  EXPECT_THAT(stream.text("index.m3u8"), Not(HasSubstr("e1/v480.m3u8")));
  EXPECT_EQ(stream.origin.counters().refused.at(Code::kFeedLag), 1u);
  for (uint64_t n = 8; n < 28; ++n) ASSERT_TRUE(stream.part(1, n));
  EXPECT_THAT(stream.text("index.m3u8"), HasSubstr("e1/v480.m3u8"));
}

TEST(HlsOrigin, ARestartedEncoderIsADiscontinuityWithNumbersThatGoOn) {
  TestStream stream;
  stream.inits();
  stream.run(6);
  ASSERT_TRUE(stream.part(0, 6));  // one rung is ahead when the encoder dies
  ASSERT_TRUE(stream.part(0, 7));
  ASSERT_TRUE(stream.part(0, 8));
  ASSERT_TRUE(stream.origin.on_discontinuity());
  stream.put();
  stream.inits('b');
  stream.next = 0;
  stream.run(5);
  EXPECT_EQ(stream.faults, "");
  for (const char* id : {"v720", "v480", "a"}) {
    const std::string text = stream.text("e1/" + std::string(id) + ".m3u8");
    const size_t at = text.find("#EXT-X-DISCONTINUITY\n");
    ASSERT_NE(at, std::string::npos) << id;
    EXPECT_EQ(text.find("#EXT-X-MAP:URI=\"" + std::string(id) + "/init-1.mp4\""), at + 21) << text;
    EXPECT_THAT(text.substr(at), HasSubstr("/s3.m4s")) << "the same number in each rendition";
    EXPECT_EQ(stream.get("e1/" + std::string(id) + "/init-0.mp4").status, 200);
  }
  EXPECT_THAT(stream.text("e1/v480.m3u8"), HasSubstr("#EXT-X-GAP"))
      << "what it lacks of the old run";
}

// As hls.js does: a playlist's last number, of which it may have no more than a hint, has as many
// breaks before it as that playlist says.
struct BreakCounter {
  std::map<uint64_t, uint64_t> before;  // by number
  std::string faults;

  void read(const std::string& text) {
    uint64_t breaks = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line == "#EXT-X-DISCONTINUITY") ++breaks;
      const size_t at = line.find("/s");
      if (at == std::string::npos || line.find(".m4s", at) == std::string::npos) continue;
      const uint64_t msn = std::stoull(line.substr(at + 2));
      const auto [known, fresh] = before.emplace(msn, breaks);
      if (!fresh && known->second != breaks) {
        faults += "s" + std::to_string(msn) + ": " + std::to_string(known->second) +
                  " breaks, now " + std::to_string(breaks) + "\n";
      }
    }
  }
};

TEST(HlsOrigin, WhereverItBreaksNoNumberThatWasHintedAtComesToLieBehindTheBreak) {
  for (uint64_t at = 6; at < 11; ++at) {         // parts of the old run, of each rendition
    for (uint32_t more = 0; more < 3; ++more) {  // so many renditions have one more
      TestStream stream;
      std::array<BreakCounter, 3> readers;
      const auto read = [&] {
        for (size_t i = 0; i < readers.size(); ++i) {
          readers[i].read(stream.text("e1/" + stream.hello.renditions[i].id + ".m3u8"));
        }
      };
      const auto run = [&](uint64_t count, uint32_t rest) {
        for (uint64_t n = 0; n < count; ++n) {
          for (uint32_t i = 0; i < 3; ++i, read()) ASSERT_TRUE(stream.part(i, n));
        }
        for (uint32_t i = 0; i < rest; ++i, read()) ASSERT_TRUE(stream.part(i, count));
      };
      for (const char mark : {'a', 'b', 'c'}) {
        stream.inits(mark);
        run(at, more);
        ASSERT_TRUE(stream.origin.on_discontinuity());
        ASSERT_TRUE(stream.origin.on_discontinuity()) << "nothing came between the two";
        stream.put();
        read();
      }
      for (const BreakCounter& reader : readers) {
        EXPECT_EQ(reader.faults, "") << at << " parts and " << more;
        EXPECT_GT(reader.before.size(), 5u);
      }
    }
  }
}

TEST(HlsOrigin, AStepOfTheWallClockDoesNotMoveTheProgramsDates) {
  TestStream stream;
  stream.inits();
  stream.run(8);
  for (uint64_t part = 8; part < 12; ++part) {
    EXPECT_THAT(stream.text("e1/v720.m3u8"), Not(HasSubstr("2027-01-15T08:00:04.266Z")))
        << "hls.js takes no date of a segment that grows";
    for (uint32_t i = 0; i < 3; ++i) {
      PartUnit unit = make_part(stream.hello, i, part);
      unit.program_date_time_ms -= 3'600'000;
      ASSERT_TRUE(stream.origin.on_part(unit));
    }
    stream.put();
  }
  EXPECT_THAT(stream.text("e1/v720.m3u8"), HasSubstr("2027-01-15T08:00:04.266Z"));
}

TEST(HlsOrigin, MemoryIsBoundedAndTheWindowGetsShorterInstead) {
  Limits limits;
  limits.memory_bytes = 60'000;
  TestStream stream(limits);
  stream.inits();
  for (uint64_t n = 0; n < 200; ++n) {
    for (uint32_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(stream.origin.on_part(make_part(stream.hello, i, n, 0, 1000)));
      stream.put();
      ASSERT_LE(stream.origin.counters().memory_bytes, limits.memory_bytes);
    }
  }
  EXPECT_GT(stream.origin.counters().dropped, 0u);
  EXPECT_EQ(stream.get("e1/v720/s0.m4s").status, 404);
  EXPECT_THAT(stream.text("e1/v720.m3u8"), Not(HasSubstr("s0.m4s")));
}

TEST(HlsOrigin, AfterTheEndTheSameAddressPlaysAllOfIt) {
  Limits limits;
  limits.dvr_window_ms = 30'000;
  limits.keep_all = true;
  MapStore store;
  TestStream stream(limits, &store);
  stream.inits();
  for (int i = 0; i < 40; ++i) {
    stream.run(4);
    for (const auto& [rendition, msn] : store.asked) stream.origin.on_stored(rendition, msn);
    store.asked.clear();
    stream.put();
  }
  const Reply old = stream.get("e1/v720/s0.m4s");
  ASSERT_EQ(old.status, 200);
  EXPECT_TRUE(old.resource->stored) << "it has left the memory";
  EXPECT_TRUE(store.files.contains(old.resource->store_name));
  stream.origin.on_end();
  stream.put();
  EXPECT_EQ(stream.origin.counters().memory_bytes, 0u);
  EXPECT_THAT(stream.text("e1/v720.m3u8"), HasSubstr("#EXT-X-ENDLIST"));
  EXPECT_THAT(stream.text("e1/v720.m3u8"), Not(HasSubstr("s0.m4s"))) << "numbers do not go back";
  EXPECT_THAT(stream.text("index.m3u8"), HasSubstr("e1/v720/vod.m3u8"));
  const std::string vod = stream.text("e1/v720/vod.m3u8");
  for (const char* wanted : {"#EXT-X-PLAYLIST-TYPE:VOD", "\ns0.m4s\n", "\ns39.m4s\n",
                             "#EXT-X-MAP:URI=\"init-0.mp4\"", "#EXT-X-ENDLIST"}) {
    EXPECT_THAT(vod, HasSubstr(wanted));
  }
  EXPECT_EQ(stream.part(0, 160).error().code, Code::kFeedEnded);
  EXPECT_THAT(stream.text("manifest.mpd"), HasSubstr("type=\"static\""));
}

TEST(HlsOrigin, ACueIsABoxBeforeThePartAndARangeInEveryPlaylist) {
  TestStream stream;
  stream.inits();
  stream.run(5);
  Cue cue{.id = "poll-1", .kind = "poll", .at_ms = 1'800'000'002'700, .payload = "{\"poll\":1}"};
  ASSERT_TRUE(stream.origin.on_cue(cue));
  EXPECT_EQ(stream.origin.on_cue(cue).error().code, Code::kFeedOrder) << "ids are unique";
  stream.run(1);
  const std::string part = stream.text("e1/v720/s1.p1.m4s");
  EXPECT_EQ(part.substr(4, 4), "emsg");
  EXPECT_THAT(part, HasSubstr("poll poll-1 -\n{\"poll\":1}"));
  EXPECT_TRUE(read_chunk(part));
  EXPECT_EQ(stream.text("e1/v480/s1.p1.m4s").substr(4, 4), "emsg");
  EXPECT_EQ(stream.text("e1/a/s1.p1.m4s").substr(4, 4), "moof");
  stream.run(2);
  EXPECT_EQ(stream.text("e1/v720/s1.p2.m4s").substr(4, 4), "moof") << "told once";
  EXPECT_THAT(stream.text("e1/v720/s1.m4s"), HasSubstr("poll-1")) << "and in the whole segment";
  for (const char* id : {"v720", "a"}) {
    EXPECT_THAT(stream.text("e1/" + std::string(id) + ".m3u8"),
                HasSubstr("#EXT-X-DATERANGE:ID=\"poll-1\",CLASS=\"footlight.poll\",START-DATE="
                          "\"2027-01-15T08:00:02.700Z\",X-FOOTLIGHT-DATA=\"eyJwb2xsIjoxfQ\""));
  }
}

TEST(HlsOrigin, AStateIsToldAgainInEachSegmentUnderANewIdUntilItIsReplaced) {
  TestStream stream;
  stream.inits();
  const auto tally = [&](int n) {
    Cue cue{.id = "t" + std::to_string(n), .key = "tally:fork", .kind = "tally"};
    cue.at_ms = 1'800'000'000'000 + n;
    cue.payload = "yes " + std::to_string(n);
    return stream.origin.on_cue(cue).has_value();
  };
  ASSERT_TRUE(tally(1));
  stream.run(12);
  std::vector<std::string> ids;
  for (const char* file : {"s0.p0.m4s", "s1.p0.m4s", "s2.p0.m4s"}) {
    const std::string part = stream.text("e1/v720/" + std::string(file));
    ASSERT_THAT(part, HasSubstr("yes 1"));
    ids.push_back(part.substr(28, 4));
    EXPECT_EQ(stream.text("e1/v480/" + std::string(file)).substr(28, 4), ids.back())
        << "one id in both rungs";
  }
  EXPECT_NE(ids[0], ids[1]);
  EXPECT_NE(ids[1], ids[2]);
  ASSERT_TRUE(tally(2));
  stream.run(8);
  EXPECT_THAT(stream.text("e1/v720/s3.p0.m4s"), HasSubstr("yes 2"));
  EXPECT_THAT(stream.text("e1/v720/s3.p0.m4s"), Not(HasSubstr("yes 1")));
}

TEST(HlsOrigin, AFeedThatOnlyBringsRubbishIsStuck) {
  TestStream stream;
  stream.inits();
  stream.run(4);
  for (int i = 0; i < 40; ++i) {
    EXPECT_FALSE(stream.origin.stuck() && i < 30);
    PartUnit unit = make_part(stream.hello, 1, 4);
    unit.bytes = make_blob("rubbish");
    EXPECT_FALSE(stream.origin.on_part(unit));
  }
  EXPECT_TRUE(stream.origin.stuck());
}

}  // namespace
}  // namespace footlight::hls
