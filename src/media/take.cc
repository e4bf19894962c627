#include "media/take.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>

namespace footlight::media {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxFiles = 10'000;

// Names of a folder that end so, sorted.
std::vector<fs::path> entries_of(const fs::path& folder, std::string_view suffix, bool folders) {
  std::vector<fs::path> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const bool fits =
        folders ? entry.is_directory(error) : entry.path().filename().string().ends_with(suffix);
    if (fits && out.size() < kMaxFiles) out.push_back(entry.path());
  }
  std::ranges::sort(out);
  return out;
}

bool holds_streams(const fs::path& folder) {
  return !entries_of(folder, sfu::kRecordSuffix, false).empty();
}

// Most clients number their encodings from the lowest quality up, OBS from the highest down: where
// the rates of two are clearly apart they tell which is the better one.
bool is_better(const TakeStream& one, const TakeStream& other) {
  const auto rate = [](const TakeStream& of) {
    return of.scan().bytes / std::max<uint64_t>(1, of.scan().seconds);
  };
  const auto clearly = [](uint64_t more, uint64_t less) { return more > less + less / 4; };
  if (clearly(rate(one), rate(other))) return true;
  if (clearly(rate(other), rate(one))) return false;
  return one.header().encoding > other.header().encoding;
}

void choose_encodings(Take& take) {
  std::map<std::pair<uint64_t, std::string>, std::vector<TakeStream*>> tracks;
  for (const auto& stream : take.streams) {
    tracks[{stream->header().session, stream->header().mid}].push_back(stream.get());
  }
  for (auto& [name, streams] : tracks) {
    uint64_t most = 0;
    for (const auto* each : streams) most = std::max(most, each->scan().seconds);
    TakeStream* best = nullptr;
    for (auto* each : streams) {
      each->skipped = true;
      const bool lasted = each->scan().seconds * 10 >= most * 9;
      if (lasted && (!best || is_better(*each, *best))) best = each;
    }
    best->skipped = false;
  }
}

// The publisher's clock is laid on the node's once for all of its streams that have reports.
void lay_on_one_clock(Take& take) {
  std::map<uint64_t, int64_t> ways;
  std::map<const TakeStream*, int64_t> own;
  for (const auto& stream : take.streams) {
    const int64_t way = own[stream.get()] = stream->shortest_way();
    if (stream->scan().reports.empty()) continue;
    const auto [at, added] = ways.try_emplace(stream->header().session, way);
    if (!added) at->second = std::min(at->second, way);
  }
  for (const auto& stream : take.streams) {
    const bool reported = !stream->scan().reports.empty();
    stream->offset_us = reported ? ways.at(stream->header().session) : own.at(stream.get());
  }
}

}  // namespace

Result<std::unique_ptr<MappedFile>> MappedFile::open(const std::string& path) {
  std::unique_ptr<MappedFile> made(new MappedFile());
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info{};
  if (descriptor < 0 || ::fstat(descriptor, &info) != 0) {
    if (descriptor >= 0) ::close(descriptor);
    return fail(Code::kIo, path + " cannot be opened");
  }
  made->size_ = static_cast<size_t>(info.st_size);
  void* data = nullptr;
  if (made->size_ > 0) {
    data = ::mmap(nullptr, made->size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
  }
  ::close(descriptor);
  if (data == MAP_FAILED) return fail(Code::kIo, path + " cannot be mapped");
  made->data_ = data;
  return made;
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(data_, size_);
}

TakeStream::TakeStream(std::string path, std::unique_ptr<MappedFile> file,
                       const sfu::RecordReader& reader)
    : path_(std::move(path)),
      file_(std::move(file)),
      reader_(reader),
      cursor_(reader),
      scan_(media::scan(reader)),
      clock_(scan_, reader.header().clock_rate),
      builder_(reader.header(), scan_.first_timestamp) {}

std::optional<Frame> TakeStream::next() {
  for (;;) {
    if (auto frame = builder_.next()) return frame;
    if (const auto item = order_.pop(finished_)) {
      builder_.push(*item);
      continue;
    }
    if (finished_) return std::nullopt;
    sfu::Record record;
    rtc::RtpView packet;
    if (!cursor_.next(record)) {
      finished_ = true;
    } else if (record.type == sfu::RecordType::kRtp && rtc::parse_rtp(record.body, packet)) {
      order_.push(packet, record.time_us);
    }
  }
}

Result<std::string> find_take(const std::string& named) {
  const fs::path path(named);
  if (holds_streams(path)) return named;
  std::vector<fs::path> folders = {path};
  if (path.extension() == ".episode") folders = {fs::path(path).replace_extension(".media")};
  folders.push_back(named + ".media");
  folders.push_back(fs::path("data") / (named + ".media"));
  for (const fs::path& folder : folders) {
    const auto takes = entries_of(folder, "", true);
    for (auto take = takes.rbegin(); take != takes.rend(); ++take) {
      if (holds_streams(*take)) return take->string();
    }
  }
  return fail(Code::kRecordEmpty, "no recording is found by " + named);
}

Result<Take> load_take(const std::string& folder) {
  Take take;
  take.folder = folder;
  for (const fs::path& path : entries_of(folder, sfu::kRecordSuffix, false)) {
    auto file = MappedFile::open(path.string());
    if (!file) {
      take.unreadable.push_back(file.error().message());
      continue;
    }
    const auto reader = sfu::RecordReader::open((*file)->bytes());
    if (!reader) {
      take.unreadable.push_back(path.filename().string() + ": " + reader.error().message());
      continue;
    }
    auto stream = std::make_unique<TakeStream>(path.string(), std::move(*file), *reader);
    if (stream->scan().packets > 0) take.streams.push_back(std::move(stream));
  }
  if (take.streams.empty()) return fail(Code::kRecordEmpty, folder);
  std::ranges::sort(take.streams, {}, [](const auto& stream) {
    return std::tuple(stream->header().session, stream->header().mid, stream->header().encoding);
  });
  choose_encodings(take);
  lay_on_one_clock(take);
  return take;
}

}  // namespace footlight::media
