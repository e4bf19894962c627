// DEPS: footlight_net
//
// A peer's HTTP bytes: requests out of a stream mean the same however it is cut, keep their bounds,
// name no path outside the root, and what is echoed into a head cannot end it. The reader is
// compiled in here, so that the rest of the shell need not be instrumented.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "net/http.h"
#include "net/sse.h"
#include "tests/fuzz/require.h"

#include "net/asio/internal/http_reader.cc"  // NOLINT

namespace {

using namespace footlight;
using namespace footlight::net;

constexpr HttpLimits kLimits{.header_bytes = 1024, .body_bytes = 2048};

void use_target(const std::string& text) {
  const auto target = parse_target(text);
  if (!target) return;
  require(target->path.starts_with('/'));
  require(target->path.find('\0') == std::string::npos);
  require(target->path.find("/../") == std::string::npos && !target->path.ends_with("/.."));
  require(!content_type_of(target->path).empty());
  if (const auto value = query_value(target->query, "ep")) {
    std::string back;
    require(percent_decode(percent_encode(*value), back) && back == *value);
  }
}

void use_header(const std::string& value) {
  accepts_encoding(value, "br");
  header_has_token(value, "upgrade");
  const std::string allowed[] = {"https://show.example"};
  origin_allowed(value, "show.example", allowed);
  // Echoed, as a page's origin is: the head still has one end, and that is at its end.
  const HeaderList echoed = {{"X", value}};
  std::string head;
  append_response_head(head, {.status = 204, .headers = &echoed});
  require(head.find("\r\n\r\n") == head.size() - 4);
}

std::string requests(std::string_view bytes, size_t step) {
  HttpReader reader(kLimits);
  std::string told;
  for (size_t at = 0; at < bytes.size(); at += step) {
    auto whole = reader.feed(bytes.substr(at, step));
    for (;;) {
      // Not told: a fault may show only when the header is whole.
      if (!whole) return told;
      require(reader.body_bytes() <= kLimits.body_bytes);
      if (!*whole) break;
      bool keep_alive = false;
      const HttpRequest request = reader.take(keep_alive);
      require(request.body.size() <= kLimits.body_bytes);
      use_target(request.target);
      told += request.method + " " + request.target + " " + std::to_string(request.headers.size()) +
              " " + request.body + (keep_alive ? " on\n" : " end\n");
      for (const auto& [name, value] : request.headers) use_header(value);
      if (!keep_alive) return told;
      whole = reader.next();
    }
  }
  return told;
}

std::string events(std::string_view bytes, size_t step) {
  SseReader reader(512);
  std::string told;
  for (size_t at = 0; at < bytes.size(); at += step) {
    std::string_view in = bytes.substr(at, step);
    std::string_view data;
    for (;;) {
      const auto event = reader.next(in, data);
      if (!event) return told + "fault";
      if (!*event) break;
      require(data.size() <= 512);
      told.append(data).append("\n");
    }
  }
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t step = 1 + (data[0] >> 1);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto* const run = data[0] & 1 ? events : requests;
  require(run(bytes, bytes.size()) == run(bytes, step));
  use_target(std::string(bytes));
  use_header(std::string(bytes));
  return 0;
}
