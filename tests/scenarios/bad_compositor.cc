// A compositor that goes wrong in the way FOOTLIGHT_BAD names, for compositor_bad_test.cc: it
// greets as `footlight-media compose` does and makes some good parts first. Parts come faster than
// in life.
//
//   broken   units that are no CMAF chunk        talks   goes on telling its status, without parts
//   stops    stops itself, as a debugger would   rung    the second rung makes no more parts
//   clock    the wall clock steps by an hour and back; else it is good
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "hls/internal/test_feed.h"
#include "proto/program_feed.h"

using namespace footlight;

namespace {

constexpr int kSocket = 3;

void say(const proto::CompositorMessage& message) {
  Bytes out;
  encode(message, out);
  for (size_t at = 0; at < out.size();) {
    const ssize_t wrote = ::send(kSocket, out.data() + at, out.size() - at, MSG_NOSIGNAL);
    if (wrote <= 0) std::exit(0);
    at += static_cast<size_t>(wrote);
  }
}

void greet(const hls::Hello& about) {
  proto::FeedHello hello;
  hello.pid = static_cast<uint32_t>(::getpid());
  hello.rtp_port = 9;
  hello.part_us = about.part_target_us - 1;
  hello.parts_per_segment = static_cast<uint16_t>(about.parts_per_segment);
  for (const hls::Rendition& each : about.renditions) {
    const bool video = each.kind == hls::Kind::kVideo;
    hello.renditions.push_back(
        {each.id, video ? proto::FeedMedia::kVideo : proto::FeedMedia::kAudio, each.codecs,
         each.bandwidth_bps, each.timescale, static_cast<uint16_t>(each.width),
         static_cast<uint16_t>(each.height), each.frame_rate_milli,
         static_cast<uint8_t>(each.channels), video ? 0U : 48'000U});
  }
  say(hello);
  for (size_t i = 0; i < about.renditions.size(); ++i) {
    say(proto::FeedInit{static_cast<uint8_t>(i),
                        as_bytes(*hls::make_init(about.renditions[i].timescale))});
  }
}

}  // namespace

int main() {
  const char* said = std::getenv("FOOTLIGHT_BAD");
  const std::string bad = said ? said : "";
  const hls::Hello about = hls::make_hello();
  greet(about);
  for (uint64_t n = 0;; ++n) {
    const bool good = n < 12;
    if (!good && bad == "stops") (void)::raise(SIGSTOP);
    for (uint8_t i = 0; i < about.renditions.size(); ++i) {
      if (!good && (bad == "talks" || (bad == "rung" && i == 1))) continue;
      const hls::PartUnit unit = hls::make_part(about, i, n);
      proto::FeedPart part{i,
                           unit.msn,
                           static_cast<uint16_t>(unit.part),
                           unit.independent,
                           unit.tfdt,
                           static_cast<uint32_t>(unit.duration),
                           0,
                           {}};
      const bool stepped = bad == "clock" && n >= 12 && n < 20;
      part.pdt_us = (unit.program_date_time_ms + (stepped ? 3'600'000 : 0)) * 1'000;
      const Blob bytes = !good && bad == "broken" ? make_blob("rubbish") : unit.bytes;
      part.bytes = as_bytes(*bytes);
      say(part);
    }
    say(proto::FeedStatus{.encoder = "bad"});
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}
