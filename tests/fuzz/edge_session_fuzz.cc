// DEPS: footlight_edge
//
// A whole edge and its owner under what peers may send, in any order, on any connection, with time
// that passes and connections that stop reading. Each line of the input is one step: its first byte
// says which, the rest is the frame, the body or a number.
//
// What must hold: nothing aborts, everything the server writes is a message of the protocol, and
// replaying the log gives the owner's state.
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/assert.h"
#include "edge/edge.h"
#include "edge/owner.h"

using namespace footlight;

namespace {

constexpr std::string_view kEpisode = "demo";
constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";
constexpr std::string_view kDefinition = R"json({"footlight":1,"id":"demo","title":"T","start":"a",
"characters":{"aria":{"name":"A","hp_max":9,"items":{"rope":1},"fields":{"xp":1}}},"items":{"rope":"R"},
"conditions":["down"],"emotes":["heart"],"scenes":{"a":{"title":"A","choices":{"go":{"label":"G","to":"b"}}},
"b":{"title":"B"}},"polls":{"p":{"title":"P","options":[{"label":"X","to":"b"},"Y"]},
"q":{"title":"Q","options":["X","Y","Z"],"kind":"multiple","max":2,"hidden":true,"seconds":3}}})json";

struct FuzzClock final : Clock {
  MonoUs us = 1'000'000;
  MonoUs now_us() const override { return us; }
  WallMs wall_ms() const override { return 1'764'000'000'000 + us / kUsPerMs; }
};

struct FuzzEntropy final : Entropy {
  Prng prng{1};
  void fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(prng.next());
  }
};

struct FuzzLog final : log::EventLog, edge::LogPort {
  struct Stored {
    log::Record record;
    Hash256 chain{};
  };
  std::vector<Stored> records;
  std::map<std::string, Bytes, std::less<>> secrets;
  std::optional<std::vector<log::Record>> pending;

  log::Head head() const override {
    return records.empty() ? log::Head{} : log::Head{records.size(), records.back().chain};
  }
  uint64_t epoch() const override { return 1; }
  Result<log::Head> append(std::span<const log::Record> batch) override {
    for (const log::Record& each : batch) records.push_back({each, sha256(each.payload)});
    return head();
  }
  Status read(uint64_t after, const std::function<bool(const log::StoredRecord&)>& visit) override {
    for (uint64_t seq = after + 1; seq <= records.size(); ++seq) {
      const Stored& each = records[seq - 1];
      if (!visit({seq, each.record.kind, each.record.at_ms, each.record.payload, each.chain}))
        break;
    }
    return {};
  }
  Status save_snapshot(const log::Snapshot&) override { return {}; }
  Result<std::optional<log::Snapshot>> load_snapshot() override {
    return std::optional<log::Snapshot>();
  }
  Status put_secret(std::string_view name, ByteView value) override {
    secrets[std::string(name)] = Bytes(value.begin(), value.end());
    return {};
  }
  Result<std::optional<Bytes>> get_secret(std::string_view name) override {
    const auto found = secrets.find(name);
    return found == secrets.end() ? std::optional<Bytes>() : std::optional<Bytes>(found->second);
  }
  void append(std::vector<log::Record> batch, std::vector<log::BoardUpdate>) override {
    pending = std::move(batch);
  }
  void save_snapshot(log::Snapshot) override {}
  void compact_board(log::BoardSnapshot, std::vector<uint64_t>) override {}
  void load_board(uint64_t ticket, std::string, uint64_t) override { wanted.push_back(ticket); }
  void board_points(uint64_t, std::string) override {}
  std::vector<uint64_t> wanted;  // boards to be loaded: all are empty
};

struct FuzzBus final : bus::Bus {
  std::deque<bus::ToOwner> owner;
  std::deque<bus::ToEdge> edge;
  void to_owner(const std::string&, bus::ToOwner message) override {
    owner.push_back(std::move(message));
  }
  void to_edge(bus::EdgeId, const std::string&, bus::ToEdge message) override {
    edge.push_back(std::move(message));
  }
};

struct FuzzConnection final : edge::ConnectionOut {
  size_t room = SIZE_MAX;
  bool closed = false;
  size_t write(const proto::FramePtr& frame, size_t offset) override {
    FL_ASSERT(!closed, "nothing is written after close");
    if (offset == 0 && !frame->is_binary()) {
      proto::ServerDecoder decoder;
      const auto message = decoder.decode(frame->json());
      FL_ASSERT(message && !std::holds_alternative<proto::UnknownMessage>(*message),
                "the server speaks the protocol");
    }
    const size_t taken = std::min(room, frame->wire().size() - offset);
    if (room != SIZE_MAX) room -= taken;
    return taken;
  }
  void close(Code) override { closed = true; }
};

constexpr proto::Role kRoles[] = {proto::Role::kViewer, proto::Role::kPlayer, proto::Role::kGm,
                                  proto::Role::kProducer};

class World {
 public:
  World() {
    auto keys = std::make_shared<gate::KeySet>();
    FL_ASSERT(keys->add_hs256("k", kSecret).has_value(), "the key is long enough");
    edge::RecoverOptions recover_options{std::string(kEpisode), kDefinition, &entropy_, 1};
    auto recovered = edge::recover(log_, recover_options);
    FL_ASSERT(recovered.has_value(), "a new log starts");
    edge::EdgeOptions edge_options;
    edge_options.clock = &clock_;
    edge_options.entropy = &entropy_;
    edge_options.bus = &bus_;
    edge_options.keys = keys;
    edge_options.queue_bytes = 16 * 1024;
    edge_options.admission.table_sets = 64;
    edge_options.episodes = {{std::string(kEpisode), recovered->voter_key}};
    edge::OwnerOptions owner_options;
    owner_options.episode = kEpisode;
    owner_options.clock = &clock_;
    owner_options.bus = &bus_;
    owner_options.log = &log_;
    owner_options.edges = {{0, "edge-0"}};
    owner_options.pending_max = 256;
    owner_ = edge::make_owner(std::move(owner_options), std::move(*recovered));
    edge_ = edge::make_edge(std::move(edge_options));
    for (size_t i = 0; i < 5; ++i) connect(i);
    connect_named();
  }

  void step(std::string_view line) {
    const char what = line.front();
    line.remove_prefix(1);
    if (what >= '0' && what <= '4') {
      edge_->on_frame(conn(static_cast<size_t>(what - '0')), line);
    } else if (what == 'b') {
      edge_->on_binary(conn(1), line);
    } else if (what == 'n') {
      edge_->on_binary(conn(kNamed), line);
    } else if (what == 'N') {
      edge_->on_close(conn(kNamed));
      connect_named();
    } else if (what == 't') {
      pass(static_cast<int64_t>(std::min<size_t>(line.size(), 40)) * 50);
    } else if (what == 'a') {
      auto answered = std::make_shared<bool>(false);
      const auto route =
          line.starts_with("{\"who") ? edge::ApiRoute::kKick : edge::ApiRoute::kCommands;
      owner_->api({route, 7, "p", std::string(line), {}}, [answered](edge::ApiAnswer) {
        FL_ASSERT(!*answered, "an answer comes once");
        *answered = true;
      });
    } else if (what >= 'A' && what <= 'E') {
      FuzzConnection& connection = *connections_[static_cast<size_t>(what - 'A')];
      connection.room = line.empty() ? SIZE_MAX : line.size() * 16;
      edge_->on_writable(conn(static_cast<size_t>(what - 'A')));
    } else if (what >= 'V' && what <= 'Z') {
      const auto i = static_cast<size_t>(what - 'V');
      edge_->on_close(conn(i));
      connect(i);
    } else {
      settle();
    }
  }

  void finish() {
    pass(200);
    if (owner_->halted()) return;
    edge::RecoverOptions options{std::string(kEpisode), {}, &entropy_, 1};
    auto again = edge::recover(log_, options);
    FL_ASSERT(again.has_value(), "what was written can be read");
    FL_ASSERT(again->state.hash() == owner_->state().hash(), "replay gives the live state");
  }

 private:
  static constexpr size_t kNamed = 5;
  edge::ConnId conn(size_t i) const { return ids_[i]; }
  static std::string token_of(size_t i) {
    gate::Claims claims;
    claims.sub = "u" + std::to_string(i);
    claims.episode = kEpisode;
    claims.role = kRoles[i];
    claims.characters = {"aria"};
    claims.expires_s = 4'000'000'000;
    return *gate::mint_token(claims, "k", *gate::hs256_signer(kSecret));
  }

  // A provider that names its boards, with one open.
  void connect_named() {
    connections_[kNamed] = std::make_unique<FuzzConnection>();
    ids_[kNamed] = next_id_++;
    const edge::ConnectionInfo::Bare bare{kEpisode, "", ""};
    edge_->on_open(ids_[kNamed], {.ip = "127.0.0.1", .bare = &bare}, *connections_[kNamed]);
    const std::string token = token_of(2);
    Bytes hello;
    ByteWriter out(hello);
    out.text("table");
    out.varint(2);
    out.varint(0);
    out.text(token);
    edge_->on_binary(ids_[kNamed], as_text(hello));
    settle();
  }

  // Four with a session, one that has not said hello.
  void connect(size_t i) {
    // The edge lets go of a connection when on_close was called, not before.
    connections_[i] = std::make_unique<FuzzConnection>();
    ids_[i] = next_id_++;
    edge_->on_open(ids_[i], {"127.0.0.1", false, {}}, *connections_[i]);
    if (i < 4) {
      proto::Hello hello;
      const std::string token = token_of(i);
      hello.token = token;
      hello.cid = i + 1;
      edge_->on_frame(ids_[i], proto::encoded(hello));
    }
    settle();
  }

  void settle() {
    while (!bus_.owner.empty() || !bus_.edge.empty() || log_.pending || !log_.wanted.empty()) {
      if (!bus_.owner.empty()) {
        auto message = std::move(bus_.owner.front());
        bus_.owner.pop_front();
        owner_->on_bus(std::move(message));
      } else if (!bus_.edge.empty()) {
        auto message = std::move(bus_.edge.front());
        bus_.edge.pop_front();
        edge_->on_bus(std::string(kEpisode), std::move(message));
      } else if (!log_.wanted.empty()) {
        const uint64_t ticket = log_.wanted.back();
        log_.wanted.pop_back();
        owner_->on_board(ticket, log::BoardFile{});
      } else {
        const auto batch = std::move(*log_.pending);
        log_.pending.reset();
        owner_->on_appended(static_cast<log::EventLog&>(log_).append(std::span(batch)));
      }
    }
  }

  void pass(int64_t ms) {
    const MonoUs end_us = clock_.us + ms * kUsPerMs;
    while (clock_.us < end_us) {
      const MonoUs due_us = std::min(edge_->next_due_us(), owner_->next_due_us());
      clock_.us = std::clamp(due_us, clock_.us + 1, end_us);
      edge_->on_time();
      owner_->on_time();
      settle();
    }
  }

  FuzzClock clock_;
  FuzzEntropy entropy_;
  FuzzBus bus_;
  FuzzLog log_;
  std::unique_ptr<edge::Owner> owner_;
  std::unique_ptr<edge::Edge> edge_;
  std::array<std::unique_ptr<FuzzConnection>, 6> connections_;
  std::array<edge::ConnId, 6> ids_{};
  edge::ConnId next_id_ = 1;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  World world;
  for (int steps = 0; !input.empty() && steps < 200; ++steps) {
    const size_t end = std::min(input.find('\n'), input.size());
    if (end > 0) world.step(input.substr(0, end));
    input.remove_prefix(std::min(input.size(), end + 1));
  }
  world.finish();
  return 0;
}
