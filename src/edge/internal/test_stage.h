// A whole node in a unit test: one owner, some edges, clients by name.
#pragma once
#include "edge/internal/test_rig.h"
#include "gate/cue.h"

namespace footlight::edge::rig {

class TestWebhooks final : public WebhookSink {
 public:
  void post(WebhookEvent event) override { events.push_back(std::move(event)); }
  std::vector<WebhookEvent> events;
};

class Stage {
 public:
  explicit Stage(int edge_count = 1) : edge_count_(edge_count) {
    keys_ = std::make_shared<gate::KeySet>();
    EXPECT_TRUE(keys_->add_hs256("k", kSecret).has_value());
    edge_options.keys = keys_;
  }

  // To change before start().
  OwnerOptions owner_options;
  EdgeOptions edge_options;

  void start() {
    start_owner();
    for (int i = 0; i < edge_count_; ++i) {
      EdgeOptions options = edge_options;
      options.id = static_cast<bus::EdgeId>(i);
      options.name = "edge-" + std::to_string(i);
      options.clock = &clock;
      options.entropy = &entropy;
      options.bus = &bus;
      options.episodes = {{std::string(kEpisode), voter_key_}};
      edges.push_back(make_edge(std::move(options)));
    }
  }
  void start_owner() {
    RecoverOptions recover_options;
    recover_options.episode = kEpisode;
    recover_options.definition = kDefinition;
    recover_options.entropy = &entropy;
    recover_options.now_ms = clock.wall_ms();
    auto recovered = recover(log, recover_options);
    ASSERT_TRUE(recovered.has_value()) << recovered.error().message();
    voter_key_ = recovered->voter_key;
    OwnerOptions options = owner_options;
    options.episode = kEpisode;
    options.clock = &clock;
    options.bus = &bus;
    options.log = &log_port;
    options.webhooks = &webhooks;
    for (int i = 0; i < edge_count_; ++i) {
      options.edges.push_back({static_cast<bus::EdgeId>(i), "edge-" + std::to_string(i)});
    }
    owner = make_owner(std::move(options), std::move(*recovered));
  }

  // Delivers what waits on the bus until nothing does. The log stays as it is.
  void pump() {
    while (!bus.owner_box.empty() || !bus.edge_box.empty()) {
      if (!bus.owner_box.empty()) {
        bus::ToOwner message = std::move(bus.owner_box.front());
        bus.owner_box.pop_front();
        owner->on_bus(std::move(message));
      } else {
        auto [edge, message] = std::move(bus.edge_box.front());
        bus.edge_box.pop_front();
        edges[edge]->on_bus(std::string(kEpisode), std::move(message));
      }
    }
  }
  // Lets time pass in steps of a millisecond; the log answers at once when `sync`.
  void run_ms(int64_t ms, bool sync = true) {
    for (int64_t i = 0; i < ms; ++i) {
      clock.us += kUsPerMs;
      for (auto& edge : edges) {
        if (edge->next_due_us() <= clock.us) edge->on_time();
      }
      if (owner->next_due_us() <= clock.us) owner->on_time();
      settle(sync);
    }
  }
  void settle(bool sync = true) {
    pump();
    while (log_port.answer(*owner)) pump();
    while (sync && log_port.in_flight()) {
      log_port.complete(*owner);
      pump();
      while (log_port.answer(*owner)) pump();
    }
    // A closed connection's end is told later, never inline.
    for (auto& [name, each] : clients) {
      if (each.connection.closed && !each.gone) {
        each.gone = true;
        edges[each.edge]->on_close(each.conn);
      }
    }
    if (!bus.owner_box.empty()) settle(sync);
  }

  struct Client {
    ConnId conn = 0;
    size_t edge = 0;
    TestConnection connection;
    bool gone = false;
  };
  // Connects and says hello, with the client's name as account; its cid is `cid`.
  TestConnection& open(const std::string& name, size_t edge = 0) {
    Client& client = clients[name];
    client = Client{};
    client.conn = next_conn_++;
    client.edge = edge;
    edges[edge]->on_open(client.conn, {"192.0.2.7", false, {}}, client.connection);
    return client.connection;
  }
  TestConnection& join(const std::string& name, proto::Role role, uint64_t cid, size_t edge = 0,
                       std::optional<proto::Resume> resume = std::nullopt) {
    TestConnection& connection = open(name, edge);
    const std::string account = name.substr(0, name.find('/'));
    send(name, hello(token(account, role), cid, resume));
    settle();
    return connection;
  }
  void send(const std::string& name, std::string_view text) {
    Client& client = clients.at(name);
    edges[client.edge]->on_frame(client.conn, text);
  }
  void send_binary(const std::string& name, ByteView bytes) {
    Client& client = clients.at(name);
    edges[client.edge]->on_binary(client.conn, as_text(bytes));
  }
  // A stock y-websocket client of a board.
  TestConnection& open_bare(const std::string& name, std::string_view board,
                            std::string_view token) {
    Client& client = clients[name];
    client = Client{};
    client.conn = next_conn_++;
    ConnectionInfo::Bare bare{kEpisode, board, token};
    edges[0]->on_open(client.conn, {.ip = "192.0.2.8", .bare = &bare}, client.connection);
    settle();
    return client.connection;
  }
  // Of the picture that so long ago was.
  std::string cue(int64_t behind_ms) const {
    return gate::sign_cue(voter_key_, kEpisode, clock.wall_ms() - behind_ms);
  }
  Json poll_view(std::string_view poll) const {
    const auto view = Json::parse(episode::encode_view(owner->state(), proto::ViewClass::kViewer));
    return view ? (*view)["polls"][poll] : Json();
  }
  void hang_up(const std::string& name) {
    Client& client = clients.at(name);
    client.gone = true;
    edges[client.edge]->on_close(client.conn);
  }
  // A running episode with the poll `fork` open, and a GM called "gil".
  TestConnection& open_fork() {
    join("pia", proto::Role::kProducer, 100);
    TestConnection& gm = join("gil", proto::Role::kGm, 101);
    send("pia", ev(1, "episode.start"));
    settle();
    send("gil", ev(1, "poll.open", R"({"poll":"fork"})"));
    settle();
    return gm;
  }

  TestClock clock;
  TestEntropy entropy;
  TestBus bus;
  MemoryLog log;
  TestLogPort log_port{log};
  TestWebhooks webhooks;
  std::unique_ptr<Owner> owner;
  std::vector<std::unique_ptr<Edge>> edges;
  std::map<std::string, Client> clients;

 private:
  int edge_count_;
  std::shared_ptr<gate::KeySet> keys_;
  std::array<uint8_t, 32> voter_key_{};
  ConnId next_conn_ = 1;
};

inline int64_t code_of(const Json& message) { return message["code"].as_int(); }
inline int64_t number(Code code) { return static_cast<int64_t>(code); }

// Of all acks of a connection.
inline size_t confirmed_of(const TestConnection& connection) {
  size_t out = 0;
  for (const Json& ack : connection.of("ack")) out += ack["confirmed"].items().size();
  return out;
}
inline std::vector<Json> rejected_of(const TestConnection& connection) {
  std::vector<Json> out;
  for (const Json& ack : connection.of("ack")) {
    for (const Json& each : ack["rejected"].items()) out.push_back(each);
  }
  return out;
}

}  // namespace footlight::edge::rig
