// Whole segments of a program as files, for the recording: written and read by a thread of its own,
// so that neither the feed nor a shard ever waits for the disk.
//
// What waits to be written is bounded; beyond it, and when the disk is full, a segment is left out
// and that is told once until it goes on again. The stream itself never notices.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/chain.h"
#include "core/result.h"
#include "hls/gzip.h"
#include "hls/origin.h"
#include "net/asio/worker.h"

namespace footlight::edge {

// kPushFull for what a disk without room says, else kPushFailed.
Error file_error(int number, const std::string& what);
// Whole and at once, under a name that may have been there; makes the folders. Waits for the disk.
Status write_file(const std::string& path, const Chain& bytes);

class ProgramFiles final : public hls::SegmentStore {
 public:
  using Stored = std::function<void(uint32_t rendition, uint64_t msn)>;  // on the worker's thread
  using Log = std::function<void(const std::string& complaint)>;
  static constexpr uint64_t kMaxWaitingBytes = 256ull << 20;

  ProgramFiles(std::string folder, Stored stored, Log log);

  void put(const std::string& name, uint32_t rendition, uint64_t msn, Chain bytes) override;
  // `done` on the worker's thread. kProgramGone, kIo.
  using Done = std::function<void(Result<Blob>)>;
  void read(std::string name, Done done);
  // The same, gzipped. Packed once and kept: for texts that do not change any more, of which a
  // recording has a few.
  void read_packed(std::string name, Done done);

  uint64_t failed() const { return failed_; }

 private:
  std::string folder_;
  Stored stored_;
  Log log_;
  std::atomic<uint64_t> waiting_bytes_ = 0, failed_ = 0;
  // On the worker's thread.
  bool complained_ = false;
  hls::Gzip gzip_;
  std::map<std::string, Blob> packed_;
  net::Worker worker_{"program-files"};  // the last: it ends first
};

}  // namespace footlight::edge
