// What both decoders share.
#pragma once
#include <string_view>

#include "core/json.h"
#include "core/result.h"
#include "proto/commands.h"

namespace footlight::proto::internal {

// The reader's fault as an error that names the place.
inline std::unexpected<Error> fault_of(const JsonReader& in, std::string_view where) {
  std::string detail(where);
  detail += " at byte ";
  detail += std::to_string(in.position());
  return fail(in.code(), std::move(detail));
}

// 0..2^53-1, as JavaScript can hold it.
inline uint64_t read_unsigned(JsonReader& in) {
  const int64_t value = in.read_int();
  if (in.ok() && (value < 0 || value > kMaxSafeInteger)) in.fault(Code::kFieldOutOfRange);
  return in.ok() ? static_cast<uint64_t>(value) : 0;
}
inline uint32_t read_u32(JsonReader& in) {
  const int64_t value = in.read_int();
  if (in.ok() && (value < 0 || value > UINT32_MAX)) in.fault(Code::kFieldOutOfRange);
  return in.ok() ? static_cast<uint32_t>(value) : 0;
}

// Finds the message's `t`, wherever it stands. kBadFrame when the frame is no object, kMissingField
// when there is no `t`. The text points into the frame or into `storage`.
Result<std::string_view> find_type(std::string_view frame, int max_nesting, std::string& storage);

}  // namespace footlight::proto::internal
