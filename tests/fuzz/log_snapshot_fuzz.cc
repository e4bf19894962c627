// DEPS: footlight_log
// A snapshot's header, whatever the file beside the log holds.
#include <cstdint>
#include <cstdlib>

#include "log/internal/format.h"
#include "log/internal/snapshots.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace footlight;
  namespace li = log::internal;
  const ByteView bytes(data, size);
  const auto header = li::decode_snapshot_header(bytes, size);
  if (!header) return 0;
  if (header->state_bytes > size - li::kSnapshotHeaderBytes) std::abort();
  if (header->state_bytes > li::kMaxSnapshotBytes) std::abort();
  const auto state = bytes.subspan(li::kSnapshotHeaderBytes, header->state_bytes);
  if (li::snapshot_sum_holds(bytes, state)) {
    // What holds is exactly what would be written.
    const Bytes again = li::encode_snapshot_header(header->seq, header->chain, state);
    if (!std::equal(again.begin(), again.end(), bytes.begin())) std::abort();
  }
  return 0;
}
