// The elements of the server messages' lists. Each reads the value at the cursor; faults go to the
// reader.
#pragma once
#include <optional>

#include "proto/internal/source.h"
#include "proto/messages.h"

namespace footlight::proto::internal {

void read_confirmed(Source& from, Confirmed& event);
void read_rejected(Source& from, Rejected& event);
void read_patch(Source& from, Patch& patch);
void read_cause(Source& from, std::optional<Cause>& cause);
void read_audience(Source& from, EdgeAudience& edge);
void read_slo_class(Source& from, SloClass& c);
void read_slo_edge(Source& from, SloEdge& edge);
void read_slo_numbers(Source& from, Slo& m);  // of `rates` and of `log`

}  // namespace footlight::proto::internal
