// From an episode's state to what its program shows: which layout when nobody chose one, and the
// overlay. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"
#include "proto/program_feed.h"

namespace footlight::edge {

// What Owner::program_view says.
struct ProgramScene {
  std::string state = "waiting";  // "waiting", "live", "ended"
  std::string title;
  bool slate_on = false;
  std::string slate_text;
  proto::FeedSnapshot snapshot;  // without a number
};

// Follows an episode. What is over stays in the picture for a while: a closed poll's result, a
// roll.
class ProgramView {
 public:
  static constexpr WallMs kResultMs = 8'000, kRollMs = 6'000;
  // What cannot be read leaves everything as it is.
  void update(std::string_view json, WallMs now_ms);
  // Of this moment: what has been there long enough is gone.
  ProgramScene scene(WallMs now_ms) const;

 private:
  struct Poll {
    proto::FeedPoll shown;
    std::string state;
    WallMs opened_ms = 0;
    std::optional<WallMs> closed_seen_ms;  // here
    bool seen_open = false;
  };
  struct Roll {
    proto::FeedDice shown;
    WallMs at_ms = 0;
  };
  std::string state_ = "waiting", title_, slate_text_, scene_, scene_text_;
  bool slate_on_ = false;
  std::map<std::string, Poll> polls_;
  std::vector<Roll> rolls_;  // newest first
};

// A producer's wish wins; else the state of the episode decides: a slate before it and when it is
// asked for, a card at its end, the finished program where somebody sends one, else the table.
struct LayoutChoice {
  std::optional<proto::FeedLayout> wish;
};
proto::FeedLayout choose_layout(const LayoutChoice& choice, const ProgramScene& scene,
                                bool finished_program);

// "table", "speaker", "grid", "single", "title", "slate".
std::string_view layout_name(proto::FeedLayout::Kind kind);
std::optional<proto::FeedLayout::Kind> parse_layout(std::string_view name);

}  // namespace footlight::edge
