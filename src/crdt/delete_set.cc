#include "crdt/delete_set.h"

#include <algorithm>

#include "core/assert.h"

namespace footlight::crdt {
namespace {

bool before(const IdRange& a, const IdRange& b) {
  return a.client != b.client ? a.client > b.client : a.clock < b.clock;
}

bool ends_before(const IdRange& range, Id id) {
  return range.client != id.client ? range.client > id.client : range.end() <= id.clock;
}

}  // namespace

size_t DeleteSet::clients() const {
  size_t count = 0;
  for (size_t i = 0; i < ranges_.size(); ++i) {
    if (i == 0 || ranges_[i].client != ranges_[i - 1].client) ++count;
  }
  return count;
}

void DeleteSet::add(const DeleteSet& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
}

void DeleteSet::normalize() {
  if (!std::is_sorted(ranges_.begin(), ranges_.end(), before)) {
    std::sort(ranges_.begin(), ranges_.end(), before);
  }
  size_t kept = 0;
  for (size_t i = 0; i < ranges_.size(); ++i) {
    const IdRange range = ranges_[i];
    if (kept != 0 && ranges_[kept - 1].client == range.client &&
        ranges_[kept - 1].end() >= range.clock) {
      IdRange& last = ranges_[kept - 1];
      last.len = std::max(last.end(), range.end()) - last.clock;
    } else {
      ranges_[kept++] = range;
    }
  }
  ranges_.resize(kept);
}

bool DeleteSet::contains(Id id) const { return covers(id.client, id.clock, 1); }

bool DeleteSet::covers(uint64_t client, uint64_t clock, uint64_t len) const {
  const auto found =
      std::lower_bound(ranges_.begin(), ranges_.end(), Id{client, clock}, ends_before);
  return found != ranges_.end() && found->client == client && found->clock <= clock &&
         found->end() >= clock + len;
}

std::span<const IdRange> DeleteSet::of(uint64_t client) const {
  const auto [first, last] =
      std::equal_range(ranges_.begin(), ranges_.end(), IdRange{client, 0, 0},
                       [](const IdRange& a, const IdRange& b) { return a.client > b.client; });
  return {first, last};
}

void DeleteSet::write(Encoder& out, UpdateFormat format) const {
  out.var_uint(clients());
  for (size_t i = 0; i < ranges_.size();) {
    const uint64_t client = ranges_[i].client;
    size_t last = i;
    while (last < ranges_.size() && ranges_[last].client == client) ++last;
    out.var_uint(client);
    out.var_uint(last - i);
    uint64_t at = 0;
    for (; i < last; ++i) {
      const IdRange& range = ranges_[i];
      FL_ASSERT(range.clock >= at && range.len != 0, "a delete set is normal when it is written");
      if (format == UpdateFormat::kV2) {
        out.var_uint(range.clock - at);
        out.var_uint(range.len - 1);
      } else {
        out.var_uint(range.clock);
        out.var_uint(range.len);
      }
      at = range.end();
    }
  }
}

void DeleteSet::read(Decoder& in, UpdateFormat format) {
  for (uint64_t clients = in.var_uint(); clients != 0 && in.ok(); --clients) {
    const uint64_t client = in.var_uint();
    uint64_t left = in.var_uint();
    if (left > in.remaining() / 2) in.fail(Fault::kTruncated);
    uint64_t at = 0;
    for (; left != 0 && in.ok(); --left) {
      uint64_t clock = in.var_uint();
      uint64_t len = in.var_uint();
      if (format == UpdateFormat::kV2) {
        clock += at;
        len += 1;
      }
      if (len == 0 && in.ok()) in.fail(Fault::kEmpty);
      if (clock > kMaxInteger || len > kMaxInteger - clock) in.fail(Fault::kRange);
      if (!in.ok()) return;
      ranges_.push_back({client, clock, len});
      at = clock + len;
    }
  }
}

}  // namespace footlight::crdt
