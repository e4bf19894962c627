// The CRDT benchmark: scenarios that bench/crdt/scenarios.mjs has for yjs, played on the engine.
// Both sides draw the same histories, so that the documents can be compared by hash.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/doc.h"

namespace footlight::crdt::bench {

// mulberry32, as in bench/crdt/prng.mjs.
class Mulberry {
 public:
  explicit Mulberry(uint32_t seed) : state_(seed) {}
  uint32_t below(uint64_t bound) { return static_cast<uint32_t>((next() * bound) >> 32); }
  std::string word(uint32_t low, uint32_t high) {
    std::string text;
    for (uint32_t n = low + below(high - low + 1); n > 0; --n) {
      text += static_cast<char>('a' + below(26));
    }
    return text;
  }

 private:
  uint64_t next() {
    state_ += 0x6d2b79f5;
    uint32_t t = (state_ ^ (state_ >> 15)) * (1 | state_);
    t = (t + (t ^ (t >> 7)) * (61 | t)) ^ t;
    return t ^ (t >> 14);
  }
  uint32_t state_;
};

inline constexpr uint64_t kFirstId = 2654435761;  // as in scenarios.mjs

// A document that keeps the updates it emits.
struct Writer {
  explicit Writer(uint64_t client, std::vector<Bytes>* updates = nullptr);
  Doc doc;
};
void apply_all(Doc& doc, const std::vector<Bytes>& updates);

struct Outcome {
  Bytes state;         // what is hashed
  uint64_t bytes = 0;  // of the state when 0
};

struct Scenario {
  std::function<void()> run;  // timed
  std::function<Outcome()> result;
};
// Sets a scenario up; `data` is the folder with the prepared inputs.
using Make = std::function<Scenario(const std::string& data)>;
struct Named {
  std::string name;
  Make make;
};

std::vector<Named> following_scenarios();  // B1
std::vector<Named> conflict_scenarios();   // B2, B3, same origin
std::vector<Named> store_scenarios();      // B4, parsing, merging, late updates

Bytes read_file(const std::string& path);
Outcome state_of(const Doc& doc);

// One edit of a text.
struct Edit {
  uint64_t index = 0;
  uint64_t remove = 0;
  std::string insert;
};
void play(Text& text, const Edit& edit);

}  // namespace footlight::crdt::bench
