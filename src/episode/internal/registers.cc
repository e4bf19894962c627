#include "episode/internal/registers.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/assert.h"

namespace footlight::episode {
namespace {

constexpr uint64_t kFirstHomes = 64;
constexpr uint64_t kSlack = 256;
constexpr uint64_t kMovedPerInsert =
    16;  // > homes / free room of the new table: ends before it fills

}  // namespace

uint64_t mix_who(uint64_t who) {
  who ^= who >> 33;
  who *= 0xFF51AFD7ED558CCDULL;
  who ^= who >> 33;
  who *= 0xC4CEB9FE1A85EC53ULL;
  who ^= who >> 33;
  return who;
}

uint64_t unmix_who(uint64_t key) {
  key ^= key >> 33;
  key *= 0x9CB4B2F8129337DBULL;
  key ^= key >> 33;
  key *= 0x4F74430C22A54005ULL;
  key ^= key >> 33;
  return key;
}

RegisterTable::Slots RegisterTable::make_slots(uint64_t homes) {
  Slots out;
  out.homes = homes;
  out.size = homes + kSlack;
  // calloc, not new: fresh pages come zeroed from the system and are touched when first used.
  out.slots.reset(static_cast<Register*>(std::calloc(out.size, sizeof(Register))));
  FL_ASSERT(out.slots != nullptr, "no memory for the registers of a poll");
  return out;
}

const Register* RegisterTable::Slots::find(uint64_t key) const {
  if (homes == 0) return nullptr;
  for (const Register* slot = slots.get() + home(key); slot != end(); ++slot) {
    if (slot->used == 0 || slot->key > key) return nullptr;
    if (slot->key == key) return slot;
  }
  return nullptr;
}

Register* RegisterTable::Slots::place(uint64_t key) {
  Register* const last = slots.get() + size;
  Register* slot = slots.get() + home(key);
  while (slot != last && slot->used != 0 && slot->key < key) ++slot;
  Register* hole = slot;
  while (hole != last && hole->used != 0) ++hole;
  if (hole == last) return nullptr;
  std::memmove(slot + 1, slot, static_cast<size_t>(hole - slot) * sizeof(Register));
  *slot = Register{};
  slot->key = key;
  slot->used = 1;
  return slot;
}

const Register* RegisterTable::find(uint64_t who) const {
  const uint64_t key = mix_who(who);
  const Register* found = now_.find(key);
  return found != nullptr || old_.homes == 0 ? found : old_.find(key);
}

// What was moved stays in old_ as it was, so that runs there can still be searched from their home;
// find() looks into now_ first and never sees the stale copy.
bool RegisterTable::move_some(uint64_t slots) {
  while (old_.homes != 0 && slots-- > 0) {
    const Register& from = old_.slots[moved_];
    if (from.used != 0) {
      Register* to = now_.place(from.key);
      if (to == nullptr) return false;
      *to = from;
    }
    if (++moved_ == old_.size) {
      old_ = Slots{};
      moved_ = 0;
    }
  }
  return true;
}

bool RegisterTable::grow() {
  if (!move_some(old_.size)) return false;
  Slots larger = make_slots(now_.homes + now_.homes / 2);
  old_ = std::exchange(now_, std::move(larger));
  moved_ = 0;
  return true;
}

Register* RegisterTable::insert(uint64_t who) {
  if (full()) return nullptr;
  if (now_.homes == 0) now_ = make_slots(kFirstHomes);
  if (size_ >= now_.homes - now_.homes / 4 && !grow()) return nullptr;
  if (!move_some(kMovedPerInsert)) return nullptr;
  Register* placed = now_.place(mix_who(who));
  if (placed != nullptr) ++size_;
  return placed;
}

void RegisterTable::reserve(uint64_t count) {
  FL_ASSERT(size_ == 0, "registers are reserved before the first insertion");
  count = std::min(count, kMostVoters);
  now_ = make_slots(std::max(kFirstHomes, count + count / 2));
}

bool RegisterTable::append(const Register& entry) {
  const uint64_t at = std::max(appended_, now_.home(entry.key));
  const bool rises = appended_ == 0 || now_.slots[appended_ - 1].key < entry.key;
  if (!rises || at >= now_.size || full()) return false;
  now_.slots[at] = entry;
  now_.slots[at].used = 1;
  appended_ = at + 1;
  ++size_;
  return true;
}

}  // namespace footlight::episode
