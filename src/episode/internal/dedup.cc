#include "episode/internal/dedup.h"

#include <algorithm>

#include "core/assert.h"

namespace footlight::episode {

Result<const DoneCommand*> Dedup::look_up(uint64_t who, uint64_t cid, uint64_t i,
                                          uint64_t body) const {
  const auto found = outboxes_.find({who, cid});
  if (found == outboxes_.end()) return nullptr;
  const auto& done = found->second.done;
  const auto at = std::ranges::lower_bound(done, i, {}, &DoneCommand::i);
  if (at != done.end() && at->i == i) {
    if (at->body != body) return fail(Code::kEventIdReused, "event " + std::to_string(i));
    return &*at;
  }
  if (done.size() == kWindow && at == done.begin()) {
    return fail(Code::kEventIdStale, "event " + std::to_string(i));
  }
  return nullptr;
}

bool Dedup::record(uint64_t who, uint64_t cid, const DoneCommand& command) {
  const Key key{who, cid};
  auto found = outboxes_.find(key);
  if (found == outboxes_.end()) {
    while (outboxes_.size() >= kMostOutboxes) forget_oldest();
    found = outboxes_.try_emplace(key).first;
  }
  Outbox& outbox = found->second;
  auto at = std::ranges::lower_bound(outbox.done, command.i, {}, &DoneCommand::i);
  if (at != outbox.done.end() && at->i == command.i) return false;
  if (outbox.done.size() == kWindow && at == outbox.done.begin()) return false;
  outbox.done.insert(at, command);
  ++records_;
  if (outbox.done.size() > kWindow) {
    outbox.done.erase(outbox.done.begin());
    --records_;
  }
  if (outbox.newest_log != 0) by_age_.erase(outbox.newest_log);
  outbox.newest_log = command.log;
  by_age_.emplace(command.log, key);
  while (records_ > kMostRecords) forget_oldest();
  return true;
}

uint64_t Dedup::last_i(uint64_t who, uint64_t cid) const {
  const auto found = outboxes_.find({who, cid});
  return found == outboxes_.end() ? 0 : found->second.done.back().i;
}

bool Dedup::restore(Key key, Outbox outbox) {
  const bool rising =
      std::ranges::is_sorted(outbox.done, std::ranges::less_equal(), &DoneCommand::i);
  const bool fits = !outbox.done.empty() && outbox.done.size() <= kWindow && rising &&
                    outboxes_.size() < kMostOutboxes &&
                    records_ + outbox.done.size() <= kMostRecords;
  if (!fits || outbox.newest_log == 0) return false;
  if (!by_age_.emplace(outbox.newest_log, key).second) return false;
  records_ += outbox.done.size();
  return outboxes_.try_emplace(key, std::move(outbox)).second;
}

void Dedup::forget_oldest() {
  FL_ASSERT(!by_age_.empty(), "every outbox has an age");
  const auto oldest = by_age_.begin();
  const auto outbox = outboxes_.find(oldest->second);
  records_ -= outbox->second.done.size();
  outboxes_.erase(outbox);
  by_age_.erase(oldest);
}

}  // namespace footlight::episode
