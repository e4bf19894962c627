#include "core/codes.h"

#include <gtest/gtest.h>

#include <set>

#include "core/result.h"

namespace footlight {
namespace {

TEST(Codes, are_unique_and_fit_a_websocket_close) {
  std::set<int> seen;
#define X(name, number, sentence)                   \
  EXPECT_TRUE(seen.insert(number).second) << #name; \
  EXPECT_GE(number, 4000);                          \
  EXPECT_LE(number, 4999);                          \
  EXPECT_EQ(code_sentence(Code::name), sentence);
  FOOTLIGHT_CODES(X)
#undef X
}

// What people and programs that use a node are told; media packets, feeds and documents within are
// for those who know them.
bool is_told_to_its_sender(int number) {
  return number < 4060 || (number >= 4100 && number < 4640) || (number >= 4700 && number < 4730) ||
         (number >= 4800 && number < 4810);
}

TEST(Codes, say_what_happened_and_then_what_to_do){
#define X(name, number, sentence)                                                               \
  if (is_told_to_its_sender(number)) {                                                          \
    EXPECT_NE(std::string_view(sentence).find_first_of(";:"), std::string_view::npos) << #name; \
  }
    FOOTLIGHT_CODES(X)
#undef X
}

TEST(Error, reads_as_number_sentence_and_detail) {
  const Error error = fail(Code::kPollClosed, "poll fork").error();
  EXPECT_EQ(error.message(),
            "4305 The poll is closed; the vote came after its deadline. (poll fork)");
}

}  // namespace
}  // namespace footlight
