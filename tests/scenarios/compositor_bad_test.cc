// A node whose compositor goes wrong without dying (bad_compositor.cc): it is noticed, ended, told
// with its reason and started again, and the stream goes on after a discontinuity.
#include <chrono>
#include <cstdlib>
#include <thread>

#include "node_support.h"

namespace footlight::edge {
namespace {

using testing::HasSubstr;

class BadCompositor : public NodeTest {
 protected:
  void begin(const char* how) {
    (void)::setenv("FOOTLIGHT_BAD", how, 1);
    NodeOptions made = options();
    made.config.program.enabled = true;
    made.config.program.compositor = FOOTLIGHT_BAD_COMPOSITOR;
    start(std::move(made));
    producer_ = bearer(token_of("boss", proto::Role::kProducer));
    const auto answer =
        call("POST", "/v1/episodes/demo/commands", R"({"k":"episode.start","a":{}})", producer_);
    EXPECT_EQ(answer.status, 200) << answer.body;
  }
  // Until `path` answers with all of `words`.
  std::string wait(const std::string& path, const std::vector<std::string>& words) {
    std::string body;
    for (int i = 0; i < 400; ++i) {
      body = call("GET", path, "", producer_).body;
      if (std::ranges::all_of(words,
                              [&](const auto& each) { return body.find(each) != body.npos; })) {
        return body;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ADD_FAILURE() << path << " says " << body;
    return body;
  }
  std::string media_playlist() {
    const std::string index = wait("/v1/program/demo/index.m3u8", {"v720.m3u8"});
    const size_t end = index.find("/v720.m3u8"), begin = index.rfind('\n', end) + 1;
    return "/v1/program/demo/" + index.substr(begin, end - begin) + "/v720.m3u8";
  }
  net::HeaderList producer_;
  const std::string program_ = "/v1/episodes/demo/program";
};

TEST_F(BadCompositor, broken_units_are_refused_and_their_maker_is_started_anew) {
  begin("broken");
  const std::string said = wait(program_, {R"("last_end":{"code":)", "its parts were refused"});
  EXPECT_THAT(said, HasSubstr("\"code\":" + std::to_string(static_cast<int>(Code::kFeedBroken))));
  const std::string list = media_playlist();
  EXPECT_THAT(wait(list, {"#EXT-X-DISCONTINUITY\n"}), testing::Not(HasSubstr("rubbish")));
  EXPECT_THAT(wait("/metrics", {"footlight_program_refused_units_total"}),
              HasSubstr("code=\"4792\""));
}

TEST_F(BadCompositor, a_stopped_process_is_ended_and_started_anew) {
  begin("stops");
  wait(program_, {R"("last_end":{"code":4814)", R"("starts":2)"});
  wait(media_playlist(), {"#EXT-X-DISCONTINUITY\n"});
}

TEST_F(BadCompositor, one_that_only_talks_is_started_anew) {
  begin("talks");
  wait(program_, {R"("last_end":{"code":4814)", "no part of v720"});
}

TEST_F(BadCompositor, a_rung_that_stays_behind_is_left_out_and_costs_a_new_start) {
  begin("rung");
  const std::string index = "/v1/program/demo/index.m3u8";
  wait(index, {"v720.m3u8", "v480.m3u8"});
  bool left_out = false;
  for (int i = 0; i < 100 && !left_out; ++i) {
    const std::string body = call("GET", index).body;
    left_out = body.find("v480") == body.npos && body.find("v720") != body.npos;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(left_out) << "for who comes now";
  wait(program_, {R"("last_end":{"code":4814)", "no part of v480"});
}

TEST_F(BadCompositor, a_step_of_the_wall_clock_moves_no_date_and_costs_no_new_start) {
  begin("clock");
  const std::string list = wait(media_playlist(), {"s8.m4s"});
  EXPECT_THAT(list, HasSubstr("#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:"));
  EXPECT_THAT(list, testing::Not(HasSubstr("TIME:2027-01-15T09:")));
  EXPECT_THAT(call("GET", program_, "", producer_).body, HasSubstr(R"("starts":1)"));
}

}  // namespace
}  // namespace footlight::edge
