// Memory for content whose wire form is not the canonical one. What it hands out keeps its place
// until clear(), which keeps the memory for the next update.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "crdt/lib0.h"

namespace footlight::crdt {

class Scratch {
 public:
  uint8_t* allocate(size_t size);
  void clear();
  size_t used() const { return used_; }  // bytes handed out since clear()
  // An empty buffer to compose something in; its bytes stand until the next call.
  Encoder& workspace() {
    workspace_.clear();
    return workspace_;
  }

 private:
  struct Chunk {
    std::unique_ptr<uint8_t[]> data;
    size_t size = 0;
  };
  std::vector<Chunk> chunks_;
  size_t chunk_ = 0;  // the one in use
  size_t at_ = 0;     // bytes of it that are taken
  size_t used_ = 0;
  Encoder workspace_;
};

}  // namespace footlight::crdt
