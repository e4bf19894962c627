#include "sfu/track.h"

#include <algorithm>
#include <utility>

namespace footlight::sfu {

void Track::sort_encodings(MonoUs now) {
  constexpr uint8_t kWhole = 255;
  const auto rate = [&](size_t rank) {
    const IncomingStream& stream = encodings[by_quality[rank]].stream;
    return stream.rates().up_to_bps(kWhole, kWhole, now);  // 0 when nothing came for a second
  };
  // A quarter more, so that equals stay where they are.
  const auto reversed = [&](size_t rank) {
    const int64_t low = rate(rank), high = rate(rank + 1);
    return high > 0 && low > high + high / 4;
  };
  bool any = false;
  for (size_t rank = 0; rank + 1 < encodings.size(); ++rank) any |= reversed(rank);
  const bool again = any && std::exchange(disordered, any);
  disordered = any && !again;
  if (!again) return;
  for (size_t pass = 1; pass < encodings.size(); ++pass) {
    for (size_t rank = 0; rank + 1 < encodings.size(); ++rank) {
      if (reversed(rank)) std::swap(by_quality[rank], by_quality[rank + 1]);
    }
  }
}

uint8_t Track::rank_of(uint8_t encoding) const {
  return static_cast<uint8_t>(std::ranges::find(by_quality, encoding) - by_quality.begin());
}

}  // namespace footlight::sfu
