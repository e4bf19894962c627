// The names an expression may use: which trigger offers what, of which type, and what kind of thing
// a text compared with it must be.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "episode/internal/rule_expr.h"

namespace footlight::episode::rule_expr {

struct ResolvedName {
  RuleName name;
  Type type = Type::kNumber;
  std::optional<RuleReference::Kind> compares_with;  // e.g. poll.id == "fork": a poll
};

// `segments`: the dotted name taken apart, not empty. On failure `why` says what would be right.
bool resolve(const std::vector<std::string>& segments, Sink& sink, ResolvedName& out,
             std::string& why);

}  // namespace footlight::episode::rule_expr
