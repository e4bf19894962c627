#include "edge/program.h"

#include <algorithm>

#include "edge/internal/metrics_page.h"

namespace footlight::edge {
namespace {

constexpr MonoUs kBeforeUs = 30 * kUsPerSecond;  // players of an old epoch find its end
constexpr MonoUs kTellUs = kUsPerSecond / 2;
constexpr size_t kEpochsKnown = 1'000;

}  // namespace

Program::Program(std::string episode, const hls::Limits& limits, size_t shards, size_t home,
                 Post post, const Clock& clock, hls::SegmentStore* store)
    : episode_(std::move(episode)),
      limits_(limits),
      home_(home),
      post_(std::move(post)),
      clock_(clock),
      store_(store) {
  for (size_t i = 0; i < shards; ++i) stations_.push_back(std::make_unique<Station>());
}

Program::~Program() = default;

// --- the home shard's thread

template <class Call>
Status Program::with_origin(Call call) {
  if (!origin_) return fail(Code::kProgramOff, "no hello came");
  Status status = call(*origin_);
  publish();
  return status;
}

Status Program::hello(hls::Hello hello) {
  if (auto status = hls::check_hello(hello); !status) return status;
  if (std::ranges::find(epochs_, hello.epoch) != epochs_.end()) {
    return fail(Code::kFeedOrder, "epoch " + hello.epoch + " was used before");
  }
  if (epochs_.size() >= kEpochsKnown) epochs_.erase(epochs_.begin());
  epochs_.push_back(hello.epoch);
  end();
  origin_ = std::make_unique<hls::Origin>(hello, limits_, store_);
  live_ = true;
  for (size_t i = 0; i < stations_.size(); ++i) {
    at(i, [this, i, hello] { begin_station(*stations_[i], hello); });
  }
  for (ProgramTap* tap : taps_) tap->begin(hello);
  publish();
  return {};
}

Status Program::init(uint32_t rendition, Blob bytes) {
  return with_origin([&](hls::Origin& to) { return to.on_init(rendition, std::move(bytes)); });
}
Status Program::part(hls::PartUnit unit) {
  return with_origin([&](hls::Origin& to) { return to.on_part(std::move(unit)); });
}
Status Program::cue(hls::Cue cue) {
  return with_origin([&](hls::Origin& to) { return to.on_cue(std::move(cue)); });
}
Status Program::discontinuity() {
  return with_origin([](hls::Origin& to) { return to.on_discontinuity(); });
}
Status Program::poster(Blob jpeg) {
  return with_origin([&](hls::Origin& to) { return to.on_poster(std::move(jpeg)); });
}

Status Program::thumb(WallMs at_ms, Blob jpeg) {
  return with_origin([&](hls::Origin& to) { return to.on_thumb(at_ms, std::move(jpeg)); });
}

void Program::end() {
  if (!origin_) return;
  origin_->on_end();
  live_ = false;
  publish();
}

void Program::at(size_t shard, Job job) {
  if (shard == home_) return job();
  post_(shard, std::move(job));
}

void Program::publish() {
  told_.store(std::make_shared<const hls::OriginCounters>(origin_->counters()));
  const auto changes = origin_->take_changes();
  if (!changes) return;
  const MonoUs came_us = clock_.now_us();
  // The others first: whoever waits there need not wait for those who are answered here.
  for (size_t i = 0; i < stations_.size(); ++i) {
    if (i == home_) continue;
    post_(i, [this, i, changes, came_us] { put_up(*stations_[i], *changes, came_us); });
  }
  put_up(*stations_[home_], *changes, came_us);
  for (ProgramTap* tap : taps_) tap->take(*changes);
}

// --- a shard's thread

void Program::add(hls::ShelfCounters& sum, const hls::ShelfCounters& more) {
  sum.requests += more.requests;
  sum.bytes += more.bytes;
  sum.waited += more.waited;
  sum.refused += more.refused;
  sum.timed_out += more.timed_out;
  sum.waiting += more.waiting;
}

void Program::begin_station(Station& station, const hls::Hello& hello) {
  if (station.before) add(station.gone, station.before->counters());
  station.before = std::move(station.now);
  station.before_until_us = station.before ? clock_.now_us() + kBeforeUs : kNever;
  station.now = std::make_unique<hls::Shelf>(hello, limits_);
}

void Program::put_up(Station& station, const hls::Changes& changes, MonoUs came_us) {
  if (!station.now) return;
  const bool wakes = station.now->counters().waiting > 0;
  station.now->put_up(changes);
  const MonoUs now_us = clock_.now_us();
  if (wakes) station.wake_us.record(static_cast<uint64_t>(now_us - came_us));
  if (now_us - station.told_us < kTellUs) return;
  station.told_us = now_us;
  tell(station);
}

void Program::tell(Station& station) {
  auto told = std::make_shared<Station::Told>();
  told->counters = station.gone;
  if (station.now) add(told->counters, station.now->counters());
  if (station.before) add(told->counters, station.before->counters());
  told->wake_us = station.wake_us;
  station.told.store(std::move(told));
}

void Program::get(size_t shard, const hls::Request& request, hls::Shelf::Done done,
                  hls::Shelf::Asker asker) {
  Station& station = *stations_[shard];
  hls::Shelf* shelf = station.now.get();
  const bool old = station.before && !request.epoch.empty() &&
                   request.epoch == station.before->epoch() && request.epoch != shelf->epoch();
  if (old) shelf = station.before.get();
  if (recorded_ && !old && (!shelf || request.epoch == recorded_->epoch)) {
    return done(hls::recorded_reply(*recorded_, request));
  }
  if (!shelf) {
    hls::Reply reply;
    reply.status = 404;
    reply.error = {Code::kProgramOff, "", 0};
    reply.cache_control = "public, max-age=1";
    return done(std::move(reply));
  }
  if (auto reply = shelf->get(request)) return done(std::move(*reply));
  shelf->wait(request, clock_.now_us(), std::move(done), std::move(asker));
}

uint64_t Program::waiting(size_t shard) const {
  const Station& station = *stations_[shard];
  return (station.now ? station.now->counters().waiting : 0) +
         (station.before ? station.before->counters().waiting : 0);
}

MonoUs Program::on_time(size_t shard, MonoUs now_us) {
  Station& station = *stations_[shard];
  MonoUs due_us = kNever;
  if (station.now) due_us = station.now->on_time(now_us);
  if (!station.before) return due_us;
  if (now_us >= station.before_until_us) {
    add(station.gone, station.before->counters());
    station.gone.waiting = 0;
    station.before.reset();
    return due_us;
  }
  return std::min({due_us, station.before->on_time(now_us), station.before_until_us});
}

void Program::drop(size_t shard) {
  stations_[shard]->now.reset();
  stations_[shard]->before.reset();
}

// --- any thread

void Program::stored(uint32_t rendition, uint64_t msn) {
  post_(home_, [this, rendition, msn] {
    if (!origin_) return;
    origin_->on_stored(rendition, msn);
    publish();
  });
}

Program::Presence Program::presence() const {
  const auto told = told_.load();
  return {told != nullptr ? told->listed : recorded_.has_value(), live_};
}

ProgramMetrics Program::metrics() const {
  ProgramMetrics out;
  out.episode = episode_;
  out.live = live_;
  if (const auto told = told_.load()) out.origin = *told;
  for (const auto& station : stations_) {
    const auto told = station->told.load();
    if (!told) continue;
    add(out.shelves, told->counters);
    out.wake_us.merge(told->wake_us);
  }
  return out;
}

std::string program_metrics(const std::vector<ProgramMetrics>& programs) {
  MetricsPage page;
  // Of all episodes together: there may be many, and the API tells of each.
  const auto each = [&](std::string_view name, std::string_view type, std::string_view help,
                        auto value) {
    page.head(name, type, help);
    uint64_t sum = 0;
    for (const ProgramMetrics& one : programs) sum += value(one);
    page.line(name, "", sum);
  };
  using M = ProgramMetrics;
  each("footlight_program_streams", "gauge", "Program streams that run.",
       [](const M& m) { return uint64_t{m.live}; });
  each("footlight_program_requests_total", "counter", "Requests for playlists and media.",
       [](const M& m) { return m.shelves.requests; });
  each("footlight_program_response_bytes_total", "counter", "Bodies of what was answered.",
       [](const M& m) { return m.shelves.bytes; });
  each("footlight_program_waiting_requests", "gauge", "Requests that wait for the next part.",
       [](const M& m) { return m.shelves.waiting; });
  each("footlight_program_waited_requests_total", "counter", "Requests that had to wait.",
       [](const M& m) { return m.shelves.waited; });
  each("footlight_program_refused_requests_total", "counter", "Requests that were refused.",
       [](const M& m) { return m.shelves.refused; });
  each("footlight_program_late_requests_total", "counter", "Requests that waited in vain.",
       [](const M& m) { return m.shelves.timed_out; });
  each("footlight_program_parts_total", "counter", "Parts taken from the packager.",
       [](const M& m) { return m.origin.parts; });
  each("footlight_program_gap_parts_total", "counter", "Parts that are missing in the stream.",
       [](const M& m) { return m.origin.gaps; });
  each("footlight_program_playlist_versions_total", "counter", "Playlists rendered.",
       [](const M& m) { return m.origin.versions; });
  each("footlight_program_discontinuities_total", "counter", "Restarts of the encoder.",
       [](const M& m) { return m.origin.discontinuities; });
  each("footlight_program_cues_total", "counter", "Cues taken.",
       [](const M& m) { return m.origin.cues; });
  each("footlight_program_memory_bytes", "gauge", "Parts in memory.",
       [](const M& m) { return m.origin.memory_bytes; });
  page.head("footlight_program_refused_units_total", "counter", "Units refused, by code.");
  std::map<Code, uint64_t> refused;
  Histogram wake_us;
  for (const M& one : programs) {
    for (const auto& [code, count] : one.origin.refused) refused[code] += count;
    wake_us.merge(one.wake_us);
  }
  for (const auto& [code, count] : refused) {
    page.line("footlight_program_refused_units_total",
              "code=\"" + std::to_string(static_cast<int>(code)) + "\"", count);
  }
  page.head("footlight_program_wake_seconds", "histogram",
            "From a part's arrival to the last waiting request answered, per thread.");
  page.histogram("footlight_program_wake_seconds", "", wake_us, 1);
  return page.take();
}

}  // namespace footlight::edge
