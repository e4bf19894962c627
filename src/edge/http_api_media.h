// Signaling of media over HTTP: WHIP (RFC 9725) to publish, WHEP (draft-ietf-wish-whep) to watch.
//
//   POST   /v1/whip/EPISODE[?label=NAME]   an offer that sends → 201, the answer, the session's
//   address POST   /v1/whep/EPISODE                an offer that receives → the same PATCH
//   /v1/whip|whep/EPISODE/SESSION   a fragment: trickled candidates → 204; an ICE restart → 200
//   DELETE /v1/whip|whep/EPISODE/SESSION   the end
//   OPTIONS                                what a page of another origin may do, and the relays
//   GET    /v1/relays/EPISODE              how the relays are; with a token
//
// A POST needs the bearer token of the episode, of somebody who is not banned: every role may
// watch; producers, game masters and players may publish, unless the token says otherwise. Whoever
// knows the session's address may patch and end it: it holds at least 116 random bits.
// docs/media.md is for those who connect something.
//
// Any shard's thread; the work is done where the episode's media are at home, or the session is.
#pragma once
#include <string>
#include <string_view>

#include "edge/node_media.h"
#include "edge/relays.h"
#include "net/asio/server.h"

namespace footlight::edge {

class HttpApi;

class HttpMedia {
 public:
  HttpMedia(const HttpApi& api, NodeMedia& media, const RelaySource& relays, const Clock& clock)
      : api_(api), media_(media), relays_(relays), clock_(clock) {}

  static bool takes(std::string_view path) {
    return path.starts_with("/v1/whip/") || path.starts_with("/v1/whep/") ||
           path.starts_with(kRelays);
  }
  void handle(net::HttpRequest request, net::Responder responder);
  NodeMedia& node() { return media_; }

 private:
  struct Address {
    MediaUse use = MediaUse::kWatch;
    std::string episode, session;  // session "": the endpoint
  };
  static Result<Address> address_of(std::string_view path);
  Result<MediaRequest> judge(const net::HttpRequest& request, const Address& address) const;
  static constexpr std::string_view kRelays = "/v1/relays/";
  net::HttpResponse preflight(const net::HttpRequest& request, const Address& address,
                              net::HeaderList headers) const;
  void answer_relays(const net::HttpRequest& request, net::HeaderList headers,
                     net::Responder responder) const;
  void add_relays(net::HttpResponse& response, uint64_t who) const;
  void open(const net::HttpRequest& request, const Address& address, net::HeaderList headers,
            net::Responder responder);
  void answer(Media& media, const MediaRequest& judged, std::string_view offer,
              net::HeaderList headers, net::Responder responder);
  void patch(net::HttpRequest request, Address address, net::HeaderList headers,
             net::Responder responder);
  void close(Address address, net::HeaderList headers, net::Responder responder);

  const HttpApi& api_;
  NodeMedia& media_;
  const RelaySource& relays_;
  const Clock& clock_;
};

}  // namespace footlight::edge
