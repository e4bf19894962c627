// The cursor of the server messages' decoder: a reader, and where unescaped texts go.
#pragma once
#include <string>
#include <string_view>

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
