// DEPS: footlight_log
// The WAL as a crash, a bad disk or somebody else left it, before SQLite sees it.
#include <cstdint>
#include <cstdlib>

#include "log/internal/wal.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace footlight;
  log::internal::WalScanner scanner;
  const ByteView bytes(data, size);
  if (!scanner.header(bytes)) return 0;
  const size_t frame = scanner.frame_bytes();
  for (size_t at = log::internal::kWalHeaderBytes; at + frame <= size; at += frame) {
    scanner.frame(bytes.subspan(at, frame));
  }
  if (scanner.whole_bytes() > size) std::abort();
  if (scanner.damaged() && scanner.first_bad() >= scanner.frames()) std::abort();
  return 0;
}
