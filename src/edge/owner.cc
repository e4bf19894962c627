#include "edge/owner.h"

#include <utility>

#include "core/assert.h"
#include "edge/internal/owner_impl.h"

namespace footlight::edge {
namespace {

constexpr size_t kMostEdges = 1024;
// A poll that is closing waits for watermarks; they are looked at so often.
constexpr MonoUs kClosingPollUs = 10 * kUsPerMs;

}  // namespace

Owner::Impl::Impl(OwnerOptions given, Recovered recovered)
    : options(std::move(given)),
      now_us_(options.clock->now_us()),
      wall_(*options.clock),
      state(std::move(recovered.state)),
      secrets(recovered.secrets),
      epoch(recovered.epoch),
      durable_seq(recovered.head.seq),
      next_seq(recovered.head.seq + 1),
      durable_chain(recovered.head.chain),
      snapshot_goal(options.snapshot_every) {
  FL_ASSERT(options.edges.size() <= kMostEdges, "edges are bounded");
  for (OwnerEdge& edge : options.edges) {
    EdgeState side;
    side.id = edge.id;
    side.name = edge.name;
    side.heard_us = now_us_;
    edges.push_back(std::move(side));
  }
  rejections.resize(edges.size());
  prompt_rejections.resize(edges.size());
  last_audiences.resize(edges.size());
  begin(collecting);
  secrets.chain_head = durable_chain;
  secrets.chain_log = durable_seq;
  since_snapshot = durable_seq - recovered.snapshot_seq;
  for (ClassView& view : views) view.ring_floor = recovered.view_seq;
  counted.epoch = epoch;
  counted.log_seq = durable_seq;
  second_due_us = now_us_ + kUsPerSecond;
  load_views();
  refresh_tables();
  durable_tables = tables;
  collecting.tables.reset();
  take_tallies(capture_tallies());
  BoardsOptions of_boards;
  of_boards.definition = &episode::definition_of(state);
  of_boards.port = this;
  of_boards.key = recovered.voter_key;
  of_boards.epoch = epoch;
  of_boards.edges = static_cast<uint32_t>(edges.size());
  of_boards.limits = options.board_limits;
  of_boards.times = options.board_times;
  boards = std::make_unique<Boards>(std::move(of_boards));
  boards->set_audience_tick(options.tick_ms);
  closing = has_closing_poll();
  refresh_deadline();
}

// It is called every second at least. Where it was not, the process stood still (a machine that was
// paused): for so long nobody could be heard, and no edge was silent.
void Owner::Impl::now() {
  const MonoUs now_us = std::max(now_us_, options.clock->now_us());
  if (const MonoUs still_us = now_us - now_us_; still_us > 2 * kUsPerSecond) {
    for (EdgeState& edge : edges) edge.heard_us += still_us;
  }
  now_us_ = now_us;
}

EdgeState* Owner::Impl::find_edge(bus::EdgeId id) {
  // Ids are dense as a rule: the place is tried first.
  if (id < edges.size() && edges[id].id == id) return &edges[id];
  for (EdgeState& edge : edges) {
    if (edge.id == id) return &edge;
  }
  return nullptr;
}

OwnerSession* Owner::Impl::find(EdgeState& edge, bus::SessionId id) {
  const uint32_t slot = bus::slot_of(id);
  if (slot >= edge.by_slot.size()) return nullptr;
  const uint32_t index = edge.by_slot[slot];
  if (index == kNoSession || sessions[index].id != id) return nullptr;
  return &sessions[index];
}

void Owner::Impl::to_edges(const bus::ToEdge& message) {
  for (EdgeState& edge : edges) {
    if (edge.sessions > 0) to_edge(edge, message);
  }
}

void Owner::Impl::message(bus::ToOwner& message) {
  const bus::EdgeId id = std::visit([](const auto& each) { return each.edge; }, message);
  EdgeState* edge = find_edge(id);
  if (edge == nullptr) return;
  edge->heard_us = now_us_;
  edge->fenced = false;
  for (const bus::SessionId session : std::exchange(edge->lost, {})) {
    unknown_session(*edge, session);
  }
  if (auto* submit_in = std::get_if<bus::Submit>(&message)) {
    submit(*edge, *submit_in);
    watermark(*edge, submit_in->up_to_ms, submit_in->behind_ms);
  } else if (auto* mark = std::get_if<bus::Watermark>(&message)) {
    edge->audience = mark->audience;
    watermark(*edge, mark->up_to_ms, mark->behind_ms);
  } else if (auto* join_in = std::get_if<bus::Join>(&message)) {
    join(*edge, *join_in);
  } else if (auto* leave_in = std::get_if<bus::Leave>(&message)) {
    leave(*leave_in);
  } else if (auto* counts = std::get_if<bus::EmoteCounts>(&message)) {
    emotes(*counts);
  } else if (auto* report_in = std::get_if<bus::EdgeReport>(&message)) {
    report(*edge, *report_in);
  } else if (auto* behind = std::get_if<bus::BoardBehind>(&message)) {
    boards->behind({index_of(*edge), behind->session}, *behind, now_us_);
  } else if (auto* open = std::get_if<bus::BoardOpen>(&message)) {
    board_open(*edge, *open);
  } else if (auto* close = std::get_if<bus::BoardClose>(&message)) {
    board_close(*edge, *close);
  } else if (auto* board_in = std::get_if<bus::BoardMessage>(&message)) {
    board_message(*edge, *board_in);
  }
  send_rejections();
  maybe_seal();
}

void Owner::Impl::leave(const bus::Leave& leave) {
  EdgeState* edge = find_edge(leave.edge);
  OwnerSession* session = find(*edge, leave.session);
  if (session != nullptr) remove_session(static_cast<uint32_t>(session - sessions.data()));
}

void Owner::Impl::watermark(EdgeState& edge, WallMs up_to_ms, uint32_t behind_ms) {
  edge.up_to_ms = std::max(edge.up_to_ms, up_to_ms);
  edge.behind_ms = behind_ms;
  if (closing) deadlines();
}

// Of the edges that have sessions and are heard of. With none, nothing can be on its way.
episode::Watermark Owner::Impl::lowest_watermark(WallMs no_later_ms) const {
  episode::Watermark lowest(no_later_ms);
  for (const EdgeState& edge : edges) {
    if (edge.sessions == 0 || edge.fenced) continue;
    lowest.received_ms = std::min(lowest.received_ms, edge.up_to_ms);
    lowest.shown_ms = std::min(lowest.shown_ms, edge.up_to_ms - edge.behind_ms);
  }
  return lowest;
}

void Owner::Impl::deadlines() {
  if (halted) return;
  for (EdgeState& edge : edges) {
    if (edge.sessions == 0 || edge.fenced) continue;
    if (now_us_ - edge.heard_us < options.edge_silence_ms * kUsPerMs) continue;
    edge.fenced = true;
    ++counted.fenced_edges;
  }
  const WallMs wall_ms = wall();
  auto events = episode::decide_time(state, wall_ms, lowest_watermark(wall_ms), secrets);
  if (!events.empty()) {
    append_events(events, std::nullopt);
    collecting.urgent = true;
  }
}

void Owner::Impl::refresh_deadline() {
  deadline_ms = halted ? INT64_MAX : episode::next_deadline_ms(state);
  // Watermarks bring a closing poll to its end; the look now and then finds edges that fell silent.
  deadline_due_us = closing && !halted ? now_us_ + kClosingPollUs : kNever;
  if (deadline_ms == INT64_MAX) return;
  const int64_t left_ms = deadline_ms - wall();
  deadline_due_us = std::min(deadline_due_us,
                             now_us_ + (left_ms > 0 ? (left_ms + 1) * kUsPerMs : kClosingPollUs));
}

MonoUs Owner::Impl::time() {
  now();
  if (deadline_due_us <= now_us_) {
    deadlines();
    refresh_deadline();
  }
  if (accept_due_us <= now_us_) {
    accept_due_us = kNever;
    if (in_flight) tell_accepted(*in_flight);
    tell_accepted(collecting);
  }
  if (tally_due_us <= now_us_) tally_tick();
  if (emote_due_us <= now_us_) emote_tick();
  if (second_due_us <= now_us_) second();
  if (boards->next_due_us() <= now_us_) boards->time(now_us_, wall());
  send_rejections();
  maybe_seal();
  return next_due_us();
}

MonoUs Owner::Impl::next_due_us() const {
  MonoUs due_us = std::min({tally_due_us, emote_due_us, second_due_us, accept_due_us});
  if (!in_flight) due_us = std::min(due_us, seal_due_us);
  due_us = std::min(due_us, boards->next_due_us());
  return std::min(due_us, deadline_due_us);
}

Owner::Owner(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Owner::~Owner() = default;

std::unique_ptr<Owner> make_owner(OwnerOptions options, Recovered recovered) {
  FL_ASSERT(options.clock && options.bus && options.log, "ports are given");
  return std::make_unique<Owner>(
      std::make_unique<Owner::Impl>(std::move(options), std::move(recovered)));
}

void Owner::on_bus(bus::ToOwner message) {
  impl_->now();
  impl_->message(message);
}

void Owner::on_appended(Result<log::Head> head) {
  Impl& impl = *impl_;
  impl.now();
  FL_ASSERT(impl.in_flight, "a completion answers an append");
  if (!head) return impl.halt(head.error());
  FL_ASSERT(head->seq == impl.in_flight->last_seq, "the log appends all of a batch");
  impl.durable_seq = head->seq;
  impl.durable_chain = head->chain;
  Batch done = std::move(*impl.in_flight);
  impl.in_flight.reset();
  impl.released(done);
  impl.maybe_seal();
}

void Owner::on_board(uint64_t ticket, Result<log::BoardFile> file) {
  impl_->now();
  impl_->boards->loaded(ticket, std::move(file), impl_->now_us_, impl_->wall());
  impl_->maybe_seal();
}

void Owner::on_board_points(uint64_t ticket, Result<std::vector<log::BoardPoint>> points) {
  impl_->boards->points(ticket, std::move(points));
}

MonoUs Owner::on_time() { return impl_->time(); }
MonoUs Owner::next_due_us() const { return impl_->next_due_us(); }

void Owner::api(const ApiCall& call, ApiReply reply) {
  impl_->now();
  impl_->api(call, std::move(reply));
  impl_->send_rejections();
  impl_->maybe_seal();
}

EpisodeSummary Owner::summary() const { return impl_->summary(); }
void Owner::drain() {
  impl_->now();
  if (!impl_->halted) impl_->set_mode(proto::Mode::kDraining, {Code::kDraining, {}, 0});
}
bool Owner::idle() const {
  return !impl_->in_flight && !impl_->collecting.has_records() && impl_->block.empty() &&
         !impl_->boards->has_writes();
}
bool Owner::halted() const { return impl_->halted; }
const OwnerMetrics& Owner::metrics() const {
  impl_->counted.boards = impl_->boards->metrics();
  return impl_->counted;
}
const episode::State& Owner::state() const { return impl_->state; }
log::Head Owner::durable_head() const { return {impl_->durable_seq, impl_->durable_chain}; }

}  // namespace footlight::edge
