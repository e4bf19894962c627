#include "hls/stream.h"

#include <algorithm>

namespace footlight::hls {
namespace {

constexpr size_t kMaxRenditions = 8;

bool all_of(std::string_view text, size_t most, std::string_view others, bool capitals) {
  if (text.empty() || text.size() > most) return false;
  return std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (capitals && c >= 'A' && c <= 'Z') ||
           others.find(c) != std::string_view::npos;
  });
}

Status check_rendition(const Rendition& one) {
  const auto wrong = [&](std::string_view what) {
    return fail(Code::kFeedHello, "rendition " + one.id + ": " + std::string(what));
  };
  if (!is_rendition_id(one.id)) return fail(Code::kFeedHello, "a rendition's id");
  if (!all_of(one.codecs, 64, ".", true)) return wrong("codecs");
  if (one.timescale < 1 || one.timescale > 10'000'000) return wrong("timescale");
  if (one.bandwidth_bps < 1 || one.average_bps > one.bandwidth_bps) return wrong("bandwidth");
  if (!one.language.empty() && !all_of(one.language, 35, "-", true)) return wrong("language");
  if (one.kind == Kind::kAudio) {
    return one.channels >= 1 && one.channels <= 64 ? Status() : wrong("channels");
  }
  if (one.width < 1 || one.width > 16'384 || one.height < 1 || one.height > 16'384) {
    return wrong("size");
  }
  if (one.frame_rate_milli < 1 || one.frame_rate_milli > 1'000'000) return wrong("frame rate");
  return {};
}

}  // namespace

bool is_rendition_id(std::string_view text) { return all_of(text, 32, "-", false); }
bool is_epoch(std::string_view text) { return all_of(text, 32, "", false); }

Status check_hello(const Hello& hello) {
  if (!is_epoch(hello.epoch)) return fail(Code::kFeedHello, "epoch");
  if (hello.renditions.empty() || hello.renditions.size() > kMaxRenditions) {
    return fail(Code::kFeedHello, "number of renditions");
  }
  if (hello.part_target_us < 100'000 || hello.part_target_us > 2'000'000) {
    return fail(Code::kFeedHello, "part target");
  }
  if (hello.parts_per_segment < 1 || hello.parts_per_segment > 32) {
    return fail(Code::kFeedHello, "parts per segment");
  }
  size_t audio = 0;
  for (size_t i = 0; i < hello.renditions.size(); ++i) {
    const Rendition& one = hello.renditions[i];
    if (auto status = check_rendition(one); !status) return status;
    audio += one.kind == Kind::kAudio ? 1 : 0;
    for (size_t j = 0; j < i; ++j) {
      if (hello.renditions[j].id == one.id) return fail(Code::kFeedHello, "two are " + one.id);
    }
  }
  if (audio > 1) return fail(Code::kFeedHello, "more than one audio rendition");
  return {};
}

Status check_cue(const Cue& cue) {
  constexpr std::string_view kMarks = "._:-";
  if (!all_of(cue.id, 64, kMarks, true)) return fail(Code::kFeedHello, "a cue's id");
  if (!cue.key.empty() && !all_of(cue.key, 64, kMarks, true)) {
    return fail(Code::kFeedHello, "a cue's key");
  }
  if (!all_of(cue.kind, 32, "-", false)) return fail(Code::kFeedHello, "a cue's kind");
  if (cue.at_ms < 0) return fail(Code::kFeedHello, "a cue's time");
  if (cue.payload.size() > 4096) return fail(Code::kFeedTooLarge, "cue " + cue.id);
  return {};
}

int64_t ticks_to_us(uint64_t ticks, uint32_t timescale) {
  const uint64_t seconds = ticks / timescale;
  const uint64_t rest = ticks % timescale;
  return static_cast<int64_t>(seconds * 1'000'000 + rest * 1'000'000 / timescale);
}

uint64_t us_to_ticks(int64_t us, uint32_t timescale) {
  const auto seconds = static_cast<uint64_t>(us / 1'000'000);
  const auto rest = static_cast<uint64_t>(us % 1'000'000);
  return seconds * timescale + rest * timescale / 1'000'000;
}

}  // namespace footlight::hls
