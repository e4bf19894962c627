// The parts of Media: a session, and the stage of an episode where sessions meet.
#pragma once
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "edge/internal/media_channel.h"
#include "edge/internal/media_fragment.h"
#include "edge/media.h"

namespace footlight::edge {

struct Media::Session final : sfu::Sink {
  // An m-line the client receives on, and what it carries now.
  struct Place {
    rtc::NegotiatedMedia media;
    rtc::OutgoingStream stream;
    sfu::TrackId track = 0;
    MediaAsk::Place wish;  // the watcher's; `id` and `mid` are not used
    sfu::WatchOptions options(uint8_t priority) const;
  };

  void send_rtp(ByteView head, ByteView payload) override { peer->send_rtp(head, payload); }
  void send_rtcp(ByteView compound) override { peer->send_rtcp(compound); }

  struct GiveBack {
    void operator()(MediaQuota* quota) const { quota->give_back(); }
  };
  std::unique_ptr<MediaQuota, GiveBack> quota;  // its share
  MediaRequest request;
  std::string id;
  uint64_t order = 0;  // counts sessions: who came earlier has the lower
  rtc::Peer* peer = nullptr;
  Stage* stage = nullptr;
  sfu::MemberId member = 0;
  std::vector<Place> places;
  std::vector<rtc::OutgoingStream> streams;  // while the offer is being answered
  MediaFragment transport;                   // the client's
  std::string first_line;                    // of the answer's first m-section, for fragments
  std::string told_places;                   // as the owner knows them
  Error refused{Code::kOk, {}, 0};           // what of the offer was left out, and why
  std::optional<MediaAsk::Report> report;    // the client's last
  struct Rate {
    uint64_t bytes = 0;  // when it was measured last
    int64_t bps = 0;
  };
  Rate in, out;
  std::unique_ptr<SessionChannel> channel;  // that carries a session
  uint8_t priority() const { return media_priority(request.role); }
};

// Takes a track to the shards that watch it.
struct Media::Copies final : sfu::TrackCopies {
  Copies(Media& of, uint32_t number) : media(of), stage(number) {}
  bool on_packet(const sfu::Track& track, uint8_t encoding, const sfu::Packet& packet) override;
  void on_report(const sfu::Track& track, uint8_t encoding, const rtc::SenderInfo& info,
                 MonoUs at) override;
  Media& media;
  const uint32_t stage;
  std::vector<size_t> shards;
};

struct Media::Publication {
  sfu::TrackId track = 0;
  const Session* session = nullptr;
  bool muted = false;
  std::unique_ptr<Copies> copies;  // null: no other shard watches it
};

// A shard that shows a stage too.
struct Media::Mirror {
  size_t shard = 0;
  size_t sessions = 0;  // that were placed there and are not over
  std::vector<std::pair<sfu::TrackId, uint32_t>> watched;
  std::vector<mirror::Lines::Line> lines;
};

struct Media::Stage {
  Stage(std::string name, uint32_t n, sfu::PacketPool& pool)
      : episode(std::move(name)), number(n), room(pool) {}
  std::string episode;
  uint32_t number = 0;  // among the stages of its home
  sfu::Room room;
  std::vector<Session*> sessions;
  std::vector<Publication> published;  // in the order in which places are given
  MonoUs speaking_at = 0, links_at = 0;
  std::string told_speaking, told_links;
  bool told_recording = false;
  bool crowded = false;                // somebody has fewer places than there are tracks
  std::optional<sfu::MemberId> floor;  // who spoke when places were given last

  mirror::Voices told_voices;  // by home

  // At home, while it is shown elsewhere too (media_spread.cc).
  struct Placed {
    size_t shard = 0, sessions = 0;
  };
  std::vector<Mirror> mirrors;
  std::unordered_map<uint64_t, Placed> placed;  // by account, which has all its sessions there
  // Of a mirror.
  std::optional<size_t> home;
  std::vector<std::unique_ptr<Session>> people;  // that publish at home
  bool recording = false;
  // The last show, while memory has no room for all of it; the slots of the least that lacks.
  std::optional<mirror::Show> lacking;
  size_t lacking_slots = 0;
  MonoUs lacking_at = 0;  // when it was tried last
  std::vector<std::pair<sfu::TrackId, uint32_t>> told_watched;
  std::vector<mirror::Lines::Line> told_lines;
  // Of both: the last that home said.
  std::string links;
};

// A subscriber within the process (media_program.cc).
struct Media::Tap {
  struct Line {
    sfu::TrackId track = 0;
    uint32_t ssrc = 0;
    uint8_t payload_type = 0;
  };
  struct Seat {            // of who publishes
    uint64_t session = 0;  // Session::order
    uint8_t slot = 0;
    std::array<Line, 2> lines;  // voice, picture
  };
  sfu::Sink* sink = nullptr;
  Stage* stage = nullptr;  // null: nobody is there
  sfu::MemberId member = 0;
  std::vector<Seat> seats;  // at most kMaxFeedSlots
  uint32_t next_ssrc = 1;
};

// A recording of an episode: the one that runs, or the last one.
struct Media::Take {
  bool on = false;
  Error why{Code::kOk, {}, 0};  // why it ended by itself
  WallMs ended_ms = 0;
  std::unique_ptr<sfu::Recording> recording;
};

}  // namespace footlight::edge
