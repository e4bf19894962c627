// crdt_scenarios DATA run NAME...   times scenarios, one JSON line each (as bench/crdt/yjs.mjs)
// crdt_scenarios DATA memory       memory of the stored documents
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "core/sha256.h"
#include "crdt_bench.h"

namespace footlight::crdt::bench {

Writer::Writer(uint64_t client, std::vector<Bytes>* updates)
    : doc(DocOptions{.client = kFirstId + client}) {
  if (updates == nullptr) return;
  doc.on_update(UpdateFormat::kV1, [updates](const UpdateEvent& event) {
    updates->emplace_back(event.update.begin(), event.update.end());
  });
}

void apply_all(Doc& doc, const std::vector<Bytes>& updates) {
  for (const Bytes& update : updates) (void)doc.apply_update(update, UpdateFormat::kV1);
}

void play(Text& text, const Edit& edit) {
  if (edit.remove > 0) (void)text.erase(edit.index, edit.remove);
  if (!edit.insert.empty()) (void)text.insert(edit.index, edit.insert);
}

Bytes read_file(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return {};
  Bytes bytes;
  uint8_t part[65536];
  for (size_t got; (got = std::fread(part, 1, sizeof part, file)) > 0;) {
    bytes.insert(bytes.end(), part, part + got);
  }
  std::fclose(file);
  return bytes;
}

Outcome state_of(const Doc& doc) {
  return Outcome{*doc.encode_state_as_update(UpdateFormat::kV1), 0};
}

namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point from) {
  return std::chrono::duration<double, std::milli>(Clock::now() - from).count();
}

// As time() of yjs.mjs: the median of runs, the first of more than two left out.
void time(const std::string& name, const Scenario& scenario) {
  std::vector<double> took;
  const auto began = Clock::now();
  do {
    const auto from = Clock::now();
    scenario.run();
    took.push_back(ms_since(from));
  } while ((ms_since(began) < 300 || took.size() < 2) && took.size() < 40 &&
           ms_since(began) < 12000);
  if (took.size() > 2) took.erase(took.begin());
  std::sort(took.begin(), took.end());
  const Outcome outcome = scenario.result();
  const auto digest = sha256(outcome.state);
  std::printf(
      "{\"name\":\"%s\",\"ms\":%.4f,\"runs\":%zu,\"bytes\":%llu,\"hash\":\"%s\"}\n", name.c_str(),
      took[took.size() / 2], took.size(),
      static_cast<unsigned long long>(outcome.bytes != 0 ? outcome.bytes : outcome.state.size()),
      to_hex(digest).substr(0, 16).c_str());
  std::fflush(stdout);
}

// Bytes that the allocator has handed out, large ones included.
size_t heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

void memory(const std::string& data) {
  struct Stored {
    const char* name;
    const char* file;
    UpdateFormat format;
  };
  for (const Stored& stored :
       {Stored{"B4 memory", "/b4.v2", UpdateFormat::kV2},
        Stored{"alternating memory", "/alternating.v1", UpdateFormat::kV1}}) {
    const Bytes bytes = read_file(data + stored.file);
    if (bytes.empty()) continue;
    const size_t before = heap_bytes();
    auto reader = std::make_unique<Writer>(2);
    (void)reader->doc.apply_update(bytes, stored.format);
    const size_t held = heap_bytes() - before;
    const DocStats stats = reader->doc.stats();
    reader.reset();
    std::printf(
        "{\"name\":\"%s\",\"memory_bytes\":%zu,\"accounted_bytes\":%llu,\"structs\":%llu,"
        "\"left_bytes\":%lld}\n",
        stored.name, held, static_cast<unsigned long long>(stats.memory_bytes),
        static_cast<unsigned long long>(stats.structs),
        static_cast<long long>(heap_bytes()) - static_cast<long long>(before));
  }
}

int run(int count, char** words) {
  if (count < 3)
    return std::fprintf(stderr, "usage: crdt_scenarios DATA run|memory [NAME...]\n"), 2;
  const std::string data = words[1];
  if (std::strcmp(words[2], "memory") == 0) return memory(data), 0;
  std::vector<Named> known = following_scenarios();
  for (auto* more : {&conflict_scenarios, &store_scenarios}) {
    for (Named& named : more()) known.push_back(std::move(named));
  }
  for (int i = 3; i < count; ++i) {
    for (const Named& named : known) {
      if (named.name == words[i]) time(named.name, named.make(data));
    }
  }
  return 0;
}

}  // namespace
}  // namespace footlight::crdt::bench

int main(int count, char** words) { return footlight::crdt::bench::run(count, words); }
