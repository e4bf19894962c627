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
using internal::read_tuple;
using internal::read_u32;
using internal::read_unsigned;
using internal::require;
using internal::Source;

bool read_mode_field(Source& from, std::string_view key, ModeNotice& mode) {
  if (key == "mode") {
    const std::optional<Mode> known = parse_mode(from.in.read_string());
    if (known) {
      mode.mode = *known;
    } else {
      from.in.fault(Code::kFieldOutOfRange);
    }
  } else if (key == "code") {
    mode.code = from.code();
  } else if (key == "message") {
    mode.message = from.text();
  } else {
    return false;
  }
  return true;
}

bool read_limits_field(Source& from, std::string_view key, Limits& limits) {
  if (key == "frame_bytes") {
    limits.frame_bytes = read_u32(from.in);
  } else if (key == "batch") {
    limits.batch = read_u32(from.in);
  } else if (key == "tick_ms") {
    limits.tick_ms = read_u32(from.in);
  } else {
    return false;
  }
  return true;
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

bool read_welcome_text(Source& from, std::string_view key, Welcome& m) {
  if (key == "sid") {
    m.sid = from.text();
  } else if (key == "edge") {
    m.edge = from.text();
  } else if (key == "ep") {
    m.episode = from.text();
  } else if (key == "name") {
    m.name = from.text();
  } else if (key == "build") {
    m.build = from.text();
  } else {
    return false;
  }
  return true;
}

Welcome read_welcome(Source& from) {
  Welcome m;
  uint32_t seen = 0;
  each_member(from, [&](std::string_view key) {
    if (key == "v") {
      m.version = from.in.read_int();
      seen |= 1;
    } else if (key == "epoch") {
      m.epoch = read_unsigned(from.in);
      seen |= 2;
    } else if (key == "off") {
      m.offset = read_unsigned(from.in);
      seen |= 4;
    } else if (key == "now_ms") {
      m.now_ms = from.in.read_int();
      seen |= 8;
    } else if (key == "role") {
      read_role(from, m.role);
      seen |= 16;
    } else if (key == "resumed") {
      m.resumed = from.in.read_bool();
    } else if (key == "view") {
      m.view = read_object(from);
    } else if (key == "me") {
      m.me = read_object(from);
    } else if (key == "mode") {
      each_member(from, [&](std::string_view k) { return read_mode_field(from, k, m.mode); });
    } else if (key == "limits") {
      each_member(from, [&](std::string_view k) { return read_limits_field(from, k, m.limits); });
    } else {
      return read_welcome_text(from, key, m);
    }
    return true;
  });
  require(from, seen, 31);
  if (m.sid.empty() || (!m.resumed && m.view.empty())) from.in.fault(Code::kMissingField);
  return m;
}

ModeNotice read_mode(Source& from) {
  ModeNotice m;
  bool seen = false;
  each_member(from, [&](std::string_view key) {
    seen |= key == "mode";
    return read_mode_field(from, key, m);
  });
  require(from, seen ? 1 : 0, 1);
  return m;
}

Pong read_pong(Source& from) {
  Pong m;
  uint32_t seen = 0;
  each_member(from, [&](std::string_view key) {
    if (key == "c") {
      m.c = from.in.read_int();
      seen |= 1;
    } else if (key == "s") {
      m.server_ms = from.in.read_int();
      seen |= 2;
    } else {
      return false;
    }
    return true;
  });
  require(from, seen, 3);
  return m;
}

ErrorNotice read_error(Source& from) {
  ErrorNotice m;
  each_member(from, [&](std::string_view key) {
    if (key == "code") {
      m.code = from.code();
    } else if (key == "message") {
      m.message = from.text();
    } else {
      return false;
    }
    return true;
  });
  if (m.code == Code::kOk) from.in.fault(Code::kMissingField);
  return m;
}

ServerBye read_server_bye(Source& from) {
  ServerBye m;
  each_member(from, [&](std::string_view key) {
    if (key == "code") {
      m.code = from.code();
    } else if (key == "message") {
      m.message = from.text();
    } else if (key == "reconnect") {
      m.reconnect = from.in.read_bool();
    } else if (key == "after_ms") {
      read_tuple(from, 2,
                 [&](int at) { (at == 0 ? m.after_low_ms : m.after_high_ms) = read_u32(from.in); });
      if (m.after_high_ms < m.after_low_ms) from.in.fault(Code::kFieldOutOfRange);
    } else {
      return false;
    }
    return true;
  });
  if (m.code == Code::kOk) from.in.fault(Code::kMissingField);
  return m;
}

bool read_board_number(Source& from, std::string_view key, BoardNotice& m) {
  if (key == "client") {
    m.client = read_unsigned(from.in);
  } else if (key == "gen") {
    m.generation = read_unsigned(from.in);
  } else if (key == "ack") {
    m.ack = read_unsigned(from.in);
    m.has_ack = true;
  } else if (key == "n") {
    m.n = read_unsigned(from.in);
  } else if (key == "retry_after_ms") {
    m.retry_after_ms = read_unsigned(from.in);
  } else {
    return false;
  }
  return true;
}

BoardNotice read_board(Source& from) {
  BoardNotice m;
  each_member(from, [&](std::string_view key) {
    if (key == "b") {
      m.board = from.text();
    } else if (key == "d") {
      m.data = from.text();
    } else if (key == "code") {
      m.code = from.code();
    } else if (key == "message") {
      m.message = from.text();
    } else if (key == "overruled") {
      m.overruled = from.in.raw();
    } else if (key == "rights") {
      m.rights = read_object(from);
    } else if (key == "limits") {
      m.limits = read_object(from);
    } else if (key == "path") {
      m.path = from.text();
    } else if (key == "title") {
      m.title = from.text();
    } else if (key == "kind") {
      m.kind = from.text();
    } else if (key == "reset") {
      m.reset = from.in.read_bool();
    } else {
      return read_board_number(from, key, m);
    }
    return true;
  });
  if (m.board.empty()) from.in.fault(Code::kMissingField);
  return m;
}

template <class Element>
void read_list(Source& from, std::vector<Element>& list, void (*element)(Source&, Element&)) {
  list.clear();
  each_element(from, [&] { element(from, list.emplace_back()); });
}

void read_number(Source& from, uint64_t& number) { number = read_unsigned(from.in); }

}  // namespace

Ack ServerDecoder::read_ack(Source& from) {
  numbers_.clear();
  confirmed_.clear();
  rejected_.clear();
  each_member(from, [&](std::string_view key) {
    if (key == "accepted") {
      read_list(from, numbers_, read_number);
    } else if (key == "confirmed") {
      read_list(from, confirmed_, internal::read_confirmed);
    } else if (key == "rejected") {
      read_list(from, rejected_, internal::read_rejected);
    } else {
      return false;
    }
    return true;
  });
  return {numbers_, confirmed_, rejected_};
}

Delta ServerDecoder::read_delta(Source& from) {
  Delta m;
  patches_.clear();
  uint32_t seen = 0;
  each_member(from, [&](std::string_view key) {
    if (key == "off") {
      m.offset = read_unsigned(from.in);
      seen |= 1;
    } else if (key == "at") {
      m.at_ms = from.in.read_int();
      seen |= 2;
    } else if (key == "p") {
      read_list(from, patches_, internal::read_patch);
      seen |= 4;
    } else if (key == "cause") {
      internal::read_cause(from, m.cause);
    } else {
      return false;
    }
    return true;
  });
  require(from, seen, 7);
  m.patches = patches_;
  return m;
}

TallyUpdate ServerDecoder::read_tally(Source& from) {
  TallyUpdate m;
  numbers_.clear();
  uint32_t seen = 0;
  each_member(from, [&](std::string_view key) {
    if (key == "poll") {
      m.poll = from.text();
      seen |= 1;
    } else if (key == "ver") {
      m.version = read_unsigned(from.in);
      seen |= 2;
    } else if (key == "log") {
      m.log = read_unsigned(from.in);
    } else if (key == "counts") {
      read_list(from, numbers_, read_number);
      if (numbers_.size() > kMaxOptions) from.in.fault(Code::kFieldOutOfRange);
      seen |= 4;
    } else if (key == "voters") {
      m.voters = read_unsigned(from.in);
    } else if (key == "state") {
      m.state = from.text();
    } else if (key == "final") {
      m.final = from.in.read_bool();
    } else {
      return false;
    }
    return true;
  });
  require(from, seen, 7);
  m.counts = numbers_;
  return m;
}

Emotes ServerDecoder::read_emotes(Source& from) {
  emotes_.clear();
  each_member(from, [&](std::string_view key) {
    if (key != "c") return false;
    emotes_.clear();
    each_member(from, [&](std::string_view name) {
      if (emotes_.size() >= internal::kMaxList) from.in.fault(Code::kBatchTooLarge);
      const std::string_view kept = internal::keep(name, from.frame, from.storage);
      emotes_.push_back({kept, read_unsigned(from.in)});
      return true;
    });
    return true;
  });
  return {emotes_};
}

Presence ServerDecoder::read_presence(Source& from) {
  Presence m;
  audiences_.clear();
  uint32_t seen = 0;
  each_member(from, [&](std::string_view key) {
    if (key == "audience") {
      m.audience = read_unsigned(from.in);
      seen |= 1;
    } else if (key == "edges") {
      read_list(from, audiences_, internal::read_audience);
    } else {
      return false;
    }
    return true;
  });
  require(from, seen, 1);
  m.edges = audiences_;
  return m;
}

Slo ServerDecoder::read_slo(Source& from) {
  Slo m;
  slo_classes_.clear();
  slo_edges_.clear();
  each_member(from, [&](std::string_view key) {
    if (key == "m") {
      read_list(from, slo_classes_, internal::read_slo_class);
    } else if (key == "edges") {
      read_list(from, slo_edges_, internal::read_slo_edge);
    } else if (key == "rates" || key == "log") {
      internal::read_slo_numbers(from, m);
    } else {
      return false;
    }
    return true;
  });
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
