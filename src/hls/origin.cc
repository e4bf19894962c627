#include "hls/origin.h"

#include <algorithm>

#include "core/assert.h"
#include "hls/address.h"
#include "hls/internal/origin_impl.h"

namespace footlight::hls {
namespace {

constexpr size_t kMaxPosterBytes = 1 << 20;
constexpr uint32_t kStuckAfter = 32;  // units refused in a row

uint32_t video_bits(const Hello& hello) {
  uint32_t bits = 0;
  for (size_t i = 0; i < hello.renditions.size(); ++i) {
    if (hello.renditions[i].kind == Kind::kVideo) bits |= 1u << i;
  }
  return bits;
}

}  // namespace

Origin::Impl::Impl(Hello hello_in, const Limits& limits_in, SegmentStore* store_in)
    : hello(std::move(hello_in)),
      limits(limits_in),
      store(store_in),
      times(times_of(hello)),
      periods(1),
      cues(limits, video_bits(hello)) {
  FL_ASSERT(check_hello(hello).has_value(), "the hello was checked");
  for (const Rendition& one : hello.renditions) tracks.emplace_back().info = one;
}

Origin::Origin(Hello hello, const Limits& limits, SegmentStore* store)
    : impl_(std::make_unique<Impl>(std::move(hello), limits, store)) {}
Origin::~Origin() = default;

Status Origin::on_init(uint32_t rendition, Blob bytes) {
  return impl_->on_init(rendition, std::move(bytes));
}
Status Origin::on_part(PartUnit unit) { return impl_->on_part(std::move(unit)); }
Status Origin::on_discontinuity() { return impl_->on_discontinuity(); }

Status Origin::on_cue(Cue cue) {
  Impl& impl = *impl_;
  if (impl.ended) return impl.refuse(nullptr, Code::kFeedEnded, "");
  Status status = check_cue(cue);
  if (status) status = impl.cues.add(std::move(cue));
  if (!status) return impl.refuse(nullptr, status.error().code, status.error().detail);
  ++impl.counters.cues;
  return {};
}

Status Origin::on_poster(Blob jpeg) {
  Impl& impl = *impl_;
  if (jpeg->size() > kMaxPosterBytes) return impl.refuse(nullptr, Code::kFeedTooLarge, "poster");
  impl.poster = jpeg;
  Change change;
  change.what = Change::Do::kPoster;
  change.resource = impl.picture(std::move(jpeg), "j" + std::to_string(impl.poster_version++));
  impl.change(std::move(change));
  return {};
}

Status Origin::on_thumb(WallMs at_ms, Blob jpeg) {
  Impl& impl = *impl_;
  if (impl.ended) return impl.refuse(nullptr, Code::kFeedEnded, "");
  if (jpeg->size() > Thumbs::kMostBytes) return impl.refuse(nullptr, Code::kFeedTooLarge, "thumb");
  std::vector<uint64_t> gone;
  const uint64_t number = impl.thumbs.add(at_ms * 1000, gone);
  for (const uint64_t each : gone) {
    Change change;
    change.what = Change::Do::kThumb;
    change.number = each;
    impl.change(std::move(change));
  }
  if (impl.keeps_stored()) {
    impl.store->put(impl.hello.epoch + "/" + thumb_name(number), UINT32_MAX, UINT64_MAX,
                    Chain(jpeg));
  }
  Change change;
  change.what = Change::Do::kThumb;
  change.number = number;
  change.resource = impl.picture(std::move(jpeg), thumb_name(number));
  impl.change(std::move(change));
  return {};
}

void Origin::on_end() {
  Impl& impl = *impl_;
  if (impl.ended) return;
  impl.end_open_segments();
  impl.ended = true;
  impl.publish_end();
  if (!impl.keeps_stored()) return;
  for (uint32_t i = 0; i < impl.tracks.size(); ++i) {
    for (size_t at = 0; at < impl.tracks[i].segments.size(); ++at) {
      const SegmentState& segment = impl.tracks[i].segments[at];
      if (segment.stored && segment.bytes > 0) impl.unload(i, at);
    }
  }
}

void Origin::on_stored(uint32_t rendition, uint64_t msn) {
  Impl& impl = *impl_;
  if (rendition >= impl.tracks.size()) return;
  Track& track = impl.tracks[rendition];
  if (!track.has_parts() || msn < track.segments.front().msn) return;
  const size_t at = msn - track.segments.front().msn;
  if (at >= track.segments.size() || track.segments[at].gap) return;
  track.segments[at].stored = true;
  if (track.segments[at].bytes > 0 && (impl.ended || at < track.listed)) impl.unload(rendition, at);
}

std::shared_ptr<const Changes> Origin::take_changes() { return std::exchange(impl_->pending, {}); }

const Hello& Origin::hello() const { return impl_->hello; }
bool Origin::ended() const { return impl_->ended; }
const OriginCounters& Origin::counters() const { return impl_->counters; }

bool Origin::stuck() const {
  return std::ranges::any_of(
      impl_->tracks, [](const Track& track) { return track.refused_in_row >= kStuckAfter; });
}

}  // namespace footlight::hls
