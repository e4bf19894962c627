// What clients send: judged here in form and amount, forwarded in the order of receipt.
#include <utility>

#include "core/json.h"
#include "edge/internal/edge_impl.h"

namespace footlight::edge {
namespace {

// A voter whom admission refused this recently is acting faster than people do.
constexpr MonoUs kSuspicionUs = 10 * kUsPerSecond;
constexpr uint8_t kSuspicious = 1;
constexpr MonoUs kProbeLostUs = 30 * kUsPerSecond;  // its session has left

}  // namespace

void Edge::Impl::message(Session& session, const proto::ClientMessage& message) {
  if (const auto* hello_in = std::get_if<proto::Hello>(&message)) {
    if (session.stage == Stage::kHello) return hello(session, *hello_in);
    if (admit_control(session)) send_error(session, {Code::kHelloAgain, {}, 0});
    return;
  }
  if (session.stage == Stage::kHello) return end(session, {Code::kHelloExpected, {}, 0});
  if (const auto* batch = std::get_if<proto::EventBatch>(&message)) {
    return events(session, batch->events);
  }
  if (std::holds_alternative<proto::ClientBye>(message)) {
    leave(session);
    session.stage = Stage::kClosing;
    session.since_us = now_us_;
    session.close_code = Code::kOk;
    return close_now(session);
  }
  if (const auto* data = std::get_if<proto::BoardData>(&message)) return board_data(session, *data);
  if (!admit_control(session)) return;
  if (const auto* open = std::get_if<proto::BoardOpen>(&message)) return board_open(session, *open);
  if (const auto* close = std::get_if<proto::BoardClose>(&message)) {
    return board_close(session, close->board);
  }
  if (const auto* ping = std::get_if<proto::Ping>(&message)) {
    scratch.clear();
    proto::encode(scratch, proto::Pong{ping->c, wall()});
    deliver(session, proto::Frame::text(scratch));
  } else if (const auto* report_in = std::get_if<proto::LatencyReport>(&message)) {
    latencies(session, *report_in);
  } else if (const auto* token = std::get_if<proto::TokenRefresh>(&message)) {
    refresh_token(session, token->token);
  } else if (const auto* watch_in = std::get_if<proto::WatchReport>(&message)) {
    watch(session, *watch_in);
  } else {
    media_message(session, message);
  }
}

// How a viewer watches, and how far behind it is. A forged cue is told and is no cue.
void Edge::Impl::watch(Session& session, const proto::WatchReport& report) {
  if (session.role != proto::Role::kViewer) return;
  EpisodeSide& episode = *episodes[session.episode];
  count_watching(episode, session, -1);
  session.watching = report.mode;
  if (report.mode == proto::WatchMode::kNone || report.mode == proto::WatchMode::kRtc) {
    session.behind.report(wall(), wall());
  } else if (!report.cue.empty()) {
    const auto shown_ms = gate::read_cue(episode.voter_key, episode.id, report.cue);
    if (shown_ms) {
      session.behind.report(*shown_ms, wall());
    } else {
      ++counted.forged_cues;
      send_error(session, shown_ms.error());
    }
  }
  count_watching(episode, session, +1);
}

void Edge::Impl::count_watching(EpisodeSide& episode, const Session& session, int by) {
  const auto add = [by](uint32_t& count) { count += static_cast<uint32_t>(by); };
  add(episode.watching[static_cast<size_t>(session.watching)]);
  add(episode.behind[(session.behind.delay_ms() + kBehindStepMs - 1) / kBehindStepMs]);
}

uint32_t Edge::Impl::furthest_behind_ms(const EpisodeSide& episode) const {
  size_t at = episode.behind.size() - 1;
  while (at > 0 && episode.behind[at] == 0) --at;
  return static_cast<uint32_t>(at) * kBehindStepMs;
}

void Edge::Impl::latencies(Session& session, const proto::LatencyReport& report) {
  EpisodeSide& episode = *episodes[session.episode];
  for (const proto::LatencySample& sample : report.samples) {
    const auto of = static_cast<size_t>(sample.of);
    episode.latency_ms[of].record(sample.ms);
    counted.latency_ms[of].record(sample.ms);
  }
}

void Edge::Impl::events(Session& session, std::span<const proto::ClientEvent> batch) {
  EpisodeSide& episode = *episodes[session.episode];
  const bool cast = session.role != proto::Role::kViewer;
  for (const proto::ClientEvent& each : batch) {
    event(episode, session, each);
    if (session.stage == Stage::kClosing) return;  // refused too often
  }
  if (episode.flush_due_us == kNever) return;
  const size_t waiting = episode.pending.ballots.size() + episode.pending.commands.size();
  if ((cast && session.last_flush == episode.flush) || waiting >= options.flush_events) {
    flush(episode);
  }
}

void Edge::Impl::event(EpisodeSide& episode, Session& session, const proto::ClientEvent& event) {
  if (!event.fault.ok()) {
    ++counted.rejected;
    if (!admit_control(session)) return;
    return reject(session, event.i, event.fault.code, event.fault.error().detail, 0);
  }
  switch (event.kind) {
    case proto::Kind::kPollVote:
      return vote(episode, session, event);
    case proto::Kind::kEmote:
      return emote(episode, session, event);
    default:
      return command(episode, session, event);
  }
}

bool Edge::Impl::admit(EpisodeSide& episode, Session& session, const proto::ClientEvent& event,
                       uint32_t cost, gate::Verdict& verdict) {
  const gate::Subject subject{&session.buckets, &episode.buckets, session.who, session.prefix,
                              session.role};
  verdict = admission.admit(gate::event_class(event.kind), subject, cost, now_us_);
  return verdict.ok();
}

// Garbage, pings and the like: what is beyond the limit is dropped in silence, too much of it ends
// the session.
bool Edge::Impl::admit_control(Session& session) {
  const gate::Subject subject{&session.buckets, &no_episode, session.who, session.prefix,
                              session.role};
  const auto verdict = admission.admit(gate::EventClass::kControl, subject, 1, now_us_);
  if (verdict.cut) end(session, {verdict.code, {}, verdict.retry_after_ms});
  return verdict.ok();
}

void Edge::Impl::refused(Session& session, uint64_t i, const gate::Verdict& verdict) {
  ++counted.rejected;
  ++counted.shed;
  session.refused_us = now_us_;
  if (verdict.cut) return end(session, {verdict.code, {}, verdict.retry_after_ms});
  reject(session, i, verdict.code, {}, verdict.retry_after_ms);
}

uint32_t Edge::Impl::poll_of(EpisodeSide& episode, std::string_view poll) {
  if (!episode.tables) return kNoIndex;
  const auto& polls = episode.tables->polls;
  if (episode.last_poll < polls.size() && polls[episode.last_poll] == poll) {
    return episode.last_poll;
  }
  const auto found = episode.poll_index.find(poll);
  if (found == episode.poll_index.end()) return kNoIndex;
  return episode.last_poll = found->second;
}

void Edge::Impl::vote(EpisodeSide& episode, Session& session, const proto::ClientEvent& event) {
  gate::Verdict verdict;
  if (!admit(episode, session, event, 1, verdict)) {
    return refused(session, event.i, verdict);
  }
  if (event.vote.voter && *event.vote.voter != session.who) {
    ++counted.rejected;
    return reject(session, event.i, Code::kForeignVoter, {}, 0);
  }
  const uint32_t poll = poll_of(episode, event.vote.poll);
  if (poll == kNoIndex) {
    ++counted.rejected;
    return reject(session, event.i, Code::kPollUnknown, {}, 0);
  }
  const bool suspicious = session.refused_us != 0 && now_us_ - session.refused_us < kSuspicionUs;
  episode.pending.ballots.push_back(
      {.session = session.id,
       .i = event.i,
       .edge_ms = wall(),
       .poll = poll,
       .choice_mask = event.vote.choice_mask,
       .n = event.vote.n,
       .flags = suspicious ? kSuspicious : uint8_t{0},
       .behind_ms = static_cast<uint16_t>(session.behind.allowance_ms(wall()))});
  ++counted.ballots;
  submitted(episode, session, event.i);
}

void Edge::Impl::command(EpisodeSide& episode, Session& session, const proto::ClientEvent& event) {
  gate::Verdict verdict;
  if (!admit(episode, session, event, 1, verdict)) {
    return refused(session, event.i, verdict);
  }
  const auto fault = proto::check_command(event.kind, {session.role, session.captions}, event.args);
  if (!fault.ok()) {
    ++counted.rejected;
    Error error = fault.error();
    return reject(session, event.i, error.code, std::move(error.detail), 0);
  }
  bus::CommandEntry entry;
  entry.session = session.id;
  entry.i = event.i;
  entry.edge_ms = wall();
  entry.kind = event.kind;
  entry.ballots_before = static_cast<uint32_t>(episode.pending.ballots.size());
  entry.args = event.args;
  entry.traceparent = event.traceparent;
  episode.pending.commands.push_back(std::move(entry));
  submitted(episode, session, event.i);
}

void Edge::Impl::submitted(EpisodeSide& episode, Session& session, uint64_t i) {
  ++counted.events;
  session.last_flush = episode.flush;
  if (episode.flush_due_us == kNever) {
    episode.flush_due_us = now_us_ + options.flush_us;
    flush_due_us = std::min(flush_due_us, episode.flush_due_us);
  }
  if (episode.probe_session == 0 || now_us_ - episode.probe_us > kProbeLostUs) {
    episode.probe_session = session.id;
    episode.probe_i = i;
    episode.probe_us = now_us_;
  }
}

void Edge::Impl::flush(EpisodeSide& episode) {
  episode.flush_due_us = kNever;
  bus::Submit& pending = episode.pending;
  if (pending.ballots.empty() && pending.commands.empty()) return;
  pending.up_to_ms = wall() - 1;  // more may come in this very millisecond
  pending.behind_ms = furthest_behind_ms(episode);
  const size_t ballots = pending.ballots.size();
  bus::Submit full = std::exchange(pending, bus::Submit{});
  pending.edge = options.id;
  pending.ballots.reserve(ballots);
  ++episode.flush;
  options.bus->to_owner(episode.id, std::move(full));
}

void Edge::Impl::emote(EpisodeSide& episode, Session& session, const proto::ClientEvent& event) {
  // Lossy: whoever is refused is not told.
  const auto fault = proto::check_command(event.kind, session.role, event.args);
  std::string_view name;
  int64_t times = 1;
  std::string name_storage;
  if (fault.ok()) {
    JsonReader in(event.args);
    std::string_view key;
    if (in.enter_object()) {
      while (in.next_key(key)) {
        if (key == "e") {
          name_storage = in.read_string();
          name = name_storage;
        } else if (key == "n") {
          times = in.read_int();
        } else {
          in.skip();
        }
      }
    }
  }
  const auto found = episode.emote_index.find(name);
  if (!fault.ok() || found == episode.emote_index.end()) {
    ++counted.rejected;
    if (!admit_control(session)) return;
    return send_error(session, fault.ok() ? Error{Code::kEmoteUnknown, {}, 0} : fault.error());
  }
  gate::Verdict verdict;
  if (!admit(episode, session, event, static_cast<uint32_t>(times), verdict)) {
    ++counted.shed;
    if (verdict.cut) end(session, {verdict.code, {}, verdict.retry_after_ms});
    return;
  }
  ++counted.emotes;
  episode.emotes[found->second] += static_cast<uint32_t>(times);
  episode.has_emotes = true;
  emote_due_us = std::min(emote_due_us, now_us_ + options.emote_ms * kUsPerMs);
}

void Edge::Impl::flush_emotes(EpisodeSide& episode) {
  if (!episode.has_emotes) return;
  bus::EmoteCounts counts{options.id, episode.emotes};
  std::fill(episode.emotes.begin(), episode.emotes.end(), 0);
  episode.has_emotes = false;
  options.bus->to_owner(episode.id, std::move(counts));
}

void Edge::Impl::set_tables(EpisodeSide& episode, const bus::Tables& tables) {
  episode.tables = tables.tables;
  episode.poll_index.clear();
  episode.emote_index.clear();
  for (uint32_t i = 0; i < tables.tables->polls.size(); ++i) {
    episode.poll_index.emplace(tables.tables->polls[i], i);
  }
  for (uint32_t i = 0; i < tables.tables->emotes.size(); ++i) {
    episode.emote_index.emplace(tables.tables->emotes[i], i);
  }
  episode.emotes.resize(tables.tables->emotes.size());
}

}  // namespace footlight::edge
