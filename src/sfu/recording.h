// Recording of a room: each encoding of each track into a file of its own (record_file.h), as it
// came. Of simulcast every encoding is kept: a publisher whose line gets tight stops the higher
// ones first, and a recording of the highest alone would have its gaps just then.
//
// The media's thread never waits for a disk. It copies packets into chunks of memory; a full chunk,
// or one that is a second old, goes to the disk's thread and comes back empty. Chunks are bounded:
// when the disk is too slow they run out, packets are left out of the recording and counted, and
// the call knows nothing of it. A disk that fails ends the recording and nothing else.
//
// Nothing is allocated while packets flow. One thread, but for what RecordDisk does behind itself.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "rtc/rtcp.h"
#include "sfu/record_file.h"
#include "sfu/track.h"

namespace footlight::sfu {

struct RecordChunk {
  static constexpr size_t kBytes = 32 * 1024;
  uint64_t file = 0;
  bool last = false;  // the file is closed after it
  size_t used = 0;
  MonoUs begun_at = 0;
  std::array<uint8_t, kBytes> bytes;
};

// Where recordings go. Calls return at once.
class RecordDisk {
 public:
  virtual ~RecordDisk() = default;
  // A new file; folders are made. What fails is told with the file's first chunk.
  virtual void open(uint64_t file, std::string path) = 0;
  // Appends. The chunk comes back by RecordPool::written, never inline, in the order of writing.
  virtual void write(RecordChunk* chunk) = 0;
};

struct RecordLimits {
  uint64_t bytes = uint64_t{256} << 30;  // of one recording; at them it ends (kRecordLimit)
  size_t files = 2048;                   // of one recording; more tracks are not recorded
  size_t chunks = 1024;                  // 32 KB each, of all recordings, taken as they are needed
};

class Recording;

// The chunks of all recordings, and the way back of those that were written.
class RecordPool {
 public:
  RecordPool(RecordDisk& disk, const RecordLimits& limits);
  RecordDisk& disk() { return disk_; }
  const RecordLimits& limits() const { return limits_; }
  RecordChunk* take();  // nullptr: all are on their way
  // The end of a file finds room always, one chunk each.
  RecordChunk* take_for_end();
  void give_back(RecordChunk* chunk) { free_.push_back(chunk); }
  // The disk is done with a chunk. Its recording, if there still is one, learns how it went.
  void written(RecordChunk* chunk, const Status& status);

 private:
  friend class Recording;
  RecordDisk& disk_;
  RecordLimits limits_;
  std::vector<std::unique_ptr<RecordChunk>> chunks_;
  std::vector<RecordChunk*> free_;
  std::vector<Recording*> recordings_;
  uint64_t next_file_ = 1;
};

struct RecordStats {
  uint64_t files = 0, packets = 0;
  uint64_t bytes = 0;          // handed to the disk, and what waits in chunks
  uint64_t written_bytes = 0;  // that the disk took
  uint64_t dropped = 0;        // packets left out: the disk is too slow
  uint64_t left_out = 0;       // encodings beyond RecordLimits::files
};

// One encoding of a track while it is recorded.
class RecordStream {
 public:
  // Pictures get a key frame at least so often, so that one can begin to play anywhere.
  static constexpr MonoUs kKeyFrameUs = 10 * kUsPerSecond;

  RecordStream(Recording& recording, uint64_t file, const RecordHeader& header, MonoUs now);
  void on_rtp(const Packet& packet, MonoUs now);
  void on_report(const rtc::SenderInfo& info, MonoUs now);
  // Whether it is time for one; asks once per second until one came.
  bool wants_key_frame(MonoUs now);

 private:
  friend class Recording;
  bool begun(MonoUs now);
  // Where the next record of at most `bytes` goes; nullptr: there is no chunk.
  RecordChunk* room_for(size_t bytes, MonoUs now);
  void wrote(size_t bytes);
  void send_off();
  void note_index(uint64_t time_us);
  bool write_index(MonoUs now);
  void end(Code why, MonoUs now);

  Recording& recording_;
  uint64_t file_ = 0;
  std::string preamble_;
  bool audio_ = true;
  RecordChunk* chunk_ = nullptr;
  uint64_t offset_ = 0;  // of the next record in the file
  std::array<RecordIndexEntry, kIndexBlock> index_;
  size_t indexed_ = 0;
  uint64_t index_at_ = 0;     // of the last index record
  uint64_t noted_at_us_ = 0;  // the last entry's time
  bool noted_any_ = false;
  uint64_t dropped_ = 0;
  MonoUs key_frame_at_ = 0, asked_at_ = 0;
};

// One recording of an episode, from its start to its end.
class Recording {
 public:
  static constexpr MonoUs kFlushUs = kUsPerSecond;

  // `folder`: where its files go, below the disk's root. It ends with its pool at the latest.
  Recording(RecordPool& pool, std::string folder, std::string take, WallMs began_ms, MonoUs now);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  // From now on every encoding of the track is recorded. `about`: what is known of its publisher.
  void add(Track& track, const RecordHeader& about, MonoUs now);
  // The track's files end.
  void remove(Track& track, MonoUs now);
  // Sends off what has waited for a second.
  void on_time(MonoUs now);
  // All files end. The tracks must be there still, or have been removed.
  void stop(const Error& why, MonoUs now);
  // It wants to end by itself: the disk failed, or it is too large. stop() is the caller's.
  const Error& trouble() const { return trouble_; }

  const std::string& folder() const { return folder_; }
  WallMs began_ms() const { return began_ms_; }
  const RecordStats& stats() const { return stats_; }

 private:
  friend class RecordStream;
  friend class RecordPool;
  struct Entry {
    std::unique_ptr<RecordStream> stream;
    Track* track = nullptr;
    size_t encoding = 0;
  };
  bool broken() const { return trouble_.code != Code::kOk && trouble_.code != Code::kRecordLimit; }
  uint64_t time_of(MonoUs now) const {
    return now > began_at_ ? static_cast<uint64_t>(now - began_at_) : 0;
  }

  RecordPool& pool_;
  std::string folder_, take_;
  WallMs began_ms_ = 0;
  MonoUs began_at_ = 0;
  std::vector<Entry> entries_;
  std::vector<uint64_t> files_;  // all of it, ascending: whose chunks come back
  Error trouble_{Code::kOk, {}, 0};
  RecordStats stats_;
};

}  // namespace footlight::sfu
