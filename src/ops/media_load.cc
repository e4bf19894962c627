#include "ops/media_load.h"

#include <algorithm>
#include <chrono>
#include <future>

#include "net/asio/shard.h"
#include "net/asio/system.h"
#include "ops/load.h"

namespace footlight::ops {
namespace {

constexpr MonoUs kMediaWarmUpUs = 3 * kUsPerSecond;
constexpr MonoUs kMediaConnectUs = 30 * kUsPerSecond;  // after the last answer
constexpr uint32_t kMostPlaces = 32;

class MediaLoad {
 public:
  MediaLoad(const MediaLoadOptions& options, const MediaTokens& tokens,
            const std::function<void(const Progress&)>& progress, const std::atomic<bool>& stop)
      : options_(options), tokens_(tokens), progress_(progress), stop_(stop) {}

  Result<MediaLoadReport> run() {
    auto crowd = MediaCrowd::start();
    if (!crowd) return std::unexpected(crowd.error());
    crowd_ = std::move(*crowd);
    join();
    connect();
    MediaLoadReport report;
    if (crowd_->report().connected == 0) {
      const std::string why = crowd_->report().first_error;
      return fail(Code::kUnreachable, why.empty() ? "nobody got connected" : why);
    }
    wait(kMediaWarmUpUs, 0, "warming up");
    crowd_->reset();
    const double server_before = process_cpu_s(options_.server_pid);
    const double client_before = net::process_usage().cpu_s;
    const MonoUs began = clock_.now_us();
    wait(int64_t{options_.seconds} * kUsPerSecond, 1, "measuring");
    report.media = crowd_->report();
    report.seconds = static_cast<double>(clock_.now_us() - began) / kUsPerSecond;
    report.client_cpu_s = net::process_usage().cpu_s - client_before;
    if (server_before >= 0) {
      report.server_cpu_s = process_cpu_s(options_.server_pid) - server_before;
    }
    tell(1, "hanging up");
    crowd_->close();
    return report;
  }

 private:
  // Publishers first: who watches then finds them there.
  void join() {
    const uint32_t wanted = options_.places ? options_.places : options_.publishers;
    const uint32_t places = std::clamp(wanted, 1u, kMostPlaces);
    for (uint32_t i = 0; i < options_.publishers; ++i) {
      crowd_->join({.number = i,
                    .call = {options_.whip, tokens_(true, i), options_.tls_verify},
                    .publishes = true,
                    .tcp = options_.tcp,
                    .clip_kind = options_.clip,
                    .clip = i,
                    .voices = 0,
                    .pictures = 0});
    }
    for (uint32_t i = 0; i < options_.subscribers; ++i) {
      crowd_->join({.number = i,
                    .call = {options_.whep, tokens_(false, i), options_.tls_verify},
                    .tcp = options_.tcp,
                    .voices = options_.clip == ClipKind::kPicture ? 0 : places,
                    .pictures = options_.clip == ClipKind::kVoice ? 0 : places});
    }
  }
  void connect() {
    const uint64_t all = options_.publishers + uint64_t{options_.subscribers};
    MonoUs last = clock_.now_us();
    uint64_t connected = 0;
    while (connected < all && !stop_ && clock_.now_us() - last < kMediaConnectUs) {
      const CrowdReport report = crowd_->report();
      if (report.connected > connected) last = clock_.now_us();
      connected = report.connected;
      // Nobody could join: it will not get better.
      if (connected == 0 && !report.first_error.empty() && crowd_->joining() == 0) return;
      tell(0, "joining, " + std::to_string(connected) + " of " + std::to_string(all));
      pause();
    }
  }
  // `weight`: how much of the progress line it is.
  void wait(MonoUs length, double weight, const std::string& what) {
    const MonoUs began = clock_.now_us();
    while (clock_.now_us() - began < length && !stop_) {
      const double part = static_cast<double>(clock_.now_us() - began) /
                          static_cast<double>(std::max<MonoUs>(1, length));
      tell(part * weight, what + ", " + std::to_string(crowd_->report().connected) + " connected");
      pause();
    }
  }
  void tell(double part, const std::string& status) { progress_({part, status}); }
  static void pause() {
    std::promise<void> never;
    never.get_future().wait_for(std::chrono::milliseconds(200));
  }

  const MediaLoadOptions& options_;
  const MediaTokens& tokens_;
  const std::function<void(const Progress&)>& progress_;
  const std::atomic<bool>& stop_;
  net::SystemClock clock_;
  std::unique_ptr<MediaCrowd> crowd_;
};

}  // namespace

Result<MediaLoadReport> run_media_load(const MediaLoadOptions& options, const MediaTokens& tokens,
                                       const std::function<void(const Progress&)>& progress,
                                       const std::atomic<bool>& stop) {
  return MediaLoad(options, tokens, progress, stop).run();
}

uint32_t lost_per_mille(const MeterStats& stats) {
  const uint64_t sent = stats.packets + stats.lost();
  return sent == 0 ? 0 : static_cast<uint32_t>((stats.lost() * 1000 + sent - 1) / sent);
}

}  // namespace footlight::ops
