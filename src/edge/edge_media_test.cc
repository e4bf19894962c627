// What sessions say about voice and video, at the edge: who may, what is passed on, and who is
// told.
#include "edge/internal/test_stage.h"
#include "edge/relays.h"

namespace footlight::edge {
namespace {

using proto::Role;
using rig::code_of;
using rig::ev;
using rig::hello;
using rig::Stage;
using rig::token;

class Asked final : public MediaPort {
 public:
  void ask(MediaAsk ask) override { asks.push_back(std::move(ask)); }
  template <class T>
  std::vector<const MediaAsk*> of() const {
    std::vector<const MediaAsk*> out;
    for (const auto& ask : asks) {
      if (std::holds_alternative<T>(ask.what)) out.push_back(&ask);
    }
    return out;
  }
  std::vector<MediaAsk> asks;
};

struct MediaEdge : testing::Test {
  void SetUp() override {
    stage.edge_options.media = &media;
    stage.start();
  }
  Asked media;
  Stage stage;
};

constexpr std::string_view kOffer =
    R"({"t":"media.open","n":7,"use":"publish","label":"screen","sdp":"v=0\r\n"})";

TEST_F(MediaEdge, AnOfferIsPassedOnWithWhoAsksAndWhatTheirTokenGrants) {
  stage.join("gale", Role::kGm, 1);
  stage.send("gale", kOffer);
  ASSERT_EQ(media.asks.size(), 1u);
  const MediaRequest& from = media.asks[0].from;
  EXPECT_EQ(from.episode, "demo");
  EXPECT_EQ(from.name, "gale");
  EXPECT_EQ(from.role, Role::kGm);
  EXPECT_EQ(from.label, "screen");
  EXPECT_EQ(from.use, MediaUse::kPublish);
  EXPECT_TRUE(from.grants.publishes());
  EXPECT_TRUE(from.grants.watches());
  EXPECT_NE(from.who, 0u);
  EXPECT_GT(from.until, stage.clock.us);
  EXPECT_LT(from.until, kNever);
  EXPECT_NE(from.owner.session, 0u);
  const auto& open = std::get<MediaAsk::Open>(media.asks[0].what);
  EXPECT_EQ(open.n, 7u);
  EXPECT_EQ(open.offer, "v=0\r\n");
  stage.join("vera", Role::kViewer, 2);
  stage.send("vera", kOffer);
  EXPECT_FALSE(media.asks[1].from.grants.publishes());
}

TEST_F(MediaEdge, TheOtherWordsArePassedOnAsTheyAre) {
  stage.join("gale", Role::kGm, 1);
  for (const char* text :
       {R"({"t":"media.resume","n":2,"id":"aa","ice":"x"})", R"({"t":"media.close","id":"aa"})",
        R"({"t":"media.place","id":"aa","mid":"3","max":1,"pin":true})",
        R"({"t":"media.mute","id":"aa","mid":"0","on":true})",
        R"({"t":"media.report","id":"aa","rtt":24,"loss":5})"}) {
    stage.send("gale", text);
  }
  ASSERT_EQ(media.asks.size(), 5u);
  EXPECT_EQ(std::get<MediaAsk::Resume>(media.asks[0].what).ice, "x");
  EXPECT_EQ(std::get<MediaAsk::Close>(media.asks[1].what).id, "aa");
  EXPECT_EQ(std::get<MediaAsk::Place>(media.asks[2].what).most, 1u);
  EXPECT_TRUE(std::get<MediaAsk::Place>(media.asks[2].what).pinned);
  EXPECT_TRUE(std::get<MediaAsk::Mute>(media.asks[3].what).on);
  EXPECT_EQ(std::get<MediaAsk::Report>(media.asks[4].what).loss_pm, 5u);
}

TEST_F(MediaEdge, WhatMediaTellReachTheSessionsThatAreThereAndNobodyElse) {
  auto& gale = stage.join("gale", Role::kGm, 1);
  auto& ann = stage.join("ann", Role::kPlayer, 2);
  stage.send("gale", kOffer);
  const uint64_t session = media.asks[0].from.owner.session;
  stage.edges[0]->on_media({0, {session, 12345}, R"({"t":"media","n":7,"id":"aa","sdp":"x"})"});
  EXPECT_EQ(gale.last("media")["sdp"].as_string(), "x");
  EXPECT_TRUE(ann.of("media").empty());
}

TEST_F(MediaEdge, ABanAndAKickEndAllMediaOfThePerson) {
  stage.join("gale", Role::kGm, 1);
  auto& ann = stage.join("ann", Role::kPlayer, 2);
  const std::string who = ann.last("welcome")["me"]["who"].as_string();
  stage.send("gale", ev(1, "mod.ban", R"({"who":")" + who + R"("})"));
  stage.run_ms(50);
  const auto kicks = media.of<MediaAsk::Kick>();
  ASSERT_EQ(kicks.size(), 1u);
  EXPECT_EQ(hex_u64(kicks[0]->from.who), who);
  EXPECT_EQ(kicks[0]->from.episode, "demo");
  EXPECT_EQ(std::get<MediaAsk::Kick>(kicks[0]->what).why.code, Code::kBanned);
}

TEST_F(MediaEdge, AFreshTokenProlongsMedia) {
  stage.join("gale", Role::kGm, 1);
  stage.send("gale",
             R"({"t":"token","token":")" + token("gale", Role::kGm, 2'100'000'000) + R"("})");
  const auto kept = media.of<MediaAsk::Keep>();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_GT(kept[0]->from.until, stage.clock.us);
}

class OneRelay final : public RelaySource {
 public:
  std::shared_ptr<const RelayTable> table() const override {
    auto made = std::make_shared<RelayTable>();
    made->relays = {{{"turn:a"}, "secret", "", 0}};
    made->states.resize(1);
    made->lifetime_s = 3600;
    return made;
  }
};

TEST(EdgeRelays, WhoAsksIsToldThemWithCredentialsOfTheirOwnThatEnd) {
  Asked media;
  const OneRelay relays;
  Stage stage;
  stage.edge_options.media = &media;
  stage.edge_options.relays = &relays;
  stage.start();
  auto& vera = stage.join("vera", Role::kViewer, 1);
  stage.send("vera", R"({"t":"media.ice","n":4})");
  const Json answer = vera.last("media");
  EXPECT_EQ(answer["n"].as_int(), 4);
  EXPECT_EQ(answer["ttl"].as_int(), 3600);
  const auto& servers = answer["servers"].items();
  ASSERT_EQ(servers.size(), 2u);
  EXPECT_EQ(servers[0]["urls"].items()[0].as_string(), "stun:a");
  const std::string expires = std::to_string(stage.clock.wall_ms() / 1000 + 3600);
  EXPECT_EQ(servers[1]["username"].as_string(),
            expires + ":" + vera.last("welcome")["me"]["who"].as_string());
  EXPECT_TRUE(media.asks.empty()) << "it is the edge's own to answer";
}

TEST_F(MediaEdge, WhereThereAreNoRelaysAnEmptyListSaysSo) {
  auto& gale = stage.join("gale", Role::kGm, 1);
  stage.send("gale", R"({"t":"media.ice","n":4})");
  EXPECT_NE(gale.last("media").find("servers"), nullptr);
  EXPECT_TRUE(gale.last("media")["servers"].items().empty());
}

TEST(EdgeWithoutMedia, AQuestionIsAnsweredAndTheRestIsAnError) {
  Stage stage;
  stage.start();
  auto& gale = stage.join("gale", Role::kGm, 1);
  stage.send("gale", kOffer);
  EXPECT_EQ(gale.last("media")["n"].as_int(), 7);
  EXPECT_EQ(gale.last("media")["code"].as_int(), static_cast<int64_t>(Code::kMediaOff));
  stage.send("gale", R"({"t":"media.close","id":"aa"})");
  EXPECT_EQ(gale.last("error")["code"].as_int(), static_cast<int64_t>(Code::kMediaOff));
}

}  // namespace
}  // namespace footlight::edge
