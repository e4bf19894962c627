// The one writer of an episode. Decides, applies, sends batches to the log, and releases what came of a
// batch (outcomes, deltas, tallies, welcomes) only when the log says that it is durable: outputs ride
// with the batch. After a failed append it accepts nothing, says so to every session, and keeps serving the
// last durable view.
//
// One thread.
#pragma once
#include <memory>
#include <string>

#include "bus/messages.h"
#include "edge/ports.h"
#include "episode/episode.h"

namespace footlight::edge {

class Owner {
 public:
  struct Impl;
  explicit Owner(std::unique_ptr<Impl> impl);
  ~Owner();

  void on_bus(bus::ToOwner message);
  void on_appended(Result<log::Head> head);
  MonoUs on_time();              // as Edge::on_time
  MonoUs next_due_us() const;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace footlight::edge
