#include "crdt/utf16.h"

#include <bit>
#include <cstring>

namespace footlight::crdt {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080;

uint64_t load8(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

bool continues(uint8_t byte) { return (byte & 0xc0) == 0x80; }

// The bytes of the character at text[at], 0 when it is not valid there. Table 3-7 of Unicode.
size_t character_size(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  const size_t left = text.size() - at;
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return left >= 2 && continues(byte(1)) ? 2 : 0;
  if (lead < 0xf0) {
    if (left < 3 || !continues(byte(1)) || !continues(byte(2))) return 0;
    if (lead == 0xe0 && byte(1) < 0xa0) return 0;
    if (lead == 0xed && byte(1) >= 0xa0) return 0;
    return 3;
  }
  if (lead > 0xf4 || left < 4) return 0;
  if (!continues(byte(1)) || !continues(byte(2)) || !continues(byte(3))) return 0;
  if (lead == 0xf0 && byte(1) < 0x90) return 0;
  if (lead == 0xf4 && byte(1) >= 0x90) return 0;
  return 4;
}

}  // namespace

bool measure_utf8(std::string_view text, uint64_t& units) {
  units = text.size();
  size_t at = 0;
  while (at < text.size()) {
    if (text.size() - at >= 8 && (load8(text.data() + at) & kHighBits) == 0) {
      at += 8;
      continue;
    }
    const size_t size = character_size(text, at);
    if (size == 0) return false;
    units -= size == 4 ? 2 : size - 1;
    at += size;
  }
  return true;
}

uint64_t utf16_length(std::string_view valid) {
  uint64_t units = valid.size();
  size_t at = 0;
  for (; valid.size() - at >= 8; at += 8) {
    const uint64_t word = load8(valid.data() + at);
    if ((word & kHighBits) == 0) continue;
    // A continuation byte has bit 7 and not bit 6; a lead of four bytes has bits 7 to 4.
    const uint64_t continuation = word & ~(word << 1) & kHighBits;
    const uint64_t four = word & (word << 1) & (word << 2) & (word << 3) & kHighBits;
    units -= static_cast<uint64_t>(std::popcount(continuation)) -
             static_cast<uint64_t>(std::popcount(four));
  }
  for (; at < valid.size(); ++at) {
    const auto byte = static_cast<uint8_t>(valid[at]);
    if (continues(byte)) --units;
    if (byte >= 0xf0) ++units;
  }
  return units;
}

Utf8Cut utf8_cut(std::string_view valid, uint64_t units) {
  size_t at = 0;
  while (units != 0 && at < valid.size()) {
    if (units >= 8 && valid.size() - at >= 8 && (load8(valid.data() + at) & kHighBits) == 0) {
      at += 8;
      units -= 8;
      continue;
    }
    const auto lead = static_cast<uint8_t>(valid[at]);
    if (lead >= 0xf0) {
      if (units == 1) return {at, true, 0};
      units -= 2;
      at += 4;
    } else {
      units -= 1;
      at += lead < 0x80 ? 1 : lead < 0xe0 ? 2 : 3;
    }
  }
  return {at, false, units};
}

}  // namespace footlight::crdt
