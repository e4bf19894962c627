// The small parts of HTTP that need no socket: request targets, queries, header lists, content
// types, status lines. Everything here takes what a peer sent and cannot be made to do more than
// look at it once.
//
// Sources: RFC 9110 (semantics), RFC 9112 (HTTP/1.1), RFC 3986 (URI).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace footlight::net {

// A request target in origin form: "/audience/?ep=demo".
struct Target {
  std::string path;  // percent-decoded, starts with "/"; no NUL, no backslash, no dot segments
  std::string_view query;  // as sent, without "?"; points into the text parsed
};

// kBadRequest when `text` is no origin form, has a broken escape, or would leave the root ("..").
Result<Target> parse_target(std::string_view text);

// Decodes %XX and, where `plus_is_space`, "+". False on a broken escape; `out` is then undefined.
bool percent_decode(std::string_view text, std::string& out, bool plus_is_space = false);
// Everything but RFC 3986's unreserved characters becomes %XX.
std::string percent_encode(std::string_view text);

// The first value of `name` in a query, decoded; nullopt when absent or broken.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

bool equals_ignoring_case(std::string_view a, std::string_view b);  // ASCII

// Whether a comma-separated header value has `token`, ignoring case: "keep-alive, Upgrade".
bool header_has_token(std::string_view value, std::string_view token);

// Whether Accept-Encoding takes `coding` (RFC 9110 section 12.5.3): q=0 refuses, "*" stands for any
// coding not named, an absent header takes identity only.
bool accepts_encoding(std::string_view header, std::string_view coding);

// By the extension, with charset for texts; "application/octet-stream" for unknown ones.
std::string_view content_type_of(std::string_view path);

// "Not Found" for 404; "" for a status that is not in the table.
std::string_view status_phrase(int status);

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7) of Unix seconds >= 0.
std::string http_date(int64_t unix_s);

// Whether a browser's page at `origin` ("https://show.example:8443") may use a server it knows as
// `host` (the Host header): no origin, the same origin, or one of the list, where "*" is any.
bool origin_allowed(std::string_view origin, std::string_view host,
                    std::span<const std::string> allowed);

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// Status line and headers with the empty line. `body_bytes` becomes Content-Length; nullopt means
// that the body is chunked. Line breaks in header values become spaces.
struct ResponseHead {
  int status = 200;
  std::string_view content_type;  // "" leaves it out
  std::optional<uint64_t> body_bytes = 0;
  bool close = false;
  std::string_view date;  // "" leaves it out
  const HeaderList* headers = nullptr;
  std::string_view lines;  // more headers, each with its line's end; taken as they are
};
void append_response_head(std::string& out, const ResponseHead& head);

}  // namespace footlight::net
