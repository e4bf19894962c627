// footlight-media: what needs libavformat, in a process of its own, so that neither the node nor
// `footlight` links it. `footlight export --media` starts it.
//
//   footlight-media export RECORDING [--out FILE]
//   footlight-media list RECORDING
//   footlight-media compose --socket PATH ...    (docs/compositor.md; the node starts it)
//
// RECORDING: a recording's folder, an episode's ".media" folder, its log, or its id. Exit codes as
// of `footlight` (src/cli/commands.h).
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "media/compose.h"
#include "media/mux.h"
#include "media/take.h"

namespace footlight::media {
namespace {

constexpr int kFound = 1, kUsage = 2, kFailed = 3;

int complain(const Error& error) {
  std::fprintf(stderr, "footlight-media: %s\n", error.message().c_str());
  return kFailed;
}

double seconds(uint64_t us) { return static_cast<double>(us) / 1e6; }

// "02-Gale-screen": whose, and nothing that a shell or a file system minds.
std::string file_stem(size_t number, const sfu::RecordHeader& header) {
  std::string out = (number < 10 ? "0" : "") + std::to_string(number);
  for (const std::string& part : {header.name, header.label}) {
    if (part.empty()) continue;
    out += '-';
    for (const char c : part) {
      const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                         (c >= 'A' && c <= 'Z') || static_cast<signed char>(c) < 0;
      out += plain ? c : '_';
    }
  }
  return out;
}

int list(const Take& take) {
  std::printf("%s\n", take.folder.c_str());
  for (const auto& stream : take.streams) {
    const sfu::RecordHeader& header = stream->header();
    const StreamScan& scan = stream->scan();
    std::printf("  %-20s %-8s %-5s encoding %u/%u  %8.1f s from %8.1f s  %8llu packets%s%s\n",
                header.name.c_str(), header.label.empty() ? "camera" : header.label.c_str(),
                std::string(sfu::record_codec_name(header.codec)).c_str(), header.encoding + 1u,
                header.encodings + 0u, seconds(scan.last_us - scan.first_us),
                seconds(scan.first_us), static_cast<unsigned long long>(scan.packets),
                scan.ended ? "" : "  not ended", stream->skipped ? "" : "  exported");
  }
  for (const std::string& file : take.unreadable) std::printf("  left out: %s\n", file.c_str());
  return take.unreadable.empty() ? 0 : kFound;
}

int write_file(const std::vector<TakeStream*>& streams, const std::string& path) {
  const auto done = mux(streams, path);
  if (!done) return complain(done.error());
  uint64_t lost = 0, repaired = 0, dropped = 0;
  for (const TakeStream* stream : streams) {
    lost += stream->counts().lost;
    repaired += stream->counts().repaired;
    dropped += stream->counts().dropped;
  }
  std::printf(
      "%s: %zu tracks, %.1f s, %llu frames, %llu bytes; %llu packets lost, %llu of them made good, "
      "%llu frames left out\n",
      path.c_str(), streams.size() - done->left_out.size(),
      seconds(static_cast<uint64_t>(done->last_us - done->first_us)),
      static_cast<unsigned long long>(done->frames), static_cast<unsigned long long>(done->bytes),
      static_cast<unsigned long long>(lost), static_cast<unsigned long long>(repaired),
      static_cast<unsigned long long>(dropped));
  for (const std::string& one : done->left_out) {
    std::fprintf(stderr, "footlight-media: left out: %s\n", one.c_str());
  }
  return done->left_out.empty() ? 0 : kFound;
}

// One file for each publisher, or with `out` one file with all tracks.
int export_take(const Take& take, const std::string& out) {
  std::vector<TakeStream*> all;
  std::map<uint64_t, std::vector<TakeStream*>> by_session;
  for (const auto& stream : take.streams) {
    if (stream->skipped) continue;
    all.push_back(stream.get());
    by_session[stream->header().session].push_back(stream.get());
  }
  int worst = take.unreadable.empty() ? 0 : kFound;
  for (const std::string& file : take.unreadable) {
    std::fprintf(stderr, "footlight-media: left out: %s\n", file.c_str());
  }
  if (!out.empty()) return std::max(worst, write_file(all, out));
  size_t number = 0;
  for (const auto& [session, streams] : by_session) {
    const auto path = std::filesystem::path(take.folder) /
                      (file_stem(++number, streams.front()->header()) + fitting_suffix(streams));
    worst = std::max(worst, write_file(streams, path.string()));
  }
  return worst;
}

int run_compositor(const std::vector<std::string>& arguments) {
  const auto options = read_compose_options(arguments);
  if (!options) {
    std::fprintf(stderr, "footlight-media: %s\nusage: %s\n", options.error().message().c_str(),
                 kComposeUsage);
    return kUsage;
  }
  const auto done = compose(*options);
  return done ? 0 : complain(done.error());
}

int run(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && arguments[0] == "compose") return run_compositor(arguments);
  std::string out;
  const bool lists = arguments.size() == 2 && arguments[0] == "list";
  bool known = arguments.size() >= 2 && (lists || arguments[0] == "export");
  if (known && arguments.size() == 4 && arguments[2] == "--out") {
    out = arguments[3];
  } else if (arguments.size() != 2) {
    known = false;
  }
  if (!known) {
    std::fprintf(stderr,
                 "usage: footlight-media export RECORDING [--out FILE.webm|.mkv|.mp4]\n"
                 "       footlight-media list RECORDING\n"
                 "       %s\n",
                 kComposeUsage);
    return kUsage;
  }
  const auto folder = find_take(arguments[1]);
  if (!folder) return complain(folder.error());
  const auto take = load_take(*folder);
  if (!take) return complain(take.error());
  return lists ? list(*take) : export_take(*take, out);
}

}  // namespace
}  // namespace footlight::media

int main(int argc, char** argv) {
  return footlight::media::run(std::vector<std::string>(argv + 1, argv + argc));
}
