// DEPS: footlight_net nghttp2
//
// A peer's bytes of HTTP/2, cut anywhere, while answers and time go by: requests keep the bounds of
// HTTP/1.1, no more streams are open than allowed, what is counted is given back, and what waits to
// be sent stays small. The session is compiled in here, so that the rest of the shell need not be
// instrumented.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/fuzz/require.h"

#include "net/asio/internal/h2_session.cc"  // NOLINT

namespace footlight::net {

// The one thing the session needs of the shell.
std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equals_ignoring_case(key, name)) return value;
  }
  return "";
}

}  // namespace footlight::net

namespace {

using namespace footlight;
using namespace footlight::net;

class App final : public H2App {
 public:
  H2Session* session = nullptr;
  const ServerOptions& options;
  MonoUs now_us = 0;
  int64_t bytes = 0;
  std::vector<uint32_t> later, events;

  explicit App(const ServerOptions& options) : options(options) {}

  void on_request(uint32_t stream, HttpRequest request) override {
    require(request.path.starts_with('/') && request.body.size() <= options.max_body_bytes);
    size_t header = 0;
    for (const auto& [name, value] : request.headers) header += name.size() + value.size();
    require(header <= options.max_header_bytes);
    require(session->token(stream) != nullptr);
    if (request.method == "PUT" && session->open_events(stream, {{"X", request.target}}, now_us)) {
      events.push_back(stream);
    } else if (request.method == "POST") {
      later.push_back(stream);
    } else {
      answer(stream, request.target);
    }
  }
  void answer(uint32_t stream, const std::string& echoed) {
    HttpResponse response;
    response.headers.emplace_back("X", echoed);
    response.body.assign(echoed.size() * 100, 'b');
    session->answer(stream, std::move(response), now_us);
  }
  bool count_bytes(int64_t more) override {
    bytes += more;
    require(bytes >= 0);
    return bytes < 4'000;
  }
  HttpResponse error_response(const Error&) override { return {}; }
  void on_event_room(uint32_t) override {}
  void on_event_end(uint32_t stream) override { require(std::erase(events, stream) == 1); }
  void on_expired() override {}
  std::string_view date() override { return "now"; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  ServerOptions options;
  options.max_streams = 4;
  options.max_header_bytes = 1'024;
  options.max_body_bytes = 2'048;
  App app(options);
  H2Session session(options, app, 0);
  app.session = &session;
  const size_t step = 1 + (data[0] >> 1);
  std::string all = data[0] & 1 ? std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24) +
                                      std::string("\0\0\0\x04\0\0\0\0\0", 9)
                                : "";
  all.append(reinterpret_cast<const char*>(data) + 1, size - 1);
  bool fine = true;
  for (size_t at = 0; at < all.size() && fine; at += step) {
    app.now_us += 10'000;
    fine = session.feed(std::string_view(all).substr(at, step), app.now_us).has_value();
    require(session.streams() <= options.max_streams);
    std::string out;
    session.output(out, 1'000);
    require(out.size() <= 1'000 + 16'384 + 9);
    for (const uint32_t stream : std::exchange(app.later, {})) app.answer(stream, "/later");
    for (const uint32_t stream : app.events) session.add_event(stream, "event", app.now_us);
  }
  app.now_us += 60 * kUsPerSecond;
  session.on_time(app.now_us);
  for (const uint32_t stream : std::exchange(app.events, {}))
    session.end_events(stream, app.now_us);
  for (int i = 0; i < 100; ++i) {
    std::string out;
    session.output(out, 100'000);
    if (out.empty()) break;
  }
  if (session.streams() == 0) require(app.bytes == 0);
  return 0;
}
