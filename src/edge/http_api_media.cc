#include "edge/http_api_media.h"

#include <algorithm>
#include <utility>

#include "edge/http_api.h"
#include "edge/node_episode.h"
#include "net/http.h"

namespace footlight::edge {
namespace {

constexpr std::string_view kSdp = "application/sdp";
constexpr std::string_view kFragment = "application/trickle-ice-sdpfrag";
constexpr std::string_view kAllowed[] = {"OPTIONS, POST", "DELETE, OPTIONS, PATCH"};

std::string_view name_of(MediaUse use) { return use == MediaUse::kPublish ? "whip" : "whep"; }

bool has_type(const net::HttpRequest& request, std::string_view type) {
  std::string_view value = request.header("Content-Type");
  value = value.substr(0, value.find(';'));
  while (value.ends_with(' ')) value.remove_suffix(1);
  return net::equals_ignoring_case(value, type);
}

net::HttpResponse refusal(const Error& why, const net::HeaderList& headers) {
  net::HttpResponse response = HttpApi::error(why);
  response.headers.insert(response.headers.end(), headers.begin(), headers.end());
  return response;
}

net::HttpResponse wrong_type(std::string_view wanted, const net::HeaderList& headers) {
  net::HttpResponse response =
      refusal({Code::kBadRequest, "the content type must be " + std::string(wanted)}, headers);
  response.status = 415;
  return response;
}

}  // namespace

Result<HttpMedia::Address> HttpMedia::address_of(std::string_view path) {
  Address address;
  address.use = path.starts_with("/v1/whip/") ? MediaUse::kPublish : MediaUse::kWatch;
  path.remove_prefix(std::string_view("/v1/whip/").size());
  const size_t slash = path.find('/');
  address.episode = path.substr(0, slash);
  if (slash != std::string_view::npos) {
    address.session = path.substr(slash + 1);
    if (address.session.empty() || address.session.contains('/')) return fail(Code::kNotFound);
  }
  return address;
}

void HttpMedia::handle(net::HttpRequest request, net::Responder responder) {
  net::HeaderList headers = api_.cors_headers(request);
  if (!headers.empty()) {
    headers.emplace_back("Access-Control-Expose-Headers", "Accept-Patch, ETag, Link, Location");
  }
  const bool foreign = headers.empty() && !api_.origin_is_allowed(request);
  if (request.path.starts_with(kRelays)) {
    return answer_relays(request, std::move(headers), std::move(responder));
  }
  const auto address = address_of(request.path);
  if (!address) return responder.send(refusal(address.error(), headers));
  if (foreign) {
    return responder.send(
        refusal({Code::kForbidden, "pages of this origin may not connect"}, headers));
  }
  const bool endpoint = address->session.empty();
  if (request.method == "OPTIONS") {
    return responder.send(preflight(request, *address, std::move(headers)));
  }
  if (endpoint && request.method == "POST") {
    return open(request, *address, std::move(headers), std::move(responder));
  }
  if (!endpoint && request.method == "PATCH") {
    return patch(std::move(request), *address, std::move(headers), std::move(responder));
  }
  if (!endpoint && request.method == "DELETE") {
    return close(*address, std::move(headers), std::move(responder));
  }
  net::HttpResponse response = refusal({Code::kMethodNotAllowed, ""}, headers);
  response.headers.emplace_back("Allow", kAllowed[endpoint ? 0 : 1]);
  responder.send(std::move(response));
}

// RFC 9725 section 4.6.
void HttpMedia::add_relays(net::HttpResponse& response, uint64_t who) const {
  const auto servers = relays_.table()->servers(who, clock_.wall_ms() / 1000);
  for (std::string& link : ice_server_links(servers)) {
    response.headers.emplace_back("Link", std::move(link));
  }
}

void HttpMedia::answer_relays(const net::HttpRequest& request, net::HeaderList headers,
                              net::Responder responder) const {
  net::HttpResponse response;
  const std::string_view episode = std::string_view(request.path).substr(kRelays.size());
  const auto claims = api_.identify(request, episode);
  if (request.method == "OPTIONS") {
    response.status = 204;
    if (!headers.empty()) {
      headers.emplace_back("Access-Control-Allow-Methods", "GET");
      headers.emplace_back("Access-Control-Allow-Headers", "authorization");
    }
  } else if (request.method != "GET") {
    response = HttpApi::error({Code::kMethodNotAllowed, ""});
    response.headers.emplace_back("Allow", "GET, OPTIONS");
  } else if (!claims) {
    response = HttpApi::error(claims.error());
  } else {
    response.body = relays_.table()->json();
    response.content_type = "application/json";
    response.headers.emplace_back("Cache-Control", "no-store");
  }
  response.headers.insert(response.headers.end(), headers.begin(), headers.end());
  responder.send(std::move(response));
}

net::HttpResponse HttpMedia::preflight(const net::HttpRequest& request, const Address& address,
                                       net::HeaderList headers) const {
  net::HttpResponse response;
  response.status = 204;
  const bool endpoint = address.session.empty();
  if (!headers.empty()) {
    headers.emplace_back("Access-Control-Allow-Methods", kAllowed[endpoint ? 0 : 1]);
    headers.emplace_back("Access-Control-Allow-Headers", "authorization, content-type, if-match");
    headers.emplace_back("Access-Control-Max-Age", "86400");
  }
  if (endpoint) headers.emplace_back("Accept-Post", kSdp);
  response.headers = std::move(headers);
  // A browser's preflight has no token; whoever asks with one is told the relays before the offer.
  if (endpoint) {
    const auto claims = api_.identify(request, address.episode);
    if (claims) {
      add_relays(response, gate::pseudonym(api_.find(address.episode)->voter_key(), claims->sub));
    }
  }
  return response;
}

// Who asks, and whether he may.
Result<MediaRequest> HttpMedia::judge(const net::HttpRequest& request,
                                      const Address& address) const {
  if (api_.draining()) return fail(Code::kDraining, "", 2'000);
  const auto claims = api_.identify(request, address.episode);
  if (!claims) return std::unexpected(claims.error());
  MediaRequest made;
  made.use = address.use;
  made.episode = address.episode;
  made.who = gate::pseudonym(api_.find(address.episode)->voter_key(), claims->sub);
  made.name = claims->name;
  made.role = claims->role;
  made.grants = gate::media_grants(*claims);
  made.label = net::query_value(request.query(), "label").value_or("");
  if (made.label.size() > Media::kMaxLabelBytes) return fail(Code::kBadRequest, "label");
  const int64_t left_ms =
      (claims->expires_s + gate::kClockSkewS) * 1000 - static_cast<int64_t>(clock_.wall_ms());
  constexpr int64_t kMostMs = int64_t{365} * 24 * 3600 * 1000;
  made.until = clock_.now_us() + std::clamp<int64_t>(left_ms, 0, kMostMs) * kUsPerMs;
  return made;
}

void HttpMedia::open(const net::HttpRequest& request, const Address& address,
                     net::HeaderList headers, net::Responder responder) {
  auto judged = judge(request, address);
  if (!judged) return responder.send(refusal(judged.error(), headers));
  if (!has_type(request, kSdp)) return responder.send(wrong_type(kSdp, headers));
  NodeEpisode* episode = api_.find(judged->episode);
  api_.at_home(*episode, [this, episode, judged = std::move(*judged), offer = request.body,
                          headers = std::move(headers),
                          responder = std::move(responder)]() mutable {
    const episode::Actor actor{judged.who, judged.role, judged.name, {}};
    const auto allowed = episode::may_join(episode->owner().state(), actor);
    if (!allowed) return responder.send(refusal(allowed.error(), headers));
    NodeMediaShard& home = media_.settle(judged.episode);
    auto open = [this, offer = std::move(offer), headers = std::move(headers),
                 responder = std::move(responder)](Media& media, MediaRequest& request) mutable {
      answer(media, request, offer, std::move(headers), std::move(responder));
    };
    home.shard().post([&home, judged = std::move(judged), open = std::move(open)]() mutable {
      home.place(std::move(judged), std::move(open));
    });
  });
}

// On the thread of the media.
void HttpMedia::answer(Media& media, const MediaRequest& judged, std::string_view offer,
                       net::HeaderList headers, net::Responder responder) {
  auto answer = media.open(judged, offer, clock_.now_us());
  if (!answer) return responder.send(refusal(answer.error(), headers));
  net::HttpResponse response;
  response.status = 201;
  response.content_type = kSdp;
  response.body = std::move(answer->sdp);
  response.headers = std::move(headers);
  response.headers.emplace_back("Location", "/v1/" + std::string(name_of(judged.use)) + "/" +
                                                judged.episode + "/" + answer->id);
  response.headers.emplace_back("ETag", answer->etag);
  response.headers.emplace_back("Accept-Patch", kFragment);
  response.headers.emplace_back("Cache-Control", "no-store");
  add_relays(response, judged.who);
  responder.send(std::move(response));
}

void HttpMedia::patch(net::HttpRequest request, Address address, net::HeaderList headers,
                      net::Responder responder) {
  if (!has_type(request, kFragment)) return responder.send(wrong_type(kFragment, headers));
  if (request.header("If-Match").empty()) {  // RFC 9725 section 4.3.1
    net::HttpResponse response = refusal(
        {Code::kSdpState, "If-Match must name the ICE generation: its ETag, or *"}, headers);
    response.status = 428;
    return responder.send(std::move(response));
  }
  NodeMediaShard& at = media_.of_session(address.session, address.episode);
  at.shard().post([this, &at, address = std::move(address),
                   etag = std::string(request.header("If-Match")),
                   fragment = std::move(request.body), headers = std::move(headers),
                   responder = std::move(responder)]() mutable {
    auto answer = at.media().patch(address.episode, address.use, address.session, etag, fragment,
                                   clock_.now_us());
    if (!answer) return responder.send(refusal(answer.error(), headers));
    net::HttpResponse response;
    response.status = answer->sdp.empty() ? 204 : 200;
    response.headers = std::move(headers);
    response.headers.emplace_back("ETag", answer->etag);
    if (!answer->sdp.empty()) {
      response.content_type = kFragment;
      response.body = std::move(answer->sdp);
    }
    responder.send(std::move(response));
  });
}

void HttpMedia::close(Address address, net::HeaderList headers, net::Responder responder) {
  NodeMediaShard& at = media_.of_session(address.session, address.episode);
  at.shard().post([this, &at, address = std::move(address), headers = std::move(headers),
                   responder = std::move(responder)]() mutable {
    const auto closed =
        at.media().close(address.episode, address.use, address.session, clock_.now_us());
    if (!closed) return responder.send(refusal(closed.error(), headers));
    net::HttpResponse response;
    response.headers = std::move(headers);
    responder.send(std::move(response));
  });
}

}  // namespace footlight::edge
