#include "net/asio/internal/http_answer_reader.h"

namespace footlight::net {
namespace {

namespace http = boost::beast::http;
constexpr uint32_t kMaxHeaderBytes = 64 * 1024;

Result<bool> fault_of(const boost::system::error_code& error) {
  if (error == http::error::body_limit) return fail(Code::kFrameTooLarge, error.message());
  return fail(Code::kUnreachable, "a broken answer: " + error.message());
}

}  // namespace

HttpAnswerReader::HttpAnswerReader(size_t max_body_bytes, bool to_head) {
  parser_.header_limit(kMaxHeaderBytes);
  parser_.body_limit(max_body_bytes);
  parser_.eager(true);
  parser_.skip(to_head);
}

Result<bool> HttpAnswerReader::feed(std::string_view in) {
  pending_.append(in);
  size_t used = 0;
  while (used < pending_.size() && !parser_.is_done()) {
    boost::system::error_code error;
    const size_t count = parser_.put(
        boost::asio::const_buffer(pending_.data() + used, pending_.size() - used), error);
    used += count;
    if (error && error != http::error::need_more) return fault_of(error);
    if (count == 0) break;
  }
  pending_.erase(0, used);
  return parser_.is_done();
}

Result<bool> HttpAnswerReader::finish() {
  if (parser_.is_done()) return true;
  if (!parser_.is_header_done()) {
    return fail(Code::kUnreachable, "the connection ended without an answer");
  }
  boost::system::error_code error;
  parser_.put_eof(error);
  if (error) return fault_of(error);
  return parser_.is_done();
}

HttpAnswer HttpAnswerReader::take() {
  auto message = parser_.release();
  HttpAnswer answer;
  answer.status = static_cast<int>(message.result_int());
  for (const auto& field : message) {
    answer.headers.emplace_back(std::string_view(field.name_string()),
                                std::string_view(field.value()));
  }
  answer.body = std::move(message.body());
  return answer;
}

}  // namespace footlight::net
