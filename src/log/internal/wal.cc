#include "log/internal/wal.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "log/internal/raw_file.h"

namespace footlight::log::internal {
namespace {

uint32_t big32(const uint8_t* at) {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
}
uint32_t little32(const uint8_t* at) {
  return uint32_t{at[3]} << 24 | uint32_t{at[2]} << 16 | uint32_t{at[1]} << 8 | at[0];
}

constexpr uint32_t kMagicLittle = 0x377F0682;  // the checksum's words are little-endian
constexpr uint32_t kMagicBig = 0x377F0683;
constexpr uint32_t kWalVersion = 3007000;
constexpr int kRescans = 8;

using WalHeader = std::array<uint8_t, kWalHeaderBytes>;

struct Scanned {
  WalScanner scanner;
  bool empty = true;
  bool header_bad = false;
};

Status scan_frames(RawFile& file, uint64_t size, WalScanner& scanner) {
  const size_t frame = scanner.frame_bytes();
  const size_t per_read = std::max<size_t>(1, (size_t{256} << 10) / frame);
  Bytes buffer(per_read * frame);
  uint64_t at = kWalHeaderBytes;
  while (at + frame <= size) {
    const size_t count = std::min<uint64_t>(per_read, (size - at) / frame);
    const std::span<uint8_t> part(buffer.data(), count * frame);
    if (auto ok = file.read(at, part); !ok) return ok;
    for (size_t i = 0; i < count; ++i) scanner.frame(part.subspan(i * frame, frame));
    at += part.size();
  }
  return {};
}

Result<Scanned> scan(RawFile& file) {
  Scanned out;
  const auto size = file.size();
  if (!size) return std::unexpected(size.error());
  if (*size < kWalHeaderBytes) return out;
  WalHeader header{};
  for (int attempt = 0; attempt < kRescans; ++attempt) {
    out = Scanned{};
    if (auto ok = file.read(0, header); !ok) return std::unexpected(ok.error());
    out.empty = false;
    if (!out.scanner.header(header)) {
      out.header_bad = true;
    } else if (auto ok = scan_frames(file, *size, out.scanner); !ok) {
      return std::unexpected(ok.error());
    }
    if (!out.header_bad && !out.scanner.damaged()) return out;
    WalHeader again{};
    if (auto ok = file.read(0, again); !ok) return std::unexpected(ok.error());
    if (again == header) return out;
  }
  return out;
}

Status judge(const Scanned& scanned, uint64_t size) {
  if (scanned.header_bad) {
    constexpr size_t kSmallestFrame = kWalFrameHeaderBytes + 512;
    if (size < kWalHeaderBytes + kSmallestFrame) return {};
    return fail(Code::kLogCorrupt, "the WAL's header is damaged");
  }
  if (scanned.scanner.damaged()) {
    return fail(Code::kLogCorrupt, "frame " + std::to_string(scanned.scanner.first_bad() + 1) +
                                       " of the WAL is damaged and good ones follow");
  }
  return {};
}

Status rewrite(RawFile& file, uint64_t size) {
  Bytes buffer(std::min<uint64_t>(size, uint64_t{1} << 20));
  for (uint64_t at = 0; at < size; at += buffer.size()) {
    const std::span<uint8_t> part(buffer.data(), std::min<uint64_t>(buffer.size(), size - at));
    if (auto ok = file.read(at, part); !ok) return ok;
    if (auto ok = file.write(at, part); !ok) return ok;
  }
  return file.sync();
}

}  // namespace

bool WalScanner::header(ByteView bytes) {
  if (bytes.size() < kWalHeaderBytes) return false;
  const uint32_t magic = big32(bytes.data());
  if (magic != kMagicLittle && magic != kMagicBig) return false;
  if (big32(bytes.data() + 4) != kWalVersion) return false;
  const uint32_t page = big32(bytes.data() + 8);
  if (page < 512 || page > 65536 || !std::has_single_bit(page)) return false;
  big_endian_ = magic == kMagicBig;
  sum_[0] = sum_[1] = 0;
  checksum(bytes.first(24));
  if (sum_[0] != big32(bytes.data() + 24) || sum_[1] != big32(bytes.data() + 28)) return false;
  page_bytes_ = page;
  salt_[0] = big32(bytes.data() + 16);
  salt_[1] = big32(bytes.data() + 20);
  return true;
}

void WalScanner::checksum(ByteView bytes) {
  uint32_t s0 = sum_[0];
  uint32_t s1 = sum_[1];
  for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
    const uint8_t* at = bytes.data() + i;
    s0 += (big_endian_ ? big32(at) : little32(at)) + s1;
    s1 += (big_endian_ ? big32(at + 4) : little32(at + 4)) + s0;
  }
  sum_[0] = s0;
  sum_[1] = s1;
}

void WalScanner::frame(ByteView bytes) {
  if (bytes.size() != frame_bytes()) return;
  const uint64_t number = frames_++;
  const uint8_t* head = bytes.data();
  const bool ours = big32(head + 8) == salt_[0] && big32(head + 12) == salt_[1];
  const bool commit = big32(head + 4) != 0;
  if (!bad_) {
    bool good = ours && big32(head) != 0;
    if (good) {
      checksum(bytes.first(8));
      checksum(bytes.subspan(kWalFrameHeaderBytes));
      good = sum_[0] == big32(head + 16) && sum_[1] == big32(head + 20);
    }
    if (good) {
      if (commit) whole_frames_ = number + 1;
      return;
    }
    bad_ = true;
    first_bad_ = number;
  }
  if (ours && commit) ++commits_after_bad_;
}

Status check_wal(sqlite3_vfs* vfs, const std::string& path) {
  if (!RawFile::exists(vfs, path, "-wal")) return {};
  auto file = RawFile::open(vfs, path, "-wal", RawFile::Kind::kWal, RawFile::Mode::kRead);
  if (!file) return std::unexpected(file.error());
  const auto scanned = scan(*file);
  if (!scanned) return std::unexpected(scanned.error());
  const auto size = file->size();
  if (!size) return std::unexpected(size.error());
  return judge(*scanned, *size);
}

Status heal_wal(sqlite3_vfs* vfs, const std::string& path) {
  if (!RawFile::exists(vfs, path, "-wal")) return {};
  auto file = RawFile::open(vfs, path, "-wal", RawFile::Kind::kWal, RawFile::Mode::kWrite);
  if (!file) return std::unexpected(file.error());
  const auto scanned = scan(*file);
  if (!scanned) return std::unexpected(scanned.error());
  const auto size = file->size();
  if (!size) return std::unexpected(size.error());
  if (auto ok = judge(*scanned, *size); !ok) return ok;
  if (scanned->empty) return {};
  const uint64_t keep = scanned->header_bad ? 0 : scanned->scanner.whole_bytes();
  if (keep < *size) {
    if (auto ok = file->truncate(keep); !ok) return ok;
  }
  return rewrite(*file, keep);
}

}  // namespace footlight::log::internal
