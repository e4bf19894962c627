// A blocking HTTP/1.1 client for the command line, webhooks and tests: one request, one answer, one
// connection. Any thread that may wait.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"
#include "net/http.h"

namespace footlight::net {

struct HttpCall {
  std::string method = "GET";
  std::string url;  // http:// or https://
  HeaderList headers;
  std::string body;
  uint32_t timeout_ms = 10'000;  // for all of it
  size_t max_body_bytes = 16 * 1024 * 1024;
  bool tls_verify = true;
};

struct HttpAnswer {
  int status = 0;
  HeaderList headers;
  std::string body;
  std::string_view header(std::string_view name) const;  // "" when absent; ignores case
};

struct Url {
  bool tls = false;
  std::string host;  // without brackets
  uint16_t port = 0;
  std::string target;  // path and query, at least "/"
};
Result<Url> parse_url(std::string_view text);  // kBadRequest

// kBadRequest: the URL; kUnreachable: no connection, no answer in time, or a broken one;
// kFrameTooLarge: the body.
Result<HttpAnswer> http_call(const HttpCall& call);

}  // namespace footlight::net
