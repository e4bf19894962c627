#include "edge/api.h"

#include <array>

#include "core/json.h"
#include "proto/http_status.h"

namespace footlight::edge {
namespace {

constexpr std::array kRoutes = {
    ApiRouteInfo{ApiRoute::kEpisodes, "GET", "/v1/episodes", false},
    ApiRouteInfo{ApiRoute::kEpisode, "GET", "/v1/episodes/{id}", false},
    ApiRouteInfo{ApiRoute::kFigures, "GET", "/v1/episodes/{id}/figures", true},
    ApiRouteInfo{ApiRoute::kPolls, "GET", "/v1/episodes/{id}/polls", true},
    ApiRouteInfo{ApiRoute::kCommands, "POST", "/v1/episodes/{id}/commands", true},
    ApiRouteInfo{ApiRoute::kKick, "POST", "/v1/episodes/{id}/kick", true},
    ApiRouteInfo{ApiRoute::kOpenApi, "GET", "/v1/openapi.json", false},
};

constexpr std::string_view kHole = "{id}";

bool is_episode_id(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  for (const char c : text) {
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') return false;
  }
  return true;
}

bool fits(std::string_view pattern, std::string_view path, std::string_view& id) {
  const size_t hole = pattern.find(kHole);
  if (hole == std::string_view::npos) return pattern == path;
  const std::string_view head = pattern.substr(0, hole);
  const std::string_view tail = pattern.substr(hole + kHole.size());
  if (path.size() <= head.size() + tail.size() || !path.starts_with(head) ||
      !path.ends_with(tail)) {
    return false;
  }
  id = path.substr(head.size(), path.size() - head.size() - tail.size());
  return is_episode_id(id);
}

void write(JsonWriter& out, const EpisodeSummary& episode) {
  out.object().field("id", std::string_view(episode.id));
  out.field("title", std::string_view(episode.title));
  out.field("state", std::string_view(episode.state));
  out.field("mode", std::string_view(episode.mode));
  out.field("audience", episode.audience).end_object();
}

}  // namespace

std::span<const ApiRouteInfo> api_routes() { return kRoutes; }

Result<ApiMatch> match_api(std::string_view method, std::string_view path) {
  if (method == "HEAD") method = "GET";
  bool known = false;
  for (const ApiRouteInfo& info : kRoutes) {
    std::string_view id;
    if (!fits(info.pattern, path, id)) continue;
    known = true;
    if (info.method == method) return ApiMatch{&info, std::string(id)};
  }
  return fail(known ? Code::kMethodNotAllowed : Code::kNotFound);
}

ApiAnswer api_error(const Error& error) {
  return {proto::http_status(error.code), proto::error_json(error), error.retry_after_ms};
}

ApiAnswer api_episode(const EpisodeSummary& episode) {
  ApiAnswer answer;
  JsonWriter out(answer.body);
  write(out, episode);
  return answer;
}

ApiAnswer api_episodes(std::span<const EpisodeSummary> episodes) {
  ApiAnswer answer;
  JsonWriter out(answer.body);
  out.object().key("episodes").array();
  for (const EpisodeSummary& episode : episodes) write(out, episode);
  out.end_array().end_object();
  return answer;
}

}  // namespace footlight::edge
