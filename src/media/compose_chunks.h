// CMAF by libavformat: an initialization section, then one chunk (moof and mdat) for each part,
// with the decode times that were given.
#pragma once
#include <memory>

#include "core/bytes.h"
#include "core/result.h"
#include "media/compose_av.h"

struct AVFormatContext;

namespace footlight::media {

class ChunkWriter {
 public:
  // `ticks`: per second, of all times. The context gives codec and extradata. kCompositorSetup.
  static Result<std::unique_ptr<ChunkWriter>> open(const AVCodecContext& codec, uint32_t ticks);
  ~ChunkWriter();
  const Bytes& init() const { return init_; }
  // Adds a frame; takes the packet's contents. False: it was refused, and the chunk lacks it.
  bool add(AVPacket& packet);
  // The chunk of what was added since the last one; empty when nothing was, or the writer failed.
  Bytes finish();

 private:
  ChunkWriter() = default;
  static int write(void* self, uint8_t* bytes, int size);
  AVFormatContext* format_ = nullptr;
  Bytes bytes_, init_;
};

}  // namespace footlight::media
