#include "media/compose_layer.h"

#include <algorithm>
#include <cstring>

namespace footlight::media {
namespace {

struct Sum {
  int a = 0, r = 0, g = 0, b = 0;
  void add(uint32_t pixel) {
    a += static_cast<int>(pixel >> 24);
    r += static_cast<int>(pixel >> 16 & 255);
    g += static_cast<int>(pixel >> 8 & 255);
    b += static_cast<int>(pixel & 255);
  }
};

uint8_t clip(int value) { return static_cast<uint8_t>(std::clamp(value, 0, 255)); }

// In 16ths of 4,096: colours are premultiplied, so the offsets are weighed by the coverage too.
uint8_t luma(const Sum& s) {
  return clip((s.r * 1'052 + s.g * 2'065 + s.b * 401 + s.a * 257 + 2'048) >> 12);
}
uint8_t blue(const Sum& s) {
  return clip((s.b * 1'799 - s.g * 1'192 - s.r * 607 + s.a * 2'056 + 2'048) >> 12);
}
uint8_t red(const Sum& s) {
  return clip((s.r * 1'799 - s.g * 1'506 - s.b * 293 + s.a * 2'056 + 2'048) >> 12);
}

void blend_row(uint8_t* to, const uint8_t* colour, const uint8_t* cover, int count) {
  int i = 0;
  while (i < count) {
    uint64_t eight = 1;
    if (i + 8 <= count) std::memcpy(&eight, cover + i, 8);
    if (eight == 0) {
      i += 8;
      continue;
    }
    const int end = std::min(count, i + 8);
    for (; i < end; ++i) {
      const int left = 255 - cover[i];
      to[i] = static_cast<uint8_t>(std::min(255, colour[i] + ((to[i] * left + 128) * 257 >> 16)));
    }
  }
}

}  // namespace

Layer::Layer(int width, int height) : width_(width), height_(height) {
  const auto make = [](Plane& plane, int w, int h) {
    plane.width = w;
    plane.height = h;
    plane.colour.assign(static_cast<size_t>(w) * static_cast<size_t>(h), 0);
    plane.cover = plane.colour;
  };
  make(y_, width, height);
  make(u_, width / 2, height / 2);
  make(v_, width / 2, height / 2);
}

void Layer::take(const uint8_t* argb, int stride, Rect rect) {
  const int left = std::max(0, rect.x & ~1), top = std::max(0, rect.y & ~1);
  const int right = std::min(width_, (rect.right() + 1) & ~1);
  const int bottom = std::min(height_, (rect.bottom() + 1) & ~1);
  const auto row_of = [&](int y) {
    return reinterpret_cast<const uint32_t*>(argb + static_cast<ptrdiff_t>(y) * stride);
  };
  for (int y = top; y < bottom; ++y) {
    const uint32_t* row = row_of(y);
    const size_t at = static_cast<size_t>(y) * static_cast<size_t>(width_);
    for (int x = left; x < right; ++x) {
      Sum sum;
      sum.add(row[x]);
      y_.colour[at + static_cast<size_t>(x)] = luma(sum);
      y_.cover[at + static_cast<size_t>(x)] = static_cast<uint8_t>(sum.a);
    }
  }
  for (int y = top; y < bottom; y += 2) {
    const uint32_t* one = row_of(y);
    const uint32_t* two = row_of(y + 1);
    const size_t at = static_cast<size_t>(y / 2) * static_cast<size_t>(width_ / 2);
    for (int x = left; x < right; x += 2) {
      Sum sum;
      for (const uint32_t pixel : {one[x], one[x + 1], two[x], two[x + 1]}) sum.add(pixel);
      sum = {(sum.a + 2) / 4, (sum.r + 2) / 4, (sum.g + 2) / 4, (sum.b + 2) / 4};
      const size_t to = at + static_cast<size_t>(x / 2);
      u_.colour[to] = blue(sum);
      v_.colour[to] = red(sum);
      u_.cover[to] = static_cast<uint8_t>(sum.a);
    }
  }
}

void Layer::copy_to(AVFrame& canvas) const {
  const Plane* planes[] = {&y_, &u_, &v_};
  for (int i = 0; i < 3; ++i) {
    const Plane& plane = *planes[i];
    const auto width = static_cast<size_t>(plane.width);
    for (int y = 0; y < plane.height; ++y) {
      std::memcpy(canvas.data[i] + y * canvas.linesize[i],
                  &plane.colour[static_cast<size_t>(y) * width], width);
    }
  }
}

void Layer::blend(AVFrame& canvas, const Rect& rect) const {
  const Plane* planes[] = {&y_, &u_, &v_};
  for (int i = 0; i < 3; ++i) {
    const Plane& plane = *planes[i];
    const auto& cover = i == 0 ? y_.cover : u_.cover;
    const int shift = i == 0 ? 0 : 1;
    for (int y = rect.y >> shift; y < rect.bottom() >> shift; ++y) {
      const size_t at = static_cast<size_t>(y) * static_cast<size_t>(plane.width) +
                        static_cast<size_t>(rect.x >> shift);
      blend_row(canvas.data[i] + y * canvas.linesize[i] + (rect.x >> shift), &plane.colour[at],
                &cover[at], rect.w >> shift);
    }
  }
}

}  // namespace footlight::media
