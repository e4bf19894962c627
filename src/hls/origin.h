// The origin of one program stream: takes what a packager makes and publishes it as Low-Latency
// HLS (RFC 8216bis) and MPEG-DASH. It checks every unit before any of it can be seen, so that what
// is published keeps its promises whatever the feed does:
//
//   - part target, hold-backs and TARGETDURATION are those of the first playlist for ever;
//   - a rendition's media time never goes back and never has a hole that is not said (EXT-X-GAP);
//   - segment numbers are the same in every rendition and never go back;
//   - program-date-time follows the media time, whatever the wall clock does.
//
// What breaks one is refused with a numbered code and changes nothing. A unit that was refused or
// lost leaves a gap of its length, which is published when the next good unit comes.
//
// Every call leaves changes to be put up on shelves, which answer the requests (shelf.h):
//
//   Origin origin(hello, limits);           // check_hello(hello) held
//   origin.on_init(0, bytes); origin.on_part(unit); ...
//   auto changes = origin.take_changes();   // after each call; post it to each serving thread
//   shelf.put_up(*changes);
//
// One thread, the caller's; the changes are immutable and may go to any.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "core/result.h"
#include "core/time.h"
#include "hls/shelf.h"
#include "hls/stream.h"

namespace footlight::hls {

// Where whole segments go when Limits::keep_all is set: a folder of the node. The call must not
// wait; when the segment is safe, Origin::on_stored is called, and its bytes leave the memory once
// it has left the live window. A segment that is not stored when memory_bytes is reached becomes a
// gap of the recording.
class SegmentStore {
 public:
  virtual ~SegmentStore() = default;
  // `name`: an address (hls/address.h) without parts, or kRecordingFile (hls/recorded.h). `msn` is
  // UINT64_MAX for what is no segment: nobody asks whether that is safe.
  virtual void put(const std::string& name, uint32_t rendition, uint64_t msn, Chain bytes) = 0;
};

struct OriginCounters {
  uint64_t parts = 0, segments = 0, bytes = 0, gaps = 0, discontinuities = 0, cues = 0;
  uint64_t versions = 0;      // playlists rendered
  uint64_t dropped = 0;       // segments that left because of memory_bytes alone
  bool listed = false;        // the multivariant playlist is there
  uint64_t memory_bytes = 0;  // now
  std::map<Code, uint64_t> refused;
};

class Origin {
 public:
  // `hello` has been checked. `store` may be null; it outlives the origin.
  Origin(Hello hello, const Limits& limits, SegmentStore* store = nullptr);
  ~Origin();

  // kFeedRendition, kFeedBroken, kFeedTooLarge, kFeedOrder (when parts of this period are there
  // already), kFeedEnded.
  Status on_init(uint32_t rendition, Blob bytes);
  // kFeedRendition, kFeedOrder, kFeedTime, kFeedOverrun, kFeedBroken, kFeedTooLarge, kFeedEnded.
  Status on_part(PartUnit unit);
  // kFeedTooLarge, kFeedOrder (an id used before), kFeedEnded, kFeedHello (a broken field).
  Status on_cue(Cue cue);
  // The encoder begins anew: a fresh init for each rendition follows, then parts; their numbers
  // and times may begin anywhere. kFeedEnded.
  Status on_discontinuity();
  Status on_poster(Blob jpeg);  // kFeedTooLarge beyond 1 MiB
  // A small picture of what is shown at `at_ms`; for the recording's time line. kFeedTooLarge
  // beyond 64 KiB, kFeedEnded.
  Status on_thumb(WallMs at_ms, Blob jpeg);
  // No more comes. From now on the multivariant playlist leads to the recording.
  void on_end();
  // A segment that was given to the store is safe there.
  void on_stored(uint32_t rendition, uint64_t msn);

  // What the calls since the last take_changes() did; null for nothing.
  std::shared_ptr<const Changes> take_changes();
  const Hello& hello() const;
  bool ended() const;
  const OriginCounters& counters() const;
  // Whether a rendition refused so many units one after another that the encoder should be
  // restarted.
  bool stuck() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace footlight::hls
