#include "edge/relays.h"

#include <algorithm>
#include <charconv>

#include "core/bytes.h"
#include "core/json.h"
#include "rtc/turn.h"

namespace footlight::edge {
namespace {

constexpr uint16_t kTlsPort = 5349;

bool is_host(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':';
  });
}

bool take_port(std::string_view text, uint16_t& port) {
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), port);
  return fault == std::errc() && end == text.data() + text.size() && port != 0;
}

}  // namespace

std::optional<RelayUrl> parse_relay_url(std::string_view url) {
  RelayUrl out;
  out.tls = url.starts_with("turns:");
  if (!out.tls && !url.starts_with("turn:")) return std::nullopt;
  url.remove_prefix(out.tls ? 6 : 5);
  if (out.tls) out.port = kTlsPort;
  out.tcp = out.tls;
  if (const size_t query = url.find('?'); query != url.npos) {
    const std::string_view transport = url.substr(query);
    if (transport != "?transport=udp" && transport != "?transport=tcp") return std::nullopt;
    out.tcp = transport.ends_with("tcp");
    url = url.substr(0, query);
  }
  if (url.starts_with('[')) {
    const size_t end = url.find(']');
    if (end == url.npos) return std::nullopt;
    out.host = url.substr(1, end - 1);
    url.remove_prefix(end + 1);
  } else {
    const size_t colon = std::min(url.find(':'), url.size());
    out.host = url.substr(0, colon);
    url.remove_prefix(colon);
  }
  if (!url.empty() && (url[0] != ':' || !take_port(url.substr(1), out.port))) return std::nullopt;
  return is_host(out.host) ? std::optional(out) : std::nullopt;
}

std::vector<proto::IceServer> RelayTable::servers(uint64_t who, int64_t wall_s) const {
  std::vector<size_t> order;
  for (size_t i = 0; i < relays.size(); ++i) {
    if (states[i].works) order.push_back(i);
  }
  const auto here = [this](size_t i) { return !region.empty() && relays[i].region == region; };
  std::ranges::stable_sort(order, [&](size_t a, size_t b) {
    return here(a) != here(b) ? here(a) : relays[a].priority > relays[b].priority;
  });
  if (order.size() > kMostHandedOut) order.resize(kMostHandedOut);
  std::vector<proto::IceServer> out;
  for (const size_t i : order) {
    const auto made =
        rtc::turn_credentials(relays[i].secret, hex_u64(who), wall_s + int64_t{lifetime_s});
    out.push_back({relays[i].urls, made.username, made.password});
  }
  // A TURN server over UDP is a STUN server, too (RFC 8656 section 3).
  for (const size_t i : order) {
    for (const std::string& url : relays[i].urls) {
      const auto parsed = parse_relay_url(url);
      if (!parsed || parsed->tcp) continue;
      const std::string stun = "stun:" + url.substr(5, url.find('?') - 5);
      out.insert(out.begin(), proto::IceServer{{stun}, {}, {}});
      return out;
    }
  }
  return out;
}

std::string RelayTable::json() const {
  std::string text;
  JsonWriter json(text);
  json.object().key("relays").array();
  for (size_t i = 0; i < relays.size(); ++i) {
    const RelayState& state = states[i];
    json.object().key("urls").array();
    for (const std::string& url : relays[i].urls) json.value(std::string_view(url));
    json.end_array().field("region", std::string_view(relays[i].region));
    json.field("priority", relays[i].priority).field("asked", state.asked);
    json.field("works", state.works).field("why", std::string_view(state.why));
    json.field("rtt_us", state.rtt_us).field("at_ms", state.at_ms).end_object();
  }
  json.end_array().end_object();
  return text;
}

std::vector<std::string> ice_server_links(const std::vector<proto::IceServer>& servers) {
  std::vector<std::string> out;
  for (const proto::IceServer& server : servers) {
    for (const std::string& url : server.urls) {
      std::string link = "<" + url + ">; rel=\"ice-server\"";
      if (!server.username.empty()) {
        link += "; username=\"" + server.username + "\"; credential=\"" + server.credential +
                "\"; credential-type=\"password\"";
      }
      out.push_back(std::move(link));
    }
  }
  return out;
}

}  // namespace footlight::edge
