// Server-sent events (WHATWG HTML, section 9.2) over HTTP/1.1 chunks (RFC 9112 section 7.1).
//
// The writer makes the few bytes before and after a message, so that the message itself goes out
// from the bytes all recipients share. The reader is the client's half, for tests and load.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace footlight::net {

// One chunk that holds one event: head, then the message, then kSseTail.
inline constexpr std::string_view kSseTail = "\n\n\r\n";
inline constexpr size_t kSseMaxHeadBytes = 24;
// A chunk with a comment line, which keeps proxies and the client's timeout quiet.
inline constexpr std::string_view kSseComment = "3\r\n:\n\n\r\n";
// The chunk of size zero: the end of the stream.
inline constexpr std::string_view kSseEnd = "0\r\n\r\n";

// "1c\r\ndata: " for a message of `message_bytes`. Returns the size, at most kSseMaxHeadBytes. The
// message must hold no line break: see is_one_line.
size_t write_sse_head(char* out, uint64_t message_bytes);
bool is_one_line(std::string_view message);
// The same event for a message with line breaks: between JSON tokens, a break means as little as a
// space, and each becomes one.
std::string one_line_of(std::string_view message);

// Takes the bytes of an event stream (chunk framing removed) and hands out one event's data at a
// time. Events of more than `max_event_bytes` are a fault.
class SseReader {
 public:
  explicit SseReader(size_t max_event_bytes) : max_event_bytes_(max_event_bytes) {}
  // True: `data` holds an event, valid until the next call. False: all of `in` is used up.
  // kFrameTooLarge is final.
  Result<bool> next(std::string_view& in, std::string_view& data);

 private:
  bool end_of_line();  // true when it ends an event
  size_t max_event_bytes_;
  std::string line_;
  std::string data_;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool emitted_ = false;
  bool broken_ = false;
};

}  // namespace footlight::net
