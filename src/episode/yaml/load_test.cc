#include "episode/yaml/load.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "episode/episode.h"
#include "episode/fairness.h"

namespace footlight::episode {
namespace {

constexpr std::string_view kGood = R"(footlight: 1
title: "The Bell: a show"
cast:
  ann: {name: Ann}
characters:
  aria: {name: Aria, owner: ann, hp_max: 12}
conditions: [down]
scenes:
  gate:
    title: The gate
    polls: [fork]
  crypt: {title: The crypt}
polls:
  fork:
    title: Which door?
    options: [{label: Left, to: crypt}, Wait]
rules:
  - on: hp
    when: hp.after == 0
    do: {add_condition: down}
)";

// "line:column code" of each problem.
std::vector<std::string> places_of(std::string_view text) {
  std::vector<std::string> out;
  for (const Problem& problem : check_episode_text(text).problems) {
    out.push_back(std::to_string(problem.place.line) + ":" + std::to_string(problem.place.column) +
                  " " + std::to_string(static_cast<int>(problem.code)));
  }
  return out;
}

std::string first_message(std::string_view text) {
  const LoadReport report = check_episode_text(text);
  return report.problems.empty() ? "" : describe("f", report.problems.front());
}

using Places = std::vector<std::string>;

// The good file with the first `from` replaced.
std::string with(std::string_view from, std::string_view to) {
  std::string text(kGood);
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(EpisodeYaml, AGoodFileBecomesJsonInTheFilesOrder) {
  const LoadReport report = check_episode_text(kGood);
  for (const Problem& problem : report.problems) ADD_FAILURE() << describe("f", problem);
  EXPECT_TRUE(report.episode.json.starts_with(
      R"({"footlight":1,"title":"The Bell: a show","cast":{"ann":{"name":"Ann"}},"characters":)"))
      << report.episode.json;
  EXPECT_EQ(report.episode.definition.title, "The Bell: a show");
  EXPECT_EQ(report.episode.definition.rules.size(), 1u);
  EXPECT_TRUE(parse_definition(report.episode.json).has_value());
}

TEST(EpisodeYaml, PlacesAreThoseOfTheFile) {
  const PlaceMap places = check_episode_text(kGood).episode.places;
  EXPECT_EQ(places.find("/title"), (Place{2, 8}));
  EXPECT_EQ(places.find("/title", true), (Place{2, 1}));
  EXPECT_EQ(places.find("/characters/aria/hp_max"), (Place{6, 42}));
  EXPECT_EQ(places.find("/polls/fork/options/0/to"), (Place{16, 33}));
  EXPECT_EQ(places.find("/polls/fork/options/1"), (Place{16, 41}));
  EXPECT_EQ(places.find("/rules/0/do/add_condition"), (Place{20, 25}));
  EXPECT_EQ(places.find("/scenes/gate"), (Place{9, 3})) << "a map is told at its key";
  EXPECT_EQ(places.find("/scenes/gate/nothing/there"), (Place{9, 3}));
  EXPECT_EQ(places.find("/polls/fork/options/7"), (Place{16, 14}));
  EXPECT_EQ(places.find(""), (Place{1, 1}));
}

TEST(EpisodeYaml, ColumnsCountCharactersNotBytes) {
  EXPECT_EQ(places_of(with("ann: {name: Ann}", "ann: {name: 'Žižka é', naem: x}")),
            (Places{"4:26 4711"}));
}

TEST(EpisodeYaml, SyntaxFaultsNameLineAndColumn) {
  EXPECT_EQ(places_of("title: [1, 2\nfoo: }\n"), (Places{"2:4 4710"}));
  EXPECT_EQ(places_of("a: b: c\n"), (Places{"1:5 4710"}));
  EXPECT_EQ(places_of("a:\n\t- b\n"), (Places{"2:2 4710"}));
  EXPECT_EQ(places_of("a: 'open\nb: c\n"), (Places{"3:1 4710"}));
  EXPECT_EQ(places_of("a: 1\n b: 2\n"), (Places{"2:3 4710"}));
  EXPECT_EQ(places_of("a: *nobody\n"), (Places{"1:4 4710"}));
  EXPECT_EQ(places_of("a: @x\n"), (Places{"1:4 4710"}));
  EXPECT_EQ(first_message("a: {b: Which way?, c: 1}\n"),
            "f:1:17: not YAML: put quotes around the text here");
  EXPECT_EQ(first_message("a: 'open\nb: c\n"), "f:3:1: not YAML: a quoted text is not closed");
  EXPECT_EQ(places_of(""), (Places{"1:1 4710"}));
  EXPECT_EQ(places_of("# nothing\n"), (Places{"1:1 4710"}));
  EXPECT_EQ(places_of(std::string(kGood) + "---\na: 1\n"), (Places{"22:1 4710"}));
}

TEST(EpisodeYaml, BytesThatAreNoTextAreRefusedWhereTheyStand) {
  EXPECT_EQ(places_of("a: é\xFFz\n"), (Places{"1:5 4710"}));
  EXPECT_EQ(places_of(std::string_view("a: 1\nb\0c: 2\n", 12)), (Places{"2:2 4710"}));
  EXPECT_EQ(places_of("a: \xC3"), (Places{"1:4 4710"}));
  EXPECT_EQ(places_of("\xFF\xFE"
                      "a"),
            (Places{"1:1 4710"}))
      << "UTF-16";
  EXPECT_TRUE(places_of("\xEF\xBB\xBF" + std::string(kGood)).empty())
      << "a byte order mark is fine";
  std::string windows(kGood);
  for (size_t at = 0; (at = windows.find('\n', at)) != std::string::npos; at += 2) {
    windows.replace(at, 1, "\r\n");
  }
  EXPECT_TRUE(places_of(windows).empty()) << "CRLF is fine";
}

TEST(EpisodeYaml, EveryUnknownKeyIsFoundAtItsName) {
  const std::string text = R"(footlight: 1
titel: x
title: Good
scenes:
  gate: {title: Gate, txet: hm}
polls:
  fork:
    title: T
    options: [a, {lable: b}]
    secnods: 4
rules:
- {on: start, do: {sya: hi}}
)";
  EXPECT_EQ(places_of(text),
            (Places{"2:1 4711", "5:23 4711", "9:18 4711", "9:19 4711", "10:5 4711", "12:20 4711"}));
}

TEST(EpisodeYaml, WrongTypesAndRangesAreAllFound) {
  const std::string text = R"(footlight: 2
title: [no]
cast: {ann: {role: king}}
characters:
  aria: {name: Aria, hp: much, hp_max: -1}
scenes: 7
emotes: [ok, 'not ok']
polls:
  fork: {title: T, options: [one]}
  spoon: {title: T, options: [a, b], max: 3, changeable: maybe}
)";
  EXPECT_EQ(places_of(text),
            (Places{"1:12 4711", "2:8 4711", "3:20 4711", "5:26 4711", "5:40 4711", "6:9 4711",
                    "7:14 4711", "9:29 4711", "10:43 4711", "10:58 4711"}));
}

TEST(EpisodeYaml, DanglingReferencesAreAllFound) {
  const std::string text = R"(footlight: 1
title: T
start: nowhere
characters:
  aria: {name: Aria, owner: nobody, items: {sword: 1}, conditions: [wet]}
scenes:
  gate:
    title: Gate
    choices: {on: {label: On, to: beyond}}
    polls: [ghost]
polls:
  fork: {title: T, options: [a, {label: b, to: mars}]}
rules:
  - {on: poll_closed, when: 'poll.id == "fokr"', do: {goto: hell}}
  - on: hp
    when: vars.luck > 1
    do:
      - give: {char: zed, item: pie}
      - start_timer: bomb
)";
  EXPECT_EQ(places_of(text), (Places{"3:8 4712", "5:29 4712", "5:52 4712", "5:69 4712", "9:35 4712",
                                     "10:13 4712", "12:48 4712", "14:29 4712", "14:61 4712",
                                     "16:11 4712", "18:22 4712", "18:33 4712", "19:22 4712"}));
}

TEST(EpisodeYaml, DuplicateKeysMergeKeysTagsAndFractionsAreRefused) {
  EXPECT_EQ(first_message(with("conditions: [down]", "title: Again")),
            "f:7:1: the key \"title\" stands here a second time");
  EXPECT_EQ(first_message(with("crypt: {title: The crypt}", "crypt: {title: x, <<: {text: y}}")),
            "f:12:21: merge keys (<<) are not used here; write the members out");
  EXPECT_EQ(first_message(with("hp_max: 12", "hp_max: 1.5")),
            "f:6:42: whole decimal numbers only; put quotes around it when it is a text");
  EXPECT_EQ(first_message(with("hp_max: 12", "hp_max: 99999999999999999999")),
            "f:6:42: the number is too large; put quotes around a text");
  EXPECT_EQ(first_message(with("[down]", "!set [down]")),
            "f:7:13: tags such as !x are not used here");
  EXPECT_EQ(first_message(with("title: Which door?", "title: !!binary abcd")),
            "f:15:12: tags such as !x are not used here");
  EXPECT_EQ(first_message(with("[fork]", "{? [a] : b}")),
            "f:11:15: a key must be a plain word, not a list or map");
  for (const char* number :
       {"1e3", ".5", "-1.", "0x10", "0o7", ".inf", "-.INF", ".nan", "+1.5E-3"}) {
    EXPECT_EQ(places_of(with("hp_max: 12", "hp_max: " + std::string(number))),
              (Places{"6:42 4711"}))
        << number;
  }
}

TEST(EpisodeYaml, WordsOfOldYamlStayText) {
  const std::string text = with("conditions: [down]", "conditions: [down, on, yes, NO]");
  const LoadReport report = check_episode_text(text);
  EXPECT_TRUE(report.problems.empty());
  EXPECT_EQ(report.episode.definition.conditions,
            (std::vector<std::string>{"down", "on", "yes", "NO"}));
  EXPECT_TRUE(places_of(with("title: Which door?", "title: '2024'")).empty());
  EXPECT_TRUE(places_of(with("title: Which door?", "title: !!str 2024")).empty());
  EXPECT_EQ(places_of(with("title: Which door?", "title: 2024")), (Places{"15:12 4711"}));
  EXPECT_TRUE(places_of(with("title: Which door?", "title: 1.2.3")).empty());
}

TEST(EpisodeYaml, AliasesRepeatAValueWithItsPlaces) {
  const std::string text = with("scenes:", "vars: {a: &n 3, b: *n}\nscenes:");
  EXPECT_NE(check_episode_text(text).episode.json.find(R"("vars":{"a":3,"b":3})"),
            std::string::npos);
  EXPECT_EQ(places_of(with("fork:\n",
                           "spoon: &p {title: T, options: [a, b], sec: 1}\n  knife: *p\n"
                           "  fork:\n")),
            (Places{"14:41 4711", "14:41 4711"}));
}

TEST(EpisodeYaml, AnAliasBombIsRefusedBeforeItGrows) {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c <= 'z'; ++c) {
    const std::string before(1, static_cast<char>(c - 1));
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) bomb += (i > 0 ? ", *" : "*") + before;
    bomb += "]\n";
  }
  EXPECT_EQ(places_of(bomb), (Places{"5:36 4713"}));
  EXPECT_EQ(places_of("a: &a [*a]\n").size(), 1u) << "an alias in its own value";
}

TEST(EpisodeYaml, DepthSizeAndNumberOfValuesAreBounded) {
  const auto nested = [](int depth) {
    return "a: " + std::string(static_cast<size_t>(depth), '[') +
           std::string(static_cast<size_t>(depth), ']') + "\n";
  };
  EXPECT_NE(places_of(nested(23)).front().substr(4), " 4713");
  EXPECT_EQ(places_of(nested(24)), (Places{"1:27 4713"}));
  EXPECT_EQ(places_of("a: " + std::string(900'000, '[')).size(), 1u);
  EXPECT_EQ(places_of("a: " + std::string(900'000, '{')).size(), 1u);
  EXPECT_EQ(places_of(std::string(1024 * 1024 + 1, ' ')), (Places{"0:0 4713"}));
  std::string many = "a: [";
  for (int i = 0; i < 100'001; ++i) many += "1,";
  const Places places = places_of(many + "1]\n");
  ASSERT_EQ(places.size(), 1u);
  EXPECT_TRUE(places[0].ends_with(" 4713")) << places[0];
}

TEST(EpisodeYaml, AHundredProblemsAreToldAndThatThereAreMore) {
  std::string text = std::string(kGood) + "vars:\n";
  for (int i = 0; i < 150; ++i) text += "  v" + std::to_string(i) + ": no number\n";
  const std::vector<Problem> problems = check_episode_text(text).problems;
  ASSERT_EQ(problems.size(), 101u);
  EXPECT_EQ(problems.front().place, (Place{22, 7}));
  EXPECT_EQ(problems[99].place, (Place{121, 8}));
  EXPECT_EQ(problems.back().message, "there are more problems than these 100");
}

class EpisodeFile : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::path(testing::TempDir()) /
                 ("episode_file_" + std::to_string(reinterpret_cast<uintptr_t>(this)));
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string file(const std::string& name, std::string_view text) {
    const std::string path = (directory_ / name).string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  std::filesystem::path directory_;
};

TEST_F(EpisodeFile, LoadsWithTheIdOfItsName) {
  const Result<LoadedEpisode> episode = load_episode_file(file("Bell_2.episode.yaml", kGood));
  ASSERT_TRUE(episode.has_value()) << episode.error().detail;
  EXPECT_EQ(episode->id, "bell-2");
  const Result<LoadedEpisode> named =
      load_episode_file(file("Bell_2.episode.yaml", "id: the-bell\n" + std::string(kGood)));
  ASSERT_TRUE(named.has_value()) << named.error().detail;
  EXPECT_EQ(named->id, "the-bell");
}

TEST_F(EpisodeFile, FailsWithEveryProblemOnALineOfItsOwn) {
  const std::string path = file("x.yaml", "footlight: 1\ntitle: T\nfoo: 1\nbar: 2\n");
  const Result<LoadedEpisode> episode = load_episode_file(path);
  ASSERT_FALSE(episode.has_value());
  EXPECT_EQ(episode.error().code, Code::kEpisodeField);
  EXPECT_TRUE(episode.error().detail.starts_with(path + ":3:1: ")) << episode.error().detail;
  EXPECT_NE(episode.error().detail.find("\n" + path + ":4:1: "), std::string::npos);
}

TEST_F(EpisodeFile, AFileThatCannotBeReadIsAnIoError) {
  const Result<LoadedEpisode> missing = load_episode_file((directory_ / "none.yaml").string());
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Code::kIo);
  const Result<LoadedEpisode> folder = load_episode_file(directory_.string());
  ASSERT_FALSE(folder.has_value());
  EXPECT_EQ(folder.error().code, Code::kIo);
}

TEST(EpisodeFileName, GivesTheId) {
  EXPECT_EQ(episode_id_of("examples/tabletop.episode.yaml"), "tabletop");
  EXPECT_EQ(episode_id_of("Über Nacht.yaml"), "--ber-nacht");
  EXPECT_EQ(episode_id_of(".yaml"), "episode");
  EXPECT_EQ(episode_id_of(std::string(100, 'a')), std::string(64, 'a'));
}

TEST(Examples, LoadWithoutAProblemAndMakeAGenesis) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(FOOTLIGHT_SOURCE_DIR "/examples")) {
    if (!entry.path().string().ends_with(".episode.yaml")) continue;
    ++files;
    const Result<LoadedEpisode> episode = load_episode_file(entry.path().string());
    ASSERT_TRUE(episode.has_value()) << episode.error().detail;
    const Result<Bytes> genesis = make_genesis(episode->json, episode->id, Hash256{}, 0);
    ASSERT_TRUE(genesis.has_value()) << genesis.error().message();
  }
  EXPECT_GE(files, 2);
}

// Plays an example as its producer would: start, each cue in turn, votes for one option of every
// poll that opens, and the end.
class Play {
 public:
  explicit Play(const LoadedEpisode& episode)
      : state_(*State::from_genesis(
            *make_genesis(episode.json, episode.id, seed_commitment(DiceSeed{}), now_ms_))) {
    for (const PollDef& poll : episode.definition.polls) polls_.push_back(poll.id);
  }

  void command(std::string_view kind, std::string_view args) {
    Command command;
    command.actor = &producer_;
    command.cid = 1;
    command.i = ++number_;
    command.edge_ms = command.now_ms = now_ms_ += 1000;
    command.kind = kind;
    command.args = args;
    const Result<Decision> decision = decide(state_, command, Secrets{});
    ASSERT_TRUE(decision.has_value()) << kind << args << ": " << decision.error().message();
    take(decision->events);
  }

  // Three viewers vote for `option` (or the last one there is) in every open poll; then all close.
  void decide_polls(uint32_t option) {
    for (const std::string& poll : polls_) {
      const std::string entity = encode_entity(state_, proto::ViewClass::kDirector, "polls", poll);
      const Json json = *Json::parse(entity);
      if (json["state"].as_string() != "open") continue;
      const auto options = static_cast<uint32_t>(json["options"].items().size());
      for (uint64_t who = 1; who <= 3; ++who) vote(poll, who, std::min(option, options - 1));
      command("poll.close", R"({"poll":")" + poll + "\"}");
      now_ms_ += 1000;
      take(decide_time(state_, now_ms_, now_ms_, Secrets{}));
    }
  }

  std::string scene() const {
    const std::string entity =
        encode_entity(state_, proto::ViewClass::kDirector, "episode", "state");
    return Json::parse(entity).value()["scene"].as_string();
  }
  const State& state() const { return state_; }

 private:
  void take(const std::vector<Event>& events) {
    for (const Event& event : events) {
      const Status applied = apply(state_, event, ++log_, nullptr);
      ASSERT_TRUE(applied.has_value()) << event.json;
    }
  }
  void vote(const std::string& poll, uint64_t who, uint32_t option) {
    Ballot ballot;
    ballot.who = who;
    ballot.cid = who;
    ballot.i = ++number_;
    ballot.poll = static_cast<uint32_t>(poll_index(state_, poll));
    ballot.choice_mask = 1U << option;
    ballot.n = 1;
    ballot.edge_ms = now_ms_;
    if (decide_ballot(state_, ballot, proto::Role::kViewer)) apply_ballot(state_, ballot, ++log_);
  }

  WallMs now_ms_ = 1'764'000'000'000;
  State state_;
  Actor producer_{1, proto::Role::kProducer, "Producer", {}};
  uint64_t number_ = 0;
  uint64_t log_ = 1;
  std::vector<std::string> polls_;
};

std::string play(const char* file, uint32_t option) {
  const Result<LoadedEpisode> episode =
      load_episode_file(std::string(FOOTLIGHT_SOURCE_DIR "/examples/") + file);
  if (!episode) {
    ADD_FAILURE() << episode.error().detail;
    return "";
  }
  Play show(*episode);
  show.command("episode.start", "{}");
  for (const CueDef& cue : episode->definition.cues) {
    show.command(cue.kind, cue.args);
    if (testing::Test::HasFatalFailure()) return "";
    show.decide_polls(option);
  }
  const std::string scene = show.scene();
  show.command("episode.end", "{}");
  EXPECT_TRUE(has_ended(show.state()));
  return scene;
}

TEST(Examples, TheTabletopSessionPlaysToEveryEnding) {
  EXPECT_EQ(play("tabletop.episode.yaml", 0), "silence");
  EXPECT_EQ(play("tabletop.episode.yaml", 1), "drowned");
  EXPECT_EQ(play("tabletop.episode.yaml", 2), "bargain");
}

TEST(Examples, TheDramaIsMovedByItsPollsAlone) {
  EXPECT_EQ(play("drama.episode.yaml", 0), "end-both");
  EXPECT_EQ(play("drama.episode.yaml", 1), "end-nora");
  EXPECT_EQ(play("drama.episode.yaml", 2), "end-elin");
  EXPECT_EQ(play("drama.episode.yaml", 3), "end-storm");
  EXPECT_EQ(play("drama.episode.yaml", 4), "end-missed");
}

}  // namespace
}  // namespace footlight::episode
