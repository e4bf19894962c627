// The compositor's sockets: the stream to the node, and the UDP port that takes RTP and RTCP.
//
// What waits for a node that does not read is bounded by kMostBytes: beyond it the oldest parts go,
// and are counted. What is half sent is finished.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "proto/program_feed.h"

namespace footlight::media {

class FeedLink {
 public:
  static constexpr size_t kMostBytes = 16 << 20;
  FeedLink() = default;
  ~FeedLink();
  FeedLink(const FeedLink&) = delete;
  FeedLink& operator=(const FeedLink&) = delete;

  // `where`: a path, or "fd:N". kCompositorSetup.
  Status open(const std::string& where);
  int descriptor() const { return socket_; }
  int wake_descriptor() const { return wake_; }

  // Any thread. A part's bytes are moved, not copied.
  void send(const proto::CompositorMessage& message);
  void send_part(proto::FeedPart part, Bytes bytes);
  // Thread of the loop. False: the node is gone.
  bool flush();
  bool wants_to_write();
  // Reads what came; `take` gets each message. False: the node is gone, or broke the protocol.
  bool read(const std::function<void(const proto::NodeMessage&)>& take);
  size_t queued_bytes();
  uint32_t dropped();

 private:
  struct Item {
    Bytes head, body;
    bool part = false;
    size_t size() const { return head.size() + body.size(); }
  };
  void put(Item item);
  int socket_ = -1, wake_ = -1;
  proto::FeedReader reader_;
  std::mutex mutex_;
  std::deque<Item> items_;
  size_t sent_ = 0;  // of the first item
  size_t bytes_ = 0;
  uint32_t dropped_ = 0;
};

class RtpPort {
 public:
  ~RtpPort();
  Status open();  // kCompositorSetup
  uint16_t port() const { return port_; }
  int descriptor() const { return socket_; }
  // From now on datagrams of another sender are not taken.
  void take_only_from(uint16_t port);
  // At most `most` datagrams, each with how long ago it came: our being late is not the line's
  // doing. Views are valid during the call.
  size_t receive(size_t most, const std::function<void(ByteView, MonoUs age_us)>& take);

 private:
  static constexpr size_t kBatch = 32, kBytes = 2'048;
  int socket_ = -1;
  uint16_t port_ = 0;
  std::vector<uint8_t> memory_ = std::vector<uint8_t>(kBatch * kBytes);
};

}  // namespace footlight::media
