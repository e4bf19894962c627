#include "episode/fairness.h"

#include <algorithm>

#include "core/assert.h"

namespace footlight::episode {
namespace {

constexpr std::string_view kDomain{"footlight-dice-v1\0", 18};
constexpr std::string_view kFingerprintDomain{"footlight-roll-v1\0", 18};

void append_be(Bytes& out, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

void append_text(Bytes& out, std::string_view text) {
  append_be(out, text.size(), 2);
  out.insert(out.end(), text.begin(), text.end());
}

}  // namespace

Hash256 seed_commitment(const DiceSeed& seed) { return sha256(seed); }

Status check_nonce(std::string_view nonce) {
  const bool hex = std::all_of(nonce.begin(), nonce.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (!hex || nonce.size() < 16 || nonce.size() > 64) return fail(Code::kDiceNonce);
  return {};
}

FairDice::FairDice(const DiceSeed& seed, std::string_view episode_id, uint64_t number,
                   std::string_view nonce)
    : seed_(seed), message_(kDomain.begin(), kDomain.end()) {
  FL_ASSERT(episode_id.size() <= 0xFFFF && nonce.size() <= 0xFFFF, "checked by the caller");
  append_text(message_, episode_id);
  append_be(message_, number, 8);
  append_text(message_, nonce);
}

Hash256 FairDice::block(uint32_t counter) const {
  Bytes message = message_;
  append_be(message, counter, 4);
  return hmac_sha256(seed_, message);
}

uint32_t FairDice::word() {
  if (used_ == block_.size()) {
    block_ = block(next_block_++);
    used_ = 0;
  }
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | block_[used_++];
  return value;
}

uint32_t FairDice::face(uint32_t sides) {
  FL_ASSERT(sides > 0, "a die has at least one side");
  // The largest multiple of `sides` that 2^32 holds: words from there on would favour low faces.
  const uint64_t limit = (uint64_t{1} << 32) / sides * sides;
  uint32_t value = word();
  while (value >= limit) value = word();
  return value % sides + 1;
}

Hash256 FairDice::fingerprint() const {
  const Hash256 first = block(0);
  Sha256 hash;
  hash.update(kFingerprintDomain);
  hash.update(ByteView(first));
  return hash.finish();
}

}  // namespace footlight::episode
