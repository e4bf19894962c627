// Bytes that are made once and sent to many: a chain of immutable slices, each kept alive by its
// owner. A chain can be cut (a byte range) and joined (a segment out of its parts) without touching
// the bytes, and is shared between threads because nothing in it changes.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace footlight {

using Blob = std::shared_ptr<const std::string>;

inline Blob make_blob(std::string bytes) {
  return std::make_shared<const std::string>(std::move(bytes));
}

class Chain {
 public:
  struct Slice {
    Blob owner;
    std::string_view bytes;  // within the owner
  };

  Chain() = default;
  explicit Chain(Blob blob) { add(std::move(blob)); }

  void add(Blob blob) {
    const std::string_view all = *blob;
    if (all.empty()) return;
    size_bytes_ += all.size();
    slices_.push_back({std::move(blob), all});
  }
  void add(const Chain& other) {
    slices_.insert(slices_.end(), other.slices_.begin(), other.slices_.end());
    size_bytes_ += other.size_bytes_;
  }

  const std::vector<Slice>& slices() const { return slices_; }
  uint64_t size_bytes() const { return size_bytes_; }
  // `size` bytes from `first`; both within the chain.
  Chain cut(uint64_t first, uint64_t size) const {
    Chain out;
    for (const Slice& slice : slices_) {
      if (size == 0) break;
      if (first >= slice.bytes.size()) {
        first -= slice.bytes.size();
        continue;
      }
      const std::string_view part = slice.bytes.substr(first, size);
      out.slices_.push_back({slice.owner, part});
      out.size_bytes_ += part.size();
      size -= part.size();
      first = 0;
    }
    return out;
  }
  std::string joined() const {
    std::string out;
    out.reserve(size_bytes_);
    for (const Slice& slice : slices_) out.append(slice.bytes);
    return out;
  }

 private:
  std::vector<Slice> slices_;
  uint64_t size_bytes_ = 0;
};

}  // namespace footlight
