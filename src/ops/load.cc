#include "ops/load.h"

#include <unistd.h>

#include <algorithm>
#include <deque>
#include <future>
#include <utility>
#include <vector>

#include "net/asio/client.h"
#include "net/asio/http_client.h"
#include "net/asio/shard.h"
#include "net/asio/system.h"
#include "ops/client.h"

namespace footlight::ops {
namespace {

constexpr MonoUs kTickUs = 2 * kUsPerMs;
constexpr MonoUs kWarmUpUs = 2 * kUsPerSecond;
constexpr MonoUs kSettleUs = 1 * kUsPerSecond;  // idle before memory is read
constexpr MonoUs kTailUs = 3 * kUsPerSecond;    // for the last confirmations
constexpr MonoUs kConnectUs = 120 * kUsPerSecond;
constexpr uint32_t kSampleOneIn = 16;  // batches followed to a tally
constexpr uint32_t kLoadObservers = 16;
constexpr uint32_t kTries = 20;  // of a connection that is refused while all connect
constexpr uint64_t kRetryMs = 4'000;
constexpr size_t kLoadTalliesKept = 64;
constexpr uint32_t kOtherDescriptors = 64;  // files that are no connection

struct Batch {
  uint64_t last_i = 0;
  MonoUs sent_us = 0;
};

struct Connection {
  uint32_t number = 0;
  net::WsClient* socket = nullptr;
  std::string token;
  bool live = false;
  bool final = false;  // the server said that coming back is no use
  uint64_t next_i = 1;
  uint32_t n = 0;
  uint32_t tries = 0;
  std::deque<Batch> sent;
};

struct Again {
  MonoUs at_us = 0;
  uint32_t number = 0;
};

struct Seen {
  uint64_t log = 0;
  MonoUs at_us = 0;
};

struct Waiting {
  MonoUs sent_us = 0;
  uint64_t log = 0;
};

enum class Phase : uint8_t { kConnect, kSettle, kOpenPoll, kWarmUp, kMeasure, kTail, kDone };

class Load final : public net::WsClientApp, public net::Resident {
 public:
  Load(net::Shard& shard, const LoadOptions& options, const TokenSource& tokens,
       const std::function<void(const Progress&)>& progress, const std::atomic<bool>& stop)
      : shard_(shard),
        options_(options),
        progress_(progress),
        stop_(stop),
        random_(a_seed()),
        connections_(options.connections + 1) {
    // Accounts, client ids and the poll are this run's own: several runs at once do not meet.
    run_ = hex_u64(random_.next()).substr(5);
    poll_ = "load-" + run_;
    connections_[0].token =
        tokens({"load-" + run_ + "-director", "Load", proto::Role::kProducer, {}});
    for (uint32_t k = 1; k < connections_.size(); ++k) {
      connections_[k].token =
          tokens({"load-" + run_ + "-" + std::to_string(k), "L", proto::Role::kViewer, {}});
    }
    for (uint32_t k = 0; k < connections_.size(); ++k) connections_[k].number = k;
  }

  Status open() {
    auto url = net::parse_url(options_.url);
    if (!url) return std::unexpected(url.error());
    net::WsClientOptions to;
    to.host = url->host;
    to.port = url->port;
    to.tls = url->tls;
    to.tls_verify = options_.tls_verify;
    to.connects_per_s = options_.connects_per_s;
    if (url->host.starts_with("127.")) to.sources = net::loopback_sources(connections_.size());
    auto engine = net::WsClients::create(shard_, *this, to);
    if (!engine) return std::unexpected(engine.error());
    engine_ = std::move(*engine);
    report_.server_rss_idle_bytes = process_memory_bytes(options_.server_pid);
    for (Connection& c : connections_) c.socket = &engine_->open(&c);
    shard_.add_resident(this);
    return {};
  }

  void close() {
    shard_.remove_resident(this);
    engine_.reset();
  }

  std::future<void> over() { return over_.get_future(); }
  Result<LoadReport> finish() {
    if (!why_.empty()) return fail(Code::kUnreachable, why_);
    return report_;
  }

  void on_open(net::WsClient& socket) override {
    Connection& c = of(socket);
    reached_ = true;
    proto::Hello hello;
    hello.token = c.token;
    hello.cid = random_.next();
    hello.client = "footlight-load";
    socket.send(proto::encoded(hello));
  }

  void on_message(net::WsClient& socket, std::string_view text) override {
    Connection& c = of(socket);
    const bool measuring = phase_ == Phase::kMeasure;
    report_.frames_received += measuring ? 1 : 0;
    report_.bytes_received += measuring ? text.size() : 0;
    switch (frame_type(text)) {
      case FrameType::kTally:
        report_.tallies_received += measuring ? 1 : 0;
        if (is_observer(c.number)) on_tally(c, text);
        break;
      case FrameType::kAck:
        on_ack(c, text);
        break;
      case FrameType::kWelcome:
        c.live = true;
        ++live_;
        if (c.number == 0)
          waiting_to_start_ = text.find(R"("state":"waiting")") != std::string_view::npos;
        break;
      case FrameType::kBye:
        c.final = text.find(R"("reconnect":false)") != std::string_view::npos;
        if (phase_ == Phase::kConnect && last_bye_.empty()) last_bye_ = text;
        break;
      default:
        break;
    }
  }

  void on_closed(net::WsClient& socket, const net::WsClosed& how) override {
    Connection& c = of(socket);
    c.socket = nullptr;
    const bool was_live = std::exchange(c.live, false);
    if (was_live) {
      --live_;
      ++report_.lost_connections;
    }
    // A crowd that connects at once is refused here and there; a server that nobody reaches is not
    // there.
    const bool worth_it = reached_ && !c.final && c.tries++ < kTries;
    if (!was_live && phase_ == Phase::kConnect && worth_it) {
      again_.push_back({clock_.now_us() + in_retry(), c.number});
    } else if (!was_live || phase_ == Phase::kConnect) {  // who is lost does not come back
      ++refused_;
      if (refusal_.empty()) refusal_ = last_bye_.empty() ? how.reason : last_bye_;
    }
  }

  MonoUs on_turn_end(MonoUs now_us) override {
    if (started_us_ == 0) started_us_ = phase_us_ = now_us;
    if (now_us >= next_tick_us_) {
      next_tick_us_ = now_us + kTickUs;
      reconnect(now_us);
      step(now_us);
      if (phase_ == Phase::kWarmUp || phase_ == Phase::kMeasure) {
        vote(now_us);
        roll(now_us);
      }
      if (now_us >= next_progress_us_) tell(now_us);
    }
    if (!told_ && (phase_ == Phase::kDone || stop_)) {
      told_ = true;
      tell(now_us);
      over_.set_value();
    }
    return next_tick_us_;
  }

 private:
  static uint64_t a_seed() {
    net::SystemEntropy entropy;
    uint64_t seed = 0;
    entropy.fill({reinterpret_cast<uint8_t*>(&seed), sizeof seed});
    return seed;
  }
  static Connection& of(net::WsClient& socket) { return *static_cast<Connection*>(socket.user); }

  bool is_observer(uint32_t number) const {
    const auto step = std::max<uint32_t>(1, options_.connections / kLoadObservers);
    return number > 0 && number % step == 0;
  }
  uint32_t observer_of(uint32_t number) const {  // another connection that is looked at
    const auto step = std::max<uint32_t>(1, options_.connections / kLoadObservers);
    const uint32_t count = options_.connections / step;
    const uint32_t index = number % count;
    const uint32_t observer = (index + 1) * step;
    return observer == number ? ((index + 1) % count + 1) * step : observer;
  }

  MonoUs in_retry() { return static_cast<MonoUs>(random_.below(kRetryMs)) * kUsPerMs; }

  void reconnect(MonoUs now_us) {
    std::erase_if(again_, [&](const Again& again) {
      if (again.at_us > now_us) return false;
      Connection& c = connections_[again.number];
      c.socket = &engine_->open(&c);
      return true;
    });
  }

  void enter(Phase phase, MonoUs now_us) {
    phase_ = phase;
    phase_us_ = now_us;
  }

  void step(MonoUs now_us) {
    const MonoUs in_phase = now_us - phase_us_;
    switch (phase_) {
      case Phase::kConnect:
        if (live_ + refused_ >= connections_.size() || in_phase > kConnectUs) {
          report_.connections = live_;
          if (live_ * 100 < connections_.size() * 99 || !connections_[0].live) {
            why_ = std::to_string(live_) + " of " + std::to_string(connections_.size()) +
                   " connected: " + refusal_;
            return enter(Phase::kDone, now_us);
          }
          enter(Phase::kSettle, now_us);
        }
        break;
      case Phase::kSettle:
        if (in_phase < kSettleUs) break;
        report_.server_rss_connected_bytes = process_memory_bytes(options_.server_pid);
        if (waiting_to_start_ && options_.votes_per_s + options_.commands_per_s > 0) {
          director(proto::Kind::kEpisodeStart, "{}");
        }
        if (options_.votes_per_s > 0) open_poll();
        enter(Phase::kOpenPoll, now_us);
        break;
      case Phase::kOpenPoll:
        if (in_phase >= kSettleUs / 2) enter(Phase::kWarmUp, now_us);
        break;
      case Phase::kWarmUp:
        if (in_phase < kWarmUpUs) break;
        cpu_before_ = process_cpu_s(options_.server_pid);
        own_cpu_before_ = process_cpu_s(::getpid());
        enter(Phase::kMeasure, now_us);
        break;
      case Phase::kMeasure:
        if (in_phase < int64_t{options_.seconds} * kUsPerSecond) break;
        report_.seconds = static_cast<double>(in_phase) / kUsPerSecond;
        report_.client_cpu_s = process_cpu_s(::getpid()) - own_cpu_before_;
        if (cpu_before_ >= 0)
          report_.server_cpu_s = process_cpu_s(options_.server_pid) - cpu_before_;
        enter(Phase::kTail, now_us);
        break;
      case Phase::kTail:
        if (in_phase > kTailUs || outstanding_ == 0) enter(Phase::kDone, now_us);
        break;
      case Phase::kDone:
        break;
    }
  }

  void director(proto::Kind kind, std::string_view args) {
    std::string event;
    JsonWriter out(event);
    out.object().field("i", connections_[0].next_i++).field("k", proto::kind_name(kind));
    out.key("a").raw(args).end_object();
    if (connections_[0].socket != nullptr) connections_[0].socket->send(event_frame(event));
  }

  void open_poll() {
    director(proto::Kind::kPollCreate,
             R"({"poll":")" + poll_ + R"(","title":"Load","options":["A","B","C","D"]})");
    director(proto::Kind::kPollOpen, R"({"poll":")" + poll_ + R"("})");
  }

  // At random moments, so that they do not keep step with the server's ticks.
  void roll(MonoUs now_us) {
    if (options_.commands_per_s == 0 || now_us < next_roll_us_) return;
    const auto mean_us = static_cast<uint64_t>(kUsPerSecond / options_.commands_per_s);
    next_roll_us_ = now_us + static_cast<MonoUs>(random_.below(2 * mean_us + 1));
    std::string args;
    JsonWriter out(args);
    out.object().field("expr", "2d20kh1+4");
    const std::string nonce = hex_u64(random_.next());
    out.field("nonce", std::string_view(nonce)).end_object();
    connections_[0].sent.push_back({connections_[0].next_i, now_us});
    director(proto::Kind::kDiceRoll, args);
  }

  // Sends what is due by now: evenly over time, in turns over the connections.
  void vote(MonoUs now_us) {
    if (options_.votes_per_s == 0) return;
    if (vote_from_us_ == 0) vote_from_us_ = now_us;
    const auto due =
        static_cast<uint64_t>(now_us - vote_from_us_) * options_.votes_per_s / kUsPerSecond;
    for (uint32_t skipped = 0; voted_ + options_.batch <= due && skipped < connections_.size();) {
      turn_ = turn_ % options_.connections + 1;
      Connection& c = connections_[turn_];
      if (!c.live || c.socket == nullptr) {
        ++skipped;
        continue;
      }
      send_batch(c, now_us);
      voted_ += options_.batch;
    }
  }

  void send_batch(Connection& c, MonoUs now_us) {
    scratch_.clear();
    for (uint32_t k = 0; k < options_.batch; ++k) {
      if (k > 0) scratch_ += ',';
      scratch_ += R"({"i":)";
      scratch_ += std::to_string(c.next_i++);
      scratch_ += R"(,"k":"poll.vote","a":{"poll":")";
      scratch_ += poll_;
      scratch_ += R"(","choice":[)";
      scratch_ += static_cast<char>('0' + random_.below(4));
      scratch_ += R"(],"n":)";
      scratch_ += std::to_string(++c.n);
      scratch_ += "}}";
    }
    c.sent.push_back({c.next_i - 1, now_us});
    if (c.socket->send(event_frame(scratch_))) {
      outstanding_ += options_.batch;
      if (phase_ == Phase::kMeasure) report_.ballots_sent += options_.batch;
    }
  }

  void on_ack(Connection& c, std::string_view text) {
    auto message = decoder_.decode(text);
    const auto* ack = message ? std::get_if<proto::Ack>(&*message) : nullptr;
    if (ack == nullptr) return;
    for (const auto& rejected : ack->rejected) {
      ++report_.rejected[static_cast<int>(rejected.code)];
      if (c.number > 0) --outstanding_;
    }
    const MonoUs now_us = clock_.now_us();
    for (const auto& confirmed : ack->confirmed) {
      if (c.number > 0) {
        --outstanding_;
        if (phase_ == Phase::kMeasure) ++report_.ballots_confirmed;
      }
      while (!c.sent.empty() && c.sent.front().last_i < confirmed.i) c.sent.pop_front();
      if (c.sent.empty() || c.sent.front().last_i != confirmed.i) continue;
      if (c.number == 0) {
        if (phase_ == Phase::kMeasure) {
          report_.command_us.record(static_cast<uint64_t>(now_us - c.sent.front().sent_us));
        }
      } else if (phase_ == Phase::kMeasure) {
        report_.confirm_us.record(static_cast<uint64_t>(now_us - c.sent.front().sent_us));
        if (sample_++ % kSampleOneIn == 0) follow(c, c.sent.front().sent_us, confirmed.log);
      }
      c.sent.pop_front();
    }
  }

  void follow(const Connection& c, MonoUs sent_us, uint64_t log) {
    const uint32_t observer = observer_of(c.number);
    for (const Seen& tally : seen_[observer]) {
      if (tally.log < log) continue;
      report_.tally_us.record(static_cast<uint64_t>(std::max<MonoUs>(0, tally.at_us - sent_us)));
      return;
    }
    waiting_[observer].push_back({sent_us, log});
  }

  void on_tally(Connection& c, std::string_view text) {
    auto message = decoder_.decode(text);
    const auto* tally = message ? std::get_if<proto::TallyUpdate>(&*message) : nullptr;
    if (tally == nullptr || tally->poll != poll_) return;
    const MonoUs now_us = clock_.now_us();
    report_.final_voters = tally->voters;
    auto& recent = seen_[c.number];
    recent.push_back({tally->log, now_us});
    if (recent.size() > kLoadTalliesKept) recent.pop_front();
    std::erase_if(waiting_[c.number], [&](const Waiting& w) {
      if (w.log > tally->log) return false;
      report_.tally_us.record(static_cast<uint64_t>(now_us - w.sent_us));
      return true;
    });
  }

  void tell(MonoUs now_us) {
    next_progress_us_ = now_us + 200 * kUsPerMs;
    static constexpr std::string_view kNames[] = {"connecting", "settling",  "opening the poll",
                                                  "warming up", "measuring", "last confirmations",
                                                  "done"};
    Progress progress;
    const double measured = phase_ == Phase::kMeasure ? static_cast<double>(now_us - phase_us_) /
                                                            kUsPerSecond / options_.seconds
                            : phase_ > Phase::kMeasure ? 1
                                                       : 0;
    progress.part = measured;
    progress.status = std::string(kNames[static_cast<size_t>(phase_)]) + ", " +
                      std::to_string(live_) + " connected";
    progress_(progress);
  }

  net::SystemClock clock_;
  net::Shard& shard_;
  const LoadOptions& options_;
  const std::function<void(const Progress&)>& progress_;
  const std::atomic<bool>& stop_;
  Prng random_;
  std::vector<Connection> connections_;
  std::unique_ptr<net::WsClients> engine_;
  std::promise<void> over_;
  proto::ServerDecoder decoder_;
  LoadReport report_;
  std::vector<Again> again_;
  std::map<uint32_t, std::deque<Seen>> seen_;
  std::map<uint32_t, std::deque<Waiting>> waiting_;
  std::string run_, poll_, scratch_, why_, refusal_, last_bye_;
  Phase phase_ = Phase::kConnect;
  bool told_ = false;
  bool reached_ = false;  // somebody's WebSocket was opened
  bool waiting_to_start_ = false;
  uint64_t live_ = 0, refused_ = 0, voted_ = 0, sample_ = 0;
  int64_t outstanding_ = 0;
  uint32_t turn_ = 0;
  double cpu_before_ = -1, own_cpu_before_ = 0;
  MonoUs started_us_ = 0, phase_us_ = 0, next_tick_us_ = 0, next_progress_us_ = 0,
         vote_from_us_ = 0, next_roll_us_ = 0;
};

}  // namespace

Result<LoadReport> run_load(const LoadOptions& options, const TokenSource& tokens,
                            const std::function<void(const Progress&)>& progress,
                            const std::atomic<bool>& stop) {
  if (auto room = net::raise_descriptor_limit(options.connections + kOtherDescriptors); !room) {
    return std::unexpected(room.error());
  }
  net::Shard shard(0);
  Load load(shard, options, tokens, progress, stop);
  if (auto opened = load.open(); !opened) return std::unexpected(opened.error());
  auto over = load.over();
  shard.start();
  over.wait();
  std::promise<void> closed;
  shard.post([&] {
    load.close();
    closed.set_value();
  });
  closed.get_future().wait();
  shard.stop();
  shard.join();
  return load.finish();
}

}  // namespace footlight::ops
