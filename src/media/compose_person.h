// A person on the stage, as the compositor has them: their packets put in order, voice and picture
// decoded and laid on the program's clock, the picture scaled to their tile.
//
// Bounds: LiveOrder's packets, kMaxPictures decoded pictures, VoiceLine's two seconds. A picture
// that cannot be decoded costs itself and asks for a key frame, at most once in kAskUs.
#pragma once
#include <deque>
#include <memory>
#include <optional>

#include "media/compose_av.h"
#include "media/layout.h"
#include "media/playout.h"
#include "media/voices.h"
#include "proto/program_feed.h"

struct OpusDecoder;

namespace footlight::media {

class Person {
 public:
  static constexpr size_t kMaxPictures = 16;
  static constexpr MonoUs kAskUs = kUsPerSecond;
  static constexpr MonoUs kFrozenUs = 2 * kUsPerSecond;  // without a new picture: the placeholder

  explicit Person(const proto::FeedParticipant& about);
  ~Person();
  void renew(const proto::FeedParticipant& about);
  const proto::FeedParticipant& about() const { return about_; }

  void on_rtp(bool voice, ByteView packet, MonoUs now);
  void on_report(bool voice, const rtc::SenderInfo& info);
  // Decodes what is whole. `start_us`: the moment of the program's first sample.
  void advance(MonoUs now, MonoUs start_us);
  // Whether a key frame is to be asked for; answers true once per kAskUs.
  bool wants_key_frame(MonoUs now);

  // Takes the picture that is due at `now`; true when there is one that may be shown.
  bool pick(MonoUs now);
  // Scales what was picked into `rect` of the canvas, cut to its shape (`whole`: with bars).
  void paint(AVFrame& canvas, const Rect& rect, bool whole);
  VoiceLine& voice() { return voice_; }
  proto::FeedInput input(MonoUs now) const;

 private:
  struct Picture {
    MonoUs due = 0;
    AvFrame frame;
  };
  struct OpusFree {
    void operator()(OpusDecoder* decoder) const;
  };
  void open_picture();
  void open_voice();
  void advance_voice(MonoUs now, MonoUs start_us);
  void advance_picture(MonoUs now);
  void decode_voice(const LiveOrder::Packet& packet, const rtc::RtpView& view, MonoUs start_us);
  void decode_picture(const Frame& frame);
  void scale(int width, int height, bool whole);

  proto::FeedParticipant about_;
  PlayoutClock clock_;
  LiveOrder voice_order_, picture_order_;
  std::unique_ptr<OpusDecoder, OpusFree> opus_;
  std::optional<int64_t> voice_sequence_;
  int voice_samples_ = 960;
  VoiceLine voice_;

  std::unique_ptr<FrameBuilder> builder_;
  AvCodec decoder_;
  AvPacket packet_{av_packet_alloc()};
  std::deque<Picture> pictures_;
  AvFrame shown_, scaled_;
  AvScaler scaler_;
  bool scaled_whole_ = false, fresh_ = false;
  bool needs_key_ = true;
  MonoUs asked_at_ = 0, picked_at_ = 0;
  uint32_t shown_count_ = 0;
};

}  // namespace footlight::media
