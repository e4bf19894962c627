#include "crdt/internal/txn.h"

#include <algorithm>

namespace footlight::crdt::internal {

void Txn::sort_deleted() {
  for (const LocalRange& range : deleted) {
    if (!deleted_order.empty() && deleted_order.back() == range.client) continue;
    if (std::find(deleted_order.begin(), deleted_order.end(), range.client) ==
        deleted_order.end()) {
      deleted_order.push_back(range.client);
    }
  }
  if (deleted_sorted) return;
  std::sort(deleted.begin(), deleted.end(), [](const LocalRange& a, const LocalRange& b) {
    return a.client != b.client ? a.client < b.client : a.clock < b.clock;
  });
  size_t to = 0;
  for (size_t i = 1; i < deleted.size(); ++i) {
    LocalRange& left = deleted[to];
    const LocalRange& right = deleted[i];
    if (left.client == right.client && left.end() >= right.clock) {
      left.len = std::max(left.end(), right.end()) - left.clock;
    } else {
      deleted[++to] = right;
    }
  }
  deleted.resize(to + 1);
  deleted_sorted = true;
}

bool Txn::deletes(uint32_t client, uint32_t clock) const {
  const auto it = std::upper_bound(deleted.begin(), deleted.end(), LocalId{client, clock},
                                   [](const LocalId& id, const LocalRange& range) {
                                     return id.client != range.client ? id.client < range.client
                                                                      : id.clock < range.clock;
                                   });
  if (it == deleted.begin()) return false;
  const LocalRange& range = *std::prev(it);
  return range.client == client && clock < range.end();
}

}  // namespace footlight::crdt::internal
