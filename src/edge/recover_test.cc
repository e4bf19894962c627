#include "edge/internal/test_stage.h"

namespace footlight::edge {
namespace {

using rig::MemoryLog;
using rig::Stage;

RecoverOptions options(rig::TestEntropy& entropy) {
  RecoverOptions out;
  out.episode = rig::kEpisode;
  out.definition = rig::kDefinition;
  out.entropy = &entropy;
  out.now_ms = 1'764'000'000'000;
  return out;
}

TEST(Recover, ANewLogGetsItsSecretsThenItsGenesis) {
  MemoryLog log;
  rig::TestEntropy entropy;
  const auto recovered = recover(log, options(entropy));
  ASSERT_TRUE(recovered) << recovered.error().message();
  EXPECT_TRUE(recovered->created);
  EXPECT_EQ(recovered->head.seq, 1u);
  EXPECT_EQ(recovered->view_seq, 1u);
  const auto genesis = Json::parse(as_text(log.at(0).payload));
  EXPECT_EQ((*genesis)["seed_commit"].as_string(), to_hex(sha256(recovered->secrets.dice_seed)));
  EXPECT_NE(recovered->secrets.dice_seed, recovered->voter_key);
}

TEST(Recover, ACrashBetweenSecretsAndGenesisKeepsTheSecrets) {
  MemoryLog log;
  rig::TestEntropy entropy;
  const Bytes seed(32, 9);
  ASSERT_TRUE(log.put_secret("dice_seed", seed));
  const auto recovered = recover(log, options(entropy));
  ASSERT_TRUE(recovered);
  EXPECT_EQ(Bytes(recovered->secrets.dice_seed.begin(), recovered->secrets.dice_seed.end()), seed);
}

TEST(Recover, TheSecondTimeGivesTheSameSecretsAndState) {
  MemoryLog log;
  rig::TestEntropy entropy;
  const auto first = recover(log, options(entropy));
  log.reopen();
  const auto second = recover(log, options(entropy));
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->created);
  EXPECT_EQ(second->epoch, 2u);
  EXPECT_EQ(second->head.seq, 2u);
  EXPECT_EQ(second->view_seq, 1u) << "the epoch record is no change of the view";
  EXPECT_EQ(second->voter_key, first->voter_key);
  EXPECT_EQ(second->state.hash(), first->state.hash());
}

TEST(Recover, TheLogOfAnotherEpisodeIsRefused) {
  MemoryLog log;
  rig::TestEntropy entropy;
  ASSERT_TRUE(recover(log, options(entropy)));
  auto other = options(entropy);
  other.episode = "other";
  const auto recovered = recover(log, other);
  ASSERT_FALSE(recovered);
  EXPECT_EQ(recovered.error().code, Code::kLogFormat);
}

TEST(Recover, ASnapshotOfAnotherEpisodesLogIsRefusedToo) {
  Stage stage;
  stage.owner_options.snapshot_every = 1;
  stage.start();
  stage.open_fork();
  auto other = options(stage.entropy);
  other.episode = "other";
  const auto recovered = recover(stage.log, other);
  ASSERT_FALSE(recovered);
  EXPECT_EQ(recovered.error().code, Code::kLogFormat);
}

TEST(Recover, WithoutItsSecretALogWithRecordsIsRefused) {
  MemoryLog log;
  rig::TestEntropy entropy;
  log::Record record{log::RecordKind::kGenesis, 0, Bytes{'{', '}'}};
  ASSERT_TRUE(log.append(std::span(&record, 1)));
  const auto recovered = recover(log, options(entropy));
  ASSERT_FALSE(recovered);
  EXPECT_EQ(recovered.error().code, Code::kLogCorrupt);
}

TEST(Recover, AnEventThatDoesNotFitIsNamedByItsRecord) {
  Stage stage;
  stage.start();
  stage.open_fork();
  log::Record& record = stage.log.at(1);
  const std::string bad = R"({"k":"cue.done","d":{"n":99}})";
  record.payload.assign(bad.begin(), bad.end());
  stage.log.rechain();
  const auto recovered = recover(stage.log, options(stage.entropy));
  ASSERT_FALSE(recovered);
  EXPECT_EQ(recovered.error().code, Code::kLogCorrupt);
  EXPECT_NE(recovered.error().detail.find("record 2"), std::string::npos)
      << recovered.error().detail;
}

TEST(Recover, ADamagedSnapshotCostsTimeNotTheEpisode) {
  Stage stage;
  stage.owner_options.snapshot_every = 1;
  stage.start();
  stage.open_fork();
  const Hash256 live = stage.owner->state().hash();
  ASSERT_TRUE(stage.log.save_snapshot({3, Bytes{1, 2, 3}}));
  const auto recovered = recover(stage.log, options(stage.entropy));
  ASSERT_TRUE(recovered) << recovered.error().message();
  EXPECT_EQ(recovered->snapshot_seq, 0u);
  EXPECT_EQ(recovered->state.hash(), live);
}

TEST(Recover, ABadDefinitionMakesNoLog) {
  MemoryLog log;
  rig::TestEntropy entropy;
  auto bad = options(entropy);
  bad.definition = R"({"footlight":1,"title":""})";
  const auto recovered = recover(log, bad);
  ASSERT_FALSE(recovered);
  EXPECT_EQ(log.size(), 0u);
}

}  // namespace
}  // namespace footlight::edge
