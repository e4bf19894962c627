#include "edge/node_recorder.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace footlight::edge {
namespace {

constexpr uint64_t kCheckBytes = 4 << 20;  // how much is written between two looks at the room

Error error_of(int number, const std::string& what) {
  const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
  return {full ? Code::kRecordDiskFull : Code::kRecordIo, what + ": " + std::strerror(number), 0};
}

}  // namespace

NodeRecorder::NodeRecorder(std::string root, uint64_t keep_free_bytes, net::Shard& shard)
    : root_(std::move(root)), keep_free_bytes_(keep_free_bytes), shard_(shard) {}

NodeRecorder::~NodeRecorder() {
  worker_.post([this] {
    for (auto& [number, file] : files_) {
      if (file.descriptor >= 0) ::close(file.descriptor);
    }
    files_.clear();
  });
}

void NodeRecorder::open(uint64_t file, std::string path) {
  worker_.post([this, file, path = std::move(path)] { begin(file, path); });
}

void NodeRecorder::write(sfu::RecordChunk* chunk) {
  worker_.post([this, chunk] {
    Status status = put(*chunk);
    shard_.post(
        [pool = pool_, chunk, status = std::move(status)] { pool->written(chunk, status); });
  });
}

void NodeRecorder::begin(uint64_t number, const std::string& path) {
  File& file = files_[number];
  const std::filesystem::path whole = std::filesystem::path(root_) / path;
  std::error_code error;
  std::filesystem::create_directories(whole.parent_path(), error);
  if (error) {
    file.error = error_of(error.value(), path);
    return;
  }
  file.descriptor = ::open(whole.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (file.descriptor < 0) file.error = error_of(errno, path);
}

Status NodeRecorder::check_room(size_t bytes) {
  if (since_check_ < kCheckBytes) {
    since_check_ += bytes;
    return {};
  }
  struct statvfs disk{};
  if (::statvfs(root_.c_str(), &disk) != 0) return std::unexpected(error_of(errno, root_));
  if (uint64_t{disk.f_bavail} * disk.f_frsize < keep_free_bytes_) {
    since_check_ = UINT64_MAX;
    return fail(Code::kRecordDiskFull, "less than media.record_keep_free_bytes is free");
  }
  since_check_ = bytes;
  return {};
}

Status NodeRecorder::put(sfu::RecordChunk& chunk) {
  const auto found = files_.find(chunk.file);
  if (found == files_.end()) return {};
  File& file = found->second;
  if (file.error.code == Code::kOk) {
    if (auto room = check_room(chunk.used); !room) file.error = room.error();
  }
  size_t at = 0;
  while (file.error.code == Code::kOk && at < chunk.used) {
    const ssize_t wrote = ::write(file.descriptor, &chunk.bytes[at], chunk.used - at);
    if (wrote >= 0) {
      at += static_cast<size_t>(wrote);
    } else if (errno != EINTR) {
      file.error = error_of(errno, "recording");
    }
  }
  if (chunk.last && file.descriptor >= 0) {
    if (file.error.code == Code::kOk && ::fdatasync(file.descriptor) != 0) {
      file.error = error_of(errno, "recording");
    }
    ::close(file.descriptor);
    file.descriptor = -1;
  }
  const Error error = file.error;
  if (chunk.last) files_.erase(found);
  if (error.code != Code::kOk) return std::unexpected(error);
  return {};
}

}  // namespace footlight::edge
