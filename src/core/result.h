// Expected failure: a numbered code and a sentence that says what to do. Exceptions do not cross a
// module's edge.
#pragma once
#include <expected>
#include <string>
#include <utility>

#include "core/codes.h"

namespace footlight {

struct Error {
  Code code = Code::kInternal;
  std::string detail;           // what exactly; may be empty. Never holds a secret.
  uint32_t retry_after_ms = 0;  // > 0: the same request may succeed after this long

  // "4305 The poll is closed; ... (poll fork)"
  std::string message() const;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> fail(Code code, std::string detail = {},
                                   uint32_t retry_after_ms = 0) {
  return std::unexpected<Error>(Error{code, std::move(detail), retry_after_ms});
}

}  // namespace footlight
