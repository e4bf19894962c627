#include "media/compose_draw.h"

#include <pango/pangocairo.h>

#include <algorithm>
#include <cmath>

namespace footlight::media {
namespace {

using Kind = proto::FeedLayout::Kind;
using Role = proto::FeedParticipant::Role;

struct Colour {
  double r, g, b, a = 1;
};
constexpr Colour kInk{0.050, 0.055, 0.085}, kInkLow{0.105, 0.095, 0.170};
constexpr Colour kTileFill{0.125, 0.130, 0.195}, kPlate{0.035, 0.040, 0.065, 0.74};
constexpr Colour kGold{0.965, 0.745, 0.300}, kWhite{0.965, 0.965, 0.985};
constexpr Colour kMuted{0.690, 0.700, 0.790}, kLine{1, 1, 1, 0.10};
constexpr Colour kAccents[] = {{0.330, 0.590, 0.980}, {0.935, 0.420, 0.470}, {0.365, 0.780, 0.560},
                               {0.925, 0.640, 0.300}, {0.690, 0.520, 0.965}, {0.300, 0.760, 0.810}};

const Colour& accent(size_t number) { return kAccents[number % std::size(kAccents)]; }

// The first letter or digit of each of the first two words; whatever the script.
std::string initials(const std::string& name) {
  std::string out;
  int taken = 0;
  bool begins = true;
  for (const char* at = name.c_str(); *at && taken < 2; at = g_utf8_next_char(at)) {
    const gunichar letter = g_utf8_get_char(at);
    if (begins && g_unichar_isalnum(letter)) {
      char bytes[8];
      out.append(bytes, static_cast<size_t>(g_unichar_to_utf8(g_unichar_toupper(letter), bytes)));
      ++taken;
    }
    begins = g_unichar_isspace(letter);
  }
  return out.empty() ? "?" : out;
}

std::string seconds_left(const proto::FeedPoll& poll, int64_t wall_ms) {
  if (poll.closed) return "closed";
  if (poll.closes_wall_ms == 0) return {};
  const int64_t left = std::max<int64_t>(0, (poll.closes_wall_ms - wall_ms + 999) / 1'000);
  const std::string tail = std::to_string(left % 60);
  return std::to_string(left / 60) + (left % 60 < 10 ? ":0" : ":") + tail;
}

std::string thousands(uint64_t value) {
  std::string out = std::to_string(value);
  for (auto at = static_cast<ptrdiff_t>(out.size()) - 3; at > 0; at -= 3) {
    out.insert(static_cast<size_t>(at), "\u2009");
  }
  return out;
}

}  // namespace

// Cairo and pango behind a few strokes.
struct Artist::Brush {
  Brush(int width, int height) {
    surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, width, height);
    cairo = cairo_create(surface);
    text = pango_cairo_create_layout(cairo);
  }
  ~Brush() {
    g_object_unref(text);
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
  }
  void use(const Colour& c) const { cairo_set_source_rgba(cairo, c.r, c.g, c.b, c.a); }
  void round_path(double x, double y, double w, double h, double r) const {
    r = std::min({r, w / 2, h / 2});
    cairo_new_path(cairo);
    cairo_arc(cairo, x + w - r, y + r, r, -M_PI / 2, 0);
    cairo_arc(cairo, x + w - r, y + h - r, r, 0, M_PI / 2);
    cairo_arc(cairo, x + r, y + h - r, r, M_PI / 2, M_PI);
    cairo_arc(cairo, x + r, y + r, r, M_PI, M_PI * 3 / 2);
    cairo_close_path(cairo);
  }
  void fill_round(double x, double y, double w, double h, double r, const Colour& c) const {
    round_path(x, y, w, h, r);
    use(c);
    cairo_fill(cairo);
  }
  // Lays out; `most`: its width in pixels, beyond which it ends in an ellipsis. Returns its size.
  std::pair<double, double> lay(const std::string& words, double pixels, bool bold,
                                double most) const {
    PangoFontDescription* font = pango_font_description_new();
    pango_font_description_set_family(font, "Inter, Noto Sans, DejaVu Sans, sans-serif");
    pango_font_description_set_weight(font, bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_font_description_set_absolute_size(font, pixels * PANGO_SCALE);
    pango_layout_set_font_description(text, font);
    pango_font_description_free(font);
    pango_layout_set_text(text, words.data(), static_cast<int>(words.size()));
    pango_layout_set_single_paragraph_mode(text, TRUE);
    pango_layout_set_alignment(text, PANGO_ALIGN_LEFT);
    pango_layout_set_height(text, -1);
    pango_layout_set_ellipsize(text, PANGO_ELLIPSIZE_END);
    pango_layout_set_width(text, -1);
    int w = 0, h = 0;
    pango_layout_get_pixel_size(text, &w, &h);
    if (w > most) {
      pango_layout_set_width(text, static_cast<int>(most * PANGO_SCALE));
      pango_layout_get_pixel_size(text, &w, &h);
    }
    return {w, h};
  }
  // Middle of the line at `y`.
  double write(double x, double y, const std::string& words, double pixels, bool bold,
               const Colour& c, double most) const {
    const auto [w, h] = lay(words, pixels, bold, most);
    use(c);
    cairo_move_to(cairo, x, y - h / 2);
    pango_cairo_show_layout(cairo, text);
    return w;
  }
  void backdrop(int width, int height) const {
    cairo_pattern_t* sky = cairo_pattern_create_linear(0, 0, width * 0.35, height);
    cairo_pattern_add_color_stop_rgb(sky, 0, kInkLow.r, kInkLow.g, kInkLow.b);
    cairo_pattern_add_color_stop_rgb(sky, 1, kInk.r, kInk.g, kInk.b);
    cairo_set_source(cairo, sky);
    cairo_paint(cairo);
    cairo_pattern_destroy(sky);
  }

  void tile(const Tile& tile, const proto::FeedParticipant* person, bool absent, double unit) const;
  void name_plate(const Rect& r, const proto::FeedParticipant& person, double unit) const;
  void scene(const Rect& stage, const std::string& words, double unit) const;
  void poll(const Rect& r, const proto::FeedPoll& poll, int64_t wall_ms, double unit,
            bool covers) const;
  void option(const Rect& r, const proto::FeedOption& each, const proto::FeedPoll& poll,
              size_t number, double unit) const;
  void die(const Rect& r, const proto::FeedDice& dice, double unit) const;
  void idle_panel(const Rect& r, const std::string& words, double unit) const;
  void card(int width, int height, const proto::FeedSnapshot& snapshot, bool slate) const;

  cairo_surface_t* surface;
  cairo_t* cairo;
  PangoLayout* text;
};

void Artist::Brush::name_plate(const Rect& r, const proto::FeedParticipant& person,
                               double unit) const {
  const bool large = r.w > 20 * unit;
  const double size = large ? unit * 0.62 : unit * 0.50, pad = size * 0.62;
  const std::string role = person.role == Role::kGm ? "GM" : "";
  const double most = r.w - 4 * pad - (role.empty() ? 0 : 3 * size);
  const double w = lay(person.name, size, true, most).first;
  const double badge = role.empty() ? 0 : lay(role, size * 0.78, true, most).first + pad * 1.6;
  const double h = size * 1.9, x = r.x + unit * 0.32, y = r.bottom() - h - unit * 0.32;
  fill_round(x, y, w + badge + 2 * pad, h, h / 2, kPlate);
  double at = x + pad;
  if (badge > 0) {
    fill_round(x + pad * 0.5, y + h * 0.17, badge, h * 0.66, h / 3, kGold);
    write(x + pad * 0.5 + pad * 0.8, y + h / 2, role, size * 0.78, true, kInk, most);
    at += badge + pad * 0.1;
  }
  write(at, y + h / 2, person.name, size, true, kWhite, most);
}

void Artist::Brush::tile(const Tile& tile, const proto::FeedParticipant* person, bool absent,
                         double unit) const {
  const Rect& r = tile.rect;
  const double radius = tile.framed ? unit * 0.42 : 0;
  cairo_set_operator(cairo, CAIRO_OPERATOR_SOURCE);
  if (tile.framed) {
    fill_round(r.x, r.y, r.w, r.h, radius, absent ? kTileFill : Colour{0, 0, 0, 0});
  } else {
    use(absent ? kInk : Colour{0, 0, 0, 0});
    cairo_rectangle(cairo, r.x, r.y, r.w, r.h);
    cairo_fill(cairo);
  }
  cairo_set_operator(cairo, CAIRO_OPERATOR_OVER);
  if (!person) return;
  if (absent) {
    const double disc = std::min(r.w, r.h) * 0.22, cx = r.x + r.w / 2.0, cy = r.y + r.h / 2.0;
    Colour fill = accent(person->slot);
    fill.a = 0.92;
    cairo_new_path(cairo);
    cairo_arc(cairo, cx, cy, disc, 0, 2 * M_PI);
    use(fill);
    cairo_fill(cairo);
    const std::string letters = initials(person->name);
    const double w = lay(letters, disc * 0.86, true, r.w).first;
    write(cx - w / 2, cy, letters, disc * 0.86, true, kWhite, r.w);
  }
  if (!tile.framed) return;
  const double line = person->speaking ? unit * 0.16 : 1;
  round_path(r.x + line / 2, r.y + line / 2, r.w - line, r.h - line, radius);
  use(person->speaking ? kGold : kLine);
  cairo_set_line_width(cairo, line);
  cairo_stroke(cairo);
  if (!person->name.empty()) name_plate(r, *person, unit);
}

void Artist::Brush::scene(const Rect& r, const std::string& words, double unit) const {
  const double size = unit * 0.62;
  const double w = lay(words, size, true, r.w - 2 * unit).first;
  fill_round(r.x, r.y, w + size * 2.2, size * 2, size, kPlate);
  fill_round(r.x + size * 0.55, r.y + size * 0.55, size * 0.28, size * 0.9, size * 0.14, kGold);
  write(r.x + size * 1.3, r.y + size, words, size, true, kWhite, r.w - 2 * unit);
}

void Artist::Brush::option(const Rect& r, const proto::FeedOption& each,
                           const proto::FeedPoll& poll, size_t number, double unit) const {
  uint64_t all = 0, most = 0;
  for (const auto& option : poll.options) {
    all += option.votes;
    most = std::max(most, option.votes);
  }
  const double share = all == 0 ? 0 : static_cast<double>(each.votes) / static_cast<double>(all);
  const bool wins = poll.closed && each.votes == most && all > 0;
  const double size = std::min(unit * 0.56, r.h * 0.52), radius = r.h * 0.28;
  fill_round(r.x, r.y, r.w, r.h, radius, {1, 1, 1, 0.07});
  Colour bar = wins ? kGold : accent(number);
  bar.a = poll.closed && !wins ? 0.38 : 0.88;
  if (share > 0) {
    cairo_save(cairo);
    round_path(r.x, r.y, r.w, r.h, radius);
    cairo_clip(cairo);
    cairo_rectangle(cairo, r.x, r.y, r.w * share, r.h);
    use(bar);
    cairo_fill(cairo);
    cairo_restore(cairo);
  }
  const std::string percent = std::to_string(static_cast<int>(std::lround(share * 100))) + " %";
  const double right = lay(percent, size, true, r.w).first;
  write(r.right() - right - size * 0.7, r.y + r.h / 2.0, percent, size, true, kWhite, r.w);
  write(r.x + size * 0.7, r.y + r.h / 2.0, each.label, size, true, kWhite,
        r.w - right - size * 2.4);
}

void Artist::Brush::poll(const Rect& r, const proto::FeedPoll& poll, int64_t wall_ms, double unit,
                         bool covers) const {
  fill_round(r.x, r.y, r.w, r.h, unit * 0.42,
             covers ? Colour{0.035, 0.040, 0.065, 0.86} : Colour{1, 1, 1, 0.055});
  const double pad = unit * 0.5, size = unit * 0.72, head = size * 1.7;
  const std::string clock = seconds_left(poll, wall_ms);
  const std::string count = thousands(poll.voters) + (poll.voters == 1 ? " voter" : " voters") +
                            (clock.empty() ? "" : "   ");
  const double w = clock.empty() ? 0 : lay(clock, size, true, r.w).first;
  const double n = lay(count, size * 0.68, false, r.w).first;
  const double y = r.y + pad * 0.5 + head / 2;
  write(r.right() - pad - w, y, clock, size, true, poll.closed ? kMuted : kGold, r.w);
  write(r.right() - pad - w - n, y, count, size * 0.68, false, kMuted, r.w);
  write(r.x + pad, y, poll.title, size, true, kWhite, r.w - w - n - 3 * pad);
  const size_t options = poll.options.size();
  if (options == 0) return;
  const double room = r.h - head - pad * 1.3;
  const size_t columns = options <= 3 ? 1 : options <= 6 ? 2 : 4;
  const size_t rows = (options + columns - 1) / columns;
  const double gap = unit * 0.24;
  const double h = std::min(
      (room - gap * static_cast<double>(rows - 1)) / static_cast<double>(rows), unit * 1.5);
  const double cell =
      (r.w - 2 * pad - gap * static_cast<double>(columns - 1)) / static_cast<double>(columns);
  for (size_t i = 0; i < options; ++i) {
    const auto column = static_cast<double>(i % columns), row = static_cast<double>(i / columns);
    option({static_cast<int>(r.x + pad + column * (cell + gap)),
            static_cast<int>(r.y + pad * 0.6 + head + row * (h + gap)), static_cast<int>(cell),
            static_cast<int>(h)},
           poll.options[i], poll, i, unit);
  }
}

void Artist::Brush::die(const Rect& r, const proto::FeedDice& dice, double unit) const {
  fill_round(r.x, r.y, r.w, r.h, unit * 0.36, {0.035, 0.040, 0.065, 0.84});
  const double box = r.h * 0.74, pad = (r.h - box) / 2;
  fill_round(r.x + pad, r.y + pad, box, box, box * 0.2, kGold);
  const std::string total = std::to_string(dice.total);
  const double size = box * (total.size() > 2 ? 0.42 : 0.56);
  const double w = lay(total, size, true, box).first;
  write(r.x + pad + (box - w) / 2, r.y + r.h / 2.0, total, size, true, kInk, box);
  const double left = r.x + 2 * pad + box + unit * 0.1, most = r.right() - left - pad * 2;
  write(left, r.y + r.h * 0.33, dice.who, unit * 0.52, true, kWhite, most);
  const std::string detail =
      dice.faces.empty() ? dice.expression : dice.expression + "  \u2192  " + dice.faces;
  write(left, r.y + r.h * 0.69, detail, unit * 0.44, false, kMuted, most);
}

// Between polls the room below the pictures is not bare.
void Artist::Brush::idle_panel(const Rect& r, const std::string& words, double unit) const {
  if (words.empty()) return;
  const double size = unit * 1.05;
  fill_round(r.x + unit * 0.3, r.y + r.h / 2.0 - size * 0.62, unit * 0.18, size * 1.24, unit * 0.09,
             kGold);
  write(r.x + unit * 0.9, r.y + r.h / 2.0, words, size, true, kWhite, r.w - 2 * unit);
}

void Artist::Brush::card(int width, int height, const proto::FeedSnapshot& snapshot,
                         bool slate) const {
  const double unit = height / 24.0, most = width * 0.8;
  const std::string title = snapshot.card_title.empty() ? snapshot.scene : snapshot.card_title;
  const auto centred = [&](const std::string& words, double y, double size, bool bold,
                           const Colour& c) {
    const double w = lay(words, size, bold, most).first;
    write((width - w) / 2, y, words, size, bold, c, most);
  };
  const double middle = height / 2.0;
  if (!title.empty()) centred(title, middle - unit * 0.9, unit * (slate ? 1.8 : 2.4), true, kWhite);
  fill_round(width / 2.0 - unit * 1.8, middle + unit * 0.9, unit * 3.6, unit * 0.14, unit * 0.07,
             kGold);
  if (!snapshot.card_text.empty()) {
    centred(snapshot.card_text, middle + unit * 2.3, unit * 0.95, false, kMuted);
  }
}

Artist::Artist(int width, int height)
    : width_(width),
      height_(height),
      brush_(std::make_unique<Brush>(width, height)),
      layer_(width, height) {}

Artist::~Artist() = default;

namespace {

double unit_of(int height) { return height / 22.0; }

Rect scene_rect(const Drawn& drawn, int height) {
  const auto unit = static_cast<int>(unit_of(height));
  const Rect& stage = drawn.arrangement.stage;
  return {stage.x + unit / 2, stage.y + unit / 2, stage.w - unit, unit * 3 / 2};
}

Rect dice_rect(const Drawn& drawn, int number, int height) {
  const auto unit = static_cast<int>(unit_of(height));
  const Rect& stage = drawn.arrangement.stage;
  const int w = std::min(stage.w - unit, unit * 8), h = unit * 2;
  const int floor = drawn.arrangement.panel_covers && drawn.snapshot.poll
                        ? drawn.arrangement.panel.y
                        : stage.bottom();
  return {stage.right() - w - unit / 2, floor - unit / 2 - (number + 1) * (h + unit / 4), w, h};
}

constexpr size_t kShownDice = 3;

bool is_card(Kind kind) { return kind == Kind::kTitle || kind == Kind::kSlate; }

const proto::FeedParticipant* find_person(const Drawn& drawn, uint8_t slot) {
  const auto found = std::ranges::find(drawn.people, slot, &proto::FeedParticipant::slot);
  return found == drawn.people.end() ? nullptr : &*found;
}

bool is_absent(const Drawn& drawn, uint8_t slot) {
  return std::ranges::find(drawn.absent, slot) != drawn.absent.end();
}

// The scene's name lies on the picture only when there is no room of its own.
bool scene_on_stage(const Drawn& drawn) {
  const bool bare = !drawn.arrangement.tiles.empty() && !drawn.arrangement.tiles[0].framed;
  return !drawn.snapshot.scene.empty() && !bare &&
         (drawn.arrangement.panel_covers || drawn.snapshot.poll);
}

}  // namespace

std::vector<Artist::Item> Artist::items_of(const Drawn& drawn) const {
  std::vector<Item> out;
  const Arrangement& where = drawn.arrangement;
  const proto::FeedSnapshot& snapshot = drawn.snapshot;
  std::string whole = std::to_string(static_cast<int>(drawn.layout.kind));
  if (is_card(drawn.layout.kind)) {
    whole += "|" + snapshot.card_title + "|" + snapshot.card_text + "|" + snapshot.scene;
  }
  for (const Tile& tile : where.tiles) {
    whole += " " + std::to_string(tile.rect.x) + "," + std::to_string(tile.rect.y) + "," +
             std::to_string(tile.rect.w) + "," + std::to_string(tile.rect.h);
  }
  out.push_back({{0, 0, width_, height_}, whole});
  for (const Tile& tile : where.tiles) {
    const auto* person = find_person(drawn, tile.slot);
    out.push_back({tile.rect, person ? person->name + (person->speaking ? "*" : ".") +
                                           std::to_string(static_cast<int>(person->role)) +
                                           std::to_string(person->slot) +
                                           (is_absent(drawn, tile.slot) ? "-" : "+")
                                     : ""});
  }
  if (is_card(drawn.layout.kind)) return out;
  if (scene_on_stage(drawn)) out.push_back({scene_rect(drawn, height_), snapshot.scene});
  std::string panel;
  if (snapshot.poll) {
    panel = "p" + snapshot.poll->title + "|" + std::to_string(snapshot.poll->voters) + "|" +
            seconds_left(*snapshot.poll, drawn.wall_ms);
    for (const auto& each : snapshot.poll->options) {
      panel += "|" + each.label + "=" + std::to_string(each.votes);
    }
  } else if (!where.panel_covers) {
    panel = "s" + snapshot.scene;
  }
  if (!panel.empty()) out.push_back({where.panel, panel});
  for (size_t i = 0; i < std::min(snapshot.dice.size(), kShownDice); ++i) {
    const auto& each = snapshot.dice[i];
    out.push_back(
        {dice_rect(drawn, static_cast<int>(i), height_),
         each.who + "|" + each.expression + "|" + each.faces + "|" + std::to_string(each.total)});
  }
  return out;
}

void Artist::redraw(const Drawn& drawn, const Rect& rect) {
  const double unit = unit_of(height_);
  cairo_t* cairo = brush_->cairo;
  cairo_save(cairo);
  cairo_rectangle(cairo, rect.x & ~1, rect.y & ~1, (rect.w + 2) & ~1, (rect.h + 2) & ~1);
  cairo_clip(cairo);
  cairo_set_operator(cairo, CAIRO_OPERATOR_SOURCE);
  brush_->backdrop(width_, height_);
  cairo_set_operator(cairo, CAIRO_OPERATOR_OVER);
  const proto::FeedSnapshot& snapshot = drawn.snapshot;
  if (is_card(drawn.layout.kind)) {
    brush_->card(width_, height_, snapshot, drawn.layout.kind == Kind::kSlate);
  } else {
    for (const Tile& tile : drawn.arrangement.tiles) {
      brush_->tile(tile, find_person(drawn, tile.slot), is_absent(drawn, tile.slot), unit);
    }
    if (scene_on_stage(drawn)) brush_->scene(scene_rect(drawn, height_), snapshot.scene, unit);
    if (snapshot.poll) {
      brush_->poll(drawn.arrangement.panel, *snapshot.poll, drawn.wall_ms, unit,
                   drawn.arrangement.panel_covers);
    } else if (!drawn.arrangement.panel_covers) {
      brush_->idle_panel(drawn.arrangement.panel, snapshot.scene, unit);
    }
    for (size_t i = 0; i < std::min(snapshot.dice.size(), kShownDice); ++i) {
      brush_->die(dice_rect(drawn, static_cast<int>(i), height_), snapshot.dice[i], unit);
    }
  }
  cairo_restore(cairo);
  cairo_surface_flush(brush_->surface);
  layer_.take(cairo_image_surface_get_data(brush_->surface),
              cairo_image_surface_get_stride(brush_->surface),
              {rect.x & ~1, rect.y & ~1, rect.w + 2, rect.h + 2});
}

bool Artist::draw(const Drawn& drawn) {
  std::vector<Item> items = items_of(drawn);
  if (items == items_) return false;
  std::vector<Rect> places;
  const auto differ = [&places](const std::vector<Item>& these, const std::vector<Item>& others) {
    for (const Item& each : these) {
      const bool same = std::ranges::find(others, each) != others.end();
      if (!same && std::ranges::find(places, each.rect) == places.end())
        places.push_back(each.rect);
    }
  };
  differ(items, items_);
  differ(items_, items);
  const bool all = items_.empty() || items[0] != items_[0];
  items_ = std::move(items);
  if (all) places = {{0, 0, width_, height_}};
  for (const Rect& each : places) redraw(drawn, each);
  return true;
}

}  // namespace footlight::media
