// kill -9 of the real server while it compacts a board, over and over on one data directory. Before
// the next start the file is read as it was left: every edit that came back to its author, and so
// was durable, stands there exactly once; and in the end all clients hold what the file holds.
//
//   kill_boards PROGRAM ROUNDS
//
// Prints "N passed, N failed": one per kill, one for the end.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <thread>

#include "board_hand.h"
#include "cli/server_process.h"
#include "cli/signing.h"
#include "core/json.h"
#include "edge/replay.h"
#include "log/log.h"
#include "net/asio/http_client.h"

namespace footlight {
namespace {

constexpr uint32_t kHands = 3;
constexpr uint32_t kSnapshotUpdates = 60;
constexpr const char* kEpisode = "kill";
constexpr const char* kBoard = "table";

void wait_ms(uint64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

// Each writes marks into one text, and pictures over pictures, so that a snapshot is a megabyte.
class Hands final : public net::Resident {
 public:
  Hands(net::Shard& shard, uint16_t port, const ops::TokenSource& tokens) : shard_(shard) {
    for (uint32_t k = 0; k < kHands; ++k) {
      const std::string account = "hand-" + std::to_string(k);
      const BoardHand::Place place{port, kEpisode, kBoard,
                                   tokens({account, "H", proto::Role::kGm, {}})};
      hands_.push_back(std::make_unique<Hand>(std::make_unique<BoardHand>(shard, place, 1000 + k)));
    }
    shard.add_resident(this);
  }
  void close() {
    shard_.remove_resident(this);
    for (auto& each : hands_) each->board->close();
  }
  MonoUs on_turn_end(MonoUs now_us) override {
    if (now_us >= next_us_) {
      next_us_ = now_us + 12 * kUsPerMs;
      bool synced = true;
      for (size_t k = 0; k < hands_.size(); ++k) {
        if (!quiet_) write(k);
        synced = synced && hands_[k]->board->synced();
      }
      all_synced = synced;
    }
    return next_us_;
  }
  // On the shard's thread.
  std::vector<std::string> durable_marks() const {
    std::vector<std::string> out;
    for (const auto& each : hands_) {
      for (const auto& [clock, mark] : each->marks) {
        if (clock <= each->board->durable_clock()) out.push_back(mark);
      }
    }
    return out;
  }
  bool all_durable() const {
    for (const auto& each : hands_) {
      crdt::Doc& doc = each->board->doc();
      if (!each->board->synced() || each->board->durable_clock() < doc.state(doc.client()))
        return false;
    }
    return true;
  }
  size_t marks() const {
    size_t n = 0;
    for (const auto& each : hands_) n += each->marks.size();
    return n;
  }
  std::vector<std::string> texts() {
    std::vector<std::string> out;
    for (auto& each : hands_) out.push_back(each->board->doc().text("notes")->to_string());
    return out;
  }
  // What the last connection of each ended with.
  std::string codes() const {
    std::string out;
    for (const auto& each : hands_) {
      out += " " + std::to_string(each->board->last_code());
      if (!each->board->synced()) out += " (not in step)";
    }
    return out;
  }
  void quiet() { quiet_ = true; }
  std::atomic<bool> all_synced{false};

 private:
  struct Hand {
    explicit Hand(std::unique_ptr<BoardHand> made) : board(std::move(made)) {}
    std::unique_ptr<BoardHand> board;
    std::vector<std::pair<uint64_t, std::string>> marks;  // the clock after it
  };
  void write(size_t k) {
    Hand& hand = *hands_[k];
    crdt::Doc& doc = hand.board->doc();
    const std::string mark =
        "<" + std::to_string(k) + "." + std::to_string(hand.marks.size()) + ">";
    auto text = doc.text("notes");
    (void)text->insert(text->size(), mark);
    hand.marks.emplace_back(doc.state(doc.client()), mark);
    if (hand.marks.size() % 4 != 0) return;
    std::string picture(16 * 1024, ' ');
    for (char& c : picture) c = static_cast<char>('a' + random_.below(26));
    (void)doc.map("pictures")->set("p" + std::to_string(random_.below(64)), crdt::Input(picture));
  }

  net::Shard& shard_;
  Prng random_{7};
  std::vector<std::unique_ptr<Hand>> hands_;
  MonoUs next_us_ = 0;
  bool quiet_ = false;
};

template <class Job>
auto on_shard(net::Shard& shard, Job job) {
  std::promise<decltype(job())> done;
  shard.post([&] { done.set_value(job()); });
  return done.get_future().get();
}

uint64_t compactions(const std::string& url) {
  const auto answer = net::http_call({.url = url + "/metrics", .timeout_ms = 2'000});
  if (!answer) return 0;
  const std::string name = "\nfootlight_board_compactions_total ";
  const size_t at = answer->body.find(name);
  return at == std::string::npos
             ? 0
             : std::strtoull(answer->body.c_str() + at + name.size(), nullptr, 10);
}

size_t occurrences(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

struct Tally {
  int before = 0;  // kills that a compaction did not survive: its updates stand as they were
  int after = 0;
};

// The file as the dead server left it.
bool audit(const std::string& path, const std::vector<std::string>& durable, Tally& tally,
           std::string* notes = nullptr) {
  log::OpenOptions open;
  open.path = path;
  auto file = log::open_event_log(open);
  if (!file) return std::printf("%s\n", file.error().message().c_str()), false;
  const auto points = (*file)->boards()->points(kBoard);
  if (!points) return std::printf("%s\n", points.error().message().c_str()), false;
  size_t behind = 0;
  for (const log::BoardPoint& point : *points) behind = point.snapshot ? 0 : behind + 1;
  ++(behind >= kSnapshotUpdates ? tally.before : tally.after);
  const auto json = edge::board_json(**file, kBoard, UINT64_MAX);
  const auto content = json ? Json::parse(*json) : Result<Json>(std::unexpected(json.error()));
  if (!content) return std::printf("%s\n", content.error().message().c_str()), false;
  const std::string& text = (*content)["notes"].as_string();
  bool good = true;
  for (const std::string& mark : durable) {
    const size_t found = occurrences(text, mark);
    if (found == 1) continue;
    std::printf("%s stands %zu times\n", mark.c_str(), found);
    good = false;
  }
  if (notes != nullptr) *notes = text;
  const auto report = edge::verify_log(**file);
  if (!report || !report->ok) return std::printf("the log does not verify\n"), false;
  return good;
}

class Loop {
 public:
  explicit Loop(std::string program) {
    const std::string episode = scratch_.path() + "/" + kEpisode + ".episode.yaml";
    std::ofstream(episode) << "footlight: 1\ntitle: Kill\nboards:\n  table: {title: Table}\n";
    spec_.program = std::move(program);
    spec_.port = cli::free_port();
    spec_.args = {
        "--dev",  "--episode", episode,
        "--data", data(),      "--threads",
        "1",      "--set",     "boards.snapshot_updates=" + std::to_string(kSnapshotUpdates)};
    spec_.log_path = scratch_.path() + "/server.log";
    cli::SigningOptions signing;
    signing.dev = true;
    hands_ = std::make_unique<Hands>(shard_, spec_.port, *cli::token_source(signing, kEpisode));
    shard_.start();
  }
  ~Loop() {
    on_shard(shard_, [&] { return hands_->close(), 0; });
    shard_.stop();
    shard_.join();
  }

  // Waits for a compaction to be handed to the log, and kills in the midst of it.
  bool kill_once() {
    auto server = cli::ServerProcess::start(spec_);
    if (!server) return std::printf("%s\n", server.error().message().c_str()), false;
    for (int i = 0; !hands_->all_synced && i < 1'000; ++i) wait_ms(10);
    if (!hands_->all_synced) {
      const auto codes = on_shard(shard_, [&] { return hands_->codes(); });
      return std::printf("the clients are not in step; closed with%s\n", codes.c_str()), false;
    }
    uint64_t seen = compactions(server->url());
    for (int i = 0; i < 4'000; ++i) {
      const uint64_t now = compactions(server->url());
      if (now > seen && seen > 0) break;
      if (now > seen) seen = now;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random_.below(4'000)));
    server->kill();
    const auto durable = on_shard(shard_, [&] { return hands_->durable_marks(); });
    hands_->all_synced = false;
    promises_ = durable.size();
    return audit(file(), durable, tally_);
  }
  // The clients send what is left; they and the file hold the same.
  bool finish() {
    auto server = cli::ServerProcess::start(spec_);
    if (!server) return false;
    on_shard(shard_, [&] { return hands_->quiet(), 0; });
    bool durable = false;
    for (int i = 0; !durable && i < 1'500; ++i) {
      wait_ms(10);
      durable = on_shard(shard_, [&] { return hands_->all_durable(); });
    }
    if (!durable) return std::printf("some edits never became durable\n"), false;
    wait_ms(100);
    const int code = server->stop();
    const auto marks = on_shard(shard_, [&] { return hands_->durable_marks(); });
    const auto texts = on_shard(shard_, [&] { return hands_->texts(); });
    const size_t made = on_shard(shard_, [&] { return hands_->marks(); });
    std::string notes;
    Tally ignored;
    if (code != 0 || !audit(file(), marks, ignored, &notes)) return false;
    for (const std::string& text : texts) {
      if (text != notes) return std::printf("a client holds something else\n"), false;
    }
    return marks.size() == made;
  }
  void report() const {
    std::printf("%zu edits; %d kills before the compaction was durable, %d after it\n", promises_,
                tally_.before, tally_.after);
  }

 private:
  std::string data() const { return scratch_.path() + "/data"; }
  std::string file() const { return data() + "/" + kEpisode + ".episode"; }

  cli::ScratchDirectory scratch_;
  cli::ServerSpec spec_;
  net::Shard shard_{0};
  std::unique_ptr<Hands> hands_;
  Prng random_{11};
  Tally tally_;
  size_t promises_ = 0;
};

int run(const char* program, int rounds) {
  int passed = 0;
  int failed = 0;
  Loop loop(program);
  for (int round = 0; round < rounds && failed == 0; ++round) {
    ++(loop.kill_once() ? passed : failed);
  }
  ++(failed == 0 && loop.finish() ? passed : failed);
  loop.report();
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed > 0 ? 1 : 0;
}

}  // namespace
}  // namespace footlight

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "kill_boards PROGRAM ROUNDS\n");
    return 2;
  }
  return footlight::run(argv[1], std::atoi(argv[2]));
}
