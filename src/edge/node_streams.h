// Media over TCP (RFC 6544, passive candidates): for clients whose UDP does not get through.
// Connections come from the node's HTTP port, which knows them by their first byte, or from a TCP
// port of media's own; each carries datagrams behind their length (RFC 4571), which Media takes
// like those of UDP.
//
// A connection belongs to the shard of the session whose check comes on it first: if that is not
// the one that has it, it is passed on as it is, once, with what was read of it.
//
// Bounds: kMostStrangers connections, for all shards of the node, that no session's check has come
// on yet, each for kProveUs at most, the oldest going first; one for each path of a session
// otherwise, as many as ICE keeps. A connection whose session is over, or that sends what is no
// frame, is cut. What a slow reader costs is bounded in net/asio/framed.h. One thread.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/bytes.h"
#include "core/time.h"
#include "edge/media.h"
#include "net/asio/framed.h"
#include "net/asio/readiness.h"
#include "net/asio/shard.h"

namespace footlight::edge {

struct NodeStreamsStats {
  uint64_t connections = 0;                        // now
  uint64_t opened = 0, strangers = 0, broken = 0;  // strangers: cut before they proved anything
  uint64_t dropped = 0;                            // datagrams a slow line did not take
};

class NodeStreams {
 public:
  static constexpr size_t kMostStrangers = 256;
  static constexpr MonoUs kProveUs = 10 * kUsPerSecond;

  struct Ports {
    std::function<void()> on_batch;  // after datagrams went to `media`: sends what came of it
    // To another shard, which adopts it; on this one's thread.
    std::function<void(size_t shard, net::FramedSocket socket, Bytes early)> pass_on;
  };
  // The `index`th of `shards` that carry media.
  NodeStreams(net::Shard& shard, size_t index, size_t shards, const Clock& clock, Ports ports);
  ~NodeStreams();

  // A port of media's own. kIo.
  Status listen(std::unique_ptr<net::FramedListener> listener);
  void serve(Media& media) { media_ = &media; }
  // On the shard's thread. `early`: what was read of it elsewhere.
  void adopt(net::FramedSocket socket, Bytes early = {});
  void send(const rtc::SendBatch& batch);
  // At the end of each turn: drops what is over. Returns when to be called next.
  MonoUs tend(MonoUs now);
  NodeStreamsStats stats() const;

 private:
  struct Line;
  bool accept(net::FramedListener& listener);
  bool receive(Line& line);
  bool take(Line& line, ByteView bytes);
  bool take_frames(Line& line, ByteView bytes, MonoUs now);
  void doom(Line& line);
  void leave(Line& line);
  void make_room();
  void sweep(MonoUs now);

  net::Shard& shard_;
  const size_t index_, shards_, most_strangers_;
  const Clock& clock_;
  Ports ports_;
  Media* media_ = nullptr;
  std::vector<std::pair<std::unique_ptr<net::FramedListener>, std::unique_ptr<net::Readiness>>>
      listeners_;
  std::unordered_map<uint32_t, std::unique_ptr<Line>> lines_;
  std::vector<uint32_t> doomed_;
  std::vector<uint8_t> buffer_;
  uint32_t next_ = 1;
  size_t strangers_ = 0;
  MonoUs swept_us_ = 0;
  NodeStreamsStats stats_;
};

}  // namespace footlight::edge
