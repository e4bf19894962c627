#include "crdt/sync.h"

#include "crdt/lib0.h"

namespace footlight::crdt {
namespace {

constexpr uint64_t kSync = 0;
constexpr uint64_t kAwarenessType = 1;
constexpr uint64_t kQueryAwarenessType = 3;
constexpr uint64_t kMaxBoardIdBytes = 64;

std::unexpected<Error> malformed(std::string_view why) {
  return fail(Code::kBoardMalformed, std::string(why));
}

Bytes sync_message(uint8_t kind, ByteView payload) {
  Encoder out;
  out.u8(kSync);
  out.u8(kind);
  out.var_bytes(payload);
  return out.to_bytes();
}

}  // namespace

Result<SyncMessage> read_message(ByteView message) {
  Decoder in(message);
  SyncMessage out;
  const uint64_t type = in.var_uint();
  if (type == kSync) {
    const uint64_t kind = in.var_uint();
    if (in.ok() && kind > 2) return out;
    out.kind = kind == 0   ? MessageKind::kStep1
               : kind == 1 ? MessageKind::kStep2
                           : MessageKind::kUpdate;
    out.payload = in.var_bytes();
  } else if (type == kAwarenessType) {
    out.kind = MessageKind::kAwareness;
    out.payload = in.var_bytes();
  } else if (type == kQueryAwarenessType) {
    out.kind = MessageKind::kQueryAwareness;
  } else if (in.ok()) {
    return out;
  }
  if (!in.ok()) return malformed(fault_text(in.fault()));
  if (!in.at_end()) return malformed(fault_text(Fault::kTrailing));
  return out;
}

Bytes step1_message(ByteView state_vector) { return sync_message(0, state_vector); }
Bytes step2_message(ByteView update) { return sync_message(1, update); }
Bytes update_message(ByteView update) { return sync_message(2, update); }

Bytes awareness_message(ByteView update) {
  Encoder out;
  out.u8(kAwarenessType);
  out.var_bytes(update);
  return out.to_bytes();
}

Bytes query_awareness_message() { return {static_cast<uint8_t>(kQueryAwarenessType)}; }

Result<BoardFrameView> read_board_frame(ByteView frame) {
  Decoder in(frame);
  if (in.u8() != kBoardFrame) return malformed("the frame is not of a board");
  BoardFrameView out;
  out.board = in.var_text();
  if (!in.ok()) return malformed(fault_text(in.fault()));
  if (out.board.empty() || out.board.size() > kMaxBoardIdBytes) return malformed("the board's id");
  out.message = in.bytes(in.remaining());
  return out;
}

Bytes board_frame(std::string_view board, ByteView message) {
  Encoder out;
  out.u8(kBoardFrame);
  out.var_text(board);
  out.bytes(message);
  return out.to_bytes();
}

}  // namespace footlight::crdt
