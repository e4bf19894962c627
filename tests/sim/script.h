// What people do: each by their role, at random moments, as the seed has it.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "client.h"
#include "core/prng.h"
#include "scheduler.h"

namespace footlight::sim {

class Script {
 public:
  Script(Scheduler& scheduler, Prng random, MonoUs show_us)
      : scheduler_(scheduler), random_(random), show_us_(show_us) {}

  using WhoIs = std::function<std::string(const std::string& account)>;  // pseudonyms, in hex
  void can_moderate(WhoIs who_is) { who_is_ = std::move(who_is); }
  void add(Client& client) { clients_.push_back(&client); }
  void start();
  // The show is over: the GM closes what is open; sometimes the producer ends the episode.
  void end();

 private:
  void turn(Client& client);
  void viewer(Client& client);
  void player(Client& client);
  void gm(Client& client);
  void producer(Client& client);
  void vote(Client& client);
  std::string poll_to_vote_in(const Client& client);

  Scheduler& scheduler_;
  Prng random_;
  MonoUs show_us_;
  std::vector<Client*> clients_;
  WhoIs who_is_;
  uint64_t made_ = 0;
  uint64_t polls_made_ = 0;
  bool over_ = false;
};

}  // namespace footlight::sim
