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

TEST(Datagrams, ATakenPortIsNamed) {
  auto first = *UdpSocket::open(loopback());
  UdpOptions options = loopback();
  options.bind.port = first->port();
  EXPECT_EQ(UdpSocket::open(options).error().code, Code::kPortBusy);
}

}  // namespace
}  // namespace footlight::net
