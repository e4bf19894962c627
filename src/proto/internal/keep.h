#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace footlight::proto::internal {

// Texts without escapes are views into their source and stay there; the others lie in the reader's
// scratch and are moved to `storage`. Unescaping never lengthens a text, so a reserve of the
// source's size holds all of them without moving any.
inline std::string_view keep(std::string_view text, std::string_view source, std::string& storage) {
  const auto begin = reinterpret_cast<uintptr_t>(source.data());
  const auto at = reinterpret_cast<uintptr_t>(text.data());
  if (at >= begin && at <= begin + source.size()) return text;
  const size_t offset = storage.size();
  storage.append(text);
  return std::string_view(storage).substr(offset);
}

}  // namespace footlight::proto::internal
