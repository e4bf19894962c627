#include "rtc/srtp.h"

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "core/prng.h"
#include "rtc/internal/srtp_suite.h"
#include "rtc/wire.h"

namespace {

size_t allocations = 0;

void* counted(size_t size, const char*, int) {
  ++allocations;
  return std::malloc(size);
}
void* recounted(void* old, size_t size, const char*, int) {
  ++allocations;
  return std::realloc(old, size);
}
void freed(void* old, const char*, int) { std::free(old); }

// Before main, because OpenSSL takes it only before its first allocation.
const bool openssl_counted = CRYPTO_set_mem_functions(counted, recounted, freed) == 1;

}  // namespace

[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace footlight::rtc {
namespace {

constexpr SrtpProfile kProfiles[] = {SrtpProfile::kAeadAes128Gcm, SrtpProfile::kAeadAes256Gcm,
                                     SrtpProfile::kAes128CmHmacSha1_80};

Bytes hex(std::string_view text) {
  std::string digits;
  std::ranges::copy_if(text, std::back_inserter(digits), [](char c) { return c != ' '; });
  Bytes bytes;
  EXPECT_TRUE(from_hex(digits, bytes)) << text;
  return bytes;
}

Bytes random_bytes(Prng& prng, size_t size) {
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<uint8_t>(prng.next());
  return bytes;
}

SrtpMasterKey master_key(SrtpProfile profile, uint64_t seed = 1) {
  Prng prng(seed);
  const SrtpSizes sizes = srtp_sizes(profile);
  return {profile, random_bytes(prng, sizes.key_bytes), random_bytes(prng, sizes.salt_bytes)};
}

Bytes rtp_head(uint16_t sequence, uint32_t ssrc = 0x1234) {
  Bytes head(12, 0);
  head[0] = 0x80;
  head[1] = 96;
  store_u16(&head[2], sequence);
  store_u32(&head[4], 3000u * sequence);
  store_u32(&head[8], ssrc);
  return head;
}

struct Pair {
  explicit Pair(SrtpProfile profile)
      : sender(*SrtpSender::make(master_key(profile))),
        receiver(*SrtpReceiver::make(master_key(profile))) {}

  Bytes protect(uint16_t sequence, uint32_t ssrc = 0x1234, std::string_view payload = "payload") {
    Bytes out(200);
    const auto size = sender.protect_into(rtp_head(sequence, ssrc), as_bytes(payload), out);
    EXPECT_TRUE(size) << size.error().message();
    out.resize(size.value_or(0));
    return out;
  }
  Code unprotect(Bytes packet) {
    const auto plain = receiver.unprotect(packet);
    return plain ? Code::kOk : plain.error().code;
  }

  SrtpSender sender;
  SrtpReceiver receiver;
};

class EachProfile : public ::testing::TestWithParam<SrtpProfile> {};
INSTANTIATE_TEST_SUITE_P(Srtp, EachProfile, ::testing::ValuesIn(kProfiles));

TEST(SrtpVectors, session_keys_are_those_of_rfc_3711_appendix_b3) {
  const Bytes key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
  const Bytes salt = hex("0EC675AD498AFEEBB6960B3AABE6");
  Bytes out(16);
  ASSERT_TRUE(srtp_derive(key, salt, 0, out));
  EXPECT_EQ(out, hex("C61E7A93744F39EE10734AFE3FF7A087"));
  out.resize(14);
  ASSERT_TRUE(srtp_derive(key, salt, 2, out));
  EXPECT_EQ(out, hex("30CBBC08863D8C85D49DB34A9AE1"));
  out.resize(20);
  ASSERT_TRUE(srtp_derive(key, salt, 1, out));
  EXPECT_EQ(out, hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
}

struct GcmVector {
  const char* key;
  const char* rtp;
  const char* rtcp;
};
// RFC 7714 sections 16.1, 16.2, 17.1, 17.3: session keys, not master keys.
const GcmVector kGcmVectors[] = {
    {"000102030405060708090a0b0c0d0e0f",
     "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a"
     "51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
     "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda"
     "4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02"
     "76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
     "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be"
     "8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4"},
};
constexpr std::string_view kGcmSalt = "517569642070726f2071756f";

TEST(SrtpVectors, rtp_is_sealed_and_opened_as_in_rfc_7714_section_16) {
  for (const auto& vector : kGcmVectors) {
    const Bytes head = hex("8040f17b 8041f8d3 5501a0b2");
    Bytes body(38 + 16);
    const auto seal = SrtpSuite::make_with(hex(vector.key), hex(kGcmSalt), {}, SrtpUse::kSeal);
    ASSERT_TRUE(seal->seal(0x5501a0b2, 0xf17b, {head, {}},
                           {as_bytes("Gallia"), as_bytes(" est omnis divisa in partes tres")},
                           body.data(), body.data() + 38));
    Bytes packet = head;
    packet.insert(packet.end(), body.begin(), body.end());
    EXPECT_EQ(to_hex(packet), to_hex(hex(vector.rtp)));
    const auto open = SrtpSuite::make_with(hex(vector.key), hex(kGcmSalt), {}, SrtpUse::kOpen);
    ASSERT_TRUE(open->open(0x5501a0b2, 0xf17b, {head, {}}, std::span(body).first(38), &body[38]));
    EXPECT_EQ(as_text(ByteView(body).first(38)), "Gallia est omnis divisa in partes tres");
  }
}

TEST(SrtpVectors, rtcp_is_sealed_as_in_rfc_7714_section_17) {
  const Bytes plain =
      hex("81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61"
          "deadbeef deadbeef deadbeef deadbeef deadbeef");
  const Bytes index = hex("800005d4");
  for (const auto& vector : kGcmVectors) {
    const ByteView clear = ByteView(plain).first(8);
    const ByteView secret = ByteView(plain).subspan(8);
    Bytes packet(plain.size() + 16);
    std::ranges::copy(clear, packet.begin());
    const auto seal = SrtpSuite::make_with(hex(vector.key), hex(kGcmSalt), {}, SrtpUse::kSeal);
    ASSERT_TRUE(seal->seal(0x4d617273, 0x5d4, {clear, index}, {secret, {}}, &packet[8],
                           packet.data() + plain.size()));
    packet.insert(packet.end(), index.begin(), index.end());
    EXPECT_EQ(to_hex(packet), to_hex(hex(vector.rtcp)));
  }
}

TEST_P(EachProfile, a_packet_comes_out_as_it_went_in_and_is_unreadable_between) {
  Pair pair(GetParam());
  Bytes packet = pair.protect(7);
  EXPECT_EQ(packet.size(), 12 + 7 + srtp_sizes(GetParam()).tag_bytes);
  EXPECT_EQ(as_text(packet).find("payload"), std::string_view::npos);
  const auto plain = pair.receiver.unprotect(packet);
  ASSERT_TRUE(plain);
  EXPECT_EQ(as_text(plain->subspan(12)), "payload");
  EXPECT_EQ(Bytes(plain->begin(), plain->begin() + 12), rtp_head(7));
}

TEST_P(EachProfile, csrcs_and_extensions_stay_readable_but_are_authenticated) {
  Pair pair(GetParam());
  Bytes head = rtp_head(1);
  head[0] |= 0x12;  // extension, two CSRCs
  for (const int byte : {0, 0, 0, 1, 0, 0, 0, 2, 0xBE, 0xDE, 0, 1, 0x10, 0x55, 0, 0}) {
    head.push_back(static_cast<uint8_t>(byte));
  }
  Bytes out(100);
  const auto size = pair.sender.protect_into(head, as_bytes("x"), out);
  ASSERT_TRUE(size);
  out.resize(*size);
  EXPECT_TRUE(std::equal(head.begin(), head.end(), out.begin()));
  Bytes altered = out;
  altered[head.size() - 3] ^= 1;
  EXPECT_EQ(pair.unprotect(altered), Code::kSrtpForged);
  EXPECT_EQ(pair.unprotect(out), Code::kOk);
}

TEST_P(EachProfile, any_flipped_bit_is_noticed) {
  Pair pair(GetParam());
  const Bytes packet = pair.protect(7);
  for (size_t bit = 0; bit < packet.size() * 8; ++bit) {
    Bytes forged = packet;
    forged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_NE(pair.unprotect(forged), Code::kOk) << bit;
  }
  EXPECT_EQ(pair.receiver.stream_count(), 0) << "forgeries left a stream behind";
  EXPECT_EQ(pair.unprotect(packet), Code::kOk);
}

TEST_P(EachProfile, a_packet_is_taken_once_in_any_order_within_the_window) {
  Pair pair(GetParam());
  std::vector<Bytes> packets;
  for (uint16_t i = 0; i <= kSrtpReplayWindow; ++i) packets.push_back(pair.protect(i));
  EXPECT_EQ(pair.unprotect(packets[kSrtpReplayWindow]), Code::kOk);
  EXPECT_EQ(pair.unprotect(packets[0]), Code::kSrtpReplayed) << "older than the window";
  for (size_t i = kSrtpReplayWindow - 1; i > 0; --i)
    EXPECT_EQ(pair.unprotect(packets[i]), Code::kOk);
  for (const auto& packet : packets) EXPECT_EQ(pair.unprotect(packet), Code::kSrtpReplayed);
}

TEST_P(EachProfile, the_roll_over_counter_follows_through_loss_and_reordering) {
  Pair pair(GetParam());
  Prng prng(5);
  uint32_t sent = 30'000;
  for (int round = 0; round < 400; ++round) {  // 2 to 3 cycles of 2^16
    std::vector<Bytes> burst;
    for (int i = 0; i < 4; ++i) {
      sent += static_cast<uint32_t>(prng.between(1, 200));
      burst.push_back(pair.protect(static_cast<uint16_t>(sent)));
    }
    std::swap(burst[0], burst[3]);
    burst.erase(burst.begin() + 1);
    for (const auto& packet : burst) ASSERT_EQ(pair.unprotect(packet), Code::kOk) << sent;
  }
  EXPECT_GT(sent, 2 * 65'536u);
}

TEST_P(EachProfile, a_packet_of_before_the_roll_over_is_still_taken_after_it) {
  Pair pair(GetParam());
  (void)pair.protect(0x7000);
  (void)pair.protect(0xE000);
  const Bytes before = pair.protect(0xFFFF);
  const Bytes after = pair.protect(0);
  Pair other(GetParam());
  EXPECT_EQ(other.unprotect(pair.protect(0xFFFE)), Code::kOk);
  EXPECT_EQ(other.unprotect(after), Code::kOk);
  EXPECT_EQ(other.unprotect(before), Code::kOk);
}

TEST_P(EachProfile, a_resend_is_the_same_packet_byte_for_byte) {
  Pair pair(GetParam());
  const Bytes first = pair.protect(0xFFF0);
  for (uint32_t i = 0xFFF1; i < 0x10100; ++i) (void)pair.protect(static_cast<uint16_t>(i));
  EXPECT_EQ(pair.protect(0xFFF0), first);
  EXPECT_EQ(pair.unprotect(pair.protect(0x0101)), Code::kSrtpForged)
      << "the receiver is at cycle 0";
}

TEST_P(EachProfile, streams_of_one_session_do_not_disturb_each_other) {
  Pair pair(GetParam());
  for (uint16_t i = 0; i < 50; ++i) {
    for (const uint32_t ssrc : {100u, 3u, 50u, 77u, 1u}) {
      EXPECT_EQ(pair.unprotect(pair.protect(static_cast<uint16_t>(i + ssrc), ssrc)), Code::kOk);
    }
  }
}

TEST_P(EachProfile, the_number_of_streams_is_bounded_and_forget_makes_room) {
  Pair pair(GetParam());
  for (uint32_t ssrc = 0; ssrc < kSrtpMaxStreams; ++ssrc) {
    ASSERT_EQ(pair.unprotect(pair.protect(1, ssrc)), Code::kOk);
  }
  Bytes out(100);
  const auto refused = pair.sender.protect_into(rtp_head(1, 9999), as_bytes("x"), out);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kSrtpStreams);
  Pair other(GetParam());
  const Bytes one_more = other.protect(1, 9999);
  EXPECT_EQ(pair.unprotect(one_more), Code::kSrtpStreams);
  pair.receiver.forget(5);
  EXPECT_EQ(pair.unprotect(one_more), Code::kOk);
  pair.sender.forget(5);
  EXPECT_EQ(pair.sender.stream_count(), kSrtpMaxStreams - 1);
}

TEST_P(EachProfile, malformed_packets_are_refused) {
  Pair pair(GetParam());
  const Bytes packet = pair.protect(7);
  for (size_t size = 0; size < 12 + srtp_sizes(GetParam()).tag_bytes; ++size) {
    EXPECT_EQ(pair.unprotect(Bytes(packet.begin(), packet.begin() + static_cast<ptrdiff_t>(size))),
              Code::kSrtpMalformed);
  }
  Bytes long_extension = packet;
  long_extension[0] |= 0x10;
  EXPECT_EQ(pair.unprotect(long_extension), Code::kSrtpMalformed);
  Bytes out(20);
  EXPECT_EQ(pair.sender.protect_into(rtp_head(1), as_bytes("x"), out).error().code,
            Code::kSrtpMalformed)
      << "no room for the tag";
  EXPECT_EQ(pair.sender.protect_into(Bytes(12, 0), as_bytes("x"), out).error().code,
            Code::kSrtpMalformed);
}

TEST_P(EachProfile, rtcp_is_protected_and_replays_are_refused) {
  Pair pair(GetParam());
  Bytes report(28, 7);
  report[0] = 0x80;
  report[1] = 200;
  std::vector<Bytes> sent;
  for (int i = 0; i < 200; ++i) {
    Bytes out(report.size() + kSrtcpMaxOverheadBytes);
    const auto size = pair.sender.protect_rtcp_into(report, out);
    ASSERT_TRUE(size);
    out.resize(*size);
    Bytes copy = out;
    sent.push_back(std::move(out));
    const auto plain = pair.receiver.unprotect_rtcp(copy);
    ASSERT_TRUE(plain);
    EXPECT_TRUE(std::ranges::equal(*plain, report));
  }
  for (const auto& old : sent) {
    Bytes copy = old;
    EXPECT_EQ(pair.receiver.unprotect_rtcp(copy).error().code, Code::kSrtpReplayed);
  }
  Pair other(GetParam());
  for (size_t bit = 0; bit < sent[0].size() * 8; ++bit) {
    Bytes forged = sent[0];
    forged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_FALSE(other.receiver.unprotect_rtcp(forged)) << bit;
  }
  for (size_t size = 0; size < sent[0].size(); ++size) {
    EXPECT_FALSE(other.receiver.unprotect_rtcp(std::span(sent[0]).first(size)));
  }
}

TEST_P(EachProfile, no_packet_costs_an_allocation) {
  ASSERT_TRUE(openssl_counted);
  Pair pair(GetParam());
  const Bytes payload(1200, 5);
  Bytes head = rtp_head(0);
  Bytes report(28, 7);
  report[0] = 0x80;
  Bytes out(1500);
  const auto exchange = [&](uint16_t sequence) {
    store_u16(&head[2], sequence);
    const auto size = pair.sender.protect_into(head, payload, out);
    const bool taken = size && pair.receiver.unprotect(std::span(out).first(*size));
    const auto rtcp = pair.sender.protect_rtcp_into(report, out);
    return taken && rtcp && pair.receiver.unprotect_rtcp(std::span(out).first(*rtcp));
  };
  ASSERT_TRUE(exchange(0));  // the first packet of a stream makes its entry
  const size_t before = allocations;
  bool all = true;
  for (uint16_t i = 1; i < 1000; ++i) all = exchange(i) && all;
  EXPECT_EQ(allocations - before, 0);
  EXPECT_TRUE(all);
}

TEST(Srtp, a_key_of_the_wrong_size_is_refused) {
  for (const auto profile : kProfiles) {
    auto master = master_key(profile);
    master.key.pop_back();
    EXPECT_EQ(SrtpSender::make(master).error().code, Code::kSrtpKey);
    master = master_key(profile);
    master.salt.push_back(0);
    EXPECT_EQ(SrtpReceiver::make(master).error().code, Code::kSrtpKey);
  }
  EXPECT_EQ(SrtpSender::make({static_cast<SrtpProfile>(2), {}, {}}).error().code, Code::kSrtpKey);
}

}  // namespace
}  // namespace footlight::rtc
