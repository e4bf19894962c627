// Who watches on a mirror sees and hears what the others do, and its home knows of it.
#include "core/bytes.h"
#include "media_spread_rig.h"

namespace footlight::edge {
namespace {

TEST_F(MediaSpread, ViewersOfAllShardsSeeAndHearTheSameAndPacketsCrossOnceForEachShard) {
  publisher("gm");
  std::array<size_t, kShards> at{};
  std::vector<Person*> viewers;
  for (int i = 0; i < 8; ++i) {
    viewers.push_back(&viewer("viewer" + std::to_string(i)));
    ++at[viewers.back()->at];
  }
  EXPECT_EQ(at, (std::array<size_t, kShards>{3, 3, 2})) << "the publisher is at home";
  const uint64_t before = copied(), in = home().stats().rtp_in;
  play(90);
  EXPECT_EQ(copied() - before, (home().stats().rtp_in - in) * 2);
  for (const Person* each : viewers) {
    EXPECT_GE(each->client->of(0).packets, 88u) << each->at;
    EXPECT_GE(each->client->of(1).frames, 80u) << each->at;
    EXPECT_EQ(each->client->of(1).jumps, 0u) << each->at;
    EXPECT_EQ(each->client->refused(), 0u);
    EXPECT_EQ(each->client->of(1).last_payload.size(), 1000u) << "the best there is";
    EXPECT_EQ(places(*each), "0:gm 1:gm ");
  }
  EXPECT_EQ(home().stats().copy_drops, 0u);
  MediaStats sum = home().stats();
  sum += media(0).stats();
  sum += media(1).stats();
  EXPECT_EQ(sum.tracks, 2u);
  EXPECT_EQ(sum.streams_in, 4u);
  EXPECT_EQ(sum.watchers, 8u);
  EXPECT_EQ(sum.streams_out, 16u);
}

TEST_F(MediaSpread, TheHomeHasSoManySessionsBeforeOthersShowItToo) {
  begin(spread(5));
  publisher("gm");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(viewer("viewer" + std::to_string(i)).at, kHome);
  EXPECT_EQ(room(0), nullptr);
  EXPECT_EQ(viewer("viewer5").at, 0u);
  EXPECT_EQ(viewer("viewer6").at, 1u);
  EXPECT_EQ(joined(MediaUse::kWatch, "ann").at, kHome) << "the cast stays at home";
  EXPECT_EQ(publisher("bob").at, kHome);
  EXPECT_EQ(mirrored(), 2u);
}

TEST_F(MediaSpread, AnAccountsSessionsAreOnOneShardWhereOneTakesThePlaceOfTheOther) {
  publisher("gm");
  Person& first = viewer("viewer1");
  ASSERT_NE(first.at, kHome);
  Person& stays = viewer("viewer2");
  EXPECT_EQ(viewer("viewer3").at, kHome);
  EXPECT_EQ(viewer("viewer3").at, kHome) << "where the account is, though others have fewer";
  for (int i = 0; i < 6; ++i) EXPECT_EQ(viewer("viewer1").at, first.at);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(viewer("viewer2").at, stays.at);
  Person& labelled = person(MediaUse::kWatch, "viewer1");
  labelled.request.label = "page";
  place(labelled);
  ASSERT_TRUE(media(labelled.at).open(labelled.request, labelled.client->offer(), now_));
  Person& again = person(MediaUse::kWatch, "viewer1");
  again.request.label = "page";
  place(again);
  EXPECT_TRUE(media(again.at).open(again.request, again.client->offer(), now_)) << "replaced";
  Person& ninth = person(MediaUse::kWatch, "viewer1");
  EXPECT_EQ(place(ninth), first.at);
  const auto refused = media(ninth.at).open(ninth.request, ninth.client->offer(), now_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTrackLimit);
}

TEST_F(MediaSpread, WhoComesLateToAMirrorGetsAKeyFrameAtOnce) {
  publisher("gm");
  play(60);
  EXPECT_EQ(copied(), 0u);
  const size_t keys = keys_;
  Person& late = viewer("viewer1");
  ASSERT_NE(late.at, kHome);
  play(5);
  EXPECT_GT(keys_, keys);
  EXPECT_GE(late.client->of(1).key_frames, 1u);
  EXPECT_GE(late.client->of(1).frames, 2u);
  play(60);
  viewer("viewer2");
  viewer("viewer3");
  Person& later = viewer("viewer4");
  ASSERT_EQ(later.at, late.at);
  play(5);
  EXPECT_GE(later.client->of(1).key_frames, 1u);
}

TEST_F(MediaSpread, TheFirstViewerOfAMirrorBeginsWithTheBestThereIsRoomFor) {
  publisher("gm");
  play(60);
  Person& first = viewer("viewer1");
  ASSERT_NE(first.at, kHome);
  const size_t keys = keys_;
  play(8);
  EXPECT_EQ(keys_, keys + 1);
  EXPECT_GE(first.client->of(1).frames, 4u);
  EXPECT_EQ(first.client->of(1).bytes, first.client->of(1).packets * 1000) << "and with no other";
}

TEST_F(MediaSpread, WhoLeavesComesBackOrIsMutedDoesSoForAll) {
  Person& gm = publisher("gm");
  Person& far = viewer("viewer1");
  Person& near = joined(MediaUse::kWatch, "ann");
  ASSERT_NE(far.at, near.at);
  play(20);
  ask(gm, MediaAsk::Mute{gm.id, "1", true});
  EXPECT_EQ(places(near), "0:gm 1:gm(muted) ");
  EXPECT_EQ(places(far), places(near));
  leave(gm);
  EXPECT_EQ(places(near), "0:1:");
  EXPECT_EQ(places(far), places(near));
  play(10);
  const uint64_t frames = far.client->of(1).frames;
  publisher("bob");
  EXPECT_EQ(places(far), "0:bob 1:bob ");
  publisher("gm");  // who goes before bob
  EXPECT_EQ(places(near), "0:gm 1:gm ");
  EXPECT_EQ(places(far), places(near));
  play(40);
  EXPECT_GE(far.client->of(1).frames, frames + 30);
  EXPECT_EQ(far.client->of(1).jumps, 0u) << "one stream for the viewer";
  EXPECT_EQ(far.client->refused(), 0u);
}

TEST_F(MediaSpread, ALayerIsChosenOnTheMirrorAsAtHome) {
  publisher("gm");
  Person& far = viewer("viewer1");
  ASSERT_NE(far.at, kHome);
  play(60);
  EXPECT_EQ(far.client->of(1).last_payload.size(), 1000u);
  ask(far, MediaAsk::Place{far.id, "1", 0, false, false});
  play(60);
  EXPECT_EQ(far.client->of(1).last_payload.size(), 250u);
  ask(far, MediaAsk::Place{far.id, "1", 1, false, false});
  play(60);
  EXPECT_EQ(far.client->of(1).last_payload.size(), 500u);
  EXPECT_EQ(far.client->of(1).jumps, 0u);
  play(70);
  EXPECT_EQ(last(far, "media.quality")["places"].items()[0].items()[1].as_int(), 1);
}

TEST_F(MediaSpread, WhatNobodyWatchesAnywhereRestsAndOneOnAMirrorKeepsItGoing) {
  publisher("gm");
  Person& far = viewer("viewer1");
  ASSERT_NE(far.at, kHome);
  play(30);
  const auto watched = [&] { return room(kHome)->watched(2); };  // the picture
  EXPECT_TRUE(watched());
  ask(far, MediaAsk::Place{far.id, "1", std::nullopt, true, false});
  EXPECT_FALSE(watched());
  EXPECT_TRUE(room(kHome)->watched(1)) << "the voice";
  const uint64_t before = copied();
  play(30);
  EXPECT_EQ(copied() - before, 30u) << "the voice alone";
  const uint64_t frames = far.client->of(1).frames;
  ask(far, MediaAsk::Place{far.id, "1", std::nullopt, false, false});
  EXPECT_TRUE(watched());
  play(30);
  EXPECT_GT(far.client->of(1).frames, frames + 20);
  EXPECT_EQ(far.client->of(1).jumps, 0u);
  leave(far);
  EXPECT_FALSE(watched());
  EXPECT_EQ(mirrored(), 0u);
  EXPECT_EQ(room(far.at), nullptr);
}

TEST_F(MediaSpread, AFullLaneLosesWholePacketsAndIsMadeUpForByAKeyFrame) {
  publisher("gm");
  Person& far = viewer("viewer1");
  play(30);
  shards_[kHome]->lanes.full = true;
  const uint64_t keys = far.client->of(1).key_frames, frames = far.client->of(1).frames;
  const size_t asked = keys_;
  play(10);
  EXPECT_GE(home().stats().copy_drops, 10u * 7);
  EXPECT_EQ(far.client->of(1).frames, frames);
  shards_[kHome]->lanes.full = false;
  play(30);
  EXPECT_GT(keys_, asked);
  EXPECT_GT(far.client->of(1).key_frames, keys);
  EXPECT_GE(far.client->of(1).frames, frames + 28);
}

TEST_F(MediaSpread, WhatIsNoPacketOfAPublisherNeverCrosses) {
  Person& gm = publisher("gm");
  Person& far = viewer("viewer1");
  Person& near = viewer("viewer2");
  play(10);
  const uint64_t before = copied();
  Prng prng(5);
  for (int i = 0; i < 300; ++i) {
    Bytes garbage(1 + prng.below(1'400));
    for (auto& byte : garbage) byte = static_cast<uint8_t>(prng.next());
    if (prng.below(2)) garbage[0] = 0x80;
    for (const Person* each : {&gm, &far, &near}) {
      for (size_t at = 0; at < kShards; ++at) give(at, each->path, garbage);
    }
    exchange();
  }
  for (Person* each : {&far, &near}) {
    each->client->send_frame(true, 3, 500, now_, to_server(*each));
    each->client->send_voice(80, now_, to_server(*each));
    exchange();
  }
  EXPECT_EQ(copied(), before);
  play(30);
  EXPECT_EQ(far.client->of(1).jumps, 0u);
  EXPECT_GE(far.client->of(1).frames, 33u);
}

TEST_F(MediaSpread, SpeakersLinesAndTheRecordingAreToldAlikeAndHomeKnowsHowTheViewersDo) {
  Person& gm = publisher("gm");
  Person& far = viewer("viewer1");
  Person& near = joined(MediaUse::kWatch, "ann");
  ASSERT_NE(far.at, near.at);
  ask(far, MediaAsk::Report{far.id, 44, 7});
  ask(gm, MediaAsk::Report{gm.id, 24, 5});
  play(200);
  for (const std::string what : {"speaking", "links"}) {
    const Json heard = last(far, "media.room", "\"" + what + "\":[[");
    const Json there = last(near, "media.room", "\"" + what + "\":[[");
    std::vector<std::string> here, near_by;  // who
    for (const Json& each : heard[what].items()) here.push_back(each.items()[0].as_string());
    for (const Json& each : there[what].items()) near_by.push_back(each.items()[0].as_string());
    EXPECT_EQ(here, near_by) << what;
    EXPECT_EQ(std::ranges::count(here, hex_u64(gm.request.who)), 1) << what;
    EXPECT_EQ(here.size(), what == "links" ? 3u : 1u) << "the gm, ann, and the viewer himself";
  }
  const CallHealth health = home().call_health("demo");
  EXPECT_EQ(health.watching, 1u);
  EXPECT_EQ(health.loss_pm, 7u);
  EXPECT_EQ(health.rtt_ms, 44u);
  ask(gm, MediaAsk::Mute{gm.id, "0", true});
  play(30);
  EXPECT_TRUE(last(far, "media.room", "speaking")["speaking"].items().empty());
  leave(far);
  play(100);
  EXPECT_EQ(home().call_health("demo").watching, 0u);
}

class SpreadDisk final : public sfu::RecordDisk, public Clock {
 public:
  void open(uint64_t, std::string) override {}
  void write(sfu::RecordChunk* chunk) override { waiting.push_back(chunk); }
  MonoUs now_us() const override { return 0; }
  WallMs wall_ms() const override { return 1'764'148'514'042; }
  std::vector<sfu::RecordChunk*> waiting;
};

TEST_F(MediaSpread, WhoWatchesOnAMirrorIsToldOfARecordingThatIsMadeAtHome) {
  SpreadDisk disk;
  MediaOptions made = spread(0);
  made.record_disk = &disk;
  made.clock = &disk;
  begin(made);
  publisher("gm");
  Person& first = viewer("viewer1");
  ASSERT_TRUE(home().record("demo", true, now_));
  play(5);
  Person& second = viewer("viewer2");
  for (const Person* each : {&first, &second}) {
    ASSERT_NE(each->at, kHome);
    EXPECT_TRUE(last(*each, "media.room", "recording")["recording"].as_bool());
    EXPECT_EQ(media(each->at).recording_json("demo"), R"({"recording":false})");
  }
  ASSERT_TRUE(home().record("demo", false, now_));
  play(5);
  const Json told = last(first, "media.room", "recording");
  ASSERT_NE(told.find("recording"), nullptr);
  EXPECT_FALSE(told["recording"].as_bool());
  for (sfu::RecordChunk* chunk : disk.waiting) home().records()->written(chunk, {});
  shards_.clear();
}

TEST_F(MediaSpread, FiguresOfAMirrorNameTheTracksAsHomeDoes) {
  publisher("gm");
  leave(publisher("bob"));
  publisher("cyd");
  Person& far = viewer("viewer1");
  play(30);
  const auto there = home().session_figures("demo", now_);
  const auto here = media(far.at).session_figures("demo", now_);
  ASSERT_EQ(there.size(), 2u);
  ASSERT_EQ(here.size(), 1u);
  const auto all = Json::parse(home().figures_json("demo", now_, here));
  ASSERT_TRUE(all);
  const auto& sessions = (*all)["sessions"].items();
  ASSERT_EQ(sessions.size(), 3u);
  EXPECT_NE(sessions[0]["n"].as_int(), sessions[2]["n"].as_int());
  EXPECT_EQ(sessions[2]["use"].as_string(), "watch");
  EXPECT_EQ(sessions[2]["places"].items()[1]["track"].as_int(),
            sessions[0]["tracks"].items()[1]["track"].as_int());
  EXPECT_EQ(sessions[0]["tracks"].items()[1]["watchers"].as_int(), 1);
}

TEST_F(MediaSpread, AKickReachesTheMirrorAndARefusedSessionLeavesNothingThere) {
  publisher("gm");
  Person& far = viewer("viewer1");
  const size_t mirror = far.at;
  media(mirror).ask({far.request, MediaAsk::Kick{{Code::kBanned, {}, 0}}}, now_);
  exchange();
  EXPECT_TRUE(far.client->closed());
  EXPECT_EQ(room(mirror), nullptr);
  // An offer of which nothing can be watched, and one that is none.
  Person& stays = viewer("viewer2");
  ASSERT_NE(stays.at, kHome);
  Person& odd = person(MediaUse::kPublish, "viewer2");
  odd.request.use = MediaUse::kWatch;
  for (const std::string& offer : {odd.client->offer(), std::string("v=1")}) {
    ASSERT_EQ(place(odd), stays.at);
    EXPECT_FALSE(media(odd.at).open(odd.request, offer, now_));
    exchange();
    EXPECT_EQ(mirrored(), 1u) << "one is still there";
  }
  play(30);
  EXPECT_GE(stays.client->of(1).frames, 20u);
  leave(stays);
  EXPECT_EQ(mirrored(), 0u);
  EXPECT_EQ(room(stays.at), nullptr);
}

TEST_F(MediaSpread, AShowWhosePeopleHaveGoneIsStillThereForItsViewersAndEndsWithThem) {
  Person& gm = publisher("gm");
  Person& far = viewer("viewer1");
  leave(gm);
  EXPECT_EQ(home().session_count(), 0u);
  EXPECT_NE(room(kHome), nullptr);
  EXPECT_EQ(places(far), "0:1:");
  play(10);
  publisher("gm");
  play(30);
  EXPECT_EQ(places(far), "0:gm 1:gm ");
  EXPECT_GE(far.client->of(1).frames, 25u);
  leave(*people_.back());
  leave(far);
  EXPECT_EQ(room(kHome), nullptr);
  EXPECT_EQ(room(far.at), nullptr);
}

TEST_F(MediaSpread, WhatAMirrorHadNoRoomForItTakesUpByItselfOnceThereIs) {
  MediaOptions small = spread(0);
  small.packet_slots = 2'000;  // a picture in three encodings and a few voices
  begin(small);
  std::vector<std::string> others;  // other shows, at home on the other shards
  for (size_t at = 0; at < kHome; ++at) {
    Person& other = person(MediaUse::kPublish, "gm");
    other.gone = true;  // it never connects
    other.request.episode = "other";
    const auto answer = media(at).open(other.request, other.client->offer(), now_);
    ASSERT_TRUE(answer);
    others.push_back(answer->id);
  }
  publisher("gm");
  joined(MediaUse::kWatch, "ann");
  Person& far = viewer("viewer1");
  ASSERT_NE(far.at, kHome);
  play(60);
  EXPECT_EQ(places(far), "0:gm 1:");
  EXPECT_EQ(far.client->of(1).packets, 0u);
  EXPECT_GE(far.client->of(0).packets, 55u) << "a voice needs less";
  ASSERT_TRUE(media(far.at).close("other", MediaUse::kPublish, others[far.at], now_));
  play(60);
  EXPECT_EQ(places(far), "0:gm 1:gm ");
  EXPECT_GE(far.client->of(1).frames, 50u);
  EXPECT_EQ(far.client->of(1).jumps, 0u);
  EXPECT_GE(far.client->of(0).packets, 115u) << "which went on meanwhile";
}

TEST_F(MediaSpread, WhoeverComesAndGoesInWhateverOrderNothingIsLeftBehind) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    people_.clear();
    begin(spread(0));
    Prng prng(seed);
    publisher("gm");
    std::vector<Person*> here;
    for (int step = 0; step < 60; ++step) {
      const auto what = prng.below(5);
      if (what < 2 && here.size() < 10) {
        here.push_back(&viewer("viewer" + std::to_string(prng.below(6))));
      } else if (what == 2 && here.size() < 10) {
        here.push_back(&publisher("p" + std::to_string(step)));
      } else if (!here.empty()) {
        const auto at = here.begin() + static_cast<ptrdiff_t>(prng.below(here.size()));
        leave(**at);
        here.erase(at);
      }
      play(static_cast<int>(prng.below(4)));
    }
    play(40);
    for (const Person* each : here) {
      if (each->request.use == MediaUse::kPublish) continue;
      EXPECT_EQ(places(*each), "0:gm 1:gm ") << seed;
      EXPECT_GE(each->client->of(1).frames, 10u) << seed << " " << each->at;
    }
    for (Person* each : here) leave(*each);
    leave(*people_.front());
    for (size_t at = 0; at < kShards; ++at) {
      EXPECT_EQ(room(at), nullptr) << seed;
      EXPECT_EQ(media(at).session_count(), 0u);
      EXPECT_TRUE(media(at).mirror_notes().empty());
    }
  }
}

}  // namespace
}  // namespace footlight::edge
