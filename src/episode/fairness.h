// Commit–reveal dice. At the start the server publishes SHA-256 of a 32-byte seed; every face is
// derived from that seed, the episode, the roll's number and the player's nonce; at the end the
// seed is published and anyone can derive each roll again. Neither side can choose a face: the
// server is bound before it knows the nonce, the player chooses the nonce without knowing the seed.
//
// The exact bytes, with test vectors: docs/formats/fairness.md, src/episode/golden/dice.json. Pure.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

#include "core/result.h"
#include "core/sha256.h"
#include "episode/dice.h"

namespace footlight::episode {

using DiceSeed = std::array<uint8_t, 32>;

Hash256 seed_commitment(const DiceSeed& seed);

// 16 to 64 hexadecimal digits, lower case; kDiceNonce otherwise. (That it was not used before is
// for the episode to check.)
Status check_nonce(std::string_view nonce);

// The faces of one roll. The views need only live through the constructor.
class FairDice final : public DiceSource {
 public:
  // `episode_id` at most 64 bytes, `number` the roll's number in the episode (1, 2, 3...), `nonce`
  // as check_nonce wants it.
  FairDice(const DiceSeed& seed, std::string_view episode_id, uint64_t number,
           std::string_view nonce);

  uint32_t face(uint32_t sides) override;

  // Published with the roll ("hash" in the view): ties the roll to the seed with 256 bits even
  // where its faces carry few, and says nothing about the bytes it stands for.
  Hash256 fingerprint() const;

 private:
  uint32_t word();
  Hash256 block(uint32_t counter) const;

  DiceSeed seed_;
  Bytes message_;  // all of the HMAC's message but the block counter
  Hash256 block_{};
  uint32_t next_block_ = 0;
  uint32_t used_ = 32;  // bytes of block_ that are spent
};

}  // namespace footlight::episode
