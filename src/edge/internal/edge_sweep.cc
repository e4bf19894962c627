// What goes to many.
//
// The fan-out loop runs over a dense array of live connections. A recipient costs one role test and
// one write; nothing is copied or allocated for it. It stops after some two milliseconds, so that
// votes, commands and what the log has made durable have their turn, and goes on after them.
// Deltas and other reliable frames go first, in order; overwrite slots have every fourth turn
// meanwhile.
#include <algorithm>
#include <utility>

#include "edge/internal/edge_impl.h"

namespace footlight::edge {
namespace {

constexpr size_t kSendsPerLook = 16;  // at the clock
// A round that is spread takes four fifths of its time, in steps.
constexpr MonoUs kStepUs = 2 * kUsPerMs;
constexpr size_t kLeastStep = 64;

MonoUs span_us(const SlotSweep& slot) { return slot.every_ms * kUsPerMs * 4 / 5; }

MonoUs step_us(const SlotSweep& slot) {
  const auto all = static_cast<MonoUs>(std::max<size_t>(1, slot.all));
  return std::max(kStepUs, span_us(slot) * static_cast<MonoUs>(kLeastStep) / all);
}

// How many of a round may be left now; it is ahead of its time when there are no more.
size_t may_be_left(const SlotSweep& slot, MonoUs now_us) {
  if (!slot.spread) return 0;
  const auto passed_us = static_cast<uint64_t>(now_us - slot.began_us + step_us(slot));
  const uint64_t reached = slot.all * passed_us / static_cast<uint64_t>(span_us(slot));
  return reached >= slot.all ? 0 : slot.all - reached;
}

}  // namespace

Slice Edge::Impl::slice() const {
  return {options.sweep_sends, options.clock->now_us() + options.sweep_us, false};
}

// Before each write. False when it is the turn of others.
bool Edge::Impl::spend(Slice& slice) const {
  if (slice.over) return false;
  if (slice.sends == 0 ||
      (slice.sends % kSendsPerLook == 0 && options.clock->now_us() >= slice.until_us)) {
    slice.over = true;
    return false;
  }
  --slice.sends;
  return true;
}

// Only who is live now gets it: a welcome that comes after it shows what it tells.
void Edge::Impl::broadcast(EpisodeSide& episode, proto::RoleSet roles,
                           const proto::FramePtr& frame) {
  finish_casts(episode, kMostCasts - 1);
  const bool idle = sweep_due(episode) > now_us_;
  episode.casts.push_back({roles, frame, episode.live.size()});
  Slice first = slice();
  if (idle) sweep_casts(episode, first);
  if (!episode.casts.empty()) sweep_due_us = now_us_;
}

void Edge::Impl::finish_casts(EpisodeSide& episode, size_t most_left) {
  Slice all{SIZE_MAX, kNever, false};
  while (episode.casts.size() > most_left) sweep_casts(episode, all);
}

void Edge::Impl::overwrite(EpisodeSide& episode, const bus::Volatile& message) {
  const bool idle = sweep_due(episode) > now_us_;
  auto& slots = episode.slots;
  // More may see it than before (a hidden poll has closed): nobody is sent the older one any more.
  auto found = std::ranges::find_if(slots, [&](const SlotSweep& slot) {
    return slot.slot == message.slot && (slot.roles | message.roles) == message.roles;
  });
  if (found == slots.end()) {
    std::erase_if(slots, [&](const SlotSweep& slot) {
      return !slot.waits() && slot.due_us + slot.every_ms * kUsPerMs <= now_us_;
    });
    slots.emplace_back().slot = message.slot;
    found = slots.end() - 1;
    found->due_us = now_us_ - message.every_ms * kUsPerMs;
  }
  found->roles = message.roles;
  if (!found->waits()) found->asked_us = now_us_;
  if (found->under_way && message.slot == bus::kEmotesSlot) {
    found->next = message.frame;
  } else {
    found->frame = message.frame;
    found->again = found->under_way;
    found->later = found->under_way ? found->left : 0;
    found->fresh = 0;
  }
  found->every_ms = message.every_ms;
  if (message.every_ms == 0) {
    found->due_us = found->go_on_us = now_us_;
    found->spread = false;
  }
  Slice first = slice();
  if (idle) sweep_slots(episode, first);
  sweep_due_us = std::min(sweep_due_us, sweep_due(episode));
}

// An edge without sessions is told nothing. What waits in a slot since then is older than what
// comes with the first that joins again, and would follow it.
void Edge::Impl::renew(EpisodeSide& episode, const bus::Volatile& current) {
  const auto older = std::ranges::find_if(episode.slots, [&](const SlotSweep& slot) {
    return slot.slot == current.slot && slot.waits() && slot.frame != current.frame;
  });
  if (older == episode.slots.end()) return;
  overwrite(episode, {older->roles | current.roles, current.slot, current.frame, older->every_ms});
}

MonoUs Edge::Impl::sweep_due(const EpisodeSide& episode) const {
  if (!episode.casts.empty()) return now_us_;
  MonoUs due_us = kNever;
  for (const SlotSweep& slot : episode.slots) {
    if (slot.waits()) due_us = std::min(due_us, slot.ready_us());
  }
  return due_us;
}

// Another episode is the first to have its turn each time, so that none waits for a larger one.
void Edge::Impl::sweep_all() {
  sweep_due_us = kNever;
  Slice all = slice();
  ++sweep_turn;
  for (size_t k = 0; k < episodes.size(); ++k) {
    EpisodeSide& episode = *episodes[(sweep_turn + k) % episodes.size()];
    if (sweep_turn % 4 != 0) {
      sweep_casts(episode, all);
      sweep_slots(episode, all);
    } else {
      sweep_slots(episode, all);
      sweep_casts(episode, all);
    }
    sweep_due_us = std::min(sweep_due_us, sweep_due(episode));
  }
}

void Edge::Impl::sweep_casts(EpisodeSide& episode, Slice& slice) {
  const uint64_t before = counted.deliveries;
  while (!episode.casts.empty()) {
    Sweep& first = episode.casts.front();
    while (first.left > 0) {
      LiveEntry& entry = episode.live[first.left - 1];
      if ((entry.role.bits & first.roles.bits) == 0) {
        --first.left;
        continue;
      }
      if (!spend(slice)) break;
      --first.left;  // first, for who is cut meanwhile leaves `live`
      cast(entry, first.frame);
    }
    if (first.left > 0) break;
    episode.casts.pop_front();
  }
  episode.deliveries += counted.deliveries - before;
}

void Edge::Impl::sweep_slots(EpisodeSide& episode, Slice& slice) {
  const uint64_t before = counted.deliveries;
  while (!slice.over) {
    SlotSweep* next = nullptr;  // what is ready for longest
    for (SlotSweep& slot : episode.slots) {
      if (!slot.waits() || slot.ready_us() > now_us_) continue;
      if (next == nullptr || slot.ready_us() < next->ready_us()) next = &slot;
    }
    if (next == nullptr) break;
    if (!next->under_way) begin_round(episode, *next);
    go_round(episode, *next, slice);
  }
  episode.deliveries += counted.deliveries - before;
}

void Edge::Impl::begin_round(const EpisodeSide& episode, SlotSweep& slot) {
  const MonoUs every_us = slot.every_ms * kUsPerMs;
  slot.spread = every_us > 0 && slot.asked_us < slot.due_us + every_us;
  slot.under_way = true;
  slot.again = false;
  slot.fresh = std::exchange(slot.later, 0);
  slot.left = slot.all = episode.live.size();
  slot.began_us = slot.go_on_us = now_us_;
  slot.due_us = now_us_ + every_us;
}

void Edge::Impl::go_round(EpisodeSide& episode, SlotSweep& slot, Slice& slice) {
  const size_t until = std::max(slot.fresh, may_be_left(slot, now_us_));
  while (slot.left > until) {
    LiveEntry& entry = episode.live[slot.left - 1];
    const bool wanted = (entry.role.bits & slot.roles.bits) != 0;
    if (wanted && !spend(slice)) return;
    --slot.left;
    if (wanted) put(entry, slot);
  }
  if (slot.left > slot.fresh) {
    slot.go_on_us = now_us_ + step_us(slot);
    return;
  }
  slot.under_way = false;
  slot.asked_us = now_us_;
  if (slot.next || !slot.again) slot.frame = std::move(slot.next);
}

// Takes an entry out of `live` so that each sweep still reaches whom it has to, and nobody twice:
// the hole is filled by the last that the nearest sweep has not reached, whose place by the last of
// the next one, and so on.
void Edge::Impl::drop_live(EpisodeSide& episode, size_t hole) {
  std::vector<size_t*> passing;
  for (Sweep& cast : episode.casts) {
    if (cast.left > hole) passing.push_back(&cast.left);
  }
  for (SlotSweep& slot : episode.slots) {
    for (size_t* each : {&slot.left, &slot.fresh, &slot.later}) {
      if (*each > hole) passing.push_back(each);
    }
  }
  std::ranges::sort(passing, {}, [](const size_t* left) { return *left; });
  const auto fill = [&](size_t from) {
    if (from == hole) return;
    episode.live[hole] = episode.live[from];
    sessions[episode.live[hole].slot].live_index = static_cast<uint32_t>(hole);
    hole = from;
  };
  for (size_t* left : passing) fill(--*left);
  fill(episode.live.size() - 1);
  episode.live.pop_back();
}

// With the outcomes that wait for the session, before the frame. Returns how much of the frame was
// taken.
size_t Edge::Impl::write_live(LiveEntry& entry, const proto::FramePtr& frame) {
  ++counted.deliveries;
  if (!entry.acks_wait) [[likely]] {
    const size_t taken = entry.out->write(frame, 0);
    counted.bytes_out += taken;
    return taken;
  }
  Session& session = sessions[entry.slot];
  const proto::FramePtr outcomes = take_acks(session);
  ++counted.deliveries;
  const size_t taken = entry.out->write_two(outcomes, frame);
  counted.bytes_out += taken;
  const size_t of_outcomes = outcomes->wire().size();
  if (taken >= of_outcomes) return taken - of_outcomes;
  back_up(session, outcomes, taken);
  return 0;
}

void Edge::Impl::cast(LiveEntry& entry, const proto::FramePtr& frame) {
  const uint32_t slot = entry.slot;
  if (entry.backed_up) {
    ++counted.deliveries;
    return enqueue(sessions[slot], frame);
  }
  const size_t taken = write_live(entry, frame);
  if (taken == frame->wire().size()) [[likely]] {
    return;
  }
  if (entry.backed_up) return enqueue(sessions[slot], frame);
  back_up(sessions[slot], frame, taken);
}

void Edge::Impl::put(LiveEntry& entry, const SlotSweep& sweep) {
  if (!entry.backed_up) {
    const size_t taken = write_live(entry, sweep.frame);
    if (taken == sweep.frame->wire().size()) [[likely]] {
      return;
    }
    Session& session = sessions[entry.slot];
    if (taken > 0) return back_up(session, sweep.frame, taken);
    if (!entry.backed_up) {  // not begun: it may still be overwritten
      session.queue = std::make_unique<OutQueue>();
      ++counted.queued_connections;
      entry.backed_up = true;
    }
  }
  OutQueue& queue = *sessions[entry.slot].queue;
  const size_t before = queue.total_bytes();
  queue.put(sweep.slot, sweep.frame);
  count_queue(before, queue.total_bytes());
}

}  // namespace footlight::edge
