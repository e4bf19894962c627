#include "edge/http_api.h"

#include <algorithm>

#include "edge/http_api_media.h"
#include "edge/http_program.h"
#include "edge/node_shard.h"
#include "net/http.h"
#include "proto/http_status.h"

namespace footlight::edge {
namespace {

constexpr std::string_view kSessions = "/v1/sessions";
constexpr std::string_view kJson = "application/json";

// Asks each shard on its own thread; the last to answer calls `done`.
template <class Part>
void gather(const std::vector<NodeShard*>& shards, std::function<Part(NodeShard&)> ask,
            std::move_only_function<void(std::vector<Part>)> done) {
  struct State {
    std::vector<Part> parts;
    std::atomic<size_t> missing;
    std::function<Part(NodeShard&)> ask;
    std::move_only_function<void(std::vector<Part>)> done;
  };
  auto state = std::make_shared<State>();
  state->parts.resize(shards.size());
  state->missing = shards.size();
  state->ask = std::move(ask);
  state->done = std::move(done);
  for (size_t i = 0; i < shards.size(); ++i) {
    shards[i]->shard().post([state, i, shard = shards[i]] {
      state->parts[i] = state->ask(*shard);
      if (--state->missing == 0) state->done(std::move(state->parts));
    });
  }
}

net::HttpResponse text_response(std::string body, std::string type = "text/plain; charset=utf-8") {
  net::HttpResponse response;
  response.content_type = std::move(type);
  response.body = std::move(body);
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

void add_hints(net::HttpResponse& response, uint32_t retry_after_ms) {
  // RFC 9110 section 15.5.2, RFC 6750 section 3.
  if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (retry_after_ms == 0) return;
  response.headers.emplace_back("Retry-After", std::to_string((retry_after_ms + 999) / 1000));
}

net::HttpResponse response_of(ApiAnswer answer, net::HeaderList headers) {
  net::HttpResponse response = text_response(std::move(answer.body), std::string(kJson));
  response.status = answer.status;
  add_hints(response, answer.retry_after_ms);
  response.headers.insert(response.headers.end(), headers.begin(), headers.end());
  return response;
}

std::string_view bearer_of(const net::HttpRequest& request) {
  const std::string_view value = request.header("Authorization");
  constexpr std::string_view kScheme = "Bearer ";
  if (!net::equals_ignoring_case(value.substr(0, kScheme.size()), kScheme)) return "";
  return value.substr(kScheme.size());
}

// RFC 9110 section 15.5.6: a 405 says what is allowed.
std::string allowed_methods(std::string_view path) {
  std::string out;
  for (const std::string_view method : {"GET", "POST", "PUT", "DELETE"}) {
    if (!match_api(method, path)) continue;
    out += (out.empty() ? "" : ", ") + std::string(method);
  }
  return out;
}

}  // namespace

void HttpApi::begin(std::vector<NodeShard*> shards, std::vector<NodeEpisode*> episodes) {
  shards_ = std::move(shards);
  episodes_ = std::move(episodes);
}

net::HttpResponse HttpApi::error(const Error& error) {
  net::HttpResponse response = text_response(proto::error_json(error), std::string(kJson));
  response.status = proto::http_status(error.code);
  add_hints(response, error.retry_after_ms);
  return response;
}

std::string HttpApi::client_ip(const net::HttpRequest& request) const {
  if (!options_.trust_forwarded) return request.peer_ip;
  // The last entry is what our own proxy saw; those before it are the client's word.
  std::string_view list = request.header("X-Forwarded-For");
  list = list.substr(list.rfind(',') + 1);
  while (list.starts_with(' ')) list.remove_prefix(1);
  while (list.ends_with(' ')) list.remove_suffix(1);
  return list.empty() ? request.peer_ip : std::string(list);
}

net::HeaderList HttpApi::cors_headers(const net::HttpRequest& request) const {
  const std::string_view origin = request.header("Origin");
  if (origin.empty() ||
      !net::origin_allowed(origin, request.header("Host"), options_.allowed_origins)) {
    return {};
  }
  return {{"Access-Control-Allow-Origin", std::string(origin)}, {"Vary", "Origin"}};
}

bool HttpApi::origin_is_allowed(const net::HttpRequest& request) const {
  return net::origin_allowed(request.header("Origin"), request.header("Host"),
                             options_.allowed_origins);
}

Result<gate::Claims> HttpApi::identify(const net::HttpRequest& request,
                                       std::string_view episode) const {
  if (find(episode) == nullptr) return fail(Code::kEpisodeUnknown, std::string(episode));
  const auto keys = keys_.load();
  auto claims = gate::verify_token(bearer_of(request), *keys, options_.clock->wall_ms() / 1000);
  if (!claims) return claims;
  if (auto status = gate::check_episode(*claims, episode); !status) {
    return std::unexpected(status.error());
  }
  return claims;
}

NodeEpisode* HttpApi::find(std::string_view episode) const {
  const auto found = std::ranges::find(episodes_, episode, &NodeEpisode::id);
  return found == episodes_.end() ? nullptr : *found;
}

net::Shard& HttpApi::home_of(const NodeEpisode& episode) const {
  return shards_[episode.shard_index()]->shard();
}

void HttpApi::handle(NodeShard& shard, net::HttpRequest request, net::Responder responder) {
  const std::string_view path = request.path;
  if (program_ && HttpProgram::takes(path)) {
    return program_->handle(shard.shard(), request, std::move(responder));
  }
  if (handle_shell(shard, request, responder)) return;
  if (!path.starts_with("/v1/")) return handle_file(request, std::move(responder));
  if (media_ && HttpMedia::takes(path)) {
    return media_->handle(std::move(request), std::move(responder));
  }
  if (request.method == "OPTIONS") return preflight(request, std::move(responder));
  if (path == kSessions || path.starts_with("/v1/sessions/")) {
    return handle_sessions(shard, std::move(request), std::move(responder));
  }
  handle_api(request, std::move(responder));
}

// What stands outside /v1, and /v1/dev. True when answered.
bool HttpApi::handle_shell(NodeShard&, const net::HttpRequest& request, net::Responder& responder) {
  const std::string_view path = request.path;
  const std::string dev_links = path == "/v1/dev/links" ? options_.dev_links() : std::string();
  if (path != "/healthz" && path != "/readyz" && path != "/metrics" && dev_links.empty()) {
    return false;
  }
  if (request.method != "GET" && request.method != "HEAD") {
    net::HttpResponse response = error({Code::kMethodNotAllowed, ""});
    response.headers.emplace_back("Allow", "GET, HEAD");
    responder.send(std::move(response));
  } else if (!dev_links.empty()) {
    responder.send(text_response(dev_links, std::string(kJson)));
  } else if (path == "/healthz") {
    responder.send(text_response("ok\n"));
  } else if (path == "/readyz") {
    responder.send(readiness());
  } else {
    answer_metrics(std::move(responder));
  }
  return true;
}

net::HttpResponse HttpApi::readiness() const {
  if (draining_) return error({Code::kDraining, "", 2'000});
  const auto live = [](const NodeEpisode* episode) { return episode->halted() == Code::kOk; };
  if (episodes_.empty() || std::ranges::any_of(episodes_, live)) return text_response("ready\n");
  net::HttpResponse response = error({episodes_.front()->halted(), ""});
  response.status = 503;  // whatever the code's own is: 503 is what balancers look for
  return response;
}

void HttpApi::answer_metrics(net::Responder responder) {
  struct Part {
    EdgeMetrics edge;
    std::vector<OwnerMetrics> owners;
  };
  gather<Part>(
      shards_,
      [](NodeShard& shard) {
        Part part{shard.edge().metrics(), {}};
        for (NodeEpisode* episode : shard.owned())
          part.owners.push_back(episode->owner().metrics());
        return part;
      },
      [this, responder = std::move(responder)](std::vector<Part> parts) mutable {
        std::vector<EdgeMetrics> edges;
        std::vector<OwnerMetrics> owners;
        for (Part& part : parts) {
          edges.push_back(std::move(part.edge));
          std::ranges::move(part.owners, std::back_inserter(owners));
        }
        std::string text = render_metrics(edges, owners, options_.process_metrics());
        responder.send(text_response(text + options_.shell_metrics(),
                                     "text/plain; version=0.0.4; charset=utf-8"));
      });
}

void HttpApi::answer_episodes(net::HeaderList headers, net::Responder responder) {
  using Part = std::vector<EpisodeSummary>;
  gather<Part>(
      shards_,
      [](NodeShard& shard) {
        Part part;
        for (NodeEpisode* episode : shard.owned()) part.push_back(episode->owner().summary());
        return part;
      },
      [headers = std::move(headers),
       responder = std::move(responder)](std::vector<Part> parts) mutable {
        std::vector<EpisodeSummary> all;
        for (Part& part : parts) std::ranges::move(part, std::back_inserter(all));
        std::ranges::sort(all, {}, &EpisodeSummary::id);
        responder.send(response_of(api_episodes(all), std::move(headers)));
      });
}

void HttpApi::preflight(const net::HttpRequest& request, net::Responder responder) {
  net::HttpResponse response;
  response.status = 204;
  response.headers = cors_headers(request);
  if (response.headers.empty()) return responder.send(error({Code::kForbidden, "this origin"}));
  response.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST");
  response.headers.emplace_back("Access-Control-Allow-Headers",
                                "authorization, content-type, traceparent");
  response.headers.emplace_back("Access-Control-Max-Age", "86400");
  responder.send(std::move(response));
}

void HttpApi::handle_sessions(NodeShard& shard, net::HttpRequest request,
                              net::Responder responder) {
  net::HeaderList headers = cors_headers(request);
  const auto refuse = [&](Error why) {
    net::HttpResponse response = error(why);
    if (why.code == Code::kMethodNotAllowed) response.headers.emplace_back("Allow", "POST");
    response.headers.insert(response.headers.end(), headers.begin(), headers.end());
    responder.send(std::move(response));
  };
  if (request.method != "POST") return refuse({Code::kMethodNotAllowed, ""});
  if (!net::origin_allowed(request.header("Origin"), request.header("Host"),
                           options_.allowed_origins)) {
    return refuse({Code::kForbidden, "pages of this origin may not connect"});
  }
  if (request.path == kSessions) {
    if (draining_) return refuse({Code::kDraining, "", 2'000});
    return shard.open_stream(request, std::move(responder));
  }
  std::string sid = request.path.substr(kSessions.size() + 1);
  const size_t home = shard_of_sid(sid, shards_.size());
  if (home == shards_.size()) return refuse({Code::kUnknownSession, ""});
  const auto answer = [](NodeShard& at, std::string_view sid, std::string_view body,
                         net::HeaderList headers, net::Responder responder) {
    net::HttpResponse response;
    response.status = 204;
    if (!at.post_to_stream(sid, body)) response = error({Code::kUnknownSession, ""});
    response.headers.insert(response.headers.end(), headers.begin(), headers.end());
    responder.send(std::move(response));
  };
  NodeShard& target = *shards_[home];
  if (&target == &shard) {
    return answer(shard, sid, request.body, std::move(headers), std::move(responder));
  }
  target.shard().post([&target, answer, sid = std::move(sid), body = std::move(request.body),
                       headers = std::move(headers), responder = std::move(responder)]() mutable {
    answer(target, sid, body, std::move(headers), std::move(responder));
  });
}

Result<ApiCall> HttpApi::authorize(const net::HttpRequest& request, const ApiMatch& match,
                                   const NodeEpisode& episode) const {
  ApiCall call;
  call.route = match.info->route;
  call.traceparent = request.header("traceparent");
  if (!match.info->needs_producer) return call;
  const auto claims = identify(request, episode.id());
  if (!claims) return std::unexpected(claims.error());
  const bool says_captions = claims->captions && call.route == ApiRoute::kCommands;
  if (claims->role != proto::Role::kProducer && !says_captions) {
    return fail(Code::kForbidden, "the API is the producer's");
  }
  call.who = gate::pseudonym(episode.voter_key(), claims->sub);
  call.name = claims->name;
  call.role = claims->role;
  return call;
}

void HttpApi::handle_api(const net::HttpRequest& request, net::Responder responder) {
  net::HeaderList headers = cors_headers(request);
  const auto refuse = [&](const Error& why) {
    net::HttpResponse response = response_of(api_error(why), headers);
    if (why.code == Code::kMethodNotAllowed) {
      response.headers.emplace_back("Allow", allowed_methods(request.path));
    }
    responder.send(std::move(response));
  };
  const auto match = match_api(request.method, request.path);
  if (!match) return refuse(match.error());
  if (match->info->route == ApiRoute::kOpenApi) {
    return responder.send(response_of({.body = std::string(openapi_json())}, headers));
  }
  if (match->info->route == ApiRoute::kEpisodes) {
    return answer_episodes(std::move(headers), std::move(responder));
  }
  if (request.body.size() > kMaxApiBodyBytes) return refuse({Code::kFrameTooLarge, ""});
  NodeEpisode* episode = find(match->episode);
  if (episode == nullptr) return refuse({Code::kEpisodeUnknown, match->episode});
  auto call = authorize(request, *match, *episode);
  if (!call) return refuse(call.error());
  call->body = request.body;
  call->board = match->board;
  call->at = net::query_value(request.query(), "at").value_or("");
  // ApiReply is copyable, a Responder is not: whoever calls first has it.
  auto shared = std::make_shared<net::Responder>(std::move(responder));
  const auto reply = [shared, headers](ApiAnswer answer) {
    shared->send(response_of(std::move(answer), headers));
  };
  const ApiRoute route = call->route;
  if (route == ApiRoute::kProgramPush) {
    return reply({.body = program_->push_json(episode->id())});
  }
  if (route >= ApiRoute::kMediaFigures && route <= ApiRoute::kProgramRestart) {
    if (!media_) return reply(api_error({Code::kMediaOff, "", 0}));
    return media_->node().api(std::move(*call), episode->id(), reply);
  }
  home_of(*episode).post([episode, call = std::move(*call), shared, headers = std::move(headers)] {
    episode->owner().api(call, [shared, headers](ApiAnswer answer) {
      shared->send(response_of(std::move(answer), headers));
    });
  });
}

void HttpApi::handle_file(const net::HttpRequest& request, net::Responder responder) {
  const auto files = files_.load();
  if (files) {
    if (auto response = files->find(request)) return responder.send(std::move(*response));
  }
  const bool read = request.method == "GET" || request.method == "HEAD";
  net::HttpResponse response = error({read ? Code::kNotFound : Code::kMethodNotAllowed, ""});
  if (!read) response.headers.emplace_back("Allow", "GET, HEAD");
  responder.send(std::move(response));
}

}  // namespace footlight::edge
