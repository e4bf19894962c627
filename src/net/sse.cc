#include "net/sse.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace footlight::net {
namespace {
constexpr std::string_view kDataField = "data: ";
constexpr size_t kEventEnd = 2;  // the two line feeds of kSseTail that belong to the chunk's data
}  // namespace

size_t write_sse_head(char* out, uint64_t message_bytes) {
  const uint64_t chunk_bytes = kDataField.size() + message_bytes + kEventEnd;
  char* at = std::to_chars(out, out + 16, chunk_bytes, 16).ptr;
  *at++ = '\r';
  *at++ = '\n';
  std::memcpy(at, kDataField.data(), kDataField.size());
  return static_cast<size_t>(at - out) + kDataField.size();
}

bool is_one_line(std::string_view message) {
  return message.find('\n') == message.npos && message.find('\r') == message.npos;
}

std::string one_line_of(std::string_view message) {
  std::string out(message);
  std::ranges::replace_if(out, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return out;
}

Result<bool> SseReader::next(std::string_view& in, std::string_view& data) {
  if (broken_) return fail(Code::kFrameTooLarge);
  if (emitted_) {
    data_.clear();
    has_data_ = false;
    emitted_ = false;
  }
  while (!in.empty()) {
    if (after_cr_ && in.front() == '\n') in.remove_prefix(1);  // CRLF is one line end
    after_cr_ = false;
    const size_t at = in.find_first_of("\r\n");
    const std::string_view piece = in.substr(0, at);
    if (line_.size() + data_.size() + piece.size() > max_event_bytes_ + kDataField.size()) {
      broken_ = true;
      return fail(Code::kFrameTooLarge);
    }
    line_.append(piece);
    if (at == std::string_view::npos) {
      in = {};
      return false;
    }
    after_cr_ = in[at] == '\r';
    in.remove_prefix(at + 1);
    if (end_of_line()) {
      emitted_ = true;
      data = data_;
      return true;
    }
  }
  return false;
}

bool SseReader::end_of_line() {
  if (line_.empty()) return has_data_;
  constexpr std::string_view kName = "data";
  const std::string_view line = line_;
  if (line.starts_with(kName) && (line.size() == kName.size() || line[kName.size()] == ':')) {
    std::string_view value = line.substr(std::min(line.size(), kName.size() + 1));
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (has_data_) data_.push_back('\n');
    data_.append(value);
    has_data_ = true;
  }
  line_.clear();
  return false;
}

}  // namespace footlight::net
