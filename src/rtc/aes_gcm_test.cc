#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/prng.h"
#include "rtc/internal/aes_gcm.h"

namespace footlight::rtc {
namespace {

using Use = AesGcm::Use;

Bytes some(Prng& random, size_t size) {
  Bytes out(size);
  for (uint8_t& byte : out) byte = static_cast<uint8_t>(random.next());
  return out;
}

struct Sealed {
  Bytes body, tag = Bytes(kGcmTagBytes);
  bool operator==(const Sealed&) const = default;
};

Sealed seal(AesGcm& by, const Bytes& iv, std::array<ByteView, 2> additional, ByteView in,
            size_t cut) {
  Sealed out{Bytes(in.size())};
  EXPECT_TRUE(by.seal(iv.data(), additional, {in.first(cut), in.subspan(cut)}, out.body.data(),
                      out.tag.data()));
  return out;
}

class AesGcmOf : public testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    key_ = some(random_, GetParam());
    if (!aes_gcm_by_ipsec_mb(key_)) GTEST_SKIP() << "OpenSSL's alone on this machine";
  }
  Prng random_{7};
  Bytes key_;
};

TEST_P(AesGcmOf, both_libraries_write_the_same_bytes_in_pieces_of_any_size_and_read_each_others) {
  const auto fast = aes_gcm_by_ipsec_mb(key_);
  const auto sealing = aes_gcm_by_openssl(key_, Use::kSeal);
  const auto opening = aes_gcm_by_openssl(key_, Use::kOpen);
  for (size_t size = 0; size <= 1500; size += size < 70 ? 1 : 53) {
    const Bytes iv = some(random_, kGcmIvBytes), plain = some(random_, size);
    const Bytes head = some(random_, 12 + random_.below(60)), index = some(random_, 4);
    const size_t cut = random_.below(size + 1);
    for (const std::array<ByteView, 2>& additional :
         {std::array<ByteView, 2>{head, {}}, std::array<ByteView, 2>{head, index}}) {
      Sealed ours = seal(*fast, iv, additional, plain, cut);
      Sealed theirs = seal(*sealing, iv, additional, plain, cut);
      ASSERT_EQ(ours, theirs) << size << " bytes cut at " << cut;
      ASSERT_TRUE(opening->open(iv.data(), additional, ours.body, ours.tag.data()));
      ASSERT_TRUE(fast->open(iv.data(), additional, theirs.body, theirs.tag.data()));
      ASSERT_EQ(ours.body, plain);
      ASSERT_EQ(theirs.body, plain);
    }
  }
}

TEST_P(AesGcmOf, one_bit_anywhere_is_seen) {
  const auto fast = aes_gcm_by_ipsec_mb(key_);
  const Bytes iv = some(random_, kGcmIvBytes), head = some(random_, 12);
  const Sealed good = seal(*fast, iv, {head, {}}, some(random_, 40), 0);
  const auto opens = [&](const Bytes& with_iv, const Bytes& with_head, Sealed sealed) {
    return fast->open(with_iv.data(), {with_head, {}}, sealed.body, sealed.tag.data());
  };
  ASSERT_TRUE(opens(iv, head, good));
  for (size_t bit = 0; bit < 8; ++bit) {
    const auto flipped = [&](Bytes bytes) {
      bytes[random_.below(bytes.size())] ^= static_cast<uint8_t>(1 << bit);
      return bytes;
    };
    EXPECT_FALSE(opens(flipped(iv), head, good));
    EXPECT_FALSE(opens(iv, flipped(head), good));
    EXPECT_FALSE(opens(iv, head, {flipped(good.body), good.tag}));
    EXPECT_FALSE(opens(iv, head, {good.body, flipped(good.tag)}));
  }
}

TEST_P(AesGcmOf, more_additional_data_in_two_pieces_than_a_datagram_has_is_refused) {
  const auto fast = aes_gcm_by_ipsec_mb(key_);
  const Bytes iv = some(random_, kGcmIvBytes), index = some(random_, 4);
  const auto by = [&](size_t size) {
    const Bytes clear = some(random_, size);
    Bytes body(10), tag(kGcmTagBytes);
    return fast->seal(iv.data(), {clear, index}, {body, {}}, body.data(), tag.data());
  };
  EXPECT_TRUE(by(kGcmJoinedBytes - 4));
  EXPECT_FALSE(by(kGcmJoinedBytes - 3));
}

INSTANTIATE_TEST_SUITE_P(Keys, AesGcmOf, testing::Values(16, 32),
                         [](const auto& each) { return "bytes" + std::to_string(each.param); });

}  // namespace
}  // namespace footlight::rtc
