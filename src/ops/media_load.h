// Load with media: publishers by WHIP and subscribers by WHEP on any server, all in this process,
// so that both ends of each way share a clock.
//
// Each publisher sends a prepared voice and picture (ops/clip.h), each subscriber has places for
// them and measures what arrives. Blocks the caller. `stop` may be set from a signal handler.
#pragma once
#include <atomic>
#include <functional>
#include <string>

#include "ops/media_crowd.h"
#include "ops/stage.h"

namespace footlight::ops {

struct MediaLoadOptions {
  std::string whip, whep;  // endpoints
  bool tls_verify = true;
  bool tcp = false;  // media over TCP
  uint32_t publishers = 4;
  uint32_t subscribers = 16;
  ClipKind clip =
      ClipKind::kPeople;  // other than people: who watches has places for that kind alone
  uint32_t places = 0;    // of a subscriber, of each kind; 0: as many as publishers, at most 32
  uint32_t seconds = 10;  // measured, after a warm-up of 3 s
  int server_pid = 0;     // 0: unknown; its CPU is then not told
};

// The token of somebody: of the publishers or the subscribers, and which one.
using MediaTokens = std::function<std::string(bool publishes, uint32_t number)>;

struct MediaLoadReport {
  CrowdReport media;
  double seconds = 0;
  double server_cpu_s = 0, client_cpu_s = 0;  // while measured; 0: unknown
};

// kUnreachable, with the first reason, when nobody got connected.
Result<MediaLoadReport> run_media_load(const MediaLoadOptions& options, const MediaTokens& tokens,
                                       const std::function<void(const Progress&)>& progress,
                                       const std::atomic<bool>& stop);

// Packets that never came, of a thousand that were sent; rounded up.
uint32_t lost_per_mille(const MeterStats& stats);

}  // namespace footlight::ops
