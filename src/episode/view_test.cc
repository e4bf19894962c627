// The exact shapes of docs/protocol.md, The view.
#include <gtest/gtest.h>

#include "core/json.h"
#include "episode/internal/show_fixture.h"

namespace footlight::episode {
namespace {

using testing::Show;
constexpr auto kDirector = proto::ViewClass::kDirector;
constexpr auto kPlayer = proto::ViewClass::kPlayer;
constexpr auto kViewer = proto::ViewClass::kViewer;

class View : public ::testing::Test {
 protected:
  void SetUp() override { show.start(); }
  bool told(std::string_view collection, std::string_view id) const {
    for (const EntityRef& ref : show.changed) {
      if (ref.collection == collection && ref.id == id) return true;
    }
    return false;
  }
  Show show;
};

TEST_F(View, Episode) {
  EXPECT_EQ(
      show.entity(kViewer, "episode", "state"),
      R"({"title":"The Bell","state":"live","scene":"gate","slate":{"on":false,"text":""},"media":"full",)"
      R"("slow_s":0,"started_ms":1764000000000,"ended_ms":0,"seed_commit":")" +
          to_hex(seed_commitment(show.secrets.dice_seed)) +
          R"(","seed":null,"chain":null,"emotes":["heart","gasp"],"dice_dialect":"foundry",)"
          R"("conditions":["down","poisoned"]})");
  EXPECT_EQ(show.entity(kViewer, "episode", "other"), "");
}

TEST_F(View, ScenesShowWhereChoicesLeadToDirectorsOnly) {
  EXPECT_EQ(show.entity(kDirector, "scenes", "gate"),
            R"({"title":"The gate","text":"Two doors.","choices":[{"id":"left","label":"Left",)"
            R"("to":"crypt"}],"visited":true,"polls":["fork","secret"]})");
  EXPECT_EQ(show.entity(kViewer, "scenes", "gate"),
            R"({"title":"The gate","text":"Two doors.","choices":[{"id":"left","label":"Left"}],)"
            R"("visited":true,"polls":[]})");
  EXPECT_EQ(show.entity(kPlayer, "scenes", "crypt"), "");
  EXPECT_NE(show.entity(kDirector, "scenes", "crypt"), "");
}

TEST_F(View, PollsAppearWhenTheyOpenAndSoDoTheirNamesInScenes) {
  EXPECT_EQ(show.entity(kViewer, "polls", "fork"), "");
  (void)show.send(show.gm, "poll.open", R"({"poll":"fork"})");
  EXPECT_TRUE(told("polls", "fork"));
  EXPECT_TRUE(told("scenes", "gate"));
  EXPECT_EQ(show.entity(kViewer, "polls", "fork"),
            R"({"title":"Which door?","options":["Left","Wait"],"kind":"single","max":1,)"
            R"("state":"open","hidden":false,"changeable":true,"quorum":0,)"
            R"("opened_ms":1764000000000,"deadline_ms":1764000060000,"allowance_ms":3000,)"
            R"("weights":{"viewer":1,"player":3,"gm":0,"producer":0},"result":null})");
  EXPECT_NE(show.entity(kViewer, "scenes", "gate").find(R"("polls":["fork"])"), std::string::npos);
}

TEST_F(View, ResultsOfPolls) {
  (void)show.send(show.gm, "poll.open", R"({"poll":"final"})");
  (void)show.vote(show.viewer, "final", 2, 1);
  show.secrets.chain_log = 3;
  (void)show.send(show.gm, "poll.close", R"({"poll":"final"})");
  show.tick(1);
  const Json poll = *Json::parse(show.entity(kViewer, "polls", "final"));
  EXPECT_EQ(poll["state"].as_string(), "closed");
  EXPECT_EQ(poll["result"].dump(),
            R"({"counts":[0,1],"voters":1,"late":0,"winner":1,"why":"votes","log":)" +
                std::to_string(show.records.back().log) + R"(,"chain":")" + std::string(64, '0') +
                R"("})");
}

TEST_F(View, HiddenTalliesAreForDirectorsUntilTheClose) {
  (void)show.send(show.gm, "poll.open", R"({"poll":"secret"})");
  (void)show.vote(show.viewer, "secret", 1, 1);
  EXPECT_EQ(show.tally("secret", kDirector).counts, (std::vector<uint64_t>{1, 0}));
  EXPECT_EQ(show.tally("secret", kViewer).poll, "");
  EXPECT_EQ(show.tally("secret", kPlayer).poll, "");
  (void)show.send(show.gm, "poll.close", R"({"poll":"secret"})");
  show.tick(1);
  EXPECT_EQ(show.tally("secret", kViewer).counts, (std::vector<uint64_t>{1, 0}));
}

TEST_F(View, Characters) {
  EXPECT_EQ(show.entity(kViewer, "characters", "aria"),
            R"({"name":"Aria","owner_name":"Ann","ver":1,"hp":12,"hp_max":12,"hp_temp":0,)"
            R"("items":{"potion":{"name":"Healing potion","n":2}},"conditions":[],)"
            R"("fields":{"class":"Ranger","level":3},"portrait":"/assets/aria.png"})");
}

TEST_F(View, Cues) {
  EXPECT_EQ(show.entity(kDirector, "cues", "1"),
            R"({"n":1,"label":"Ask","k":"poll.open","a":{"poll":"fork"},"done":false})");
  EXPECT_EQ(show.entity(kPlayer, "cues", "1"), "");
}

TEST_F(View, TheLogsTailIsReadableAndForDirectors) {
  (void)show.send(show.gm, "char.hp", R"({"char":"aria","delta":-5})");
  const std::string log = std::to_string(show.records.back().log);
  EXPECT_EQ(show.entity(kDirector, "log", log),
            R"({"log":)" + log +
                R"(,"at_ms":1764000000000,"kind":"char.hp","who":"0000000000000002",)"
                R"("name":"Gil","text":"Aria: 12 → 7 HP"})");
  EXPECT_EQ(show.entity(kViewer, "log", log), "");
}

TEST_F(View, LooksUpNothingUnderOddIds) {
  for (const std::string_view id : {"", "0", "01", "-1", "1 ", "99999999999999999999", "x"}) {
    for (const std::string_view collection :
         {"episode", "scenes", "story", "polls", "characters", "rolls", "chat", "captions",
          "timers", "cues", "moderation", "log", "cast", "nothing"}) {
      EXPECT_EQ(show.entity(kDirector, collection, id), "") << collection << " " << id;
    }
  }
}

TEST_F(View, TheWholeHasTheCollectionsOfTheClass) {
  const auto names = [&](proto::ViewClass view) {
    std::string out;
    const Json whole = *Json::parse(encode_view(show.state, view));
    for (const auto& [name, members] : whole.members()) out += name + " ";
    return out;
  };
  EXPECT_EQ(names(kViewer), "episode scenes story polls characters rolls chat captions timers ");
  EXPECT_EQ(names(kPlayer), names(kViewer));
  EXPECT_EQ(names(kDirector), names(kViewer) + "cues moderation log ");
}

}  // namespace
}  // namespace footlight::episode
