// crdt_replica IN OUT: documents of the engine, played by a driver over two FIFOs.
//
// A request is a u32 (little-endian) length and that many bytes of commands; the answer has the
// same form. The driver is lib/link.mjs; it compares what is answered with yjs.
#include <cstdio>

#include "replica_player.h"

namespace {

bool read_all(std::FILE* in, uint8_t* to, size_t size) {
  return std::fread(to, 1, size, in) == size;
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) return std::fprintf(stderr, "usage: crdt_replica IN OUT\n"), 2;
  std::FILE* in = std::fopen(words[1], "rb");
  std::FILE* out = std::fopen(words[2], "wb");
  if (in == nullptr || out == nullptr) return 2;
  footlight::crdt::replica::Player player;
  footlight::Bytes request;
  for (uint8_t head[4]; read_all(in, head, sizeof head);) {
    const uint32_t size = head[0] | head[1] << 8 | head[2] << 16 | uint32_t{head[3]} << 24;
    request.resize(size);
    if (!read_all(in, request.data(), size)) return 1;
    const footlight::Bytes answer = player.play(request);
    for (int i = 0; i < 4; ++i) head[i] = static_cast<uint8_t>(answer.size() >> (8 * i));
    std::fwrite(head, 1, sizeof head, out);
    std::fwrite(answer.data(), 1, answer.size(), out);
    std::fflush(out);
  }
  return 0;
}
