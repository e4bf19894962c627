// The files generated from the table of codes (core/codes.h): docs/errors.md and sdk/src/codes.ts.
#pragma once
#include <string>

namespace footlight::proto {

std::string errors_markdown();
std::string codes_typescript();

}  // namespace footlight::proto
