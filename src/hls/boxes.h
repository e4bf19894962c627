// The few boxes of fragmented MP4 an origin reads and writes (ISO/IEC 14496-12): it checks that a
// unit is what it is said to be, and prepends timed metadata. Media samples are never looked at.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace footlight::hls {

struct InitInfo {
  uint32_t timescale = 0;  // mdhd of the one track
};
// An initialization segment: ftyp (or styp), then moov with exactly one track, and nothing that
// holds media. kFeedBroken.
Result<InitInfo> read_init(std::string_view bytes);

struct ChunkInfo {
  uint64_t tfdt = 0;                 // baseMediaDecodeTime of the one traf
  std::optional<uint64_t> duration;  // ticks, where trun or tfhd says it for each sample
  uint32_t samples = 0;
};
// A chunk: any of styp, prft, emsg, sidx, then exactly one moof with one traf, then its mdat, which
// ends the unit. kFeedBroken.
Result<ChunkInfo> read_chunk(std::string_view bytes);

struct Emsg {
  std::string_view scheme, value;
  uint32_t timescale = 0;
  uint64_t presentation_time = 0;  // ticks, in the track's time
  uint32_t duration = 0xFFFFFFFF;  // ticks; all ones: not known
  uint32_t id = 0;
  std::string_view data;
};
// Version 1 (ISO/IEC 23009-1 section 5.10.3.3.3).
void append_emsg(std::string& out, const Emsg& emsg);

// The scheme of an emsg box whose data are an ID3v2 tag.
inline constexpr std::string_view kEmsgId3 = "https://aomedia.org/emsg/ID3";
// An ID3v2.4 tag with one PRIV frame: `owner`, a zero, `data`.
std::string id3_private(std::string_view owner, std::string_view data);

}  // namespace footlight::hls
