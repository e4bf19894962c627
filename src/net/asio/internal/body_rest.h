// What is left of an answer on its way: its head, its body, and then the slices of a chain. Points
// into them; they are kept elsewhere.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "core/chain.h"

namespace footlight::net {

class BodyRest {
 public:
  BodyRest() = default;
  BodyRest(std::string_view head, std::string_view body, const Chain* chain)
      : head_(head), body_(body), chain_(chain) {}

  bool empty() const {
    return head_.empty() && body_.empty() && (!chain_ || slice_ == chain_->slices().size());
  }
  // As many pieces as a transport takes at once.
  std::span<const std::string_view> next(std::array<std::string_view, 4>& parts) const {
    size_t count = 0;
    if (!head_.empty()) parts[count++] = head_;
    if (!body_.empty()) parts[count++] = body_;
    for (size_t i = slice_; chain_ && i < chain_->slices().size() && count < parts.size(); ++i) {
      parts[count++] = chain_->slices()[i].bytes.substr(i == slice_ ? of_slice_ : 0);
    }
    return std::span(parts).first(count);
  }
  // The first piece, which is not empty unless all is.
  std::string_view first() const {
    if (!head_.empty()) return head_;
    if (!body_.empty()) return body_;
    return empty() ? std::string_view() : chain_->slices()[slice_].bytes.substr(of_slice_);
  }
  void take(size_t bytes) {
    for (std::string_view* part : {&head_, &body_}) {
      const size_t of_part = std::min(bytes, part->size());
      part->remove_prefix(of_part);
      bytes -= of_part;
    }
    while (bytes > 0) {
      const size_t left = chain_->slices()[slice_].bytes.size() - of_slice_;
      const size_t of_this = std::min(bytes, left);
      of_slice_ += of_this;
      bytes -= of_this;
      if (of_this < left) return;
      ++slice_;
      of_slice_ = 0;
    }
  }

 private:
  std::string_view head_, body_;
  const Chain* chain_ = nullptr;
  size_t slice_ = 0, of_slice_ = 0;  // the first that is left, and how much of it is gone
};

}  // namespace footlight::net
