// DEPS: footlight_core
// Whatever parses must write back to something that parses to the same text, and the reader must
// never step outside its input.
#include <cstdlib>

#include "core/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto tree = footlight::Json::parse(text);
  footlight::JsonReader reader(text);
  reader.skip();
  if (reader.finish() != tree.has_value()) std::abort();
  if (!tree) return 0;
  const std::string once = tree->dump();
  auto again = footlight::Json::parse(once);
  if (!again || again->dump() != once) std::abort();
  return 0;
}
