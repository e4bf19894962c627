// A fault found in an episode file, a rule or any other part of a definition. Checks collect all
// they can find instead of stopping at the first; the YAML loader turns the path into line and
// column.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/codes.h"

namespace footlight::episode {

struct Issue {
  Code code =
      Code::kEpisodeField;  // kEpisodeSyntax, kEpisodeField, kEpisodeReference, kEpisodeLimit
  std::string path;         // JSON Pointer (RFC 6901) of the value, "" = the whole document
  std::string message;      // one sentence, without the place: `unknown key "titel"`
  bool at_key = false;      // the member's name is meant, not its value (unknown keys)
};

using Issues = std::vector<Issue>;

// `path` + "/" + `token`, with "~" and "/" of the token escaped (RFC 6901 section 3).
inline std::string pointer_join(std::string_view path, std::string_view token) {
  std::string out(path);
  out += '/';
  for (const char c : token) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace footlight::episode
