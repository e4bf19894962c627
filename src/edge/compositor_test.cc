#include "edge/compositor.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/json.h"

namespace footlight::edge {
namespace {

struct Port final : CompositorPort {
  Status start() override {
    ++starts;
    alive = start_fails ? false : true;
    return start_fails ? fail(Code::kCompositorSetup, "not there") : Status();
  }
  void write(Bytes frames) override { reader.push(frames); }
  void kill() override {
    ++kills;
    alive = false;
    reader = {};
  }
  uint16_t rtp_port() override { return 4'000; }
  void feed_to(uint16_t port) override { fed = port; }
  void want_key_frame(uint32_t ssrc) override { wanted.push_back(ssrc); }
  std::vector<proto::NodeMessage> take() {
    std::vector<proto::NodeMessage> out;
    while (true) {
      const auto frame = reader.next();
      if (!frame || !*frame) return out;
      out.push_back(**proto::decode_node(**frame));
    }
  }
  int starts = 0, kills = 0;
  bool alive = false, start_fails = false;
  uint16_t fed = 0;
  std::vector<uint32_t> wanted;
  proto::FeedReader reader;
};

struct Sink final : ProgramSink {
  void on_hello(const proto::FeedHello&) override { said += "hello "; }
  void on_init(const proto::FeedInit&) override { said += "init "; }
  void on_part(const proto::FeedPart& part) override {
    said += "part" + std::to_string(part.msn) + "." + std::to_string(part.part) + " ";
  }
  void on_cue_shown(const proto::FeedCueShown& cue, const proto::FeedSnapshot*) override {
    said += "cue" + std::to_string(cue.snapshot) + " ";
  }
  void on_status(const proto::FeedStatus&) override { said += "status "; }
  void on_poster(const proto::FeedPoster&) override { said += "poster "; }
  void on_discontinuity(const Error& why) override {
    said += "gap" + std::to_string(static_cast<int>(why.code)) + " ";
  }
  void on_end(const Error&) override { said += "end "; }
  std::optional<Error> wrong() override { return std::exchange(verdict, std::nullopt); }
  std::optional<Error> verdict;
  std::string take() { return std::exchange(said, {}); }
  std::string said;
};

struct Rig {
  Port port;
  Sink sink;
  Compositor compositor{port, sink};
  MonoUs now = kUsPerSecond;

  void say(const proto::CompositorMessage& message) {
    Bytes bytes;
    encode(message, bytes);
    compositor.on_bytes(bytes, now);
  }
  void greet() {
    proto::FeedHello hello;
    hello.rtp_port = 5'000;
    hello.parts_per_segment = 4;
    hello.renditions = {{"v720"}, {"audio"}};
    say(hello);
  }
  void begin() {
    compositor.set_wanted(true, now);
    greet();
    (void)sink.take();
    (void)port.take();
  }
};

proto::FeedParticipants people_of(proto::FeedParticipant::Role role) {
  proto::FeedParticipant person;
  person.slot = 1;
  person.name = "Gale";
  person.role = role;
  return {{person}};
}

TEST(Compositor, ItIsGreetedFedAndItsPartsReachTheSink) {
  Rig rig;
  rig.compositor.set_wanted(true, rig.now);
  EXPECT_EQ(rig.port.take().size(), 1u) << "our greeting";
  rig.greet();
  EXPECT_EQ(rig.port.fed, 5'000);
  rig.say(proto::FeedInit{0, {}});
  rig.say(proto::FeedPart{.rendition = 1, .msn = 2, .part = 3});
  rig.say(proto::FeedPart{.rendition = 9});
  rig.say(proto::FeedCueShown{.snapshot = 4});
  rig.say(proto::FeedKeyFrame{77});
  EXPECT_EQ(rig.sink.take(), "hello init part2.3 cue4 ");
  EXPECT_EQ(rig.port.wanted, std::vector<uint32_t>{77});
  EXPECT_EQ(rig.compositor.state(), Compositor::State::kRunning);
}

TEST(Compositor, AnEndIsADiscontinuityAndPausesDoubleUntilItWorksForAWhile) {
  Rig rig;
  rig.begin();
  MonoUs pause = Compositor::kFirstPauseUs;
  for (int i = 0; i < 12; ++i) {
    rig.compositor.on_exit("signal 9", rig.now);
    EXPECT_EQ(rig.sink.take(), "gap4813 ");
    EXPECT_EQ(rig.compositor.deadline(), rig.now + pause);
    rig.now = rig.compositor.deadline() - 1;
    rig.compositor.on_time(rig.now);
    EXPECT_EQ(rig.compositor.state(), Compositor::State::kPausing);
    rig.compositor.on_time(++rig.now);
    EXPECT_EQ(rig.port.starts, i + 2);
    rig.greet();
    EXPECT_EQ(rig.sink.take(), "hello ");
    pause = std::min(pause * 2, Compositor::kMostPauseUs);
  }
  const auto status = Json::parse(rig.compositor.status_json());
  ASSERT_TRUE(status);
  EXPECT_EQ((*status)["last_end"]["code"].as_int(), 4'813);
  EXPECT_NE((*status)["last_end"]["message"].as_string().find("signal 9"), std::string::npos);
  rig.now += Compositor::kHealthyUs;
  rig.compositor.on_exit("signal 9", rig.now);
  EXPECT_EQ(rig.compositor.deadline(), rig.now + Compositor::kFirstPauseUs);
}

TEST(Compositor, SilenceNonsenseAndItsOwnComplaintEndIt) {
  Rig rig;
  rig.begin();
  rig.now += Compositor::kSilenceUs;
  rig.compositor.on_time(rig.now);
  EXPECT_EQ(rig.sink.take(), "gap4814 ");
  EXPECT_EQ(rig.port.kills, 1);
  rig.now = rig.compositor.deadline();
  rig.compositor.on_time(rig.now);
  rig.compositor.on_bytes(Bytes(4), rig.now);
  EXPECT_EQ(rig.sink.take(), "gap4810 ");
  rig.now = rig.compositor.deadline();
  rig.compositor.on_time(rig.now);
  rig.say(proto::FeedEnd{static_cast<uint16_t>(Code::kCompositorSetup), "no encoder"});
  rig.compositor.on_exit("exit code 3", rig.now);
  EXPECT_EQ(rig.sink.take(), "gap4815 ") << "told once, in its own words";
}

TEST(Compositor, OneThatTalksAndMakesNothingIsStartedAnew) {
  Rig rig;
  rig.begin();
  rig.say(proto::FeedPart{.rendition = 1});
  for (MonoUs passed = 0; passed < Compositor::kSilenceUs; passed += kUsPerSecond) {
    rig.compositor.on_time(rig.now);
    EXPECT_EQ(rig.port.kills, 0);
    EXPECT_LE(rig.compositor.deadline(), rig.now + Compositor::kSilenceUs);
    rig.now += kUsPerSecond;
    rig.say(proto::FeedStatus{});
  }
  rig.compositor.on_time(rig.now);
  EXPECT_EQ(rig.port.kills, 1);
  EXPECT_NE(rig.compositor.status_json().find("no part of v720"), std::string::npos);
  EXPECT_EQ(rig.compositor.state(), Compositor::State::kPausing);
}

TEST(Compositor, OneThatIsSlowIsLeftToWork) {
  Rig rig;
  rig.begin();
  const MonoUs began = rig.now;
  while (rig.port.kills == 0) {
    rig.now += kUsPerSecond;
    rig.say(proto::FeedStatus{.fps_milli = 1'500});
    rig.compositor.on_time(rig.now);
  }
  EXPECT_EQ(rig.now - began, Compositor::kSlowUs) << "without a single part";
}

TEST(Compositor, ARenditionThatStaysBehindTheOthersCostsANewStart) {
  Rig rig;
  rig.begin();
  constexpr uint64_t kMost = Compositor::kMostLag * 4;
  rig.say(proto::FeedPart{.rendition = 0});
  for (uint64_t i = 0; i <= kMost; ++i) {
    rig.compositor.on_time(rig.now);
    EXPECT_EQ(rig.port.kills, 0);
    rig.say(proto::FeedPart{.rendition = 1});
  }
  rig.compositor.on_time(rig.now);
  EXPECT_EQ(rig.port.kills, 1);
  EXPECT_NE(rig.compositor.status_json().find("no part of v720"), std::string::npos);
}

TEST(Compositor, WhatTheSinkRefusesAgainAndAgainIsStartedAnewWithItsReason) {
  Rig rig;
  rig.begin();
  rig.compositor.on_time(rig.now);
  EXPECT_EQ(rig.port.kills, 0);
  rig.sink.verdict = Error{Code::kFeedBroken, "its parts were refused", 0};
  rig.compositor.on_time(rig.now);
  EXPECT_EQ(rig.port.kills, 1);
  const auto status = Json::parse(rig.compositor.status_json());
  ASSERT_TRUE(status);
  EXPECT_EQ((*status)["last_end"]["code"].as_int(), static_cast<int64_t>(Code::kFeedBroken));
}

TEST(Compositor, APersonIsAsLoudAsTheProducerChoseAlsoAfterANewStart) {
  Rig rig;
  rig.begin();
  auto people = people_of(proto::FeedParticipant::Role::kPlayer);
  people.people[0].who = 7;
  rig.compositor.set_people(people);
  EXPECT_FALSE(rig.compositor.set_gain(7, -1));
  EXPECT_FALSE(rig.compositor.set_gain(7, ProgramGains::kMostGain + 1));
  ASSERT_TRUE(rig.compositor.set_gain(7, 250));
  rig.compositor.on_time(rig.now);
  const auto told = rig.port.take();
  EXPECT_EQ(std::get<proto::FeedParticipants>(told.at(0)).people[0].gain_permille, 250);

  const std::string kept = program_settings_json(rig.compositor.settings());
  Rig later;
  later.compositor.restore(read_program_settings(kept));
  later.begin();
  later.compositor.set_people(people);
  later.compositor.on_time(later.now);
  EXPECT_EQ(std::get<proto::FeedParticipants>(later.port.take().at(0)).people[0].gain_permille,
            250);
}

TEST(ProgramSettings, WhatIsKeptComesBackAndNonsenseIsLeftOut) {
  ProgramSettings settings;
  settings.layout = proto::FeedLayout::Kind::kGrid;
  for (uint64_t who = 1; who <= ProgramGains::kMostGains; ++who) {
    ASSERT_TRUE(settings.gains.set(who << 56, 500));
  }
  EXPECT_FALSE(settings.gains.set(99, 500)) << "bounded";
  EXPECT_TRUE(settings.gains.set(uint64_t{1} << 56, 1'000)) << "as everybody: nothing to keep";
  EXPECT_TRUE(settings.gains.set(99, 500));
  const std::string json = program_settings_json(settings);
  EXPECT_LE(json.size(), ProgramSettings::kMostBytes);
  EXPECT_EQ(read_program_settings(json), settings);
  EXPECT_EQ(read_program_settings("{"), ProgramSettings());
  EXPECT_EQ(read_program_settings(
                R"({"layout":"sideways","gains":{"xyz":5,"00000000000000ff":9999,"1":"loud"}})"),
            ProgramSettings());
}

TEST(Compositor, AProgramThatCannotBeStartedIsTriedAgain) {
  Rig rig;
  rig.port.start_fails = true;
  rig.compositor.set_wanted(true, rig.now);
  EXPECT_EQ(rig.sink.take(), "gap4815 ");
  rig.port.start_fails = false;
  rig.now = rig.compositor.deadline();
  rig.compositor.on_time(rig.now);
  EXPECT_EQ(rig.compositor.state(), Compositor::State::kStarting);
}

TEST(Compositor, WhoIsThereIsToldWhenItChangesAndWholeAfterARestart) {
  Rig rig;
  rig.begin();
  rig.compositor.set_people(people_of(proto::FeedParticipant::Role::kGm));
  rig.compositor.on_time(rig.now);
  EXPECT_EQ(rig.port.take().size(), 1u);
  rig.compositor.on_time(rig.now);
  EXPECT_TRUE(rig.port.take().empty());
  rig.compositor.restart(rig.now);
  EXPECT_EQ(rig.sink.take(), "gap4813 ");
  (void)rig.port.take();
  rig.greet();
  const auto told = rig.port.take();
  ASSERT_EQ(told.size(), 3u) << "people, layout, snapshot";
  EXPECT_EQ(std::get<proto::FeedParticipants>(told[0]),
            people_of(proto::FeedParticipant::Role::kGm));
}

TEST(Compositor, SnapshotsAreNumberedAndNoFasterThanTheyMayBe) {
  Rig rig;
  rig.begin();
  uint64_t last = 0;
  int sent = 0;
  for (uint64_t votes = 1; votes <= 100; ++votes) {
    ProgramScene scene;
    scene.snapshot.poll = proto::FeedPoll{"?", {{"a", votes}}, votes, 0, false};
    rig.compositor.set_scene(scene);
    rig.now += 10 * kUsPerMs;
    rig.compositor.on_time(rig.now);
    for (const auto& each : rig.port.take()) {
      const auto* snapshot = std::get_if<proto::FeedSnapshot>(&each);
      if (!snapshot) continue;
      EXPECT_GT(snapshot->number, last);
      last = snapshot->number;
      ++sent;
    }
  }
  EXPECT_GE(sent, 6);
  EXPECT_LE(sent, 7);
}

TEST(Compositor, TheFinishedProgramIsShownWholeAndItsSoundIsTheOnlyOne) {
  Rig rig;
  rig.begin();
  auto people = people_of(proto::FeedParticipant::Role::kProgram);
  people.people.push_back(people_of(proto::FeedParticipant::Role::kGm).people[0]);
  people.people[1].slot = 2;
  rig.compositor.set_people(people);
  ProgramScene scene;
  scene.state = "live";
  rig.compositor.set_scene(scene);
  rig.compositor.on_time(rig.now);
  const auto told = rig.port.take();
  ASSERT_EQ(told.size(), 2u);
  const auto& heard = std::get<proto::FeedParticipants>(told[0]).people;
  EXPECT_EQ(heard[0].gain_permille, 1'000);
  EXPECT_EQ(heard[1].gain_permille, 0);
  EXPECT_EQ(std::get<proto::FeedLayout>(told[1]).kind, proto::FeedLayout::Kind::kSingle);
  rig.compositor.wish_layout(proto::FeedLayout{proto::FeedLayout::Kind::kGrid, 255});
  rig.compositor.on_time(rig.now);
  const auto again = rig.port.take();
  ASSERT_EQ(again.size(), 2u);
  EXPECT_EQ(std::get<proto::FeedParticipants>(again[0]).people[1].gain_permille, 1'000);
}

TEST(Compositor, NotWantedItIsStoppedAndTheSinkHearsTheEndOnce) {
  Rig rig;
  rig.begin();
  rig.compositor.set_wanted(false, rig.now);
  EXPECT_EQ(rig.sink.take(), "end ");
  EXPECT_EQ(rig.port.kills, 1);
  rig.compositor.on_exit("signal 9", rig.now);
  rig.compositor.on_time(rig.now + kUsPerSecond);
  rig.compositor.restart(rig.now);
  EXPECT_EQ(rig.sink.take(), "");
  EXPECT_EQ(rig.compositor.deadline(), kNever);
}

constexpr std::string_view kView = R"({"episode":{"title":"The Gorge","state":"live","scene":"s1",
  "slate":{"on":false,"text":""}},"scene":{"title":"The bridge"},
  "polls":{"p1":{"title":"Fight?","options":["Yes","No"],"state":"open","opened_ms":1000,"deadline_ms":9000,"result":null},
           "p0":{"title":"Old","options":["A"],"state":"closed","opened_ms":10,"deadline_ms":20,"result":{"counts":[3],"voters":3}}},
  "tallies":{"p1":{"counts":[5,2],"voters":7}},
  "rolls":[{"n":2,"at_ms":1500,"name":"Gale","expr":"2d20kh1","dice":[{"sides":20,"value":17,"kept":true},
            {"sides":20,"value":4,"kept":false}],"total":17,"secret":false},
           {"n":1,"at_ms":1400,"name":"GM","expr":"1d20","dice":[],"total":3,"secret":true}]})";

TEST(CompositorView, TheOverlayShowsTheOpenPollItsTallyTheSceneAndOpenRolls) {
  ProgramView view;
  view.update(kView, 2'000);
  const ProgramScene scene = view.scene(2'000);
  EXPECT_EQ(scene.state, "live");
  EXPECT_EQ(scene.snapshot.scene, "The bridge");
  ASSERT_TRUE(scene.snapshot.poll);
  EXPECT_EQ(*scene.snapshot.poll,
            (proto::FeedPoll{"Fight?", {{"Yes", 5}, {"No", 2}}, 7, 9'000, false, "p1", 1'000}));
  EXPECT_EQ(scene.snapshot.dice, (std::vector<proto::FeedDice>{{"Gale", "2d20kh1", "17 (4)", 17}}));
  EXPECT_TRUE(view.scene(1'500 + ProgramView::kRollMs).snapshot.dice.empty());
}

TEST(CompositorView, AResultStaysForAWhileAndOneFromBeforeIsNotShown) {
  ProgramView view;
  view.update(kView, 2'000);
  std::string closed(kView);
  closed.replace(closed.find("\"state\":\"open\""), 14, "\"state\":\"closed\"");
  closed.replace(closed.find("\"result\":null"), 13, R"("result":{"counts":[6,2],"voters":8})");
  view.update(closed, 9'500);
  const auto shown = view.scene(9'600).snapshot.poll;
  ASSERT_TRUE(shown);
  EXPECT_EQ(*shown, (proto::FeedPoll{"Fight?", {{"Yes", 6}, {"No", 2}}, 8, 0, true, "p1", 1'000}));
  EXPECT_FALSE(view.scene(9'500 + ProgramView::kResultMs).snapshot.poll);
  view.update("nonsense", 9'600);
  EXPECT_TRUE(view.scene(9'600).snapshot.poll);
}

TEST(CompositorView, TheLayoutFollowsTheEpisodeUnlessAProducerChose) {
  using Kind = proto::FeedLayout::Kind;
  ProgramScene scene;
  EXPECT_EQ(choose_layout({}, scene, false).kind, Kind::kSlate);
  scene.state = "live";
  EXPECT_EQ(choose_layout({}, scene, false).kind, Kind::kTable);
  EXPECT_EQ(choose_layout({}, scene, true).kind, Kind::kSingle);
  EXPECT_EQ(choose_layout({proto::FeedLayout{Kind::kGrid, 255}}, scene, true).kind, Kind::kGrid);
  scene.slate_on = true;
  EXPECT_EQ(choose_layout({}, scene, true).kind, Kind::kSlate);
  scene.state = "ended";
  EXPECT_EQ(choose_layout({}, scene, true).kind, Kind::kTitle);
  for (size_t i = 0; i < proto::kFeedLayouts; ++i) {
    EXPECT_EQ(parse_layout(layout_name(static_cast<Kind>(i))), static_cast<Kind>(i));
  }
  EXPECT_FALSE(parse_layout("tables"));
}

}  // namespace
}  // namespace footlight::edge
