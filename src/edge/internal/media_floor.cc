// Who takes the places where there are fewer of them than tracks: the last to have spoken.
#include <algorithm>
#include <tuple>

#include "edge/internal/media_stage.h"

namespace footlight::edge {
namespace {

bool can_decode(const rtc::NegotiatedMedia& media, const rtc::NegotiatedCodec& codec) {
  return std::ranges::any_of(media.codecs, [&](const auto& each) {
    return each.codec == codec.codec && each.format == codec.format;
  });
}

}  // namespace

// What a viewer's places of this kind are to show. Where that is not everything: what the viewer
// pinned, then by priority, and of equals what they share beside their camera, then who spoke last,
// then who came first.
std::vector<const Media::Publication*> Media::choose(Stage& stage, const Session& session,
                                                     rtc::MediaKind kind) const {
  const auto of_kind = [kind](const Session::Place& place) { return place.media.kind == kind; };
  const auto count = static_cast<size_t>(std::ranges::count_if(session.places, of_kind));
  const auto first = std::ranges::find_if(session.places, of_kind);
  std::vector<const Publication*> chosen;
  for (const Publication& each : stage.published) {
    const sfu::Track* track = stage.room.track(each.track);
    if (track && track->kind == kind && each.session->request.who != session.request.who &&
        can_decode(first->media, track->codec)) {
      chosen.push_back(&each);
    }
  }
  if (chosen.size() <= count) return chosen;
  stage.crowded = true;
  const auto claim = [&](const Publication* each) {
    const bool pinned = std::ranges::any_of(session.places, [&](const auto& place) {
      return place.wish.pinned && place.track == each->track;
    });
    const bool camera = each->session->request.label.empty();
    const size_t rank = camera ? 1 + stage.room.speakers().rank(each->session->member) : 0;
    return std::tuple(!pinned, -int{each->session->priority()}, rank);
  };
  std::ranges::stable_sort(chosen, {}, claim);
  chosen.resize(count);
  return chosen;
}

// Once somebody else speaks; as often as Speakers lets the floor be taken.
void Media::follow_floor(Stage& stage) {
  const auto active = stage.room.speakers().active();
  if (active == stage.floor) return;
  stage.floor = active;
  if (stage.crowded) arrange(stage);
}

}  // namespace footlight::edge
