// The shell of Media on one shard: its sockets, its disk, its compositors. What concerns the whole
// node is in node_media.h.
//
// All shards have a socket at the same port (media_handover.h). What one receives for another's
// session crosses by a lane of bytes (core/byte_lane.h) for each two shards and direction: 1 MB, or
// less where there are many shards, for all that lead to one have 4 MB together, as its socket has.
// What finds it full is lost, as on a network, and counted. A stranger's checks get half of it.
// Another such lane takes the packets that a show's home copies to its mirrors (media_mirror.h).
//
// Everything on the shard's thread, but where said.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/byte_lane.h"
#include "core/prng.h"
#include "core/published.h"
#include "edge/api.h"
#include "edge/config.h"
#include "edge/media.h"
#include "edge/media_handover.h"
#include "edge/media_metrics.h"
#include "edge/node_compositor.h"
#include "edge/node_recorder.h"
#include "edge/node_streams.h"
#include "net/asio/datagrams.h"
#include "net/asio/readiness.h"
#include "net/asio/shard.h"

namespace footlight::edge {

class NodeShard;

class NodeMediaShard final : public net::Resident, public CopyLanes {
 public:
  struct Options {
    size_t index = 0, shards = 1;  // among those that carry media
    bool receives = true;          // false: it only sends, from the port that others receive
    std::vector<std::unique_ptr<net::UdpSocket>> sockets;  // in the same order on all shards
    bool tcp = false;
    std::vector<std::unique_ptr<net::FramedListener>> listeners;  // a TCP port of media's own
    MediaAddresses candidates;
    MediaQuota* quota = nullptr;
  };
  // Before the shard starts. kIo, kInternal.
  static Result<std::unique_ptr<NodeMediaShard>> open(const Config& config, Options options,
                                                      net::Shard& shard, const Clock& clock,
                                                      Entropy& entropy);
  ~NodeMediaShard() override;

  net::Shard& shard() { return shard_; }  // any thread
  Media& media() { return *media_; }
  // Before the shard starts: whose edges are told, by edge id, and the other shards' media, by
  // index.
  void begin(std::vector<NodeShard*> edges, std::vector<NodeMediaShard*> all);
  // The program streams of the episodes that are at home here. Before the shard starts.
  void begin_programs(const Config& config, const std::vector<NodeEpisode*>& episodes,
                      ProgramSinkMaker maker);

  // A TCP connection that begins framed; `early`: what was read of it.
  void adopt(net::FramedSocket socket, Bytes early = {});
  // What sessions ask; of an episode that is at home here, or of a session that is here.
  void ask(MediaAsk ask);
  // Where an episode is at home: finds the shard where this session is to be opened, and calls
  // `open` on its thread.
  using Open = std::move_only_function<void(Media& media, MediaRequest& request)>;
  void place(MediaRequest request, Open open);
  ApiAnswer api(const ApiCall& call, const std::string& episode);
  std::shared_ptr<const MediaCounters> counters() const { return counters_.load(); }  // any thread
  size_t sessions() const { return sessions_.load(); }   // as of its last turn; any thread
  uint32_t cpu_pm() const { return cpu_pm_.load(); }     // of the last second; any thread
  std::atomic<uint32_t>& at_home() { return at_home_; }  // episodes; any thread

  // Ends every session and recording.
  void end_all();
  // After the shards have ended: what was recorded is on the disk.
  void finish();

  // net::Resident
  MonoUs on_turn_end(MonoUs now_us) override;

  // CopyLanes
  std::span<uint8_t> room(size_t shard, size_t bytes) override;
  void commit(size_t shard) override;
  void wake() override { wake_others(); }

 private:
  struct Port {
    uint32_t index = 0;
    std::unique_ptr<net::UdpSocket> socket;
    std::unique_ptr<net::Readiness> readiness;
  };
  // What one shard says to another; each of the two is written by the one and read by the other.
  struct Crossing {
    static constexpr size_t kNoteBytes = 16 << 10;
    explicit Crossing(size_t bytes) : datagrams(bytes), notes(kNoteBytes), copies(bytes) {}
    ByteLane datagrams, notes, copies;
  };
  NodeMediaShard(net::Shard& shard, const Clock& clock, Options options);
  Status watch(std::vector<std::unique_ptr<net::FramedListener>> listeners, bool receives);
  bool receive(Port& port);
  bool drop(Port& port);
  void take(const rtc::Path& path, size_t slot, MonoUs now);
  void hand_over(const MediaHandover::Route& route, const rtc::Path& path, ByteView datagram);
  void wake_others();
  void come(size_t from);
  void take_handed(size_t from, MonoUs now);
  void take_copies(size_t from, MonoUs now);
  void send_mirror_notes();
  void take_notes();
  void send_notes();
  void send();
  void tell();
  void renew_counters(MonoUs now_us);

  net::Shard& shard_;
  const Clock& clock_;
  const size_t index_, shards_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::unique_ptr<NodeStreams> streams_;  // null without TCP
  std::unique_ptr<NodeRecorder> recorder_;
  std::unique_ptr<Media> media_;
  std::unique_ptr<MediaHandover> handover_;
  std::vector<std::unique_ptr<Crossing>> in_;  // by the shard that writes; null: itself
  std::vector<NodeMediaShard*> all_;
  std::vector<bool> written_;  // in this turn, by reader
  std::unique_ptr<NodeCompositors> programs_;
  std::vector<sfu::Packet*> packets_;
  std::vector<net::UdpSlot> slots_;
  FallbackLimits fallback_;
  std::vector<NodeEpisode*> episodes_;  // that are looked after by it
  double cpu_s_ = 0;
  MonoUs renewed_us_ = 0, swept_us_ = 0;
  uint64_t handed_over_ = 0, handover_drops_ = 0;
  std::vector<NodeShard*> edges_;
  Published<MediaCounters> counters_;
  std::atomic<size_t> sessions_ = 0;
  std::atomic<uint32_t> cpu_pm_ = 0;
  std::atomic<uint32_t> at_home_ = 0;
};

}  // namespace footlight::edge
