// The drawing over the pictures: backdrop, frames and names, the ring of who speaks, the scene, the
// open poll with its tally, dice, title card and slate.
//
// A picture of what is to be seen is a list of items, each with its place and a fingerprint of its
// content; only places whose item changed are drawn again. Fonts come from the system (fontconfig).
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "media/compose_layer.h"
#include "media/layout.h"
#include "proto/program_feed.h"

namespace footlight::media {

struct Drawn {
  Arrangement arrangement;
  std::vector<proto::FeedParticipant> people;
  std::vector<uint8_t> absent;  // slots without a picture: they get the placeholder
  proto::FeedLayout layout;
  proto::FeedSnapshot snapshot;
  int64_t wall_ms = 0;  // for the poll's countdown
};

class Artist {
 public:
  Artist(int width, int height);
  ~Artist();
  Artist(const Artist&) = delete;
  Artist& operator=(const Artist&) = delete;

  // Draws what is new. True when anything was.
  bool draw(const Drawn& drawn);
  const Layer& layer() const { return layer_; }

 private:
  struct Item {
    Rect rect;
    std::string content;
    bool operator==(const Item&) const = default;
  };
  struct Brush;
  std::vector<Item> items_of(const Drawn& drawn) const;
  void redraw(const Drawn& drawn, const Rect& rect);

  int width_, height_;
  std::unique_ptr<Brush> brush_;
  Layer layer_;
  std::vector<Item> items_;
};

}  // namespace footlight::media
