#include "net/asio/internal/handshake.h"

#include <openssl/evp.h>

#include <array>

#include "core/bytes.h"

namespace footlight::net {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

// 16 bytes in base64: 22 digits, the last of which holds four zero bits, and two of padding.
bool is_ws_key(std::string_view key) {
  if (key.size() != 24 || !key.ends_with("==")) return false;
  for (const char c : key.substr(0, 22)) {
    const bool digit = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '+' || c == '/';
    if (!digit) return false;
  }
  return true;
}

}  // namespace

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

std::string ws_accept_of(std::string_view key) {
  std::string text(key);
  text.append(kGuid);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return base64({reinterpret_cast<const char*>(digest.data()), size});
}

bool is_bare_path(std::string_view path, const ServerOptions& options) {
  return !options.bare_prefix.empty() && path.starts_with(options.bare_prefix);
}

std::optional<UpgradeFault> check_ws_upgrade(const HttpRequest& request,
                                             const ServerOptions& options) {
  const auto bad = [](std::string why, int status = 400) {
    return UpgradeFault{status, {Code::kBadRequest, std::move(why)}};
  };
  if (request.method != "GET") return bad("a WebSocket is opened by GET", 405);
  if (!header_has_token(request.header("Upgrade"), "websocket")) {
    return bad("Upgrade must be websocket", 426);
  }
  if (request.header("Sec-WebSocket-Version") != "13") {
    return bad("Sec-WebSocket-Version must be 13", 426);
  }
  if (!is_ws_key(request.header("Sec-WebSocket-Key"))) return bad("Sec-WebSocket-Key is broken");
  // The subprotocol carries the version: whoever does not ask for it speaks something else.
  const std::string_view offered = request.header("Sec-WebSocket-Protocol");
  if (!is_bare_path(request.path, options) && !header_has_token(offered, options.subprotocol)) {
    return UpgradeFault{400,
                        {Code::kUnknownVersion, "the subprotocol must be " + options.subprotocol}};
  }
  if (!origin_allowed(request.header("Origin"), request.header("Host"), options.allowed_origins)) {
    return UpgradeFault{403, {Code::kForbidden, "pages of this origin may not connect"}};
  }
  return std::nullopt;
}

std::string ws_upgrade_response(std::string_view key, std::string_view subprotocol) {
  std::string out =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: ";
  out.append(ws_accept_of(key)).append("\r\n");
  if (!subprotocol.empty()) {
    out.append("Sec-WebSocket-Protocol: ").append(subprotocol).append("\r\n");
  }
  return out.append("\r\n");
}

std::string ws_upgrade_request(const WsUpgradeRequest& request) {
  std::string out = "GET ";
  out.append(request.path).append(" HTTP/1.1\r\nHost: ").append(request.host);
  out.append("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
  out.append("Sec-WebSocket-Key: ").append(request.key).append("\r\n");
  if (!request.subprotocol.empty()) {
    out.append("Sec-WebSocket-Protocol: ").append(request.subprotocol).append("\r\n");
  }
  if (!request.origin.empty()) out.append("Origin: ").append(request.origin).append("\r\n");
  return out.append("\r\n");
}

}  // namespace footlight::net
