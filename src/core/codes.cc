#include "core/codes.h"

namespace footlight {

std::string_view code_sentence(Code code) {
  switch (code) {
#define X(name, number, sentence) \
  case Code::name:                \
    return sentence;
    FOOTLIGHT_CODES(X)
#undef X
    case Code::kOk:
      break;
  }
  return "";
}

std::string_view code_name(Code code) {
  switch (code) {
#define X(name, number, sentence) \
  case Code::name:                \
    return #name;
    FOOTLIGHT_CODES(X)
#undef X
    case Code::kOk:
      break;
  }
  return "kOk";
}

}  // namespace footlight
