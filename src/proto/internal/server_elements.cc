#include "proto/internal/server_elements.h"

#include "core/bytes.h"

namespace footlight::proto::internal {

void read_confirmed(Source& from, Confirmed& event) {
  uint32_t seen = 0;
  each_member(from, [&](std::string_view key) {
    if (key == "i") {
      event.i = read_unsigned(from.in);
      seen |= 1;
    } else if (key == "log") {
      event.log = read_unsigned(from.in);
      seen |= 2;
    } else if (key == "hash") {
      const std::string_view digits = from.in.read_string();
      uint64_t high = 0, low = 0;
      if (digits.size() != 32 || !parse_hex_u64(digits.substr(0, 16), high) ||
          !parse_hex_u64(digits.substr(16), low)) {
        from.in.fault(Code::kFieldOutOfRange);
      }
      for (size_t i = 0; i < 8; ++i) {
        event.receipt[i] = static_cast<uint8_t>(high >> (56 - 8 * i));
        event.receipt[8 + i] = static_cast<uint8_t>(low >> (56 - 8 * i));
      }
      event.has_receipt = true;
    } else {
      return false;
    }
    return true;
  });
  require(from, seen, 3);
}

void read_rejected(Source& from, Rejected& event) {
  uint32_t seen = 0;
  each_member(from, [&](std::string_view key) {
    if (key == "i") {
      event.i = read_unsigned(from.in);
      seen |= 1;
    } else if (key == "code") {
      event.code = from.code();
      seen |= 2;
    } else if (key == "message") {
      event.message = from.text();
    } else if (key == "retry_after_ms") {
      event.retry_after_ms = read_u32(from.in);
    } else {
      return false;
    }
    return true;
  });
  require(from, seen, 3);
}

// ["characters","aria",{…}]
void read_patch(Source& from, Patch& patch) {
  read_tuple(from, 3, [&](int at) {
    if (at == 0) {
      patch.collection = from.text();
    } else if (at == 1) {
      patch.id = from.text();
    } else {
      patch.entity = from.in.raw();
    }
  });
}

void read_cause(Source& from, std::optional<Cause>& cause) {
  Cause read;
  uint32_t seen = 0;
  each_member(from, [&](std::string_view key) {
    if (key == "cid") {
      if (!parse_hex_u64(from.in.read_string(), read.cid)) from.in.fault(Code::kFieldOutOfRange);
      seen |= 1;
    } else if (key == "i") {
      read.i = read_unsigned(from.in);
      seen |= 2;
    } else {
      return false;
    }
    return true;
  });
  require(from, seen, 3);
  cause = read;
}

// ["edge-0",600]
void read_audience(Source& from, EdgeAudience& edge) {
  read_tuple(from, 2, [&](int at) {
    if (at == 0) {
      edge.edge = from.text();
    } else {
      edge.audience = read_unsigned(from.in);
    }
  });
}

void read_slo_class(Source& from, SloClass& c) {
  each_member(from, [&](std::string_view key) {
    if (key == "class") {
      c.name = from.text();
    } else if (key == "budget_ms") {
      c.budget_ms = read_u32(from.in);
    } else if (key == "n") {
      c.count = read_unsigned(from.in);
    } else if (key == "p50") {
      c.p50_ms = read_u32(from.in);
    } else if (key == "p99") {
      c.p99_ms = read_u32(from.in);
    } else if (key == "max") {
      c.max_ms = read_u32(from.in);
    } else if (key == "holds") {
      c.holds = from.in.read_bool();
    } else {
      return false;
    }
    return true;
  });
  if (c.name.empty()) from.in.fault(Code::kMissingField);
}

void read_slo_edge(Source& from, SloEdge& edge) {
  each_member(from, [&](std::string_view key) {
    if (key == "edge") {
      edge.edge = from.text();
    } else if (key == "sessions") {
      edge.sessions = read_unsigned(from.in);
    } else if (key == "queue_bytes") {
      edge.queue_bytes = read_unsigned(from.in);
    } else {
      return false;
    }
    return true;
  });
}

void read_slo_numbers(Source& from, Slo& m) {
  each_member(from, [&](std::string_view key) {
    uint64_t* to = key == "events_per_s"       ? &m.events_per_s
                   : key == "ballots_per_s"    ? &m.ballots_per_s
                   : key == "deliveries_per_s" ? &m.deliveries_per_s
                   : key == "seq"              ? &m.log_seq
                   : key == "commit_p50_us"    ? &m.commit_p50_us
                   : key == "commit_p99_us"    ? &m.commit_p99_us
                                               : nullptr;
    if (to == nullptr) return false;
    *to = read_unsigned(from.in);
    return true;
  });
}

}  // namespace footlight::proto::internal
