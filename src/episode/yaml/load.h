// From an episode file (YAML) to the definition's JSON, with the place of every value, so that each
// fault is told as file:line:column. All faults that can be found are, not just the first.
//
// A file is someone else's bytes: size, depth, number of values and alias expansion are bounded,
// and no exception of yaml-cpp leaves this folder. What YAML may hold:
// docs/formats/episode-file.md, "YAML". Any thread.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "episode/definition.h"
#include "episode/issue.h"

namespace footlight::episode {

struct YamlLimits {
  static constexpr size_t kBytes = 1024 * 1024;
  static constexpr int kDepth = 24;           // maps and lists in each other
  static constexpr size_t kValues = 100'000;  // after aliases are expanded
  static constexpr size_t kProblems = 100;    // reported; then one more says that there are others
};

// Line and column count from 1, the column in characters (Unicode code points). 0: not known.
struct Place {
  uint32_t line = 0;
  uint32_t column = 0;
  auto operator<=>(const Place&) const = default;
};

struct Problem {
  Code code =
      Code::kEpisodeField;  // kEpisodeSyntax, kEpisodeField, kEpisodeReference, kEpisodeLimit
  Place place;
  std::string message;  // `unknown key "titel"`
};

// "show.episode.yaml:3:5: unknown key \"titel\""; without the place where it is not known.
std::string describe(std::string_view file, const Problem& problem);

// The place of each value of a loaded file.
class PlaceMap {
 public:
  struct Tree;
  PlaceMap();
  explicit PlaceMap(std::shared_ptr<const Tree> tree);
  // Of the value at a JSON Pointer, or of its key. Where the pointer leads beyond what the file
  // holds: the deepest value on the way.
  Place find(std::string_view pointer, bool at_key = false) const;

 private:
  std::shared_ptr<const Tree> tree_;
};

struct LoadedEpisode {
  std::string id;         // the file's `id`, else of its name: "bell" for shows/bell.episode.yaml
  std::string json;       // for make_genesis; members in the file's order
  Definition definition;  // usable when there are no problems
  PlaceMap places;
};

struct LoadReport {
  LoadedEpisode episode;
  std::vector<Problem> problems;  // by place
};

// Never fails: the problems say what is wrong. `episode.id` stays empty.
LoadReport check_episode_text(std::string_view text);
// kIo when the file cannot be read.
Result<LoadReport> check_episode_file(const std::string& path);

// All or nothing: fails with the code of the first problem; detail holds one line per problem, each
// as describe() writes it. kIo as above.
Result<LoadedEpisode> load_episode_file(const std::string& path);

// The episode's id by the file's name: what stands before the first dot, in lower case, anything
// but [a-z0-9] becoming "-"; at most 64 bytes; "episode" when nothing is left.
std::string episode_id_of(std::string_view path);

}  // namespace footlight::episode
