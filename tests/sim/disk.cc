#include "disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace footlight::sim {
namespace {

size_t sectors(uint64_t bytes) { return (bytes + kSectorBytes - 1) / kSectorBytes; }

}  // namespace

void DiskFile::mark(uint64_t offset, size_t bytes) {
  if (bytes == 0) return;
  const size_t last = (offset + bytes - 1) / kSectorBytes;
  if (dirty_map.size() <= last) dirty_map.resize(last + 1, 0);
  for (size_t sector = offset / kSectorBytes; sector <= last; ++sector) {
    if (dirty_map[sector] != 0) continue;
    dirty_map[sector] = 1;
    dirty.push_back(static_cast<uint32_t>(sector));
  }
}

int SimDisk::fail_with(int code, int errno_value) {
  errno_ = errno_value;
  return code;
}

bool SimDisk::dies_here() {
  if (!crash_in_) return false;
  if (--*crash_in_ > 0) return false;
  crash_in_.reset();
  dead_ = true;
  return true;
}

void SimDisk::kill_process() {
  dead_ = true;
  crash_in_.reset();
  shared_.clear();
  for (auto& [name, file] : entries_) file->locks.clear();
}

void SimDisk::start_process() {
  ++generation_;
  dead_ = false;
  crash_in_.reset();
}

void SimDisk::persist(DiskFile& file, uint32_t sector) {
  const uint64_t from = uint64_t{sector} * kSectorBytes;
  if (from >= file.cache.size()) return;
  const size_t bytes = std::min<uint64_t>(kSectorBytes, file.cache.size() - from);
  if (file.durable.size() < from + bytes) file.durable.resize(from + bytes, 0);
  std::memcpy(file.durable.data() + from, file.cache.data() + from, bytes);
}

void SimDisk::persist_some(DiskFile& file, uint32_t keep_ppm) {
  for (const uint32_t sector : file.dirty) {
    if (chance(keep_ppm)) persist(file, sector);
  }
}

void SimDisk::settle(DiskFile& file) {
  for (const uint32_t sector : file.dirty) file.dirty_map[sector] = 0;
  file.dirty.clear();
  file.low_bytes = UINT64_MAX;
}

void SimDisk::tear(DiskFile& file) {
  // Sometimes nothing more reached the disk, sometimes all, mostly a mixture.
  constexpr std::array<uint32_t, 5> kKeepPpm = {0, 1'000'000, 500'000, 900'000, 100'000};
  if (file.low_bytes < file.durable.size() && random_.below(2) == 0) {
    file.durable.resize(file.low_bytes);
  }
  persist_some(file, kKeepPpm[random_.below(kKeepPpm.size())]);
  file.cache = file.durable;
  settle(file);
  file.locks.clear();
}

void SimDisk::lose_power() {
  kill_process();
  // A name that was made or deleted and not synced is there or not.
  Directory after = durable_entries_;
  for (const auto& [name, file] : durable_entries_) {
    const auto now = entries_.find(name);
    const bool changed = now == entries_.end() || now->second != file;
    if (!changed || random_.below(2) == 0) continue;
    if (now == entries_.end()) {
      after.erase(name);
    } else {
      after[name] = now->second;
    }
  }
  for (const auto& [name, file] : entries_) {
    if (!durable_entries_.contains(name) && random_.below(2) == 0) after[name] = file;
  }
  entries_ = after;
  durable_entries_ = after;
  for (auto& [name, file] : entries_) tear(*file);
}

std::shared_ptr<DiskFile> SimDisk::find(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->second;
}

std::shared_ptr<DiskFile> SimDisk::create(const std::string& name) {
  if (faults.read_only) {
    errno_ = EROFS;
    return nullptr;
  }
  if (dies_here()) return nullptr;
  auto file = std::make_shared<DiskFile>();
  entries_[name] = file;
  return file;
}

int SimDisk::remove(const std::string& name, bool sync_directory) {
  if (!entries_.contains(name)) return SQLITE_IOERR_DELETE_NOENT;
  if (faults.read_only) return fail_with(SQLITE_IOERR_DELETE, EROFS);
  const bool dies = dies_here();
  if (dies && random_.below(2) == 0) return fail_with(SQLITE_IOERR_DELETE, EIO);
  entries_.erase(name);
  if (sync_directory && !dies) durable_entries_ = entries_;
  return dies ? fail_with(SQLITE_IOERR_DELETE, EIO) : SQLITE_OK;
}

int SimDisk::read(DiskFile& file, uint8_t* out, size_t bytes, uint64_t offset) {
  if (chance(faults.read_error_ppm)) return fail_with(SQLITE_IOERR_READ, EIO);
  const uint64_t have = offset >= file.cache.size() ? 0 : file.cache.size() - offset;
  const size_t take = std::min<uint64_t>(bytes, have);
  if (take > 0) std::memcpy(out, file.cache.data() + offset, take);
  if (take == bytes) return SQLITE_OK;
  std::memset(out + take, 0, bytes - take);
  return SQLITE_IOERR_SHORT_READ;
}

int SimDisk::write(DiskFile& file, const uint8_t* data, size_t bytes, uint64_t offset) {
  if (faults.read_only) return fail_with(SQLITE_IOERR_WRITE, EROFS);
  const bool dies = dies_here();
  const bool broken = chance(faults.write_error_ppm);
  size_t take = bytes;
  const uint64_t end = offset + bytes;
  const uint64_t growth = end > file.cache.size() ? end - file.cache.size() : 0;
  const uint64_t used = faults.capacity_bytes == UINT64_MAX ? 0 : used_bytes();
  const bool full = growth > 0 && used + growth > faults.capacity_bytes;
  // A write that fails may have done a part of its work.
  if (dies || broken || full) take = random_.below(bytes + 1) / kSectorBytes * kSectorBytes;
  if (take > 0) {
    if (file.cache.size() < offset + take) file.cache.resize(offset + take, 0);
    std::memcpy(file.cache.data() + offset, data, take);
    file.mark(offset, take);
  }
  ++counters.writes;
  counters.written_bytes += take;
  if (dies || broken) {
    ++counters.failed_writes;
    return fail_with(SQLITE_IOERR_WRITE, EIO);
  }
  if (full) {
    ++counters.failed_writes;
    return fail_with(SQLITE_FULL, ENOSPC);
  }
  return SQLITE_OK;
}

int SimDisk::truncate(DiskFile& file, uint64_t bytes) {
  if (faults.read_only) return fail_with(SQLITE_IOERR_TRUNCATE, EROFS);
  if (dies_here()) return fail_with(SQLITE_IOERR_TRUNCATE, EIO);
  file.cache.resize(bytes, 0);
  file.low_bytes = std::min(file.low_bytes, bytes);
  std::erase_if(file.dirty, [&](uint32_t sector) {
    const bool gone = sector >= sectors(bytes);
    if (gone) file.dirty_map[sector] = 0;
    return gone;
  });
  return SQLITE_OK;
}

int SimDisk::sync(DiskFile& file, bool directory_too) {
  ++counters.syncs;
  const bool dies = dies_here();
  if (dies) return fail_with(SQLITE_IOERR_FSYNC, EIO);  // the loss of power decides what is kept
  if (faults.skip_sync) return SQLITE_OK;
  if (chance(faults.sync_error_ppm)) {
    ++counters.failed_syncs;
    persist_some(file, 500'000);
    settle(file);
    if (faults.believe_second_sync) return SQLITE_OK;
    return fail_with(SQLITE_IOERR_FSYNC, EIO);
  }
  if (file.low_bytes < file.durable.size()) file.durable.resize(file.low_bytes);
  if (file.durable.size() < file.cache.size()) file.durable.resize(file.cache.size(), 0);
  for (const uint32_t sector : file.dirty) persist(file, sector);
  settle(file);
  if (directory_too) durable_entries_ = entries_;
  return SQLITE_OK;
}

void SimDisk::flip_bit(const std::string& name, uint64_t byte, int bit) {
  auto file = find(name);
  if (!file) return;
  const auto mask = static_cast<uint8_t>(1u << bit);
  if (byte < file->cache.size()) file->cache[byte] ^= mask;
  if (byte < file->durable.size()) file->durable[byte] ^= mask;
}

std::vector<std::string> SimDisk::names() const {
  std::vector<std::string> out;
  for (const auto& [name, file] : entries_) out.push_back(name);
  return out;
}

uint64_t SimDisk::used_bytes() const {
  uint64_t sum = 0;
  for (const auto& [name, file] : entries_) sum += file->cache.size();
  return sum;
}

}  // namespace footlight::sim
