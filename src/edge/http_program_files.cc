#include "edge/http_program_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace footlight::edge {
namespace {

namespace fs = std::filesystem;

Status write_whole(const std::string& path, const Chain& bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return std::unexpected(file_error(errno, path));
  Status status;
  for (const Chain::Slice& slice : bytes.slices()) {
    std::string_view rest = slice.bytes;
    while (status && !rest.empty()) {
      const ssize_t wrote = ::write(fd, rest.data(), rest.size());
      if (wrote >= 0) {
        rest.remove_prefix(static_cast<size_t>(wrote));
      } else if (errno != EINTR) {
        status = std::unexpected(file_error(errno, path));
      }
    }
  }
  if (::close(fd) != 0 && status) status = std::unexpected(file_error(errno, path));
  return status;
}

Result<Blob> read_whole(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(Code::kProgramGone, path);
  struct stat about{};
  std::string bytes;
  bool holds = ::fstat(fd, &about) == 0;
  if (holds) bytes.resize(static_cast<size_t>(about.st_size));
  for (size_t at = 0; holds && at < bytes.size();) {
    const ssize_t count = ::read(fd, &bytes[at], bytes.size() - at);
    holds = count > 0 || (count < 0 && errno == EINTR);
    if (count > 0) at += static_cast<size_t>(count);
  }
  ::close(fd);
  if (!holds) return fail(Code::kIo, path);
  return make_blob(std::move(bytes));
}

}  // namespace

Error file_error(int number, const std::string& what) {
  const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
  return {full ? Code::kPushFull : Code::kPushFailed, what + ": " + std::strerror(number), 0};
}

// Under another name first: who reads never sees half a file.
Status write_file(const std::string& path, const Chain& bytes) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (error) return std::unexpected(file_error(error.value(), path));
  const std::string part = path + ".part";
  Status status = write_whole(part, bytes);
  if (status && ::rename(part.c_str(), path.c_str()) != 0) {
    status = std::unexpected(file_error(errno, path));
  }
  if (!status) ::unlink(part.c_str());
  return status;
}

ProgramFiles::ProgramFiles(std::string folder, Stored stored, Log log)
    : folder_(std::move(folder)), stored_(std::move(stored)), log_(std::move(log)) {}

void ProgramFiles::put(const std::string& name, uint32_t rendition, uint64_t msn, Chain bytes) {
  const uint64_t size = bytes.size_bytes();
  const bool behind = waiting_bytes_ + size > kMaxWaitingBytes;
  if (!behind) waiting_bytes_ += size;
  if (behind) bytes = {};
  worker_.post([this, name, rendition, msn, behind, size, bytes = std::move(bytes)] {
    const Status status =
        behind ? Status(fail(Code::kPushBehind, name)) : write_file(folder_ + "/" + name, bytes);
    if (!behind) waiting_bytes_ -= size;
    if (status) {
      complained_ = false;
      if (msn != UINT64_MAX) stored_(rendition, msn);
      return;
    }
    ++failed_;
    if (!complained_) log_(status.error().message());
    complained_ = true;
  });
}

void ProgramFiles::read(std::string name, Done done) {
  worker_.post([path = folder_ + "/" + name, done = std::move(done)] { done(read_whole(path)); });
}

void ProgramFiles::read_packed(std::string name, Done done) {
  worker_.post([this, name = std::move(name), done = std::move(done)] {
    Blob& packed = packed_[name];
    if (!packed) {
      const auto whole = read_whole(folder_ + "/" + name);
      if (!whole) return done(whole);
      packed = make_blob(gzip_.pack(**whole));
    }
    done(packed);
  });
}

}  // namespace footlight::edge
