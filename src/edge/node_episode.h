// One episode as the node holds it: the log's file, the thread that writes it, and the way between
// that thread and the owner's shard.
#pragma once
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/fallback_rule.h"
#include "edge/node.h"
#include "edge/owner.h"
#include "edge/ports.h"
#include "edge/program_marks.h"
#include "log/log.h"
#include "net/asio/shard.h"
#include "net/asio/worker.h"

namespace footlight::edge {

class NodeEpisode final : public LogPort {
 public:
  // The logs in a folder, by name; none when it cannot be read.
  static std::vector<EpisodeSource> in(const std::string& directory);
  // Opens the log and recovers. `log` is told when the log's definition is not the source's, and
  // later, once, when the log has failed and the episode takes nothing more.
  static Result<std::unique_ptr<NodeEpisode>> open(const EpisodeSource& source,
                                                   const std::string& directory, Entropy& entropy,
                                                   WallMs now_ms, const LogLine& log);

  const std::string& id() const { return id_; }
  const std::array<uint8_t, 32>& voter_key() const { return voter_key_; }
  const std::string& definition() const { return definition_; }
  // Why the log takes nothing more (kDiskFull, kLogHalted, kLogFenced); kOk while it does. Any
  // thread.
  Code halted() const { return halted_.load(std::memory_order_relaxed); }

  // The owner, made from what was recovered. It lives on `shard`; `worker` runs the log.
  void begin(OwnerOptions options, net::Shard& shard, net::Worker& worker);
  Owner& owner() { return *owner_; }
  // Owner::program_view, told on the owner's thread. Any thread, while the shards run.
  void ask_program_view(std::function<void(std::string)> answer);
  // The marks of the recording's time line (edge/program_marks.h) as JSON, told on the worker's
  // thread. Any thread, while the shards run.
  void ask_marks(std::function<void(std::string)> answer);
  // How the audience's call was over the last second: moves it to the stream and back where
  // `limits` say so, as if a producer had done it. Any thread, while the shards run.
  void check_call(const CallHealth& health, const FallbackLimits& limits);
  size_t shard_index() const { return static_cast<size_t>(shard_->index()); }
  // After the shards and the worker have ended.
  void end() { owner_.reset(); }

  // LogPort, on the owner's thread.
  void append(std::vector<log::Record> batch, std::vector<log::BoardUpdate> boards) override;
  void save_snapshot(log::Snapshot snapshot) override;
  void compact_board(log::BoardSnapshot snapshot, std::vector<uint64_t> drop) override;
  void load_board(uint64_t ticket, std::string board, uint64_t at_seq) override;
  void board_points(uint64_t ticket, std::string board) override;

 private:
  NodeEpisode() = default;
  void read_marks(std::function<void(std::string)> answer);
  std::string id_;
  LogLine say_;
  std::string definition_;  // of the log
  std::array<uint8_t, 32> voter_key_{};
  std::unique_ptr<log::EventLog> log_;  // on the worker's thread after begin()
  std::unique_ptr<Recovered> recovered_;
  std::unique_ptr<Owner> owner_;
  std::optional<FallbackRule> fallback_;  // on the owner's thread
  ProgramMarks marks_;                    // on the worker's thread
  net::Shard* shard_ = nullptr;
  net::Worker* worker_ = nullptr;
  std::atomic<Code> halted_ = Code::kOk;
};

}  // namespace footlight::edge
