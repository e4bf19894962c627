#include "ops/show.h"

#include <algorithm>

#include "ops/show_impl.h"

namespace footlight::ops {

Show::Impl::Impl(ShowOptions given, const TokenSource& tokens, Wire& out)
    : options(std::move(given)), wire(out), random(options.seed) {
  const auto add = [&](Identity who) { people.emplace_back(tokens(who), who.role, random.next()); };
  const std::string stage = hex_u64(random.next()).substr(0, 6);
  add({"director-" + stage, "Director", proto::Role::kProducer, {}});
  for (uint32_t i = 0; i < std::max(1u, options.cast); ++i) {
    Identity who{"player-" + stage + "-" + std::to_string(i),
                 "Player " + std::to_string(i + 1),
                 proto::Role::kPlayer,
                 {}};
    std::string character;
    if (!options.characters.empty()) {
      character = options.characters[i % options.characters.size()];
      who.characters.push_back(character);
    }
    characters.push_back(character);
    add(std::move(who));
  }
  for (uint32_t i = 0; i < options.audience; ++i) {
    add({"viewer-" + stage + "-" + std::to_string(i),
         "Viewer " + std::to_string(i + 1),
         proto::Role::kViewer,
         {}});
  }
  const auto count = viewers_end = static_cast<uint32_t>(people.size());
  if (options.game_master) add({"gm-" + stage, "Game Master", proto::Role::kGm, {}});
  const uint32_t first = static_cast<uint32_t>(characters.size()) + 1;
  observers.push_back(kDirector);
  for (uint32_t k = 0; k < kObservers && first < count; ++k) {
    const uint32_t number =
        first + static_cast<uint32_t>(uint64_t{k} * (count - 1 - first) / (kObservers - 1));
    if (observers.back() != number) observers.push_back(number);
  }
  for (uint32_t k = 0; k < observers.size(); ++k) observer_index[observers[k]] = k;
  ballots.resize(people.size());
  seen.resize(observers.size());
  waiting.resize(observers.size());
  for (const Budget& budget : budgets()) report.of(budget.name);
  report.clients = people.size();
}

bool Show::Impl::is_observer(uint32_t number) const { return observer_index.contains(number); }

void Show::Impl::submit(uint32_t number, proto::Kind kind, std::string_view args, MonoUs now_us,
                        uint32_t poll) {
  Client& client = people[number];
  if (!client.live()) return;
  const PendingEvent& event = client.add(kind, args, now_us, poll);
  if (kind != proto::Kind::kPollVote) commands[{client.cid(), event.i}] = now_us;
  ++report.events_sent;
  wire.send(number, event_frame(event.json));
}

void Show::Impl::on_welcome(uint32_t number, const proto::Welcome& welcome, MonoUs now_us) {
  Client& client = people[number];
  client.on_welcome(welcome);
  on_mode(welcome.mode);
  ++live;
  moved_us = now_us;
  if (number == kDirector && !welcome.resumed) {
    if (auto view = Json::parse(welcome.view)) look_at_view(*view, now_us);
  }
  for (const std::string& frame : client.resend()) wire.send(number, frame);
}

void Show::Impl::on_confirmed(uint32_t number, const proto::Confirmed& confirmed, MonoUs now_us) {
  PendingEvent event;
  if (!people[number].take(confirmed.i, event)) return;
  ++report.events_confirmed;
  moved_us = now_us;
  if (event.kind == proto::Kind::kPollVote) {
    vote_confirmed(number, event, confirmed.log, now_us);
  } else {
    measured(proto::LatencyClass::kCommand, now_us - event.click_us);
  }
}

void Show::Impl::on_rejected(uint32_t number, const proto::Rejected& rejected, MonoUs now_us) {
  Client& client = people[number];
  ++report.rejected[static_cast<int>(rejected.code)];
  if (rejected.retry_after_ms > 0) {
    // Not before the server said; measured from its first click on.
    plan(now_us + static_cast<MonoUs>(rejected.retry_after_ms) * kUsPerMs, Plan::What::kResend,
         number, static_cast<uint32_t>(rejected.i));
    return;
  }
  PendingEvent event;
  if (!client.take(rejected.i, event)) return;
  moved_us = now_us;
  --report.events_sent;  // not owed a confirmation
  commands.erase({client.cid(), event.i});
}

void Show::Impl::on_ack(uint32_t number, const proto::Ack& ack, MonoUs now_us) {
  for (const auto& confirmed : ack.confirmed) on_confirmed(number, confirmed, now_us);
  for (const auto& rejected : ack.rejected) on_rejected(number, rejected, now_us);
}

void Show::Impl::on_bye(uint32_t number, const proto::ServerBye& bye) {
  if (number == kDirector && !bye.reconnect) {
    given_up = true;
    why = std::to_string(static_cast<int>(bye.code)) + " " + std::string(bye.message);
  }
}

void Show::Impl::on_mode(const proto::ModeNotice& notice) {
  if (notice.mode != proto::Mode::kHalted || given_up) return;
  given_up = true;
  why = "the episode is halted: " + std::to_string(static_cast<int>(notice.code)) + " " +
        std::string(notice.message);
}

void Show::Impl::parse(uint32_t number, std::string_view text, MonoUs now_us) {
  const FrameType type = frame_type(text);
  const bool measured =
      type == FrameType::kTally || type == FrameType::kDelta || type == FrameType::kEmotes;
  if (measured && !is_observer(number)) return;
  if (type == FrameType::kPresence || type == FrameType::kSlo || type == FrameType::kPong) return;
  auto message = decoder.decode(text);
  if (!message) {
    given_up = true;
    why = "the server sent what cannot be read: " + message.error().message();
    return;
  }
  if (const auto* welcome = std::get_if<proto::Welcome>(&*message))
    on_welcome(number, *welcome, now_us);
  if (const auto* ack = std::get_if<proto::Ack>(&*message)) on_ack(number, *ack, now_us);
  if (const auto* delta = std::get_if<proto::Delta>(&*message)) on_delta(number, *delta, now_us);
  if (const auto* tally = std::get_if<proto::TallyUpdate>(&*message))
    on_tally(number, *tally, now_us);
  if (const auto* sums = std::get_if<proto::Emotes>(&*message)) on_emotes(number, *sums, now_us);
  if (const auto* bye = std::get_if<proto::ServerBye>(&*message)) on_bye(number, *bye);
  if (const auto* mode = std::get_if<proto::ModeNotice>(&*message)) on_mode(*mode);
}

Show::Show(ShowOptions options, const TokenSource& tokens, Wire& wire)
    : impl_(std::make_unique<Impl>(std::move(options), tokens, wire)) {}
Show::~Show() = default;

uint32_t Show::clients() const { return static_cast<uint32_t>(impl_->people.size()); }

void Show::on_open(uint32_t client, MonoUs now_us) {
  impl_->last_us = now_us;
  impl_->wire.send(client, impl_->people[client].hello());
}

void Show::on_text(uint32_t client, std::string_view text, MonoUs now_us) {
  impl_->last_us = now_us;
  ++impl_->report.frames_received;
  impl_->report.bytes_received += text.size();
  impl_->parse(client, text, now_us);
}

void Show::on_closed(uint32_t client, int code, MonoUs now_us) {
  Impl& show = *impl_;
  Client& who = show.people[client];
  if (who.live()) --show.live;
  who.on_closed();
  if (show.given_up || show.ended) return;
  static constexpr int kRefusals[] = {4501, 4302, 4300};  // banned, ended, unknown: no use
  if ((code >= 4100 && code < 4200) || std::ranges::find(kRefusals, code) != std::end(kRefusals)) {
    show.given_up = true;
    show.why = std::to_string(code) + " " + std::string(code_sentence(static_cast<Code>(code)));
    return;
  }
  ++show.report.reconnects;
  show.moved_us = std::max(show.moved_us, now_us - kGiveUpUs / 2);
  show.wire.reopen(client, static_cast<uint32_t>(200 + show.random.below(1000)));
}

void Show::on_time(MonoUs now_us) {
  Impl& show = *impl_;
  show.last_us = now_us;
  if (show.moved_us == 0) show.moved_us = now_us;
  if (!show.begun && show.live == show.people.size()) show.begin(now_us);
  while (!show.plans.empty() && show.plans.front().at_us <= now_us) {
    std::pop_heap(show.plans.begin(), show.plans.end());
    const Plan plan = show.plans.back();
    show.plans.pop_back();
    show.run(plan, now_us);
  }
  if (show.begun) show.wind_down(now_us);
  const bool waits = !show.begun || show.ending;
  if (waits && !show.ended && now_us - show.moved_us > kGiveUpUs) {
    show.given_up = true;
    show.why = show.begun ? "some events were never confirmed"
                          : "not all clients were welcomed: " + std::to_string(show.live) + " of " +
                                std::to_string(show.people.size());
  }
}

std::vector<uint32_t> Show::on_camera() const {
  std::vector<uint32_t> numbers;
  if (impl_->options.game_master) numbers.push_back(impl_->viewers_end);
  for (uint32_t i = 1; i < first_viewer(); ++i) numbers.push_back(i);
  return numbers;
}

uint32_t Show::first_viewer() const { return static_cast<uint32_t>(impl_->characters.size()) + 1; }
uint32_t Show::viewers() const { return impl_->viewers_end - first_viewer(); }
const std::string& Show::token(uint32_t client) const { return impl_->people[client].token(); }

void Show::report_line(uint32_t client, std::string_view session, uint32_t round_trip_ms,
                       uint32_t loss_per_mille) {
  if (!impl_->people[client].live()) return;
  proto::MediaReport line;
  line.id = session;
  line.rtt_ms = round_trip_ms;
  line.loss_pm = loss_per_mille;
  impl_->wire.send(client, proto::encoded(line));
}

bool Show::done() const { return impl_->ended || impl_->given_up; }
const std::string& Show::failure() const { return impl_->why; }
uint32_t Show::live() const { return impl_->live; }

double Show::progress() const {
  const Impl& show = *impl_;
  if (show.ended) return 1;
  if (!show.begun) return 0;
  const double played = static_cast<double>(show.last_us - show.began_us) / kUsPerSecond;
  return std::min(0.99, played / std::max(1u, show.options.seconds));
}

std::string Show::status() const {
  const Impl& show = *impl_;
  if (!show.begun)
    return std::to_string(show.live) + " of " + std::to_string(show.people.size()) + " joined";
  if (show.ending) return "waiting for the last confirmations";
  return std::to_string(show.report.events_confirmed) + " events confirmed";
}

Report Show::report(MonoUs now_us) const {
  impl_->collect_promises();
  Report report = impl_->report;
  report.seconds = static_cast<double>(now_us - impl_->began_us) / kUsPerSecond;
  return report;
}

}  // namespace footlight::ops
