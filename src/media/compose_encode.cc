#include "media/compose_encode.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

extern "C" {
#include <libavutil/opt.h>
}

namespace footlight::media {
namespace {

constexpr int kBlock = 1'024;  // samples of AAC's frame

// RFC 6381: the profile's three bytes, from the avcC record or the SPS of extradata.
std::string avc_codec(const AVCodecContext& codec) {
  const uint8_t* bytes = codec.extradata;
  const int size = codec.extradata_size;
  for (int i = 0; i + 7 < size; ++i) {
    const bool sps =
        bytes[i] == 0 && bytes[i + 1] == 0 && bytes[i + 2] == 1 && (bytes[i + 3] & 31) == 7;
    if (!sps) continue;
    char text[16];
    std::snprintf(text, sizeof text, "avc1.%02x%02x%02x", bytes[i + 4], bytes[i + 5], bytes[i + 6]);
    return text;
  }
  return "avc1.64001f";
}

// Sound frames of the first `parts` parts. When AAC's frames do not fit parts evenly, a part has
// one more or less.
int64_t blocks_until(const Cadence& cadence, int64_t parts) {
  return (parts * cadence.frames_per_part * 48'000'000 / cadence.fps_milli) / kBlock;
}

void set_x264(AVCodecContext& codec, const EncodeOptions& options) {
  av_opt_set(codec.priv_data, "preset", options.preset.c_str(), 0);
  av_opt_set(codec.priv_data, "profile", "high", 0);
  av_opt_set(codec.priv_data, "forced-idr", "1", 0);
  // No look-ahead: a frame comes out when it goes in. Key frames only where they are asked for.
  av_opt_set(
      codec.priv_data, "x264-params",
      "scenecut=0:rc-lookahead=0:sync-lookahead=0:bframes=0:sliced-threads=0:keyint=infinite", 0);
}

}  // namespace

Result<std::unique_ptr<Rung>> Rung::open(const EncodeOptions& options, size_t index,
                                         OnChunk on_chunk) {
  std::unique_ptr<Rung> rung(new Rung());
  rung->cadence_ = options.cadence;
  rung->options_ = options.rungs[index];
  rung->index_ = static_cast<uint8_t>(index);
  rung->on_chunk_ = std::move(on_chunk);
  const AVCodec* encoder = avcodec_find_encoder_by_name(options.encoder.c_str());
  if (!encoder) return fail(Code::kCompositorSetup, options.encoder + " is not there");
  rung->codec_.reset(avcodec_alloc_context3(encoder));
  AVCodecContext& codec = *rung->codec_;
  codec.width = rung->options_.width;
  codec.height = rung->options_.height;
  codec.pix_fmt = AV_PIX_FMT_YUV420P;
  codec.time_base = {1'000, static_cast<int>(options.cadence.fps_milli)};
  codec.framerate = {static_cast<int>(options.cadence.fps_milli), 1'000};
  codec.bit_rate = codec.rc_max_rate = int64_t{rung->options_.kbps} * 1'000;
  codec.rc_buffer_size = static_cast<int>(codec.bit_rate / 2);
  codec.gop_size = static_cast<int>(options.cadence.frames_per_segment());
  codec.max_b_frames = 0;
  codec.thread_count = 1;
  codec.flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP;
  codec.color_range = AVCOL_RANGE_MPEG;
  codec.colorspace = AVCOL_SPC_SMPTE170M;
  codec.color_primaries = AVCOL_PRI_SMPTE170M;
  codec.color_trc = AVCOL_TRC_SMPTE170M;
  codec.sample_aspect_ratio = {1, 1};
  if (options.encoder == "libx264") {
    codec.bit_rate = 0;
    set_x264(codec, options);
  }
  if (avcodec_open2(&codec, encoder, nullptr) < 0) {
    return fail(Code::kCompositorSetup, options.encoder + " does not take " +
                                            std::to_string(codec.width) + "x" +
                                            std::to_string(codec.height));
  }
  auto chunks = ChunkWriter::open(codec, options.cadence.fps_milli);
  if (!chunks) return std::unexpected(chunks.error());
  rung->chunks_ = std::move(*chunks);
  rung->lane_ = std::make_unique<Lane<Job>>([raw = rung.get()](Job& job) { raw->encode(job); });
  return rung;
}

proto::FeedRendition Rung::rendition() const {
  proto::FeedRendition out;
  out.name = "v" + std::to_string(options_.height);
  out.kind = proto::FeedMedia::kVideo;
  out.codec = avc_codec(*codec_);
  out.bandwidth_bps =
      static_cast<uint32_t>(codec_->rc_max_rate * 5 / 4);  // a segment and its buffer
  out.timescale = cadence_.fps_milli;
  out.width = static_cast<uint16_t>(options_.width);
  out.height = static_cast<uint16_t>(options_.height);
  out.fps_milli = cadence_.fps_milli;
  return out;
}

// The canvas itself is shared with the other rungs: never written to.
AVFrame* Rung::scaled(AVFrame& canvas) {
  if (canvas.width == options_.width && canvas.height == options_.height) {
    av_frame_unref(work_.get());
    return av_frame_ref(work_.get(), &canvas) < 0 ? nullptr : work_.get();
  }
  scaler_.reset(sws_getCachedContext(
      scaler_.release(), canvas.width, canvas.height, AV_PIX_FMT_YUV420P, options_.width,
      options_.height, AV_PIX_FMT_YUV420P, SWS_FAST_BILINEAR, nullptr, nullptr, nullptr));
  // A new buffer when the encoder still holds the last one.
  if (!small_ || !av_frame_is_writable(small_.get())) {
    small_ = make_picture(options_.width, options_.height);
  }
  if (!scaler_ || !small_) return nullptr;
  sws_scale(scaler_.get(), canvas.data, canvas.linesize, 0, canvas.height, small_->data,
            small_->linesize);
  return small_.get();
}

void Rung::encode(Job& job) {
  if (job.number % cadence_.frames_per_part == 0) part_wall_.push_back(job.wall_us);
  if (job.canvas) submit(job);
  const bool ends_part = (job.number + 1) % cadence_.frames_per_part == 0;
  if (ends_part && !spans_.empty() && spans_.back().end == 0) spans_.back().end = job.number + 1;
  while (!packets_.empty() && spans_.front().end > 0) {
    write(*packets_.front(), spans_.front());
    packets_.pop_front();
    spans_.pop_front();
  }
}

void Rung::submit(const Job& job) {
  AVFrame* frame = scaled(*job.canvas);
  if (!frame) return;
  frame->pts = job.number;
  const bool begins = job.number % cadence_.frames_per_segment() == 0;
  frame->pict_type = begins ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
  frame->key_frame = begins ? 1 : 0;
  if (avcodec_send_frame(codec_.get(), frame) < 0) return;
  if (!spans_.empty() && spans_.back().end == 0) spans_.back().end = job.number;
  spans_.push_back({job.number, 0});
  while (avcodec_receive_packet(codec_.get(), packet_.get()) == 0) {
    packets_.emplace_back(av_packet_alloc());
    av_packet_move_ref(packets_.back().get(), packet_.get());
  }
}

// Pictures come out in the order they went in: there are no B-frames.
void Rung::write(AVPacket& packet, const Span& span) {
  const int64_t in_part = span.begin % cadence_.frames_per_part;
  if (in_part == 0) independent_ = (packet.flags & AV_PKT_FLAG_KEY) != 0;
  packet.pts = packet.dts = span.begin * 1'000;
  packet.duration = (span.end - span.begin) * 1'000;
  chunks_->add(packet);
  if (span.end % cadence_.frames_per_part != 0) return;
  Chunk chunk;
  chunk.rendition = index_;
  chunk.number = static_cast<uint64_t>(span.end / cadence_.frames_per_part - 1);
  chunk.independent = independent_;
  chunk.tfdt = static_cast<uint64_t>(span.end - cadence_.frames_per_part) * 1'000;
  chunk.duration = cadence_.frames_per_part * 1'000;
  chunk.pdt_us = part_wall_.front();
  part_wall_.pop_front();
  chunk.bytes = chunks_->finish();
  on_chunk_(std::move(chunk));
}

Result<std::unique_ptr<Sound>> Sound::open(const EncodeOptions& options, OnChunk on_chunk) {
  std::unique_ptr<Sound> sound(new Sound());
  sound->cadence_ = options.cadence;
  sound->kbps_ = options.sound_kbps;
  sound->index_ = static_cast<uint8_t>(options.rungs.size());
  sound->on_chunk_ = std::move(on_chunk);
  const AVCodec* encoder = avcodec_find_encoder(AV_CODEC_ID_AAC);
  if (!encoder) return fail(Code::kCompositorSetup, "no AAC encoder");
  sound->codec_.reset(avcodec_alloc_context3(encoder));
  AVCodecContext& codec = *sound->codec_;
  codec.sample_fmt = AV_SAMPLE_FMT_FLTP;
  codec.sample_rate = kSampleRate;
  codec.time_base = {1, kSampleRate};
  av_channel_layout_default(&codec.ch_layout, static_cast<int>(kChannels));
  codec.bit_rate = int64_t{options.sound_kbps} * 1'000;
  codec.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  av_opt_set(codec.priv_data, "aac_coder", "fast", 0);
  if (avcodec_open2(&codec, encoder, nullptr) < 0 || codec.frame_size != kBlock) {
    return fail(Code::kCompositorSetup, "the AAC encoder");
  }
  sound->block_.reset(av_frame_alloc());
  sound->block_->format = AV_SAMPLE_FMT_FLTP;
  sound->block_->sample_rate = kSampleRate;
  sound->block_->nb_samples = kBlock;
  av_channel_layout_copy(&sound->block_->ch_layout, &codec.ch_layout);
  if (av_frame_get_buffer(sound->block_.get(), 0) < 0) {
    return fail(Code::kCompositorSetup, "memory");
  }
  auto chunks = ChunkWriter::open(codec, kSampleRate);
  if (!chunks) return std::unexpected(chunks.error());
  sound->chunks_ = std::move(*chunks);
  sound->lane_ = std::make_unique<Lane<Job>>([raw = sound.get()](Job& job) { raw->encode(job); });
  return sound;
}

proto::FeedRendition Sound::rendition() const {
  proto::FeedRendition out;
  out.name = "audio";
  out.kind = proto::FeedMedia::kAudio;
  out.codec = "mp4a.40.2";
  out.bandwidth_bps = static_cast<uint32_t>(kbps_) * 1'100;
  out.timescale = kSampleRate;
  out.channels = kChannels;
  out.sample_rate = kSampleRate;
  return out;
}

void Sound::encode(Job& job) {
  if (job.number % cadence_.frames_per_part == 0) part_wall_.push_back(job.wall_us);
  const size_t frames = job.samples.size() / kChannels;
  for (size_t i = 0; i < frames; ++i) {
    if (filled_ == 0 && av_frame_make_writable(block_.get()) < 0) return;
    for (size_t channel = 0; channel < kChannels; ++channel) {
      reinterpret_cast<float*>(block_->data[channel])[filled_] =
          job.samples[i * kChannels + channel];
    }
    if (++filled_ == kBlock) encode_block();
  }
}

// The encoder's first frame is its priming, 1,024 samples before the first that went in: it is left
// out, and what follows then begins at zero without an edit list.
void Sound::encode_block() {
  filled_ = 0;
  block_->pts = blocks_in_++ * kBlock;
  avcodec_send_frame(codec_.get(), block_.get());
  while (avcodec_receive_packet(codec_.get(), packet_.get()) == 0) {
    const int64_t number = blocks_out_++ - 1;
    if (number < 0) {
      av_packet_unref(packet_.get());
      continue;
    }
    packet_->pts = packet_->dts = number * kBlock;
    packet_->duration = kBlock;
    chunks_->add(*packet_);
    av_packet_unref(packet_.get());
    int64_t part = number * kBlock * cadence_.fps_milli / 48'000'000 / cadence_.frames_per_part;
    while (blocks_until(cadence_, part + 1) <= number) ++part;
    if (number + 1 != blocks_until(cadence_, part + 1)) continue;
    Chunk chunk;
    chunk.rendition = index_;
    chunk.number = static_cast<uint64_t>(part);
    chunk.independent = true;
    const int64_t first = blocks_until(cadence_, part);
    chunk.tfdt = static_cast<uint64_t>(first * kBlock);
    chunk.duration = static_cast<uint32_t>((number + 1 - first) * kBlock);
    chunk.pdt_us = part_wall_.front();
    part_wall_.pop_front();
    chunk.bytes = chunks_->finish();
    on_chunk_(std::move(chunk));
  }
}

Bytes make_poster(const AVFrame& canvas, int width) {
  const int height = width * canvas.height / canvas.width & ~1;
  const AVCodec* encoder = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
  if (!encoder) return {};
  AvCodec codec(avcodec_alloc_context3(encoder));
  codec->width = width;
  codec->height = height;
  codec->pix_fmt = AV_PIX_FMT_YUVJ420P;
  codec->time_base = {1, 25};
  codec->flags |= AV_CODEC_FLAG_QSCALE;
  codec->global_quality = 5 * FF_QP2LAMBDA;
  codec->thread_count = 1;
  if (avcodec_open2(codec.get(), encoder, nullptr) < 0) return {};
  AvFrame small = make_picture(width, height);
  if (!small) return {};
  small->format = AV_PIX_FMT_YUVJ420P;
  small->color_range = AVCOL_RANGE_JPEG;
  small->quality = codec->global_quality;
  const AvScaler scaler(sws_getContext(canvas.width, canvas.height, AV_PIX_FMT_YUV420P, width,
                                       height, AV_PIX_FMT_YUVJ420P, SWS_AREA, nullptr, nullptr,
                                       nullptr));
  if (!scaler) return {};
  sws_scale(scaler.get(), canvas.data, canvas.linesize, 0, canvas.height, small->data,
            small->linesize);
  const AvPacket packet(av_packet_alloc());
  if (avcodec_send_frame(codec.get(), small.get()) < 0 ||
      avcodec_receive_packet(codec.get(), packet.get()) < 0) {
    return {};
  }
  return Bytes(packet->data, packet->data + packet->size);
}

}  // namespace footlight::media
