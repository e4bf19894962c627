#include "hls/address.h"

#include <charconv>

#include "hls/stream.h"

namespace footlight::hls {
namespace {

// A number as it is written in an address: digits without a leading zero.
template <class T>
bool parse_number(std::string_view text, T& out) {
  if (text.empty() || text.size() > 18 || (text.size() > 1 && text[0] == '0')) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

bool strip(std::string_view& text, std::string_view before, std::string_view after) {
  if (text.size() < before.size() + after.size() || !text.starts_with(before) ||
      !text.ends_with(after)) {
    return false;
  }
  text.remove_prefix(before.size());
  text.remove_suffix(after.size());
  return true;
}

bool parse_file(std::string_view file, Request& out) {
  if (file == "vod.m3u8") {
    out.what = What::kVod;
    return true;
  }
  if (strip(file, "init-", ".mp4")) {
    out.what = What::kInit;
    return parse_number(file, out.number);
  }
  if (!strip(file, "s", ".m4s")) return false;
  const size_t dot = file.find(".p");
  out.what = dot == std::string_view::npos ? What::kSegment : What::kPart;
  if (!parse_number(file.substr(0, dot), out.number)) return false;
  return out.what == What::kSegment || parse_number(file.substr(dot + 2), out.part);
}

bool parse_path(std::string_view path, Request& out) {
  if (path == "index.m3u8") return out.what = What::kIndex, true;
  if (path == "manifest.mpd") return out.what = What::kManifest, true;
  if (path == "poster.jpg") return out.what = What::kPoster, true;
  if (path == "thumbs.vtt") return out.what = What::kThumbs, true;
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return false;
  out.epoch = path.substr(0, slash);
  if (!is_epoch(out.epoch)) return false;
  path.remove_prefix(slash + 1);
  const size_t second = path.find('/');
  if (second == std::string_view::npos) {
    if (path.ends_with(".jpg")) {
      out.what = What::kThumb;
      return strip(path, "t", ".jpg") && parse_number(path, out.number);
    }
    out.what = What::kPlaylist;
    if (!strip(path, "", ".m3u8")) return false;
    out.rendition = path;
    return is_rendition_id(path);
  }
  out.rendition = path.substr(0, second);
  return is_rendition_id(out.rendition) && parse_file(path.substr(second + 1), out);
}

Status parse_directives(std::string_view query, Request& out) {
  bool skip_seen = false;
  while (!query.empty()) {
    std::string_view item = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), item.size() + 1));
    const size_t equals = item.find('=');
    const std::string_view name = item.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
    bool holds = true;
    if (name == "_HLS_msn") {
      uint64_t number = 0;
      holds = !out.wait_msn && parse_number(value, number);
      out.wait_msn = number;
    } else if (name == "_HLS_part") {
      uint32_t number = 0;
      holds = !out.wait_part && parse_number(value, number);
      out.wait_part = number;
    } else if (name == "_HLS_skip") {
      holds = !skip_seen && (value == "YES" || value == "v2");
      skip_seen = out.skip = true;
    }
    if (!holds) return fail(Code::kProgramDirective, std::string(name));
  }
  if (out.wait_part && !out.wait_msn) {
    return fail(Code::kProgramDirective, "_HLS_part without _HLS_msn");
  }
  return {};
}

}  // namespace

Result<Request> parse_request(std::string_view path, std::string_view query) {
  Request out;
  if (!parse_path(path, out)) return fail(Code::kProgramUnknown);
  if (out.what == What::kPlaylist) {
    if (auto status = parse_directives(query, out); !status) {
      return std::unexpected(status.error());
    }
  }
  return out;
}

std::string init_name(uint32_t number) { return "init-" + std::to_string(number) + ".mp4"; }
std::string thumb_name(uint64_t number) { return "t" + std::to_string(number) + ".jpg"; }
std::string segment_name(uint64_t msn) { return "s" + std::to_string(msn) + ".m4s"; }
std::string part_name(uint64_t msn, uint32_t part) {
  return "s" + std::to_string(msn) + ".p" + std::to_string(part) + ".m4s";
}

}  // namespace footlight::hls
