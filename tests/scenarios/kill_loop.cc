// kill -9 of the real server under load, over and over on one data directory. Nothing that was
// confirmed to a client may be missing from the log, stand elsewhere than it was told, or be
// applied twice.
//
//   kill_loop PROGRAM EPISODE ROUNDS
//
// Prints "N passed, N failed": one per round, one for the verification of the log at the end.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <map>
#include <thread>

#include "cli/server_process.h"
#include "cli/signing.h"
#include "core/json.h"
#include "edge/replay.h"
#include "log/log.h"
#include "net/asio/client.h"
#include "net/asio/http_client.h"
#include "net/asio/shard.h"
#include "ops/client.h"

namespace footlight {
namespace {

constexpr uint32_t kClients = 60;
constexpr const char* kEpisodeId = "drama";

struct Promise {  // what a client was told
  uint64_t log = 0;
  std::string receipt;  // hex; "" for a command
};

using EventId = std::pair<uint64_t, uint64_t>;  // (cid, i)

// Clients that vote, chat and reconnect for as long as they live, and write down what was
// confirmed.
class Crowd final : public net::WsClientApp, public net::Resident {
 public:
  Crowd(net::Shard& shard, uint16_t port, const ops::TokenSource& tokens)
      : shard_(shard), random_(port) {
    for (uint32_t k = 0; k <= kClients; ++k) {
      const proto::Role role = k == 0 ? proto::Role::kProducer : proto::Role::kViewer;
      const std::string token = tokens({"kill-" + std::to_string(k), "K", role, {}});
      people_.push_back(std::make_unique<Person>(ops::Client(token, role, random_.next())));
    }
    net::WsClientOptions to;
    to.port = port;
    engine_ = std::move(*net::WsClients::create(shard, *this, to));
    shard.add_resident(this);
  }
  void close() {
    shard_.remove_resident(this);
    engine_.reset();
  }

  void on_open(net::WsClient& socket) override { socket.send(of(socket).client.hello()); }
  void on_message(net::WsClient& socket, std::string_view text) override {
    Person& person = of(socket);
    const auto type = ops::frame_type(text);
    if (type != ops::FrameType::kWelcome && type != ops::FrameType::kAck &&
        type != ops::FrameType::kDelta)
      return;
    auto message = decoder_.decode(text);
    if (!message) return;
    if (const auto* welcome = std::get_if<proto::Welcome>(&*message)) {
      person.client.on_welcome(*welcome);
      for (const std::string& frame : person.client.resend()) socket.send(frame);
    } else if (const auto* delta = std::get_if<proto::Delta>(&*message)) {
      person.client.on_delta_offset(delta->offset);
    } else if (const auto* ack = std::get_if<proto::Ack>(&*message)) {
      on_ack(person, *ack);
    }
  }
  void on_closed(net::WsClient& socket, const net::WsClosed&) override {
    Person& person = of(socket);
    person.socket = nullptr;
    person.client.on_closed();
    person.retry_us = clock_.now_us() + static_cast<MonoUs>(random_.below(60)) * kUsPerMs;
  }
  MonoUs on_turn_end(MonoUs now_us) override {
    for (auto& person : people_) {
      if (person->socket == nullptr && now_us >= person->retry_us)
        person->socket = &engine_->open(person.get());
      if (person->client.live() && now_us >= person->next_us) act(*person, now_us);
    }
    return now_us + 5 * kUsPerMs;
  }

  void quiet() { quiet_ = true; }
  std::atomic<uint64_t> confirmed{0};
  std::atomic<uint64_t> pending{0};
  std::map<EventId, Promise> promises;  // read after close()
  std::map<int, uint64_t> rejected;

 private:
  struct Person {
    explicit Person(ops::Client who) : client(std::move(who)) {}
    ops::Client client;
    net::WsClient* socket = nullptr;
    MonoUs retry_us = 0;
    MonoUs next_us = 0;
    uint32_t n = 0;
  };
  static Person& of(net::WsClient& socket) { return *static_cast<Person*>(socket.user); }

  void on_ack(Person& person, const proto::Ack& ack) {
    ops::PendingEvent event;
    for (const auto& done : ack.confirmed) {
      if (!person.client.take(done.i, event)) continue;
      promises[{person.client.cid(), done.i}] = {done.log,
                                                 done.has_receipt ? to_hex(done.receipt) : ""};
      ++confirmed;
    }
    for (const auto& refused : ack.rejected) {
      ++rejected[static_cast<int>(refused.code)];
      if (refused.retry_after_ms == 0) (void)person.client.take(refused.i, event);
    }
  }

  void act(Person& person, MonoUs now_us) {
    uint64_t waiting = 0;
    for (const auto& other : people_) waiting += other->client.pending();
    pending = waiting;
    person.next_us = now_us + static_cast<MonoUs>(10 + random_.below(60)) * kUsPerMs;
    if (quiet_ || person.client.pending() > 40) return;
    if (&person == people_.front().get()) {
      if (person.n++ == 0) {
        send(person, proto::Kind::kEpisodeStart, "{}", now_us);
        send(person, proto::Kind::kPollCreate,
             R"({"poll":"kill","title":"Kill","options":["A","B","C"]})", now_us);
        send(person, proto::Kind::kPollOpen, R"({"poll":"kill"})", now_us);
      }
      return;
    }
    if (random_.below(40) == 0) {
      send(person, proto::Kind::kChatSay, R"({"text":"still here"})", now_us);
    } else {
      const std::string args = R"({"poll":"kill","choice":[)" + std::to_string(random_.below(3)) +
                               R"(],"n":)" + std::to_string(++person.n) + "}";
      send(person, proto::Kind::kPollVote, args, now_us);
    }
  }
  void send(Person& person, proto::Kind kind, std::string_view args, MonoUs now_us) {
    person.socket->send(ops::event_frame(person.client.add(kind, args, now_us).json));
  }

  net::SystemClock clock_;
  net::Shard& shard_;
  Prng random_;
  proto::ServerDecoder decoder_;
  std::vector<std::unique_ptr<Person>> people_;
  std::unique_ptr<net::WsClients> engine_;
  bool quiet_ = false;
};

struct Log {  // what stands in the log, by event id
  std::map<EventId, Promise> events;
  uint64_t twice = 0;
};

Log read_log(log::EventLog& from) {
  Log result;
  std::string text;
  (void)edge::export_jsonl(from, [&](std::string_view chunk) {
    text += chunk;
    return true;
  });
  const auto note = [&](const Json& event, uint64_t seq, const std::string& receipt) {
    uint64_t cid = 0;
    if (!parse_hex_u64(event["cid"].as_string(), cid)) return;
    const EventId id{cid, static_cast<uint64_t>(event["i"].as_int())};
    result.twice += result.events.emplace(id, Promise{seq, receipt}).second ? 0 : 1;
  };
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = text.find('\n', at);
    auto line = Json::parse(std::string_view(text).substr(at, end - at));
    at = end + 1;
    if (!line) continue;
    const auto seq = static_cast<uint64_t>((*line)["seq"].as_int());
    if ((*line)["kind"].as_string() == "event") note((*line)["data"], seq, "");
    for (const Json& ballot : (*line)["data"].items())
      note(ballot, seq, ballot["receipt"].as_string());
  }
  return result;
}

// Complaints about promises that the log does not keep.
int compare(const std::map<EventId, Promise>& promises, const Log& log) {
  int broken = 0;
  for (const auto& [id, promise] : promises) {
    const auto at = log.events.find(id);
    if (at == log.events.end()) {
      std::printf("lost: cid %s event %llu, confirmed at %llu\n", hex_u64(id.first).c_str(),
                  static_cast<unsigned long long>(id.second),
                  static_cast<unsigned long long>(promise.log));
    } else if (at->second.log != promise.log || at->second.receipt != promise.receipt) {
      std::printf("elsewhere: cid %s event %llu, told %llu, stands at %llu\n",
                  hex_u64(id.first).c_str(), static_cast<unsigned long long>(id.second),
                  static_cast<unsigned long long>(promise.log),
                  static_cast<unsigned long long>(at->second.log));
    } else {
      continue;
    }
    if (++broken > 20) break;
  }
  if (log.twice > 0)
    std::printf("applied twice: %llu\n", static_cast<unsigned long long>(log.twice));
  return broken + static_cast<int>(log.twice);
}

void wait_ms(uint64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

// Starts the server, lets the crowd get something confirmed, and kills it; the last one is stopped.
bool play(const cli::ServerSpec& spec, Crowd& crowd, Prng& random, bool last) {
  auto server = cli::ServerProcess::start(spec);
  if (!server) {
    std::printf("%s\n", server.error().message().c_str());
    return false;
  }
  const uint64_t before = crowd.confirmed;
  for (int waited = 0; crowd.confirmed == before && waited < 1000; ++waited) wait_ms(10);
  wait_ms(random.below(400));
  if (crowd.confirmed == before) {
    std::printf("nothing was confirmed within 10 s\n");
    return false;
  }
  if (!last) {
    server->kill();
    return true;
  }
  crowd.quiet();
  for (int waited = 0; (waited < 20 || crowd.pending > 0) && waited < 1000; ++waited) wait_ms(10);
  if (crowd.pending > 0) std::printf("some events were never confirmed\n");
  const int code = server->stop();
  if (code != 0) std::printf("the server did not stop cleanly: %d\n", code);
  return crowd.pending == 0 && code == 0;
}

// Whether the log keeps all that was promised, and verifies.
bool audit(const std::string& path, const Crowd& crowd) {
  log::OpenOptions open;
  open.path = path;
  open.read_only = true;
  auto file = log::open_event_log(open);
  if (!file) {
    std::printf("%s\n", file.error().message().c_str());
    return false;
  }
  const bool kept = compare(crowd.promises, read_log(**file)) == 0;
  auto report = edge::verify_log(**file);
  if (report && report->ok) return kept;
  std::printf("the log does not verify: %s\n",
              report ? report->faults.front().c_str() : report.error().message().c_str());
  return false;
}

int run(const std::string& program, const std::string& episode, int rounds) {
  cli::ScratchDirectory scratch;
  cli::ServerSpec spec;
  spec.program = program;
  spec.port = cli::free_port();
  spec.args = {"--dev", "--episode", episode, "--data", scratch.path()};
  spec.log_path = scratch.path() + "/server.log";
  cli::SigningOptions signing;
  signing.dev = true;
  auto tokens = cli::token_source(signing, kEpisodeId);
  Prng random(static_cast<uint64_t>(rounds));
  net::Shard shard(0);
  auto crowd = std::make_unique<Crowd>(shard, spec.port, *tokens);
  shard.start();
  int passed = 0;
  int failed = 0;
  const auto count = [&](bool good) { ++(good ? passed : failed); };
  for (int round = 1; round <= rounds && failed == 0; ++round) {
    count(play(spec, *crowd, random, round == rounds));
  }
  std::promise<void> closed;
  shard.post([&] {
    crowd->close();
    closed.set_value();
  });
  closed.get_future().wait();
  shard.stop();
  shard.join();
  count(audit(scratch.path() + "/" + kEpisodeId + ".episode", *crowd));
  for (const auto& [code, times] : crowd->rejected) {
    std::printf("rejected %d: %llu\n", code, static_cast<unsigned long long>(times));
  }
  std::printf("%zu promises over %d kills\n", crowd->promises.size(), rounds - 1);
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed > 0 ? 1 : 0;
}

}  // namespace
}  // namespace footlight

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "kill_loop PROGRAM EPISODE ROUNDS\n");
    return 2;
  }
  return footlight::run(argv[1], argv[2], std::atoi(argv[3]));
}
