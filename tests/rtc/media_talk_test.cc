// Media within the session protocol: what sessions ask, and what they are told.
#include <algorithm>

#include "core/bytes.h"
#include "core/json.h"
#include "media_rig.h"

namespace footlight::edge {
namespace {

class MediaTalkTest : public MediaTest {
 protected:
  explicit MediaTalkTest(MediaOptions made = options()) : MediaTest(std::move(made)) {}
  // Opens by the session protocol: `session` of edge 0 is told.
  Person& asked(MediaUse use, const std::string& account, uint64_t session, size_t places = 1) {
    Person& one = person(use, account, account == "gm" ? 200 : 100, places, places);
    one.request.owner = {0, session};
    if (account.starts_with("viewer")) one.request.role = proto::Role::kViewer;
    media_.ask({one.request, MediaAsk::Open{9, one.client->offer()}}, now_);
    const Json answer = last(session, "media");
    EXPECT_EQ(answer["n"].as_int(), 9);
    one.answer.id = answer["id"].as_string();
    EXPECT_TRUE(one.client->accept(answer["sdp"].as_string()));
    one.client->check(now_, to_server(one));
    exchange();
    EXPECT_TRUE(one.client->connected());
    return one;
  }
  // What `session` was told last of this type; keeps the rest.
  Json last(uint64_t session, std::string_view type) {
    for (MediaTold& told : media_.told()) told_.push_back(std::move(told));
    media_.told().clear();
    for (auto told = told_.rbegin(); told != told_.rend(); ++told) {
      const bool mine = std::ranges::find(told->sessions, session) != told->sessions.end();
      const auto json = Json::parse(told->text);
      if (mine && json && (*json)["t"].as_string() == type) return *json;
    }
    return {};
  }
  size_t told(uint64_t session, std::string_view type) {
    (void)last(session, type);
    return static_cast<size_t>(std::ranges::count_if(told_, [&](const MediaTold& each) {
      return std::ranges::find(each.sessions, session) != each.sessions.end() &&
             each.text.starts_with("{\"t\":\"" + std::string(type) + "\"");
    }));
  }
  void ask(const Person& from, MediaAsk::What what) {
    media_.ask({from.request, std::move(what)}, now_);
  }
  static std::string who(const std::string& account) {
    return hex_u64(std::hash<std::string>{}(account));
  }
  std::vector<MediaTold> told_;
};

class SmallMediaTest : public MediaTalkTest {
 protected:
  static MediaOptions small() {
    MediaOptions made = options();
    made.packet_slots = 1'000;  // one picture and a few voices
    return made;
  }
  SmallMediaTest() : MediaTalkTest(small()) {}
};

TEST_F(SmallMediaTest, WhoIsHeardAndNotSeenForLackOfMemoryIsTold) {
  asked(MediaUse::kPublish, "gm", 1);
  EXPECT_EQ(last(1, "media").find("code"), nullptr);
  Person& ann = person(MediaUse::kPublish, "ann");
  ann.request.owner = {0, 2};
  media_.ask({ann.request, MediaAsk::Open{9, ann.client->offer()}}, now_);
  const Json notice = last(2, "media");
  EXPECT_EQ(told(2, "media"), 2u) << "the answer, and what of the offer was left out";
  EXPECT_EQ(notice["code"].as_int(), static_cast<int64_t>(Code::kTrackLimit));
  EXPECT_EQ(notice.find("over"), nullptr);
  EXPECT_NE(notice["id"].as_string(), "");
}

TEST_F(MediaTalkTest, AWatcherIsToldWhomEachPlaceShowsAndWhenThatChanges) {
  Person& viewer = asked(MediaUse::kWatch, "ann", 1);
  EXPECT_TRUE(last(1, "media.places")["places"].items()[0].find("who") == nullptr);
  Person& gm = asked(MediaUse::kPublish, "gm", 2);
  const Json shown = last(1, "media.places");
  EXPECT_EQ(shown["id"].as_string(), viewer.answer.id);
  ASSERT_EQ(shown["places"].items().size(), 2u);
  for (const Json& place : shown["places"].items()) {
    EXPECT_EQ(place["who"].as_string(), who("gm"));
    EXPECT_EQ(place["name"].as_string(), "gm");
    EXPECT_EQ(place["role"].as_string(), "gm");
    EXPECT_FALSE(place["muted"].as_bool());
  }
  EXPECT_EQ(told(2, "media.places"), 0u) << "who publishes has no places";
  const size_t before = told(1, "media.places");
  ask(gm, MediaAsk::Mute{gm.answer.id, "1", true});
  EXPECT_TRUE(last(1, "media.places")["places"].items()[1]["muted"].as_bool());
  ask(gm, MediaAsk::Mute{gm.answer.id, "1", true});
  EXPECT_EQ(told(1, "media.places"), before + 1) << "nothing changed";
  ask(gm, MediaAsk::Close{gm.answer.id});
  EXPECT_TRUE(last(1, "media.places")["places"].items()[1].find("who") == nullptr);
  EXPECT_EQ(told(2, "media"), 1u) << "the end that was asked for is not told";
}

TEST_F(MediaTalkTest, SpeakersLinesAndQualityAreToldAndMutedVoicesDoNotSpeak) {
  Person& viewer = asked(MediaUse::kWatch, "ann", 1);
  Person& gm = asked(MediaUse::kPublish, "gm", 2);
  ask(gm, MediaAsk::Report{gm.answer.id, 24, 5});
  play(100);
  const Json first = last(1, "media.quality");
  EXPECT_EQ(first["id"].as_string(), viewer.answer.id);
  EXPECT_EQ(first["places"].items()[0].items()[1].as_int(), 0) << "the one encoding there is";
  EXPECT_GT(first["bps"].as_int(), 100'000);
  bool spoke = false, line = false;
  for (const MediaTold& each : told_) {
    EXPECT_TRUE(each.text.find("media.room") == std::string::npos || each.lossy);
    spoke |= each.text.find("\"speaking\":[[\"" + who("gm")) != std::string::npos;
    line |= each.text.find("[\"" + who("gm") + "\",24,5]") != std::string::npos;
  }
  EXPECT_TRUE(spoke);
  EXPECT_TRUE(line);
  EXPECT_LE(told(1, "media.room"), 3300u / 250 + 3) << "a few a second";
  ask(gm, MediaAsk::Mute{gm.answer.id, "0", true});
  play(20);
  EXPECT_TRUE(last(1, "media.room")["speaking"].items().empty());
}

TEST_F(MediaTalkTest, HowTheAudiencesCallDoesIsTheMedianOfWhatItsViewersReport) {
  Person& ann = asked(MediaUse::kWatch, "viewer 1", 1);
  Person& bob = asked(MediaUse::kWatch, "viewer 2", 2);
  Person& cyd = asked(MediaUse::kWatch, "viewer 3", 3);
  Person& player = asked(MediaUse::kWatch, "pia", 5);
  Person& gm = asked(MediaUse::kPublish, "gm", 4);
  EXPECT_EQ(media_.call_health("demo").watching, 0u) << "nobody has reported";
  ask(ann, MediaAsk::Report{ann.answer.id, 20, 900});
  ask(bob, MediaAsk::Report{bob.answer.id, 300, 50});
  ask(cyd, MediaAsk::Report{cyd.answer.id, 40, 0});
  ask(gm, MediaAsk::Report{gm.answer.id, 9'000, 999});  // the cast is not the audience
  ask(player, MediaAsk::Report{player.answer.id, 9'000, 999});
  const CallHealth health = media_.call_health("demo");
  EXPECT_EQ(health.watching, 3u);
  EXPECT_EQ(health.loss_pm, 50u);
  EXPECT_EQ(health.rtt_ms, 40u);
  EXPECT_EQ(media_.call_health("other").watching, 0u);
}

TEST_F(MediaTalkTest, AMediaSessionOutlivesTheSessionAndIsTakenUpByItsOwnerAlone) {
  Person& viewer = asked(MediaUse::kWatch, "ann", 1);
  asked(MediaUse::kPublish, "gm", 2);
  play(10);
  MediaRequest later = viewer.request;
  later.owner = {1, 77};
  media_.ask({later, MediaAsk::Resume{5, viewer.answer.id, ""}}, now_);
  EXPECT_EQ(last(77, "media")["id"].as_string(), viewer.answer.id);
  EXPECT_EQ(last(77, "media.places")["places"].items().size(), 2u);
  // A stranger who knows the name gets nothing, and ends nothing.
  const Person& stranger = person(MediaUse::kWatch, "eve");
  media_.ask({stranger.request, MediaAsk::Close{viewer.answer.id}}, now_);
  MediaRequest eve = stranger.request;
  eve.owner = {0, 66};
  media_.ask({eve, MediaAsk::Resume{6, viewer.answer.id, ""}}, now_);
  EXPECT_TRUE(last(66, "media")["over"].as_bool());
  EXPECT_EQ(last(66, "media")["code"].as_int(), static_cast<int64_t>(Code::kUnknownSession));
  const uint64_t frames = viewer.client->of(1).frames;
  play(20);
  EXPECT_GT(viewer.client->of(1).frames, frames + 10);
  // An ICE restart in the same breath.
  media_.ask({later, MediaAsk::Resume{7, viewer.answer.id, viewer.client->restart_ice()}}, now_);
  EXPECT_NE(last(77, "media")["ice"].as_string().find("a=ice-ufrag:"), std::string::npos);
}

TEST_F(MediaTalkTest, AKickEndsEverythingOfThePersonAtOnceAndSaysWhy) {
  Person& watching = asked(MediaUse::kWatch, "ann", 1);
  Person& publishing = asked(MediaUse::kPublish, "ann", 1);
  Person& other = joined(MediaUse::kWatch, "vera");
  const MediaRequest from = request(MediaUse::kWatch, "ann", 100);
  media_.ask({from, MediaAsk::Kick{{Code::kBanned, {}, 0}}}, now_);
  exchange();
  EXPECT_TRUE(watching.client->closed());
  EXPECT_TRUE(publishing.client->closed());
  EXPECT_FALSE(other.client->closed());
  EXPECT_TRUE(last(1, "media")["over"].as_bool());
  EXPECT_EQ(last(1, "media")["code"].as_int(), static_cast<int64_t>(Code::kBanned));
  EXPECT_EQ(media_.stats().sessions, 1u);
}

TEST_F(MediaTalkTest, TheTokensGrantsAreKept) {
  using gate::MediaGrants;
  const auto code = [&](MediaUse use, uint8_t grants, const std::string& label, size_t video) {
    Person& one = person(use, "ann", 100, 1, video);
    one.request.grants = {grants};
    one.request.label = label;
    const auto answer = media_.open(one.request, one.client->offer(), now_);
    return answer ? Code::kOk : answer.error().code;
  };
  EXPECT_EQ(code(MediaUse::kWatch, MediaGrants::kPublish, "", 1), Code::kMediaSubscribe);
  EXPECT_EQ(code(MediaUse::kPublish, MediaGrants::kWatch, "", 1), Code::kMediaPublish);
  EXPECT_EQ(code(MediaUse::kPublish, MediaGrants::kAudio, "", 1), Code::kMediaTracks);
  EXPECT_EQ(code(MediaUse::kPublish, MediaGrants::kAudio, "", 0), Code::kOk);
  EXPECT_EQ(code(MediaUse::kPublish, MediaGrants::kAudio | MediaGrants::kVideo, "screen", 1),
            Code::kMediaTracks);
  EXPECT_EQ(code(MediaUse::kPublish, MediaGrants::kScreen, "screen", 1), Code::kOk);
}

TEST_F(MediaTalkTest, WhereThereAreFewerPlacesThanPeopleThoseWhoSpokeLastHaveThem) {
  Person& viewer = asked(MediaUse::kWatch, "viewer", 1, 2);
  Person& gm = asked(MediaUse::kPublish, "gm", 2);
  Person& ann = asked(MediaUse::kPublish, "ann", 3);
  Person& bob = asked(MediaUse::kPublish, "bob", 4);
  const auto shown = [&](const std::string& account) {
    const Json places = last(1, "media.places");
    return std::ranges::count_if(places["places"].items(), [&](const Json& each) {
      return each["who"].as_string() == who(account);
    });
  };
  const auto speak = [&](Person& speaker) {
    for (int i = 0; i < 50; ++i) {
      now_ += 20'000;
      speaker.client->send_voice(80, now_, to_server(speaker));
      exchange();
      media_.on_time(now_);
    }
    exchange();
  };
  EXPECT_EQ(shown("ann"), 2);  // voice and picture: who came first, as nobody has spoken
  speak(bob);
  EXPECT_EQ(shown("bob"), 2);
  EXPECT_EQ(shown("ann"), 0);
  EXPECT_EQ(shown("gm"), 2) << "the game master always has a place";
  speak(gm);
  EXPECT_EQ(shown("bob"), 2) << "the last of the players to have spoken";
  for (const char* mid : {"0", "1", "2", "3"}) {
    ask(viewer, MediaAsk::Place{viewer.answer.id, mid, std::nullopt, false, true});
  }
  speak(ann);
  EXPECT_EQ(shown("bob"), 2) << "what a viewer has pinned stays";
}

TEST_F(MediaTalkTest, APlaceThatIsPausedIsSentNothingUntilItIsWantedAgain) {
  Person& viewer = asked(MediaUse::kWatch, "ann", 1);
  asked(MediaUse::kPublish, "gm", 2);
  play(30);
  ask(viewer, MediaAsk::Place{viewer.answer.id, "1", std::nullopt, true, false});
  play(10);
  const uint64_t paused = viewer.client->of(1).frames;
  play(30);
  EXPECT_LE(viewer.client->of(1).frames, paused + 1);
  ask(viewer, MediaAsk::Place{viewer.answer.id, "1", 0, false, true});
  play(30);
  EXPECT_GT(viewer.client->of(1).frames, paused + 10);
}

}  // namespace
}  // namespace footlight::edge
