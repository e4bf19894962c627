// What is drawn over (and beside) the pictures: one layer of the canvas' size in the encoders' own
// format, with its coverage. It is converted where it changed and blended every frame.
#pragma once
#include <cstdint>
#include <vector>

#include "media/compose_av.h"
#include "media/layout.h"

namespace footlight::media {

class Layer {
 public:
  Layer(int width, int height);
  // Takes `rect` (grown to even borders) from premultiplied 32-bit ARGB in host order, as cairo
  // draws it. ITU-R BT.601, studio range.
  void take(const uint8_t* argb, int stride, Rect rect);
  // The layer alone, where nothing shines through.
  void copy_to(AVFrame& canvas) const;
  // Over what lies in `rect` of the canvas.
  void blend(AVFrame& canvas, const Rect& rect) const;

 private:
  struct Plane {
    int width = 0, height = 0;
    std::vector<uint8_t> colour, cover;
  };
  int width_, height_;
  Plane y_, u_, v_;  // v_ has no cover of its own: that of u_ serves both
};

}  // namespace footlight::media
