// Invariants of ours. A peer's bad input never reaches FL_ASSERT: it gets a numbered error. A
// broken invariant aborts with the place and the sentence, in release builds too.
#pragma once

namespace footlight {
[[noreturn]] void assert_failed(const char* file, int line, const char* condition, const char* why);
}  // namespace footlight

#define FL_ASSERT(condition, why)                                      \
  do {                                                                 \
    if (!(condition)) [[unlikely]]                                     \
      ::footlight::assert_failed(__FILE__, __LINE__, #condition, why); \
  } while (false)
