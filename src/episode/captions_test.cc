// Captions: who says them, when their words were spoken, how many, and what is kept.
#include <gtest/gtest.h>

#include "core/json.h"
#include "episode/internal/show_fixture.h"

namespace footlight::episode {
namespace {

using testing::Show;
constexpr auto kViewer = proto::ViewClass::kViewer;

class Captions : public ::testing::Test {
 protected:
  void SetUp() override { show.start(); }
  Result<Decision> say(const Actor& actor, std::string_view more = "") {
    return show.send(actor, "caption.say",
                     R"({"text":"Ring it.","lang":"en")" + std::string(more) + "}");
  }
  Code code(const Actor& actor, std::string_view more = "") {
    const Result<Decision> decision = say(actor, more);
    return decision ? Code::kOk : decision.error().code;
  }
  static std::string at(WallMs ms) { return R"(,"at_ms":)" + std::to_string(ms); }
  Show show;
};

TEST_F(Captions, AreSeenByAllAsOfTheirReceiptAndForAsLongAsTheyTakeToRead) {
  ASSERT_EQ(code(show.gm), Code::kOk);
  for (const auto view : {kViewer, proto::ViewClass::kPlayer, proto::ViewClass::kDirector}) {
    EXPECT_EQ(show.entity(view, "captions", "1"),
              R"({"n":1,"said_ms":1764000000000,"at_ms":1764000000000,"for_ms":1900,)"
              R"("lang":"en","text":"Ring it."})");
  }
  // Characters are counted, not bytes.
  ASSERT_EQ(show.code(show.gm, "caption.say", R"({"text":"Läutö!","lang":"de-AT"})"), Code::kOk);
  const Json second = *Json::parse(show.entity(kViewer, "captions", "2"));
  EXPECT_EQ(second["for_ms"].as_int(), 1'800);
  EXPECT_EQ(second["lang"].as_string(), "de-AT");
}

TEST_F(Captions, AreOfMomentsOfTheLastHalfMinute) {
  const WallMs now = show.now_ms;
  EXPECT_EQ(code(show.gm, at(now + 1)), Code::kCaptionTime);
  EXPECT_EQ(code(show.gm, at(now - 30'001)), Code::kCaptionTime);
  EXPECT_EQ(code(show.gm, at(-1)), Code::kCaptionTime);
  EXPECT_EQ(code(show.gm, at(now)), Code::kOk);
  EXPECT_EQ(code(show.gm, at(now - 30'000) + R"(,"for_ms":20000)"), Code::kOk);
  EXPECT_EQ(show.entity(kViewer, "captions", "2"),
            R"({"n":2,"said_ms":1764000000000,"at_ms":1763999970000,"for_ms":20000,)"
            R"("lang":"en","text":"Ring it."})");
}

TEST_F(Captions, AreForTheDirectorsAndForWhomATokenGrantsThem) {
  EXPECT_EQ(code(show.producer), Code::kOk);
  EXPECT_EQ(code(show.ann), Code::kForbidden);
  EXPECT_EQ(code(show.viewer), Code::kForbidden);
  Actor captioner = show.viewer;
  captioner.captions = true;
  EXPECT_EQ(code(captioner), Code::kOk);
  EXPECT_EQ(show.code(captioner, "poll.open", R"({"poll":"fork"})"), Code::kForbidden);
  const auto whom = R"({"who":")" + hex_u64(captioner.who) + R"(","seconds":60})";
  ASSERT_EQ(show.code(show.gm, "mod.mute", whom), Code::kOk);
  EXPECT_EQ(code(captioner), Code::kMuted);
  ASSERT_EQ(show.code(show.producer, "episode.end"), Code::kOk);
  EXPECT_EQ(code(show.producer), Code::kEpisodeEnded);
}

TEST_F(Captions, OfAnEpisodeAreTwentyInTenSecondsAndTheLastTwentyAreKept) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(code(show.gm), Code::kOk);
    show.now_ms += 100;
  }
  const Result<Decision> refused = say(show.producer);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRateEpisode);
  EXPECT_EQ(refused.error().retry_after_ms, 8'000u);
  show.now_ms += 8'000;
  EXPECT_EQ(code(show.producer), Code::kOk);
  EXPECT_EQ(show.entity(kViewer, "captions", "1"), "");
  EXPECT_NE(show.entity(kViewer, "captions", "2"), "");
  EXPECT_NE(show.entity(kViewer, "captions", "21"), "");
  EXPECT_EQ(show.replay().hash(), show.state.hash());
  const Result<State> again = State::from_snapshot(show.state.snapshot());
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->hash(), show.state.hash());
}

TEST_F(Captions, OfTheLastTwentyCanBeTakenBackOnceByWhoMaySayThem) {
  const auto take_back = [&](const Actor& actor, std::string_view n) {
    return show.code(actor, "caption.take_back", R"({"caption":")" + std::string(n) + R"("})");
  };
  EXPECT_EQ(take_back(show.gm, "1"), Code::kCaptionUnknown);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(code(show.gm), Code::kOk);
  EXPECT_EQ(take_back(show.viewer, "2"), Code::kForbidden);
  EXPECT_EQ(take_back(show.producer, "02"), Code::kCaptionUnknown);
  ASSERT_EQ(take_back(show.producer, "2"), Code::kOk);
  EXPECT_EQ(take_back(show.producer, "2"), Code::kCaptionUnknown);
  EXPECT_EQ(show.entity(kViewer, "captions", "2"),
            R"({"n":2,"said_ms":1764000000000,"at_ms":1764000000000,"for_ms":0,)"
            R"("lang":"en","text":""})");
  Actor captioner = show.viewer;
  captioner.captions = true;
  EXPECT_EQ(take_back(captioner, "3"), Code::kOk);
  ASSERT_EQ(code(show.gm), Code::kOk);
  EXPECT_NE(show.entity(kViewer, "captions", "1").find("Ring it."), std::string::npos);
  EXPECT_NE(show.entity(kViewer, "captions", "4").find("Ring it."), std::string::npos);
  EXPECT_EQ(show.replay().hash(), show.state.hash());
  const Result<State> again = State::from_snapshot(show.state.snapshot());
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->hash(), show.state.hash());
  const Event event{show.now_ms, R"({"k":"caption.taken_back","d":{"n":2}})"};
  const Status twice = apply(show.state, event, 1000, nullptr);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, Code::kLogCorrupt);
}

TEST_F(Captions, AResendIsTheSameCaption) {
  constexpr std::string_view kArgs = R"({"text":"Once.","lang":"en"})";
  ASSERT_TRUE(show.send_as(show.gm, 9, 1, "caption.say", kArgs));
  const Result<Decision> again = show.send_as(show.gm, 9, 1, "caption.say", kArgs);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(show.entity(kViewer, "captions", "2"), "");
}

TEST_F(Captions, ThatDoNotFitTheStateAreACorruptLog) {
  const auto apply_code = [&](std::string_view data) {
    const Event event{show.now_ms, R"({"k":"caption.said","d":)" + std::string(data) + "}"};
    const Status applied = apply(show.state, event, 1000, nullptr);
    return applied ? Code::kOk : applied.error().code;
  };
  EXPECT_EQ(apply_code(R"({"n":2,"lang":"en","text":"x","at_ms":5,"for_ms":900})"),
            Code::kLogCorrupt);
  EXPECT_EQ(apply_code(R"({"n":1,"lang":"en","text":"x","at_ms":-5,"for_ms":900})"),
            Code::kLogCorrupt);
  EXPECT_EQ(apply_code(R"({"n":1,"lang":"en","text":"x","at_ms":5,"for_ms":20001})"),
            Code::kLogCorrupt);
  EXPECT_EQ(apply_code(R"({"n":1,"lang":"en","text":"x","at_ms":5,"for_ms":900})"), Code::kOk);
}

}  // namespace
}  // namespace footlight::episode
