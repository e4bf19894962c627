// What each class of viewers sees: one writer per collection of docs/protocol.md, The view. Each
// returns false, having written nothing, when the entity is not there for this class.
#pragma once
#include <algorithm>
#include <charconv>
#include <span>

#include "core/json.h"
#include "episode/internal/impl.h"

namespace footlight::episode {

// The entry of a list, sorted by number, whose number `id` is as to_string writes it.
template <class List, class Number>
const typename List::value_type* find_numbered(const List& list, std::string_view id,
                                               Number number) {
  uint64_t wanted = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), wanted);
  const bool plain = error == std::errc() && end == id.data() + id.size() && id[0] != '0';
  if (!plain) return nullptr;
  const auto found = std::ranges::lower_bound(list, wanted, {}, number);
  return found != list.end() && number(*found) == wanted ? &*found : nullptr;
}

struct ViewWriter {
  const State::Impl& state;
  proto::ViewClass view;

  bool directs() const { return view == proto::ViewClass::kDirector; }

  bool episode(JsonWriter& out, std::string_view id) const;
  bool scene(JsonWriter& out, std::string_view id) const;
  bool story(JsonWriter& out, std::string_view id) const;
  bool poll(JsonWriter& out, std::string_view id) const;
  bool character(JsonWriter& out, std::string_view id) const;
  bool roll(JsonWriter& out, std::string_view id) const;
  bool chat(JsonWriter& out, std::string_view id) const;
  bool caption(JsonWriter& out, std::string_view id) const;
  bool timer(JsonWriter& out, std::string_view id) const;
  bool cue(JsonWriter& out, std::string_view id) const;
  bool moderation(JsonWriter& out, std::string_view id) const;
  bool log_line(JsonWriter& out, std::string_view id) const;

  bool sees_poll(const PollState& poll) const {
    return directs() || poll.phase != PollPhase::kReady;
  }
};

using EntityWriter = bool (ViewWriter::*)(JsonWriter&, std::string_view) const;
struct Collection {
  std::string_view name;
  EntityWriter write;
  // All ids there may be, in order; write() says which of them this class sees.
  std::vector<std::string> (*ids)(const State::Impl&);
};
std::span<const Collection> collections();

}  // namespace footlight::episode
