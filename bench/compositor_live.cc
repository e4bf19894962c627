// The compositor with four people of 640x360 at 30 pictures a second: cores used, and how old a
// part's first frame is when the part comes out of the socket. Prints one JSON object.
//
//   compositor_live SECONDS [FOLDER [ARGUMENTS of footlight-media compose]]
//
// FOLDER, unless it is "-": keeps the streams, for looking at them.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "ops/load.h"
#include "tests/scenarios/compositor_rig.h"

using namespace footlight;
using footlight::testing::CompositorRig;
using Role = proto::FeedParticipant::Role;

namespace {

void show_poll(CompositorRig& rig, uint64_t number) {
  proto::FeedSnapshot snapshot;
  snapshot.number = number;
  snapshot.scene = "The bridge over the gorge";
  snapshot.poll = proto::FeedPoll{"What does the party do?",
                                  {{"Cross the bridge", 300 + 17 * number},
                                   {"Fight the troll", 220 + 23 * number},
                                   {"Parley", 90 + 3 * number}},
                                  610 + 43 * number,
                                  0,
                                  false};
  snapshot.dice = {{"Gale", "2d6+3", "5 4", 12}};
  rig.send(snapshot);
}

}  // namespace

int main(int argc, char** argv) {
  const int seconds = argc > 1 ? std::atoi(argv[1]) : 20;
  const std::vector<std::string> arguments(argv + std::min(argc, 3), argv + argc);
  CompositorRig rig(FOOTLIGHT_MEDIA, arguments);
  const char* names[] = {"Mira", "Gale", "Tarn", "Odo the Unlikely"};
  for (uint8_t i = 0; i < 4; ++i)
    rig.seat(i, names[i], i == 0 ? Role::kGm : Role::kPlayer, i, 1, 30);
  rig.run(3 * kUsPerSecond);
  const double cpu = ops::process_cpu_s(rig.pid());
  const size_t parts = rig.streams.empty() ? 0 : rig.streams[0].parts.size();
  for (int i = 0; i < seconds; ++i) {
    rig.speak(static_cast<uint8_t>(i % 4), true);
    show_poll(rig, static_cast<uint64_t>(2 * i + 1));
    rig.run(kUsPerSecond / 2);
    show_poll(rig, static_cast<uint64_t>(2 * i + 2));
    rig.run(kUsPerSecond / 2);
    rig.speak(static_cast<uint8_t>(i % 4), false);
  }
  const double used = ops::process_cpu_s(rig.pid()) - cpu;
  if (rig.ended() || rig.streams.size() != 3) return 1;
  std::vector<double> ages;
  for (size_t i = parts; i < rig.streams[0].parts.size(); ++i) {
    const auto& part = rig.streams[0].parts[i];
    ages.push_back(static_cast<double>(part.arrived_wall_us - part.pdt_us) / 1'000);
  }
  std::ranges::sort(ages);
  const auto& last = rig.statuses.back();
  const auto at = [&](double q) {
    return ages[static_cast<size_t>(q * static_cast<double>(ages.size() - 1))];
  };
  std::printf(
      "{\"cores\":%.3f,\"parts\":%zu,\"first_frame_to_part_out_ms\":{\"p50\":%.1f,\"p99\":%.1f},"
      "\"late_frames\":%u,\"repeated_frames\":%u,\"slips\":%u,\"memory_mb\":%.1f}\n",
      used / seconds, ages.size(), at(0.5), at(0.99), last.late_frames, last.repeated_frames,
      last.slips, static_cast<double>(ops::process_memory_bytes(rig.pid())) / 1e6);
  if (argc > 2 && std::string(argv[2]) != "-") {
    for (const auto& stream : rig.streams) {
      std::ofstream out(std::string(argv[2]) + "/" + stream.about.name + ".mp4", std::ios::binary);
      out.write(reinterpret_cast<const char*>(stream.file.data()),
                static_cast<std::streamsize>(stream.file.size()));
    }
    std::ofstream out(std::string(argv[2]) + "/poster.jpg", std::ios::binary);
    out.write(reinterpret_cast<const char*>(rig.poster.data()),
              static_cast<std::streamsize>(rig.poster.size()));
  }
  return 0;
}
