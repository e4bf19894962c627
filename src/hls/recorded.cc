#include "hls/recorded.h"

#include <algorithm>

#include "core/json.h"

namespace footlight::hls {
namespace {

struct Place {
  std::string name;
  std::string_view type;
  bool forever = false;
  bool packs = false;  // a text that is worth it
};

Place place_of(const Recorded& recorded, const Request& request, Kind kind) {
  const std::string folder = recorded.epoch + "/";
  const std::string track = folder + std::string(request.rendition);
  const std::string_view media = kind == Kind::kVideo ? "video/mp4" : "audio/mp4";
  constexpr std::string_view kList = "application/vnd.apple.mpegurl";
  switch (request.what) {
    case What::kIndex:
      return {"index.m3u8", kList, false, true};
    case What::kManifest:
      return {"manifest.mpd", "application/dash+xml", false, true};
    case What::kPoster:
      return {"poster.jpg", "image/jpeg"};
    case What::kThumbs:
      return {"thumbs.vtt", "text/vtt"};
    case What::kThumb:
      return {folder + thumb_name(request.number), "image/jpeg", true};
    case What::kPlaylist:
      return {track + ".m3u8", kList, false, true};
    case What::kVod:
      return {track + "/vod.m3u8", kList, false, true};
    case What::kInit:
      return {track + "/" + init_name(static_cast<uint32_t>(request.number)), media, true};
    case What::kSegment:
      return {track + "/" + segment_name(request.number), media, true};
    case What::kPart:
      break;
  }
  return {};
}

Reply nothing(Code code) {
  Reply reply;
  reply.status = 404;
  reply.error = {code, "", 0};
  reply.cache_control = kEnded;
  return reply;
}

}  // namespace

std::string recorded_json(const Hello& hello) {
  std::string out;
  JsonWriter json(out);
  json.object().field("v", int64_t{1}).field("epoch", std::string_view(hello.epoch));
  json.key("renditions").array();
  for (const Rendition& each : hello.renditions) {
    json.object().field("id", std::string_view(each.id));
    json.field("kind", std::string_view(each.kind == Kind::kVideo ? "video" : "audio"));
    json.end_object();
  }
  json.end_array().end_object();
  return out;
}

Result<Recorded> parse_recorded(std::string_view text) {
  const auto json = Json::parse(text);
  if (!json || (*json)["v"].as_int() != 1) return fail(Code::kFeedHello, "recording.json");
  Recorded out;
  out.epoch = (*json)["epoch"].as_string();
  for (const Json& each : (*json)["renditions"].items()) {
    const Kind kind = each["kind"].as_string() == "audio" ? Kind::kAudio : Kind::kVideo;
    out.tracks.push_back({each["id"].as_string(), kind});
    if (!is_rendition_id(out.tracks.back().id)) return fail(Code::kFeedHello, "recording.json");
  }
  if (!is_epoch(out.epoch) || out.tracks.empty()) return fail(Code::kFeedHello, "recording.json");
  return out;
}

Reply recorded_reply(const Recorded& recorded, const Request& request) {
  if (!request.epoch.empty() && request.epoch != recorded.epoch) {
    return nothing(Code::kProgramUnknown);
  }
  const auto track = std::ranges::find(recorded.tracks, request.rendition, &Recorded::Track::id);
  if (!request.rendition.empty() && track == recorded.tracks.end()) {
    return nothing(Code::kProgramUnknown);
  }
  const Kind kind = track == recorded.tracks.end() ? Kind::kVideo : track->kind;
  const Place place = place_of(recorded, request, kind);
  if (place.name.empty()) return nothing(Code::kProgramGone);
  auto made = std::make_shared<Resource>();
  made->stored = true;
  made->store_name = place.name;
  // A later recording of the episode has other files of the same names.
  made->packed = place.packs && request.gzip;
  made->etag = "\"" + recorded.epoch + "." + place.name + (made->packed ? "z\"" : "\"");
  made->head_lines = "Content-Type: " + std::string(place.type) + "\r\nETag: " + made->etag +
                     "\r\nAccess-Control-Allow-Origin: *\r\n";
  if (made->packed) made->head_lines += "Content-Encoding: gzip\r\n";
  made->head_lines += place.packs ? "Vary: Accept-Encoding\r\n" : "Accept-Ranges: bytes\r\n";
  Reply reply;
  reply.resource = std::move(made);
  reply.cache_control = place.forever ? kForever : kEnded;
  return reply;
}

}  // namespace footlight::hls
