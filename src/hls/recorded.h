// A recording that was finished in an earlier life of the process: all its files lie in the store,
// and requests are answered from there. `recording.json`, written last, says that it is whole.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "hls/address.h"
#include "hls/shelf.h"
#include "hls/stream.h"

namespace footlight::hls {

inline constexpr std::string_view kRecordingFile = "recording.json";

struct Recorded {
  struct Track {
    std::string id;
    Kind kind = Kind::kVideo;
  };
  std::string epoch;
  std::vector<Track> tracks;
};

std::string recorded_json(const Hello& hello);
// kFeedHello: it is none.
Result<Recorded> parse_recorded(std::string_view json);
// A stored resource whose file may be missing, or kProgramUnknown, kProgramGone (parts). Playlists
// and the manifest are to be packed for who takes it.
Reply recorded_reply(const Recorded& recorded, const Request& request);

}  // namespace footlight::hls
