#include "edge/http_program_folder.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>

#include "edge/http_program_files.h"
#include "hls/address.h"

namespace footlight::edge {
namespace {

namespace fs = std::filesystem;

// The names in a folder; none where it cannot be read.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> out;
  std::error_code error;
  if (fs::symlink_status(folder, error).type() != fs::file_type::directory) return out;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    out.push_back(at->path().filename());
  }
  return out;
}

// A file that a push wrote, or was writing; of recordings those that `remove` never pushes.
bool is_pushed(std::string_view name) {
  constexpr std::string_view kHalf = ".part";
  if (name.ends_with(kHalf)) name.remove_suffix(kHalf.size());
  const auto what = hls::parse_request(name, "");
  return what && !what->epoch.empty();
}

}  // namespace

Status carry_to_folder(const std::string& episode_folder, const hls::PushJob& job) {
  const std::string path = episode_folder + "/" + job.name;
  if (!job.remove) return write_file(path, job.body);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return std::unexpected(file_error(errno, path));
  }
  // An epoch that goes on has its initialization segments, so that its folders are never empty.
  for (size_t slash = job.name.rfind('/'); slash != std::string::npos && slash > 0;
       slash = job.name.rfind('/', slash - 1)) {
    if (::rmdir((episode_folder + "/" + job.name.substr(0, slash)).c_str()) != 0) break;
  }
  return {};
}

std::vector<std::string> leftovers(const std::string& episode_folder) {
  const fs::path root(episode_folder);
  std::vector<std::string> out;
  for (const std::string& epoch : names_in(root)) {
    std::vector<std::string> of_epoch;
    bool recorded = false;
    const auto add = [&](const std::string& name) {
      recorded = recorded || name.ends_with("/vod.m3u8");
      std::error_code error;
      const bool file = fs::symlink_status(root / name, error).type() == fs::file_type::regular;
      if (file && is_pushed(name)) of_epoch.push_back(name);
    };
    for (const std::string& name : names_in(root / epoch)) {
      const std::string below = epoch + "/" + name;
      add(below);
      for (const std::string& file : names_in(root / below)) add(below + "/" + file);
    }
    if (recorded) continue;
    if (out.size() + of_epoch.size() > kMostLeftovers) {
      of_epoch.resize(kMostLeftovers - out.size());
    }
    out.insert(out.end(), of_epoch.begin(), of_epoch.end());
  }
  return out;
}

}  // namespace footlight::edge
