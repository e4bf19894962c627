#include "media/mux.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

namespace footlight::media {
namespace {

constexpr int kChannels = 2, kSampleRate = 48'000;
constexpr int kSeekPreroll = 3'840;  // 80 ms, as RFC 7845 advises
constexpr AVRational kMicroseconds{1, 1'000'000};

AVCodecID codec_id(rtc::RtpCodec codec) {
  switch (codec) {
    case rtc::RtpCodec::kVp8:
      return AV_CODEC_ID_VP8;
    case rtc::RtpCodec::kVp9:
      return AV_CODEC_ID_VP9;
    case rtc::RtpCodec::kH264:
      return AV_CODEC_ID_H264;
    case rtc::RtpCodec::kAv1:
      return AV_CODEC_ID_AV1;
    default:
      return AV_CODEC_ID_OPUS;
  }
}

std::string text_of(int error) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(error, text, sizeof text);
  return text;
}

struct FreeContext {
  void operator()(AVFormatContext* context) const {
    if (context->pb) avio_closep(&context->pb);
    avformat_free_context(context);
  }
};
struct FreePacket {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
struct FreeFrame {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};
struct FreeDecoder {
  void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
};
struct FreeParameters {
  void operator()(AVCodecParameters* parameters) const { avcodec_parameters_free(&parameters); }
};
using Packet = std::unique_ptr<AVPacket, FreePacket>;

bool fill(AVPacket* packet, const Frame& frame) {
  if (av_new_packet(packet, static_cast<int>(frame.bytes.size())) < 0) return false;
  std::memcpy(packet->data, frame.bytes.data(), frame.bytes.size());
  if (frame.key) packet->flags |= AV_PKT_FLAG_KEY;
  return true;
}

// What a picture is like is what its decoder makes of a key frame: size, pixels, colors, profile.
// False: it cannot be decoded, it is encrypted or torn.
bool describe(rtc::RtpCodec codec, const Frame& key, AVCodecParameters& into) {
  const AVCodec* decoder = avcodec_find_decoder(codec_id(codec));
  if (!decoder) return false;
  std::unique_ptr<AVCodecContext, FreeDecoder> context(avcodec_alloc_context3(decoder));
  context->thread_count = 1;
  Packet packet(av_packet_alloc());
  std::unique_ptr<AVFrame, FreeFrame> picture(av_frame_alloc());
  if (avcodec_open2(context.get(), decoder, nullptr) < 0 || !fill(packet.get(), key)) return false;
  if (avcodec_send_packet(context.get(), packet.get()) < 0) return false;
  avcodec_send_packet(context.get(), nullptr);
  if (avcodec_receive_frame(context.get(), picture.get()) < 0) return false;
  into.width = picture->width;
  into.height = picture->height;
  into.format = picture->format;
  into.color_range = picture->color_range;
  into.color_primaries = picture->color_primaries;
  into.color_trc = picture->color_trc;
  into.color_space = picture->colorspace;
  into.profile = context->profile;
  into.level = context->level;
  return true;
}

void put_extra(AVCodecParameters& into, ByteView bytes) {
  into.extradata = static_cast<uint8_t*>(av_mallocz(bytes.size() + AV_INPUT_BUFFER_PADDING_SIZE));
  if (!into.extradata) return;
  std::memcpy(into.extradata, bytes.data(), bytes.size());
  into.extradata_size = static_cast<int>(bytes.size());
}

// Identification header (RFC 7845 section 5.1). No pre-skip: what was sent is what is played.
Bytes opus_head() {
  Bytes out;
  for (const char c : std::string_view("OpusHead")) out.push_back(static_cast<uint8_t>(c));
  ByteWriter writer(out);
  writer.u8(1);
  writer.u8(kChannels);
  writer.u16(0);
  writer.u32(kSampleRate);
  writer.u16(0);
  writer.u8(0);
  return out;
}

// What a decoder must have before the first frame: H264's parameter sets, AV1's sequence header.
// Muxers take both out of a key frame's own bytes.
Bytes parameters_of(rtc::RtpCodec codec, const Frame& key) {
  if (codec == rtc::RtpCodec::kH264) {
    Bytes out;
    for (size_t i = 0; i + 4 < key.bytes.size(); ++i) {
      const uint8_t* at = &key.bytes[i];
      if (at[0] || at[1] || at[2] || at[3] != 1) continue;
      size_t end = i + 4;
      constexpr uint8_t kCode[] = {0, 0, 0, 1};
      while (end < key.bytes.size() &&
             (end + 4 > key.bytes.size() || !std::equal(kCode, kCode + 4, &key.bytes[end]))) {
        ++end;
      }
      const uint8_t type = at[4] & 0x1F;
      if (type == 7 || type == 8) out.insert(out.end(), at, key.bytes.data() + end);
      i = end - 1;
    }
    return out;
  }
  if (codec == rtc::RtpCodec::kAv1) {
    return key.bytes.size() > 2 ? Bytes(key.bytes.begin() + 2, key.bytes.end()) : Bytes();
  }
  return {};
}

// A stream on its way into the file: its next frame waits.
struct Lane {
  TakeStream* from = nullptr;
  AVStream* to = nullptr;
  std::optional<Frame> next;
  int64_t time_us = 0;
  int64_t last = INT64_MIN;  // in the file's units

  void advance() {
    next = from->next();
    if (next) time_us = from->time_of(*next);
  }
};

class Muxer {
 public:
  explicit Muxer(std::string path) : path_(std::move(path)) {}
  ~Muxer() {
    if (!opened_ || finished_) return;
    context_.reset();
    std::remove(path_.c_str());
  }
  Status begin(const std::vector<TakeStream*>& streams);
  Status write_all();
  MuxResult result;

 private:
  Status add(TakeStream& stream);
  Status write(Lane& lane);

  std::string path_;
  std::unique_ptr<AVFormatContext, FreeContext> context_;
  std::vector<Lane> lanes_;
  bool opened_ = false, finished_ = false;
};

Status Muxer::add(TakeStream& stream) {
  const sfu::RecordHeader& header = stream.header();
  Lane lane{&stream, nullptr, {}, 0, INT64_MIN};
  lane.advance();
  const std::string name = header.name + (header.audio() ? ", voice" : ", picture");
  if (!lane.next) {
    result.left_out.push_back(name + ": no whole frame");
    return {};
  }
  std::unique_ptr<AVCodecParameters, FreeParameters> looks(avcodec_parameters_alloc());
  if (!header.audio() && !describe(header.codec, *lane.next, *looks)) {
    result.left_out.push_back(name + ": its pictures cannot be decoded; are they encrypted?");
    return {};
  }
  lane.to = avformat_new_stream(context_.get(), nullptr);
  if (!lane.to) return fail(Code::kInternal, "memory");
  AVCodecParameters& parameters = *lane.to->codecpar;
  avcodec_parameters_copy(&parameters, looks.get());
  parameters.codec_id = codec_id(header.codec);
  parameters.codec_type = header.audio() ? AVMEDIA_TYPE_AUDIO : AVMEDIA_TYPE_VIDEO;
  if (header.audio()) {
    parameters.sample_rate = kSampleRate;
    av_channel_layout_default(&parameters.ch_layout, kChannels);
    parameters.seek_preroll = kSeekPreroll;
    put_extra(parameters, opus_head());
  } else {
    const Bytes extra = parameters_of(header.codec, *lane.next);
    if (!extra.empty()) put_extra(parameters, extra);
  }
  if (avformat_query_codec(context_->oformat, parameters.codec_id, FF_COMPLIANCE_NORMAL) == 0) {
    return fail(Code::kMediaExport, path_ + " cannot hold " +
                                        std::string(sfu::record_codec_name(header.codec)) +
                                        "; take .mkv");
  }
  lane.to->time_base = kMicroseconds;
  std::string title = header.name;
  if (!header.label.empty()) title += " (" + header.label + ")";
  av_dict_set(&lane.to->metadata, "title", title.c_str(), 0);
  lanes_.push_back(std::move(lane));
  return {};
}

Status Muxer::begin(const std::vector<TakeStream*>& streams) {
  AVFormatContext* made = nullptr;
  const int error = avformat_alloc_output_context2(&made, nullptr, nullptr, path_.c_str());
  if (error < 0) return fail(Code::kMediaExport, path_ + ": " + text_of(error));
  context_.reset(made);
  for (TakeStream* stream : streams) {
    if (auto status = add(*stream); !status) return status;
  }
  if (lanes_.empty()) {
    const std::string why = result.left_out.empty() ? "" : result.left_out.front();
    return fail(Code::kMediaExport, why);
  }
  const sfu::RecordHeader& about = streams.front()->header();
  av_dict_set(&context_->metadata, "title", about.episode.c_str(), 0);
  const std::string began = std::to_string(about.began_ms * 1000);
  av_dict_set(&context_->metadata, "creation_time", began.c_str(), 0);
  context_->avoid_negative_ts = AVFMT_AVOID_NEG_TS_MAKE_NON_NEGATIVE;
  if (const int opened = avio_open(&context_->pb, path_.c_str(), AVIO_FLAG_WRITE); opened < 0) {
    return fail(Code::kIo, path_ + ": " + text_of(opened));
  }
  opened_ = true;
  if (const int written = avformat_write_header(context_.get(), nullptr); written < 0) {
    return fail(Code::kMediaExport, path_ + ": " + text_of(written));
  }
  return {};
}

Status Muxer::write(Lane& lane) {
  const AVRational base = lane.to->time_base;
  int64_t at = av_rescale_q(lane.time_us, kMicroseconds, base);
  // Time goes on in a file, however a sender's clock was set.
  if (lane.last != INT64_MIN) at = std::max(at, lane.last + 1);
  lane.last = at;
  Packet packet(av_packet_alloc());
  if (!packet || !fill(packet.get(), *lane.next)) return fail(Code::kInternal, "memory");
  packet->pts = packet->dts = at;
  packet->stream_index = lane.to->index;
  if (result.frames++ == 0) result.first_us = lane.time_us;
  result.first_us = std::min(result.first_us, lane.time_us);
  result.last_us = std::max(result.last_us, lane.time_us);
  result.bytes += lane.next->bytes.size();
  const int error = av_interleaved_write_frame(context_.get(), packet.get());
  if (error < 0) return fail(Code::kIo, path_ + ": " + text_of(error));
  return {};
}

// Frame by frame, the earliest first.
Status Muxer::write_all() {
  for (;;) {
    Lane* first = nullptr;
    for (Lane& lane : lanes_) {
      if (lane.next && (!first || lane.time_us < first->time_us)) first = &lane;
    }
    if (!first) break;
    if (auto status = write(*first); !status) return status;
    first->advance();
  }
  if (const int error = av_write_trailer(context_.get()); error < 0) {
    return fail(Code::kIo, path_ + ": " + text_of(error));
  }
  if (const int error = avio_closep(&context_->pb); error < 0) {
    return fail(Code::kIo, path_ + ": " + text_of(error));
  }
  finished_ = true;
  return {};
}

}  // namespace

std::string fitting_suffix(const std::vector<TakeStream*>& streams) {
  const bool webm = std::ranges::none_of(
      streams, [](const auto* each) { return each->header().codec == rtc::RtpCodec::kH264; });
  return webm ? ".webm" : ".mkv";
}

Result<MuxResult> mux(const std::vector<TakeStream*>& streams, const std::string& path) {
  av_log_set_level(AV_LOG_ERROR);
  Muxer muxer(path);
  if (auto status = muxer.begin(streams); !status) return std::unexpected(status.error());
  if (auto status = muxer.write_all(); !status) return std::unexpected(status.error());
  return std::move(muxer.result);
}

}  // namespace footlight::media
