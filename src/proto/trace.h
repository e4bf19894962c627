// W3C Trace Context: the `traceparent` that rides on every event
// (https://www.w3.org/TR/trace-context/, sections 2.2 and 3.2). An invalid one is dropped, never an
// error: tracing must not refuse an action.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace footlight::proto {

struct TraceParent {
  uint64_t trace_high = 0;  // trace-id, 128 bits; never all zero
  uint64_t trace_low = 0;
  uint64_t parent = 0;  // parent-id; never zero
  uint8_t flags = 0;    // bit 0: sampled

  bool sampled() const { return (flags & 1) != 0; }
  friend bool operator==(const TraceParent&, const TraceParent&) = default;
};

inline constexpr size_t kTraceParentBytes = 55;  // of version 00

// Version 00 is exactly 55 bytes; a higher version may go on after a "-"; ff, upper case and
// all-zero ids are invalid. Never allocates.
std::optional<TraceParent> parse_traceparent(std::string_view text);
void append_traceparent(std::string& out, const TraceParent& trace);  // as version 00

}  // namespace footlight::proto
