// Requests out of bytes: Beast's parser with our bounds, and pipelining. No socket.
#pragma once
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "net/asio/server.h"

namespace footlight::net {

struct HttpLimits {
  uint32_t header_bytes = 16 * 1024;
  uint32_t body_bytes = 256 * 1024;
};

class HttpReader {
 public:
  explicit HttpReader(HttpLimits limits) : limits_(limits) {}

  // Uses up `in`. True: a request is whole; what came after it is kept. False: more is needed.
  // kBadRequest, kFrameTooLarge are final.
  Result<bool> feed(std::string_view in);
  // The next of pipelined requests, after take().
  Result<bool> next() { return feed({}); }
  // The whole request. `keep_alive` says whether another may follow.
  HttpRequest take(bool& keep_alive);
  // What came after the last request taken: the first frames of an upgraded connection.
  std::string take_rest() { return std::move(pending_); }

  bool has_begun() const { return parser_.has_value() || !pending_.empty(); }
  bool has_header() const { return parser_ && parser_->is_header_done(); }
  bool wants_continue();  // once per request: Expect: 100-continue
  size_t body_bytes() const { return parser_ ? parser_->get().body().size() : 0; }

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  Result<bool> parse(std::string_view bytes, size_t fresh);
  Status check() const;

  HttpLimits limits_;
  std::string pending_;  // read and not yet parsed
  std::optional<Parser> parser_;
  bool continued_ = false;
};

}  // namespace footlight::net
