// The addresses of a program below /v1/program/{episode}/, and the delivery directives of a
// playlist request (RFC 8216bis 6.2.5).
//
//   index.m3u8                        multivariant playlist; the one stable address
//   manifest.mpd                      MPEG-DASH over the same segments
//   poster.jpg
//   thumbs.vtt                        after the end: which small picture belongs to which time
//   {epoch}/t{n}.jpg                  a small picture
//   {epoch}/{rendition}.m3u8          live media playlist
//   {epoch}/{rendition}/vod.m3u8      the whole recording, once the stream has ended
//   {epoch}/{rendition}/init-{n}.mp4  n: how many discontinuities came before
//   {epoch}/{rendition}/s{msn}.m4s    a segment
//   {epoch}/{rendition}/s{msn}.p{part}.m4s
//
// Each thing has one spelling (no leading zeros, no other letters), so that no cache can be filled
// with copies; a query is read on playlists alone and there only _HLS_msn, _HLS_part, _HLS_skip.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace footlight::hls {

enum class What : uint8_t {
  kIndex,
  kManifest,
  kPoster,
  kThumbs,
  kThumb,
  kPlaylist,
  kVod,
  kInit,
  kSegment,
  kPart
};

struct Request {
  What what = What::kIndex;
  std::string_view epoch, rendition;  // views of the path; "" where the address has none
  uint64_t number = 0;                // the segment's msn, or the n of init or small picture
  uint32_t part = 0;
  std::optional<uint64_t> wait_msn;  // playlists: answer when this is in it
  std::optional<uint32_t> wait_part;
  bool skip = false;  // a delta update will do
  bool gzip = false;  // the client takes it; set by the caller
};

// `path` is what follows the episode, without a slash before it. kProgramUnknown for an address
// that is none, kProgramDirective for broken or repeated directives, or a part without its msn.
Result<Request> parse_request(std::string_view path, std::string_view query);

std::string init_name(uint32_t number);              // "init-0.mp4"
std::string segment_name(uint64_t msn);              // "s12.m4s"
std::string thumb_name(uint64_t number);             // "t3.jpg"
std::string part_name(uint64_t msn, uint32_t part);  // "s12.p1.m4s"

}  // namespace footlight::hls
