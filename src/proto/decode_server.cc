// Decoding of what a server sends, for the load client, the rehearsal, the simulation and the
// tests.
#include "core/json.h"
#include "proto/internal/media_read.h"
#include "proto/internal/server_elements.h"
#include "proto/messages.h"

namespace footlight::proto {
namespace {

using internal::each_element;
using internal::each_member;
using internal::may;
using internal::Member;
using internal::must;
using internal::read_members;
using internal::read_tuple;
using internal::read_u32;
using internal::read_unsigned;
using internal::read_value;
using internal::Source;

void read_mode(Source& from, ModeNotice& mode, bool needed) {
  const auto name = [&] {
    const std::optional<Mode> known = parse_mode(from.in.read_string());
    if (known) {
      mode.mode = *known;
    } else {
      from.in.fault(Code::kFieldOutOfRange);
    }
  };
  read_members(from, Member<decltype(name)&>{"mode", name, needed}, may("code", mode.code),
               may("message", mode.message));
}

void read_role(Source& from, Role& role) {
  const std::optional<Role> known = parse_role(from.in.read_string());
  if (known) {
    role = *known;
  } else {
    from.in.fault(Code::kFieldOutOfRange);
  }
}

std::string_view read_object(Source& from) {
  if (from.in.peek() != JsonType::kObject) from.in.fault(Code::kMissingField);
  return from.in.raw();
}

Welcome read_welcome(Source& from) {
  Welcome m;
  const auto limits = [&] {
    read_members(from, may("frame_bytes", m.limits.frame_bytes), may("batch", m.limits.batch),
                 may("tick_ms", m.limits.tick_ms));
  };
  read_members(from, must("v", m.version), must("epoch", m.epoch), must("off", m.offset),
               must("now_ms", m.now_ms), must("role", [&] { read_role(from, m.role); }),
               may("sid", m.sid), may("edge", m.edge), may("ep", m.episode), may("name", m.name),
               may("build", m.build), may("resumed", m.resumed),
               may("view", [&] { m.view = read_object(from); }),
               may("me", [&] { m.me = read_object(from); }),
               may("mode", [&] { read_mode(from, m.mode, false); }), may("limits", limits));
  if (m.sid.empty() || (!m.resumed && m.view.empty())) from.in.fault(Code::kMissingField);
  return m;
}

ModeNotice read_mode(Source& from) {
  ModeNotice m;
  read_mode(from, m, true);
  return m;
}

Pong read_pong(Source& from) {
  Pong m;
  read_members(from, must("c", m.c), must("s", m.server_ms));
  return m;
}

ErrorNotice read_error(Source& from) {
  ErrorNotice m;
  read_members(from, may("code", m.code), may("message", m.message));
  if (m.code == Code::kOk) from.in.fault(Code::kMissingField);
  return m;
}

ServerBye read_server_bye(Source& from) {
  ServerBye m;
  const auto after = [&] {
    read_tuple(from, 2,
               [&](int at) { (at == 0 ? m.after_low_ms : m.after_high_ms) = read_u32(from.in); });
    if (m.after_high_ms < m.after_low_ms) from.in.fault(Code::kFieldOutOfRange);
  };
  read_members(from, may("code", m.code), may("message", m.message), may("reconnect", m.reconnect),
               may("after_ms", after));
  if (m.code == Code::kOk) from.in.fault(Code::kMissingField);
  return m;
}

BoardNotice read_board(Source& from) {
  BoardNotice m;
  const auto ack = [&] {
    m.ack = read_unsigned(from.in);
    m.has_ack = true;
  };
  read_members(from, may("b", m.board), may("d", m.data), may("code", m.code),
               may("message", m.message), may("overruled", [&] { m.overruled = from.in.raw(); }),
               may("rights", [&] { m.rights = read_object(from); }),
               may("limits", [&] { m.limits = read_object(from); }), may("path", m.path),
               may("title", m.title), may("kind", m.kind), may("reset", m.reset),
               may("client", m.client), may("gen", m.generation), may("ack", ack), may("n", m.n),
               may("retry_after_ms", m.retry_after_ms));
  if (m.board.empty()) from.in.fault(Code::kMissingField);
  return m;
}

// A list of values or of elements that have a function of their own.
template <class Element>
auto list_of(Source& from, std::vector<Element>& list, void (*element)(Source&, Element&)) {
  return [&from, &list, element] {
    list.clear();
    each_element(from, [&] { element(from, list.emplace_back()); });
  };
}

}  // namespace

Ack ServerDecoder::read_ack(Source& from) {
  numbers_.clear();
  confirmed_.clear();
  rejected_.clear();
  read_members(from, may("accepted", list_of<uint64_t>(from, numbers_, read_value)),
               may("confirmed", list_of(from, confirmed_, internal::read_confirmed)),
               may("rejected", list_of(from, rejected_, internal::read_rejected)));
  return {numbers_, confirmed_, rejected_};
}

Delta ServerDecoder::read_delta(Source& from) {
  Delta m;
  patches_.clear();
  read_members(from, must("off", m.offset), must("at", m.at_ms),
               must("p", list_of(from, patches_, internal::read_patch)),
               may("cause", [&] { internal::read_cause(from, m.cause); }));
  m.patches = patches_;
  return m;
}

TallyUpdate ServerDecoder::read_tally(Source& from) {
  TallyUpdate m;
  numbers_.clear();
  const auto counts = [&] {
    list_of<uint64_t>(from, numbers_, read_value)();
    if (numbers_.size() > kMaxOptions) from.in.fault(Code::kFieldOutOfRange);
  };
  read_members(from, must("poll", m.poll), must("ver", m.version), must("counts", counts),
               may("log", m.log), may("voters", m.voters), may("state", m.state),
               may("final", m.final));
  m.counts = numbers_;
  return m;
}

Emotes ServerDecoder::read_emotes(Source& from) {
  emotes_.clear();
  const auto counts = [&] {
    emotes_.clear();
    each_member(from, [&](std::string_view name) {
      if (emotes_.size() >= internal::kMaxList) from.in.fault(Code::kBatchTooLarge);
      const std::string_view kept = internal::keep(name, from.frame, from.storage);
      emotes_.push_back({kept, read_unsigned(from.in)});
      return true;
    });
  };
  read_members(from, may("c", counts));
  return {emotes_};
}

Presence ServerDecoder::read_presence(Source& from) {
  Presence m;
  audiences_.clear();
  read_members(from, must("audience", m.audience),
               may("edges", list_of(from, audiences_, internal::read_audience)));
  m.edges = audiences_;
  return m;
}

Slo ServerDecoder::read_slo(Source& from) {
  Slo m;
  slo_classes_.clear();
  slo_edges_.clear();
  const auto numbers = [&] { internal::read_slo_numbers(from, m); };
  read_members(from, may("m", list_of(from, slo_classes_, internal::read_slo_class)),
               may("edges", list_of(from, slo_edges_, internal::read_slo_edge)),
               may("rates", numbers), may("log", numbers), may("watching", [&] {
                 read_members(from, may("none", m.watching[0]), may("rtc", m.watching[1]),
                              may("llhls", m.watching[2]), may("hls", m.watching[3]),
                              may("audio", m.watching[4]));
               }));
  m.classes = slo_classes_;
  m.edges = slo_edges_;
  return m;
}

ServerMessage ServerDecoder::read(std::string_view type, Source& from) {
  if (type == "tally") return read_tally(from);
  if (type == "ack") return read_ack(from);
  if (type == "delta") return read_delta(from);
  if (type == "presence") return read_presence(from);
  if (type == "emotes") return read_emotes(from);
  if (type == "pong") return read_pong(from);
  if (type == "welcome") return read_welcome(from);
  if (type == "mode") return read_mode(from);
  if (type == "slo") return read_slo(from);
  if (type == "error") return read_error(from);
  if (type == "bye") return read_server_bye(from);
  if (type == "board") return read_board(from);
  if (type == "media") return internal::read_media_notice(from, servers_);
  if (type == "media.places") return internal::read_media_places(from, places_);
  if (type == "media.room") return internal::read_media_room(from, speaking_, links_);
  if (type == "media.quality") return internal::read_media_quality(from, qualities_);
  from.in.skip();
  return UnknownMessage{type};
}

Result<ServerMessage> ServerDecoder::decode(std::string_view frame) {
  if (frame.size() > kMaxServerFrameBytes) return fail(Code::kFrameTooLarge);
  text_.clear();
  // Unescaping needs room only when there is something to unescape.
  if (frame.find('\\') != std::string_view::npos) text_.reserve(frame.size());
  const Result<std::string_view> type = internal::find_type(frame, kMaxServerNesting, text_);
  if (!type) return std::unexpected(type.error());
  Source from{JsonReader(frame, kMaxServerNesting), frame, text_};
  ServerMessage message = read(*type, from);
  if (!from.in.finish()) return internal::fault_of(from.in, *type);
  return message;
}

}  // namespace footlight::proto
