#include "crdt/scratch.h"

#include <algorithm>

namespace footlight::crdt {
namespace {
constexpr size_t kMinChunk = 4096;
}

uint8_t* Scratch::allocate(size_t size) {
  used_ += size;
  if (!chunks_.empty() && chunks_[chunk_].size - at_ >= size) {
    uint8_t* out = chunks_[chunk_].data.get() + at_;
    at_ += size;
    return out;
  }
  const size_t next = chunks_.empty() ? 0 : chunk_ + 1;
  if (next == chunks_.size() || chunks_[next].size < size) {
    const size_t last = chunks_.empty() ? 0 : chunks_[chunk_].size;
    Chunk chunk;
    chunk.size = std::max({size, 2 * last, kMinChunk});
    chunk.data = std::make_unique_for_overwrite<uint8_t[]>(chunk.size);
    chunks_.insert(chunks_.begin() + static_cast<ptrdiff_t>(next), std::move(chunk));
  }
  chunk_ = next;
  at_ = size;
  return chunks_[next].data.get();
}

void Scratch::clear() {
  // One chunk as large as all: an update of the same kind then fits without a new one.
  if (chunks_.size() > 1) {
    const auto largest =
        std::max_element(chunks_.begin(), chunks_.end(),
                         [](const Chunk& a, const Chunk& b) { return a.size < b.size; });
    std::iter_swap(chunks_.begin(), largest);
    chunks_.resize(1);
  }
  chunk_ = 0;
  at_ = 0;
  used_ = 0;
}

}  // namespace footlight::crdt
