// What must hold after any input: a fuzz target that finds otherwise says where, and stops.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace footlight {

inline void require(bool holds, std::source_location at = std::source_location::current()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%u does not hold\n", at.file_name(), static_cast<unsigned>(at.line()));
  std::abort();
}

}  // namespace footlight
