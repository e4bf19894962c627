#pragma once
#include <string>
#include <string_view>

#include "core/json.h"
#include "proto/commands.h"

namespace footlight::proto::internal {

// parse_vote() on the value at the cursor of a reader of `source`.
FormFault read_vote(JsonReader& in, std::string_view source, Vote& vote, std::string& storage);

}  // namespace footlight::proto::internal
