#include "proto/codes/codes_doc.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "core/codes.h"
#include "proto/http_status.h"

namespace footlight::proto {
namespace {

std::string file_text(const std::string& path) {
  std::ifstream in(std::string(FOOTLIGHT_SOURCE_DIR) + "/" + path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(CodesDoc, ErrorsMdIsWhatTheTableSays) {
  EXPECT_EQ(file_text("docs/errors.md"), errors_markdown()) << "run ./dev fmt";
}

TEST(CodesDoc, CodesTsIsWhatTheTableSays) {
  EXPECT_EQ(file_text("sdk/src/codes.ts"), codes_typescript()) << "run ./dev fmt";
}

TEST(CodesDoc, EveryCodeHasASentenceAndAnErrorStatus){
#define X(name, number, sentence)                         \
  EXPECT_GE(http_status(Code::name), 400) << #name;       \
  EXPECT_LE(http_status(Code::name), 599) << #name;       \
  EXPECT_EQ(code_sentence(Code::name), sentence);         \
  EXPECT_TRUE(number >= 4000 && number <= 4999) << #name; \
  EXPECT_TRUE(code_sentence(Code::name).ends_with('.')) << #name;
    FOOTLIGHT_CODES(X)
#undef X
}

TEST(CodesDoc, StatusesAreThoseClientsActOn) {
  EXPECT_EQ(http_status(Code::kOk), 200);
  EXPECT_EQ(http_status(Code::kTokenExpired), 401);
  EXPECT_EQ(http_status(Code::kForbidden), 403);
  // A token's limits are its holder's affair, not the server's fault.
  EXPECT_EQ(http_status(Code::kMediaPublish), 403);
  EXPECT_EQ(http_status(Code::kMediaSubscribe), 403);
  EXPECT_EQ(http_status(Code::kMediaTracks), 403);
  EXPECT_EQ(http_status(Code::kUnknownSession), 404);
  EXPECT_EQ(http_status(Code::kFrameTooLarge), 413);
  EXPECT_EQ(http_status(Code::kUnknownVersion), 426);
  EXPECT_EQ(http_status(Code::kRateVoter), 429);
  EXPECT_EQ(http_status(Code::kJoinPaced), 429);
  EXPECT_EQ(http_status(Code::kOverloaded), 503);
  EXPECT_EQ(http_status(Code::kDiskFull), 507);
  EXPECT_EQ(http_status(Code::kPollClosed), 409);
  EXPECT_EQ(http_status(static_cast<Code>(4999)), 500);
}

TEST(CodesDoc, TheErrorBodyHoldsCodeSentenceAndRetry) {
  EXPECT_EQ(error_json(Error{Code::kPollClosed, "poll \"fork\"", 250}),
            "{\"code\":4305,\"message\":\"The poll is closed; the vote came after its deadline. "
            "(poll \\\"fork\\\")\",\"retry_after_ms\":250}");
}

}  // namespace
}  // namespace footlight::proto
