// The seam between edges and the media of the node: what sessions ask in the session protocol
// (docs/protocol.md, Voice and video), and what Media tells them. Edges and Media may live on
// different threads; the shell carries both ways, the tests call inline.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "gate/token.h"
#include "proto/media_messages.h"
#include "proto/role.h"

namespace footlight::edge {

using proto::MediaUse;

// The session to tell of a media session; `session` 0: nobody (WHIP, WHEP).
struct MediaOwner {
  uint32_t edge = 0;
  uint64_t session = 0;
  auto operator<=>(const MediaOwner&) const = default;
};

// Who opens a media session, or speaks of one.
struct MediaRequest {
  MediaUse use = MediaUse::kWatch;
  std::string episode;
  uint64_t who = 0;  // the account's pseudonym
  std::string name;  // shown to those who watch
  proto::Role role = proto::Role::kViewer;
  gate::MediaGrants grants;
  std::string label;      // of what is published: "" the camera, "screen", ...
  MonoUs until = kNever;  // the session ends then: its token does
  MediaOwner owner;
  // The client's offer may have an m-line for data channels: they carry the session protocol.
  bool channels = false;
  bool placed = false;  // by the episode's home, on a shard that shows it too (media_mirror.h)
};

// Whose picture goes first where there is not room for all.
constexpr uint8_t media_priority(proto::Role role) {
  if (role == proto::Role::kGm) return 200;
  return role == proto::Role::kProducer ? 150 : 100;
}

namespace media_ask {

struct Open {
  uint64_t n = 0;
  std::string offer;
};
struct Resume {
  uint64_t n = 0;
  std::string id, ice;
};
struct Close {
  std::string id;
};
struct Place {
  std::string id, mid;
  std::optional<uint32_t> most;
  bool paused = false, pinned = false;
};
struct Mute {
  std::string id, mid;
  bool on = false;
};
struct Report {
  std::string id;
  uint32_t rtt_ms = 0, loss_pm = 0;
};
struct Keep {};  // the session's token was renewed: `from.until`
struct Kick {    // every media session of `from.who` ends
  Error why;
};

}  // namespace media_ask

struct MediaAsk {
  using Open = media_ask::Open;
  using Resume = media_ask::Resume;
  using Close = media_ask::Close;
  using Place = media_ask::Place;
  using Mute = media_ask::Mute;
  using Report = media_ask::Report;
  using Keep = media_ask::Keep;
  using Kick = media_ask::Kick;
  using What = std::variant<Open, Resume, Close, Place, Mute, Report, Keep, Kick>;
  MediaRequest from;  // `use` and `label` count for Open alone
  What what;
};

// A message for some sessions of one edge.
struct MediaTold {
  uint32_t edge = 0;
  std::vector<uint64_t> sessions;
  std::string text;
  bool lossy = false;  // another will follow: who does not read goes without
};

class MediaPort {
 public:
  virtual ~MediaPort() = default;
  virtual void ask(MediaAsk ask) = 0;  // never answers inline
};

}  // namespace footlight::edge
