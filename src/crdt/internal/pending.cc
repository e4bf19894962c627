#include "crdt/internal/pending.h"

#include <algorithm>
#include <cstring>

namespace footlight::crdt::internal {
namespace {

constexpr uint64_t kOverhead = sizeof(PendingStruct) + 16;
constexpr size_t kMaxJoined = size_t{1} << 30;  // bytes of content, so that offsets fit 32 bits

// Whether two structs could as well have come as one: so typing that waits takes the room of its
// text. Not under a key, where what follows may belong to another one.
bool continues(const DecodedStruct& left, const DecodedStruct& right) {
  const bool joins = left.ref == Ref::kString || left.ref == Ref::kAny || left.ref == Ref::kJson ||
                     left.ref == Ref::kDeleted;
  return joins && left.ref == right.ref && right.id.clock == left.end() && right.has_origin &&
         right.origin == Id{left.id.client, left.end() - 1} &&
         left.has_right_origin == right.has_right_origin &&
         (!left.has_right_origin || left.right_origin == right.right_origin) && !left.has_key &&
         left.len + right.len <= kMaxClock && left.content.size() < kMaxJoined &&
         !left.has_parent_sub && !right.has_key && !right.has_parent_sub;
}

}  // namespace

void PendingStruct::take(const DecodedStruct& from) {
  s = from;
  if (s.parent_kind != ParentKind::kRoot) s.parent_name = {};
  if (!s.has_parent_sub) s.parent_sub = {};
  bytes.reserve(s.parent_name.size() + s.parent_sub.size() + s.content.size());
  for (const ByteView part : {as_bytes(s.parent_name), as_bytes(s.parent_sub), s.content}) {
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  point();
}

void PendingStruct::append(const DecodedStruct& next) {
  joins.push_back({static_cast<uint32_t>(s.len), static_cast<uint32_t>(s.content.size())});
  bytes.insert(bytes.end(), next.content.begin(), next.content.end());
  s.len += next.len;
  point();
}

DecodedStruct PendingStruct::part(size_t i) const {
  DecodedStruct out = s;
  const Join from = i == 0 ? Join{0, 0} : joins[i - 1];
  const Join to = i < joins.size()
                      ? joins[i]
                      : Join{static_cast<uint32_t>(s.len), static_cast<uint32_t>(s.content.size())};
  out.len = to.len - from.len;
  out.content = s.content.subspan(from.size, to.size - from.size);
  if (i == 0) return out;
  out.id.clock += from.len;
  out.has_origin = true;
  out.origin = {s.id.client, out.id.clock - 1};
  out.parent_kind = ParentKind::kInherit;
  return out;
}

void PendingStruct::point() {
  const ByteView all(bytes);
  const size_t name = s.parent_name.size();
  const size_t sub = s.parent_sub.size();
  s.parent_name = as_text(all.first(name));
  s.parent_sub = as_text(all.subspan(name, sub));
  s.content = all.subspan(name + sub);
}

void Pending::add(const DecodedStruct& s) {
  std::deque<PendingStruct>& queue = clients_[s.id.client].queue;
  auto at = queue.end();
  if (!queue.empty() && queue.back().s.id.clock >= s.id.clock) {
    at = std::upper_bound(
        queue.begin(), queue.end(), s.id.clock,
        [](uint64_t clock, const PendingStruct& p) { return clock < p.s.id.clock; });
  }
  if (at != queue.begin()) {
    PendingStruct& left = *std::prev(at);
    if (left.s.end() >= s.end()) return;
    if (continues(left.s, s)) {
      ++structs_;
      bytes_ += s.content.size() + sizeof(PendingStruct::Join);
      left.append(s);
      return;
    }
  }
  ++structs_;
  PendingStruct& copy = *queue.emplace(at);
  copy.take(s);
  bytes_ += copy.bytes.size() + kOverhead;
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
  const PendingStruct& front = queue.front();
  structs_ -= front.parts();
  bytes_ -= front.bytes.size() + front.joins.size() * sizeof(PendingStruct::Join) + kOverhead;
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
