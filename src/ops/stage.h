// Runs a show over real sockets: one shard with WebSocket clients, the show on it, a progress
// callback; and with media a second shard for voice and video (ops/media_crowd.h).
//
// Blocks the caller. `stop` may be set from a signal handler.
#pragma once
#include <atomic>
#include <functional>
#include <string>

#include "core/result.h"
#include "ops/show.h"

namespace footlight::ops {

struct StageOptions {
  std::string url;  // http://host:port or https://
  bool tls_verify = true;
  uint32_t connects_per_s = 2'000;
  uint32_t timeout_s = 0;  // 0: seconds of the show + 120
  // Voice and video by WHIP and WHEP of the same server: the cast publish, and so many watch, the
  // cast first, then of the audience.
  bool media = false;
  uint32_t watchers = 8;
};

struct Progress {
  double part = 0;  // 0..1
  std::string status;
};

// kUnreachable, or the show's own failure as kBudgetBroken's neighbour kIo with the reason in
// detail.
// `episode`: its id.
Result<Report> run_show(const StageOptions& stage, const ShowOptions& show,
                        const TokenSource& tokens, std::string_view episode,
                        const std::function<void(const Progress&)>& progress,
                        const std::atomic<bool>& stop);

}  // namespace footlight::ops
