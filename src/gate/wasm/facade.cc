#include "gate/wasm/facade.h"

#include <map>

#include "core/bytes.h"
#include "core/json.h"
#include "gate/admission.h"
#include "gate/token.h"
#include "proto/messages.h"
#include "proto/trace.h"

namespace footlight::gate {
namespace {

int64_t number(Code code) { return static_cast<int64_t>(code); }

Json answer(Code code) {
  Json out = Json::object();
  out.set("code", Json::integer(number(code)));
  return out;
}

Json answer(const Error& error) {
  Json out = answer(error.code);
  out.set("detail", Json::string(error.detail));
  return out;
}

std::string frame_of(const Json& request) {
  const Json* hex = request.find("hex");
  if (hex == nullptr) return request["frame"].as_string();
  Bytes bytes;
  if (!from_hex(hex->as_string(), bytes)) return {};
  return std::string(as_text(bytes));
}

// Votes are written again from their parsed form, so that the text proves the parsing.
void encode_client(std::string& out, const proto::ClientMessage& message, Json& reply) {
  const auto* batch = std::get_if<proto::EventBatch>(&message);
  if (batch == nullptr) {
    std::visit([&](const auto& m) { proto::encode(out, m); }, message);
    return;
  }
  std::vector<proto::ClientEvent> events(batch->events.begin(), batch->events.end());
  Json codes = Json::array();
  for (proto::ClientEvent& event : events) {
    codes.push(Json::integer(number(event.fault.code)));
    if (event.kind == proto::Kind::kPollVote && event.fault.ok()) event.args = {};
  }
  reply.set("codes", std::move(codes));
  proto::encode(out, proto::EventBatch{events});
}

Json claims_json(const Claims& claims) {
  Json out = Json::object();
  out.set("sub", Json::string(claims.sub));
  out.set("ep", Json::string(claims.episode));
  out.set("role", Json::string(std::string(proto::role_name(claims.role))));
  out.set("name", Json::string(claims.name));
  Json characters = Json::array();
  for (const std::string& character : claims.characters) characters.push(Json::string(character));
  out.set("chars", std::move(characters));
  out.set("exp", Json::integer(claims.expires_s));
  out.set("nbf", Json::integer(claims.not_before_s));
  out.set("iat", Json::integer(claims.issued_s));
  if (claims.captions) out.set("captions", Json::boolean(true));
  if (!claims.publish && !claims.subscribe && !claims.tracks) return out;
  // What is said of media, and what comes of it with the role.
  if (claims.publish) out.set("publish", Json::boolean(*claims.publish));
  if (claims.subscribe) out.set("subscribe", Json::boolean(*claims.subscribe));
  if (claims.tracks) out.set("tracks", Json::integer(*claims.tracks));
  out.set("grants", Json::integer(media_grants(claims).bits));
  return out;
}

// {"interval_ns":…,"burst":…}; absent: no limit.
Rate rate_of(const Json& json) {
  return {.interval_ns = json["interval_ns"].as_int(), .burst = json["burst"].as_int()};
}

ClassLimits class_limits_of(const Json& json) {
  return {.connection = rate_of(json["connection"]),
          .voter = rate_of(json["voter"]),
          .prefix = rate_of(json["prefix"]),
          .episode = rate_of(json["episode"])};
}

// `{}` means the defaults; a class that is named replaces its default whole.
AdmissionLimits limits_of(const Json& json) {
  AdmissionLimits limits;
  const std::pair<const char*, ClassLimits*> classes[] = {
      {"vote", &limits.vote},   {"command", &limits.command},  {"emote", &limits.emote},
      {"chat", &limits.chat},   {"join", &limits.join},        {"control", &limits.control},
      {"board", &limits.board}, {"presence", &limits.presence}};
  for (const auto& [name, to] : classes) {
    if (const Json* given = json.find(name)) *to = class_limits_of(*given);
  }
  if (const Json* given = json.find("refusals")) limits.refusals = rate_of(*given);
  limits.max_retry_after_ms =
      static_cast<uint32_t>(json["max_retry_after_ms"].as_int(limits.max_retry_after_ms));
  limits.table_sets = static_cast<uint32_t>(json["table_sets"].as_int(limits.table_sets));
  limits.exempt_loopback = json["exempt_loopback"].as_bool(limits.exempt_loopback);
  return limits;
}

EventClass class_of(std::string_view name) {
  constexpr std::string_view kNames[] = {"vote", "command", "emote", "chat",
                                         "join", "control", "board", "presence"};
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<EventClass>(i);
  }
  return EventClass::kControl;
}

}  // namespace

struct Facade::Impl {
  proto::ClientDecoder client;
  proto::ServerDecoder server;
  std::unique_ptr<KeySet> keys = std::make_unique<KeySet>();
  std::unique_ptr<Admission> admission;
  EpisodeBuckets episode;
  std::map<int64_t, ConnectionBuckets> connections;

  Json decode_client(const Json& request) {
    const std::string frame = frame_of(request);
    const Result<proto::ClientMessage> message = client.decode(frame);
    if (!message) return answer(message.error());
    Json reply = answer(Code::kOk);
    std::string text;
    encode_client(text, *message, reply);
    reply.set("canonical", Json::string(text));
    return reply;
  }

  Json decode_server(const Json& request) {
    const std::string frame = frame_of(request);
    const Result<proto::ServerMessage> message = server.decode(frame);
    if (!message) return answer(message.error());
    Json reply = answer(Code::kOk);
    std::string text;
    std::visit(
        [&](const auto& m) {
          if constexpr (std::is_same_v<std::decay_t<decltype(m)>, proto::UnknownMessage>) {
            reply.set("unknown", Json::string(std::string(m.type)));
          } else {
            proto::encode(text, m);
          }
        },
        *message);
    reply.set("canonical", Json::string(text));
    return reply;
  }

  Json check(const Json& request) {
    const auto role = proto::parse_role(request["role"].as_string());
    const proto::Rights rights(role.value_or(proto::Role::kViewer), request["captions"].as_bool());
    const proto::FormFault fault = proto::check_command(proto::parse_kind(request["k"].as_string()),
                                                        rights, request["a"].as_string());
    return answer(fault.error());
  }

  Json set_keys(const Json& request) {
    auto fresh = std::make_unique<KeySet>();
    for (const Json& key : request["keys"].items()) {
      if (key["alg"].as_string() != algorithm_name(Algorithm::kHs256)) {
        return answer(Error{Code::kKeyFile, "only HS256 here", 0});
      }
      Bytes secret;
      if (!from_base64url(key["secret"].as_string(), secret)) return answer(Code::kKeyFile);
      const Status added =
          fresh->add_hs256(key["kid"].as_string(), as_text(secret), key["not_after_s"].as_int());
      if (!added) return answer(added.error());
    }
    keys = std::move(fresh);
    return answer(Code::kOk);
  }

  Json token(const Json& request) {
    const Result<Claims> claims =
        verify_token(request["token"].as_string(), *keys, request["now_s"].as_int());
    if (!claims) return answer(claims.error());
    Json reply = answer(Code::kOk);
    reply.set("claims", claims_json(*claims));
    return reply;
  }

  Json refresh(const Json& request) {
    const int64_t now_s = request["now_s"].as_int();
    const Result<Claims> current = verify_token(request["current"].as_string(), *keys, now_s);
    if (!current) return answer(current.error());
    const Result<Claims> fresh = verify_token(request["fresh"].as_string(), *keys, now_s);
    if (!fresh) return answer(fresh.error());
    const Status same = check_refresh(*current, *fresh);
    return same ? answer(Code::kOk) : answer(same.error());
  }

  Json step(const Json& request) {
    if (!admission) return answer(Code::kInternal);
    const std::string& action = request["do"].as_string();
    const auto prefix = parse_ip_prefix(request["ip"].as_string());
    uint64_t who = 0;
    parse_hex_u64(request["who"].as_string(), who);
    const Subject subject{
        .connection = &connections[request["conn"].as_int()],
        .episode = &episode,
        .who = who,
        .prefix = prefix.value_or(IpPrefix{}),
        .role = proto::parse_role(request["role"].as_string()).value_or(proto::Role::kViewer)};
    const MonoUs now_us = request["at_us"].as_int();
    const Verdict verdict =
        action == "open" ? admission->admit_connection(subject.prefix, now_us)
        : action == "join"
            ? admission->admit_join(subject, now_us)
            : admission->admit(class_of(request["class"].as_string()), subject,
                               static_cast<uint32_t>(request["cost"].as_int(1)), now_us);
    Json reply = answer(verdict.code);
    reply.set("retry_after_ms", Json::integer(verdict.retry_after_ms));
    reply.set("cut", Json::boolean(verdict.cut));
    return reply;
  }

  Json new_admission(const Json& request) {
    admission = std::make_unique<Admission>(limits_of(request["limits"]),
                                            static_cast<uint64_t>(request["seed"].as_int()));
    episode = {};
    connections.clear();
    return answer(Code::kOk);
  }

  Json pseudonym_of(const Json& request) {
    Bytes key;
    if (!from_hex(request["key"].as_string(), key)) return answer(Code::kFieldOutOfRange);
    Json reply = answer(Code::kOk);
    reply.set("who", Json::string(hex_u64(pseudonym(key, request["sub"].as_string()))));
    return reply;
  }

  Json prefix(const Json& request) {
    const auto parsed = parse_ip_prefix(request["ip"].as_string());
    if (!parsed) return answer(Code::kFieldOutOfRange);
    Json reply = answer(Code::kOk);
    reply.set("bits", Json::string(hex_u64(parsed->bits)));
    reply.set("v6", Json::boolean(parsed->v6));
    reply.set("loopback", Json::boolean(parsed->loopback));
    return reply;
  }

  Json dispatch(const Json& request) {
    const std::string& op = request["op"].as_string();
    if (op == "decode_client") return decode_client(request);
    if (op == "decode_server") return decode_server(request);
    if (op == "check") return check(request);
    if (op == "keys") return set_keys(request);
    if (op == "token") return token(request);
    if (op == "refresh") return refresh(request);
    if (op == "pseudonym") return pseudonym_of(request);
    if (op == "prefix") return prefix(request);
    if (op == "admission") return new_admission(request);
    if (op == "step") return step(request);
    if (op == "pressure" && admission) {
      admission->set_pressure(static_cast<Pressure>(request["level"].as_int()));
      return answer(Code::kOk);
    }
    if (op == "traceparent") {
      Json reply = answer(Code::kOk);
      reply.set("valid",
                Json::boolean(proto::parse_traceparent(request["tp"].as_string()).has_value()));
      return reply;
    }
    return answer(Code::kUnknownCommand);
  }
};

Facade::Facade() : impl_(std::make_unique<Impl>()) {}
Facade::~Facade() = default;

std::string Facade::call(std::string_view request) {
  const Result<Json> parsed = Json::parse(request);
  if (!parsed) return answer(parsed.error()).dump();
  return impl_->dispatch(*parsed).dump();
}

}  // namespace footlight::gate
