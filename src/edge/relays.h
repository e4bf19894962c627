// The TURN relays of a node: which are handed out to whom, with what credentials (docs/media.md,
// Relays). The relays are asked by the shell (node_relays.h) whether they work; those that do not
// are handed out to nobody until they do again.
//
// A table is immutable: the shell puts another in its place when something changed. Any thread.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "proto/media_messages.h"

namespace footlight::edge {

// "turn:HOST[:PORT][?transport=udp|tcp]", "turns:..." (RFC 7065).
struct RelayUrl {
  std::string host;
  uint16_t port = 3478;  // turns: 5349
  bool tls = false, tcp = false;
};
std::optional<RelayUrl> parse_relay_url(std::string_view url);

struct Relay {
  std::vector<std::string> urls;
  std::string secret;  // shared with the relay
  std::string region;
  int64_t priority = 0;  // the higher is handed out first
};

// What came of asking one.
struct RelayState {
  bool asked = false;
  bool works = true;  // until it is known
  std::string why;    // it does not
  uint64_t rtt_us = 0;
  WallMs at_ms = 0;  // of the last answer, or of the last question without one
};

struct RelayTable {
  static constexpr size_t kMostHandedOut = 3;  // a browser tries all, and is slow with many

  std::vector<Relay> relays;
  std::vector<RelayState> states;  // as many
  std::string region;              // relays of this one come first
  uint32_t lifetime_s = 21'600;    // of credentials

  // For the person `who`: a STUN server, then relays that work, the best first, at most
  // kMostHandedOut. `wall_s`: Unix seconds.
  std::vector<proto::IceServer> servers(uint64_t who, int64_t wall_s) const;
  // How they are, as JSON: {"relays":[{"urls":[...],"region":...,"priority":...,"works":...}]}.
  std::string json() const;
};

class RelaySource {
 public:
  virtual ~RelaySource() = default;
  virtual std::shared_ptr<const RelayTable> table() const = 0;  // any thread; never null
};

// As RFC 9725 section 4.6 writes one in a header: `<turn:...>; rel="ice-server"; username="...";
// ...`.
std::vector<std::string> ice_server_links(const std::vector<proto::IceServer>& servers);

}  // namespace footlight::edge
