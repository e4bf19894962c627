// From clicks to what another client has of them.
#include <algorithm>

#include "ops/show_impl.h"

namespace footlight::ops {
namespace {

constexpr size_t kShowTalliesKept = 64;

}  // namespace

// Kept for the report, and told to the server as people's clients do, so that the console has it.
void Show::Impl::measured(proto::LatencyClass of, MonoUs us) {
  const MonoUs taken_us = std::max<MonoUs>(0, us);
  report.of(proto::latency_class_name(of)).us.record(static_cast<uint64_t>(taken_us));
  if (untold.size() < kTellAtMost) {
    untold.push_back({of, static_cast<uint32_t>(taken_us / kUsPerMs)});
  }
}

// By the director, for everybody.
void Show::Impl::tell_latencies() {
  if (!people[kDirector].live()) return;
  for (size_t from = 0; from < untold.size(); from += proto::kMaxLatencies) {
    const size_t count = std::min(proto::kMaxLatencies, untold.size() - from);
    wire.send(kDirector,
              proto::encoded(proto::LatencyReport{std::span(untold).subspan(from, count)}));
  }
  untold.clear();
}

// Another client than the voter; the director for polls whose tally viewers may not see.
uint32_t Show::Impl::observer_of(uint32_t number, uint32_t poll) const {
  if (polls[poll].hidden || observers.size() < 3) return 0;
  const auto viewers = static_cast<uint32_t>(observers.size() - 1);
  const uint32_t index = 1 + number % viewers;
  return observers[index] == number ? 1 + (number + 1) % viewers : index;
}

void Show::Impl::vote_confirmed(uint32_t number, const PendingEvent& event, uint64_t log,
                                MonoUs now_us) {
  ballots[number][event.poll].counted = true;
  const uint32_t observer = observer_of(number, event.poll);
  for (const TallySeen& tally : seen[observer][event.poll]) {
    if (tally.log < log) continue;
    measured(proto::LatencyClass::kVote, tally.at_us - event.click_us);
    return;
  }
  (void)now_us;
  waiting[observer][event.poll].push_back({event.click_us, log});
}

void Show::Impl::on_tally(uint32_t number, const proto::TallyUpdate& tally, MonoUs now_us) {
  const auto poll = poll_number.find(tally.poll);
  if (poll == poll_number.end()) return;
  const uint32_t observer = observer_index.at(number);
  auto& recent = seen[observer][poll->second];
  recent.push_back({tally.log, now_us});
  if (recent.size() > kShowTalliesKept) recent.pop_front();
  auto& votes = waiting[observer][poll->second];
  std::erase_if(votes, [&](const VoteWaiting& vote) {
    if (vote.log > tally.log) return false;
    measured(proto::LatencyClass::kVote, now_us - vote.click_us);
    return true;
  });
}

void Show::Impl::on_delta(uint32_t number, const proto::Delta& delta, MonoUs now_us) {
  people[number].on_delta_offset(delta.offset);
  if (number == kDirector) {
    for (const proto::Patch& patch : delta.patches) {
      if (patch.collection != "polls" && patch.collection != "episode") continue;
      auto entity = Json::parse(patch.entity);
      if (!entity || entity->type() != JsonType::kObject) continue;
      if (patch.collection == "polls") {
        on_poll(std::string(patch.id), *entity, now_us);
      } else if (const std::string& now = (*entity)["state"].as_string();
                 !now.empty() && state != "ending") {
        state = now;
      } else if (now == "ended") {
        state = now;
      }
    }
  }
  // Seen by another: viewers watch the cast; the director's own deltas do not count.
  if (!delta.cause || number == kDirector || people[number].cid() == delta.cause->cid) return;
  const auto click = commands.find({delta.cause->cid, delta.cause->i});
  if (click == commands.end()) return;
  report.of("reconcile").us.record(static_cast<uint64_t>(now_us - click->second));
}

void Show::Impl::on_emotes(uint32_t number, const proto::Emotes& sums, MonoUs now_us) {
  if (observers.size() < 2 || number != observers[1]) return;
  for (const proto::EmoteCount& sum : sums.counts) {
    const auto clicks = emotes_clicked.find(sum.name);
    if (clicks == emotes_clicked.end()) continue;
    auto& times = clicks->second;
    while (!times.empty() && now_us - times.front() > kEmoteLostUs) times.pop_front();
    for (uint64_t k = 0; k < sum.count && !times.empty(); ++k) {
      measured(proto::LatencyClass::kReaction, now_us - times.front());
      times.pop_front();
    }
  }
}

void Show::Impl::collect_promises() {
  report.promises.clear();
  report.promises.push_back({"events confirmed", report.events_sent, report.events_confirmed});
  uint64_t expected = 0;
  uint64_t found = 0;
  for (uint32_t k = 0; k < polls.size(); ++k) {
    if (!polls[k].has_result) continue;
    found += polls[k].voters;
    for (const auto& book : ballots) {
      const auto at = book.find(k);
      expected += at != book.end() && at->second.counted ? 1 : 0;
    }
  }
  report.promises.push_back({"voters in the published results", expected, found});
}

}  // namespace footlight::ops
