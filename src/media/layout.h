// Where each person's picture lies in the program, and where there is room to write. Pure.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "proto/program_feed.h"

namespace footlight::media {

struct Rect {
  int x = 0, y = 0, w = 0, h = 0;  // even: a chroma sample is two by two
  bool operator==(const Rect&) const = default;
  int right() const { return x + w; }
  int bottom() const { return y + h; }
  bool empty() const { return w <= 0 || h <= 0; }
};

struct Tile {
  uint8_t slot = 0;
  Rect rect;
  bool framed = true;  // a border, round corners, a name; false: the bare picture, whole
  bool operator==(const Tile&) const = default;
};

struct Arrangement {
  std::vector<Tile> tiles;
  Rect panel;                 // polls and the like
  bool panel_covers = false;  // it lies over pictures
  Rect stage;                 // what dice are laid over
  bool operator==(const Arrangement&) const = default;
};

struct Seat {
  uint8_t slot = 0;
  proto::FeedParticipant::Role role = proto::FeedParticipant::Role::kPlayer;
};

// `seats` in the order of the people, `spotlight` the slot of who speaks. Tiles do not overlap and
// lie within the canvas; everybody has one but in kSingle, kTitle and kSlate. Width and height of
// the canvas: even, at least 320 × 180.
Arrangement arrange(const proto::FeedLayout& layout, std::span<const Seat> seats, uint8_t spotlight,
                    int width, int height);

// Who is in the spotlight: who speaks for a while, and stays until another does.
class Spotlight {
 public:
  static constexpr int64_t kHoldUs = 1'200'000;
  // True when it moved. Call at every frame.
  bool update(std::span<const proto::FeedParticipant> people, int64_t now_us);
  uint8_t slot() const { return slot_; }

 private:
  uint8_t slot_ = 255, next_ = 255;
  int64_t since_us_ = 0;
};

}  // namespace footlight::media
