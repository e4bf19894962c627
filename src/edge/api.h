// The producer's HTTP API of an episode, without HTTP: what a request asks for (route), whether its
// bearer may, and, on the owner's thread, the answer. The document is docs/openapi.json.
//
//   GET  /v1/episodes                   summaries; no token
//   GET  /v1/episodes/{id}              summary; no token
//   GET  /v1/episodes/{id}/figures      producer
//   GET  /v1/episodes/{id}/polls        producer
//   POST /v1/episodes/{id}/commands     producer; {"k":"poll.open","a":{...}}; answers when
//   durable;
//                                       those of captions also by tokens that grant them
//   POST /v1/episodes/{id}/kick         producer; {"who":"16 hex"}
//   GET  /v1/episodes/{id}/boards                    producer
//   GET  /v1/episodes/{id}/boards/{board}?at=SEQ     producer; without `at` as it is now
//   GET  /v1/episodes/{id}/boards/{board}/history    producer
//   POST /v1/episodes/{id}/boards/{board}/restore    producer; {"at":SEQ}; answers when durable
//   GET  /v1/episodes/{id}/media                     producer; every session and track
//   GET  /v1/episodes/{id}/recording                 producer; the last recording
//   POST /v1/episodes/{id}/recording                 producer; {"on":true}
//   GET  /v1/episodes/{id}/program                   producer; how the program's compositor is
//   POST /v1/episodes/{id}/program/layout            producer; {"layout":"table"}
//   POST /v1/episodes/{id}/program/gain              producer; {"who":"0011..","gain_permille":800}
//   POST /v1/episodes/{id}/program/restart           producer
//   GET  /v1/episodes/{id}/program/push              producer; how the places it is pushed to do
//   GET  /v1/openapi.json               no token
//
// Pure; any thread but where said.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"
#include "proto/role.h"

namespace footlight::edge {

enum class ApiRoute : uint8_t {
  kEpisodes,
  kEpisode,
  kFigures,
  kPolls,
  kCommands,
  kKick,
  kBoards,
  kBoard,
  kBoardHistory,
  kBoardRestore,
  kBoardRenew,
  kMediaFigures,  // from this one to kProgramRestart: answered by the media's shard, not by an
                  // owner
  kRecording,
  kRecord,
  kProgram,
  kProgramLayout,
  kProgramGain,
  kProgramRestart,
  kProgramPush,
  kOpenApi
};

struct ApiRouteInfo {
  ApiRoute route;
  std::string_view method;   // "GET"
  std::string_view pattern;  // "/v1/episodes/{id}/figures"
  bool needs_producer;
};
std::span<const ApiRouteInfo> api_routes();

struct ApiMatch {
  const ApiRouteInfo* info = nullptr;
  std::string episode;  // "" when the route has none
  std::string board;    // the same
};
// kNotFound, kMethodNotAllowed. `path` without the query. HEAD counts as GET.
Result<ApiMatch> match_api(std::string_view method, std::string_view path);

inline constexpr size_t kMaxApiBodyBytes = 16 * 1024;

// A call that has been matched and authorized, for Owner::api.
struct ApiCall {
  ApiRoute route = ApiRoute::kEpisode;
  uint64_t who = 0;  // the bearer, for commands and the log
  std::string name;
  std::string body;
  std::string traceparent;
  std::string board;  // of the path
  std::string at;     // of the query; "" when there is none
  // Another role than the producer's is here to say captions, and may do nothing else.
  proto::Role role = proto::Role::kProducer;
};

struct ApiAnswer {
  int status = 200;
  std::string body;  // JSON
  uint32_t retry_after_ms = 0;
};
using ApiReply = std::function<void(ApiAnswer)>;

ApiAnswer api_error(const Error& error);

struct EpisodeSummary {
  std::string id;
  std::string title;
  std::string state;  // "waiting", "live", "ended"
  std::string mode;   // "live", "halted", ...
  uint64_t audience = 0;
};
ApiAnswer api_episode(const EpisodeSummary& episode);
ApiAnswer api_episodes(std::span<const EpisodeSummary> episodes);
std::string_view openapi_json();  // docs/openapi.json, as compiled in

}  // namespace footlight::edge
