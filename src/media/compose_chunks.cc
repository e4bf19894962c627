#include "media/compose_chunks.h"

#include <utility>

extern "C" {
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
}

namespace footlight::media {
namespace {

constexpr int kBufferBytes = 64 * 1024;

}  // namespace

int ChunkWriter::write(void* self, uint8_t* bytes, int size) {
  auto& out = static_cast<ChunkWriter*>(self)->bytes_;
  out.insert(out.end(), bytes, bytes + size);
  return size;
}

Result<std::unique_ptr<ChunkWriter>> ChunkWriter::open(const AVCodecContext& codec,
                                                       uint32_t ticks) {
  std::unique_ptr<ChunkWriter> writer(new ChunkWriter());
  const auto refuse = [](const char* what) { return fail(Code::kCompositorSetup, what); };
  if (avformat_alloc_output_context2(&writer->format_, nullptr, "mp4", nullptr) < 0) {
    return refuse("no MP4 writer");
  }
  AVFormatContext* format = writer->format_;
  auto* buffer = static_cast<uint8_t*>(av_malloc(kBufferBytes));
  format->pb = avio_alloc_context(buffer, kBufferBytes, 1, writer.get(), nullptr, &write, nullptr);
  format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
  AVStream* stream = avformat_new_stream(format, nullptr);
  if (!stream || avcodec_parameters_from_context(stream->codecpar, &codec) < 0) {
    return refuse("no stream");
  }
  stream->codecpar->initial_padding = 0;  // the priming frame is left out (compose_encode.cc)
  stream->time_base = {1, static_cast<int>(ticks)};
  AVDictionary* options = nullptr;
  av_dict_set(&options, "movflags", "empty_moov+default_base_moof+frag_custom+cmaf+skip_trailer",
              0);
  av_dict_set(&options, "use_editlist", "0", 0);
  const int done = avformat_write_header(format, &options);
  av_dict_free(&options);
  if (done < 0) return refuse("the MP4 header");
  if (stream->time_base.den != static_cast<int>(ticks)) return refuse("the MP4 time base");
  avio_flush(format->pb);
  writer->init_ = std::exchange(writer->bytes_, {});
  return writer;
}

ChunkWriter::~ChunkWriter() {
  if (!format_) return;
  if (format_->pb) {
    av_freep(&format_->pb->buffer);
    avio_context_free(&format_->pb);
  }
  avformat_free_context(format_);
}

bool ChunkWriter::add(AVPacket& packet) {
  packet.stream_index = 0;
  return av_write_frame(format_, &packet) >= 0;
}

Bytes ChunkWriter::finish() {
  if (av_write_frame(format_, nullptr) < 0) return {};
  avio_flush(format_->pb);
  return std::exchange(bytes_, {});
}

}  // namespace footlight::media
