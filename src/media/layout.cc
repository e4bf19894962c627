#include "media/layout.h"

#include <algorithm>

namespace footlight::media {
namespace {

using Kind = proto::FeedLayout::Kind;
using Role = proto::FeedParticipant::Role;

constexpr int even(int value) { return value & ~1; }

// The largest 16:9 rectangle of even size within w × h.
Rect fit(int w, int h) {
  const int by_height = even(h * 16 / 9);
  if (by_height <= w) return {0, 0, by_height, even(h)};
  return {0, 0, even(w), even(w * 9 / 16)};
}

Arrangement grid(std::span<const Seat> seats, int width, int height, int gap) {
  Arrangement out;
  const int count = static_cast<int>(seats.size());
  int columns = 1;
  Rect best;
  for (int c = 1; c <= count; ++c) {
    const int rows = (count + c - 1) / c;
    const Rect cell = fit((width - (c + 1) * gap) / c, (height - (rows + 1) * gap) / rows);
    if (cell.w <= best.w) continue;
    best = cell;
    columns = c;
  }
  const int rows = count == 0 ? 0 : (count + columns - 1) / columns;
  const int top = (height - rows * best.h - (rows - 1) * gap) / 2;
  for (int i = 0; i < count; ++i) {
    const int row = i / columns;
    const int in_row = std::min(columns, count - row * columns);
    const int left = (width - in_row * best.w - (in_row - 1) * gap) / 2;
    out.tiles.push_back({seats[static_cast<size_t>(i)].slot,
                         {even(left + (i % columns) * (best.w + gap)),
                          even(top + row * (best.h + gap)), best.w, best.h}});
  }
  return out;
}

// One large picture, the others in columns at its right, and room to write below it.
Arrangement table(std::span<const Seat> seats, size_t main, int width, int height, int gap) {
  Arrangement out;
  const int others = static_cast<int>(seats.size()) - 1;
  const int columns = others > 4 ? (others > 10 ? 3 : 2) : 1;
  const int rows = std::max(3, (others + columns - 1) / columns);
  Rect cell =
      fit(width * (columns == 1 ? 27 : 38) / 100 / columns, (height - (rows + 1) * gap) / rows);
  if (others == 0) cell.w = 0;
  const int side = others == 0 ? 0 : columns * (cell.w + gap);
  Rect large = fit(width - 2 * gap - side, height - 2 * gap);
  const int least = height / 5;  // room to write
  if (height - large.h - 3 * gap < least && others > 0)
    large = fit(large.w, height - least - 3 * gap);
  if (others == 0) large = fit(width - 2 * gap, height - 2 * gap);
  large.x = others == 0 ? even((width - large.w) / 2) : gap;
  large.y = others == 0 ? even((height - large.h) / 2) : gap;
  out.tiles.push_back({seats[main].slot, large});
  const int used = (others + columns - 1) / columns;
  const int top = (height - used * cell.h - (used - 1) * gap) / 2;
  const int free = width - large.right() - gap;  // the columns share what is left
  const int left =
      large.right() + even((free - columns * cell.w - (columns - 1) * gap) / 2) + gap / 2;
  for (int i = 0, n = 0; i < static_cast<int>(seats.size()); ++i) {
    if (static_cast<size_t>(i) == main) continue;
    const int row = n / columns, missing = std::max(0, (row + 1) * columns - others);
    const int shift = missing * (cell.w + gap) / 2;  // the last row stands in the middle
    out.tiles.push_back({seats[static_cast<size_t>(i)].slot,
                         {even(left + shift + (n % columns) * (cell.w + gap)),
                          even(top + row * (cell.h + gap)), cell.w, cell.h}});
    ++n;
  }
  out.stage = large;
  if (others > 0) {
    out.panel = {gap, even(large.bottom() + gap), large.w, even(height - large.bottom() - 2 * gap)};
  }
  return out;
}

size_t find_seat(std::span<const Seat> seats, uint8_t slot) {
  const auto found = std::ranges::find(seats, slot, &Seat::slot);
  return static_cast<size_t>(found - seats.begin());
}

size_t find_role(std::span<const Seat> seats, Role role) {
  const auto found = std::ranges::find(seats, role, &Seat::role);
  return static_cast<size_t>(found - seats.begin());
}

size_t chosen(const proto::FeedLayout& layout, std::span<const Seat> seats, uint8_t spotlight) {
  const size_t program = find_role(seats, Role::kProgram), gm = find_role(seats, Role::kGm);
  size_t main = seats.size();
  if (layout.kind == Kind::kSingle) {
    main = find_seat(seats, layout.slot);
    if (main == seats.size()) main = program;
  }
  if (layout.kind == Kind::kTable) main = gm < seats.size() ? gm : find_role(seats, Role::kHost);
  if (main == seats.size()) main = find_seat(seats, spotlight);
  if (main == seats.size()) main = gm;
  return main == seats.size() ? 0 : main;
}

}  // namespace

Arrangement arrange(const proto::FeedLayout& layout, std::span<const Seat> seats, uint8_t spotlight,
                    int width, int height) {
  const int gap = even(std::max(4, height / 60));
  Arrangement out;
  const Rect all{0, 0, width, height};
  if (layout.kind != Kind::kTitle && layout.kind != Kind::kSlate && !seats.empty()) {
    const size_t main = chosen(layout, seats, spotlight);
    if (layout.kind == Kind::kSingle) {
      out.tiles.push_back({seats[main].slot, all, seats[main].role != Role::kProgram});
    } else if (layout.kind == Kind::kGrid) {
      out = grid(seats, width, height, gap);
    } else {
      out = table(seats, main, width, height, gap);
    }
  }
  if (out.stage.empty()) out.stage = all;
  if (out.panel.empty()) {
    const int h = even(height / 4);
    out.panel = {even(width / 12), height - h - 2 * gap, even(width - width / 12 * 2), h};
    out.panel_covers = true;
  }
  return out;
}

bool Spotlight::update(std::span<const proto::FeedParticipant> people, int64_t now_us) {
  const auto speaks = [&](uint8_t slot) {
    return std::ranges::any_of(
        people, [&](const auto& each) { return each.slot == slot && each.speaking; });
  };
  if (speaks(slot_)) {
    next_ = 255;
    return false;
  }
  if (!speaks(next_)) {
    const auto first = std::ranges::find_if(people, [](const auto& each) { return each.speaking; });
    next_ = first == people.end() ? 255 : first->slot;
    since_us_ = now_us;
  }
  const bool at_once =
      std::ranges::find(people, slot_, &proto::FeedParticipant::slot) == people.end();
  if (next_ == 255 || (!at_once && now_us - since_us_ < kHoldUs)) return false;
  slot_ = next_;
  next_ = 255;
  return true;
}

}  // namespace footlight::media
