#include "edge/node.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <thread>

#include "edge/http_api.h"
#include "edge/http_api_media.h"
#include "edge/http_program.h"
#include "edge/internal/metrics_page.h"
#include "edge/node_dev.h"
#include "edge/node_episode.h"
#include "edge/node_keys.h"
#include "edge/node_media.h"
#include "edge/node_programs.h"
#include "edge/node_relays.h"
#include "edge/node_shard.h"
#include "edge/node_webhooks.h"
#include "edge/static_files.h"
#include "net/asio/server.h"
#include "net/asio/shard.h"
#include "net/asio/system.h"
#include "net/asio/tls.h"
#include "net/asio/worker.h"

namespace footlight::edge {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLeastDescriptors = 256;
constexpr uint64_t kOwnDescriptors = 64;    // epoll, eventfds, standard streams, webhooks
constexpr uint64_t kDescriptorsPerLog = 4;  // SQLite: file, WAL, shared memory, lock
constexpr size_t kMaxLogWorkers = 8;
constexpr uint32_t kFewConnections = 1'000;
constexpr auto kDrainPoll = std::chrono::milliseconds(10);

Status make_directory(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) return {};
  const Code code = error == std::errc::read_only_file_system ? Code::kLogReadOnly : Code::kLogOpen;
  return fail(code, path + ": " + error.message());
}

std::string server_metrics(const net::ServerCounters& counters) {
  MetricsPage page;
  page.gauge("footlight_tcp_connections", "TCP connections now.", counters.connections);
  page.counter("footlight_tcp_accepted_total", "TCP connections accepted.", counters.accepted);
  page.counter("footlight_tcp_turned_away_total", "Connections refused at the limit.",
               counters.turned_away);
  page.counter("footlight_tcp_evicted_total", "Idle HTTP connections closed to make room.",
               counters.evicted);
  page.counter("footlight_http_requests_total", "HTTP requests.", counters.requests);
  page.counter("footlight_http_bad_requests_total", "HTTP requests that could not be understood.",
               counters.bad_requests);
  page.counter("footlight_http_timeouts_total", "Peers that sent or read too slowly.",
               counters.timeouts);
  page.counter("footlight_websocket_upgrades_total", "WebSockets opened.", counters.upgrades);
  return page.take();
}

}  // namespace

// Members are destroyed from the last to the first: what others point to stands above them.
struct Node::Impl {
  NodeOptions options;
  net::SystemClock clock;
  net::SystemEntropy entropy;
  MonoUs started_us = clock.now_us();
  std::string build;
  std::shared_ptr<net::TlsServer> tls;
  std::vector<std::unique_ptr<net::Shard>> shards;
  std::unique_ptr<net::Server> server;
  std::unique_ptr<NodeRelays> relays;  // null as media
  std::unique_ptr<NodeMedia> media;    // null when media.enabled is false
  std::unique_ptr<HttpApi> api;
  std::unique_ptr<HttpMedia> http_media;
  std::unique_ptr<HttpProgram> programs;
  std::unique_ptr<NodeWebhooks> webhooks;
  std::vector<std::unique_ptr<NodeEpisode>> episodes;
  std::vector<std::unique_ptr<NodeShard>> apps;
  std::vector<std::unique_ptr<net::Worker>> workers;
  std::vector<Node::Link> links;
  std::vector<PushPlace> push;
  bool running = false;

  Status prepare();
  Status listen(uint64_t descriptors);
  Status carry_media();
  Status open_episodes();
  Status make_api();
  void begin_owners(std::vector<WebhookEndpoint> hooks);
  void begin_edges(std::shared_ptr<const gate::KeySet> keys);
  void stop();
  bool all_told();
  void drain_media(MonoUs until_us, const std::function<bool()>& hurry);
  template <class Result>
  std::vector<Result> ask_all(std::function<Result(NodeShard&)> question);

  std::vector<NodeShard*> app_pointers() const {
    std::vector<NodeShard*> out;
    for (const auto& app : apps) out.push_back(app.get());
    return out;
  }
  std::vector<NodeEpisode*> episode_pointers() const {
    std::vector<NodeEpisode*> out;
    for (const auto& episode : episodes) out.push_back(episode.get());
    return out;
  }
  OwnerOptions owner_options() const;
  EdgeOptions edge_options(size_t shard) const;
  std::string edge_name(size_t shard) const { return "edge-" + std::to_string(shard); }
  ProcessMetrics process_metrics() const;
};

Status Node::Impl::prepare() {
  const Config& config = options.config;
  const auto descriptors = net::raise_descriptor_limit(kLeastDescriptors);
  if (!descriptors) return std::unexpected(descriptors.error());
  if (auto status = make_directory(config.data.dir); !status) return status;
  auto keys = load_keys(config.keys, options.dev_secret);
  if (!keys) return std::unexpected(keys.error());
  if (!config.server.tls_cert.empty()) {
    auto loaded =
        net::TlsServer::load(config.server.tls_cert, config.server.tls_key, config.server.http2);
    if (!loaded) return std::unexpected(loaded.error());
    tls = std::move(*loaded);
  }
  if (auto status = make_api(); !status) return status;
  api->set_keys(*keys);
  if (options.episodes.empty()) options.episodes = NodeEpisode::in(config.data.dir);
  auto hooks = load_webhooks(config.webhooks);
  if (!hooks) return std::unexpected(hooks.error());
  if (auto status = load_push(config.push, push); !status) return status;
  if (auto status = listen(*descriptors); !status) return status;
  if (auto status = carry_media(); !status) return status;
  if (auto status = open_episodes(); !status) return status;
  begin_owners(std::move(*hooks));
  begin_edges(std::move(*keys));
  return {};
}

Status Node::Impl::make_api() {
  HttpApiOptions made;
  made.clock = &clock;
  made.allowed_origins = options.config.server.allowed_origins;
  made.trust_forwarded = options.config.server.trust_forwarded;
  made.process_metrics = [this] { return process_metrics(); };
  made.shell_metrics = [this] {
    return server_metrics(server->counters()) +
           (media ? media->metrics() + relays->metrics() : std::string()) + programs->metrics();
  };
  made.dev_links = [this] { return links.empty() ? std::string() : dev_links_json(links); };
  api = std::make_unique<HttpApi>(std::move(made));
  build = options.version;
  if (options.config.server.static_dir.empty()) return {};
  auto files = StaticFiles::load(options.config.server.static_dir);
  if (!files) return std::unexpected(files.error());
  if (!(*files)->build().empty()) build = (*files)->build();
  api->set_files(std::move(*files));
  return {};
}

// Before any log is touched: a second node on the same port harms nothing. Clients that come early
// wait in the backlog.
Status Node::Impl::listen(uint64_t descriptors) {
  const Config& config = options.config;
  const uint64_t threads = config.server.threads > 0
                               ? static_cast<uint64_t>(config.server.threads)
                               : std::max(1u, std::thread::hardware_concurrency());
  std::vector<net::Shard*> shard_pointers;
  std::vector<net::ServerApp*> server_apps;
  for (uint64_t i = 0; i < threads; ++i) {
    shards.push_back(std::make_unique<net::Shard>(static_cast<int>(i)));
    apps.push_back(std::make_unique<NodeShard>(*shards.back(), *api, clock));
    shard_pointers.push_back(shards.back().get());
    server_apps.push_back(apps.back().get());
  }
  net::ServerOptions made;
  made.address = config.server.address;
  made.port = static_cast<uint16_t>(config.server.port);
  made.tls = tls;
  made.max_streams = static_cast<uint32_t>(config.server.http2_streams);
  made.allowed_origins = config.server.allowed_origins;
  made.error_response = &HttpApi::error;
  made.bare_prefix = kYjsPrefix;
  if (config.media.enabled && NodeMedia::shares_http_port(config)) {
    made.framed = [this](net::FramedSocket socket) { media->adopt(std::move(socket)); };
  }
  const uint64_t own = kOwnDescriptors + kDescriptorsPerLog * options.episodes.size();
  const uint64_t wanted = static_cast<uint64_t>(config.server.max_connections);
  made.max_connections = static_cast<uint32_t>(
      std::min(wanted, descriptors > own + 16 ? descriptors - own : uint64_t{16}));
  if (made.max_connections < wanted) {
    options.log(made.max_connections < kFewConnections ? LogLevel::kWarning : LogLevel::kInfo,
                "the limit of open files (" + std::to_string(descriptors) + ") allows " +
                    std::to_string(made.max_connections) + " of server.max_connections " +
                    std::to_string(wanted) + "; raise `ulimit -n`");
  }
  auto listening = net::Server::listen(std::move(made), shard_pointers, server_apps);
  if (!listening) return std::unexpected(listening.error());
  server = std::move(*listening);
  return {};
}

Status Node::Impl::carry_media() {
  if (!options.config.media.enabled) return {};
  auto asked = NodeRelays::open(options.config, *shards.back(), clock, entropy);
  if (!asked) return std::unexpected(asked.error());
  relays = std::move(*asked);
  // Homes, which receive, are no more than there are shows: a shard that only receives what is
  // another's costs more than it helps. The last ones, for the first also accepts connections.
  const size_t homes = std::min(shards.size(), std::max<size_t>(1, options.episodes.size()));
  std::vector<net::Shard*> all;
  for (const auto& shard : shards) all.push_back(shard.get());
  auto opened = NodeMedia::open(options.config, server->port(), {all, homes}, clock, entropy);
  if (!opened) return std::unexpected(opened.error());
  media = std::move(*opened);
  http_media = std::make_unique<HttpMedia>(*api, *media, *relays, clock);
  api->set_media(http_media.get());
  const auto say = [&](const std::string& how, const auto& addresses) {
    std::string where;
    for (const auto& address : addresses) where += " " + rtc::to_string(address);
    if (!where.empty()) options.log(LogLevel::kInfo, "media on " + how + where);
  };
  say("UDP", media->advertised().udp);
  say("TCP", media->advertised().tcp);
  if (media->tcp_fault().code != Code::kOk) {
    options.log(LogLevel::kWarning, "no media over TCP: " + media->tcp_fault().message());
  }
  return {};
}

// What is wrong with one episode costs that episode alone.
Status Node::Impl::open_episodes() {
  Error first;
  for (const EpisodeSource& source : options.episodes) {
    auto episode =
        NodeEpisode::open(source, options.config.data.dir, entropy, clock.wall_ms(), options.log);
    if (episode) {
      episodes.push_back(std::move(*episode));
      continue;
    }
    if (first.code == Code::kInternal) first = episode.error();
    options.log(LogLevel::kError,
                "episode " + source.id + " is left out: " + episode.error().message());
  }
  if (episodes.empty()) {
    if (first.code != Code::kInternal) return std::unexpected(first);
    return fail(Code::kUsage,
                "there is no episode to run: name one with --episode, or put logs in " +
                    options.config.data.dir);
  }
  return {};
}

OwnerOptions Node::Impl::owner_options() const {
  const Config& config = options.config;
  OwnerOptions made;
  made.clock = &clock;
  made.webhooks = webhooks.get();
  for (size_t i = 0; i < apps.size(); ++i) {
    made.edges.push_back({static_cast<bus::EdgeId>(i), edge_name(i)});
  }
  made.tick_ms = static_cast<uint32_t>(config.ticks.tally_ms);
  made.crowd_tick_ms = static_cast<uint32_t>(config.ticks.crowd_tally_ms);
  made.crowd_audience = static_cast<uint32_t>(config.ticks.crowd_audience);
  made.emote_ms = static_cast<uint32_t>(config.ticks.emote_ms);
  made.batch_max = static_cast<uint32_t>(config.data.batch_max);
  made.snapshot_every = static_cast<uint32_t>(config.data.snapshot_every);
  made.board_limits.doc_bytes = static_cast<uint32_t>(config.boards.doc_bytes);
  made.board_times.snapshot_updates = static_cast<uint32_t>(config.boards.snapshot_updates);
  made.board_times.idle_ms = static_cast<uint32_t>(config.boards.idle_ms);
  return made;
}

void Node::Impl::begin_owners(std::vector<WebhookEndpoint> hooks) {
  WebhookOptions made;
  made.clock = &clock;
  made.entropy = &entropy;
  made.endpoints = std::move(hooks);
  webhooks = std::make_unique<NodeWebhooks>(std::move(made), *shards.front());
  const size_t count = std::min(episodes.size(), kMaxLogWorkers);
  for (size_t i = 0; i < count; ++i) {
    workers.push_back(std::make_unique<net::Worker>("log-" + std::to_string(i)));
  }
  for (size_t i = 0; i < episodes.size(); ++i) {
    NodeShard& home = *apps[i % apps.size()];
    OwnerOptions of_this = owner_options();
    of_this.bus = &home;
    episodes[i]->begin(std::move(of_this), home.shard(), *workers[i % workers.size()]);
    if (options.dev_secret.empty()) continue;
    auto more = make_dev_links(episodes[i]->id(), episodes[i]->definition(), options.dev_secret,
                               clock.wall_ms());
    std::ranges::move(more, std::back_inserter(links));
  }
}

EdgeOptions Node::Impl::edge_options(size_t shard) const {
  const Config& config = options.config;
  EdgeOptions made;
  made.id = static_cast<bus::EdgeId>(shard);
  made.name = edge_name(shard);
  made.build = build;
  made.clock = &clock;
  for (const auto& episode : episodes) {
    made.episodes.push_back({episode->id(), episode->voter_key()});
  }
  made.admission = config.limits.admission;
  made.tick_ms = static_cast<uint32_t>(config.ticks.tally_ms);
  made.ack_tick_ms = static_cast<uint32_t>(config.ticks.ack_ms);
  made.hello_timeout_ms = static_cast<uint32_t>(config.limits.hello_timeout_ms);
  made.idle_ms = static_cast<uint32_t>(config.limits.idle_ms);
  made.queue_bytes = static_cast<uint32_t>(config.limits.queue_bytes);
  made.max_sessions = static_cast<uint32_t>(config.server.max_connections);
  made.drain_spread_ms = static_cast<uint32_t>(config.server.drain_spread_ms);
  return made;
}

void Node::Impl::begin_edges(std::shared_ptr<const gate::KeySet> keys) {
  for (size_t i = 0; i < apps.size(); ++i) {
    EdgeOptions made = edge_options(i);
    made.entropy = &entropy;
    made.keys = keys;
    made.media = media.get();
    made.relays = relays.get();
    apps[i]->begin(std::move(made), app_pointers(), episode_pointers());
  }
  const ProgramHouse house{options.config, clock, shards, episode_pointers(), options.log, push};
  programs = make_programs(house);
  api->set_program(programs.get());
  if (!options.program_sinks) options.program_sinks = make_program_sinks(house, *programs);
  if (media) {
    media->begin(app_pointers(), episode_pointers());
    media->begin_programs(options.config, options.program_sinks);
  }
  api->begin(app_pointers(), episode_pointers());
  running = true;
  for (const auto& shard : shards) shard->start();
}

ProcessMetrics Node::Impl::process_metrics() const {
  const net::ProcessUsage usage = net::process_usage();
  const WebhookCounters hooks = webhooks->counters();
  ProcessMetrics made;
  made.version = options.version;
  made.uptime_s = static_cast<uint64_t>((clock.now_us() - started_us) / kUsPerSecond);
  made.resident_bytes = usage.resident_bytes;
  made.open_fds = usage.open_fds;
  made.cpu_s = usage.cpu_s;
  made.webhooks_delivered = hooks.delivered;
  made.webhooks_failed = hooks.failed;
  made.webhooks_dead = hooks.dead;
  made.webhooks_waiting = hooks.waiting;
  return made;
}

// Waits for the answer of each shard. Not from a shard's thread.
template <class Result>
std::vector<Result> Node::Impl::ask_all(std::function<Result(NodeShard&)> question) {
  std::vector<std::future<Result>> answers;
  for (const auto& app : apps) {
    std::promise<Result> promise;
    answers.push_back(promise.get_future());
    app->shard().post([&question, app = app.get(), promise = std::move(promise)]() mutable {
      promise.set_value(question(*app));
    });
  }
  std::vector<Result> out;
  for (auto& answer : answers) out.push_back(answer.get());
  return out;
}

bool Node::Impl::all_told() {
  const auto told = ask_all<int>([](NodeShard& shard) {
    const bool idle = std::ranges::all_of(shard.owned(), [](NodeEpisode* episode) {
      return episode->owner().idle() || episode->owner().halted();
    });
    return idle && shard.edge().drained() ? 1 : 0;
  });
  return std::ranges::all_of(told, [](int one) { return one == 1; });
}

// Voices go on while their clients move; who is left at the deadline is cut.
void Node::Impl::drain_media(MonoUs until_us, const std::function<bool()>& hurry) {
  while (media->sessions() > 0 && clock.now_us() < until_us && !hurry()) {
    std::this_thread::sleep_for(kDrainPoll);
  }
  media->end_all();
}

void Node::Impl::stop() {
  if (!running) return;
  running = false;
  for (const auto& shard : shards) shard->stop();
  for (const auto& shard : shards) shard->join();
  workers.clear();  // what was handed to the logs is written and synced
  if (media) media->finish();
  webhooks->stop();
  programs.reset();  // those who wait for a part are let go
  server.reset();
  apps.clear();
  for (const auto& episode : episodes) episode->end();
}

Result<std::unique_ptr<Node>> Node::start(NodeOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  if (!impl->options.log) impl->options.log = [](LogLevel, std::string_view) {};
  if (auto status = impl->prepare(); !status) return std::unexpected(status.error());
  return std::make_unique<Node>(std::move(impl));
}

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() { stop(); }

uint16_t Node::port() const { return impl_->server->port(); }

std::string Node::url() const {
  std::string host = impl_->options.config.server.address;
  if (host == "0.0.0.0" || host == "::") host = "127.0.0.1";
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return (impl_->tls ? "https://" : "http://") + host + ":" + std::to_string(port());
}

std::vector<Node::Link> Node::dev_links() const { return impl_->links; }

void Node::reload() {
  Impl& impl = *impl_;
  bool all = true;
  const auto complain = [&](std::string_view what, const Error& error) {
    all = false;
    impl.options.log(LogLevel::kError, std::string(what) + " stays as it was: " + error.message());
  };
  if (impl.tls) {
    if (auto status = impl.tls->reload(); !status) complain("the certificate", status.error());
  }
  if (auto keys = load_keys(impl.options.config.keys, impl.options.dev_secret)) {
    impl.api->set_keys(*keys);
    for (const auto& app : impl.apps) {
      app->shard().post([app = app.get(), keys = *keys] { app->edge().set_keys(keys); });
    }
  } else {
    complain("the set of keys", keys.error());
  }
  if (!impl.options.config.server.static_dir.empty()) {
    if (auto files = StaticFiles::load(impl.options.config.server.static_dir)) {
      impl.api->set_files(std::move(*files));
    } else {
      complain("the set of pages", files.error());
    }
  }
  impl.options.log(LogLevel::kInfo,
                   all ? "reloaded certificate, keys and pages" : "reloaded what could be read");
}

void Node::drain(uint32_t timeout_ms, const std::function<bool()>& hurry) {
  Impl& impl = *impl_;
  impl.api->set_draining();
  if (impl.media) impl.media->drain();
  impl.ask_all<int>([](NodeShard& shard) {
    for (NodeEpisode* episode : shard.owned()) episode->owner().drain();
    shard.edge().drain();
    return 0;
  });
  const MonoUs began_us = impl.clock.now_us();
  const MonoUs until_us = began_us + timeout_ms * kUsPerMs;
  bool hurried = false;  // once is enough
  const auto hurrying = [&] { return hurried = hurried || hurry(); };
  while (!impl.all_told() && impl.clock.now_us() < until_us && !hurrying()) {
    std::this_thread::sleep_for(kDrainPoll);
  }
  if (impl.media) {
    impl.drain_media(began_us + impl.options.config.media.drain_ms * kUsPerMs, hurrying);
  }
  impl.server->stop_accepting();
}

void Node::stop() { impl_->stop(); }

bool Node::feed(std::string_view episode, std::move_only_function<void(Program&)> job) {
  Program* program = impl_->programs->find(episode);
  if (!program) return false;
  auto& home = impl_->shards[program->home()];
  home->post([program, job = std::move(job)]() mutable { job(*program); });
  return true;
}

}  // namespace footlight::edge
