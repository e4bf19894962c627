// The producer's API, on the owner's thread.
#include <utility>

#include "core/json.h"
#include "edge/internal/owner_impl.h"

namespace footlight::edge {
namespace {

constexpr size_t kMostWaiting = 1'024;

struct CommandBody {
  std::string kind;
  std::string args = "{}";
  uint64_t cid = 0;
  uint64_t i = 0;
};

Result<CommandBody> read_command(std::string_view body) {
  CommandBody command;
  JsonReader in(body);
  std::string_view key;
  bool cid_ok = true;
  if (in.enter_object()) {
    while (in.next_key(key)) {
      if (key == "k") {
        command.kind = in.read_string();
      } else if (key == "a") {
        command.args = in.raw();
      } else if (key == "cid") {
        cid_ok = parse_hex_u64(in.read_string(), command.cid);
      } else if (key == "i") {
        command.i = static_cast<uint64_t>(std::max<int64_t>(0, in.read_int()));
      } else {
        in.skip();
      }
    }
  }
  if (!in.finish()) return fail(in.code(), "the body is {\"k\":…,\"a\":{…}}");
  if (command.kind.empty()) return fail(Code::kMissingField, "k");
  if (!cid_ok) return fail(Code::kFieldOutOfRange, "cid: 16 hexadecimal digits");
  if ((command.i == 0) != (command.cid == 0)) {
    return fail(Code::kMissingField, "cid and i go together");
  }
  return command;
}

}  // namespace

void Owner::Impl::api(const ApiCall& call, ApiReply reply) {
  switch (call.route) {
    case ApiRoute::kEpisode: {
      const EpisodeSummary one = summary();
      return reply(api_episode(one));
    }
    case ApiRoute::kFigures:
      return reply(api_figures());
    case ApiRoute::kPolls:
      return reply(api_polls());
    case ApiRoute::kCommands:
      return api_command(call, std::move(reply));
    case ApiRoute::kKick:
      return api_kick(call, reply);
    case ApiRoute::kBoards:
    case ApiRoute::kBoard:
    case ApiRoute::kBoardHistory:
    case ApiRoute::kBoardRestore:
    case ApiRoute::kBoardRenew:
      return api_board(call, std::move(reply));
    case ApiRoute::kEpisodes:
    case ApiRoute::kMediaFigures:
    case ApiRoute::kRecording:
    case ApiRoute::kRecord:
    case ApiRoute::kProgram:
    case ApiRoute::kProgramLayout:
    case ApiRoute::kProgramGain:
    case ApiRoute::kProgramRestart:
    case ApiRoute::kProgramPush:
    case ApiRoute::kOpenApi:
      break;
  }
  reply(api_error({Code::kNotFound, {}, 0}));
}

void Owner::Impl::api_command(const ApiCall& call, ApiReply reply) {
  auto body = read_command(call.body);
  if (!body) return reply(api_error(body.error()));
  const proto::Kind kind = proto::parse_kind(body->kind);
  if (kind == proto::Kind::kPollVote || kind == proto::Kind::kEmote) {
    return reply(api_error({Code::kForbidden, "the audience votes and reacts, not the API", 0}));
  }
  const bool produces = call.role == proto::Role::kProducer;
  if (!produces && kind != proto::Kind::kCaptionSay && kind != proto::Kind::kCaptionTakeBack) {
    return reply(api_error({Code::kForbidden, "the API is the producer's", 0}));
  }
  if (auto form = proto::validate_args(kind, {call.role, !produces}, body->args); !form) {
    return reply(api_error(form.error()));
  }
  if (halted) return reply(api_error(halt_error));
  if (full() || collecting.api.size() >= kMostWaiting) {
    return reply(api_error({Code::kOverloaded, {}, 1'000}));
  }
  const episode::Actor actor{call.who, call.role, call.name, {}, !produces};
  episode::Command command;
  command.actor = &actor;
  command.cid = body->cid;
  command.i = body->i;
  command.now_ms = command.edge_ms = wall();
  command.kind = body->kind;
  command.args = body->args;
  command.traceparent = call.traceparent;
  auto decision = episode::decide(state, command, secrets);
  if (!decision) return reply(api_error(decision.error()));
  uint64_t log = decision->duplicate ? decision->duplicate_log : next_seq - 1;
  if (!decision->duplicate && !decision->events.empty()) {
    std::optional<proto::Cause> cause;
    if (body->i != 0) cause = proto::Cause{body->cid, body->i};
    log = append_events(decision->events, cause);
    collecting.urgent = true;
  }
  if (Batch* batch = batch_of(log)) {
    batch->api.push_back({std::move(reply), log});
  } else {
    reply({200, "{\"log\":" + std::to_string(log) + "}", 0});
  }
}

void Owner::Impl::api_kick(const ApiCall& call, ApiReply& reply) {
  uint64_t who = 0;
  JsonReader in(call.body);
  std::string_view key;
  bool found = false;
  if (in.enter_object()) {
    while (in.next_key(key)) {
      if (key == "who") {
        found = parse_hex_u64(in.read_string(), who);
      } else {
        in.skip();
      }
    }
  }
  if (!in.finish()) return reply(api_error({in.code(), "the body is {\"who\":\"16 hex\"}", 0}));
  if (!found) return reply(api_error({Code::kMissingField, "who: 16 hexadecimal digits", 0}));
  uint32_t sessions_of = 0;
  for (const OwnerSession& session : sessions) {
    if (session.id != 0 && session.actor.who == who) ++sessions_of;
  }
  if (sessions_of == 0) return reply(api_error({Code::kPersonUnknown, {}, 0}));
  to_edges(bus::Kick{0, who, {Code::kKicked, {}, 0}});
  reply({200, "{\"sessions\":" + std::to_string(sessions_of) + "}", 0});
}

ApiAnswer Owner::Impl::api_figures() {
  std::string text;
  JsonWriter out(text);
  out.object().key("slo").raw(slo_json());
  out.field("mode", proto::mode_name(mode)).field("epoch", epoch);
  out.key("log").object().field("seq", durable_seq).field("chain", [this] {
    return std::string_view(scratch = to_hex(durable_chain));
  }());
  out.field("batches", counted.batches).field("snapshots", counted.snapshots).end_object();
  out.key("totals").object();
  out.field("events", counted.events).field("ballots", counted.ballots);
  out.field("duplicates", counted.duplicates).field("rejected", counted.rejected);
  out.field("overloaded", counted.overloaded).field("deltas", counted.deltas);
  out.field("tallies", counted.tallies).field("fenced_edges", counted.fenced_edges);
  out.end_object();
  out.key("people").object().field("sessions", counted.sessions);
  uint64_t online = 0;
  for (const auto& [who, member] : cast) online += member.sessions > 0;
  out.field("audience", last_audience).field("cast_online", online).end_object();
  out.end_object();
  return {200, std::move(text), 0};
}

ApiAnswer Owner::Impl::api_polls() {
  const auto& durable = views[static_cast<size_t>(proto::ViewClass::kDirector)].durable;
  const auto polls = durable.find("polls");
  std::string text;
  JsonWriter out(text);
  out.object().key("polls").object();
  if (polls != durable.end()) {
    for (const auto& [id, entity] : polls->second) out.key(id).raw(*entity);
  }
  out.end_object().key("tallies").object();
  for (const auto& [slot, published] : tallies) {
    if (published.frame) out.key(published.tally.poll).raw(published.frame->json());
  }
  out.end_object().end_object();
  return {200, std::move(text), 0};
}

EpisodeSummary Owner::Impl::summary() const {
  EpisodeSummary out;
  out.id = options.episode;
  out.mode = proto::mode_name(mode);
  out.audience = last_audience;
  const auto& durable = views[static_cast<size_t>(proto::ViewClass::kViewer)].durable;
  const auto entities = durable.find("episode");
  if (entities == durable.end()) return out;
  const auto state_entity = entities->second.find("state");
  if (state_entity == entities->second.end()) return out;
  const auto parsed = Json::parse(*state_entity->second);
  if (!parsed) return out;
  out.title = (*parsed)["title"].as_string();
  out.state = (*parsed)["state"].as_string();
  return out;
}

}  // namespace footlight::edge
