// A published track: one voice or picture of a member, in one or several encodings.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "rtc/sdp_answer.h"
#include "sfu/stream.h"

namespace footlight::sfu {

using MemberId = uint32_t;
using TrackId = uint32_t;

inline constexpr size_t kMaxEncodings = 4;
inline constexpr size_t kMaxPending = 512;  // of one track and turn; beyond it packets are dropped

class Recording;
class RecordStream;
struct RecordHeader;
struct Track;

struct Encoding {
  std::string rid;
  uint32_t ssrc = 0, rtx_ssrc = 0;  // 0: not known yet, told by mid and rid
  IncomingStream stream;
  uint8_t firs = 0;                  // how many it was sent, where it takes no PLI
  RecordStream* recorded = nullptr;  // set while it is (recording.h)
};

// Takes a track's packets to other shards, whose rooms show it too (docs/adr/0004-media.md).
class TrackCopies {
 public:
  virtual ~TrackCopies() = default;
  // Once for each packet, before any subscriber gets it; the packet is valid during the call.
  // False: somewhere there was no room for it.
  virtual bool on_packet(const Track& track, uint8_t encoding, const Packet& packet) = 0;
  // The publisher's sender report, as of `at`.
  virtual void on_report(const Track& track, uint8_t encoding, const rtc::SenderInfo& info,
                         MonoUs at) = 0;
};

struct Track {
  TrackId id = 0;
  MemberId owner = 0;
  rtc::MediaKind kind = rtc::MediaKind::kAudio;
  std::string mid;
  rtc::NegotiatedCodec codec;  // what the publisher sends
  uint8_t red_payload_type = 0;
  bool named_by_type = false;  // a payload type of it is of no other track of its owner
  uint8_t priority = 0;
  std::vector<Encoding> encodings;  // in the order of the offer, at most kMaxEncodings
  // Indices of `encodings`, the lowest quality first. It is the offer's order until their rates say
  // otherwise: most clients begin with the lowest, OBS with the highest.
  std::array<uint8_t, kMaxEncodings> by_quality{0, 1, 2, 3};
  bool disordered = false;        // at the last look
  size_t watchers = 0;            // subscriptions that are not paused by their subscriber
  size_t watched_elsewhere = 0;   // of copies on other shards
  TrackCopies* copies = nullptr;  // null: there are none
  Recording* recording = nullptr;

  // Packets of this turn, in order of arrival: what flush() forwards.
  struct Pending {
    uint8_t encoding = 0;
    int64_t sequence = 0;
  };
  std::vector<Pending> pending;

  // Looks at the rates, once a second. Two looks in a row change the order: of a still picture a
  // small encoding may for a moment take more than a large one.
  void sort_encodings(MonoUs now);
  uint8_t rank_of(uint8_t encoding) const;

  bool audio() const { return kind == rtc::MediaKind::kAudio; }
};

}  // namespace footlight::sfu
