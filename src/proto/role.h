#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace footlight::proto {

enum class Role : uint8_t { kViewer = 0, kPlayer = 1, kGm = 2, kProducer = 3 };
inline constexpr int kRoleCount = 4;

std::string_view role_name(Role role);  // "viewer", ...
std::optional<Role> parse_role(std::string_view text);

struct RoleSet {
  uint8_t bits = 0;
  static constexpr RoleSet all() { return {0b1111}; }
  static constexpr RoleSet of(Role role) {
    return {static_cast<uint8_t>(1u << static_cast<int>(role))};
  }
  constexpr bool has(Role role) const { return (bits >> static_cast<int>(role) & 1) != 0; }
  friend constexpr RoleSet operator|(RoleSet a, RoleSet b) {
    return {static_cast<uint8_t>(a.bits | b.bits)};
  }
  friend constexpr bool operator==(RoleSet, RoleSet) = default;
};

// What judges whether somebody may send a command: the role, and what the token grants beside it.
struct Rights {
  Role role = Role::kViewer;
  bool captions = false;  // may say captions and take them back, whatever the role
  // NOLINTNEXTLINE(google-explicit-constructor): a role alone grants nothing more
  constexpr Rights(Role of, bool says_captions = false) : role(of), captions(says_captions) {}
};

// Who sees the same view: viewers; players; GM and producer.
enum class ViewClass : uint8_t { kViewer = 0, kPlayer = 1, kDirector = 2 };
inline constexpr int kViewClassCount = 3;
constexpr ViewClass view_class(Role role) {
  return role == Role::kViewer   ? ViewClass::kViewer
         : role == Role::kPlayer ? ViewClass::kPlayer
                                 : ViewClass::kDirector;
}
constexpr RoleSet roles_of(ViewClass view) {
  return view == ViewClass::kViewer   ? RoleSet::of(Role::kViewer)
         : view == ViewClass::kPlayer ? RoleSet::of(Role::kPlayer)
                                      : RoleSet::of(Role::kGm) | RoleSet::of(Role::kProducer);
}

enum class Mode : uint8_t { kLive = 0, kDegraded = 1, kHalted = 2, kDraining = 3 };
std::string_view mode_name(Mode mode);  // "live", ...
std::optional<Mode> parse_mode(std::string_view text);

}  // namespace footlight::proto
