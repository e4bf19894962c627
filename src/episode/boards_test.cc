#include "episode/boards.h"

#include <gtest/gtest.h>

#include "episode/definition.h"

namespace footlight::episode {
namespace {

std::string with(std::string_view boards) {
  return R"({"footlight":1,"title":"T","items":{"rope":"Rope"},"characters":{)"
         R"("aria":{"name":"Aria","fields":{"level":3}},"bo":{"name":"Bo"}},"boards":)" +
         std::string(boards) + "}";
}

std::string fault(std::string_view boards) {
  const Result<Json> json = Json::parse(with(boards));
  EXPECT_TRUE(json) << boards;
  Issues issues;
  (void)check_definition(*json, issues);
  if (issues.empty()) return "none";
  return std::to_string(static_cast<int>(issues[0].code)) + " " + issues[0].path;
}

TEST(BoardDefinitions, ABoardSaysWhoMayDoWhatWhere) {
  const auto show = parse_definition(
      with(R"({"table":{"title":"The table","kind":"map","see":["gm","player"],)"
           R"("edit":{"player":["insert","change"],"viewer":"all"},)"
           R"("rules":[{"path":"tokens/{own}/x","player":"all","gm":"none"}]},"plain":{}})"));
  ASSERT_TRUE(show) << show.error().message();
  ASSERT_EQ(show->boards.size(), 2u);
  const BoardDef& table = show->boards[0];
  EXPECT_EQ(table.kind, "map");
  EXPECT_FALSE(table.see.has(proto::Role::kViewer));
  EXPECT_TRUE(table.see.has(proto::Role::kPlayer));
  EXPECT_EQ(table.edit, (std::array<BoardVerbs, 4>{kBoardAll, kBoardInsert | kBoardChange,
                                                   kBoardAll, kBoardAll}));
  ASSERT_EQ(table.rules.size(), 1u);
  EXPECT_EQ(board_path_text(table.rules[0].path), "tokens/{own}/x");
  EXPECT_EQ(table.rules[0].may,
            (std::array<BoardVerbs, 4>{kBoardUnsaid, kBoardAll, 0, kBoardUnsaid}));
  EXPECT_EQ(show->boards[1].title, "plain");
  EXPECT_EQ(show->boards[1].edit[0], 0) << "the audience looks on";
}

TEST(BoardDefinitions, AStarMirrorsEveryCharacterThatHasTheField) {
  const auto show = parse_definition(
      with(R"({"t":{"mirror":{"tokens/*/hp":"characters/*/hp","lvl/*":"characters/*/fields/level",)"
           R"("bag/ropes":"characters/bo/items/rope/n"}}})"));
  ASSERT_TRUE(show) << show.error().message();
  std::vector<std::string> mirrors;
  for (const BoardMirror& each : show->boards[0].mirrors) {
    mirrors.push_back(board_path_text(each.path) + " " + board_path_text(each.from));
  }
  EXPECT_EQ(mirrors,
            (std::vector<std::string>{
                "tokens/aria/hp characters/aria/hp", "tokens/bo/hp characters/bo/hp",
                "lvl/aria characters/aria/fields/level", "bag/ropes characters/bo/items/rope/n"}));
}

TEST(BoardDefinitions, WithoutTheSectionThereIsATable) {
  const auto show =
      parse_definition(R"({"footlight":1,"title":"T","characters":{"aria":{"name":"Aria"}}})");
  ASSERT_TRUE(show);
  ASSERT_EQ(show->boards.size(), 1u);
  EXPECT_EQ(show->boards[0].id, "table");
  EXPECT_EQ(show->boards[0].mirrors.size(), 2u);
  EXPECT_TRUE(parse_definition(with("{}"))->boards.empty()) << "an empty section means none";
}

TEST(BoardDefinitions, EveryFaultIsTold) {
  const std::pair<const char*, const char*> kFaults[] = {
      {R"({"a b":{}})", "4711 /boards/a b"},
      {R"({"t":{"kind":"chess"}})", "4711 /boards/t/kind"},
      {R"({"t":{"see":["king"]}})", "4711 /boards/t/see/0"},
      {R"({"t":{"edit":{"player":"some"}}})", "4711 /boards/t/edit/player"},
      {R"({"t":{"edit":{"player":["all"]}}})", "4711 /boards/t/edit/player/0"},
      {R"({"t":{"edit":{"king":"all"}}})", "4711 /boards/t/edit/king"},
      {R"({"t":{"rules":[{"player":"all"}]}})", "4711 /boards/t/rules/0"},
      {R"({"t":{"rules":[{"path":"a//b","player":"all"}]}})", "4711 /boards/t/rules/0/path"},
      {R"({"t":{"rules":[{"path":"*/b","player":"all"}]}})", "4711 /boards/t/rules/0/path"},
      {R"({"t":{"mirror":{"a":"characters/aria/hp"}}})", "4711 /boards/t/mirror/a"},
      {R"({"t":{"mirror":{"a/[]":"characters/aria/hp"}}})", "4711 /boards/t/mirror/a~1[]"},
      {R"({"t":{"mirror":{"a/b":"polls/fork"}}})", "4711 /boards/t/mirror/a~1b"},
      {R"({"t":{"mirror":{"a/*":"characters/aria/hp"}}})", "4711 /boards/t/mirror/a~1*"},
      {R"({"t":{"mirror":{"a/b":"characters/zed/hp"}}})", "4712 /boards/t/mirror/a~1b"},
      {R"({"t":{"mirror":{"a/b":"characters/aria/soul"}}})", "4712 /boards/t/mirror/a~1b"},
      {R"({"t":{"mirror":{"a/b":"characters/aria/fields/none"}}})", "4712 /boards/t/mirror/a~1b"},
      {R"({"t":{"titel":"x"}})", "4711 /boards/t/titel"},
      {R"([])", "4711 /boards"},
  };
  for (const auto& [boards, expected] : kFaults) EXPECT_EQ(fault(boards), expected) << boards;
}

}  // namespace
}  // namespace footlight::episode
