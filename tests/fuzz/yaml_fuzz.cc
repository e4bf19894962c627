// DEPS: footlight_core footlight_episode_yaml
// Episode files. Any bytes give a report; a file without problems gives JSON that parses to a
// definition.
#include <cstdint>
#include <string_view>

#include "core/assert.h"
#include "episode/yaml/load.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace footlight;
  using namespace footlight::episode;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const LoadReport report = check_episode_text(text);
  FL_ASSERT(report.problems.size() <= YamlLimits::kProblems + 1, "too many problems");
  for (const Problem& problem : report.problems) {
    FL_ASSERT(!problem.message.empty(), "a problem without a sentence");
    FL_ASSERT(problem.place.line <= size + 2 && problem.place.column <= size + 2,
              "beyond the file");
  }
  if (report.problems.empty()) {
    FL_ASSERT(parse_definition(report.episode.json).has_value(), "good, and yet no definition");
  }
  return 0;
}
