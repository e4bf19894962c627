// The fields of an answer as HTTP/2 has them, out of those of HTTP/1.1.
#pragma once
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.h"

namespace footlight::net {

// Fields of the connection, which HTTP/2 has none of (RFC 9113 section 8.2.2).
inline bool is_of_h1_connection(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames = {
      "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"};
  return std::ranges::any_of(kNames, [&](auto one) { return equals_ignoring_case(name, one); });
}

// The fields of an answer; views of what is given, which nghttp2 copies, in lower case.
class H2Fields {
 public:
  explicit H2Fields(int status) : status_(std::to_string(status)) { put(":status", status_); }
  void add(std::string_view name, std::string_view value) {
    if (is_of_h1_connection(name)) return;
    if (value.find_first_of("\r\n") == std::string_view::npos) return put(name, value);
    auto clean = std::make_unique<std::string>(value);
    std::ranges::replace_if(*clean, [](char c) { return c == '\r' || c == '\n'; }, ' ');
    put(name, *clean);
    cleaned_.push_back(std::move(clean));
  }
  void add_lines(std::string_view lines) {
    while (!lines.empty()) {
      const size_t end = lines.find("\r\n");
      const std::string_view line = lines.substr(0, end);
      const size_t colon = line.find(": ");
      if (colon != std::string_view::npos) add(line.substr(0, colon), line.substr(colon + 2));
      if (end == std::string_view::npos) return;
      lines.remove_prefix(end + 2);
    }
  }
  const nghttp2_nv* data() const { return fields_.data(); }
  size_t size() const { return fields_.size(); }

 private:
  void put(std::string_view name, std::string_view value) {
    const auto bytes = [](std::string_view text) {
      return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
    };
    fields_.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  std::string status_;
  std::vector<nghttp2_nv> fields_;
  std::vector<std::unique_ptr<std::string>> cleaned_;
};

}  // namespace footlight::net
