#include "proto/internal/read.h"

#include "proto/internal/keep.h"

namespace footlight::proto::internal {

Result<std::string_view> find_type(std::string_view frame, int max_nesting, std::string& storage) {
  JsonReader in(frame, max_nesting);
  if (in.peek() != JsonType::kObject) return fail(Code::kBadFrame, "a message is a JSON object");
  (void)in.enter_object();
  std::string_view key;
  while (in.next_key(key)) {
    if (key == "t") {
      const std::string_view type = in.read_string();
      if (!in.ok()) return fault_of(in, "t");
      return keep(type, frame, storage);
    }
    in.skip();
  }
  if (!in.ok()) return fault_of(in, "the frame");
  return fail(Code::kMissingField, "t is missing");
}

}  // namespace footlight::proto::internal
