#include "ops/stage.h"

#include <future>
#include <vector>

#include "net/asio/client.h"
#include "net/asio/http_client.h"
#include "net/asio/shard.h"
#include "net/asio/system.h"
#include "ops/media_crowd.h"
#include "ops/media_load.h"

namespace footlight::ops {
namespace {

constexpr MonoUs kTickUs = 5 * kUsPerMs;
constexpr MonoUs kProgressUs = 200 * kUsPerMs;
constexpr uint32_t kMediaPlaces = 8;       // of each kind, of who watches
constexpr uint64_t kVoiceLostMost = 10;    // per mille, after repair
constexpr uint64_t kVideoFreezesMost = 0;  // over half a second

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
    Report report = show_.report(clock_.now_us());
    if (crowd_) add_media(report);
    return report;
  }

  // Voice and video of the people, from now on until close_media().
  Status open_media(const StageOptions& options, std::string_view episode) {
    auto crowd = MediaCrowd::start([this](std::vector<MediaLineState> lines) {
      shard_.post([this, lines = std::move(lines)] { tell_lines(lines); });
    });
    if (!crowd) return std::unexpected(crowd.error());
    crowd_ = std::move(*crowd);
    std::string base = options.url;
    while (base.ends_with('/')) base.pop_back();
    const auto call = [&](uint32_t client, std::string_view way) {
      return WhipCall{base + "/v1/" + std::string(way) + "/" + std::string(episode),
                      show_.token(client), options.tls_verify};
    };
    const std::vector<uint32_t> cast = show_.on_camera();
    for (uint32_t i = 0; i < cast.size(); ++i) {
      crowd_->join({.number = cast[i],
                    .call = call(cast[i], "whip"),
                    .publishes = true,
                    .clip = i,
                    .voices = 0,
                    .pictures = 0});
    }
    const auto places = std::min<uint32_t>(kMediaPlaces, static_cast<uint32_t>(cast.size()));
    const uint32_t all = static_cast<uint32_t>(cast.size()) + show_.viewers();
    for (uint32_t i = 0; i < std::min(options.watchers, all); ++i) {
      const auto number =
          static_cast<uint32_t>(i < cast.size() ? cast[i] : show_.first_viewer() + i - cast.size());
      crowd_->join(
          {.number = number, .call = call(number, "whep"), .voices = places, .pictures = places});
    }
    return {};
  }

  // Takes what was measured, and hangs up.
  void close_media() {
    if (!crowd_) return;
    media_ = crowd_->report();
    crowd_->close();
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

  void tell_lines(const std::vector<MediaLineState>& lines) {
    for (const MediaLineState& line : lines) {
      show_.report_line(line.number, line.session, line.round_trip_ms, line.loss_per_mille);
    }
  }

  void add_media(Report& report) const {
    report.of("voice").us = media_.watched.voice_us;
    report.of("video").us = media_.watched.video_us;
    report.promises.push_back({"media sessions connected", media_.asked, media_.connected});
    report.bounds.push_back(
        {"voice lost", "per mille", kVoiceLostMost, lost_per_mille(media_.watched.voice)});
    report.bounds.push_back({"video stood still for half a second", "times", kVideoFreezesMost,
                             media_.watched.video.freezes});
    report.fault = media_.first_error;
  }

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
  std::unique_ptr<MediaCrowd> crowd_;
  CrowdReport media_;
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
                        const TokenSource& tokens, std::string_view episode,
                        const std::function<void(const Progress&)>& progress,
                        const std::atomic<bool>& stop) {
  constexpr uint32_t kOtherDescriptors = 128;  // files, and the media of the cast
  const uint64_t needed =
      uint64_t{show.cast} + show.audience + options.watchers + kOtherDescriptors;
  if (auto room = net::raise_descriptor_limit(needed); !room) {
    return std::unexpected(room.error());
  }
  net::Shard shard(0);
  Stage stage(shard, options, show, tokens, progress, stop);
  if (auto opened = stage.open(options); !opened) return std::unexpected(opened.error());
  auto over = stage.over();
  if (options.media) {
    if (auto opened = stage.open_media(options, episode); !opened) {
      return std::unexpected(opened.error());
    }
  }
  shard.start();
  over.wait();
  stage.close_media();
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
