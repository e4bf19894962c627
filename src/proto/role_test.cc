#include "proto/role.h"

#include <gtest/gtest.h>

namespace footlight::proto {
namespace {

TEST(Role, NamesReadBackAsTheSameRole) {
  for (int i = 0; i < kRoleCount; ++i) {
    const auto role = static_cast<Role>(i);
    EXPECT_EQ(parse_role(role_name(role)), role);
  }
  EXPECT_EQ(parse_role("king"), std::nullopt);
  EXPECT_EQ(parse_role(""), std::nullopt);
  EXPECT_EQ(parse_role("GM"), std::nullopt);
}

TEST(Role, ModesReadBackAsTheSameMode) {
  for (int i = 0; i < 4; ++i) {
    const auto mode = static_cast<Mode>(i);
    EXPECT_EQ(parse_mode(mode_name(mode)), mode);
  }
  EXPECT_EQ(parse_mode("zen"), std::nullopt);
}

TEST(Role, EveryRoleIsInTheRolesOfItsViewClassAndInNoOther) {
  for (int i = 0; i < kRoleCount; ++i) {
    const auto role = static_cast<Role>(i);
    for (int v = 0; v < kViewClassCount; ++v) {
      const auto view = static_cast<ViewClass>(v);
      EXPECT_EQ(roles_of(view).has(role), view_class(role) == view);
    }
  }
}

}  // namespace
}  // namespace footlight::proto
