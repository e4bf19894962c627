// Boards in the producer's API: what there is, what it holds, what it held, and back to that.
#include <algorithm>
#include <utility>

#include "core/json.h"
#include "edge/internal/board_content.h"
#include "edge/internal/boards_impl.h"

namespace footlight::edge {
namespace {

constexpr size_t kMostPoints = 2'000;

std::string content_text(std::string_view id, uint64_t n, uint64_t generation, crdt::Doc& doc) {
  std::string text;
  JsonWriter out(text);
  out.object().field("board", id).field("n", n).field("gen", generation);
  out.key("content").raw(board_json(doc)).end_object();
  return text;
}

}  // namespace

std::string Boards::Impl::list_json() const {
  std::string text;
  JsonWriter out(text);
  out.object().key("boards").array();
  for (const auto& board : boards) {
    if (board->def == nullptr) continue;
    out.object().field("id", std::string_view(board->id));
    out.field("title", std::string_view(board->def->title));
    out.field("kind", std::string_view(board->def->kind)).field("gen", board->generation);
    out.field("sessions", static_cast<uint64_t>(board->members.size()));
    out.field("present", static_cast<uint64_t>(board->awareness.size()));
    out.field("loaded", board->state == Board::State::kLoaded);
    if (board->state == Board::State::kLoaded) {
      out.field("n", board->n);
      out.field("bytes", static_cast<uint64_t>(board->base_bytes + board->grown_bytes));
    }
    if (board->state == Board::State::kDamaged) {
      out.field("damage", std::string_view(board->damage.detail));
    }
    out.end_object();
  }
  out.end_array().end_object();
  return text;
}

void Boards::Impl::when_loaded(Board& board, std::function<void(Board&)> then) {
  if (board.state == Board::State::kLoaded || board.state == Board::State::kDamaged) {
    return then(board);
  }
  waiting[board.handle].push_back(std::move(then));
  need(board);
}

void Boards::Impl::content(std::string_view id, uint64_t at_seq, BoardReply reply) {
  Board* board = find(id, proto::Role::kProducer);
  if (board == nullptr) return reply(fail(Code::kBoardUnknown, std::string(id)));
  if (at_seq == UINT64_MAX) {
    return when_loaded(*board, [reply = std::move(reply)](Board& ready) {
      if (ready.state != Board::State::kLoaded) return reply(std::unexpected(ready.damage));
      ready.idle_us = INT64_MIN / 2;  // it was only looked at
      reply(content_text(ready.id, ready.n, ready.generation, *ready.doc));
    });
  }
  const uint64_t ticket = next_ticket++;
  loads.emplace(ticket, [this, handle = board->handle,
                         reply = std::move(reply)](Result<log::BoardFile> file) {
    if (!file) return reply(std::unexpected(file.error()));
    auto made = load_board(*file);
    if (!made) return reply(std::unexpected(made.error()));
    const Board& of = *boards[handle];
    const uint64_t generation = made->generation != 0 ? made->generation : of.generation;
    reply(content_text(of.id, made->n, generation, *made->doc));
  });
  options.port->load_board(ticket, board->stored, at_seq);
}

void Boards::Impl::history(std::string_view id, BoardReply reply) {
  Board* board = find(id, proto::Role::kProducer);
  if (board == nullptr) return reply(fail(Code::kBoardUnknown, std::string(id)));
  const uint64_t ticket = next_ticket++;
  point_loads.emplace(ticket, std::move(reply));
  options.port->board_points(ticket, board->stored);
}

void Boards::points(uint64_t ticket, Result<std::vector<log::BoardPoint>> points) {
  const auto found = impl_->point_loads.find(ticket);
  if (found == impl_->point_loads.end()) return;
  const BoardReply reply = std::move(found->second);
  impl_->point_loads.erase(found);
  if (!points) return reply(std::unexpected(points.error()));
  // Several edits of one moment of the timeline are one point: the last of them.
  std::vector<log::BoardPoint> moments;
  for (const log::BoardPoint& point : *points) {
    if (!moments.empty() && moments.back().seq == point.seq) moments.pop_back();
    moments.push_back(point);
  }
  const size_t skip = moments.size() > kMostPoints ? moments.size() - kMostPoints : 0;
  std::string text;
  JsonWriter out(text);
  out.object().key("points").array();
  for (size_t i = skip; i < moments.size(); ++i) {
    const log::BoardPoint& point = moments[i];
    out.object().field("log", point.seq).field("at_ms", point.at_ms).field("n", point.n);
    out.field("bytes", point.bytes).field("snapshot", point.snapshot).end_object();
  }
  out.end_array().end_object();
  reply(std::move(text));
}

void Boards::Impl::restore(std::string_view id, uint64_t at_seq, BoardReply reply) {
  Board* board = find(id, proto::Role::kProducer);
  if (board == nullptr) return reply(fail(Code::kBoardUnknown, std::string(id)));
  if (board->def == nullptr) return reply(fail(Code::kBoardReadOnly, std::string(id)));
  if (halted) return reply(std::unexpected(*halted));
  when_loaded(*board, [this, at_seq, reply = std::move(reply)](Board& ready) {
    if (ready.state != Board::State::kLoaded) return reply(std::unexpected(ready.damage));
    ready.idle_us = now_us;
    const uint64_t ticket = next_ticket++;
    loads.emplace(ticket, [this, handle = ready.handle, reply](Result<log::BoardFile> file) {
      // It may have been unloaded meanwhile.
      auto shared = std::make_shared<Result<log::BoardFile>>(std::move(file));
      when_loaded(*boards[handle], [this, shared, reply](Board& again) {
        restore_from(again, std::move(*shared), reply);
      });
    });
    options.port->load_board(ticket, ready.stored, at_seq);
  });
}

void Boards::Impl::restore_from(Board& board, Result<log::BoardFile> file, BoardReply reply) {
  if (!file) return reply(std::unexpected(file.error()));
  if (board.state != Board::State::kLoaded) return reply(std::unexpected(board.damage));
  auto made = load_board(*file);
  if (!made) return reply(std::unexpected(made.error()));
  board.emitted.clear();
  make_equal(*board.doc, *made->doc);
  const bool changed = !board.emitted.empty();
  write(board, 0, now_us);
  // Mirrored fields go on showing the present.
  for (BoardMirrorState& mirror : board.mirrors) mirror.due_us = now_us;
  if (!board.mirrors.empty()) board.mirror_due_us = now_us;
  std::string text;
  JsonWriter out(text);
  out.object().field("board", std::string_view(board.id)).field("n", board.n);
  out.field("changed", changed).end_object();
  if (BoardBatch* batch = batch_in_the_way()) {
    batch->replies.emplace_back(std::move(reply), std::move(text));
  } else {
    reply(std::move(text));
  }
}

std::string Boards::list_json() const { return impl_->list_json(); }

void Boards::content(std::string_view board, uint64_t at_seq, BoardReply reply) {
  impl_->content(board, at_seq, std::move(reply));
}
void Boards::history(std::string_view board, BoardReply reply) {
  impl_->history(board, std::move(reply));
}
void Boards::restore(std::string_view board, uint64_t at_seq, BoardReply reply) {
  impl_->restore(board, at_seq, std::move(reply));
}

}  // namespace footlight::edge
