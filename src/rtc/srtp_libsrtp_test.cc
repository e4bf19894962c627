// Random packets in both directions between ours and libsrtp2, the reference implementation.
#include <gtest/gtest.h>
#include <srtp2/srtp.h>

#include <algorithm>

#include "core/prng.h"
#include "rtc/srtp.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

Bytes random_bytes(Prng& prng, size_t size) {
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<uint8_t>(prng.next());
  return bytes;
}

class LibSrtp {
 public:
  LibSrtp(const SrtpMasterKey& master, srtp_ssrc_type_t direction) {
    static const bool ready = srtp_init() == srtp_err_status_ok;
    EXPECT_TRUE(ready);
    key_ = master.key;
    key_.insert(key_.end(), master.salt.begin(), master.salt.end());
    srtp_policy_t policy{};
    const auto set = [&](srtp_crypto_policy_t* crypto) {
      if (master.profile == SrtpProfile::kAeadAes128Gcm) {
        srtp_crypto_policy_set_aes_gcm_128_16_auth(crypto);
      } else if (master.profile == SrtpProfile::kAeadAes256Gcm) {
        srtp_crypto_policy_set_aes_gcm_256_16_auth(crypto);
      } else {
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(crypto);
      }
    };
    set(&policy.rtp);
    set(&policy.rtcp);
    policy.ssrc.type = direction;
    policy.key = key_.data();
    policy.window_size = kSrtpReplayWindow;
    policy.allow_repeat_tx = 1;
    EXPECT_EQ(srtp_create(&session_, &policy), srtp_err_status_ok);
  }
  ~LibSrtp() { srtp_dealloc(session_); }
  LibSrtp(const LibSrtp&) = delete;
  LibSrtp& operator=(const LibSrtp&) = delete;

  using Operation = srtp_err_status_t (*)(srtp_t, void*, int*);
  bool run(Operation operation, Bytes& packet) {
    int size = static_cast<int>(packet.size());
    packet.resize(packet.size() + SRTP_MAX_TRAILER_LEN + 4);
    const bool good = operation(session_, packet.data(), &size) == srtp_err_status_ok;
    packet.resize(static_cast<size_t>(size));
    return good;
  }

 private:
  srtp_t session_ = nullptr;
  Bytes key_;
};

struct RandomPacket {
  Bytes head;
  Bytes payload;
  Bytes whole() const {
    Bytes bytes = head;
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return bytes;
  }
};

RandomPacket random_packet(Prng& prng, uint16_t sequence, uint32_t ssrc) {
  RandomPacket packet;
  const size_t csrcs = prng.below(4) == 0 ? prng.below(16) : 0;
  const bool extended = prng.below(2) == 0;
  const size_t words = prng.below(8);
  packet.head = random_bytes(prng, 12 + 4 * csrcs + (extended ? 4 + 4 * words : 0));
  packet.head[0] = static_cast<uint8_t>(0x80 | csrcs | (extended ? 0x10 : 0));
  store_u16(&packet.head[2], sequence);
  store_u32(&packet.head[8], ssrc);
  if (extended) {
    store_u16(&packet.head[12 + 4 * csrcs], 0xBEDE);
    store_u16(&packet.head[14 + 4 * csrcs], static_cast<uint16_t>(words));
    // Elements that libsrtp will not take for malformed: padding only.
    std::fill(packet.head.begin() + static_cast<ptrdiff_t>(16 + 4 * csrcs), packet.head.end(),
              uint8_t{0});
  }
  packet.payload = random_bytes(prng, prng.below(1201));
  return packet;
}

class AgainstLibSrtp : public ::testing::TestWithParam<SrtpProfile> {
 protected:
  SrtpMasterKey master() {
    const SrtpSizes sizes = srtp_sizes(GetParam());
    return {GetParam(), random_bytes(prng_, sizes.key_bytes),
            random_bytes(prng_, sizes.salt_bytes)};
  }
  Prng prng_{42};
};
INSTANTIATE_TEST_SUITE_P(Srtp, AgainstLibSrtp,
                         ::testing::Values(SrtpProfile::kAeadAes128Gcm, SrtpProfile::kAeadAes256Gcm,
                                           SrtpProfile::kAes128CmHmacSha1_80));

TEST_P(AgainstLibSrtp, both_write_the_same_bytes_and_read_each_other_through_a_roll_over) {
  const auto key = master();
  LibSrtp their_sender(key, ssrc_any_outbound);
  LibSrtp their_receiver(key, ssrc_any_inbound);
  auto sender = *SrtpSender::make(key);
  auto receiver = *SrtpReceiver::make(key);
  uint32_t sequence = 0;
  for (int i = 0; i < 3000; ++i) {
    sequence += static_cast<uint32_t>(prng_.between(1, 50));
    const auto packet =
        random_packet(prng_, static_cast<uint16_t>(sequence), 1 + static_cast<uint32_t>(i % 3));
    Bytes ours(2000);
    // The beginning of the payload may come with the header: a descriptor written anew.
    const auto moved =
        static_cast<ptrdiff_t>(prng_.below(std::min<size_t>(packet.payload.size(), 20) + 1));
    Bytes head = packet.head;
    head.insert(head.end(), packet.payload.begin(), packet.payload.begin() + moved);
    const auto size = sender.protect_into(
        head, ByteView(packet.payload).subspan(static_cast<size_t>(moved)), ours);
    ASSERT_TRUE(size);
    ours.resize(*size);
    Bytes theirs = packet.whole();
    ASSERT_TRUE(their_sender.run(srtp_protect, theirs));
    ASSERT_EQ(ours, theirs) << i;
    if (prng_.below(20) == 0) continue;  // lost
    ASSERT_TRUE(their_receiver.run(srtp_unprotect, ours)) << i;
    EXPECT_EQ(ours, packet.whole());
    const auto plain = receiver.unprotect(theirs);
    ASSERT_TRUE(plain) << i;
    EXPECT_TRUE(std::ranges::equal(*plain, packet.whole()));
  }
  EXPECT_GT(sequence, 0x10000u);
}

TEST_P(AgainstLibSrtp, rtcp_is_read_in_both_directions) {
  const auto key = master();
  LibSrtp their_sender(key, ssrc_any_outbound);
  LibSrtp their_receiver(key, ssrc_any_inbound);
  auto sender = *SrtpSender::make(key);
  auto receiver = *SrtpReceiver::make(key);
  for (int i = 0; i < 500; ++i) {
    Bytes packet = random_bytes(prng_, 8 + 4 * prng_.below(100));
    packet[0] = 0x81;
    packet[1] = 200;
    store_u32(&packet[4], 77);
    Bytes ours(packet.size() + kSrtcpMaxOverheadBytes);
    const auto size = sender.protect_rtcp_into(packet, ours);
    ASSERT_TRUE(size);
    ours.resize(*size);
    ASSERT_TRUE(their_receiver.run(srtp_unprotect_rtcp, ours));
    EXPECT_EQ(ours, packet);
    Bytes theirs = packet;
    ASSERT_TRUE(their_sender.run(srtp_protect_rtcp, theirs));
    const auto plain = receiver.unprotect_rtcp(theirs);
    ASSERT_TRUE(plain);
    EXPECT_TRUE(std::ranges::equal(*plain, packet));
  }
}

}  // namespace
}  // namespace footlight::rtc
