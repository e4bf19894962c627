// The messages of y-protocols, as y-websocket frames them: how two replicas come to hold the same
// document, and who is there. Bytes in, views out; no state.
//
// Source: y-protocols PROTOCOL.md, sync.js, auth.js; y-websocket's message types.
#pragma once
#include <cstdint>
#include <string_view>

#include "core/bytes.h"
#include "core/result.h"

namespace footlight::crdt {

enum class MessageKind : uint8_t {
  kStep1,           // payload: a state vector
  kStep2,           // payload: an update
  kUpdate,          // payload: an update
  kAwareness,       // payload: an awareness update
  kQueryAwareness,  // no payload
  kOther,           // of no concern here (auth, what later versions add)
};

struct SyncMessage {
  MessageKind kind = MessageKind::kOther;
  ByteView payload;  // within the message
};

// kBoardMalformed when it is cut off or holds more than the message. Unknown types are kOther.
Result<SyncMessage> read_message(ByteView message);

Bytes step1_message(ByteView state_vector);
Bytes step2_message(ByteView update);
Bytes update_message(ByteView update);
Bytes awareness_message(ByteView update);
Bytes query_awareness_message();

// The frame of the session protocol (docs/protocol.md, Boards): 0x01, the board's id, the message.
inline constexpr uint8_t kBoardFrame = 0x01;
struct BoardFrameView {
  std::string_view board;
  ByteView message;
};
Result<BoardFrameView> read_board_frame(ByteView frame);  // kBoardMalformed
Bytes board_frame(std::string_view board, ByteView message);

}  // namespace footlight::crdt
