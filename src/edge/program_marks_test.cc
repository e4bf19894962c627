#include "edge/program_marks.h"

#include <gtest/gtest.h>

namespace footlight::edge {
namespace {

struct Log {
  ProgramMarks marks;
  uint64_t seq = 0;
  void add(std::string_view payload, WallMs at_ms = 0,
           log::RecordKind kind = log::RecordKind::kEvent) {
    log::StoredRecord record;
    record.seq = ++seq;
    record.kind = kind;
    record.at_ms = at_ms;
    record.payload = as_bytes(payload);
    marks.take(record);
  }
  void genesis() {
    add(R"({"v":1,"episode":"demo","definition":{"title":"The Bell","scenes":{"gate":{"title":"The gate"}},)"
        R"("characters":{"aria":{"name":"Aria"}},"polls":{"fork":{"title":"Which?","options":["L","R"]}}}})",
        0, log::RecordKind::kGenesis);
  }
};

TEST(ProgramMarksTest, PollsTheirResultsScenesAndDiceStandThereByTime) {
  Log log;
  log.genesis();
  log.add(R"({"k":"episode.started","d":{}})", 1'000);
  log.add(R"({"k":"scene.entered","d":{"scene":"gate","how":"start"}})", 1'001);
  log.add(R"({"k":"poll.opened","d":{"poll":"fork","deadline_ms":0}})", 2'000);
  log.add("ballots", 2'500, log::RecordKind::kBallots);
  log.add(
      R"({"k":"poll.closed","d":{"poll":"fork","counts":[3,5],"voters":8,"winner":1,"why":"votes"}})",
      3'000);
  log.add(
      R"({"k":"dice.rolled","name":"Ann","d":{"n":1,"char":"aria","expr":"2d6","secret":false,"dice":)"
      R"([{"sides":6,"value":1,"kept":false},{"sides":6,"value":4,"kept":true}],"total":4,"crit":"hit"}})",
      4'000);
  log.add(R"({"k":"chat.said","d":{"id":1,"text":"hi"}})", 4'500);
  log.add(R"({"k":"episode.ended","d":{}})", 5'000);
  EXPECT_EQ(log.marks.seq(), 9u);
  EXPECT_EQ(
      log.marks.json(),
      R"({"v":1,"episode":"demo","title":"The Bell","marks":[{"at_ms":1000,"kind":"start"},)"
      R"({"at_ms":1001,"kind":"scene","scene":"gate","title":"The gate","how":"start"},)"
      R"({"at_ms":2000,"kind":"poll","poll":"fork","title":"Which?","options":["L","R"]},)"
      R"({"at_ms":3000,"kind":"result","poll":"fork","title":"Which?","options":["L","R"],"counts":[3,5],"voters":8,"winner":1},)"
      R"({"at_ms":4000,"kind":"dice","n":1,"who":"Aria","expr":"2d6","faces":"(1) 4","total":4,"crit":"hit"},)"
      R"({"at_ms":5000,"kind":"end"}]})");
}

TEST(ProgramMarksTest, CaptionsStandByTheMomentTheirWordsWereSpoken) {
  Log log;
  log.genesis();
  log.add(
      R"({"k":"caption.said","name":"Gale","d":{"n":1,"lang":"en","text":"Two\nlines","at_ms":2000,"for_ms":1900}})",
      4'000);
  log.add(
      R"({"k":"caption.said","d":{"n":2,"lang":"de","text":"Eher","at_ms":1500,"for_ms":1700}})",
      4'500);
  EXPECT_EQ(log.marks.json(),
            R"({"v":1,"episode":"demo","title":"The Bell","marks":[],"captions":[)"
            R"({"n":2,"at_ms":1500,"for_ms":1700,"lang":"de","text":"Eher"},)"
            R"({"n":1,"at_ms":2000,"for_ms":1900,"lang":"en","text":"Two\nlines"}]})");
}

TEST(ProgramMarksTest, ACaptionThatWasTakenBackIsNotTold) {
  Log log;
  log.genesis();
  for (const char* n : {"1", "2", "3"}) {
    log.add(R"({"k":"caption.said","d":{"n":)" + std::string(n) +
            R"(,"lang":"en","text":"Hi","at_ms":7,"for_ms":500}})");
  }
  log.add(R"({"k":"caption.taken_back","d":{"n":2}})");
  log.add(R"({"k":"caption.taken_back","d":{"n":9}})");
  const auto json = Json::parse(log.marks.json());
  ASSERT_TRUE(json);
  const auto& left = (*json)["captions"].items();
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0]["n"].as_int() + left[1]["n"].as_int(), 4);
}

TEST(ProgramMarksTest, CaptionsAreBounded) {
  Log log;
  for (size_t i = 0; i < ProgramMarks::kMostCaptions + 10; ++i) {
    log.add(R"({"k":"caption.said","d":{"n":1,"lang":"en","text":"","at_ms":7,"for_ms":500}})");
  }
  const auto json = Json::parse(log.marks.json());
  ASSERT_TRUE(json);
  EXPECT_EQ((*json)["captions"].items().size(), ProgramMarks::kMostCaptions);
}

TEST(ProgramMarksTest, ASecretRollIsNotTold) {
  Log log;
  log.genesis();
  log.add(
      R"({"k":"dice.rolled","name":"Gale","d":{"n":1,"expr":"1d20","secret":true,"dice":[],"total":7}})");
  EXPECT_EQ(log.marks.json().find("dice"), std::string::npos);
}

TEST(ProgramMarksTest, APollMadeOnTheWayHasItsTitleAndWhatCannotBeReadIsPassedOver) {
  Log log;
  log.genesis();
  log.add(R"({"k":"poll.created","d":{"poll":"x","title":"New?","options":["a","b"]}})");
  log.add("{");
  log.add(R"({"k":"poll.opened","d":{"poll":"x"}})", 7);
  EXPECT_NE(log.marks.json().find(R"("title":"New?","options":["a","b"])"), std::string::npos);
}

TEST(ProgramMarksTest, HoweverManyDiceAreRolledTheOthersHaveTheirPlace) {
  Log log;
  log.genesis();
  for (int i = 0; i < 12'000; ++i) {
    log.add(R"({"k":"dice.rolled","name":"G","d":{"n":1,"expr":"d6","dice":[],"total":3}})");
  }
  log.add(R"({"k":"episode.ended","d":{}})", 9);
  EXPECT_NE(log.marks.json().find(R"({"at_ms":9,"kind":"end"})"), std::string::npos);
  EXPECT_LT(log.marks.json().size(), 2'000'000u);
}

}  // namespace
}  // namespace footlight::edge
