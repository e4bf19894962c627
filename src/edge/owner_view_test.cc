#include "edge/owner.h"

#include "edge/internal/test_stage.h"

namespace footlight::edge {
namespace {

using proto::Role;
using rig::ev;
using rig::Stage;
using rig::vote;

TEST(OwnerView, NobodyIsShownWhatIsNotForTheirRole) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("gil",
             ev(2, "dice.roll", R"({"expr":"1d20","nonce":"00112233445566778899","secret":true})"));
  stage.settle();
  bool director_sees = false;
  for (const Json& delta : gil.of("delta")) {
    for (const Json& patch : delta["p"].items()) {
      director_sees = director_sees || patch.items()[0].as_string() == "rolls";
    }
  }
  EXPECT_TRUE(director_sees);
  for (const std::string& frame : ann.frames) {
    EXPECT_EQ(frame.find("\"rolls\",\"1\""), std::string::npos) << frame;
    EXPECT_EQ(frame.find("\"cues\""), std::string::npos);
    EXPECT_EQ(frame.find("\"moderation\""), std::string::npos);
  }
}

TEST(OwnerView, AFreshViewEqualsTheOldOneWithItsDeltas) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  for (uint64_t i = 2; i < 30; ++i) {
    stage.send("gil", ev(i, i % 3 == 0 ? "char.hp" : "chat.say",
                         i % 3 == 0 ? R"({"char":"aria","delta":-1})" : R"({"text":"words"})"));
    stage.run_ms(1'100);
  }
  // Every entity of the view, from the welcome on.
  std::map<std::string, std::map<std::string, std::string>> built;
  const Json view = gil.last("welcome")["view"];
  for (const auto& [collection, entities] : view.members()) {
    for (const auto& [id, entity] : entities.members()) built[collection][id] = entity.dump();
  }
  for (const Json& delta : gil.of("delta")) {
    for (const Json& patch : delta["p"].items()) {
      const std::string& collection = patch.items()[0].as_string();
      const std::string& id = patch.items()[1].as_string();
      if (patch.items()[2].type() == JsonType::kNull) {
        built[collection].erase(id);
      } else {
        built[collection][id] = patch.items()[2].dump();
      }
    }
  }
  auto& other = stage.join("geo", Role::kGm, 55);
  built["cast"].clear();
  size_t compared = 0;
  const Json fresh = other.last("welcome");
  for (const auto& [collection, entities] : fresh["view"].members()) {
    if (collection == "cast") continue;
    for (const auto& [id, entity] : entities.members()) {
      EXPECT_EQ(built[collection][id], entity.dump()) << collection << " " << id;
      built[collection].erase(id);
      ++compared;
    }
    EXPECT_TRUE(built[collection].empty()) << collection;
  }
  EXPECT_GT(compared, 20u);
}

TEST(OwnerResume, OverARestartByTheOffsetOfTheLog) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  const auto off = static_cast<uint64_t>(gil.last("delta")["off"].as_int());
  stage.log.reopen();
  stage.start_owner();
  auto& again = stage.join("gil/2", Role::kGm, 101, 0, proto::Resume{1, off});
  EXPECT_TRUE(again.last("welcome")["resumed"].as_bool()) << "nothing changed since";
  EXPECT_EQ(again.last("welcome")["epoch"].as_int(), 2);
  auto& older = stage.join("old", Role::kGm, 300, 0, proto::Resume{1, off - 1});
  EXPECT_FALSE(older.last("welcome")["resumed"].as_bool()) << "the deltas are gone, a view is not";
  EXPECT_EQ(older.last("welcome")["view"].type(), JsonType::kObject);
}

TEST(OwnerResume, AnOffsetFromBeyondTheLogOrALaterEpochGetsAFreshView) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ahead = stage.join("a", Role::kViewer, 1, 0, proto::Resume{1, 999});
  EXPECT_FALSE(ahead.last("welcome")["resumed"].as_bool());
  auto& later = stage.join("b", Role::kViewer, 2, 0, proto::Resume{7, 2});
  EXPECT_FALSE(later.last("welcome")["resumed"].as_bool());
}

TEST(OwnerResume, WhenTheRingIsSpentAFreshViewIsSent) {
  Stage stage;
  stage.owner_options.ring_deltas = 4;
  stage.start();
  auto& gil = stage.open_fork();
  const auto off = static_cast<uint64_t>(gil.last("delta")["off"].as_int());
  for (uint64_t i = 2; i < 12; ++i) {
    stage.send("gil", ev(i, "char.hp", R"({"char":"aria","delta":-1})"));
    stage.settle();
  }
  auto& old = stage.join("a", Role::kGm, 1, 0, proto::Resume{1, off});
  EXPECT_FALSE(old.last("welcome")["resumed"].as_bool());
  const auto head = stage.log.head().seq;
  auto& recent = stage.join("b", Role::kGm, 2, 0, proto::Resume{1, head - 2});
  EXPECT_TRUE(recent.last("welcome")["resumed"].as_bool());
}

TEST(OwnerCast, ComesAndGoesInTheViewAndIsKnownToWhoResumes) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  const auto off = static_cast<uint64_t>(gil.last("delta")["off"].as_int());
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.join("pat", Role::kPlayer, 5);
  const auto online = [](const rig::TestConnection& connection, std::string_view name) {
    std::optional<bool> out;
    for (const Json& delta : connection.of("delta")) {
      for (const Json& patch : delta["p"].items()) {
        if (patch.items()[0].as_string() != "cast") continue;
        const Json& entity = patch.items()[2];
        if (entity["name"].as_string() == name) out = entity["online"].as_bool();
      }
    }
    return out;
  };
  EXPECT_EQ(online(ann, "pat"), true);
  stage.hang_up("pat");
  stage.settle();
  EXPECT_EQ(online(ann, "pat"), false);
  auto& back = stage.join("ben", Role::kViewer, 9, 0, proto::Resume{1, off});
  ASSERT_TRUE(back.last("welcome")["resumed"].as_bool());
  EXPECT_EQ(online(back, "pat"), false);
  EXPECT_EQ(online(back, "gil"), true);
}

TEST(OwnerPresence, IsCountedByEdgeAboutOnceASecond) {
  Stage stage(2);
  stage.start();
  auto& ann = stage.join("ann", Role::kViewer, 1, 0);
  stage.join("ben", Role::kViewer, 2, 1);
  stage.join("gil", Role::kGm, 3, 1);
  stage.run_ms(1'300);
  EXPECT_EQ(ann.last("presence")["audience"].as_int(), 2);
  ASSERT_EQ(ann.last("presence")["edges"].items().size(), 2u);
  const size_t told = ann.of("presence").size();
  stage.run_ms(3'000);
  EXPECT_EQ(ann.of("presence").size(), told) << "only when it changed";
  stage.hang_up("ben");
  stage.run_ms(1'300);
  EXPECT_EQ(ann.last("presence")["audience"].as_int(), 1);
}

TEST(OwnerSlo, GoesToProducersOnlyWithWhatClientsMeasured) {
  Stage stage;
  stage.start();
  auto& gil = stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  stage.send("ann", R"({"t":"lat","m":[["vote",84],["vote",300],["rtt",3]]})");
  stage.run_ms(2'200);
  EXPECT_TRUE(gil.of("slo").empty());
  EXPECT_TRUE(ann.of("slo").empty());
  const Json slo = stage.clients["pia"].connection.last("slo");
  const Json& vote_class = slo["m"].items()[0];
  EXPECT_EQ(vote_class["class"].as_string(), "vote");
  EXPECT_EQ(vote_class["budget_ms"].as_int(), 250);
  EXPECT_EQ(vote_class["n"].as_int(), 2);
  EXPECT_EQ(vote_class["max"].as_int(), 300);
  EXPECT_FALSE(vote_class["holds"].as_bool());
  EXPECT_EQ(slo["log"]["seq"].as_int(), 4);
  EXPECT_EQ(slo["edges"].items()[0]["sessions"].as_int(), 3);
}

TEST(OwnerModeration, ABanEndsThePersonsSessionsAndKeepsThemOut) {
  Stage stage;
  stage.start();
  stage.open_fork();
  auto& ann = stage.join("ann", Role::kViewer, 1);
  const std::string who = ann.last("welcome")["me"]["who"].as_string();
  stage.send("gil", ev(2, "mod.ban", R"({"who":")" + who + "\"}"));
  stage.settle();
  EXPECT_EQ(ann.closed, Code::kBanned);
  auto& again = stage.join("ann", Role::kViewer, 2);
  EXPECT_EQ(again.closed, Code::kBanned);
  EXPECT_FALSE(again.last("bye")["reconnect"].as_bool());
}

TEST(OwnerProgram, ShowsWhatViewersMaySeeAndNoMore) {
  Stage stage;
  stage.start();
  stage.open_fork();
  stage.join("ann", Role::kViewer, 1);
  stage.send("gil", ev(2, "poll.open", R"({"poll":"hush"})"));
  stage.settle();
  stage.send("ann", vote(1, "fork", 0));
  stage.send("ann", vote(2, "hush", 1));
  stage.run_ms(300);
  const auto shown = [&] { return *Json::parse(stage.owner->program_view()); };
  EXPECT_EQ(shown()["polls"]["fork"]["state"].as_string(), "open");
  EXPECT_EQ(shown()["tallies"]["fork"]["voters"].as_int(), 1);
  EXPECT_EQ(shown()["polls"]["hush"]["state"].as_string(), "open");
  EXPECT_EQ(shown()["tallies"].find("hush"), nullptr) << "its tally is for the directors";
  EXPECT_EQ(shown()["polls"].find("timed"), nullptr) << "not open yet";
  stage.send("gil", ev(3, "poll.close", R"({"poll":"hush"})"));
  stage.run_ms(500);
  EXPECT_EQ(shown()["polls"]["hush"]["result"]["counts"].items()[1].as_int(), 1);
}

}  // namespace
}  // namespace footlight::edge
