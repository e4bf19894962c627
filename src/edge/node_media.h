// The shell of Media: its ports, on one shard of the node. The answers of WHIP and WHEP ask it;
// it asks Media, and moves datagrams between Media and the sockets.
//
// All media of a node live on one shard, so one core carries them (docs/adr/0004 says how they
// will spread).
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/prng.h"
#include "edge/api.h"
#include "edge/config.h"
#include "edge/media.h"
#include "edge/media_metrics.h"
#include "edge/node_compositor.h"
#include "edge/node_recorder.h"
#include "edge/node_streams.h"
#include "net/asio/datagrams.h"
#include "net/asio/readiness.h"
#include "net/asio/shard.h"

namespace footlight::edge {

class NodeShard;

class NodeMedia final : public net::Resident, public MediaPort {
 public:
  // Before the shard starts. `http_port` is the port that `media.port: 0` stands for; when the
  // system chose that one, it chooses here too. kPortBusy, kIo, kInternal.
  static Result<std::unique_ptr<NodeMedia>> open(const Config& config, uint16_t http_port,
                                                 net::Shard& shard, const Clock& clock,
                                                 Entropy& entropy);
  ~NodeMedia() override;

  net::Shard& shard() { return shard_; }
  Media& media() { return *media_; }  // on the shard's thread
  uint16_t port() const { return ports_.front()->socket->port(); }
  const MediaAddresses& advertised() const { return advertised_; }
  // Why there is no media over TCP although it is wanted; kOk: there is, or it is not wanted.
  const Error& tcp_fault() const { return tcp_fault_; }
  std::string metrics() const;  // Prometheus' text format; any thread

  // The program streams; null when program.enabled is false. Before the shard starts.
  void begin_programs(const Config& config, const std::vector<NodeEpisode*>& episodes,
                      ProgramSinkMaker maker);
  // Whether media over TCP come in at the HTTP port: it has the same number and covers the address.
  static bool shares_http_port(const Config& config);
  // One of those; any thread.
  void adopt(net::FramedSocket socket);

  // The producer's calls about media; any thread, answered on the shard's.
  void api(ApiCall call, std::string episode, ApiReply reply);

  // No new sessions from now on; any thread.
  void drain();
  // Sessions that are left; any thread but the shard's own, which is asked.
  size_t sessions();
  // Ends every session and recording. On the shard's thread.
  void end_all();
  // After the shards have ended: what was recorded is on the disk.
  void finish();

  // MediaPort; any thread.
  void ask(MediaAsk ask) override;
  // Before the shard starts: whose edges are told, by edge id.
  void set_edges(std::vector<NodeShard*> edges);

  // net::Resident
  MonoUs on_turn_end(MonoUs now_us) override;

 private:
  struct Port {
    uint32_t index = 0;
    std::unique_ptr<net::UdpSocket> socket;
    std::unique_ptr<net::Readiness> readiness;
  };
  NodeMedia(net::Shard& shard, const Clock& clock);
  Status bind(const Config& config, uint16_t http_port);
  void listen(const Config& config);
  Status advertise(const Config& config, uint16_t http_port);
  bool receive(Port& port);
  bool drop(Port& port);
  void send();
  void tell();
  void renew_counters(MonoUs now_us);

  net::Shard& shard_;
  const Clock& clock_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::unique_ptr<NodeStreams> streams_;  // null without TCP
  MediaAddresses advertised_;
  Error tcp_fault_{Code::kOk, {}, 0};
  std::unique_ptr<NodeRecorder> recorder_;
  std::unique_ptr<Media> media_;
  std::unique_ptr<NodeCompositors> programs_;
  std::vector<sfu::Packet*> packets_;
  std::vector<net::UdpSlot> slots_;
  FallbackLimits fallback_;
  std::vector<NodeEpisode*> episodes_;  // that are looked after by it
  double cpu_s_ = 0;
  MonoUs renewed_us_ = 0;
  std::vector<NodeShard*> edges_;
  std::atomic<std::shared_ptr<const MediaCounters>> counters_;
};

}  // namespace footlight::edge
