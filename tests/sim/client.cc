#include "client.h"

#include <algorithm>
#include <utility>

#include "core/json.h"

namespace footlight::sim {
namespace {

constexpr MonoUs kPingUs = 10 * kUsPerSecond;
constexpr MonoUs kSilenceUs = 25 * kUsPerSecond;
constexpr MonoUs kJoinUs = 12 * kUsPerSecond;
constexpr MonoUs kWatchUs = 2 * kUsPerSecond;

uint64_t mix(uint64_t x) {
  x ^= x >> 33;
  x *= 0xFF51AFD7ED558CCDULL;
  x ^= x >> 33;
  x *= 0xC4CEB9FE1A85EC53ULL;
  return x ^ (x >> 33);
}

uint64_t entity_hash(std::string_view collection, std::string_view id, std::string_view entity) {
  return mix(hash_text(hash_text(hash_text(1, collection), id), entity));
}

}  // namespace

uint64_t hash_text(uint64_t seed, std::string_view text) {
  uint64_t hash = mix(seed + text.size());
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3ULL;
  return mix(hash);
}

Client::Client(Scheduler& scheduler, Prng random, ClientSpec spec, Witness& witness, Dial dial)
    : scheduler_(scheduler),
      random_(random),
      spec_(std::move(spec)),
      witness_(witness),
      dial_(std::move(dial)) {}

std::string Client::describe() const {
  std::string out = spec_.account +
                    (live_   ? " live"
                     : link_ ? " joining"
                             : " offline") +
                    " epoch " + std::to_string(epoch_);
  for (const SentEvent& event : outbox_) {
    out += " [" + std::to_string(event.i) + " " + std::string(proto::kind_name(event.kind)) +
           (event.sent ? " sent" : "") + (event.accepted ? " accepted" : "") + "]";
  }
  return out;
}

void Client::stop() {
  stopped_ = true;
  live_ = false;
  if (link_) std::exchange(link_, nullptr)->hang_up();
}

MonoUs Client::backoff() {
  const uint64_t limit_ms = std::min<uint64_t>(30'000, 500ull << std::min<uint64_t>(attempts_, 6));
  return static_cast<MonoUs>(random_.below(limit_ms + 1)) * kUsPerMs;
}

void Client::connect_after(MonoUs delay_us) {
  const uint64_t number = ++connection_;
  scheduler_.after(delay_us, [this, number] {
    if (number == connection_ && !stopped_) connect();
  });
}

void Client::connect() {
  link_ = dial_(*this);
  if (link_ == nullptr) {
    ++attempts_;
    return connect_after(backoff());
  }
  heard_us_ = scheduler_.now_us();
  bye_advised_ = false;
  proto::Hello hello;
  const std::string token = spec_.token();
  hello.token = token;
  hello.cid = spec_.cid;
  hello.client = "sim/1";
  if (has_view_) hello.resume = proto::Resume{epoch_, offset_};
  link_->send(proto::encoded(hello));
  const uint64_t number = connection_;
  scheduler_.after(kJoinUs, [this, number] {
    if (number == connection_ && link_ != nullptr && !live_) drop_connection(kPingUs);
  });
}

void Client::drop_connection(MonoUs edge_notices_us) {
  if (link_ == nullptr) return;
  link_->abandon();
  link_->cut(kNever, edge_notices_us);
  lost(backoff());
}

void Client::lost(MonoUs wait_us) {
  link_ = nullptr;
  live_ = false;
  ++attempts_;
  done_.clear();
  for (SentEvent& event : outbox_) {
    event.sent = false;
    event.copies = 0;
    event.accepted = false;  // of that sending
  }
  if (!stopped_) connect_after(wait_us);
}

void Client::on_gone(Code) { lost(bye_advised_ ? bye_wait_us_ : backoff()); }

void Client::ping() {
  const uint64_t number = connection_;
  scheduler_.after(kPingUs, [this, number] {
    if (number != connection_ || !live_) return;
    if (scheduler_.now_us() - heard_us_ > kSilenceUs) return drop_connection(kPingUs);
    send_raw(proto::encoded(proto::Ping{scheduler_.now_us()}));
    ping();
  });
}

void Client::watch() {
  if (spec_.behind_ms == 0) return;
  const std::string cue = spec_.cue();
  send_raw(proto::encoded(proto::WatchReport{proto::WatchMode::kLowLatency, cue}));
  scheduler_.after(kWatchUs, [this, number = connection_] {
    if (number == connection_ && live_) watch();
  });
}

void Client::send_raw(std::string text) {
  if (live_) link_->send(std::move(text));
}

uint64_t Client::send(proto::Kind kind, std::string args) {
  SentEvent event;
  event.i = next_i_++;
  event.kind = kind;
  event.args = std::move(args);
  outbox_.push_back(std::move(event));
  if (live_) send_outbox();
  return outbox_.back().i;
}

void Client::vote(const std::string& poll, uint32_t choice_mask) {
  SentEvent event;
  event.i = next_i_++;
  event.kind = proto::Kind::kPollVote;
  event.poll = poll;
  event.choice_mask = choice_mask;
  event.n = ++vote_n_[poll];
  proto::append_vote_args(event.args, proto::Vote{poll, choice_mask, event.n, {}});
  outbox_.push_back(std::move(event));
  if (live_) send_outbox();
}

void Client::send_lossy(proto::Kind kind, const std::string& args) {
  if (!live_) return;
  proto::ClientEvent event;
  event.i = next_i_++;
  event.kind = kind;
  event.args = args;
  send_raw(proto::encoded(proto::EventBatch{{&event, 1}}));
}

// What is not sent yet, in order. An event that was rejected for now holds up no other.
void Client::send_outbox() {
  std::vector<proto::ClientEvent> batch;
  const auto flush = [&] {
    if (batch.empty()) return;
    const std::string text = proto::encoded(proto::EventBatch{batch});
    link_->send(text);
    if (spec_.impatient && random_.below(3) == 0) {
      link_->send(text);
      for (const auto& each : batch) ++find(each.i)->copies;
    }
    batch.clear();
  };
  for (SentEvent& event : outbox_) {
    if (event.sent || event.not_before_us > scheduler_.now_us()) continue;
    event.sent = true;
    ++event.copies;
    proto::ClientEvent out;
    out.i = event.i;
    out.kind = event.kind;
    out.args = event.args;
    batch.push_back(out);
    if (batch.size() == proto::kMaxBatch) flush();
  }
  flush();
}

void Client::retry_later() {
  MonoUs due_us = kNever;
  for (const SentEvent& event : outbox_) {
    if (!event.sent) due_us = std::min(due_us, event.not_before_us);
  }
  if (due_us == kNever) return;
  scheduler_.at(due_us, [this, number = connection_] {
    if (!live_ || number != connection_) return;
    send_outbox();
    retry_later();
  });
}

void Client::on_frame(std::string_view json) {
  ++frames_;
  heard_us_ = scheduler_.now_us();
  digest_.update(json);
  witness_.saw_frame(*this, json);
  auto message = decoder_.decode(json);
  if (!message) return witness_.violation(*this, "an unreadable frame: " + std::string(json));
  if (const auto* m = std::get_if<proto::Welcome>(&*message)) return welcome(*m);
  if (const auto* m = std::get_if<proto::Delta>(&*message)) return delta(*m);
  if (const auto* m = std::get_if<proto::Ack>(&*message)) return ack(*m);
  if (const auto* m = std::get_if<proto::TallyUpdate>(&*message)) return tally(*m);
  if (const auto* m = std::get_if<proto::ServerBye>(&*message)) return bye(*m);
  if (const auto* m = std::get_if<proto::ModeNotice>(&*message)) mode_ = m->mode;
}

void Client::set(std::string_view collection, std::string_view id, std::string_view entity) {
  auto& entities = view_[std::string(collection)];
  const auto found = entities.find(std::string(id));
  const bool hashed = collection != "cast";
  if (found != entities.end()) {
    if (hashed) view_hash_ ^= entity_hash(collection, id, found->second);
    entities.erase(found);
  }
  if (entity.empty() || entity == "null") return;
  if (hashed) view_hash_ ^= entity_hash(collection, id, entity);
  entities.emplace(id, entity);
}

void Client::load_view(std::string_view json) {
  view_.clear();
  view_hash_ = 0;
  JsonReader in(json);
  std::string_view key;
  if (in.enter_object()) {
    while (in.next_key(key)) {
      const std::string collection(key);
      if (!in.enter_object()) break;
      while (in.next_key(key)) {
        const std::string id(key);
        set(collection, id, in.raw());
      }
    }
  }
  if (!in.finish()) witness_.violation(*this, "the view of a welcome is no view");
}

void Client::welcome(const proto::Welcome& welcome) {
  if (live_) return witness_.violation(*this, "a second welcome");
  if (welcome.epoch < epoch_) witness_.violation(*this, "the epoch went back");
  witness_.saw_welcome(*this, welcome);
  live_ = true;
  attempts_ = 0;
  mode_ = welcome.mode.mode;
  if (welcome.resumed) {
    if (!has_view_) witness_.violation(*this, "resumed what was never seen");
    if (welcome.offset < offset_) witness_.violation(*this, "resumed at an earlier offset");
  } else {
    load_view(welcome.view);
    has_view_ = true;
    offset_ = welcome.offset;
    witness_.view_is(*this, offset_, view_hash_);
  }
  epoch_ = welcome.epoch;
  const auto me = Json::parse(welcome.me);
  if (!me) return witness_.violation(*this, "`me` is no JSON");
  const auto last_i = static_cast<uint64_t>((*me)["last_i"].as_int());
  if (last_i < highest_confirmed_ && mode_ != proto::Mode::kHalted) {
    witness_.violation(*this, "last_i " + std::to_string(last_i) + " is below the confirmed " +
                                  std::to_string(highest_confirmed_) + ", mode " +
                                  std::string(proto::mode_name(mode_)));
  }
  ping();
  watch();
  send_outbox();
  retry_later();
}

void Client::delta(const proto::Delta& delta) {
  if (!live_) return witness_.violation(*this, "a delta before the welcome");
  bool only_cast = true;
  for (const proto::Patch& patch : delta.patches) only_cast &= patch.collection == "cast";
  if (delta.offset < offset_ || (delta.offset == offset_ && !only_cast)) {
    witness_.violation(
        *this, "delta " + std::to_string(delta.offset) + " after " + std::to_string(offset_));
  }
  witness_.saw_delta(*this, delta);
  for (const proto::Patch& patch : delta.patches) set(patch.collection, patch.id, patch.entity);
  offset_ = std::max(offset_, delta.offset);
  if (!only_cast) witness_.view_is(*this, offset_, view_hash_);
}

std::deque<SentEvent>::iterator Client::find(uint64_t i) {
  return std::ranges::find_if(outbox_, [&](const SentEvent& event) { return event.i == i; });
}

void Client::ack(const proto::Ack& ack) {
  for (const uint64_t i : ack.accepted) {
    const auto event = find(i);
    if (event != outbox_.end()) {
      event->accepted = true;
    } else if (!done_.contains(i)) {
      witness_.violation(*this, "accepted after its outcome: " + std::to_string(i));
    }
  }
  for (const proto::Confirmed& each : ack.confirmed) {
    const auto event = find(each.i);
    if (event == outbox_.end()) {
      confirmed_again(each);
      continue;
    }
    if (event->copies == 0) {
      witness_.violation(*this, "confirmed what was not sent: " + std::to_string(each.i));
    }
    // `last_i` is of commands: ballots have numbers of their own (n).
    if (event->poll.empty()) highest_confirmed_ = std::max(highest_confirmed_, each.i);
    witness_.saw_confirmed(*this, *event, each);
    if (event->copies > 1) done_[each.i] = each;
    outbox_.erase(event);
  }
  bool waits = false;
  for (const proto::Rejected& each : ack.rejected) {
    const auto event = find(each.i);
    if (event == outbox_.end()) continue;  // a lossy one, or a second copy
    const bool log_failed = each.code == Code::kLogHalted || each.code == Code::kDiskFull;
    if (event->accepted && event->copies == 1 && !log_failed) {
      witness_.violation(*this, "rejected after it was accepted: " + std::to_string(each.i) + " " +
                                    std::string(code_name(each.code)));
    }
    // One answer per sending: that of another copy may still come, and says more.
    event->copies -= event->copies > 0;
    if (each.retry_after_ms > 0) {
      witness_.saw_deferred(*this, *event, each);
      event->not_before_us = scheduler_.now_us() + each.retry_after_ms * kUsPerMs;
      if (event->copies > 0) continue;
      event->sent = event->accepted = false;
      waits = true;
    } else if (event->copies == 0) {
      witness_.saw_rejected(*this, *event, each);
      outbox_.erase(event);
    }
  }
  if (waits) retry_later();
}

// A second copy is answered as the first.
void Client::confirmed_again(const proto::Confirmed& confirmed) {
  const auto done = done_.find(confirmed.i);
  if (done == done_.end()) {
    witness_.violation(*this, "confirmed twice: " + std::to_string(confirmed.i));
  } else if (done->second.log != confirmed.log || done->second.receipt != confirmed.receipt) {
    witness_.violation(*this,
                       "a second copy was answered otherwise: " + std::to_string(confirmed.i));
  }
}

void Client::tally(const proto::TallyUpdate& tally) {
  uint64_t& version = tally_version_[std::string(tally.poll)];
  if (tally.version < version) {
    // One overwrite slot per poll: on one connection it never goes back.
    witness_.violation(*this, "the tally of " + std::string(tally.poll) + " went back");
  }
  version = tally.version;
  if (tally.final) {
    final_tallies_.emplace(tally.poll);
  } else if (final_tallies_.contains(std::string(tally.poll))) {
    witness_.violation(*this, "a provisional tally after the final: " + std::string(tally.poll));
  }
  witness_.saw_tally(*this, tally);
}

void Client::bye(const proto::ServerBye& bye) {
  bye_advised_ = bye.reconnect;
  if (bye.code == Code::kBanned) stopped_ = true;
  if (!bye.reconnect) return;
  const uint64_t span = bye.after_high_ms - std::min(bye.after_high_ms, bye.after_low_ms);
  bye_wait_us_ = static_cast<MonoUs>(bye.after_low_ms + random_.below(span + 1)) * kUsPerMs;
}

}  // namespace footlight::sim
