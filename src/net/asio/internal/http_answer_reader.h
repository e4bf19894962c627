// Answers out of bytes: the client's half of HttpReader. No socket.
#pragma once
#include <string>
#include <string_view>

#include "net/asio/http_client.h"
#include "net/asio/internal/boost.h"

namespace footlight::net {

class HttpAnswerReader {
 public:
  // `to_head`: the answer to a HEAD, which has no body whatever its header says.
  explicit HttpAnswerReader(size_t max_body_bytes, bool to_head = false);

  // True: the answer is whole; what came after it is rest(). kUnreachable: it is broken;
  // kFrameTooLarge: its body is.
  Result<bool> feed(std::string_view in);
  // The peer ended: for an answer without length that is the end of its body.
  Result<bool> finish();
  HttpAnswer take();
  std::string take_rest() { return std::move(pending_); }

 private:
  boost::beast::http::response_parser<boost::beast::http::string_body> parser_;
  std::string pending_;
};

}  // namespace footlight::net
