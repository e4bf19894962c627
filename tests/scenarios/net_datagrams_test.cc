// The UDP shell over loopback: runs, single datagrams and oversized ones.
#include <gtest/gtest.h>
#include <poll.h>

#include <vector>

#include "net/asio/datagrams.h"

namespace footlight::net {
namespace {

UdpOptions loopback() {
  UdpOptions options;
  options.bind.ip = {127, 0, 0, 1};
  return options;
}

std::vector<Bytes> receive_all(UdpSocket& socket, size_t expected) {
  std::vector<Bytes> memory(UdpSocket::kBatch, Bytes(1500));
  std::vector<UdpSlot> slots(UdpSocket::kBatch);
  std::vector<Bytes> got;
  while (got.size() < expected) {
    pollfd wait{socket.descriptor(), POLLIN, 0};
    if (poll(&wait, 1, 2000) <= 0) break;
    for (size_t i = 0; i < slots.size(); ++i) slots[i].memory = memory[i];
    const size_t count = socket.receive(slots);
    for (size_t i = 0; i < count; ++i) {
      got.emplace_back(memory[i].begin(),
                       memory[i].begin() + static_cast<ptrdiff_t>(slots[i].size));
    }
  }
  return got;
}

TEST(Datagrams, RunsAndSingleDatagramsArriveWholeAndInOrder) {
  for (const bool segmentation : {true, false}) {
    auto from = *UdpSocket::open(loopback()), to = *UdpSocket::open(loopback());
    from->set_segmentation(segmentation);
    UdpAddress address = loopback().bind;
    address.port = to->port();
    const std::vector<uint16_t> sizes{1200, 1200, 1200, 700, 100, 1200, 1100, 1100, 1101};
    Bytes bytes;
    for (size_t i = 0; i < sizes.size(); ++i) bytes.insert(bytes.end(), sizes[i], uint8_t(i));
    from->send(address, bytes, sizes);
    from->flush();
    const auto got = receive_all(*to, sizes.size());
    ASSERT_EQ(got.size(), sizes.size());
    for (size_t i = 0; i < sizes.size(); ++i) EXPECT_EQ(got[i], Bytes(sizes[i], uint8_t(i))) << i;
    EXPECT_EQ(from->stats().sent, sizes.size());
    if (segmentation) {
      EXPECT_GT(from->stats().segmented, 0u);
      EXPECT_EQ(from->stats().send_calls, 1u);
    }
  }
}

TEST(Datagrams, ADatagramLongerThanItsSlotIsToldAsSuch) {
  auto from = *UdpSocket::open(loopback()), to = *UdpSocket::open(loopback());
  UdpAddress address = loopback().bind;
  address.port = to->port();
  const Bytes bytes(2000, 1);
  const std::vector<uint16_t> sizes{2000};
  from->send(address, bytes, sizes);
  from->flush();
  const auto got = receive_all(*to, 1);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_TRUE(got[0].empty());
}

TEST(Datagrams, AddressesAreReadWithAndWithoutPorts) {
  const auto four = parse_udp_address("192.0.2.1:5004");
  ASSERT_TRUE(four);
  EXPECT_EQ(four->port, 5004);
  EXPECT_EQ(four->ip[3], 1);
  EXPECT_FALSE(four->v6);
  EXPECT_EQ(parse_udp_address("192.0.2.1")->port, 0);
  const auto six = parse_udp_address("[2001:db8::7]:443");
  ASSERT_TRUE(six);
  EXPECT_TRUE(six->v6);
  EXPECT_EQ(six->port, 443);
  EXPECT_EQ(six->ip[15], 7);
  EXPECT_EQ(parse_udp_address("2001:db8::7")->port, 0);
  EXPECT_EQ(parse_udp_address("[::1]")->ip[15], 1);
  for (const char* bad : {"", "host", "1.2.3", "1.2.3.4:", "1.2.3.4:99999", "1.2.3.4:x", "[::1",
                          "[::1]x", ":80", "1.2.3.4:123456"}) {
    EXPECT_FALSE(parse_udp_address(bad)) << bad;
  }
}

TEST(Datagrams, AWildcardIsReachedByTheMachinesAddressesAndAnAddressByItself) {
  const auto own = reachable_addresses(loopback().bind);
  ASSERT_EQ(own.size(), 1u);
  EXPECT_EQ(own[0].ip, loopback().bind.ip);
  const auto all = reachable_addresses({});
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.back().ip[0], 127);  // the loopback last
}

TEST(Datagrams, ATakenPortIsNamed) {
  auto first = *UdpSocket::open(loopback());
  UdpOptions options = loopback();
  options.bind.port = first->port();
  EXPECT_EQ(UdpSocket::open(options).error().code, Code::kPortBusy);
}

}  // namespace
}  // namespace footlight::net
