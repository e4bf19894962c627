// The opening handshake of a WebSocket (RFC 6455 section 4), both sides.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "net/asio/server.h"

namespace footlight::net {

struct UpgradeFault {
  int status = 400;
  Error error;
};
// Whether a WebSocket at this address needs no subprotocol.
bool is_bare_path(std::string_view path, const ServerOptions& options);
// nullopt: the handshake is in order.
std::optional<UpgradeFault> check_ws_upgrade(const HttpRequest& request,
                                             const ServerOptions& options);
std::string ws_upgrade_response(std::string_view key, std::string_view subprotocol);

// base64(SHA-1(key + GUID)).
std::string ws_accept_of(std::string_view key);

// The client's half. `key` is 16 random bytes.
struct WsUpgradeRequest {
  std::string_view host;  // the Host header
  std::string_view path;
  std::string_view subprotocol;
  std::string_view origin;
  std::string key;  // base64
};
std::string ws_upgrade_request(const WsUpgradeRequest& request);
std::string base64(std::string_view bytes);

}  // namespace footlight::net
