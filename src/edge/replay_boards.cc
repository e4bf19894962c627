// Boards of a log that nobody owns.
#include <algorithm>

#include "edge/internal/board_content.h"
#include "edge/internal/board_state.h"
#include "edge/replay.h"

namespace footlight::edge {

Result<std::string> board_json(log::EventLog& log, std::string_view board, uint64_t at_seq) {
  if (log.boards() == nullptr) return fail(Code::kBoardUnknown, std::string(board));
  const auto names = log.boards()->names();
  if (!names) return std::unexpected(names.error());
  if (std::ranges::find(*names, board) == names->end()) {
    return fail(Code::kBoardUnknown, std::string(board) + ": nobody has edited it");
  }
  auto file = log.boards()->load(board, at_seq);
  if (!file) return std::unexpected(file.error());
  auto loaded = load_board(*file);
  if (!loaded) return std::unexpected(loaded.error());
  return board_json(*loaded->doc);
}

}  // namespace footlight::edge
