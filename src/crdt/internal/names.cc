#include "crdt/internal/names.h"

#include <functional>

namespace footlight::crdt::internal {
namespace {
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCDull;
  return x ^ (x >> 29);
}
}  // namespace

uint32_t Names::find(std::string_view text) const {
  if (table_.empty()) return kNone;
  const size_t mask = table_.size() - 1;
  for (size_t i = std::hash<std::string_view>{}(text)&mask;; i = (i + 1) & mask) {
    if (table_[i] == kNone || texts_[table_[i]] == text) return table_[i];
  }
}

uint32_t Names::intern(std::string_view text) {
  const uint32_t known = find(text);
  if (known != kNone) return known;
  if ((texts_.size() + 1) * 2 > table_.size()) grow();
  const auto name = static_cast<uint32_t>(texts_.size());
  texts_.emplace_back(text);
  bytes_ += sizeof(std::string) + (text.size() > 15 ? text.size() + 1 : 0);
  const size_t mask = table_.size() - 1;
  size_t i = std::hash<std::string_view>{}(text)&mask;
  while (table_[i] != kNone) i = (i + 1) & mask;
  table_[i] = name;
  return name;
}

void Names::grow() {
  const size_t size = table_.empty() ? 8 : table_.size() * 2;
  table_.assign(size, kNone);
  for (uint32_t name = 0; name < texts_.size(); ++name) {
    size_t i = std::hash<std::string_view>{}(texts_[name]) & (size - 1);
    while (table_[i] != kNone) i = (i + 1) & (size - 1);
    table_[i] = name;
  }
}

uint32_t NumberTable::find(uint64_t number) const {
  if (slots_.empty()) return kNone;
  const size_t mask = slots_.size() - 1;
  for (size_t i = mix(number) & mask;; i = (i + 1) & mask) {
    if (slots_[i].index == kNone) return kNone;
    if (slots_[i].number == number) return slots_[i].index;
  }
}

void NumberTable::insert(uint64_t number, uint32_t index) {
  if ((count_ + 1) * 2 > slots_.size()) {
    std::vector<Slot> old(slots_.empty() ? 4 : slots_.size() * 2);
    old.swap(slots_);
    count_ = 0;
    for (const Slot& slot : old) {
      if (slot.index != kNone) insert(slot.number, slot.index);
    }
  }
  const size_t mask = slots_.size() - 1;
  size_t i = mix(number) & mask;
  while (slots_[i].index != kNone) i = (i + 1) & mask;
  slots_[i] = {number, index};
  ++count_;
}

}  // namespace footlight::crdt::internal
