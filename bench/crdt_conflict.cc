// B2: two write at once. B3: many write at once.
#include "crdt_bench.h"

namespace footlight::crdt::bench {
namespace {

constexpr uint32_t kN = 6000;
constexpr uint32_t kClients = 1540;

using EditsOf = std::function<std::vector<Edit>(Mulberry)>;

void clash_once(const std::vector<Edit>& a, const std::vector<Edit>& b,
                std::unique_ptr<Writer>& kept) {
  std::vector<Bytes> first, second;
  kept = std::make_unique<Writer>(1, &first);
  Doc& one = kept->doc;
  (void)one.text("text")->insert(0, Mulberry(6).word(100, 100));
  Writer other(2, &second);
  Doc& two = other.doc;
  apply_all(two, first);
  second.clear();
  first.clear();
  const auto write = [](Doc& doc, const std::vector<Edit>& edits) {
    doc.transact([&] {
      Text at = *doc.text("text");
      for (const Edit& edit : edits) play(at, edit);
    });
  };
  write(one, a);
  write(two, b);
  // What each emits while it applies is not part of what it sends.
  const std::vector<Bytes> from_one = first, from_two = second;
  apply_all(one, from_two);
  apply_all(two, from_one);
}

Make clash(const EditsOf& edits) {
  return [=](const std::string&) {
    struct State {
      std::vector<Edit> a, b;
      std::unique_ptr<Writer> one;
    };
    auto state = std::make_shared<State>(State{edits(Mulberry(7)), edits(Mulberry(8)), nullptr});
    return Scenario{[state] { clash_once(state->a, state->b, state->one); },
                    [state] { return state_of(state->one->doc); }};
  };
}

std::vector<Edit> places(Mulberry rng, uint32_t low, uint32_t high) {
  uint64_t length = 100;
  std::vector<Edit> list;
  for (uint32_t i = 0; i < kN; ++i) {
    const uint64_t index = rng.below(length + 1);
    list.push_back({index, 0, rng.word(low, high)});
    length += list.back().insert.size();
  }
  return list;
}

std::vector<Edit> mixed(Mulberry rng) {
  uint64_t length = 100;
  std::vector<Edit> list;
  for (uint32_t i = 0; i < kN; ++i) {
    Edit edit;
    edit.index = rng.below(length);
    if (length < 20 || rng.below(2) == 0) {
      edit.insert = rng.word(3, 8);
      length += edit.insert.size();
    } else {
      edit.remove = 1 + rng.below(std::min<uint64_t>(5, length - edit.index));
      length -= edit.remove;
    }
    list.push_back(std::move(edit));
  }
  return list;
}

using WriteOf = std::function<void(Doc&, uint32_t)>;

// `count` clients write one thing each, knowing of nobody; the writing is timed only in B3.
Make crowd(uint32_t count, const WriteOf& write, bool timed) {
  return [=](const std::string&) {
    struct State {
      std::vector<Bytes> updates;
      std::unique_ptr<Writer> first;
    };
    auto state = std::make_shared<State>();
    const auto all_write = [=] {
      state->updates.clear();
      for (uint32_t i = 0; i < count; ++i) {
        Writer writer(i + 1, &state->updates);
        write(writer.doc, i);
      }
    };
    if (!timed) all_write();
    return Scenario{[=] {
                      if (timed) all_write();
                      state->first = std::make_unique<Writer>(100000);
                      apply_all(state->first->doc, state->updates);
                    },
                    [state] { return state_of(state->first->doc); }};
  };
}

}  // namespace

std::vector<Named> conflict_scenarios() {
  const auto set = [](Doc& doc, const Input& value) { (void)doc.map("map")->set("v", value); };
  return {
      {"B2.1", clash([](Mulberry rng) { return std::vector<Edit>{Edit{0, 0, rng.word(kN, kN)}}; })},
      {"B2.2", clash([](Mulberry rng) { return places(rng, 1, 1); })},
      {"B2.3", clash([](Mulberry rng) { return places(rng, 3, 9); })},
      {"B2.4", clash(mixed)},
      {"B3.1",
       crowd(
           kClients, [=](Doc& doc, uint32_t i) { set(doc, Input(static_cast<int>(i))); }, true)},
      {"B3.2", crowd(
                   kClients,
                   [=](Doc& doc, uint32_t i) {
                     set(doc, Input(Any(AnyObject{{"name", Any(std::to_string(i))},
                                                  {"address", Any("here")}})));
                   },
                   true)},
      {"B3.3",
       crowd(
           kClients,
           [=](Doc& doc, uint32_t i) { set(doc, Input(Mulberry(i).word(kClients, kClients))); },
           true)},
      {"B3.4", crowd(
                   kClients,
                   [](Doc& doc, uint32_t i) {
                     (void)doc.array("array")->insert(0, Input(std::to_string(i)));
                   },
                   true)},
      {"same origin", crowd(
                          4000,
                          [](Doc& doc, uint32_t i) {
                            (void)doc.array("array")->insert(0, Input(static_cast<int>(i)));
                          },
                          false)},
  };
}

}  // namespace footlight::crdt::bench
