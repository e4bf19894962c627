// A C++ client of a board that is told what to do, for tests in other languages.
//
//   board_pen PORT EPISODE BOARD TOKEN
//
// Lines on stdin, each answered by one on stdout:
//   synced              yes | no
//   append ROOT TEXT    ok: the text at the end of a root text
//   text ROOT           the text, as JSON
//   set ROOT KEY JSON   ok: a key of a root map
//   map ROOT            the map, as JSON
//   durable             yes when all of its own edits are, else no
// The end of stdin ends it.
#include <cstdio>
#include <future>
#include <iostream>
#include <sstream>

#include "board_hand.h"
#include "core/json.h"
#include "crdt/any.h"

namespace footlight {
namespace {

std::string obey(BoardHand& hand, const std::string& line) {
  std::istringstream in(line);
  std::string verb, root, rest;
  in >> verb >> root >> std::ws;
  std::getline(in, rest);
  crdt::Doc& doc = hand.doc();
  if (verb == "synced") return hand.synced() ? "yes" : "no";
  if (verb == "durable") return hand.durable_clock() == doc.state(doc.client()) ? "yes" : "no";
  if (verb == "append") {
    auto text = doc.text(root);
    return text && text->insert(text->size(), rest) ? "ok" : "failed";
  }
  if (verb == "text" || verb == "map") {
    if (verb == "text") {
      (void)doc.text(root);
    } else {
      (void)doc.map(root);
    }
    return doc.root_json(root);
  }
  if (verb == "set") {
    const size_t space = rest.find(' ');
    if (space == rest.npos) return "failed";
    auto value = crdt::parse_json(std::string_view(rest).substr(space + 1));
    auto map = doc.map(root);
    const bool done =
        value && map && map->set(rest.substr(0, space), crdt::Input(std::move(*value)));
    return done ? "ok" : "failed";
  }
  return "unknown";
}

int run(char** argv) {
  net::Shard shard(0);
  const auto port = static_cast<uint16_t>(std::atoi(argv[1]));
  BoardHand hand(shard, {port, argv[2], argv[3], argv[4]}, 0xC0FFEE);
  shard.start();
  for (std::string line; std::getline(std::cin, line);) {
    std::promise<std::string> answer;
    shard.post([&] { answer.set_value(obey(hand, line)); });
    std::printf("%s\n", answer.get_future().get().c_str());
    std::fflush(stdout);
  }
  std::promise<void> closed;
  shard.post([&] {
    hand.close();
    closed.set_value();
  });
  closed.get_future().wait();
  shard.stop();
  shard.join();
  return 0;
}

}  // namespace
}  // namespace footlight

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "board_pen PORT EPISODE BOARD TOKEN\n");
    return 2;
  }
  return footlight::run(argv);
}
