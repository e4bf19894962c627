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
    ApiRouteInfo{ApiRoute::kBoards, "GET", "/v1/episodes/{id}/boards", true},
    ApiRouteInfo{ApiRoute::kBoardHistory, "GET", "/v1/episodes/{id}/boards/{board}/history", true},
    ApiRouteInfo{ApiRoute::kBoardRestore, "POST", "/v1/episodes/{id}/boards/{board}/restore", true},
    ApiRouteInfo{ApiRoute::kBoardRenew, "POST", "/v1/episodes/{id}/boards/{board}/renew", true},
    ApiRouteInfo{ApiRoute::kBoard, "GET", "/v1/episodes/{id}/boards/{board}", true},
    ApiRouteInfo{ApiRoute::kMediaFigures, "GET", "/v1/episodes/{id}/media", true},
    ApiRouteInfo{ApiRoute::kRecording, "GET", "/v1/episodes/{id}/recording", true},
    ApiRouteInfo{ApiRoute::kRecord, "POST", "/v1/episodes/{id}/recording", true},
    ApiRouteInfo{ApiRoute::kProgram, "GET", "/v1/episodes/{id}/program", true},
    ApiRouteInfo{ApiRoute::kProgramLayout, "POST", "/v1/episodes/{id}/program/layout", true},
    ApiRouteInfo{ApiRoute::kProgramGain, "POST", "/v1/episodes/{id}/program/gain", true},
    ApiRouteInfo{ApiRoute::kProgramRestart, "POST", "/v1/episodes/{id}/program/restart", true},
    ApiRouteInfo{ApiRoute::kProgramPush, "GET", "/v1/episodes/{id}/program/push", true},
    ApiRouteInfo{ApiRoute::kOpenApi, "GET", "/v1/openapi.json", false},
};

bool is_episode_id(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  for (const char c : text) {
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') return false;
  }
  return true;
}

bool is_board_id(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '$') return false;
  }
  return true;
}

// Takes what stands before the next slash.
std::string_view take_part(std::string_view& path) {
  const size_t slash = path.find('/');
  const std::string_view part = path.substr(0, slash);
  path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  return part;
}

bool fits(std::string_view pattern, std::string_view path, ApiMatch& match) {
  while (!pattern.empty()) {
    if (path.empty()) return false;
    const std::string_view wanted = take_part(pattern);
    const std::string_view part = take_part(path);
    if (wanted == "{id}") {
      if (!is_episode_id(part)) return false;
      match.episode = part;
    } else if (wanted == "{board}") {
      if (!is_board_id(part)) return false;
      match.board = part;
    } else if (wanted != part) {
      return false;
    }
  }
  return path.empty();
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
    if (path.ends_with('/')) break;
    ApiMatch match;
    if (!fits(info.pattern, path, match)) continue;
    known = true;
    match.info = &info;
    if (info.method == method) return match;
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
