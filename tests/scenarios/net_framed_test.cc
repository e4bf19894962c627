// Framed TCP: at the server's port beside HTTP, and what a slow reader costs.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <condition_variable>
#include <mutex>
#include <optional>

#include "net/asio/framed.h"
#include "net_support.h"

namespace footlight::net {
namespace {

// Connections that were handed on, for a test to wait for.
class HandedOn {
 public:
  void add(FramedSocket socket) {
    const std::lock_guard lock(mutex_);
    got_.emplace(std::move(socket));
    changed_.notify_all();
  }
  std::optional<FramedSocket> wait() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [this] { return got_.has_value(); });
    return std::move(got_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<FramedSocket> got_;
};

constexpr std::string_view kFrame(
    "\x00\x03"
    "abc",
    5);

Bytes read_all(FramedStream& stream, size_t expected) {
  Bytes got;
  std::vector<uint8_t> memory(4096);
  while (got.size() < expected) {
    pollfd wait{stream.descriptor(), POLLIN, 0};
    if (poll(&wait, 1, 5000) <= 0) break;
    const auto count = stream.read(memory);
    if (!count) break;
    got.insert(got.end(), memory.begin(), memory.begin() + static_cast<ptrdiff_t>(*count));
  }
  return got;
}

TEST(Framed, AConnectionThatBeginsFramedIsHandedOnAndStillCounted) {
  HandedOn handed;
  ServerOptions options;
  options.framed = [&](FramedSocket socket) { handed.add(std::move(socket)); };
  TestServer server(options, 2);
  RawClient browser(server.port());
  browser.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(browser.read_response().find("200 OK"), std::string::npos);
  RawClient media(server.port());
  media.send(kFrame);
  auto socket = handed.wait();
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->peer().ip[0], 127);
  EXPECT_NE(socket->peer().port, 0);
  EXPECT_EQ(server.server().counters().framed, 1u);
  {
    FramedStream stream(std::move(*socket));
    EXPECT_EQ(read_all(stream, kFrame.size()), Bytes(kFrame.begin(), kFrame.end()));
    const std::vector<uint16_t> sizes{2, 3};
    const Bytes datagrams{'h', 'i', 'y', 'o', 'u'};
    EXPECT_TRUE(stream.write(datagrams, sizes));
    EXPECT_EQ(media.read_exactly(9), std::string("\x00\x02hi\x00\x03you", 9));
    browser.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");  // its shard's turn is over then
    browser.read_response();
    EXPECT_GE(server.server().counters().connections, 2u);
  }
  socket.reset();
  for (int i = 0; i < 1000 && server.server().counters().connections > 1; ++i) {
    browser.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    browser.read_response();
  }
  EXPECT_EQ(server.server().counters().connections, 1u);
}

TEST(Framed, WithoutTakersItIsABadRequest) {
  TestServer server;
  RawClient media(server.port());
  media.send(std::string(kFrame) + "\r\n\r\n");
  EXPECT_NE(media.read_to_end().find(" 400 "), std::string::npos);
}

TEST(Framed, ASlowReaderLosesPicturesFirstAndNeverHalfADatagram) {
  UdpAddress bind;
  bind.ip = {127, 0, 0, 1};
  auto listener = *FramedListener::open(bind);
  bind.port = listener->port();
  auto reader = *FramedStream::connect(bind);
  pollfd wait{listener->descriptor(), POLLIN, 0};
  ASSERT_EQ(poll(&wait, 1, 5000), 1);
  FramedStream writer(*listener->accept());
  // Nobody reads: what the system takes is bounded, and then the pictures are lost alone.
  const Bytes picture(1200, 1), voice(100, 2);
  const std::vector<uint16_t> one{1200}, small{100};
  for (int i = 0; i < 20'000; ++i) ASSERT_TRUE(writer.write(picture, one));
  const uint64_t pictures = writer.stats().sent;
  EXPECT_LT(pictures, 10'000u);
  ASSERT_TRUE(writer.write(voice, small));
  EXPECT_EQ(writer.stats().sent, pictures + 1);
  for (int i = 0; i < 20'000; ++i) ASSERT_TRUE(writer.write(voice, small));
  const uint64_t voices = writer.stats().sent - pictures;
  EXPECT_LE(voices * 102, FramedStream::kMaxUnsentBytes);
  EXPECT_EQ(writer.stats().sent + writer.stats().dropped, 40'001u);
  // What was taken arrives whole.
  Bytes got;
  std::vector<uint8_t> memory(65'536);
  const size_t expected = pictures * 1202 + voices * 102;
  while (got.size() < expected) {
    ASSERT_TRUE(writer.on_writable());
    pollfd readable{reader->descriptor(), POLLIN, 0};
    if (poll(&readable, 1, 5000) <= 0) break;
    const auto count = reader->read(memory);
    ASSERT_TRUE(count);
    got.insert(got.end(), memory.begin(), memory.begin() + static_cast<ptrdiff_t>(*count));
  }
  ASSERT_EQ(got.size(), expected);
  uint64_t whole = 0;
  for (size_t at = 0; at < got.size(); ++whole) {
    const size_t size = static_cast<size_t>(got[at]) << 8 | got[at + 1];
    ASSERT_TRUE(size == 1200 || size == 100);
    ASSERT_EQ(got[at + 2 + size - 1], size == 1200 ? 1 : 2);
    at += 2 + size;
  }
  EXPECT_EQ(whole, pictures + voices);
}

}  // namespace
}  // namespace footlight::net
