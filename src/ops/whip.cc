#include "ops/whip.h"

#include "net/asio/http_client.h"

namespace footlight::ops {
namespace {

constexpr uint32_t kWhipTimeoutMs = 10'000;
constexpr size_t kSaidBytes = 200;  // of a refusal, shown

net::HttpCall call_of(const WhipCall& call, std::string method, std::string url) {
  net::HttpCall made;
  made.method = std::move(method);
  made.url = std::move(url);
  made.timeout_ms = kWhipTimeoutMs;
  made.tls_verify = call.tls_verify;
  if (!call.token.empty()) made.headers.emplace_back("Authorization", "Bearer " + call.token);
  return made;
}

}  // namespace

std::string resolve_location(std::string_view base, std::string_view location) {
  if (location.empty() || location.find("://") != std::string_view::npos) {
    return std::string(location);
  }
  base = base.substr(0, base.find_first_of("?#"));
  const size_t scheme = base.find("://");
  const size_t host = scheme == std::string_view::npos ? 0 : scheme + 3;
  if (location.starts_with("//")) return std::string(base.substr(0, host - 2)).append(location);
  const size_t path = base.find('/', host);
  if (location.starts_with('/')) return std::string(base.substr(0, path)).append(location);
  std::string out(base);
  if (path == std::string_view::npos) out += '/';
  out.resize(out.rfind('/') + 1);
  while (location.starts_with("./") || location.starts_with("../")) {
    const bool up = location.starts_with("../");
    location.remove_prefix(up ? 3 : 2);
    if (!up || out.size() <= out.find('/', host) + 1) continue;
    out.pop_back();
    out.resize(out.rfind('/') + 1);
  }
  return out.append(location);
}

Result<WhipSession> whip_open(const WhipCall& call, std::string_view offer) {
  net::HttpCall post = call_of(call, "POST", call.url);
  post.headers.emplace_back("Content-Type", "application/sdp");
  post.headers.emplace_back("Accept", "application/sdp");
  post.body = offer;
  const auto answer = net::http_call(post);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 201 && answer->status != 200) {
    return fail(Code::kBadRequest, call.url + " answers " + std::to_string(answer->status) + ": " +
                                       answer->body.substr(0, kSaidBytes));
  }
  WhipSession session;
  session.answer = answer->body;
  session.etag = answer->header("ETag");
  session.address = resolve_location(call.url, answer->header("Location"));
  return session;
}

Status whip_close(const WhipCall& call, const WhipSession& session) {
  if (session.address.empty()) return {};
  const auto answer = net::http_call(call_of(call, "DELETE", session.address));
  if (!answer) return std::unexpected(answer.error());
  if (answer->status >= 300) {
    return fail(Code::kBadRequest, session.address + " answers " + std::to_string(answer->status));
  }
  return {};
}

}  // namespace footlight::ops
