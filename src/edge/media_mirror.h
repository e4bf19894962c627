// One show on several shards (docs/adr/0004-media.md): what the Media of its home and those of the
// shards that show it too, its mirrors, say to each other.
//
// Who publishes, and the cast, are at home. A mirror has viewers alone. It has a room of its own
// with the tracks of home under the ids they have there; whoever publishes is a member of it that
// is sent nothing. What its viewers watch it tells home, and is given each packet of that once, by
// a lane (CopyLanes), however many watch.
//
// A mirror begins with Show and ends with Over, which home decides alone: it counts the sessions it
// has placed, and is told of each that is over (Left). Both names of a stage, the shard of its home
// and its number there, are never used again; the ids of its tracks neither.
//
// Notes arrive in the order in which they were said, none is lost. A copy may be lost: home sees
// that when the lane is full, and has a key frame made.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "proto/role.h"
#include "rtc/rtcp.h"
#include "rtc/sdp_answer.h"
#include "sfu/room.h"

namespace footlight::edge {

namespace mirror {

// --- from home

struct Person {
  uint64_t order = 0;  // names whoever publishes
  uint64_t who = 0;
  std::string name, label;
  proto::Role role = proto::Role::kViewer;
};
struct Published {
  sfu::TrackId track = 0;
  uint64_t person = 0;
  bool muted = false;
  rtc::NegotiatedMedia media;
};
// All there is; the first one begins the mirror.
struct Show {
  std::string episode;
  std::vector<Person> people;
  std::vector<Published> published;  // in the order in which places are given
  bool recording = false;
};
struct Voices {
  struct Voice {
    uint64_t person = 0;
    double loudness = 0;
    bool operator==(const Voice&) const = default;
  };
  std::vector<Voice> order;
  bool active = false;  // the first has the floor
  bool operator==(const Voices&) const = default;
};
struct Links {
  std::string text;  // as everybody is told
};
// Of a track that is copied from now on.
struct Pace {
  sfu::TrackId track = 0;
  sfu::Room::Pace pace;
};
struct Over {};

// --- to home

// Of each track that is watched, by how many; all there is.
struct Watched {
  std::vector<std::pair<sfu::TrackId, uint32_t>> tracks;
};
struct KeyFrame {
  sfu::TrackId track = 0;
  uint8_t encoding = 0;
};
// How viewers find their lines; all there is.
struct Lines {
  struct Line {
    uint64_t who = 0;
    uint32_t rtt_ms = 0, loss_pm = 0;
    bool operator==(const Line&) const = default;
  };
  std::vector<Line> lines;
};
struct Left {  // a session that was placed is over, or was refused
  uint64_t who = 0;
};

}  // namespace mirror

struct MirrorNote {
  uint32_t stage = 0;  // its number at home
  std::variant<mirror::Show, mirror::Voices, mirror::Links, mirror::Pace, mirror::Over,
               mirror::Watched, mirror::KeyFrame, mirror::Lines, mirror::Left>
      what;
};

// A record of a lane: this, then the packet, or the sender's report.
struct CopyHead {
  uint32_t stage = 0;
  sfu::TrackId track = 0;
  uint8_t encoding = 0;
  bool report = false;
  int64_t number = 0;  // the packet's sequence as it is counted at home; of a report as of when
};

// The way of copies to other shards: never waits, and what finds it full is lost.
class CopyLanes {
 public:
  virtual ~CopyLanes() = default;
  // Where a record is to be written, followed by commit(); empty: there is no room.
  virtual std::span<uint8_t> room(size_t shard, size_t bytes) = 0;
  virtual void commit(size_t shard) = 0;
  // Says to those shards that there is something to read.
  virtual void wake() = 0;
};

}  // namespace footlight::edge
