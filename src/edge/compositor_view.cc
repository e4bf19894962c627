#include "edge/compositor_view.h"

#include <algorithm>
#include <array>

#include "core/json.h"

namespace footlight::edge {
namespace {

using Kind = proto::FeedLayout::Kind;

constexpr std::array<std::string_view, proto::kFeedLayouts> kNames = {"table",  "speaker", "grid",
                                                                      "single", "title",   "slate"};

uint64_t as_count(const Json& value) {
  return static_cast<uint64_t>(std::max<int64_t>(0, value.as_int()));
}

// "4 2 (1)": what does not count in brackets.
std::string faces_of(const Json& dice) {
  constexpr size_t kMost = 12;
  std::string out;
  size_t count = 0;
  for (const Json& die : dice.items()) {
    if (++count > kMost) return out + " \u2026";
    const std::string value = std::to_string(die["value"].as_int());
    if (!out.empty()) out += ' ';
    out += die["kept"].as_bool(true) ? value : "(" + value + ")";
  }
  return out;
}

proto::FeedPoll poll_of(const Json& entity, const Json& tally) {
  proto::FeedPoll out;
  out.title = entity["title"].as_string();
  const std::string& state = entity["state"].as_string();
  out.closed = state == "closed";
  out.closes_wall_ms = out.closed ? 0 : entity["deadline_ms"].as_int();
  const Json& result = entity["result"];
  const Json& counts = out.closed && result.find("counts") ? result["counts"] : tally["counts"];
  out.voters = as_count(out.closed && result.find("voters") ? result["voters"] : tally["voters"]);
  size_t i = 0;
  for (const Json& option : entity["options"].items()) {
    const std::string& label =
        option.type() == JsonType::kString ? option.as_string() : option["label"].as_string();
    const uint64_t votes = i < counts.items().size() ? as_count(counts.items()[i]) : 0;
    out.options.push_back({label, votes});
    ++i;
  }
  return out;
}

}  // namespace

void ProgramView::update(std::string_view json, WallMs now_ms) {
  const auto read = Json::parse(json);
  if (!read || (*read)["episode"].type() != JsonType::kObject) return;
  const Json& all = *read;
  const Json& episode = all["episode"];
  state_ = episode["state"].as_string();
  title_ = episode["title"].as_string();
  slate_on_ = episode["slate"]["on"].as_bool();
  slate_text_ = episode["slate"]["text"].as_string();
  scene_ = all["scene"]["title"].as_string();
  for (const auto& [id, entity] : all["polls"].members()) {
    Poll& poll = polls_[id];
    const std::string state = entity["state"].as_string();
    poll.shown = poll_of(entity, all["tallies"][id]);
    poll.opened_ms = entity["opened_ms"].as_int();
    poll.shown.id = id;
    poll.shown.opened_wall_ms = poll.opened_ms;
    poll.state = state;
    if (state == "open" || state == "closing") poll.seen_open = true;
    // One that was closed before anybody looked is old news.
    if (state == "closed" && poll.seen_open && !poll.closed_seen_ms) poll.closed_seen_ms = now_ms;
    if (state != "closed") poll.closed_seen_ms.reset();
  }
  std::erase_if(polls_, [&](const auto& each) { return !all["polls"].find(each.first); });
  rolls_.clear();
  for (const Json& roll : all["rolls"].items()) {
    if (roll["secret"].as_bool()) continue;
    rolls_.push_back({{roll["name"].as_string(), roll["expr"].as_string(), faces_of(roll["dice"]),
                       roll["total"].as_int()},
                      roll["at_ms"].as_int()});
  }
}

ProgramScene ProgramView::scene(WallMs now_ms) const {
  ProgramScene out;
  out.state = state_;
  out.title = title_;
  out.slate_on = slate_on_;
  out.slate_text = slate_text_;
  proto::FeedSnapshot& shown = out.snapshot;
  shown.scene = scene_.empty() ? title_ : scene_;
  shown.card_title = title_;
  if (slate_on_) {
    shown.card_text = slate_text_;
  } else if (state_ == "waiting") {
    shown.card_text = "Starting soon";
  } else if (state_ == "ended") {
    shown.card_text = "Thank you for watching";
  } else {
    shown.card_text = scene_;
  }
  const Poll* best = nullptr;  // an open one before a closed one, the newest of them
  for (const auto& [id, poll] : polls_) {
    const bool open = poll.state == "open" || poll.state == "closing";
    const bool fresh = poll.closed_seen_ms && now_ms - *poll.closed_seen_ms < kResultMs;
    if (!open && !fresh) continue;
    const auto rank = [](const Poll& each) {
      return std::pair(!each.shown.closed, each.opened_ms);
    };
    if (!best || rank(poll) > rank(*best)) best = &poll;
  }
  if (best) shown.poll = best->shown;
  for (const Roll& roll : rolls_) {
    if (now_ms - roll.at_ms < kRollMs) shown.dice.push_back(roll.shown);
  }
  return out;
}

proto::FeedLayout choose_layout(const LayoutChoice& choice, const ProgramScene& scene,
                                bool finished_program) {
  if (choice.wish) return *choice.wish;
  if (scene.state == "ended") return {Kind::kTitle, 255};
  if (scene.slate_on || scene.state == "waiting") return {Kind::kSlate, 255};
  return {finished_program ? Kind::kSingle : Kind::kTable, 255};
}

std::string_view layout_name(Kind kind) { return kNames[static_cast<size_t>(kind)]; }

std::optional<Kind> parse_layout(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Kind>(found - kNames.begin());
}

}  // namespace footlight::edge
