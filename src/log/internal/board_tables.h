// The tables of the boards (docs/formats/event-log.md, Boards): every row carries a checksum over
// all its columns, so that damage is found in the board it happened to.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "core/sha256.h"
#include "log/internal/sqlite.h"
#include "log/log.h"

namespace footlight::log::internal {

// SHA-256 over the row's place and content.
Hash256 board_update_sum(const BoardUpdate& update, uint64_t seq);
Hash256 board_snapshot_sum(const BoardSnapshot& snapshot, uint64_t seq);

// Statements on an open connection. The caller begins and commits; a step that does not succeed is
// left to it to judge: false.
class BoardTables {
 public:
  Status prepare(const Connection& db);
  bool ready() const { return ready_; }

  bool insert(const BoardUpdate& update, uint64_t seq);
  bool insert(const BoardSnapshot& snapshot, uint64_t seq);
  bool drop_updates(std::string_view board, uint64_t up_to_n);
  bool drop_snapshot(std::string_view board, uint64_t n);
  // The seq that stands with the newest update or snapshot of at most `n`; 0 when there is none.
  Result<uint64_t> seq_of(std::string_view board, uint64_t n);

  Result<BoardFile> load(std::string_view board, uint64_t at_seq);
  Result<std::vector<BoardPoint>> points(std::string_view board);
  Result<std::vector<std::string>> names();

 private:
  Result<std::optional<BoardSnapshot>> newest_snapshot(std::string_view board, uint64_t at_seq,
                                                       uint64_t& seq);

  const Connection* db_ = nullptr;
  Statement insert_update_, insert_snapshot_, drop_updates_, drop_snapshot_, seq_, snapshot_,
      updates_, first_, points_, names_;
  bool ready_ = false;
};

}  // namespace footlight::log::internal
