// The messages about voice and video within a session (docs/protocol.md, Voice and video):
// signaling for those who have a session anyway. WHIP and WHEP do the same without one
// (docs/media.md).
//
// Views, as in messages.h, which includes this file.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/codes.h"

namespace footlight::proto {

// An offer of many m-lines is long; nothing else a client says in JSON may be so, boards apart.
inline constexpr size_t kMaxOfferFrameBytes = 192 * 1024;
inline constexpr size_t kMaxMediaIdBytes = 32;  // a media session's name: hex digits
inline constexpr size_t kMaxMidBytes = 32;
inline constexpr size_t kMaxMediaLabelBytes = 64;
inline constexpr size_t kMaxIceServers = 16;
inline constexpr size_t kMaxIceUrls = 8;  // of one

enum class MediaUse : uint8_t { kPublish, kWatch };

// client → server

struct MediaOpen {
  uint64_t n = 0;  // the client's number of this question, given back
  MediaUse use = MediaUse::kWatch;
  std::string_view label;
  std::string_view sdp;
};
// Goes on with a media session: after the connection of the session was lost, and with a fragment
// (RFC 8840) by an ICE restart.
struct MediaResume {
  uint64_t n = 0;
  std::string_view id;
  std::string_view ice;  // "": no restart
};
struct MediaClose {
  std::string_view id;
};
// Asks for the relays, before an offer is made.
struct MediaIce {
  uint64_t n = 0;
};
// What a watcher wants of one of its places. Said whole each time.
struct MediaPlace {
  std::string_view id;
  std::string_view mid;
  std::optional<uint32_t> most;  // no better encoding than this one; 0 the lowest
  bool paused = false;
  bool pinned = false;  // before others, when there is not room for all
};
// A publisher's own track is silent on purpose, or no longer.
struct MediaMute {
  std::string_view id;
  std::string_view mid;
  bool on = false;
};
// How the client finds the way of a media session.
struct MediaReport {
  std::string_view id;
  uint32_t rtt_ms = 0;
  uint32_t loss_pm = 0;              // per mille of packets
  std::optional<uint32_t> delay_ms;  // from capture to playing, where known
};

// server → client

// STUN and TURN servers that share credentials; "" for those that need none.
struct IceServer {
  std::vector<std::string> urls;
  std::string username, credential;
};
// Answers MediaOpen, MediaResume and MediaIce, or says that a session is over.
struct MediaNotice {
  uint64_t n = 0;  // 0: no answer
  std::string_view id;
  std::string_view sdp;
  std::string_view ice;
  bool has_servers = false;
  std::span<const IceServer> servers;
  uint32_t ttl_s = 0;  // with servers: so long their credentials hold
  bool over = false;
  Code code = Code::kOk;
  std::string_view message;
};
// Whom a place shows: with `who` 0 nobody.
struct PlaceInfo {
  std::string_view mid;
  bool video = false;
  uint64_t who = 0;
  std::string_view name;
  std::string_view role;
  std::string_view label;
  bool muted = false;
};
// All places of a watching session. Absolute.
struct MediaPlaces {
  std::string_view id;
  std::span<const PlaceInfo> places;
};
struct SpeakerLevel {
  uint64_t who = 0;
  uint32_t level = 0;  // 0 silence .. 127, a scale of decibels
};
struct LinkQuality {
  uint64_t who = 0;
  uint32_t rtt_ms = 0;
  uint32_t loss_pm = 0;
};
// Of the people on stage: who speaks, the active speaker first, how their lines are, and whether
// all of it is being recorded. Each stands for itself when it is there.
struct MediaRoom {
  bool has_speaking = false;
  std::span<const SpeakerLevel> speaking;
  bool has_links = false;
  std::span<const LinkQuality> links;
  std::optional<bool> recording;
};
struct PlaceQuality {
  std::string_view mid;
  int64_t layer = -1;  // which of the publisher's encodings is sent, 0 the lowest; -1: none now
};
// How the server finds the way to a watching session.
struct MediaQuality {
  std::string_view id;
  uint32_t rtt_ms = 0;
  uint32_t loss_pm = 0;
  uint64_t estimate_bps = 0;
  std::span<const PlaceQuality> places;
};

}  // namespace footlight::proto
