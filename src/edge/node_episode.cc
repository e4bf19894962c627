#include "edge/node_episode.h"

#include <algorithm>
#include <filesystem>

#include "core/bytes.h"
#include "core/json.h"

namespace footlight::edge {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMarksAtOnce = 500;
constexpr std::string_view kLogSuffix = ".episode";

// The definition in the log's first record, as canonical JSON.
Result<std::string> read_definition(log::EventLog& log) {
  std::string definition;
  const auto status = log.read(0, [&](const log::StoredRecord& record) {
    if (const auto genesis = Json::parse(as_text(record.payload))) {
      definition = (*genesis)["definition"].dump();
    }
    return false;
  });
  if (!status) return std::unexpected(status.error());
  return definition;
}

}  // namespace

std::vector<EpisodeSource> NodeEpisode::in(const std::string& directory) {
  std::vector<EpisodeSource> sources;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || !name.ends_with(kLogSuffix)) continue;
    sources.push_back({name.substr(0, name.size() - kLogSuffix.size()), ""});
  }
  std::ranges::sort(sources, {}, &EpisodeSource::id);
  return sources;
}

Result<std::unique_ptr<NodeEpisode>> NodeEpisode::open(const EpisodeSource& source,
                                                       const std::string& directory,
                                                       Entropy& entropy, WallMs now_ms,
                                                       const LogLine& log) {
  std::unique_ptr<NodeEpisode> episode(new NodeEpisode());
  episode->id_ = source.id;
  episode->say_ = log;
  log::OpenOptions options;
  options.path = directory + "/" + source.id + ".episode";
  options.create = !source.definition.empty();
  options.now_ms = now_ms;
  auto opened = log::open_event_log(options);
  if (!opened) return std::unexpected(opened.error());
  episode->log_ = std::move(*opened);
  auto recovered = recover(*episode->log_, {.episode = source.id,
                                            .definition = source.definition,
                                            .entropy = &entropy,
                                            .now_ms = now_ms});
  if (!recovered) return std::unexpected(recovered.error());
  auto definition = read_definition(*episode->log_);
  if (!definition) return std::unexpected(definition.error());
  episode->definition_ = std::move(*definition);
  if (!source.definition.empty()) {
    const auto wanted = Json::parse(source.definition);
    if (wanted && wanted->dump() != episode->definition_) {
      log(LogLevel::kWarning, "episode " + source.id +
                                  ": the file has changed since the episode began. The log in " +
                                  options.path + " wins; move it away to begin anew.");
    }
  }
  log(LogLevel::kInfo, recovered->created ? "episode " + source.id + ": begun in " + options.path
                                          : "episode " + source.id + ": goes on after record " +
                                                std::to_string(recovered->head.seq) + ", epoch " +
                                                std::to_string(recovered->epoch));
  episode->voter_key_ = recovered->voter_key;
  episode->recovered_ = std::make_unique<Recovered>(std::move(*recovered));
  return episode;
}

void NodeEpisode::begin(OwnerOptions options, net::Shard& shard, net::Worker& worker) {
  shard_ = &shard;
  worker_ = &worker;
  options.episode = id_;
  options.log = this;
  owner_ = make_owner(std::move(options), std::move(*recovered_));
  recovered_.reset();
}

void NodeEpisode::ask_program_view(std::function<void(std::string)> answer) {
  shard_->post([this, answer = std::move(answer)] { answer(owner_->program_view()); });
}

void NodeEpisode::ask_marks(std::function<void(std::string)> answer) {
  worker_->post([this, answer = std::move(answer)]() mutable { read_marks(std::move(answer)); });
}

// A long log is read in pieces: between them the worker writes what the owner appends.
void NodeEpisode::read_marks(std::function<void(std::string)> answer) {
  size_t count = 0;
  // What cannot be read the owner will find out; the marks go as far as it reaches.
  (void)log_->read(marks_.seq(), [&](const log::StoredRecord& record) {
    marks_.take(record);
    return ++count < kMarksAtOnce;
  });
  if (count == kMarksAtOnce) return ask_marks(std::move(answer));
  answer(marks_.json());
}

void NodeEpisode::check_call(const CallHealth& health, const FallbackLimits& limits) {
  shard_->post([this, health, limits] {
    if (!fallback_) fallback_.emplace(limits);
    const auto move = fallback_->step(health, std::string(episode::media_mode(owner_->state())),
                                      net::SystemClock().now_us());
    if (!move) return;
    ApiCall call;
    call.route = ApiRoute::kCommands;
    call.name = "Footlight";
    JsonWriter json(call.body);
    json.object().field("k", "media.mode").key("a").object();
    json.field("mode", std::string_view(move->mode)).field("why", std::string_view(move->why));
    json.end_object().end_object();
    owner_->api(call, [](const ApiAnswer&) {});
  });
}

void NodeEpisode::append(std::vector<log::Record> batch, std::vector<log::BoardUpdate> boards) {
  worker_->post([this, batch = std::move(batch), boards = std::move(boards)] {
    auto head = boards.empty() ? log_->append(batch) : log_->boards()->append(batch, boards);
    Code none = Code::kOk;
    if (!head && halted_.compare_exchange_strong(none, head.error().code)) {
      say_(LogLevel::kError, "episode " + id_ + " takes nothing more: " + head.error().message());
    }
    shard_->post(
        [this, head = std::move(head)]() mutable { owner_->on_appended(std::move(head)); });
  });
}

void NodeEpisode::save_snapshot(log::Snapshot snapshot) {
  worker_->post([this, snapshot = std::move(snapshot)] {
    // A failure costs the next start some time and nothing else.
    (void)log_->save_snapshot(snapshot);
  });
}

void NodeEpisode::compact_board(log::BoardSnapshot snapshot, std::vector<uint64_t> drop) {
  worker_->post([this, snapshot = std::move(snapshot), drop = std::move(drop)] {
    // A failure halts the log, which the next append tells.
    (void)log_->boards()->compact(snapshot, drop);
  });
}

void NodeEpisode::load_board(uint64_t ticket, std::string board, uint64_t at_seq) {
  worker_->post([this, ticket, at_seq, board = std::move(board)] {
    shard_->post([this, ticket, file = log_->boards()->load(board, at_seq)]() mutable {
      owner_->on_board(ticket, std::move(file));
    });
  });
}

void NodeEpisode::board_points(uint64_t ticket, std::string board) {
  worker_->post([this, ticket, board = std::move(board)] {
    shard_->post([this, ticket, points = log_->boards()->points(board)]() mutable {
      owner_->on_board_points(ticket, std::move(points));
    });
  });
}

}  // namespace footlight::edge
