#include "proto/trace.h"

#include <array>

#include "core/bytes.h"

namespace footlight::proto {
namespace {

// The value of each lower-case hexadecimal digit, 0xFF for every other byte: a traceparent with
// upper-case digits must be ignored (section 3.2.2).
constexpr std::array<uint8_t, 256> kDigits = [] {
  std::array<uint8_t, 256> digits{};
  digits.fill(0xFF);
  for (uint8_t i = 0; i < 10; ++i) digits[static_cast<size_t>('0' + i)] = i;
  for (uint8_t i = 0; i < 6; ++i) digits[static_cast<size_t>('a' + i)] = 10 + i;
  return digits;
}();

bool lower_hex(std::string_view text, uint64_t& out) {
  out = 0;
  uint8_t any = 0;
  for (char c : text) {
    const uint8_t digit = kDigits[static_cast<unsigned char>(c)];
    any |= digit;
    out = out << 4 | digit;
  }
  return any != 0xFF;
}

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view text) {
  if (text.size() < kTraceParentBytes || text.size() > 128) return std::nullopt;
  uint64_t version = 0, flags = 0;
  TraceParent trace;
  if (text[2] != '-' || text[35] != '-' || text[52] != '-' ||
      !lower_hex(text.substr(0, 2), version) || !lower_hex(text.substr(3, 16), trace.trace_high) ||
      !lower_hex(text.substr(19, 16), trace.trace_low) ||
      !lower_hex(text.substr(36, 16), trace.parent) || !lower_hex(text.substr(53, 2), flags)) {
    return std::nullopt;
  }
  if (version == 0xFF || (trace.trace_high | trace.trace_low) == 0 || trace.parent == 0) {
    return std::nullopt;
  }
  const bool longer = text.size() > kTraceParentBytes;
  if (longer && (version == 0 || text[kTraceParentBytes] != '-')) return std::nullopt;
  trace.flags = static_cast<uint8_t>(flags);
  return trace;
}

void append_traceparent(std::string& out, const TraceParent& trace) {
  out += "00-";
  out += hex_u64(trace.trace_high);
  out += hex_u64(trace.trace_low);
  out += '-';
  out += hex_u64(trace.parent);
  out += '-';
  out += to_hex(ByteView(&trace.flags, 1));
}

}  // namespace footlight::proto
