// The golden vectors (commands.json) judge arguments; these tests are about the table itself.
#include "proto/commands.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace footlight::proto {
namespace {

TEST(Commands, NamesReadBackAsTheSameKind) {
  for (int i = 0; i < kKindCount; ++i) {
    const auto kind = static_cast<Kind>(i);
    EXPECT_EQ(parse_kind(kind_name(kind)), kind);
  }
  EXPECT_EQ(parse_kind("warp"), Kind::kUnknown);
  EXPECT_EQ(kind_name(Kind::kUnknown), "");
}

TEST(Commands, EveryCommandAndArgumentIsInTheProtocolDocument) {
  std::ifstream in(std::string(FOOTLIGHT_SOURCE_DIR) + "/docs/protocol.md");
  std::stringstream text;
  text << in.rdbuf();
  std::string document = text.str();
  document.erase(0, document.find("| k | a | who |"));  // the table of commands
  for (int i = 0; i < kKindCount; ++i) {
    const CommandSpec& spec = command_spec(static_cast<Kind>(i));
    const size_t row = document.find("`" + std::string(spec.name) + "`");
    ASSERT_NE(row, std::string::npos) << spec.name;
    const std::string line = document.substr(row, document.find('\n', row) - row);
    for (const ArgSpec& arg : spec.args) {
      EXPECT_NE(line.find("`" + std::string(arg.name) + "`"), std::string::npos)
          << spec.name << " " << arg.name;
    }
  }
}

TEST(Commands, TheProducerMayDoAllAndTheGmAllButTheProducersOwn) {
  for (int i = 0; i < kKindCount; ++i) {
    const auto kind = static_cast<Kind>(i);
    EXPECT_TRUE(may_send(Role::kProducer, kind)) << kind_name(kind);
    const bool own = kind == Kind::kSlate || kind == Kind::kMediaMode ||
                     kind == Kind::kEpisodeStart || kind == Kind::kEpisodeEnd;
    EXPECT_EQ(may_send(Role::kGm, kind), !own) << kind_name(kind);
  }
  EXPECT_FALSE(may_send(Role::kProducer, Kind::kUnknown));
}

TEST(Commands, ATokenThatGrantsCaptionsGrantsNothingElse) {
  for (int i = 0; i < kKindCount; ++i) {
    const auto kind = static_cast<Kind>(i);
    const bool more = kind == Kind::kCaptionSay || kind == Kind::kCaptionTakeBack;
    EXPECT_EQ(may_send({Role::kViewer, true}, kind), may_send(Role::kViewer, kind) || more);
  }
}

TEST(Commands, OnlyEmotesAreLossy) {
  for (int i = 0; i < kKindCount; ++i) {
    const auto kind = static_cast<Kind>(i);
    EXPECT_EQ(command_spec(kind).lossy, kind == Kind::kEmote);
  }
}

TEST(Commands, AVoteWrittenReadsBack) {
  std::string storage;
  for (const Vote& vote : {Vote{"fork", 0, 1, {}}, Vote{"a\"b", 0xFFFFFFFF, 4'294'967'295u, 7},
                           Vote{"é", 0x80000001, 3, 0}}) {
    std::string args;
    append_vote_args(args, vote);
    Vote back;
    ASSERT_TRUE(parse_vote(args, back, storage).ok()) << args;
    EXPECT_EQ(back.poll, vote.poll);
    EXPECT_EQ(back.choice_mask, vote.choice_mask);
    EXPECT_EQ(back.n, vote.n);
    EXPECT_EQ(back.voter, vote.voter);
  }
}

TEST(Commands, AFaultNamesItsField) {
  const Status bad = validate_args(Kind::kCharHp, Role::kGm, R"({"char":"aria","set":1.5})");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Code::kMissingField);
  EXPECT_EQ(bad.error().detail, "set: has the wrong type");
  EXPECT_TRUE(validate_args(Kind::kCharHp, Role::kGm, R"({"char":"aria","set":1})"));
}

// parse_vote (the fast path) and check_command (the table) must judge alike.
TEST(Commands, BothWaysToReadAVoteAgree) {
  const char* const cases[] = {
      R"({"poll":"f","choice":[0],"n":1})",
      R"({"poll":"f","choice":[],"n":1})",
      R"({"poll":"f","choice":[0,0],"n":1})",
      R"({"poll":"f","choice":[40],"n":1})",
      R"({"poll":"f","choice":[0],"n":0})",
      R"({"poll":"f","choice":[0],"n":4294967296})",
      R"({"poll":"","choice":[0],"n":1})",
      R"({"choice":[0],"n":1})",
      R"({"poll":"f","n":1})",
      R"({"poll":"f","choice":[0]})",
      R"({"poll":1,"choice":[0],"n":1})",
      R"({"poll":"f","choice":{},"n":1})",
      R"({"poll":"f","choice":[0],"n":1,"voter":"0123456789abcdef"})",
      R"({"poll":"f","choice":[0],"n":1,"voter":"0123"})",
      R"({"poll":"f","choice":[0],"n":1,"voter":5})",
      R"({"poll":"f","choice":[0],"n":1,"x":[[]]})",
      R"({"poll":"f","choice":[0],"n":1)",
      R"([])",
      R"({"poll":"f","choice":[0],"n":1}x)",
  };
  for (const char* args : cases) {
    Vote vote;
    std::string storage;
    EXPECT_EQ(parse_vote(args, vote, storage).code,
              check_command(Kind::kPollVote, Role::kViewer, args).code)
        << args;
  }
}

}  // namespace
}  // namespace footlight::proto
