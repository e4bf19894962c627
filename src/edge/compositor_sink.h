// Where the parts of an episode's program go: what the node's side of the compositor
// (edge/compositor.h) calls, and an origin implements.
//
// The order is: on_hello, an on_init for each rendition, then on_part and the others as they come.
// When the compositor ends unasked, on_discontinuity tells why; after a while a new one begins with
// on_hello: its numbers (msn, tfdt, frames) start at 0 again, its renditions are the same unless
// the configuration was changed in between. on_end is the last call.
//
// Parts come in order within a rendition. Renditions may be ahead of each other by the parts their
// encoders work at. After dropped parts msn jumps; a segment may then lack parts.
//
// Called on the thread of the node's media. Views are valid during the call only.
#pragma once
#include <optional>

#include "core/result.h"
#include "core/time.h"
#include "proto/program_feed.h"

namespace footlight::edge {

class ProgramSink {
 public:
  virtual ~ProgramSink() = default;
  virtual void on_hello(const proto::FeedHello& hello) = 0;
  virtual void on_init(const proto::FeedInit& init) = 0;
  virtual void on_part(const proto::FeedPart& part) = 0;
  // `snapshot`: what it shows; nullptr when that was too long ago to be known.
  virtual void on_cue_shown(const proto::FeedCueShown& cue,
                            const proto::FeedSnapshot* snapshot) = 0;
  virtual void on_status(const proto::FeedStatus& status) = 0;
  virtual void on_poster(const proto::FeedPoster& poster) = 0;
  virtual void on_discontinuity(const Error& why) = 0;
  // kOk: the episode is over, or its program was switched off.
  virtual void on_end(const Error& why) = 0;
  // What comes is refused, again and again: the compositor should be started anew. Told once.
  virtual std::optional<Error> wrong() { return std::nullopt; }
};

}  // namespace footlight::edge
