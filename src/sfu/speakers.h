// Who speaks: an order of the room's voices by how recently and how loudly they spoke, from the
// audio levels in RTP headers (RFC 6464), so that nothing is decoded and encrypted audio works too.
//
// Each voice has a level smoothed over about half a second. The loudest takes the floor when it is
// clearly louder than who has it, or when who has it has fallen silent; a cough is too short for
// either. Bound: kMaxVoices.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/time.h"
#include "rtc/rtp_extensions.h"

namespace footlight::sfu {

class Speakers {
 public:
  static constexpr size_t kMaxVoices = 256;

  // False when there are kMaxVoices already: that voice is then never an active one.
  bool add(uint32_t voice);
  void remove(uint32_t voice);
  void on_level(uint32_t voice, rtc::AudioLevel level, MonoUs now);
  // Decides anew, at most every kDecideUs. True when the active speaker changed.
  bool update(MonoUs now);

  // A room that shows another's tracks decides nothing: it follows what was decided there.
  struct Ranked {
    uint32_t voice = 0;
    double loudness = 0;
    bool operator==(const Ranked&) const = default;
  };
  std::vector<Ranked> order() const;  // by rank
  // Takes the place of update(). Voices of `order` that are not known here are left out; those it
  // does not name come last, silent. `active`: whether the first one has the floor.
  void follow(std::span<const Ranked> order, bool active);

  std::optional<uint32_t> active() const { return active_; }
  // 0 for the active speaker, 1 for the one before, …; voices that never spoke come last.
  size_t rank(uint32_t voice) const;
  // Smoothed loudness, 0 (silence) .. 127.
  double loudness(uint32_t voice) const;

 private:
  static constexpr MonoUs kDecideUs = 100 * kUsPerMs;
  struct Voice {
    uint32_t id = 0;
    double loudness = 0;
    MonoUs heard_at = 0;
    MonoUs louder_since = -1;  // than the active speaker
  };
  Voice* find(uint32_t voice);

  std::vector<Voice> order_;  // the active speaker first
  std::optional<uint32_t> active_;
  MonoUs decided_at_ = 0;
};

}  // namespace footlight::sfu
