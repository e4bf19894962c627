// DEPS: footlight_log
// A whole episode file in the data directory: foreign, damaged, hostile. Opening it and reading it
// must end in a code, never in a crash, and never run anything the file brings along.
//
// The input is the main file, in /dev/shm, so that no disk is worn.
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "log/log.h"

namespace {

const std::string& path() {
  static const std::string name = "/dev/shm/footlight-log-fuzz-" + std::to_string(getpid());
  return name;
}

void clean_up() {
  for (const char* suffix : {"", "-wal", "-shm", "-journal", "-snap0", "-snap1"}) {
    std::remove((path() + suffix).c_str());
  }
}

void try_out(bool read_only) {
  footlight::log::OpenOptions options;
  options.path = path();
  options.read_only = read_only;
  options.create = false;
  auto log = footlight::log::open_event_log(options);
  if (!log) return;
  uint64_t next = 1;
  const auto status = (*log)->read(0, [&](const footlight::log::StoredRecord& record) {
    if (record.seq != next++) std::abort();
    return true;
  });
  if (status && next != (*log)->head().seq + 1) std::abort();
  (void)(*log)->get_secret("dice_seed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::FILE* file = std::fopen(path().c_str(), "wb");
  if (file == nullptr) return 0;
  std::fwrite(data, 1, size, file);
  std::fclose(file);
  try_out(true);
  try_out(false);
  clean_up();
  return 0;
}
