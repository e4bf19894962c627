// The cursor of the server messages' decoder: a reader, and where unescaped texts go.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/json.h"
#include "proto/internal/keep.h"
#include "proto/internal/read.h"

namespace footlight::proto::internal {

inline constexpr size_t kMaxList = 65'536;

struct Source {
  JsonReader in;
  std::string_view frame;
  std::string& storage;

  std::string_view text() { return keep(in.read_string(), frame, storage); }
  Code code() {
    const int64_t number = in.read_int();
    if (in.ok() && number != 0 && (number < 4000 || number > 4999)) {
      in.fault(Code::kFieldOutOfRange);
    }
    return static_cast<Code>(number);
  }
};

// Calls `field(key)` for each member; false from it means: not mine, skip.
template <class Field>
void each_member(Source& from, Field field) {
  std::string_view key;
  if (!from.in.enter_object()) return;
  while (from.in.next_key(key)) {
    if (!field(key)) from.in.skip();
  }
}

template <class Element>
void each_element(Source& from, Element element) {
  size_t count = 0;
  if (!from.in.enter_array()) return;
  while (from.in.next_element()) {
    if (++count > kMaxList) from.in.fault(Code::kBatchTooLarge);
    element();
  }
}

// A fault for fields that must be there: `seen` against `wanted`, a bit each.
inline void require(Source& from, uint32_t seen, uint32_t wanted) {
  if ((seen & wanted) != wanted) from.in.fault(Code::kMissingField);
}

// A member of an object: its name, and a place for its value or a function that reads it.
template <class To>
struct Member {
  std::string_view key;
  To to;
  bool needed;
};
template <class To>
Member<To> must(std::string_view key, To&& to) {
  return {key, std::forward<To>(to), true};
}
template <class To>
Member<To> may(std::string_view key, To&& to) {
  return {key, std::forward<To>(to), false};
}

inline void read_value(Source& from, std::string_view& to) { to = from.text(); }
inline void read_value(Source& from, std::string& to) { to = from.text(); }
inline void read_value(Source& from, uint64_t& to) { to = read_unsigned(from.in); }
inline void read_value(Source& from, uint32_t& to) { to = read_u32(from.in); }
inline void read_value(Source& from, int64_t& to) { to = from.in.read_int(); }
inline void read_value(Source& from, bool& to) { to = from.in.read_bool(); }
inline void read_value(Source& from, std::optional<bool>& to) { to = from.in.read_bool(); }
inline void read_value(Source& from, Code& to) { to = from.code(); }

// Reads an object: its members go where they are said to, others are skipped, and a fault when one
// of `must` is missing. A name that is there twice is read twice.
template <class... To>
void read_members(Source& from, Member<To>... members) {
  static_assert(sizeof...(To) <= 32);
  uint32_t seen = 0;
  each_member(from, [&](std::string_view key) {
    uint32_t bit = 1;
    bool mine = false;
    const auto take = [&](auto& member) {
      if (!mine && key == member.key) {
        mine = true;
        seen |= bit;
        if constexpr (std::is_invocable_v<decltype(member.to)&>) {
          member.to();
        } else {
          read_value(from, member.to);
        }
      }
      bit <<= 1;
    };
    (take(members), ...);
    return mine;
  });
  uint32_t bit = 1, wanted = 0;
  ((wanted |= members.needed ? bit : 0, bit <<= 1), ...);
  require(from, seen, wanted);
}

// ["edge-0",600]: `element(n)` for the elements at 0..N-1, more are skipped, fewer are a fault.
template <class Element>
void read_tuple(Source& from, int size, Element element) {
  int count = 0;
  each_element(from, [&] {
    if (count < size) {
      element(count);
    } else {
      from.in.skip();
    }
    ++count;
  });
  if (count < size) from.in.fault(Code::kMissingField);
}

}  // namespace footlight::proto::internal
