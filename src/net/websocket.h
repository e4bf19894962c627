// WebSocket frames (RFC 6455 section 5), both sides, as a plain state machine: bytes in, messages
// and control frames out. The opening handshake is not here.
//
// A frame that is whole in the buffer just read is unmasked where it stands and handed out as a
// view: nothing is copied or allocated. Only what is left over at the end of a read (a partial
// frame, a message in fragments) is stored, and the storage is freed as soon as the message is out,
// so that an idle connection costs the size of a WsDecoder and nothing more.
//
// What a peer can make us hold is bounded: one partial frame and one message in fragments, each at
// most `max_message_bytes` (plus a frame header), in at most kWsMaxFragments fragments.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"

namespace footlight::net {

enum class WsOpcode : uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};

// Which end we are. A server takes only masked frames, a client only unmasked ones (section 5.1).
enum class WsSide : uint8_t { kServer, kClient };

inline constexpr uint16_t kWsCloseNormal = 1000;
inline constexpr uint16_t kWsCloseGoingAway = 1001;
inline constexpr uint16_t kWsCloseNone = 1005;  // never on the wire: "the close had no code"
inline constexpr size_t kWsMaxControlBytes = 125;
inline constexpr size_t kWsMaxHeaderBytes = 14;
inline constexpr uint32_t kWsMaxFragments = 1024;

// One whole message (kText, kBinary) or control frame (kPing, kPong, kClose).
struct WsEvent {
  WsOpcode kind = WsOpcode::kText;
  uint16_t close_code = 0;   // kClose only; kWsCloseNone when the frame had none
  std::string_view payload;  // unmasked; of a kClose the reason. Valid until the next call
};

class WsDecoder {
 public:
  WsDecoder(WsSide side, uint32_t max_message_bytes);
  ~WsDecoder();
  WsDecoder(WsDecoder&&) noexcept;
  WsDecoder& operator=(WsDecoder&&) noexcept;

  // Takes bytes from the front of `in` (and unmasks there) until one event is complete. True:
  // `event` is filled; call again. False: all of `in` is used up. After a kClose event the rest is
  // read and dropped.
  // kBadWebSocket: the framing is broken; kFrameTooLarge: the message is, told from its header
  // alone; kBadUtf8: a text message or close reason is not UTF-8. Each is final: the decoder then
  // answers the same for good.
  Result<bool> next(std::span<char>& in, WsEvent& event);

  // Another bound for binary messages; the first one holds for them else.
  void set_max_binary_bytes(uint32_t bytes) { max_binary_bytes_ = bytes; }
  void set_max_text_bytes(uint32_t bytes) { max_message_bytes_ = bytes; }
  bool closed() const { return closed_; }
  size_t stored_bytes() const;  // heap held for partial data, 0 when idle

 private:
  struct Header;
  struct Stored;
  Stored& stored();
  Code parse_header(std::string_view bytes, Header& header) const;
  Code check_header(const Header& header) const;
  Result<bool> from_store(std::span<char>& in, WsEvent& event);
  Result<bool> finish_frame(const Header& header, std::span<char> payload, WsEvent& event);
  Result<bool> finish_close(std::string_view payload, WsEvent& event);
  Result<bool> broken(Code code);

  std::unique_ptr<Stored> stored_;
  uint32_t max_message_bytes_;
  uint32_t max_binary_bytes_;
  WsSide side_;
  bool closed_ = false;
  Code fault_ = Code::kOk;
};

// A key for masking must be unpredictable (section 5.3); 0 is as good a key as any other.
struct WsMask {
  uint32_t key = 0;
};

// Writes the header of an unfragmented frame and returns its size, at most kWsMaxHeaderBytes. With
// `mask`, the payload that follows must be masked with the same key.
size_t write_ws_header(char* out, WsOpcode opcode, uint64_t payload_bytes, const WsMask* mask);

// XORs `bytes` in place with the key as RFC 6455 section 5.3 says, starting at the key's first
// byte.
void apply_ws_mask(std::span<char> bytes, WsMask mask);

void append_ws_frame(std::string& out, WsOpcode opcode, std::string_view payload);  // from a server
void append_ws_frame(std::string& out, WsOpcode opcode, std::string_view payload,
                     WsMask mask);  // from a client

// The payload of a close frame: code and reason, cut to what a control frame may hold.
std::string ws_close_payload(uint16_t code, std::string_view reason);
// Whether `code` may stand in a close frame (section 7.4).
bool is_ws_close_code(uint16_t code);

}  // namespace footlight::net
