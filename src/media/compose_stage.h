// What the compositor knows and makes of it: the people, the layout, the snapshot; a picture and a
// piece of sound for each tick of the program's clock. One thread; knows no sockets.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "media/compose_draw.h"
#include "media/compose_person.h"
#include "media/program_clock.h"

namespace footlight::media {

class ComposeStage {
 public:
  ComposeStage(int width, int height);

  void set_people(const proto::FeedParticipants& people);
  void set_layout(const proto::FeedLayout& layout) { layout_ = layout; }
  void set_snapshot(proto::FeedSnapshot snapshot) { snapshot_ = std::move(snapshot); }
  // A datagram of the node: RTP or RTCP of one of the people; others are dropped and counted.
  void on_datagram(ByteView datagram, MonoUs came);
  // Decodes what came.
  void advance(MonoUs now, MonoUs start_us);
  // SSRCs of pictures for which a key frame is to be asked.
  std::vector<uint32_t> wanted_key_frames(MonoUs now);

  // The picture of `now`. The same object again when there is nothing new in it.
  std::shared_ptr<AVFrame> compose(MonoUs now, int64_t wall_ms);
  // The sound from `position` (samples since the program's start), one frame long.
  std::vector<float> mix(int64_t position, size_t samples);

  uint64_t snapshot() const { return shown_snapshot_; }  // in the picture composed last
  const proto::FeedLayout& layout() const { return layout_; }
  std::vector<proto::FeedInput> inputs(MonoUs now) const;
  uint64_t strangers() const { return strangers_; }

 private:
  struct Stream {
    Person* person = nullptr;
    bool voice = false;
  };
  std::shared_ptr<AVFrame> make_canvas();

  int width_, height_;
  Artist artist_;
  std::map<uint8_t, std::unique_ptr<Person>> people_;
  std::unordered_map<uint32_t, Stream> streams_;
  proto::FeedLayout layout_;
  proto::FeedSnapshot snapshot_;
  uint64_t shown_snapshot_ = 0;
  Spotlight spotlight_;
  Limiter limiter_;
  std::optional<int64_t> mixed_;
  uint64_t strangers_ = 0;
  std::vector<std::shared_ptr<AVFrame>> canvases_;
};

}  // namespace footlight::media
