#include <algorithm>
#include <charconv>
#include <iterator>

#include "core/bytes.h"
#include "core/json.h"
#include "proto/messages.h"

namespace footlight::proto {
namespace {

constexpr std::array<std::string_view, kLatencyClassCount> kLatencyNames = {
    "vote", "command", "reaction", "delta", "rtt"};
constexpr std::array<std::string_view, kWatchModeCount> kWatchNames{"none", "rtc", "llhls", "hls",
                                                                    "audio"};

void append_hex(JsonWriter& json, std::string_view name, uint64_t value) {
  json.field(name, std::string_view(hex_u64(value)));
}

int64_t number(Code code) { return static_cast<int64_t>(code); }

void append_mode(JsonWriter& json, const ModeNotice& mode) {
  json.field("mode", mode_name(mode.mode))
      .field("code", number(mode.code))
      .field("message", mode.message);
}

// Written by hand: there is one for each ballot, and it is most of what an edge encodes.
void append_confirmed(JsonWriter& json, const Confirmed& event) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  char text[112];  // the names, two numbers of 20 digits at most, and the receipt
  char* at = std::ranges::copy(std::string_view(R"({"i":)"), text).out;
  at = std::to_chars(at, std::end(text), event.i).ptr;
  at = std::ranges::copy(std::string_view(R"(,"log":)"), at).out;
  at = std::to_chars(at, std::end(text), event.log).ptr;
  if (event.has_receipt) {
    at = std::ranges::copy(std::string_view(R"(,"hash":")"), at).out;
    for (const uint8_t byte : event.receipt) {
      *at++ = kDigits[byte >> 4];
      *at++ = kDigits[byte & 15];
    }
    *at++ = '"';
  }
  *at++ = '}';
  json.raw({text, static_cast<size_t>(at - text)});
}

void append_event(JsonWriter& json, const ClientEvent& event) {
  const std::string_view kind =
      event.kind == Kind::kUnknown ? event.kind_text : kind_name(event.kind);
  json.object().field("i", event.i).field("k", kind);
  if (!event.args.empty()) {
    json.key("a").raw(event.args);
  } else if (event.kind == Kind::kPollVote) {
    std::string args;
    append_vote_args(args, event.vote);
    json.key("a").raw(args);
  } else {
    json.key("a").object().end_object();
  }
  if (!event.traceparent.empty()) json.field("tp", event.traceparent);
  json.end_object();
}

}  // namespace

std::string_view watch_mode_name(WatchMode mode) { return kWatchNames[static_cast<size_t>(mode)]; }

std::optional<WatchMode> parse_watch_mode(std::string_view text) {
  for (size_t i = 0; i < kWatchNames.size(); ++i) {
    if (kWatchNames[i] == text) return static_cast<WatchMode>(i);
  }
  return std::nullopt;
}

std::string_view latency_class_name(LatencyClass c) {
  return kLatencyNames[static_cast<size_t>(c)];
}

std::optional<LatencyClass> parse_latency_class(std::string_view text) {
  for (size_t i = 0; i < kLatencyNames.size(); ++i) {
    if (kLatencyNames[i] == text) return static_cast<LatencyClass>(i);
  }
  return std::nullopt;
}

void encode(std::string& out, const Hello& message) {
  JsonWriter json(out);
  json.object().field("t", "hello").field("v", message.version).field("token", message.token);
  append_hex(json, "cid", message.cid);
  if (message.resume) {
    json.key("resume").object().field("epoch", message.resume->epoch);
    json.field("off", message.resume->offset).end_object();
  }
  if (!message.client.empty()) json.field("client", message.client);
  json.end_object();
}

void encode(std::string& out, const EventBatch& message) {
  JsonWriter json(out);
  json.object().field("t", "ev").key("e").array();
  for (const ClientEvent& event : message.events) append_event(json, event);
  json.end_array().end_object();
}

void encode(std::string& out, const Ping& message) {
  JsonWriter(out).object().field("t", "ping").field("c", message.c).end_object();
}

void encode(std::string& out, const LatencyReport& message) {
  JsonWriter json(out);
  json.object().field("t", "lat").key("m").array();
  for (const LatencySample& sample : message.samples) {
    json.array().value(latency_class_name(sample.of)).value(sample.ms).end_array();
  }
  json.end_array().end_object();
}

void encode(std::string& out, const WatchReport& message) {
  JsonWriter json(out);
  json.object().field("t", "watch").field("mode", watch_mode_name(message.mode));
  if (!message.cue.empty()) json.field("cue", message.cue);
  json.end_object();
}

void encode(std::string& out, const TokenRefresh& message) {
  JsonWriter(out).object().field("t", "token").field("token", message.token).end_object();
}

void encode(std::string& out, const ClientBye&) {
  JsonWriter(out).object().field("t", "bye").end_object();
}

void encode(std::string& out, const BoardOpen& message) {
  JsonWriter json(out);
  json.object().field("t", "board.open").field("b", message.board);
  if (message.client != 0) json.field("client", message.client);
  if (message.generation != 0) json.field("gen", message.generation);
  json.end_object();
}

void encode(std::string& out, const BoardClose& message) {
  JsonWriter(out).object().field("t", "board.close").field("b", message.board).end_object();
}

void encode(std::string& out, const BoardData& message) {
  JsonWriter json(out);
  json.object().field("t", "board").field("b", message.board).field("d", message.data);
  json.end_object();
}

void encode(std::string& out, const BoardNotice& message) {
  JsonWriter json(out);
  json.object().field("t", "board").field("b", message.board);
  if (!message.data.empty()) json.field("d", message.data);
  if (message.has_ack) json.field("ack", message.ack);
  if (message.code != Code::kOk) {
    json.field("code", number(message.code)).field("message", message.message);
  }
  if (message.n != 0) json.field("n", message.n);
  if (!message.path.empty()) json.field("path", message.path);
  if (message.retry_after_ms != 0) json.field("retry_after_ms", message.retry_after_ms);
  if (message.client != 0) json.field("client", message.client).field("gen", message.generation);
  if (!message.rights.empty()) json.key("rights").raw(message.rights);
  if (!message.title.empty()) json.field("title", message.title);
  if (!message.kind.empty()) json.field("kind", message.kind);
  if (!message.limits.empty()) json.key("limits").raw(message.limits);
  if (!message.overruled.empty()) json.key("overruled").raw(message.overruled);
  if (message.reset) json.field("reset", true);
  json.end_object();
}

void encode(std::string& out, const Welcome& message) {
  JsonWriter json(out);
  json.object().field("t", "welcome").field("v", message.version).field("sid", message.sid);
  json.field("edge", message.edge).field("epoch", message.epoch).field("off", message.offset);
  json.field("now_ms", message.now_ms).field("ep", message.episode);
  json.field("role", role_name(message.role)).field("name", message.name);
  json.field("resumed", message.resumed);
  if (!message.view.empty()) json.key("view").raw(message.view);
  json.key("me").raw(message.me.empty() ? std::string_view("{}") : message.me);
  json.key("mode").object();
  append_mode(json, message.mode);
  json.end_object().key("limits").object();
  json.field("frame_bytes", message.limits.frame_bytes).field("batch", message.limits.batch);
  json.field("tick_ms", message.limits.tick_ms).end_object();
  json.field("build", message.build).end_object();
}

void encode(std::string& out, const Ack& message) {
  JsonWriter json(out);
  json.object().field("t", "ack");
  if (!message.accepted.empty()) {
    json.key("accepted").array();
    for (const uint64_t i : message.accepted) json.value(i);
    json.end_array();
  }
  if (!message.confirmed.empty()) {
    json.key("confirmed").array();
    for (const Confirmed& event : message.confirmed) append_confirmed(json, event);
    json.end_array();
  }
  if (!message.rejected.empty()) {
    json.key("rejected").array();
    for (const Rejected& event : message.rejected) {
      json.object().field("i", event.i).field("code", number(event.code));
      json.field("message", event.message).field("retry_after_ms", event.retry_after_ms);
      json.end_object();
    }
    json.end_array();
  }
  json.end_object();
}

void encode(std::string& out, const Delta& message) {
  JsonWriter json(out);
  json.object().field("t", "delta").field("off", message.offset).field("at", message.at_ms);
  json.key("p").array();
  for (const Patch& patch : message.patches) {
    json.array().value(patch.collection).value(patch.id);
    json.raw(patch.entity.empty() ? std::string_view("null") : patch.entity).end_array();
  }
  json.end_array();
  if (message.cause) {
    json.key("cause").object();
    append_hex(json, "cid", message.cause->cid);
    json.field("i", message.cause->i).end_object();
  }
  json.end_object();
}

void encode(std::string& out, const TallyUpdate& message) {
  JsonWriter json(out);
  json.object().field("t", "tally").field("poll", message.poll).field("ver", message.version);
  json.field("log", message.log).key("counts").array();
  for (const uint64_t count : message.counts) json.value(count);
  json.end_array().field("voters", message.voters).field("state", message.state);
  json.field("final", message.final).end_object();
}

void encode(std::string& out, const Emotes& message) {
  JsonWriter json(out);
  json.object().field("t", "emotes").key("c").object();
  for (const EmoteCount& emote : message.counts) json.field(emote.name, emote.count);
  json.end_object().end_object();
}

void encode(std::string& out, const Presence& message) {
  JsonWriter json(out);
  json.object().field("t", "presence").field("audience", message.audience).key("edges").array();
  for (const EdgeAudience& edge : message.edges) {
    json.array().value(edge.edge).value(edge.audience).end_array();
  }
  json.end_array().end_object();
}

void encode(std::string& out, const Pong& message) {
  JsonWriter json(out);
  json.object().field("t", "pong").field("c", message.c).field("s", message.server_ms);
  json.end_object();
}

void encode(std::string& out, const ModeNotice& message) {
  JsonWriter json(out);
  json.object().field("t", "mode");
  append_mode(json, message);
  json.end_object();
}

void encode(std::string& out, const Slo& message) {
  JsonWriter json(out);
  json.object().field("t", "slo").key("m").array();
  for (const SloClass& c : message.classes) {
    json.object().field("class", c.name).field("budget_ms", c.budget_ms).field("n", c.count);
    json.field("p50", c.p50_ms).field("p99", c.p99_ms).field("max", c.max_ms);
    json.field("holds", c.holds).end_object();
  }
  json.end_array().key("rates").object().field("events_per_s", message.events_per_s);
  json.field("ballots_per_s", message.ballots_per_s);
  json.field("deliveries_per_s", message.deliveries_per_s).end_object();
  json.key("log").object().field("seq", message.log_seq);
  json.field("commit_p50_us", message.commit_p50_us);
  json.field("commit_p99_us", message.commit_p99_us).end_object().key("edges").array();
  for (const SloEdge& edge : message.edges) {
    json.object().field("edge", edge.edge).field("sessions", edge.sessions);
    json.field("queue_bytes", edge.queue_bytes).end_object();
  }
  json.end_array().key("watching").object();
  for (size_t i = 0; i < message.watching.size(); ++i) {
    json.field(watch_mode_name(static_cast<WatchMode>(i)), message.watching[i]);
  }
  json.end_object().end_object();
}

void encode(std::string& out, const ErrorNotice& message) {
  JsonWriter json(out);
  json.object().field("t", "error").field("code", number(message.code));
  json.field("message", message.message).end_object();
}

void encode(std::string& out, const ServerBye& message) {
  JsonWriter json(out);
  json.object().field("t", "bye").field("code", number(message.code));
  json.field("message", message.message).field("reconnect", message.reconnect);
  if (message.reconnect) {
    json.key("after_ms").array().value(message.after_low_ms).value(message.after_high_ms);
    json.end_array();
  }
  json.end_object();
}

std::string peer_message(const Error& error) {
  std::string text(code_sentence(error.code));
  if (!error.detail.empty()) {
    text += " (";
    text += error.detail;
    text += ')';
  }
  return text;
}

ErrorNotice error_notice(const Error& error, std::string& storage) {
  storage = peer_message(error);
  return {error.code, storage};
}

}  // namespace footlight::proto
