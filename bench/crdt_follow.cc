// B1: one writes, one follows.
#include "crdt_bench.h"

namespace footlight::crdt::bench {
namespace {

constexpr uint32_t kN = 6000;

// `play` writes input i into the writer's document.
template <class Inputs, class Play>
Make follow(Inputs inputs, Play write) {
  return [=](const std::string&) {
    struct State {
      decltype(inputs()) list;
      std::unique_ptr<Writer> reader;
    };
    auto state = std::make_shared<State>(State{inputs(), nullptr});
    return Scenario{[state, write] {
                      std::vector<Bytes> updates;
                      Writer writer(1, &updates);
                      state->reader = std::make_unique<Writer>(2);
                      for (const auto& input : state->list) write(writer.doc, input);
                      apply_all(state->reader->doc, updates);
                    },
                    [state] { return state_of(state->reader->doc); }};
  };
}

std::vector<Edit> letters() {
  Mulberry rng(2);
  std::vector<Edit> list(kN);
  for (Edit& edit : list) edit.insert = rng.word(1, 1);
  return list;
}

std::vector<Edit> positions(uint32_t size) {
  Mulberry rng(1);
  std::vector<Edit> list;
  for (uint32_t i = 0; i < kN; ++i) {
    const uint64_t index = rng.below(i * size + 1);
    list.push_back({index, 0, rng.word(size, size)});
  }
  return list;
}

struct Number {
  uint64_t index = 0;
  double value = 0;
};
std::vector<Number> numbers() {
  Mulberry rng(3);
  std::vector<Number> list;
  for (uint32_t i = 0; i < kN; ++i) {
    const uint64_t index = rng.below(i + 1);
    list.push_back({index, static_cast<double>(rng.below(0x7fffffff))});
  }
  return list;
}

std::vector<std::string> one_text() { return {Mulberry(5).word(kN, kN)}; }
std::vector<std::vector<Input>> one_array() {
  std::vector<Input> all;
  for (const Number& number : numbers()) all.emplace_back(number.value);
  return {all};
}

std::vector<Edit> edits_at_random() {
  Mulberry rng(4);
  uint32_t length = 0;
  std::vector<Edit> list;
  for (uint32_t i = 0; i < kN; ++i) {
    Edit edit;
    edit.index = rng.below(length + 1);
    const auto left = static_cast<uint32_t>(length - edit.index);
    if (left == 0 || rng.below(2) == 0) {
      edit.insert = rng.word(2, 10);
      length += static_cast<uint32_t>(edit.insert.size());
    } else {
      edit.remove = 1 + rng.below(std::min<uint32_t>(9, left));
      length -= static_cast<uint32_t>(edit.remove);
    }
    list.push_back(std::move(edit));
  }
  return list;
}

Text text(Doc& doc) { return *doc.text("text"); }
Array array(Doc& doc) { return *doc.array("array"); }

}  // namespace

std::vector<Named> following_scenarios() {
  const auto insert_at = [](Doc& doc, const Edit& edit) {
    (void)text(doc).insert(edit.index, edit.insert);
  };
  return {
      {"B1.1", follow(letters,
                      [](Doc& doc, const Edit& edit) {
                        Text at = text(doc);
                        (void)at.insert(at.size(), edit.insert);
                      })},
      {"B1.2",
       follow(one_text, [](Doc& doc, const std::string& all) { (void)text(doc).insert(0, all); })},
      {"B1.3", follow(letters, insert_at)},
      {"B1.4", follow([] { return positions(1); }, insert_at)},
      {"B1.5", follow([] { return positions(5); }, insert_at)},
      {"B1.6", follow(one_text,
                      [](Doc& doc, const std::string& all) {
                        Text at = text(doc);
                        (void)at.insert(0, all);
                        (void)at.erase(0, all.size());
                      })},
      {"B1.7", follow(edits_at_random,
                      [](Doc& doc, const Edit& edit) {
                        Text at = text(doc);
                        play(at, edit);
                      })},
      {"B1.8", follow(numbers,
                      [](Doc& doc, const Number& number) {
                        Array at = array(doc);
                        (void)at.insert(at.size(), Input(number.value));
                      })},
      {"B1.9",
       follow(one_array,
              [](Doc& doc, const std::vector<Input>& all) { (void)array(doc).insert(0, all); })},
      {"B1.10", follow(numbers,
                       [](Doc& doc, const Number& number) {
                         (void)array(doc).insert(0, Input(number.value));
                       })},
      {"B1.11", follow(numbers,
                       [](Doc& doc, const Number& number) {
                         (void)array(doc).insert(number.index, Input(number.value));
                       })},
  };
}

}  // namespace footlight::crdt::bench
