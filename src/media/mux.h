// Frames into a file: WebM, Matroska or MP4 by libavformat, as they are, without decoding or
// encoding. Times are those of the recording, so files of one recording begin together when they
// are laid beside each other, whoever came later.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "media/take.h"

namespace footlight::media {

struct MuxResult {
  uint64_t frames = 0, bytes = 0;
  int64_t first_us = 0, last_us = 0;  // of the recording
  std::vector<std::string> left_out;  // streams, and why
};

// Writes the streams into `path`; its ending says the form: .webm, .mkv, .mp4. An unfinished file
// is removed. kMediaExport: the form does not hold one of the codecs, or no stream has a frame;
// kIo.
Result<MuxResult> mux(const std::vector<TakeStream*>& streams, const std::string& path);

// ".webm" where it holds all of them, else ".mkv".
std::string fitting_suffix(const std::vector<TakeStream*>& streams);

}  // namespace footlight::media
