#include "edge/replay.h"

#include "edge/internal/test_stage.h"

namespace footlight::edge {
namespace {

using proto::Role;
using rig::ev;
using rig::Stage;
using rig::vote;

// A whole little show: two polls, rolls, an end that reveals the seed.
void play(Stage& stage) {
  stage.owner_options.snapshot_every = 20;
  stage.start();
  stage.open_fork();
  for (int i = 0; i < 8; ++i) {
    stage.join("v" + std::to_string(i), Role::kViewer, static_cast<uint64_t>(i + 1));
  }
  for (uint32_t n = 1; n <= 3; ++n) {
    for (int i = 0; i < 8; ++i) {
      stage.send("v" + std::to_string(i), vote(n, "fork", (i + static_cast<int>(n)) % 2, n));
    }
    stage.run_ms(200);
  }
  stage.send("gil",
             ev(2, "dice.roll", R"({"expr":"4d6kh3+2","nonce":"00112233445566778899aabb"})"));
  stage.run_ms(100);
  stage.send("gil", ev(3, "poll.close", R"({"poll":"fork"})"));
  stage.run_ms(500);
  stage.send("gil", ev(4, "poll.create", R"({"poll":"new","title":"=?","options":["x","y"]})"));
  stage.send("gil", ev(5, "poll.open", R"({"poll":"new"})"));
  stage.run_ms(100);
  stage.send("v0", vote(4, "new", 1));
  stage.run_ms(100);
  stage.send("gil", ev(6, "chat.say", R"({"text":"=1+1, \"he said\""})"));
  stage.send("gil", ev(7, "poll.close", R"({"poll":"new"})"));
  stage.send("gil", ev(8, "caption.say", R"({"text":"Ring\nit.","lang":"en"})"));
  stage.run_ms(500);
  stage.send("pia", ev(2, "episode.end"));
  stage.run_ms(100);
}

VerifyReport verified(Stage& stage) {
  auto report = verify_log(stage.log);
  EXPECT_TRUE(report) << report.error().message();
  return report.value_or(VerifyReport{});
}

// Changes the first record whose payload holds `from`; the chain is made whole again.
void tamper(Stage& stage, std::string_view from, std::string_view to) {
  for (size_t i = 0; i < stage.log.size(); ++i) {
    log::Record& record = stage.log.at(i);
    std::string text(as_text(record.payload));
    const size_t at = text.find(from);
    if (at == std::string::npos) continue;
    text.replace(at, from.size(), to);
    record.payload.assign(text.begin(), text.end());
    stage.log.rechain();
    return;
  }
  FAIL() << "no record holds " << from;
}

bool says(const VerifyReport& report, std::string_view words) {
  for (const std::string& fault : report.faults) {
    if (fault.find(words) != std::string::npos) return true;
  }
  return false;
}

TEST(Verify, AnHonestLogVerifies) {
  Stage stage;
  play(stage);
  const VerifyReport report = verified(stage);
  for (const std::string& fault : report.faults) ADD_FAILURE() << fault;
  EXPECT_TRUE(report.ok);
  EXPECT_EQ(report.episode, "demo");
  EXPECT_EQ(report.polls, 2u);
  EXPECT_EQ(report.ballots, 25u);
  EXPECT_EQ(report.rolls, 1u);
  EXPECT_EQ(report.rolls_checked, 1u);
  EXPECT_TRUE(report.seed_revealed);
  EXPECT_GT(report.snapshot_seq, 0u);
  EXPECT_EQ(report.chain, stage.log.head().chain);
  EXPECT_EQ(report.state_hash, stage.owner->state().hash());
}

TEST(Verify, AChangedResultIsFoundByTheRecount) {
  Stage stage;
  play(stage);
  tamper(stage, R"("counts":[4,4])", R"("counts":[5,3])");
  const VerifyReport report = verified(stage);
  EXPECT_FALSE(report.ok);
}

TEST(Verify, AChangedWinnerIsFound) {
  Stage stage;
  play(stage);
  tamper(stage, R"("voters":1,"winner":1)", R"("voters":1,"winner":0)");
  EXPECT_FALSE(verified(stage).ok);
}

TEST(Verify, AChangedRollIsFound) {
  Stage stage;
  play(stage);
  std::string nonce = "00112233445566778899aabb";
  tamper(stage, nonce, "00112233445566778899aabc");
  const VerifyReport report = verified(stage);
  EXPECT_FALSE(report.ok);
  EXPECT_TRUE(says(report, "the roll")) << (report.faults.empty() ? "" : report.faults[0]);
}

TEST(Verify, AnotherSeedThanTheOneCommittedToIsFound) {
  Stage stage;
  play(stage);
  const std::string seed = [&] {
    for (size_t i = 0; i < stage.log.size(); ++i) {
      const auto json = Json::parse(as_text(stage.log.at(i).payload));
      if (json && (*json)["k"].as_string() == "episode.ended") {
        return (*json)["d"]["seed"].as_string();
      }
    }
    return std::string();
  }();
  ASSERT_EQ(seed.size(), 64u);
  std::string other = seed;
  other[0] = other[0] == '0' ? '1' : '0';
  tamper(stage, seed, other);
  EXPECT_TRUE(says(verified(stage), "committed to"));
}

TEST(Verify, ARewrittenPastIsFoundByTheChainValuesThatWerePublished) {
  Stage stage;
  play(stage);
  tamper(stage, R"("name":"pia")", R"("name":"joe")");  // long before the polls closed
  EXPECT_TRUE(says(verified(stage), "chain value published"));
}

TEST(Verify, AByteChangedInPlaceBreaksTheChain) {
  Stage stage;
  play(stage);
  stage.log.at(3).payload[5] ^= 1;
  const VerifyReport report = verified(stage);
  EXPECT_FALSE(report.ok);
  EXPECT_TRUE(says(report, "chain is broken"));
}

TEST(Verify, ASnapshotThatDiffersFromTheReplayIsFound) {
  Stage stage;
  play(stage);
  auto snapshot = **stage.log.load_snapshot();
  snapshot.state.back() ^= 1;
  ASSERT_TRUE(stage.log.save_snapshot(snapshot));
  EXPECT_TRUE(says(verified(stage), "snapshot differs"));
}

TEST(Verify, AnEmptyLogDoesNotVerify) {
  rig::MemoryLog log;
  auto report = verify_log(log);
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->ok);
}

TEST(Timeline, TellsTheStoryInOrderWithBallotsCounted) {
  Stage stage;
  play(stage);
  const auto lines = timeline(stage.log);
  ASSERT_TRUE(lines) << lines.error().message();
  uint64_t last = 0;
  std::string all;
  for (const StoryLine& line : *lines) {
    EXPECT_GE(line.seq, last);
    last = line.seq;
    all += line.kind + ": " + line.text + "\n";
  }
  EXPECT_NE(all.find("genesis: The Bell"), std::string::npos) << all;
  EXPECT_NE(all.find("ballots in fork"), std::string::npos) << all;
  EXPECT_NE(all.find("1 ballot in new"), std::string::npos) << all;
  EXPECT_NE(all.find("poll.closed: "), std::string::npos) << all;
  EXPECT_NE(all.find("episode.ended: "), std::string::npos) << all;
}

TEST(Export, EveryLineIsOfTheExactFormAndTheFooterBindsThem) {
  Stage stage;
  play(stage);
  std::string text;
  ASSERT_TRUE(export_jsonl(stage.log, [&](std::string_view chunk) {
    text += chunk;
    return true;
  }));
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  ASSERT_EQ(lines.size(), stage.log.size() + 2);
  EXPECT_EQ(lines[0], R"({"footlight":"export","v":1,"episode":"demo","records":)" +
                          std::to_string(stage.log.size()) + "}");
  size_t ballots = 0;
  for (size_t i = 1; i + 1 < lines.size(); ++i) {
    const auto record = Json::parse(lines[i]);
    ASSERT_TRUE(record) << lines[i];
    EXPECT_EQ((*record)["seq"].as_int(), static_cast<int64_t>(i));
    Bytes payload;
    ASSERT_TRUE(from_base64url((*record)["payload"].as_string(), payload));
    EXPECT_EQ(payload, stage.log.at(i - 1).payload);
    if ((*record)["kind"].as_string() == "ballots") {
      ballots += (*record)["data"].items().size();
      EXPECT_FALSE((*record)["data"].items()[0]["poll"].as_string().empty());
    } else {
      EXPECT_NE(lines[i].find("\"data\":" + std::string(as_text(payload)) + "}"),
                std::string::npos);
    }
  }
  EXPECT_EQ(ballots, 25u);
  const size_t footer_at = text.size() - lines.back().size() - 1;
  const auto footer = Json::parse(lines.back());
  EXPECT_EQ((*footer)["sha256"].as_string(),
            to_hex(sha256(as_bytes(std::string_view(text).substr(0, footer_at)))));
  EXPECT_EQ((*footer)["chain"].as_string(), to_hex(stage.log.head().chain));
}

TEST(Export, AFullDiskStopsIt) {
  Stage stage;
  play(stage);
  int lines = 0;
  const Status done = export_jsonl(stage.log, [&](std::string_view) { return ++lines < 4; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kIo);
  EXPECT_EQ(lines, 4);
}

std::string csv(Stage& stage, std::string_view table) {
  std::string text;
  EXPECT_TRUE(export_csv(stage.log, table, [&](std::string_view chunk) {
    text += chunk;
    return true;
  }));
  return text;
}

TEST(ExportCsv, TablesHaveARowForEachAndTextsCannotBecomeFormulas) {
  Stage stage;
  play(stage);
  const std::string ballots = csv(stage, "ballots");
  EXPECT_EQ(std::count(ballots.begin(), ballots.end(), '\n'), 26);
  const std::string polls = csv(stage, "polls");
  EXPECT_NE(polls.find(",new,1,1,votes,0 1,"), std::string::npos) << polls;
  const std::string rolls = csv(stage, "rolls");
  EXPECT_EQ(std::count(rolls.begin(), rolls.end(), '\n'), 2);
  EXPECT_NE(rolls.find("4d6kh3+2"), std::string::npos);
  const std::string events = csv(stage, "events");
  EXPECT_NE(events.find("\"{\"\"id\"\":1,\"\"text\"\":\"\"=1+1"), std::string::npos) << events;
  EXPECT_EQ(export_csv(stage.log, "nothing", [](std::string_view) { return true; }).error().code,
            Code::kUsage);
}

}  // namespace
}  // namespace footlight::edge
