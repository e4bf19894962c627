// A room: members publish tracks and watch those of others. The room takes decrypted packets and
// feedback from the members' transports and hands what is to be sent to their sinks.
//
// Work is done in turns: on_rtp() only sorts a packet into its stream; flush(), once per batch of
// datagrams, forwards everything that came, subscriber by subscriber, so that what goes to one peer
// lies together and can leave in one system call. Audio of a turn goes before its video.
//
// Nothing is allocated while packets flow: memory is taken when members join, tracks are published
// or watched, and a stream names itself. Bounds: RoomLimits; per member kMaxRoutes SSRCs and a
// FeedbackLimit, per track and turn kMaxPending packets. One thread.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "rtc/sdp_answer.h"
#include "rtc/transport_feedback.h"
#include "sfu/feedback_limit.h"
#include "sfu/packet.h"
#include "sfu/speakers.h"
#include "sfu/subscriber.h"
#include "sfu/track.h"

namespace footlight::sfu {

struct RoomLimits {
  size_t members = 2048;
  size_t tracks = 256;
  size_t tracks_per_member = 16;
};

struct RoomStats {
  uint64_t packets_in = 0;
  uint64_t unknown_stream = 0;  // dropped: of no track (kMediaUnknownStream)
  uint64_t unknown_codec = 0;   // dropped: a payload type that was not negotiated
  uint64_t duplicates = 0;
  uint64_t malformed_rtcp = 0;
  uint64_t rtcp_flood = 0;     // dropped: compounds beyond a member's FeedbackLimit
  uint64_t turn_overflow = 0;  // dropped: more than kMaxPending in one turn
};

class Room {
 public:
  static constexpr size_t kMaxRoutes = 64;
  static constexpr MonoUs kTickUs = 5 * kUsPerMs;

  Room(PacketPool& pool, const RoomLimits& limits = {}) : pool_(pool), limits_(limits) {}
  ~Room();

  // `sink` outlives the membership. kServerFull.
  Result<MemberId> join(Sink& sink, const BandwidthConfig& bandwidth = {});
  void leave(MemberId member);

  // Of the pool's packets, what an m-line would claim, and what a member's tracks have claimed.
  static size_t packet_slots(const rtc::NegotiatedMedia& media);
  size_t packet_slots(MemberId member) const;
  // Publishes an m-line of the member's offer. kTrackLimit (also: the pool has no packets for it),
  // kTrackExists (its mid), kTrackCodec (no codec that can be forwarded).
  Result<TrackId> publish(MemberId member, const rtc::NegotiatedMedia& media, uint8_t priority);
  void unpublish(TrackId track);
  // Records the track until it goes or the recording is stopped. `recording` outlives both.
  void record(TrackId track, Recording& recording, const RecordHeader& about, MonoUs now);
  // Watches a track on an m-line of the watcher's offer. kTrackUnknown, kTrackCodec, kTrackLimit,
  // kTrackExists.
  Status watch(MemberId member, TrackId track, const rtc::NegotiatedMedia& media,
               const rtc::OutgoingStream& stream, const WatchOptions& options);
  void unwatch(MemberId member, TrackId track);
  Status set_options(MemberId member, TrackId track, const WatchOptions& options);
  // Ids of the member's header extensions beside those its published m-lines named.
  void set_extensions(MemberId member, const rtc::RtpExtensionMap& extensions);

  // --- a room on several shards (docs/adr/0004-media.md)
  // What a room elsewhere has to know of a track to show it; nullopt: there is no such track.
  std::optional<rtc::NegotiatedMedia> describe(TrackId track) const;
  // From now on copy_out() gives `copies` what comes of the track; null: nobody wants it. It
  // outlives that. `watchers`: of all copies, who counts for watched().
  void copy(TrackId track, TrackCopies* copies, size_t watchers);
  // What is known of its encodings, for a copy that has nothing yet: their order, and what each
  // takes; nullopt: nothing comes of it.
  struct Pace {
    std::array<uint8_t, kMaxEncodings> by_quality{0, 1, 2, 3};
    std::array<std::optional<LayerRates>, kMaxEncodings> rates;
  };
  Pace pace(TrackId track, MonoUs now) const;
  // Gives the packets that came since the last flush() to the copies; call it before.
  void copy_out();
  struct CopyOf {
    TrackId track = 0;
    uint8_t encoding = 0;
    int64_t sequence = 0;  // of a packet: as it is counted at home
  };
  // In the room of the copies: a track under the id it has at home, of a member that stands for its
  // publisher and is sent nothing. As publish().
  Status publish_copy(MemberId member, TrackId id, const rtc::NegotiatedMedia& media,
                      uint8_t priority);
  // Before the first copy: so that a layer is chosen, and its key frame asked for, as at home.
  void expect(TrackId track, const Pace& pace, MonoUs now);
  // As on_rtp().
  void on_copy(const CopyOf& of, Packet* packet, std::span<uint8_t> bytes, MonoUs now);
  void on_copied_report(const CopyOf& of, const rtc::SenderInfo& info, MonoUs at);
  // A room of copies follows what the speakers at home are.
  void follow_speakers(std::span<const Speakers::Ranked> order, bool active);
  // Of a room of copies: key frames that are wanted from home. Clear it after.
  struct KeyFrameWish {
    TrackId track = 0;
    uint8_t encoding = 0;
  };
  std::vector<KeyFrameWish>& key_frames_wanted() { return wishes_; }
  void request_key_frame(TrackId track, uint8_t encoding);

  // A decrypted packet that lies in `packet->buffer`, `bytes` of it. The room owns it from here on.
  void on_rtp(MemberId member, Packet* packet, std::span<uint8_t> bytes, MonoUs now);
  void on_rtcp(MemberId member, ByteView compound, MonoUs now);
  // Forwards what came since the last call.
  void flush(MonoUs now);

  MonoUs deadline() const { return members_.empty() ? kNever : next_tick_; }
  void on_time(MonoUs now);

  const Track* track(TrackId track) const;
  const Subscriber* subscriber(MemberId member) const;
  uint64_t rtcp_flood(MemberId member) const;  // of the member, as RoomStats
  bool watched(TrackId track) const;  // by anybody who has not paused it, on whatever shard
  const Speakers& speakers() const { return speakers_; }
  const RoomStats& stats() const { return stats_; }

 private:
  struct Route {
    uint32_t ssrc = 0;
    Track* track = nullptr;
    uint8_t encoding = 0;
    bool rtx = false;
  };
  struct Member {
    MemberId id = 0;
    Sink* sink = nullptr;
    std::unique_ptr<Subscriber> subscriber;
    rtc::RtpExtensionMap extensions;
    std::vector<Route> routes;
    std::vector<Track*> tracks;
    std::unique_ptr<rtc::TransportFeedbackWriter> feedback;  // of who publishes
    MonoUs fed_back_at = 0, reported_at = 0;
    uint32_t last_media_ssrc = 0;
    FeedbackLimit feedback_limit;
    bool copy = false;  // it stands for a publisher at home
  };

  Member* find(MemberId member);
  Track* find_track(TrackId track);
  const Route* route_of(Member& member, const Packet& packet);
  const Route* learn_route(Member& member, const Packet& packet);
  void add_route(Member& member, const Route& route);
  bool parse(Member& member, Packet& packet, std::span<uint8_t> bytes);
  bool restore(Member& member, Packet& packet, std::span<uint8_t> bytes, const Route& route);
  bool note_codec(const Track& track, Packet& packet);
  Result<Track*> make_track(MemberId member, const rtc::NegotiatedMedia& media, uint8_t priority,
                            TrackId id);
  bool take(Track& track, uint8_t encoding, Packet* packet, MonoUs now);
  Encoding* find_encoding(TrackId track, uint8_t encoding);
  void on_sender_report(Member& member, const rtc::RtcpPacket& packet, MonoUs now);
  void on_bye(Member& member, const rtc::RtcpPacket& packet);
  void tick_publisher(Member& member, MonoUs now);
  void tick_stream(Member& member, Track& track, Encoding& encoding, MonoUs now);
  void tick_copies(const Member& member, MonoUs now);
  void count_watchers();

  PacketPool& pool_;
  RoomLimits limits_;
  std::map<MemberId, std::unique_ptr<Member>> members_;
  std::vector<std::unique_ptr<Track>> tracks_;
  std::vector<Track*> with_pending_;
  std::vector<Subscriber*> watching_;  // those that watch anything, as of count_watchers()
  MonoUs now_ = 0;                     // of the last call that told the time
  Speakers speakers_;
  bool follows_ = false;
  std::vector<KeyFrameWish> wishes_;
  MemberId next_member_ = 1;
  TrackId next_track_ = 1;
  MonoUs next_tick_ = 0, next_sort_ = 0;
  RoomStats stats_;
};

}  // namespace footlight::sfu
