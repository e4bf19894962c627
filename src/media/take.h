// A recording as it lies in its folder: whose streams there are, which of them are exported, and
// each stream's frames in the order and at the time they are shown.
//
// Of simulcast the highest encoding is taken that lasted nearly as long as the longest: a publisher
// whose line was tight stopped the higher ones.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "media/frames.h"
#include "media/timeline.h"
#include "sfu/record_file.h"

namespace footlight::media {

// A file, mapped.
class MappedFile {
 public:
  static Result<std::unique_ptr<MappedFile>> open(const std::string& path);  // kIo
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ByteView bytes() const { return {static_cast<const uint8_t*>(data_), size_}; }

 private:
  MappedFile() = default;
  void* data_ = nullptr;
  size_t size_ = 0;
};

// One stream of a take.
class TakeStream {
 public:
  TakeStream(std::string path, std::unique_ptr<MappedFile> file, const sfu::RecordReader& reader);
  const std::string& path() const { return path_; }
  const sfu::RecordHeader& header() const { return reader_.header(); }
  const StreamScan& scan() const { return scan_; }
  const FrameCounts& counts() const { return builder_.counts(); }
  StreamClock clock() const { return {scan_, header().clock_rate}; }
  int64_t shortest_way() const { return clock().shortest_way(reader_); }
  bool skipped = false;   // another encoding of the same track is exported
  int64_t offset_us = 0;  // from clock() to the take's time

  // The frames from the first on; once.
  std::optional<Frame> next();
  int64_t time_of(const Frame& frame) const { return clock_.at(frame.timestamp) + offset_us; }

 private:
  std::string path_;
  std::unique_ptr<MappedFile> file_;
  sfu::RecordReader reader_, cursor_;
  StreamScan scan_;
  StreamClock clock_;
  ReorderBuffer order_;
  FrameBuilder builder_;
  bool finished_ = false;
};

struct Take {
  std::string folder;
  std::vector<std::unique_ptr<TakeStream>> streams;  // by session, then as they came
  std::vector<std::string> unreadable;               // files, and why
};

// The folder meant by a folder of recordings, an episode's ".media" folder (its last recording), an
// episode's log, or an episode's id (below data/). kRecordEmpty.
Result<std::string> find_take(const std::string& named);
// kRecordEmpty: no file holds a packet.
Result<Take> load_take(const std::string& folder);

}  // namespace footlight::media
