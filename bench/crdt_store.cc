// B4, the paper's 259,778 edits; reading, merging and late arrival of updates.
#include <cstring>

#include "crdt/merge.h"
#include "crdt_bench.h"

namespace footlight::crdt::bench {
namespace {

uint32_t u32_at(const Bytes& bytes, size_t at) {
  uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::vector<Edit> read_trace(const std::string& path) {
  const Bytes bytes = read_file(path);
  std::vector<Edit> edits;
  for (size_t at = 0; at < bytes.size();) {
    const uint32_t size = u32_at(bytes, at + 8);
    const auto* text = reinterpret_cast<const char*>(bytes.data() + at + 12);
    edits.push_back({u32_at(bytes, at), u32_at(bytes, at + 4), std::string(text, size)});
    at += 12 + size;
  }
  return edits;
}

std::vector<Bytes> read_updates(const std::string& path) {
  const Bytes bytes = read_file(path);
  std::vector<Bytes> updates;
  for (size_t at = 0; at < bytes.size();) {
    const uint32_t size = u32_at(bytes, at);
    const uint8_t* from = bytes.data() + at + 4;
    updates.emplace_back(from, from + size);
    at += 4 + size;
  }
  return updates;
}

Scenario paper(const std::string& data) {
  struct State {
    std::vector<Edit> edits;
    std::unique_ptr<Writer> writer;
    uint64_t emitted = 0;
  };
  auto state = std::make_shared<State>();
  state->edits = read_trace(data + "/b4.trace");
  return Scenario{[state] {
                    state->writer = std::make_unique<Writer>(1);
                    Doc& doc = state->writer->doc;
                    doc.on_update(UpdateFormat::kV1, [state](const UpdateEvent& event) {
                      state->emitted += event.update.size();
                    });
                    Text text = *doc.text("text");
                    for (const Edit& edit : state->edits) play(text, edit);
                  },
                  [state] { return state_of(state->writer->doc); }};
}

Make parse(const std::string& file, UpdateFormat format, bool count_file) {
  return [=](const std::string& data) {
    struct State {
      Bytes stored;
      std::unique_ptr<Writer> reader;
    };
    auto state = std::make_shared<State>();
    state->stored = read_file(data + file);
    return Scenario{[=] {
                      state->reader = std::make_unique<Writer>(2);
                      (void)state->reader->doc.apply_update(state->stored, format);
                    },
                    [=] {
                      Outcome outcome = state_of(state->reader->doc);
                      if (count_file) outcome.bytes = state->stored.size();
                      return outcome;
                    }};
  };
}

Make encode(const std::string& file, UpdateFormat format) {
  return [=](const std::string& data) {
    struct State {
      Writer reader{2};
      Bytes bytes;
    };
    auto state = std::make_shared<State>();
    (void)state->reader.doc.apply_update(read_file(data + file), format);
    return Scenario{[=] { state->bytes = *state->reader.doc.encode_state_as_update(format); },
                    [=] { return Outcome{state->bytes, 0}; }};
  };
}

Scenario keystrokes(const std::string& data) {
  struct State {
    std::vector<Bytes> updates;
    std::vector<ByteView> views;
    Bytes merged;
  };
  auto state = std::make_shared<State>();
  state->updates = read_updates(data + "/keystrokes");
  state->views.assign(state->updates.begin(), state->updates.end());
  return Scenario{[state] { state->merged = *merge_updates(state->views, UpdateFormat::kV1); },
                  [state] {
                    Writer reader(2);
                    (void)reader.doc.apply_update(state->merged, UpdateFormat::kV1);
                    Outcome outcome = state_of(reader.doc);
                    outcome.bytes = state->merged.size();
                    return outcome;
                  }};
}

Make late(bool first_last) {
  return [=](const std::string&) {
    struct State {
      std::vector<Bytes> updates;
      std::unique_ptr<Writer> reader;
    };
    auto state = std::make_shared<State>();
    Writer writer(1, &state->updates);
    Text text = *writer.doc.text("text");
    for (uint64_t i = 0; i < 4001; ++i) {
      const char letter = static_cast<char>('a' + i % 26);
      (void)text.insert(i, std::string_view(&letter, 1));
    }
    if (first_last) {
      Bytes first = std::move(state->updates.front());
      state->updates.erase(state->updates.begin());
      state->updates.push_back(std::move(first));
    }
    return Scenario{[state] {
                      state->reader = std::make_unique<Writer>(2);
                      apply_all(state->reader->doc, state->updates);
                    },
                    [state] { return state_of(state->reader->doc); }};
  };
}

}  // namespace

std::vector<Named> store_scenarios() {
  return {
      {"B4", paper},
      {"B4 parse v1", parse("/b4.v1", UpdateFormat::kV1, false)},
      {"B4 parse v2", parse("/b4.v2", UpdateFormat::kV2, false)},
      {"B4 encode v1", encode("/b4.v1", UpdateFormat::kV1)},
      {"B4 encode v2", encode("/b4.v2", UpdateFormat::kV2)},
      {"keystrokes merge", keystrokes},
      {"updates in order", late(false)},
      {"updates behind one missing", late(true)},
      {"alternating load", parse("/alternating.v1", UpdateFormat::kV1, true)},
  };
}

}  // namespace footlight::crdt::bench
