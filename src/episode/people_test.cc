// Chat, moderation, event ids, and who may do what.
#include <gtest/gtest.h>

#include <map>

#include "core/json.h"
#include "episode/internal/show_fixture.h"
#include "proto/commands.h"

namespace footlight::episode {
namespace {

using testing::Show;
constexpr auto kDirector = proto::ViewClass::kDirector;
constexpr auto kViewer = proto::ViewClass::kViewer;

class Talk : public ::testing::Test {
 protected:
  void SetUp() override { show.start(); }
  Code say(const Actor& actor, std::string_view text = "hi") {
    return show.code(actor, "chat.say", R"({"text":")" + std::string(text) + R"("})");
  }
  static std::string whom(const Actor& actor, std::string_view more = "") {
    return R"({"who":")" + hex_u64(actor.who) + R"(")" + std::string(more) + "}";
  }
  Show show;
};

TEST_F(Talk, EverybodySpeaksBeforeTheStartToo) {
  Show waiting;
  EXPECT_EQ(waiting.code(waiting.viewer, "chat.say", R"({"text":"hi"})"), Code::kOk);
  EXPECT_EQ(waiting.entity(kViewer, "chat", "1"),
            R"({"id":"1","at_ms":1764000000000,"who":"0000000000000064","name":"Vic",)"
            R"("role":"viewer","text":"hi"})");
}

TEST_F(Talk, TooLongAndEmptyMessagesAreRefused) {
  EXPECT_EQ(say(show.viewer, std::string(501, 'x')), Code::kChatTooLong);
  EXPECT_EQ(say(show.viewer, "  \\n "), Code::kFieldOutOfRange);
}

TEST_F(Talk, SlowModeTellsHowLongToWaitAndSparesTheDirectors) {
  ASSERT_EQ(show.code(show.gm, "chat.slow", R"({"seconds":10})"), Code::kOk);
  EXPECT_EQ(say(show.viewer), Code::kOk);
  show.now_ms += 4'000;
  const Result<Decision> refused = show.send(show.viewer, "chat.say", R"({"text":"again"})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kChatSlow);
  EXPECT_EQ(refused.error().retry_after_ms, 6'000u);
  EXPECT_EQ(say(show.gm), Code::kOk);
  EXPECT_EQ(say(show.gm), Code::kOk);
  show.now_ms += 6'000;
  EXPECT_EQ(say(show.viewer), Code::kOk);
}

TEST_F(Talk, TheMutedAreSilentUntilTheirTimeIsUpButMayVote) {
  ASSERT_EQ(show.code(show.gm, "mod.mute", whom(show.viewer, R"(,"seconds":60)")), Code::kOk);
  EXPECT_EQ(say(show.viewer), Code::kMuted);
  EXPECT_EQ(show.code(show.viewer, "emote", R"({"e":"heart"})"), Code::kMuted);
  (void)show.send(show.gm, "poll.open", R"({"poll":"fork"})");
  EXPECT_EQ(show.vote_code(show.viewer, "fork", 1, 1), Code::kOk);
  show.now_ms += 60'000;
  EXPECT_EQ(say(show.viewer), Code::kOk);
}

TEST_F(Talk, UnmutingAndUnbanningNeedSomebody) {
  EXPECT_EQ(show.code(show.gm, "mod.mute", whom(show.viewer, R"(,"seconds":0)")),
            Code::kPersonUnknown);
  EXPECT_EQ(show.code(show.gm, "mod.unban", whom(show.viewer)), Code::kPersonUnknown);
  EXPECT_EQ(show.code(show.gm, "mod.ban", R"({"who":"0000000000000000"})"), Code::kPersonUnknown);
  (void)show.send(show.gm, "mod.mute", whom(show.viewer, R"(,"seconds":60)"));
  EXPECT_EQ(show.code(show.gm, "mod.mute", whom(show.viewer, R"(,"seconds":0)")), Code::kOk);
  EXPECT_EQ(say(show.viewer), Code::kOk);
  EXPECT_EQ(show.entity(kDirector, "moderation", hex_u64(show.viewer.who)), "");
}

TEST_F(Talk, TheBannedDoNothingAndMayNotJoin) {
  (void)say(show.viewer);
  EXPECT_TRUE(may_join(show.state, show.viewer));
  ASSERT_EQ(show.code(show.gm, "mod.ban", whom(show.viewer)), Code::kOk);
  EXPECT_EQ(may_join(show.state, show.viewer).error().code, Code::kBanned);
  EXPECT_EQ(say(show.viewer), Code::kBanned);
  EXPECT_EQ(show.entity(kDirector, "moderation", hex_u64(show.viewer.who)),
            R"({"name":"Vic","muted_until_ms":0,"banned":true})");
  EXPECT_EQ(show.entity(kViewer, "moderation", hex_u64(show.viewer.who)), "");
  ASSERT_EQ(show.code(show.gm, "mod.unban", whom(show.viewer)), Code::kOk);
  EXPECT_EQ(say(show.viewer), Code::kOk);
}

TEST_F(Talk, NobodyModeratesThemselvesOrTheirOwnRank) {
  (void)say(show.producer);
  (void)say(show.gm);
  EXPECT_EQ(show.code(show.gm, "mod.ban", whom(show.producer)), Code::kForbidden);
  EXPECT_EQ(show.code(show.gm, "mod.ban", whom(show.gm)), Code::kForbidden);
  EXPECT_EQ(show.code(show.producer, "mod.ban", whom(show.gm)), Code::kOk);
  EXPECT_EQ(show.code(show.gm, "scene.go", R"({"scene":"crypt"})"), Code::kBanned);
}

TEST_F(Talk, AnEpisodeModeratesSoManyPeople) {
  Actor someone = show.viewer;
  for (uint64_t i = 0; i < 10'000; ++i) {
    someone.who = 1000 + i;
    ASSERT_EQ(show.code(show.gm, "mod.ban", whom(someone)), Code::kOk);
  }
  someone.who = 50'000;
  EXPECT_EQ(show.code(show.gm, "mod.ban", whom(someone)), Code::kTooMany);
  EXPECT_EQ(show.code(show.gm, "mod.mute", whom(someone, R"(,"seconds":5)")), Code::kTooMany);
  someone.who = 1000;
  EXPECT_EQ(show.code(show.gm, "mod.mute", whom(someone, R"(,"seconds":5)")), Code::kOk);
}

TEST_F(Talk, MessagesAreDeletedOnceAndTheLastHundredAreKept) {
  (void)say(show.viewer);
  EXPECT_EQ(show.code(show.gm, "chat.delete", R"({"chat":"1"})"), Code::kOk);
  EXPECT_EQ(show.entity(kViewer, "chat", "1"), "");
  EXPECT_EQ(show.code(show.gm, "chat.delete", R"({"chat":"1"})"), Code::kChatUnknown);
  EXPECT_EQ(show.code(show.gm, "chat.delete", R"({"chat":"01"})"), Code::kChatUnknown);
  for (int i = 0; i < 101; ++i) (void)say(show.viewer);
  EXPECT_EQ(show.entity(kViewer, "chat", "2"), "");
  EXPECT_NE(show.entity(kViewer, "chat", "3"), "");
}

TEST_F(Talk, EmotesAreKnownAndLeaveNoTrace) {
  const size_t before = show.records.size();
  EXPECT_EQ(show.code(show.viewer, "emote", R"({"e":"heart"})"), Code::kOk);
  EXPECT_EQ(show.code(show.viewer, "emote", R"({"e":"boo"})"), Code::kEmoteUnknown);
  EXPECT_EQ(show.records.size(), before);
  EXPECT_EQ(emotes(show.state), (std::vector<std::string>{"heart", "gasp"}));
}

TEST_F(Talk, TheServerItselfMayActAsAProducer) {
  Command command;
  command.kind = "chat.say";
  command.args = R"({"text":"Welcome"})";
  command.now_ms = show.now_ms;
  const Result<Decision> said = decide(show.state, command, show.secrets);
  ASSERT_TRUE(said) << said.error().message();
  ASSERT_TRUE(apply(show.state, said->events[0], 1000, nullptr));
  EXPECT_EQ((*Json::parse(show.entity(kViewer, "chat", "1")))["role"].as_string(), "system");
}

TEST_F(Talk, MeTellsWhatIsMine) {
  (void)show.send_as(show.ann, 7, 41, "chat.say", R"({"text":"x"})");
  (void)show.send(show.gm, "mod.mute", whom(show.ann, R"(,"seconds":5)"));
  EXPECT_EQ(encode_me(show.state, show.ann, 7),
            R"({"ballots":{},"last_i":41,"muted_until_ms":1764000005000,"chars":["aria"],)"
            R"("who":"0000000000000003"})");
  EXPECT_EQ((*Json::parse(encode_me(show.state, show.ann, 8)))["last_i"].as_int(), 0);
}

TEST_F(Talk, AResendChangesNothingAndIsAnsweredAsTheFirstTime) {
  (void)show.send_as(show.viewer, 7, 1, "chat.say", R"({"text":"x"})");
  const uint64_t log = show.records.back().log;
  const Hash256 hash = show.state.hash();
  const Result<Decision> again = show.send_as(show.viewer, 7, 1, "chat.say", R"({"text":"x"})");
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->duplicate_log, log);
  EXPECT_EQ(show.state.hash(), hash);
}

TEST_F(Talk, AResendIsAnsweredAfterABanAndAfterTheEnd) {
  (void)show.send_as(show.viewer, 7, 1, "chat.say", R"({"text":"x"})");
  (void)show.send(show.gm, "mod.ban", whom(show.viewer));
  EXPECT_TRUE(show.send_as(show.viewer, 7, 1, "chat.say", R"({"text":"x"})"));
  (void)show.send(show.producer, "episode.end");
  EXPECT_TRUE(show.send_as(show.viewer, 7, 1, "chat.say", R"({"text":"x"})"));
}

TEST_F(Talk, AnotherBodyUnderAUsedIdIsRefused) {
  (void)show.send_as(show.viewer, 7, 1, "chat.say", R"({"text":"x"})");
  const auto other = show.send_as(show.viewer, 7, 1, "chat.say", R"({"text":"y"})");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kEventIdReused);
}

TEST_F(Talk, AnIdOlderThanTheWindowIsStale) {
  for (uint64_t i = 1; i <= 65; ++i) {
    (void)show.send_as(show.viewer, 7, i, "chat.say", R"({"text":"x"})");
  }
  const auto old = show.send_as(show.viewer, 7, 1, "chat.say", R"({"text":"x"})");
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().code, Code::kEventIdStale);
}

TEST_F(Talk, ACommandThatChangesNothingIsRememberedToo) {
  const Result<Decision> first = show.send_as(show.gm, 7, 1, "chat.slow", R"({"seconds":0})");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->events.size(), 1u);
  EXPECT_TRUE(show.send_as(show.gm, 7, 1, "chat.slow", R"({"seconds":0})")->duplicate);
}

TEST_F(Talk, UnknownCommandsAndBallotsAreNoCommands) {
  EXPECT_EQ(show.code(show.gm, "make.tea"), Code::kUnknownCommand);
  EXPECT_EQ(show.code(show.viewer, "poll.vote", R"({"poll":"fork","choice":[0],"n":1})"),
            Code::kUnknownCommand);
}

// Each command by each role, on what is their own and on another's: allowed exactly where
// docs/protocol.md says so.
TEST(Rights, AreThoseOfTheTable) {
  struct Row {
    std::string_view kind;
    std::string_view args;
    std::string_view who;  // of V P G R
  };
  const Row rows[] = {
      {"chat.say", R"({"text":"x"})", "VPGR"},
      {"emote", R"({"e":"heart"})", "VPGR"},
      {"dice.roll", R"({"expr":"d6","nonce":"0123456789abcdef"})", "PGR"},
      {"dice.roll", R"({"expr":"d6","nonce":"0123456789abcdef","char":"aria"})", "PGR"},
      {"dice.roll", R"({"expr":"d6","nonce":"0123456789abcdef","char":"brom"})", "GR"},
      {"dice.roll", R"({"expr":"d6","nonce":"0123456789abcdef","secret":true})", "GR"},
      {"char.hp", R"({"char":"aria","delta":-1})", "PGR"},
      {"char.hp", R"({"char":"brom","delta":-1})", "GR"},
      {"char.item", R"({"char":"aria","item":"rope","delta":1})", "PGR"},
      {"char.item", R"({"char":"brom","item":"rope","delta":1})", "GR"},
      {"char.cond", R"({"char":"aria","cond":"down","on":true})", "PGR"},
      {"char.cond", R"({"char":"brom","cond":"down","on":true})", "GR"},
      {"char.field", R"({"char":"aria","field":"level","value":9})", "PGR"},
      {"poll.open", R"({"poll":"fork"})", "GR"},
      {"poll.close", R"({"poll":"many"})", "GR"},
      {"poll.create", R"({"poll":"x","title":"x","options":["a","b"]})", "GR"},
      {"scene.go", R"({"scene":"crypt"})", "GR"},
      {"story.choose", R"({"choice":"left"})", "GR"},
      {"timer.start", R"({"id":"t","seconds":1})", "GR"},
      {"timer.stop", R"({"id":"torch"})", "GR"},
      {"caption.say", R"({"text":"x","lang":"en"})", "GR"},
      {"caption.take_back", R"({"caption":"1"})", "GR"},
      {"chat.delete", R"({"chat":"1"})", "GR"},
      {"chat.slow", R"({"seconds":1})", "GR"},
      {"mod.mute", R"({"who":"00000000000000ff","seconds":1})", "GR"},
      {"mod.ban", R"({"who":"00000000000000ff"})", "GR"},
      {"mod.unban", R"({"who":"00000000000000fe"})", "GR"},
      {"slate", R"({"on":true})", "R"},
      {"media.mode", R"({"mode":"hls"})", "R"},
      {"episode.end", "{}", "R"},
  };
  std::map<std::string_view, int> covered;
  for (const Row& row : rows) {
    ++covered[row.kind];
    for (const char role : std::string_view("VPGR")) {
      Show show;
      show.start();
      (void)show.send(show.gm, "poll.open", R"({"poll":"many"})");
      (void)show.send(show.gm, "timer.start", R"({"id":"torch","seconds":9})");
      (void)show.send(show.viewer, "chat.say", R"({"text":"x"})");
      (void)show.send(show.gm, "caption.say", R"({"text":"x","lang":"en"})");
      (void)show.send(show.gm, "mod.ban", R"({"who":"00000000000000fe"})");
      const Hash256 before = show.state.hash();
      const Actor& actor = role == 'V'   ? show.viewer
                           : role == 'P' ? show.ann
                           : role == 'G' ? show.gm
                                         : show.producer;
      const Code code = show.code(actor, row.kind, row.args);
      const bool allowed = row.who.find(role) != std::string_view::npos;
      EXPECT_EQ(code == Code::kOk, allowed) << row.kind << " " << role << " " << row.args;
      if (allowed) continue;
      EXPECT_TRUE(code == Code::kForbidden || code == Code::kCharacterForeign);
      EXPECT_EQ(show.state.hash(), before);
    }
  }
  // Every command but the ballot (ballots_test.cc) and the start stands in the table.
  EXPECT_EQ(covered.size(), static_cast<size_t>(proto::kKindCount) - 2);
  Show show;
  for (const Actor* actor : {&show.viewer, &show.ann, &show.gm}) {
    EXPECT_EQ(show.code(*actor, "episode.start"), Code::kForbidden);
  }
  EXPECT_EQ(show.code(show.producer, "episode.start"), Code::kOk);
}

}  // namespace
}  // namespace footlight::episode
