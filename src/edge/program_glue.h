// From the compositor to the origin: an episode's parts, on the media's thread, become a program
// stream on its home shard.
//
// A cue goes with the first part of each segment: the wall time of its picture, signed
// (gate/cue.h), by which viewers tell how far behind they are. What the picture shows of a poll and
// of dice goes with the first frame that shows it, absolute and with the snapshot's number.
//
// A stream that has refused so much in a row that its compositor is of no use says so by wrong().
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <string>

#include "core/time.h"
#include "edge/compositor_sink.h"
#include "edge/program.h"

namespace footlight::edge {

struct ProgramGlueOptions {
  std::string episode;
  std::array<uint8_t, 32> key{};  // the episode's voter key: signs the cues
  const Clock* clock = nullptr;   // outlives it
  // Runs a job on the home shard; any thread, never inline.
  std::function<void(std::move_only_function<void(Program&)>)> post;
};

// On the media's thread.
std::unique_ptr<ProgramSink> make_program_glue(ProgramGlueOptions options);

// The cue's payload: {"snapshot":7,"poll":null|{"id","title","counts":[..],"voters","opened_ms",
// "closes_ms","closed"},"dice":[{"who","expr","faces","total"}]}, at most 4,096 bytes.
std::string snapshot_json(const proto::FeedSnapshot& snapshot);

}  // namespace footlight::edge
