#include "proto/internal/server_elements.h"

#include "core/bytes.h"

namespace footlight::proto::internal {

void read_confirmed(Source& from, Confirmed& event) {
  const auto hash = [&] {
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
  };
  read_members(from, must("i", event.i), must("log", event.log), may("hash", hash));
}

void read_rejected(Source& from, Rejected& event) {
  read_members(from, must("i", event.i), must("code", event.code), may("message", event.message),
               may("retry_after_ms", event.retry_after_ms));
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
  const auto cid = [&] {
    if (!parse_hex_u64(from.in.read_string(), read.cid)) from.in.fault(Code::kFieldOutOfRange);
  };
  read_members(from, must("cid", cid), must("i", read.i));
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
  read_members(from, may("class", c.name), may("budget_ms", c.budget_ms), may("n", c.count),
               may("p50", c.p50_ms), may("p99", c.p99_ms), may("max", c.max_ms),
               may("holds", c.holds));
  if (c.name.empty()) from.in.fault(Code::kMissingField);
}

void read_slo_edge(Source& from, SloEdge& edge) {
  read_members(from, may("edge", edge.edge), may("sessions", edge.sessions),
               may("queue_bytes", edge.queue_bytes));
}

void read_slo_numbers(Source& from, Slo& m) {
  read_members(from, may("events_per_s", m.events_per_s), may("ballots_per_s", m.ballots_per_s),
               may("deliveries_per_s", m.deliveries_per_s), may("seq", m.log_seq),
               may("commit_p50_us", m.commit_p50_us), may("commit_p99_us", m.commit_p99_us));
}

}  // namespace footlight::proto::internal
