// The disk of recordings: files below data.dir, written by a thread of its own. What fails, and a
// disk that has little room left, is told with the chunk; the media's thread never waits.
//
// The event logs lie on the same disk and matter more: a recording ends before it takes their room.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "core/result.h"
#include "net/asio/shard.h"
#include "net/asio/worker.h"
#include "sfu/recording.h"

namespace footlight::edge {

class NodeRecorder final : public sfu::RecordDisk {
 public:
  // `shard`: where chunks come back.
  NodeRecorder(std::string root, uint64_t keep_free_bytes, net::Shard& shard);
  // What was written is on the disk, and every file is closed.
  ~NodeRecorder() override;
  // Before anything is recorded. `pool` outlives what comes back on the shard's thread.
  void set_pool(sfu::RecordPool* pool) { pool_ = pool; }

  void open(uint64_t file, std::string path) override;
  void write(sfu::RecordChunk* chunk) override;

 private:
  struct File {
    int descriptor = -1;
    Error error{Code::kOk, {}, 0};  // the first; nothing is written after it
  };
  // On the worker's thread.
  void begin(uint64_t file, const std::string& path);
  Status put(sfu::RecordChunk& chunk);
  Status check_room(size_t bytes);

  std::string root_;
  uint64_t keep_free_bytes_ = 0;
  net::Shard& shard_;
  sfu::RecordPool* pool_ = nullptr;
  std::map<uint64_t, File> files_;
  uint64_t since_check_ = UINT64_MAX;  // bytes written since the room was looked at
  net::Worker worker_{"record"};       // the last: it ends first
};

}  // namespace footlight::edge
