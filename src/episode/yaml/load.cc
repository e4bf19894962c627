#include "episode/yaml/load.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <utility>

#include "episode/yaml/yaml_tree.h"

namespace footlight::episode {

struct PlaceMap::Tree {
  yaml::Value root;
};

namespace {

std::string unescape(std::string_view token) {
  std::string out;
  for (size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~' && i + 1 < token.size()) {
      out += token[++i] == '1' ? '/' : '~';
    } else {
      out += token[i];
    }
  }
  return out;
}

const yaml::Value* child(const yaml::Value& parent, const std::string& token) {
  if (parent.kind == yaml::Kind::kMap) {
    for (const yaml::Value& item : parent.items) {
      if (item.key == token) return &item;
    }
    return nullptr;
  }
  if (parent.kind != yaml::Kind::kList || token.empty() || token.size() > 7) return nullptr;
  size_t index = 0;
  for (const char c : token) {
    if (c < '0' || c > '9') return nullptr;
    index = index * 10 + static_cast<size_t>(c - '0');
  }
  return index < parent.items.size() ? &parent.items[index] : nullptr;
}

// The definition's checks of a value that YAML already complained about would say the same again.
void add_issues(const Issues& issues, const PlaceMap& places, std::vector<Problem>& problems) {
  std::set<Place> known;
  for (const Problem& problem : problems) known.insert(problem.place);
  for (const Issue& issue : issues) {
    const Place place = places.find(issue.path, issue.at_key);
    if (!known.contains(place)) problems.push_back({issue.code, place, issue.message});
  }
}

void sort_and_cut(std::vector<Problem>& problems) {
  std::stable_sort(problems.begin(), problems.end(),
                   [](const Problem& a, const Problem& b) { return a.place < b.place; });
  if (problems.size() <= YamlLimits::kProblems) return;
  const Place last = problems.back().place;
  problems.resize(YamlLimits::kProblems);
  problems.push_back({Code::kEpisodeLimit, last, "there are more problems than these 100"});
}

}  // namespace

PlaceMap::PlaceMap() = default;
PlaceMap::PlaceMap(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}

Place PlaceMap::find(std::string_view pointer, bool at_key) const {
  if (tree_ == nullptr) return {};
  const yaml::Value* value = &tree_->root;
  bool found_all = true;
  while (found_all && pointer.starts_with('/')) {
    const size_t end = std::min(pointer.find('/', 1), pointer.size());
    const yaml::Value* next = child(*value, unescape(pointer.substr(1, end - 1)));
    found_all = next != nullptr;
    if (found_all) value = next;
    pointer.remove_prefix(end);
  }
  // A map's own place is that of its first member; what is missing in it is told at its key.
  const bool map = value->kind == yaml::Kind::kMap;
  return (at_key && found_all) || (map && value->key_place.line != 0) ? value->key_place
                                                                      : value->place;
}

std::string describe(std::string_view file, const Problem& problem) {
  std::string out(file);
  if (problem.place.line > 0) {
    out += ":" + std::to_string(problem.place.line) + ":" + std::to_string(problem.place.column);
  }
  return out + ": " + problem.message;
}

LoadReport check_episode_text(std::string_view text) {
  LoadReport report;
  auto tree = std::make_shared<PlaceMap::Tree>();
  if (yaml::parse(text, tree->root, report.problems)) {
    report.episode.places = PlaceMap(tree);
    yaml::write_json(tree->root, report.episode.json);
    Issues issues;
    const Result<Json> json = Json::parse(report.episode.json);
    if (json) {
      report.episode.definition = check_definition(*json, issues);
    } else {
      issues.push_back({Code::kEpisodeField, "", json.error().message(), false});
    }
    if (report.episode.json.size() > DefinitionLimits::kBytes) {
      issues.push_back({Code::kEpisodeLimit, "", "the file is larger than 1 MiB as JSON", false});
    }
    add_issues(issues, report.episode.places, report.problems);
  }
  sort_and_cut(report.problems);
  return report;
}

Result<LoadReport> check_episode_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text;
  char buffer[65536];
  // One byte beyond the limit is enough to know.
  while (in && text.size() <= YamlLimits::kBytes) {
    in.read(buffer, sizeof buffer);
    text.append(buffer, static_cast<size_t>(in.gcount()));
  }
  if (in.bad() || (!in.eof() && text.size() <= YamlLimits::kBytes)) {
    return fail(Code::kIo, "cannot read " + path);
  }
  LoadReport report = check_episode_text(text);
  report.episode.id = report.episode.definition.id;
  if (report.episode.id.empty()) report.episode.id = episode_id_of(path);
  return report;
}

Result<LoadedEpisode> load_episode_file(const std::string& path) {
  Result<LoadReport> report = check_episode_file(path);
  if (!report) return std::unexpected(std::move(report.error()));
  if (report->problems.empty()) return std::move(report->episode);
  std::string detail;
  for (const Problem& problem : report->problems) {
    detail += (detail.empty() ? "" : "\n") + describe(path, problem);
  }
  return fail(report->problems.front().code, std::move(detail));
}

std::string episode_id_of(std::string_view path) {
  constexpr size_t kMostBytes = 64;
  const size_t slash = path.rfind('/');
  if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  path = path.substr(0, path.find('.'));
  std::string id;
  for (const char c : path.substr(0, kMostBytes)) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    id += plain ? lower : '-';
  }
  return id.empty() ? "episode" : id;
}

}  // namespace footlight::episode
