#include "vandal.h"

#include <utility>

#include "core/bytes.h"

namespace footlight::sim {

void Vandal::start() {
  scheduler_.after(random_.between(0, 1'500) * kUsPerMs, [this] { turn(); });
}

void Vandal::turn() {
  if (scheduler_.now_us() > until_us_) {
    if (link_) std::exchange(link_, nullptr)->hang_up();
    return;
  }
  if (link_ == nullptr) {
    link_ = dial_(*this);
    if (link_ && random_.below(5) != 0) link_->send(hello());
  } else if (random_.below(15) == 0) {
    link_->abandon();
    link_->hang_up();
    link_ = nullptr;
  } else {
    const uint64_t burst = random_.below(12) == 0 ? 60 : 1;
    for (uint64_t i = 0; i < burst; ++i) link_->send(nonsense());
  }
  scheduler_.after(random_.between(5, 700) * kUsPerMs, [this] { turn(); });
}

std::string Vandal::hello() {
  std::string text =
      "{\"t\":\"hello\",\"v\":1,\"token\":\"" + token_ + "\",\"cid\":\"" + hex_u64(cid_) + "\"}";
  switch (random_.below(5)) {
    case 0:  // a token that was tampered with
      text[40 + random_.below(60)] ^= 1;
      return text;
    case 1:
      return "{\"t\":\"hello\",\"v\":99}";
    default:
      return text;
  }
}

std::string Vandal::mutilated(std::string text) {
  const uint64_t edits = 1 + random_.below(3);
  for (uint64_t i = 0; i < edits && !text.empty(); ++i) {
    const size_t at = random_.below(text.size());
    switch (random_.below(3)) {
      case 0:
        text[at] = static_cast<char>(random_.below(256));
        break;
      case 1:
        text.erase(at, 1 + random_.below(4));
        break;
      default:
        text.insert(at, text.substr(0, random_.below(20)));
        break;
    }
  }
  return text;
}

std::string Vandal::nonsense() {
  const std::string i = std::to_string(1 + random_.below(6));
  switch (random_.below(10)) {
    case 0:
      return std::string(random_.below(40'000), 'x');
    case 1:
      return std::string(random_.below(60), '[');
    case 2:
      return mutilated("{\"t\":\"ev\",\"e\":[{\"i\":" + i +
                       ",\"k\":\"poll.vote\",\"a\":{\"poll\":\"fork\",\"choice\":[1],\"n\":1}}]}");
    case 3:
      return mutilated("{\"t\":\"ev\",\"e\":[{\"i\":" + i +
                       ",\"k\":\"chat.say\",\"a\":{\"text\":\"spam\"}}]}");
    case 4:  // the same number with ever other bodies
      return "{\"t\":\"ev\",\"e\":[{\"i\":1,\"k\":\"chat.say\",\"a\":{\"text\":\"" +
             std::to_string(random_.next()) + "\"}}]}";
    case 5:
      return "{\"t\":\"ev\",\"e\":[{\"i\":" + i +
             ",\"k\":\"poll.vote\",\"a\":{\"poll\":\"fork\","
             "\"choice\":[0],\"n\":4294967295,\"voter\":\"0123456789abcdef\"}}]}";
    case 6:
      return "{\"t\":\"ev\",\"e\":[{\"i\":" + i + ",\"k\":\"episode.end\",\"a\":{}}]}";
    case 7:
      return "{\"t\":\"lat\",\"m\":[[\"vote\",99999999999],[\"no\",-1]]}";
    case 8:
      return "{\"t\":\"token\",\"token\":\"" + token_.substr(0, random_.below(token_.size())) +
             "\"}";
    default:
      return mutilated(hello());
  }
}

}  // namespace footlight::sim
