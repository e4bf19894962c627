#include "rtc/stun.h"

#include <gtest/gtest.h>

#include <array>

namespace footlight::rtc {
namespace {

// RFC 5769 section 2.1: a request with SOFTWARE, PRIORITY, ICE-CONTROLLED, USERNAME.
constexpr std::string_view kRequest =
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff"
    "80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf";
// Section 2.2: its IPv4 response.
constexpr std::string_view kResponse =
    "0101003c2112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96";
// Section 2.3: its IPv6 response.
constexpr std::string_view kResponse6 =
    "010100482112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004c8fb0b4c";
constexpr std::string_view kPassword = "VOkJxbRl1RmTxUk/WvJxBt";

Bytes hex(std::string_view text) {
  Bytes bytes;
  EXPECT_TRUE(from_hex(text, bytes));
  return bytes;
}

TEST(Stun, TheRequestOfRfc5769IsReadAndItsIntegrityHolds) {
  const Bytes bytes = hex(kRequest);
  StunView view;
  ASSERT_TRUE(parse_stun(bytes, view));
  EXPECT_EQ(view.type, StunType::kBindingRequest);
  EXPECT_EQ(view.username, "evtj:h6vY");
  EXPECT_EQ(view.priority, 0x6e0001ffu);
  EXPECT_EQ(view.controlled, 0x932ff9b151263b36u);
  EXPECT_FALSE(view.controlling);
  EXPECT_TRUE(view.has_fingerprint);
  EXPECT_EQ(view.unknown_required, 0);
  EXPECT_TRUE(check_stun_integrity(view, kPassword));
  EXPECT_FALSE(check_stun_integrity(view, "VOkJxbRl1RmTxUk/WvJxBu"));
}

TEST(Stun, TheResponsesOfRfc5769NameTheMappedAddress) {
  const Bytes bytes = hex(kResponse), bytes6 = hex(kResponse6);
  StunView view;
  ASSERT_TRUE(parse_stun(bytes, view));
  ASSERT_TRUE(view.mapped);
  EXPECT_EQ(to_string(*view.mapped), "192.0.2.1:32853");
  EXPECT_TRUE(check_stun_integrity(view, kPassword));
  ASSERT_TRUE(parse_stun(bytes6, view));
  EXPECT_EQ(to_string(*view.mapped), "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
  EXPECT_TRUE(check_stun_integrity(view, kPassword));
}

TEST(Stun, EveryCutAndEveryFlippedBitIsNoticed) {
  const Bytes good = hex(kRequest);
  StunView view;
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(parse_stun(ByteView(good).first(size), view)) << size;
  }
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    // The type of the last attribute may change: it is then an unknown one, without fingerprint.
    EXPECT_FALSE(parse_stun(bad, view) && view.has_fingerprint) << bit;
  }
}

TEST(Stun, WhatIsWrittenIsReadBack) {
  std::array<uint8_t, 256> buffer;
  const StunTransaction transaction{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const auto write = [&](std::span<uint8_t> out) {
    StunWriter writer(out, StunType::kBindingRequest, transaction);
    writer.username("us:them");
    writer.priority(7);
    writer.controlling(8);
    writer.use_candidate();
    writer.integrity("password");
    return writer.finish();
  };
  const ByteView message = write(buffer);
  StunView view;
  ASSERT_TRUE(parse_stun(message, view));
  EXPECT_EQ(view.username, "us:them");
  EXPECT_EQ(view.priority, 7u);
  EXPECT_EQ(view.controlling, 8u);
  EXPECT_TRUE(view.use_candidate);
  EXPECT_EQ(view.transaction, transaction);
  EXPECT_TRUE(check_stun_integrity(view, "password"));
  for (size_t room = 0; room < message.size(); ++room) {
    EXPECT_TRUE(write(std::span<uint8_t>(buffer).first(room)).empty());
  }
}

TEST(Stun, AttributesBehindTheIntegrityAreNotBelieved) {
  std::array<uint8_t, 256> buffer;
  StunWriter writer(buffer, StunType::kBindingRequest, {});
  writer.username("a:b");
  writer.integrity("password");
  writer.use_candidate();
  const ByteView message = writer.finish();
  StunView view;
  ASSERT_TRUE(parse_stun(message, view));
  EXPECT_TRUE(check_stun_integrity(view, "password"));
  EXPECT_FALSE(view.use_candidate);
}

}  // namespace
}  // namespace footlight::rtc
