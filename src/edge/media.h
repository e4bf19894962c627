// Media of one shard: the sessions that publish and watch, the rooms they meet in, and the port's
// transports. Between HTTP (WHIP, RFC 9725, and WHEP, draft-ietf-wish-whep) and a socket, and
// knows neither: offers, datagrams and the time go in; answers, datagrams and a deadline come out.
//
// A session publishes the m-lines its client sends on, or watches: each m-line that its client
// receives on is a place with a stream of its own, and the tracks of the episode take the places by
// priority, then by age. Tracks come and go without a new offer: what the place carries changes,
// the stream goes on. Nobody sees or hears themselves.
//
// Who asked within the session protocol (media_port.h) is told whom the places show, who speaks,
// how the lines are, and when a session is over: told() holds it until the shell takes it.
//
// A show is at home on one shard; further viewers may be on others (media_mirror.h).
//
// The people of the cast may carry their session protocol over a data channel of a peer connection
// (docs/adr/0005): such a channel is a connection of the edge that lives on the same thread.
//
// Bounds: sessions by options, kMaxSessionsOfAccount per account, kMaxPlaces m-lines a watcher is
// served on; rooms by sfu::RoomLimits; packets in memory by options. A datagram beyond a bound is
// dropped and counted. One thread.
#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/json.h"
#include "core/prng.h"
#include "core/result.h"
#include "core/time.h"
#include "edge/fallback_rule.h"
#include "edge/internal/media_fragment.h"
#include "edge/media_mirror.h"
#include "edge/media_port.h"
#include "proto/program_feed.h"
#include "rtc/peer.h"
#include "sfu/recording.h"
#include "sfu/room.h"

namespace footlight::edge {

class Edge;

struct MediaAnswer {
  std::string id;    // names the session; unguessable: who knows it may end it
  std::string etag;  // names its ICE generation, with quotes
  std::string sdp;   // of a patch: a fragment, or "" when there is nothing to say
};

struct MediaStats {
  uint64_t sessions = 0, publishers = 0, watchers = 0, tracks = 0;
  uint64_t datagrams_in = 0, strangers = 0, unknown = 0;
  uint64_t rtp_in = 0, rtp_out = 0, bytes_in = 0, bytes_out = 0;
  uint64_t refused = 0;    // SRTP: malformed, forged, replayed
  uint64_t unsent = 0;     // no path, no keys or no room
  uint64_t no_memory = 0;  // datagrams that found no packet slot
  // Packets that rooms dropped, and that waited too long for a watcher.
  uint64_t unknown_stream = 0, unknown_codec = 0, duplicates = 0, turn_overflow = 0;
  uint64_t queue_drops = 0;
  uint64_t rtcp_flood = 0;                   // feedback beyond a session's bound
  uint64_t streams_in = 0, streams_out = 0;  // encodings published; tracks watched
  int64_t bps_in = 0, bps_out = 0;           // over the last second
  int64_t estimate_bps = 0;                  // of all watchers together
  // Packets that went to other shards, once for each; those a full lane did not take.
  uint64_t copied = 0, copy_drops = 0;
  uint64_t recordings = 0, recordings_failed = 0, record_bytes = 0, record_dropped = 0;
  uint64_t channels = 0;  // data channels that carry a session now
  uint64_t channels_opened = 0, channels_refused = 0;
  MediaStats& operator+=(const MediaStats& other);
};

// How many sessions there may be on all shards of a node together. Any thread.
class MediaQuota {
 public:
  explicit MediaQuota(size_t most) : most_(most) {}
  bool take() {
    if (taken_.fetch_add(1, std::memory_order_relaxed) < most_) return true;
    give_back();
    return false;
  }
  void give_back() { taken_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  const size_t most_;
  std::atomic<size_t> taken_{0};
};

struct MediaOptions {
  std::shared_ptr<const rtc::DtlsIdentity> identity;
  MediaAddresses candidates;
  size_t max_sessions = 4096;
  MediaQuota* quota = nullptr;   // that it shares with other shards; outlives it
  std::string ufrag_prefix;      // of its sessions (edge/media_handover.h)
  size_t shard = 0, shards = 1;  // which it is of those that carry media
  CopyLanes* lanes = nullptr;    // to the others; outlives it. Null: every show is on one
  // So many sessions a shard takes before viewers of its shows go where there are fewest.
  size_t spread_after = 128;
  size_t packet_slots = 65'536;  // 1.9 KB each, taken as they are needed
  sfu::BandwidthConfig bandwidth{1'500'000, 40'000, 30'000'000};
  size_t out_bytes = 8 << 20;  // of one turn
  // Where recordings go, and whose wall time names them; null: nothing can be recorded.
  sfu::RecordDisk* record_disk = nullptr;
  const Clock* clock = nullptr;
  sfu::RecordLimits record;
  bool record_all = false;  // every episode, from its first track on
};

class Media {
 public:
  static constexpr size_t kMaxSessionsOfAccount = 8;
  static constexpr size_t kMaxPlaces = 64;
  static constexpr std::string_view kScreen = "screen";  // the label of who shares one
  static constexpr size_t kMaxLabelBytes = proto::kMaxMediaLabelBytes;
  static constexpr MonoUs kSpeakingUs = 250 * kUsPerMs;  // speakers are told so often, if changed
  static constexpr MonoUs kLinksUs = 2 * kUsPerSecond;   // and the state of the lines

  Media(MediaOptions options, Entropy& entropy);
  ~Media();

  // Whose connections the data channels are; it lives on the same thread, and longer. Without it
  // data channels are refused.
  void serve_channels(Edge& edge) { edge_ = &edge; }

  // Answers an offer. Pictures that memory has no room for are refused in the answer (their m-lines
  // are rejected), and told with kTrackLimit to who asked. An earlier session of the same use,
  // account and label ends; of those who watch only when there is a label. kMediaPublish,
  // kMediaSubscribe, kMediaTracks, kSdp..., kTrackCodec (nothing of it can be forwarded),
  // kTrackLimit, kServerFull.
  Result<MediaAnswer> open(const MediaRequest& request, std::string_view offer, MonoUs now);
  // A fragment (RFC 8840): candidates, which a lite agent has no use for, or an ICE restart, which
  // is answered. kUnknownSession, kSdpSyntax, kSdpTooLarge, kSdpState (`etag` is none of the
  // generation's; "*": of any).
  Result<MediaAnswer> patch(std::string_view episode, MediaUse use, std::string_view id,
                            std::string_view etag, std::string_view fragment, MonoUs now);
  // kUnknownSession.
  Status close(std::string_view episode, MediaUse use, std::string_view id, MonoUs now);

  // What a session asks. Answers come by told().
  void ask(MediaAsk ask, MonoUs now);
  // --- one show on several shards. Where the episode is at home:
  // The shard where the session is to be opened: this one, or another, which then shows the episode
  // too. `sessions`: how many each shard has. After it has taken mirror_notes(), that shard is to
  // open it, with `placed`.
  size_t place(const MediaRequest& request, std::span<const size_t> sessions);
  std::vector<size_t> mirrors(std::string_view episode) const;
  // For other shards, in order; clear it after.
  std::vector<std::pair<size_t, MirrorNote>>& mirror_notes() { return mirror_notes_; }
  void on_mirror(size_t from, MirrorNote note, MonoUs now);
  // A record of the lane from another shard; flush() after a batch of them.
  void on_copy(size_t from, ByteView record, MonoUs now);

  // For the sessions of edges; clear it after.
  std::vector<MediaTold>& told() { return told_; }

  // Records the episode from now on, or no longer; nothing happens when it is so already. Those who
  // have a session are told. A disk that fails ends the recording, never a session.
  // kMediaOff: there is no disk.
  Status record(std::string_view episode, bool on, MonoUs now);
  // What became of the episode's last recording (docs/openapi.json, Recording).
  std::string recording_json(std::string_view episode) const;
  // From now on `sink` gets the episode's tracks as plain RTP, with sender reports; null: nobody
  // does. It outlives that. One per episode.
  void tap(const std::string& episode, sfu::Sink* sink);
  // Who publishes, and how their tracks are named on the tap, by slot.
  std::vector<proto::FeedParticipant> tapped(std::string_view episode) const;
  size_t publishers(std::string_view episode) const;  // tracks
  // The tap cannot decode this stream before a key frame.
  void want_key_frame(std::string_view episode, uint32_t ssrc, MonoUs now);

  // Every session of the episode and its tracks (docs/openapi.json, MediaFigures); `elsewhere`: the
  // session_figures() of other shards.
  std::string figures_json(std::string_view episode, MonoUs now,
                           std::span<const std::string> elsewhere = {}) const;
  std::vector<std::string> session_figures(std::string_view episode, MonoUs now) const;
  // Of the viewers who watch the episode's call and have reported: how the median of them does.
  CallHealth call_health(std::string_view episode) const;
  // Chunks that were written come back to it; null when there is no disk.
  sfu::RecordPool* records() { return records_.get(); }

  // Takes no new sessions: open() is refused with kDraining.
  void drain() { draining_ = true; }
  // Ends every session, with a word to its client, and every recording.
  void end_all(MonoUs now);

  // Where the next datagrams are received; nullptr when memory has run out. Each goes back by
  // on_datagram or give_back.
  sfu::Packet* take();
  void give_back(sfu::Packet* packet);
  // `size` bytes that lie in the packet's buffer.
  void on_datagram(const rtc::Path& path, sfu::Packet* packet, size_t size, MonoUs now);
  // Whether a session's client has proven this path.
  bool knows(const rtc::Path& path) const { return transports_.ice().session_of(path).has_value(); }
  // Whose; until the session is over (is_open) or another has proven it.
  std::optional<rtc::IceSession> session_of(const rtc::Path& path) const {
    return transports_.ice().session_of(path);
  }
  bool is_open(rtc::IceSession session) const { return transports_.ice().is_open(session); }
  // A TCP connection has ended, or the path is another shard's.
  void on_path_gone(const rtc::Path& path) { transports_.on_path_gone(path); }
  // After each batch of datagrams: forwards what came.
  void flush(MonoUs now);

  // Sends what the edge wrote to data channels since the last call, and closes those it has closed.
  // True when the edge was called, and may have something to do.
  bool flush_channels(MonoUs now);

  MonoUs deadline() const;
  void on_time(MonoUs now);
  // What is to be sent; clear it after.
  rtc::DatagramOut& out() { return transports_.out(); }

  MediaStats stats() const;
  size_t session_count() const { return sessions_.size(); }
  const sfu::Room* room(std::string_view episode) const;

 private:
  struct Session;
  struct Stage;
  struct Publication;
  struct Take;
  struct Tap;
  struct Copies;
  struct Mirror;

  Session* find(std::string_view episode, MediaUse use, std::string_view id);
  Stage& stage_of(const std::string& episode);
  Result<MediaAnswer> open_here(const MediaRequest& request, std::string_view offer, MonoUs now);
  Result<Session*> admit(const MediaRequest& request);
  Status publish(Session& session, const rtc::SdpAnswer& answer, MonoUs now);
  void prepare_places(Session& session, const rtc::SessionDescription& offer,
                      rtc::AnswerInput& input);
  Result<rtc::SdpAnswer> answer_what_fits(rtc::SessionDescription& offer,
                                          const rtc::AnswerInput& input, Session& session,
                                          const Session* replaced) const;
  void arrange(Stage& stage);
  void arrange(Stage& stage, Session& session, rtc::MediaKind kind);
  std::vector<const Publication*> choose(Stage& stage, const Session& session,
                                         rtc::MediaKind kind) const;
  void follow_floor(Stage& stage);
  void leave_stage(Stage& stage);
  Stage* stage_numbered(uint32_t number);
  Stage* mirrored(size_t from, uint32_t number);
  mirror::Show show_of(const Stage& stage) const;
  void note(size_t shard, const Stage& stage, decltype(MirrorNote::what) what);
  void note_all(const Stage& stage, const decltype(MirrorNote::what)& what);
  void spread(const Stage& stage);
  void spread_voices(Stage& stage);
  void recopy(Stage& stage, MonoUs now);
  void recopy(Stage& stage, Publication& each, MonoUs now);
  bool write_copy(size_t shard, const CopyHead& head, ByteView what);
  void copy_out();
  void on_show(size_t from, uint32_t number, mirror::Show& show);
  void take_up(Stage& stage, MonoUs now);
  void on_voices(Stage& stage, const mirror::Voices& voices);
  void on_over(Stage& stage);
  void on_home_note(size_t from, MirrorNote& note, MonoUs now);
  void on_left(Stage& stage, Mirror& mirror, uint64_t who, MonoUs now);
  void tell_home(Stage& stage);
  void tell_watched(Stage& stage);
  void tell_lines(Stage& stage);
  Tap* find_tap(std::string_view episode) const;
  void arrange_tap(Stage& stage);
  void tap_track(Stage& stage, Tap& tap, const Publication& each);
  void leave_tap(Stage& stage);
  // kOk: nobody needs to be told why.
  void end(Session& session, const Error& why);
  Session* find(const MediaRequest& from, std::string_view id);
  void answer(const MediaOwner& owner, const proto::MediaNotice& notice);
  void tell(const MediaOwner& owner, std::string text);
  void tell_all(const Stage& stage, std::string text, bool lossy = true);
  void tell_places(Stage& stage);
  void tell_places(Session& session);
  void tell_speaking(Stage& stage);
  void tell_links(Stage& stage);
  static std::string links_of(const Stage& stage);
  void tell_quality(Session& session);
  void tell_room(Stage& stage, MonoUs now);
  void ask_open(MediaRequest& from, const MediaAsk::Open& open, MonoUs now);
  void ask_resume(MediaRequest& from, const MediaAsk::Resume& resume, MonoUs now);
  void ask_place(const MediaRequest& from, MediaAsk::Place& place);
  void ask_mute(const MediaRequest& from, const MediaAsk::Mute& mute);
  void kick(const MediaRequest& from, const Error& why, MonoUs now);
  static sfu::RecordHeader record_header(const Session& session);
  bool recorded(std::string_view episode) const;
  bool recorded(const Stage& stage) const;
  void begin_take(const std::string& episode, MonoUs now);
  void end_take(Take& take, const Error& why, MonoUs now);
  void end_takes(MonoUs now);
  void record_track(const Session& session, sfu::TrackId track, MonoUs now);
  void tend_takes(MonoUs now);
  void tell_recording(Stage& stage);
  void tell_recording(const Session& session);
  static void add(MediaStats& to, const rtc::PeerStats& of);
  void keep_counts(const Stage& stage);
  void measure(MonoUs now);
  void write_session(JsonWriter& out, const Session& session, MonoUs now) const;
  void write_places(JsonWriter& out, const Session& session) const;
  void pull_channels(Session& session, MonoUs now);
  void on_channel_opened(Session& session, const rtc::ChannelOpened& opened);
  void on_channel_message(Session& session, const rtc::ChannelMessage& message);
  void drop_channel(Session& session);
  void reap();
  void expire(MonoUs now);
  std::string make_id();

  MediaOptions options_;
  Entropy& entropy_;
  rtc::PeerTransports transports_;
  sfu::PacketPool pool_;
  std::unique_ptr<sfu::RecordPool> records_;
  std::map<std::string, std::unique_ptr<Take>, std::less<>> takes_;  // the last one of each episode
  std::map<std::string, std::unique_ptr<Stage>, std::less<>> stages_;
  std::map<std::string, std::unique_ptr<Tap>, std::less<>> taps_;
  std::unordered_map<std::string, std::unique_ptr<Session>> sessions_;
  uint64_t next_order_;        // differs from those of other shards
  MonoUs expire_at_ = kNever;  // the earliest `until`
  std::vector<MediaTold> told_;
  std::vector<std::pair<size_t, MirrorNote>> mirror_notes_;
  std::vector<Stage*> mirrored_;  // stages that are at home elsewhere
  size_t spread_ = 0;             // mirrors of the stages at home
  uint32_t next_stage_ = 1;
  bool draining_ = false;
  MonoUs measured_at_ = 0, tended_at_ = 0;
  int64_t bps_in_ = 0, bps_out_ = 0;
  Edge* edge_ = nullptr;
  std::vector<Session*> with_channels_;  // whose peer connection has data channels
  uint64_t next_channel_ = 1;
  bool edge_called_ = false;
  MediaStats past_;  // of sessions that are over, and what belongs to none
};

}  // namespace footlight::edge
