#include "core/result.h"

namespace footlight {
std::string Error::message() const {
  std::string text = std::to_string(static_cast<int>(code));
  text += ' ';
  text += code_sentence(code);
  if (!detail.empty()) {
    text += " (";
    text += detail;
    text += ')';
  }
  return text;
}
}  // namespace footlight
