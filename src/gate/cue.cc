#include "gate/cue.h"

#include <algorithm>

#include "core/assert.h"
#include "core/sha256.h"

namespace footlight::gate {
namespace {

constexpr std::string_view kTag{"footlight cue 1\0", 16};
constexpr size_t kTimeBytes = 6;
constexpr size_t kMacBytes = 10;

Hash256 mac_of(ByteView key, std::string_view episode, ByteView time) {
  std::string message(kTag);
  message += episode;
  message += '\0';
  message += as_text(time);
  return hmac_sha256(key, as_bytes(message));
}

}  // namespace

std::string sign_cue(ByteView key, std::string_view episode, WallMs shown_ms) {
  FL_ASSERT(shown_ms >= 0 && shown_ms >> (8 * kTimeBytes) == 0, "a time in 48 bits");
  Bytes bytes;
  for (size_t i = kTimeBytes; i-- > 0;) {
    bytes.push_back(static_cast<uint8_t>(shown_ms >> (8 * i)));
  }
  const Hash256 mac = mac_of(key, episode, bytes);
  bytes.insert(bytes.end(), mac.begin(), mac.begin() + kMacBytes);
  return to_base64url(bytes);
}

Result<WallMs> read_cue(ByteView key, std::string_view episode, std::string_view cue) {
  Bytes bytes;
  if (cue.size() != kCueChars || !from_base64url(cue, bytes) ||
      bytes.size() != kTimeBytes + kMacBytes) {
    return fail(Code::kCueForged, "a cue has 22 characters");
  }
  const ByteView all(bytes);
  const Hash256 mac = mac_of(key, episode, all.first(kTimeBytes));
  if (!equal_in_constant_time(ByteView(mac).first(kMacBytes), all.subspan(kTimeBytes))) {
    return fail(Code::kCueForged);
  }
  WallMs shown_ms = 0;
  for (const uint8_t byte : all.first(kTimeBytes)) shown_ms = shown_ms << 8 | byte;
  return shown_ms;
}

void CueDelay::report(WallMs shown_ms, WallMs now_ms) {
  const int64_t claimed_ms = std::clamp<int64_t>(now_ms - shown_ms, 0, kMostMs);
  if (first_ms_ == 0 || now_ms - last_ms_ > kForgottenMs) {
    first_ms_ = now_ms;
    delay_ms_ = static_cast<uint32_t>(claimed_ms);
  } else {
    const int64_t highest_ms = delay_ms_ + std::max<int64_t>(now_ms - last_ms_, 0) / kRisesEach;
    delay_ms_ = static_cast<uint32_t>(std::min(claimed_ms, highest_ms));
  }
  last_ms_ = std::max(last_ms_, now_ms);
}

uint32_t CueDelay::allowance_ms(WallMs now_ms) const {
  if (first_ms_ == 0 || now_ms - last_ms_ > kForgottenMs) return 0;
  return static_cast<uint32_t>(std::clamp<int64_t>(now_ms - first_ms_, 0, delay_ms_));
}

}  // namespace footlight::gate
