// What is stored of a board: the state of a snapshot (docs/formats/event-log.md, Boards), and which
// of its snapshots are kept.
#pragma once
#include <unordered_map>
#include <vector>

#include "crdt/doc.h"
#include "log/log.h"

namespace footlight::edge {

// Client id → pseudonym of whose it is; 0: the server's. kRetired: of a generation of the board
// that is over; whoever comes with it has a copy of that one.
using BoardOwners = std::unordered_map<uint64_t, uint64_t>;
inline constexpr uint64_t kRetired = UINT64_MAX;

// The server writes each generation under an id of its own, from kMaxClient down, so that where two
// set the same key at once the server's value stands. Nobody else may use these.
inline constexpr uint64_t kFirstServerClient = crdt::kMaxClient - 0xFFFFF;
uint64_t server_client(const BoardOwners& owners);  // of the present generation

// Owners by client id, then the document as an update in format v2.
Bytes encode_board_state(const crdt::Doc& doc, const BoardOwners& owners);

struct BoardState {
  BoardOwners owners;
  ByteView update;  // within the state
};
Result<BoardState> decode_board_state(ByteView state);  // kBoardDamaged

// A document from what the log has. kBoardDamaged when something of it does not fit.
struct LoadedBoard {
  std::unique_ptr<crdt::Doc> doc;
  BoardOwners owners;
  uint64_t n = 0;
  uint64_t generation = 0;  // 0: never had a snapshot
  size_t snapshot_bytes = 0;
  size_t update_bytes = 0;
  size_t updates = 0;
};
Result<LoadedBoard> load_board(const log::BoardFile& file);

inline constexpr size_t kMostBoardSnapshots = 32;
// Of snapshots in order of time, with a new one to come at `now_ms`: those to give up, by index.
// The first and the latest stay; others go where they stand closest, measured by their age.
std::vector<size_t> snapshots_to_drop(std::vector<WallMs> at_ms, WallMs now_ms);

}  // namespace footlight::edge
