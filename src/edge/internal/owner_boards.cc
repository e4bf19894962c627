// The owner's side of its boards (boards.h): who is who, what the view says, the log, the API.
#include <charconv>
#include <utility>

#include "core/json.h"
#include "edge/internal/owner_impl.h"

namespace footlight::edge {
namespace {

ApiAnswer answer_of(Result<std::string> text) {
  if (!text) return api_error(text.error());
  return {200, std::move(*text), 0};
}

Result<uint64_t> read_seq(std::string_view text) {
  uint64_t seq = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seq);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(Code::kFieldOutOfRange, "at: a log sequence");
  }
  return seq;
}

}  // namespace

void Owner::Impl::board_open(EdgeState& edge, bus::BoardOpen& open) {
  const OwnerSession* session = find(edge, open.session);
  if (session == nullptr) return unknown_session(edge, open.session);
  boards->open({{session->edge, session->id}, &session->actor}, open, now_us_);
}

void Owner::Impl::board_close(EdgeState& edge, const bus::BoardClose& close) {
  if (find(edge, close.session) != nullptr)
    boards->close({index_of(edge), close.session}, close.board);
}

void Owner::Impl::board_message(EdgeState& edge, bus::BoardMessage& message) {
  const OwnerSession* session = find(edge, message.session);
  if (session == nullptr) return unknown_session(edge, message.session);
  boards->message({{session->edge, session->id}, &session->actor}, message, now_us_, wall());
}

void Owner::Impl::view_changed(proto::ViewClass which, const std::vector<PatchOut>& patches) {
  for (const PatchOut& patch : patches) {
    boards->view_changed(which, patch.collection, patch.id,
                         patch.entity ? std::string_view(*patch.entity) : std::string_view(),
                         now_us_);
  }
}

void Owner::Impl::board_to_edge(uint32_t edge, bus::ToEdge message) {
  to_edge(edges[edge], std::move(message));
}

void Owner::Impl::load_board(uint64_t ticket, const std::string& board, uint64_t at_seq) {
  options.log->load_board(ticket, board, at_seq);
}

void Owner::Impl::board_points(uint64_t ticket, const std::string& board) {
  options.log->board_points(ticket, board);
}

void Owner::Impl::compact_board(log::BoardSnapshot snapshot, std::vector<uint64_t> drop) {
  options.log->compact_board(std::move(snapshot), std::move(drop));
}

std::string_view Owner::Impl::board_entity(std::string_view collection, std::string_view id) {
  const auto& durable = views[static_cast<size_t>(proto::ViewClass::kDirector)].durable;
  const auto entities = durable.find(std::string(collection));
  if (entities == durable.end()) return {};
  const auto entity = entities->second.find(std::string(id));
  return entity == entities->second.end() ? std::string_view() : *entity->second;
}

void Owner::Impl::board_view(
    proto::ViewClass which,
    const std::function<void(std::string_view, std::string_view, std::string_view)>& visit) {
  for (const auto& [collection, entities] : views[static_cast<size_t>(which)].durable) {
    for (const auto& [id, entity] : entities) visit(collection, id, *entity);
  }
}

void Owner::Impl::api_board(const ApiCall& call, ApiReply reply) {
  const auto answer = [reply](Result<std::string> text) { reply(answer_of(std::move(text))); };
  switch (call.route) {
    case ApiRoute::kBoards:
      return answer(boards->list_json());
    case ApiRoute::kBoardHistory:
      return boards->history(call.board, answer);
    case ApiRoute::kBoard: {
      if (call.at.empty()) return boards->content(call.board, UINT64_MAX, answer);
      const auto seq = read_seq(call.at);
      if (!seq) return answer(std::unexpected(seq.error()));
      return boards->content(call.board, *seq, answer);
    }
    case ApiRoute::kBoardRestore: {
      const auto body = Json::parse(call.body);
      if (!body) return answer(fail(Code::kBadFrame, "the body is {\"at\":…}"));
      const Json& at = (*body)["at"];
      if (!at.is_integer() || at.as_int() < 0) return answer(fail(Code::kMissingField, "at"));
      return boards->restore(call.board, static_cast<uint64_t>(at.as_int()), answer);
    }
    case ApiRoute::kBoardRenew: {
      const auto body = Json::parse(call.body.empty() ? "{}" : call.body);
      if (!body) return answer(fail(Code::kBadFrame, "the body is {\"empty\":…}"));
      return boards->renew(call.board, (*body)["empty"].as_bool(), answer);
    }
    default:
      return reply(api_error({Code::kNotFound, {}, 0}));
  }
}

}  // namespace footlight::edge
