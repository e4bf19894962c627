// A peer that speaks nonsense: garbage, mutilated frames, wrong tokens, far too much. It may cost
// nobody but itself.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/prng.h"
#include "network.h"
#include "scheduler.h"

namespace footlight::sim {

class Vandal final : public ClientEnd {
 public:
  using Dial = std::function<std::shared_ptr<Link>(ClientEnd&)>;

  // `token` lets it in, when it cares to be.
  Vandal(Scheduler& scheduler, Prng random, uint64_t cid, std::string token, Dial dial,
         MonoUs until_us)
      : scheduler_(scheduler),
        random_(random),
        cid_(cid),
        token_(std::move(token)),
        dial_(std::move(dial)),
        until_us_(until_us) {}

  void start();
  void on_frame(std::string_view) override {}
  void on_gone(Code) override { link_ = nullptr; }

 private:
  void turn();
  std::string nonsense();
  std::string hello();
  std::string mutilated(std::string text);

  Scheduler& scheduler_;
  Prng random_;
  uint64_t cid_;
  std::string token_;
  Dial dial_;
  MonoUs until_us_;
  std::shared_ptr<Link> link_;
};

}  // namespace footlight::sim
