// DEPS: footlight_proto
//
// The socket between node and compositor, cut anywhere: frames lie within their bound, what decodes
// encodes and decodes to the same again, and a refusal has its code.
#include <algorithm>
#include <cstdint>

#include "proto/program_feed.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;
using namespace footlight::proto;

template <class Decoded>
void check(const Result<Decoded>& decoded, Result<Decoded> (*decode)(const FeedReader::Frame&)) {
  if (!decoded) {
    const Code code = decoded.error().code;
    require(code == Code::kFeedMalformed || code == Code::kFeedVersion);
    return;
  }
  if (!*decoded) return;
  Bytes once, twice;
  encode(**decoded, once);
  const auto again = decode({once[4], ByteView(once).subspan(5)});
  require(again && *again);
  encode(**again, twice);
  require(once == twice);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t cut = std::min<size_t>(data[0], size - 1);
  const ByteView bytes(data + 1, size - 1);
  FeedReader reader;
  for (const ByteView piece : {bytes.first(cut), bytes.subspan(cut)}) {
    reader.push(piece);
    while (true) {
      const auto frame = reader.next();
      if (!frame || !*frame) break;
      require((*frame)->body.size() < kMaxFeedFrame);
      check(decode_compositor(**frame), &decode_compositor);
      check(decode_node(**frame), &decode_node);
    }
  }
  return 0;
}
