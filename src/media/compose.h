// The compositor: takes the cast's RTP from the node, mixes one picture and one sound, encodes the
// ladder and hands the parts back (proto/program_feed.h). A process of its own, one per episode, so
// that nothing that happens in a decoder or encoder touches the call.
//
// The program's clock drives everything: at each tick a frame is composed from whatever is there,
// so an input that is late, frozen or gone changes the picture and never its pace.
//
// Threads: the loop (sockets, decoding, drawing, mixing), one for each rung, one for the sound.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "media/compose_encode.h"

namespace footlight::media {

struct ComposeOptions {
  std::string socket;
  EncodeOptions encode;
  int poster_s = 10;  // a poster so often; 0: none
  int thumb_s = 5;    // a small picture for the recording's time line; 0: none
};

// "compose" and what follows. kUsage names what is wrong.
Result<ComposeOptions> read_compose_options(const std::vector<std::string>& arguments);
inline constexpr const char* kComposeUsage =
    "footlight-media compose --socket PATH|fd:N [--rung WxH@KBPS ...] [--fps N] "
    "[--encoder NAME] [--preset NAME] [--sound-kbps N]";

// What the loop takes for the time: the system's, but in tests. Called on the loop's thread.
struct ComposeClocks {
  std::function<MonoUs()> mono_us;   // runs as real time does, apart from jumps ahead
  std::function<int64_t()> wall_us;  // Unix time
  static ComposeClocks system();
};

// Until the node says stop or closes the socket. kCompositorSetup; kCompositorEnded: the node is
// gone, or the dates of this run cannot be kept true (program_clock.h), which the node is told.
Status compose(const ComposeOptions& options,
               const ComposeClocks& clocks = ComposeClocks::system());

}  // namespace footlight::media
