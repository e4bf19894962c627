// A data channel that carries the session protocol (docs/protocol.md, Data channels), as a
// connection of the edge. Ordered and reliable, so to the edge it is what a WebSocket is.
//
// What waits is bounded as for a WebSocket: at most kBufferBytes lie in the association, then
// write() takes nothing and the edge's own queue fills, whose reader is told (4901) and cut. A
// frame above kWholeBytes goes in parts, since a browser takes no message above the 256 KiB it
// announces.
#pragma once
#include <algorithm>
#include <array>

#include "core/bytes.h"
#include "edge/ports.h"
#include "proto/messages.h"
#include "rtc/peer.h"

namespace footlight::edge {

inline constexpr std::string_view kChannelProtocol = "footlight.v1";  // and the label
// That one carries, one that is on its way out, and some that are about to be refused.
inline constexpr size_t kMaxChannels = 4;

class SessionChannel final : public ConnectionOut {
 public:
  static constexpr size_t kBufferBytes = 64 * 1024;
  static constexpr size_t kWholeBytes = 64 * 1024;
  static constexpr size_t kPartBytes = 16 * 1024;
  // The head of a part: kPart, then what it is.
  static constexpr char kPart = 2;
  enum PartKind : char { kMore = 0, kLastOfText = 1, kLastOfBinary = 2 };

  SessionChannel(rtc::Peer& peer, uint16_t id, ConnId conn) : conn(conn), id(id), peer_(peer) {}

  size_t write(const proto::FramePtr& frame, size_t offset) override;
  void allow_binary(uint32_t max_bytes) override { max_binary = max_bytes; }
  void allow_text(uint32_t max_bytes) override { max_text = max_bytes; }
  void close(Code) override { closing = true; }

  const ConnId conn;
  const uint16_t id;
  uint32_t max_text = proto::kMaxFrameBytes, max_binary = 0;
  bool closing = false;  // by the edge, which is told on_close later
  bool dirty = false;    // something was written and not sent
  MonoUs now = 0;        // of the call that led here

 private:
  bool send(bool text, ByteView bytes);
  rtc::Peer& peer_;
};

}  // namespace footlight::edge
