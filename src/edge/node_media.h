// The media of the node: one port, all shards (docs/adr/0004-media.md). Each episode has its home
// on one shard, and further viewers on others when that has many sessions; so shows use as many
// cores as there are. Where an episode is at home is settled once and never changes: whoever asks
// about it posts to that shard, and who speaks of a session to the one that its id names.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "edge/node_media_shard.h"

namespace footlight::edge {

class NodeMedia final : public MediaPort {
 public:
  struct Shards {
    std::vector<net::Shard*> all;
    size_t homes = 1;  // the last so many receive, and are homes; the others only send
  };
  // Before the shards start. `http_port` is the port that `media.port: 0` stands for;
  // when the system chose that one, it chooses here too. kPortBusy, kIo, kInternal.
  static Result<std::unique_ptr<NodeMedia>> open(const Config& config, uint16_t http_port,
                                                 const Shards& shards, const Clock& clock,
                                                 Entropy& entropy);
  ~NodeMedia() override;

  // Where the episode's sessions are; any shard, where there have been none. Any thread.
  NodeMediaShard& home(std::string_view episode);
  // Where a session is, by its id; any thread.
  NodeMediaShard& of_session(std::string_view id, std::string_view episode);
  // Where they are to be: settles it. Any thread.
  NodeMediaShard& settle(std::string_view episode);
  const MediaAddresses& advertised() const { return advertised_; }
  // Why there is no media over TCP although it is wanted; kOk: there is, or it is not wanted.
  const Error& tcp_fault() const { return tcp_fault_; }
  std::string metrics() const;  // Prometheus' text format; any thread

  // Before the shards start: their edges, and the episodes.
  void begin(const std::vector<NodeShard*>& edges, const std::vector<NodeEpisode*>& episodes);
  // The program streams, when program.enabled. Before the shards start.
  void begin_programs(const Config& config, const ProgramSinkMaker& maker);
  // Whether media over TCP come in at the HTTP port: it has the same number and covers the address.
  static bool shares_http_port(const Config& config);
  // One of those; any shard's thread.
  void adopt(net::FramedSocket socket);

  // The producer's calls about media; any thread, answered on the home's.
  void api(ApiCall call, std::string episode, ApiReply reply);

  // No new sessions from now on; any thread.
  void drain();
  // Sessions that are left; any thread but the shards' own, which are asked.
  size_t sessions();
  // Ends every session and recording, and waits for it; any thread but the shards' own.
  void end_all();
  // After the shards have ended: what was recorded is on the disk.
  void finish();

  // MediaPort; any thread.
  void ask(MediaAsk ask) override;

 private:
  using Sockets = std::vector<std::vector<std::unique_ptr<net::UdpSocket>>>;  // by shard
  NodeMedia(const Clock& clock, size_t sessions, size_t homes)
      : clock_(clock), quota_(sessions), homes_count_(homes) {}
  Result<Sockets> bind(const Config& config, uint16_t http_port, size_t shards);
  Result<Sockets> bind_udp(const std::vector<net::UdpAddress>& addresses, size_t shards);
  void listen(const std::vector<net::UdpAddress>& addresses);
  Status advertise(const Config& config, uint16_t http_port);
  size_t least_busy() const;
  void figures(std::string episode, ApiReply reply);

  const Clock& clock_;
  MediaQuota quota_;
  const size_t homes_count_;
  uint16_t port_ = 0;
  bool tcp_ = false;
  std::vector<std::unique_ptr<net::FramedListener>> listeners_;  // until a shard has them
  MediaAddresses advertised_;
  Error tcp_fault_{Code::kOk, {}, 0};
  std::vector<std::unique_ptr<NodeMediaShard>> shards_;
  static constexpr uint32_t kNowhere = UINT32_MAX;
  std::unordered_map<std::string, std::atomic<uint32_t>> homes_;  // shards, each written once
  std::vector<NodeEpisode*> episodes_;
};

}  // namespace footlight::edge
