#include "crdt/internal/pending.h"

#include <algorithm>
#include <cstring>

namespace footlight::crdt::internal {
namespace {
constexpr uint64_t kOverhead = sizeof(PendingStruct) + 16;
}

void Pending::add(const DecodedStruct& s) {
  std::deque<PendingStruct>& queue = clients_[s.id.client].queue;
  auto at = queue.end();
  if (!queue.empty() && queue.back().s.id.clock >= s.id.clock) {
    at = std::upper_bound(
        queue.begin(), queue.end(), s.id.clock,
        [](uint64_t clock, const PendingStruct& p) { return clock < p.s.id.clock; });
  }
  if (at != queue.begin() && std::prev(at)->s.end() >= s.end()) return;
  PendingStruct copy;
  copy.s = s;
  copy.size = static_cast<uint32_t>(s.content.size() + s.parent_name.size() + s.parent_sub.size());
  if (copy.size != 0) {
    copy.bytes = std::make_unique_for_overwrite<uint8_t[]>(copy.size);
    uint8_t* to = copy.bytes.get();
    const auto take = [&to](const void* from, size_t size) {
      uint8_t* at = to;
      if (size != 0) std::memcpy(at, from, size);
      to += size;
      return at;
    };
    copy.s.content = {take(s.content.data(), s.content.size()), s.content.size()};
    copy.s.parent_name =
        as_text({take(s.parent_name.data(), s.parent_name.size()), s.parent_name.size()});
    copy.s.parent_sub =
        as_text({take(s.parent_sub.data(), s.parent_sub.size()), s.parent_sub.size()});
  }
  ++structs_;
  bytes_ += copy.size + kOverhead;
  queue.insert(at, std::move(copy));
}

void Pending::wait(uint64_t client, uint64_t for_client, uint64_t for_clock) {
  PendingClient& entry = clients_[client];
  entry.wait_client = for_client;
  entry.wait_clock = for_clock;
  std::vector<uint64_t>& who = waiting_[for_client];
  if (std::find(who.begin(), who.end(), client) == who.end()) who.push_back(client);
}

void Pending::woken(uint64_t client, uint64_t state, std::vector<uint64_t>& out) {
  const auto it = waiting_.find(client);
  if (it == waiting_.end()) return;
  std::vector<uint64_t>& who = it->second;
  for (size_t i = 0; i < who.size();) {
    const auto entry = clients_.find(who[i]);
    const bool gone = entry == clients_.end() || entry->second.wait_client != client;
    if (!gone && entry->second.wait_clock >= state) {
      ++i;
      continue;
    }
    if (!gone) out.push_back(who[i]);
    who[i] = who.back();
    who.pop_back();
  }
  if (who.empty()) waiting_.erase(it);
}

void Pending::pop_front(std::map<uint64_t, PendingClient>::iterator it) {
  std::deque<PendingStruct>& queue = it->second.queue;
  --structs_;
  bytes_ -= queue.front().size + kOverhead;
  queue.pop_front();
  if (queue.empty()) clients_.erase(it);
}

void Pending::clear() {
  clients_.clear();
  waiting_.clear();
  deletes.clear();
  structs_ = bytes_ = delete_ranges = 0;
}

void Pending::add_delete(uint64_t client, uint64_t clock, uint64_t end) {
  std::map<uint64_t, uint64_t>& ranges = deletes[client];
  // Ranges that touch become one.
  auto it = ranges.upper_bound(clock);
  if (it != ranges.begin()) {
    const auto left = std::prev(it);
    if (left->second >= clock) {
      clock = left->first;
      end = std::max(end, left->second);
      it = ranges.erase(left);
      --delete_ranges;
    }
  }
  while (it != ranges.end() && it->first <= end) {
    end = std::max(end, it->second);
    it = ranges.erase(it);
    --delete_ranges;
  }
  ranges[clock] = end;
  ++delete_ranges;
}

}  // namespace footlight::crdt::internal
