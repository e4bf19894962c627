#include "media/compose_person.h"

#include <opus/opus.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace footlight::media {
namespace {

using proto::FeedCodec;

constexpr MonoUs kTickSlackUs = 8 * kUsPerMs;  // a picture may be shown so much before it is due
constexpr int kMostSamples = 5'760;            // 120 ms of Opus

AVCodecID av_codec_of(FeedCodec codec) {
  switch (codec) {
    case FeedCodec::kVp8:
      return AV_CODEC_ID_VP8;
    case FeedCodec::kVp9:
      return AV_CODEC_ID_VP9;
    case FeedCodec::kH264:
      return AV_CODEC_ID_H264;
    case FeedCodec::kAv1:
      return AV_CODEC_ID_AV1;
    default:
      return AV_CODEC_ID_NONE;
  }
}

rtc::RtpCodec rtp_codec_of(FeedCodec codec) {
  switch (codec) {
    case FeedCodec::kVp9:
      return rtc::RtpCodec::kVp9;
    case FeedCodec::kH264:
      return rtc::RtpCodec::kH264;
    case FeedCodec::kAv1:
      return rtc::RtpCodec::kAv1;
    default:
      return rtc::RtpCodec::kVp8;
  }
}

}  // namespace

void Person::OpusFree::operator()(OpusDecoder* decoder) const { opus_decoder_destroy(decoder); }

Person::Person(const proto::FeedParticipant& about) : about_(about) {
  open_voice();
  open_picture();
}

Person::~Person() = default;

void Person::renew(const proto::FeedParticipant& about) {
  const bool voice = !(about.audio == about_.audio), picture = !(about.video == about_.video);
  about_ = about;
  if (voice) open_voice();
  if (picture) open_picture();
}

void Person::open_voice() {
  voice_order_ = {};
  voice_sequence_.reset();
  voice_.clear();
  clock_.set_rate(PlayoutClock::kVoice, about_.audio.clock_rate);
  clock_.reset(PlayoutClock::kVoice);
  opus_.reset();
  if (about_.audio.codec != FeedCodec::kOpus) return;
  int error = 0;
  opus_.reset(opus_decoder_create(kSampleRate, static_cast<int>(kChannels), &error));
}

void Person::open_picture() {
  picture_order_ = {};
  builder_.reset();
  pictures_.clear();
  decoder_.reset();
  shown_.reset();
  needs_key_ = true;
  asked_at_ = 0;
  clock_.set_rate(PlayoutClock::kPicture, about_.video.clock_rate);
  clock_.reset(PlayoutClock::kPicture);
  const AVCodec* codec = avcodec_find_decoder(av_codec_of(about_.video.codec));
  if (!codec) return;
  decoder_.reset(avcodec_alloc_context3(codec));
  decoder_->thread_count = 1;
  decoder_->flags |= AV_CODEC_FLAG_LOW_DELAY;
  if (avcodec_open2(decoder_.get(), codec, nullptr) < 0) decoder_.reset();
}

void Person::on_rtp(bool voice, ByteView packet, MonoUs now) {
  rtc::RtpView view;
  if (!rtc::parse_rtp(packet, view)) return;
  const auto& track = voice ? about_.audio : about_.video;
  if (view.payload_type != track.payload_type || view.payload_bytes == 0) return;
  clock_.on_packet(voice ? PlayoutClock::kVoice : PlayoutClock::kPicture, view.timestamp, now);
  (voice ? voice_order_ : picture_order_).push(packet, now);
}

void Person::on_report(bool voice, const rtc::SenderInfo& info) {
  clock_.on_report(voice ? PlayoutClock::kVoice : PlayoutClock::kPicture, info);
}

void Person::advance(MonoUs now, MonoUs start_us) {
  advance_voice(now, start_us);
  advance_picture(now);
}

void Person::advance_voice(MonoUs now, MonoUs start_us) {
  while (const auto packet = voice_order_.pop(now)) {
    rtc::RtpView view;
    if (opus_ && rtc::parse_rtp(packet->bytes, view)) decode_voice(*packet, view, start_us);
  }
}

void Person::decode_voice(const LiveOrder::Packet& packet, const rtc::RtpView& view,
                          MonoUs start_us) {
  std::array<float, kMostSamples * kChannels> samples;
  const ByteView payload = view.payload();
  const auto size = static_cast<int>(payload.size());
  const int64_t at_us = clock_.due(PlayoutClock::kVoice, view.timestamp) - start_us;
  // What it claims to be of another hour is not heard.
  const bool sane = std::abs(clock_.due(PlayoutClock::kVoice, view.timestamp) - packet.arrived_us) <
                    10 * kUsPerSecond;
  const int64_t position = sane ? at_us * kSampleRate / kUsPerSecond : 0;
  const auto put = [&](int64_t where, int count) {
    if (count <= 0) return;
    voice_.put(where, {samples.data(), static_cast<size_t>(count) * kChannels});
  };
  // What is missing is made up: the last of it from what this packet tells of it (RFC 6716, FEC).
  const int64_t missing = voice_sequence_ ? packet.sequence - *voice_sequence_ - 1 : 0;
  for (int64_t left = sane ? std::min<int64_t>(missing, 5) : 0; left > 0; --left) {
    const bool last = left == 1;
    const int made =
        opus_decode_float(opus_.get(), last ? payload.data() : nullptr, last ? size : 0,
                          samples.data(), voice_samples_, last ? 1 : 0);
    put(position - left * voice_samples_, made);
  }
  voice_sequence_ = packet.sequence;
  const int made =
      opus_decode_float(opus_.get(), payload.data(), size, samples.data(), kMostSamples, 0);
  if (made <= 0) return;
  voice_samples_ = made;
  if (sane) put(position, made);
}

void Person::advance_picture(MonoUs now) {
  while (const auto packet = picture_order_.pop(now)) {
    rtc::RtpView view;
    if (!decoder_ || !rtc::parse_rtp(packet->bytes, view)) continue;
    if (!builder_) {
      sfu::RecordHeader header;
      header.codec = rtp_codec_of(about_.video.codec);
      header.clock_rate = about_.video.clock_rate;
      builder_ = std::make_unique<FrameBuilder>(header, view.timestamp);
    }
    const uint64_t dropped = builder_->counts().dropped;
    builder_->push({packet->sequence, static_cast<uint64_t>(packet->arrived_us), view});
    if (builder_->counts().dropped != dropped) needs_key_ = true;
    while (const auto frame = builder_->next()) decode_picture(*frame);
  }
}

void Person::decode_picture(const Frame& frame) {
  if (needs_key_ && !frame.key) return;
  if (av_new_packet(packet_.get(), static_cast<int>(frame.bytes.size())) < 0) return;
  std::memcpy(packet_->data, frame.bytes.data(), frame.bytes.size());
  packet_->pts = frame.timestamp;
  if (frame.key) packet_->flags |= AV_PKT_FLAG_KEY;
  const int sent = avcodec_send_packet(decoder_.get(), packet_.get());
  av_packet_unref(packet_.get());
  if (sent < 0) {
    needs_key_ = true;
    return;
  }
  needs_key_ = false;
  while (true) {
    AvFrame picture(av_frame_alloc());
    if (avcodec_receive_frame(decoder_.get(), picture.get()) < 0) return;
    const auto timestamp = static_cast<uint32_t>(picture->pts);
    if (pictures_.size() == kMaxPictures) pictures_.pop_front();
    const MonoUs due = clock_.due(PlayoutClock::kPicture, timestamp);
    const auto came = static_cast<MonoUs>(frame.arrived_us);
    const MonoUs latest = came + PlayoutClock::kMostUs;  // a clock of its own does not freeze it
    pictures_.push_back({std::min(due, latest), std::move(picture)});
  }
}

bool Person::wants_key_frame(MonoUs now) {
  if (!decoder_ || !needs_key_ || now - asked_at_ < kAskUs) return false;
  asked_at_ = now;
  return true;
}

bool Person::pick(MonoUs now) {
  while (!pictures_.empty() && pictures_.front().due <= now + kTickSlackUs) {
    shown_ = std::move(pictures_.front().frame);
    pictures_.pop_front();
    fresh_ = true;
    picked_at_ = now;
    ++shown_count_;
  }
  return shown_ && now - picked_at_ < kFrozenUs;
}

void Person::scale(int width, int height, bool whole) {
  const bool fits =
      scaled_ && scaled_->width == width && scaled_->height == height && scaled_whole_ == whole;
  if (fits && !fresh_) return;
  if (!fits) {
    scaled_ = make_picture(width, height);
    if (!scaled_) return;
    scaled_whole_ = whole;
    for (int plane = 0; plane < 3; ++plane) {
      const int rows = plane == 0 ? height : height / 2;
      std::memset(scaled_->data[plane], plane == 0 ? 16 : 128,
                  static_cast<size_t>(scaled_->linesize[plane]) * static_cast<size_t>(rows));
    }
  }
  fresh_ = false;
  AvFrame source(av_frame_clone(shown_.get()));
  if (!source) return;
  int w = width, h = height;
  const int64_t across = int64_t{source->width} * height, down = int64_t{source->height} * width;
  if (whole) {
    if (across > down) h = static_cast<int>(int64_t{width} * source->height / source->width) & ~1;
    if (across < down) w = static_cast<int>(int64_t{height} * source->width / source->height) & ~1;
    if (w < 2 || h < 2) return;
  } else if (across > down) {
    source->crop_left = source->crop_right =
        static_cast<size_t>((source->width - down / height) / 2) & ~size_t{1};
  } else {
    source->crop_top = source->crop_bottom =
        static_cast<size_t>((source->height - across / width) / 2) & ~size_t{1};
  }
  if (av_frame_apply_cropping(source.get(), AV_FRAME_CROP_UNALIGNED) < 0) return;
  scaler_.reset(sws_getCachedContext(
      scaler_.release(), source->width, source->height, static_cast<AVPixelFormat>(source->format),
      w, h, AV_PIX_FMT_YUV420P, SWS_FAST_BILINEAR, nullptr, nullptr, nullptr));
  if (!scaler_) return;
  const int x = ((width - w) / 2) & ~1, y = ((height - h) / 2) & ~1;
  std::array<uint8_t*, 4> to{};
  for (int plane = 0; plane < 3; ++plane) {
    const int shift = plane == 0 ? 0 : 1;
    to[static_cast<size_t>(plane)] =
        scaled_->data[plane] + (y >> shift) * scaled_->linesize[plane] + (x >> shift);
  }
  sws_scale(scaler_.get(), source->data, source->linesize, 0, source->height, to.data(),
            scaled_->linesize);
}

void Person::paint(AVFrame& canvas, const Rect& rect, bool whole) {
  if (!shown_ || rect.empty()) return;
  scale(rect.w, rect.h, whole);
  if (!scaled_) return;
  for (int plane = 0; plane < 3; ++plane) {
    const int shift = plane == 0 ? 0 : 1;
    uint8_t* to =
        canvas.data[plane] + (rect.y >> shift) * canvas.linesize[plane] + (rect.x >> shift);
    for (int row = 0; row < rect.h >> shift; ++row) {
      std::memcpy(to + row * canvas.linesize[plane],
                  scaled_->data[plane] + row * scaled_->linesize[plane],
                  static_cast<size_t>(rect.w >> shift));
    }
  }
}

proto::FeedInput Person::input(MonoUs now) const {
  proto::FeedInput out;
  out.slot = about_.slot;
  out.frames = shown_count_;
  out.lost = static_cast<uint32_t>(voice_order_.lost() + picture_order_.lost());
  if (shown_count_ == 0) return out;
  out.state = now - picked_at_ >= kFrozenUs     ? proto::FeedInput::State::kFrozen
              : clock_.delay() > 300 * kUsPerMs ? proto::FeedInput::State::kLate
                                                : proto::FeedInput::State::kLive;
  return out;
}

}  // namespace footlight::media
