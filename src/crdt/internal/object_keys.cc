#include "crdt/internal/object_keys.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

namespace footlight::crdt {

std::optional<uint32_t> array_index(std::string_view key) {
  if (key.empty() || key.size() > 10 || (key[0] == '0' && key.size() > 1)) return std::nullopt;
  uint64_t value = 0;
  for (const char c : key) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  if (value >= std::numeric_limits<uint32_t>::max()) return std::nullopt;
  return static_cast<uint32_t>(value);
}

void order_keys(AnyObject& object) {
  KeyOrder order;
  for (const auto& pair : object) order.add(pair.first);
  if (order.ordered()) return;

  std::unordered_map<std::string_view, size_t> place;
  AnyObject kept;
  kept.reserve(object.size());  // the views in `place` point into kept
  for (auto& pair : object) {
    if (pair.first == "__proto__") continue;
    if (const auto found = place.find(pair.first); found != place.end()) {
      kept[found->second].second = std::move(pair.second);
      continue;
    }
    kept.push_back(std::move(pair));
    place.emplace(kept.back().first, kept.size() - 1);
  }
  std::vector<std::pair<uint64_t, size_t>> ranked;  // indices by value, then names as they came
  for (size_t i = 0; i < kept.size(); ++i) {
    const auto index = array_index(kept[i].first);
    ranked.emplace_back(index ? *index : (uint64_t{1} << 32) + i, i);
  }
  std::sort(ranked.begin(), ranked.end());
  object.clear();
  for (const auto& [rank, i] : ranked) object.push_back(std::move(kept[i]));
}

void KeyOrder::add(std::string_view key) {
  if (!ordered_) return;
  if (const auto index = array_index(key)) {
    ordered_ = !names_begun_ && static_cast<int64_t>(*index) > last_index_;
    last_index_ = *index;
    return;
  }
  names_begun_ = true;
  if (key == "__proto__") ordered_ = false;
  if (many_.empty() && few_count_ < kFew) {
    const auto end = few_.begin() + static_cast<ptrdiff_t>(few_count_);
    if (std::find(few_.begin(), end, key) != end) ordered_ = false;
    few_[few_count_++] = key;
    return;
  }
  if (many_.empty()) many_.assign(few_.begin(), few_.end());
  many_.push_back(key);
}

bool KeyOrder::ordered() {
  if (!ordered_ || many_.empty()) return ordered_;
  std::sort(many_.begin(), many_.end());
  return std::adjacent_find(many_.begin(), many_.end()) == many_.end();
}

}  // namespace footlight::crdt
