#include "net/asio/internal/http_reader.h"

namespace footlight::net {
namespace {

namespace http = boost::beast::http;

Error error_of(const boost::system::error_code& error, const HttpLimits& limits) {
  if (error == http::error::header_limit) {
    return {Code::kFrameTooLarge,
            "the header is larger than " + std::to_string(limits.header_bytes) + " bytes"};
  }
  if (error == http::error::body_limit) {
    return {Code::kFrameTooLarge,
            "the body is larger than " + std::to_string(limits.body_bytes) + " bytes"};
  }
  return {Code::kBadRequest, error.message()};
}

}  // namespace

Result<bool> HttpReader::feed(std::string_view in) {
  // Copied only when something is left of earlier bytes, or of these.
  if (pending_.empty()) return parse(in, in.size());
  pending_.append(in);
  return parse(pending_, 0);
}

// Keeps what it does not use of `bytes`, which is pending_ itself unless `fresh` of them are new.
Result<bool> HttpReader::parse(std::string_view bytes, size_t fresh) {
  size_t used = 0;
  while (used < bytes.size()) {
    if (!parser_) {
      // RFC 9112 section 2.2: an empty line before a request is skipped.
      if (bytes.compare(used, 2, "\r\n") == 0) {
        used += 2;
        continue;
      }
      if (bytes.size() - used == 1 && bytes[used] == '\r') break;
      parser_.emplace();
      parser_->header_limit(limits_.header_bytes);
      parser_->body_limit(limits_.body_bytes);
      parser_->eager(true);
      continued_ = false;
    }
    boost::system::error_code error;
    const size_t count =
        parser_->put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), error);
    used += count;
    if (error && error != http::error::need_more) {
      return std::unexpected(error_of(error, limits_));
    }
    if (parser_->is_done()) break;
    if (count == 0) break;
  }
  if (fresh > 0) {
    pending_.assign(bytes.substr(used));
  } else {
    pending_.erase(0, used);
    if (pending_.empty()) std::string().swap(pending_);
  }
  if (!parser_ || !parser_->is_done()) return false;
  if (auto status = check(); !status) return std::unexpected(status.error());
  return true;
}

// What Beast does not ask for: RFC 9112 section 3.2, one Host in HTTP/1.1.
Status HttpReader::check() const {
  const auto& message = parser_->get();
  if (message.version() > 11) return fail(Code::kBadRequest, "only HTTP/1.1 and 1.0 are spoken");
  if (message.version() == 11 && message.count(http::field::host) != 1) {
    return fail(Code::kBadRequest, "exactly one Host header is needed");
  }
  return {};
}

bool HttpReader::wants_continue() {
  if (continued_ || !has_header() || parser_->is_done()) return false;
  continued_ = true;
  return equals_ignoring_case(std::string_view(parser_->get()[http::field::expect]),
                              "100-continue");
}

HttpRequest HttpReader::take(bool& keep_alive) {
  auto message = parser_->release();
  parser_.reset();
  keep_alive = message.keep_alive();
  HttpRequest request;
  request.headers.reserve(16);
  request.method = std::string_view(message.method_string());
  request.target = std::string_view(message.target());
  for (const auto& field : message) {
    request.headers.emplace_back(std::string_view(field.name_string()),
                                 std::string_view(field.value()));
  }
  request.body = std::move(message.body());
  return request;
}

}  // namespace footlight::net
