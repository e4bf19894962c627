#include "core/assert.h"

#include <cstdio>
#include <cstdlib>

namespace footlight {
void assert_failed(const char* file, int line, const char* condition, const char* why) {
  std::fprintf(stderr, "%s:%d: broken invariant: %s (%s)\n", file, line, condition, why);
  std::abort();
}
}  // namespace footlight
