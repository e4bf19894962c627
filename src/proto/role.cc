#include "proto/role.h"

#include <array>

namespace footlight::proto {
namespace {
constexpr std::array<std::string_view, kRoleCount> kRoleNames = {"viewer", "player", "gm",
                                                                 "producer"};
constexpr std::array<std::string_view, 4> kModeNames = {"live", "degraded", "halted", "draining"};
}  // namespace

std::string_view role_name(Role role) { return kRoleNames[static_cast<size_t>(role)]; }

std::optional<Role> parse_role(std::string_view text) {
  for (size_t i = 0; i < kRoleNames.size(); ++i) {
    if (kRoleNames[i] == text) return static_cast<Role>(i);
  }
  return std::nullopt;
}

std::string_view mode_name(Mode mode) { return kModeNames[static_cast<size_t>(mode)]; }

std::optional<Mode> parse_mode(std::string_view text) {
  for (size_t i = 0; i < kModeNames.size(); ++i) {
    if (kModeNames[i] == text) return static_cast<Mode>(i);
  }
  return std::nullopt;
}

}  // namespace footlight::proto
