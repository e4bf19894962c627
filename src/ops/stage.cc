#include "ops/stage.h"

#include <future>
#include <vector>

#include "net/asio/client.h"
#include "net/asio/http_client.h"
#include "net/asio/shard.h"

namespace footlight::ops {
namespace {

constexpr MonoUs kTickUs = 5 * kUsPerMs;
constexpr MonoUs kProgressUs = 200 * kUsPerMs;

// All of it lives on one shard's thread.
class Stage final : public net::WsClientApp, public net::Resident, public Wire {
 public:
  Stage(net::Shard& shard, const StageOptions& options, const ShowOptions& show,
        const TokenSource& tokens, const std::function<void(const Progress&)>& progress,
        const std::atomic<bool>& stop)
      : shard_(shard),
        progress_(progress),
        stop_(stop),
        show_(show, tokens, *this),
        slots_(show_.clients()),
        loops_(show.loop) {
    timeout_us_ =
        int64_t{options.timeout_s > 0 ? options.timeout_s : show.seconds + 120} * kUsPerSecond;
    for (uint32_t i = 0; i < slots_.size(); ++i) slots_[i].number = i;
  }

  Status open(const StageOptions& options) {
    auto url = net::parse_url(options.url);
    if (!url) return std::unexpected(url.error());
    net::WsClientOptions to;
    to.host = url->host;
    to.port = url->port;
    to.tls = url->tls;
    to.tls_verify = options.tls_verify;
    to.connects_per_s = options.connects_per_s;
    if (url->host.starts_with("127.")) to.sources = net::loopback_sources(slots_.size());
    auto engine = net::WsClients::create(shard_, *this, to);
    if (!engine) return std::unexpected(engine.error());
    engine_ = std::move(*engine);
    for (Slot& slot : slots_) slot.client = &engine_->open(&slot);
    shard_.add_resident(this);
    return {};
  }

  void close() {
    shard_.remove_resident(this);
    engine_.reset();
  }

  Result<Report> finish() {
    if (!refused_.empty()) return fail(Code::kUnreachable, refused_);
    if (!show_.failure().empty()) return fail(Code::kIo, show_.failure());
    return show_.report(clock_.now_us());
  }

  std::future<void> over() { return over_.get_future(); }

  // Wire
  void send(uint32_t client, std::string_view text) override {
    if (slots_[client].client != nullptr) slots_[client].client->send(text);
  }
  void reopen(uint32_t client, uint32_t after_ms) override {
    again_.push_back({clock_.now_us() + int64_t{after_ms} * kUsPerMs, client});
  }

  // WsClientApp
  void on_open(net::WsClient& client) override { show_.on_open(number(client), clock_.now_us()); }
  void on_message(net::WsClient& client, std::string_view text) override {
    show_.on_text(number(client), text, clock_.now_us());
  }
  void on_closed(net::WsClient& client, const net::WsClosed& how) override {
    Slot& slot = *static_cast<Slot*>(client.user);
    slot.client = nullptr;
    if (!how.opened && ++failures_ > slots_.size() + 100 && show_.live() == 0)
      refused_ = how.reason;
    show_.on_closed(slot.number, how.code, clock_.now_us());
  }

  // Resident
  MonoUs on_turn_end(MonoUs now_us) override {
    if (started_us_ == 0) started_us_ = now_us;
    if (now_us >= next_tick_us_) {
      next_tick_us_ = now_us + kTickUs;
      show_.on_time(now_us);
      reconnect(now_us);
    }
    if (now_us >= next_progress_us_) {
      next_progress_us_ = now_us + kProgressUs;
      progress_({show_.progress(), show_.status()});
    }
    const bool late = !loops_ && now_us - started_us_ > timeout_us_;
    if (!told_ && (show_.done() || stop_ || late || !refused_.empty())) {
      told_ = true;
      progress_({show_.progress(), show_.status()});
      over_.set_value();
    }
    return next_tick_us_;
  }

 private:
  struct Slot {
    uint32_t number = 0;
    net::WsClient* client = nullptr;
  };
  struct Again {
    MonoUs at_us;
    uint32_t client;
  };

  static uint32_t number(net::WsClient& client) { return static_cast<Slot*>(client.user)->number; }

  void reconnect(MonoUs now_us) {
    std::erase_if(again_, [&](const Again& again) {
      if (again.at_us > now_us) return false;
      slots_[again.client].client = &engine_->open(&slots_[again.client]);
      return true;
    });
  }

  net::SystemClock clock_;
  net::Shard& shard_;
  const std::function<void(const Progress&)>& progress_;
  const std::atomic<bool>& stop_;
  Show show_;
  std::vector<Slot> slots_;
  std::vector<Again> again_;
  std::unique_ptr<net::WsClients> engine_;
  std::promise<void> over_;
  std::string refused_;
  uint64_t failures_ = 0;
  bool loops_ = false;
  bool told_ = false;
  MonoUs timeout_us_ = 0;
  MonoUs started_us_ = 0;
  MonoUs next_tick_us_ = 0;
  MonoUs next_progress_us_ = 0;
};

}  // namespace

Result<Report> run_show(const StageOptions& options, const ShowOptions& show,
                        const TokenSource& tokens,
                        const std::function<void(const Progress&)>& progress,
                        const std::atomic<bool>& stop) {
  net::Shard shard(0);
  Stage stage(shard, options, show, tokens, progress, stop);
  if (auto opened = stage.open(options); !opened) return std::unexpected(opened.error());
  auto over = stage.over();
  shard.start();
  over.wait();
  std::promise<void> closed;
  shard.post([&] {
    stage.close();
    closed.set_value();
  });
  closed.get_future().wait();
  shard.stop();
  shard.join();
  return stage.finish();
}

}  // namespace footlight::ops
