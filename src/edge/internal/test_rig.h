// What the unit tests of this room run an Edge and an Owner on: virtual time, a bus that delivers
// when told, a log in memory whose completions come when told, and connections that take so many
// bytes.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "edge/edge.h"
#include "edge/owner.h"
#include "gate/token.h"
#include "log/log.h"

namespace footlight::edge::rig {

inline constexpr std::string_view kEpisode = "demo";
inline constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";
inline constexpr std::string_view kDefinition = R"json({
"footlight":1,"id":"demo","title":"The Bell","start":"gate",
"characters":{"aria":{"name":"Aria","hp_max":20}},
"emotes":["heart","laugh"],
"scenes":{"gate":{"title":"The gate","polls":["fork"]},"crypt":{"title":"The crypt"}},
"polls":{
 "fork":{"title":"Which door?","options":[{"label":"Left","to":"crypt"},"Wait"]},
 "hush":{"title":"Whom?","options":["A","B"],"hidden":true},
 "timed":{"title":"Quick?","options":["Yes","No"],"seconds":5}},
"boards":{"table":{"title":"The table","kind":"map",
 "rules":[{"path":"fog","player":"none"},{"path":"tokens","player":["change"]},
  {"path":"tokens/{own}","player":"all"},{"path":"tokens/*/locked","player":"none"}],
 "mirror":{"tokens/*/hp":"characters/*/hp"}},
 "den":{"see":["gm","producer"]}}
})json";

struct TestClock final : Clock {
  MonoUs us = 1'000'000;
  WallMs offset_ms = 1'764'000'000'000;
  MonoUs now_us() const override { return us; }
  WallMs wall_ms() const override { return offset_ms + us / kUsPerMs; }
};

struct TestEntropy final : Entropy {
  Prng prng{42};
  void fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(prng.next());
  }
};

// A board's place in memory: what log::BoardStore promises, without a disk.
class MemoryBoards {
 public:
  void append(const log::BoardUpdate& update, uint64_t seq) {
    auto& rows = rows_[update.board];
    EXPECT_EQ(update.n, last_[update.board] + 1) << "edits are numbered without gaps";
    last_[update.board] = update.n;
    rows.push_back({update, seq});
  }
  void compact(const log::BoardSnapshot& snapshot, std::span<const uint64_t> drop) {
    auto& rows = rows_[snapshot.board];
    uint64_t seq = 0;
    for (const Row& row : rows) {
      if (row.update.n <= snapshot.n) seq = std::max(seq, row.seq);
    }
    std::erase_if(rows, [&](const Row& row) { return row.update.n <= snapshot.n; });
    auto& snapshots = snapshots_[snapshot.board];
    std::erase_if(snapshots, [&](const auto& each) {
      return std::ranges::find(drop, each.first.n) != drop.end();
    });
    snapshots.emplace_back(snapshot, seq);
    // A board that begins anew takes a number for that.
    last_[snapshot.board] = std::max(last_[snapshot.board], snapshot.n);
    ++compactions;
  }
  log::BoardFile load(const std::string& board, uint64_t at_seq) {
    log::BoardFile out;
    for (const auto& [snapshot, seq] : snapshots_[board]) {
      out.snapshots.push_back({snapshot.n, seq, snapshot.at_ms, snapshot.state.size(), true});
      if (seq > at_seq) continue;
      out.snapshot = snapshot;
      out.seq = seq;
    }
    for (const Row& row : rows_[board]) {
      if (row.seq > at_seq || (out.snapshot && row.update.n <= out.snapshot->n)) continue;
      out.updates.push_back(row.update);
      out.seq = row.seq;
    }
    return out;
  }
  std::vector<log::BoardPoint> points(const std::string& board) {
    std::vector<log::BoardPoint> out;
    for (const auto& [snapshot, seq] : snapshots_[board]) {
      out.push_back({snapshot.n, seq, snapshot.at_ms, snapshot.state.size(), true});
    }
    for (const Row& row : rows_[board]) {
      out.push_back({row.update.n, row.seq, row.update.at_ms, row.update.update.size(), false});
    }
    return out;
  }
  size_t rows(const std::string& board) { return rows_[board].size(); }
  int compactions = 0;

 private:
  struct Row {
    log::BoardUpdate update;
    uint64_t seq = 0;
  };
  std::map<std::string, std::vector<Row>> rows_;
  std::map<std::string, uint64_t> last_;
  std::map<std::string, std::vector<std::pair<log::BoardSnapshot, uint64_t>>> snapshots_;
};

// An EventLog without a disk, for recovery and replay.
class MemoryLog final : public log::EventLog {
 public:
  MemoryBoards kept_boards;
  log::Head head() const override { return head_; }
  uint64_t epoch() const override { return epoch_; }
  Result<log::Head> append(std::span<const log::Record> batch) override {
    if (fault_) return std::unexpected(*fault_);
    for (const log::Record& record : batch) add(record);
    return head_;
  }
  Status read(uint64_t after, const std::function<bool(const log::StoredRecord&)>& visit) override {
    for (const Stored& each : records_) {
      if (each.seq <= after) continue;
      const log::StoredRecord record{each.seq, each.record.kind, each.record.at_ms,
                                     each.record.payload, each.chain};
      if (!visit(record)) break;
    }
    return {};
  }
  Status save_snapshot(const log::Snapshot& snapshot) override {
    snapshot_ = snapshot;
    return {};
  }
  Result<std::optional<log::Snapshot>> load_snapshot() override { return snapshot_; }
  Status put_secret(std::string_view name, ByteView value) override {
    secrets_[std::string(name)] = Bytes(value.begin(), value.end());
    return {};
  }
  Result<std::optional<Bytes>> get_secret(std::string_view name) override {
    const auto found = secrets_.find(std::string(name));
    if (found == secrets_.end()) return std::optional<Bytes>();
    return std::optional<Bytes>(found->second);
  }

  // As opening it again would do.
  void reopen() {
    fault_.reset();
    ++epoch_;
    const std::string payload = "{\"epoch\":" + std::to_string(epoch_) + "}";
    log::Record record{log::RecordKind::kEpoch, 0, {}};
    record.payload.assign(payload.begin(), payload.end());
    add(record);
  }
  void fail_with(Error error) { fault_ = std::move(error); }
  size_t size() const { return records_.size(); }
  log::Record& at(size_t index) { return records_[index].record; }  // to damage it
  void rechain() {  // after damage, so that only what the records say is wrong
    std::vector<Stored> old;
    old.swap(records_);
    head_ = {};
    for (Stored& each : old) add(each.record);
  }

 private:
  struct Stored {
    uint64_t seq = 0;
    log::Record record;
    Hash256 chain{};
  };
  void add(const log::Record& record) {
    Bytes bytes(head_.chain.begin(), head_.chain.end());
    ByteWriter out(bytes);
    out.u64(head_.seq + 1);
    out.u8(static_cast<uint8_t>(record.kind));
    out.u64(static_cast<uint64_t>(record.at_ms));
    out.bytes(record.payload);
    head_ = {head_.seq + 1, sha256(bytes)};
    records_.push_back({head_.seq, record, head_.chain});
  }
  std::vector<Stored> records_;
  std::map<std::string, Bytes> secrets_;
  std::optional<log::Snapshot> snapshot_;
  std::optional<Error> fault_;
  log::Head head_;
  uint64_t epoch_ = 1;
};

// The owner's log port: an append is done when complete() says so.
class TestLogPort final : public LogPort {
 public:
  explicit TestLogPort(MemoryLog& log) : log_(log) {}
  void append(std::vector<log::Record> batch, std::vector<log::BoardUpdate> boards) override {
    EXPECT_FALSE(pending_) << "at most one append is in flight";
    pending_ = std::move(batch);
    boards_ = std::move(boards);
    ++appends;
  }
  // What follows an append is done with it.
  void compact_board(log::BoardSnapshot snapshot, std::vector<uint64_t> drop) override {
    after_.push_back([this, snapshot = std::move(snapshot), drop = std::move(drop)](Owner&) {
      log_.kept_boards.compact(snapshot, drop);
    });
  }
  void load_board(uint64_t ticket, std::string board, uint64_t at_seq) override {
    after_.push_back([this, ticket, board, at_seq](Owner& owner) {
      owner.on_board(ticket, log_.kept_boards.load(board, at_seq));
    });
  }
  void board_points(uint64_t ticket, std::string board) override {
    after_.push_back([this, ticket, board](Owner& owner) {
      owner.on_board_points(ticket, log_.kept_boards.points(board));
    });
  }
  // Answers what does not wait for an append; true when there was something.
  bool answer(Owner& owner) {
    if (pending_ || after_.empty()) return false;
    auto jobs = std::exchange(after_, {});
    for (auto& job : jobs) job(owner);
    return true;
  }
  void save_snapshot(log::Snapshot snapshot) override { (void)log_.save_snapshot(snapshot); }
  bool in_flight() const { return pending_.has_value(); }
  void complete(Owner& owner) {
    ASSERT_TRUE(pending_);
    const auto batch = std::move(*pending_);
    pending_.reset();
    auto head = log_.append(batch);
    if (head) {
      for (const log::BoardUpdate& each : boards_) log_.kept_boards.append(each, head->seq);
    }
    owner.on_appended(std::move(head));
  }
  void fail(Owner& owner, Code code) {
    ASSERT_TRUE(pending_);
    pending_.reset();
    log_.fail_with({code, {}, 0});
    owner.on_appended(std::unexpected(Error{code, {}, 0}));
  }
  const std::vector<log::Record>& batch() const { return *pending_; }
  int appends = 0;

 private:
  MemoryLog& log_;
  std::optional<std::vector<log::Record>> pending_;
  std::vector<log::BoardUpdate> boards_;
  std::vector<std::function<void(Owner&)>> after_;
};

class TestBus final : public bus::Bus {
 public:
  void to_owner(const std::string&, bus::ToOwner message) override {
    owner_box.push_back(std::move(message));
  }
  void to_edge(bus::EdgeId edge, const std::string&, bus::ToEdge message) override {
    edge_box.emplace_back(edge, std::move(message));
  }
  // Those of one kind that wait for edges, taken out.
  template <class Message>
  std::vector<Message> take() {
    std::vector<Message> out;
    std::erase_if(edge_box, [&](auto& each) {
      auto* message = std::get_if<Message>(&each.second);
      if (message != nullptr) out.push_back(std::move(*message));
      return message != nullptr;
    });
    return out;
  }
  std::deque<bus::ToOwner> owner_box;
  std::deque<std::pair<bus::EdgeId, bus::ToEdge>> edge_box;
};

// A connection that takes `room` bytes and then none.
struct TestConnection final : ConnectionOut {
  size_t room = SIZE_MAX;
  std::string partial;
  std::vector<std::string> frames;    // the JSON of those that were written whole
  std::vector<std::string> binaries;  // the payload of binary ones
  std::optional<Code> closed;
  size_t writes = 0;
  size_t pairs = 0;  // frames that came two by two

  size_t write(const proto::FramePtr& frame, size_t offset) override {
    EXPECT_FALSE(closed) << "nothing is written after close";
    ++writes;
    const std::string_view wire = frame->wire().substr(offset);
    EXPECT_EQ(offset == 0, partial.empty()) << "a frame that was begun is finished first";
    const size_t taken = std::min(room, wire.size());
    if (room != SIZE_MAX) room -= taken;
    partial += wire.substr(0, taken);
    if (partial.size() == frame->wire().size()) {
      EXPECT_EQ(partial, frame->wire()) << "the bytes of two frames are never mixed";
      (frame->is_binary() ? binaries : frames).emplace_back(frame->json());
      partial.clear();
    }
    return taken;
  }
  size_t write_two(const proto::FramePtr& first, const proto::FramePtr& second) override {
    ++pairs;
    return ConnectionOut::write_two(first, second);
  }
  void close(Code code) override {
    EXPECT_FALSE(closed);
    closed = code;
  }
  // Messages of type `t`, parsed.
  std::vector<Json> of(std::string_view t) const {
    std::vector<Json> out;
    for (const std::string& text : frames) {
      auto json = Json::parse(text);
      if (json && (*json)["t"].as_string() == t) out.push_back(std::move(*json));
    }
    return out;
  }
  Json last(std::string_view t) const {
    auto all = of(t);
    return all.empty() ? Json() : all.back();
  }
};

inline std::string token(std::string_view sub, proto::Role role, int64_t expires_s = 2'000'000'000,
                         std::string_view episode = kEpisode) {
  gate::Claims claims;
  claims.sub = sub;
  claims.episode = episode;
  claims.role = role;
  claims.expires_s = expires_s;
  if (role == proto::Role::kPlayer) claims.characters = {"aria"};
  return *gate::mint_token(claims, "k", *gate::hs256_signer(kSecret));
}

// A viewer's who may say captions.
inline std::string captioner_token(std::string_view sub) {
  gate::Claims claims;
  claims.sub = sub;
  claims.episode = kEpisode;
  claims.captions = true;
  claims.expires_s = 2'000'000'000;
  return *gate::mint_token(claims, "k", *gate::hs256_signer(kSecret));
}

inline std::string hello(std::string_view token, uint64_t cid,
                         std::optional<proto::Resume> resume = std::nullopt) {
  proto::Hello out;
  out.token = token;
  out.cid = cid;
  out.resume = resume;
  return proto::encoded(out);
}

inline std::string ev(uint64_t i, std::string_view kind, std::string_view args = "{}") {
  return R"({"t":"ev","e":[{"i":)" + std::to_string(i) + R"(,"k":")" + std::string(kind) +
         R"(","a":)" + std::string(args) + "}]}";
}

inline std::string vote(uint64_t i, std::string_view poll, int choice, uint32_t n = 1) {
  return ev(i, "poll.vote",
            R"({"poll":")" + std::string(poll) + R"(","choice":[)" + std::to_string(choice) +
                R"(],"n":)" + std::to_string(n) + "}");
}

}  // namespace footlight::edge::rig
