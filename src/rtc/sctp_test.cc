#include "rtc/sctp.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "rtc/internal/sctp_net_test.h"
#include "rtc/internal/sctp_wire.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

constexpr uint32_t kBinary = 53;

Bytes numbered(uint32_t number, size_t size) {
  Bytes bytes(std::max<size_t>(size, 8));
  store_u32(bytes.data(), number);
  store_u32(&bytes[4], static_cast<uint32_t>(bytes.size()));
  for (size_t i = 8; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(number + i * 7);
  return bytes;
}

uint32_t number_of(const SctpMessage& message) { return load_u32(message.payload.data()); }

TEST(Sctp, the_checksum_is_crc32c) {
  Bytes packet(12 + 9);
  std::ranges::copy(as_bytes("123456789"), packet.begin() + 12);
  // CRC32c is linear in what comes before, so compare with a plain bitwise computation.
  uint32_t crc = 0xFFFF'FFFF;
  for (const uint8_t byte : packet) {
    crc ^= byte;
    for (int i = 0; i < 8; ++i) crc = crc & 1 ? (crc >> 1) ^ 0x82F6'3B78 : crc >> 1;
  }
  EXPECT_EQ(sctp_checksum(packet), __builtin_bswap32(~crc));
}

TEST(Sctp, one_side_connects_to_the_other) {
  SctpNet net(1);
  net.a.association.connect(net.now);
  net.run(kUsPerSecond);
  EXPECT_EQ(net.a.connected, 1);
  EXPECT_EQ(net.b.connected, 1);
}

TEST(Sctp, both_sides_connect_at_once_and_stand_once_each_whatever_is_lost) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SctpNet net(seed, {300'000, 200'000, kUsPerMs, 300 * kUsPerMs});
    net.connect();
    net.run(20 * kUsPerSecond);
    ASSERT_EQ(net.a.connected, 1) << seed;
    ASSERT_EQ(net.b.connected, 1) << seed;
    ASSERT_TRUE(net.a.ended.empty() && net.b.ended.empty()) << seed;
  }
}

// All reliable messages exactly once and intact, in their order where asked.
TEST(Sctp, reliable_messages_come_exactly_once_and_in_order_where_asked) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SctpNet net(seed, {50'000, 50'000, 5 * kUsPerMs, 60 * kUsPerMs});
    net.connect();
    ASSERT_EQ(net.a.connected, 1) << seed;
    constexpr uint32_t kMessages = 200;
    for (uint32_t i = 0; i < kMessages; ++i) {
      const uint16_t stream = static_cast<uint16_t>(i % 4);
      const size_t size = net.prng.below(10) == 0 ? net.prng.below(20'000) : net.prng.below(800);
      for (auto* end : {&net.a, &net.b}) {
        ASSERT_TRUE(end->association.send(stream, kBinary, numbered(i, size),
                                          {.unordered = stream == 3}, net.now));
      }
      if (i % 10 == 0) net.run(5 * kUsPerMs);
    }
    net.run(120 * kUsPerSecond, [&] {
      return net.a.messages.size() >= kMessages && net.b.messages.size() >= kMessages;
    });
    net.run(2 * kUsPerSecond);
    for (auto* end : {&net.a, &net.b}) {
      ASSERT_EQ(end->messages.size(), kMessages) << seed;
      std::set<uint32_t> seen;
      std::map<uint16_t, uint32_t> last;
      for (const auto& message : end->messages) {
        const uint32_t number = number_of(message);
        EXPECT_TRUE(seen.insert(number).second) << "twice";
        EXPECT_EQ(message.payload, numbered(number, message.payload.size()));
        if (message.stream != 3 && last.contains(message.stream)) {
          EXPECT_GT(number, last[message.stream]) << seed;
        }
        last[message.stream] = number;
      }
      EXPECT_TRUE(end->ended.empty());
      EXPECT_EQ(end->association.buffered_bytes(), 0u);
    }
  }
}

TEST(Sctp, the_largest_message_passes_and_a_larger_one_is_refused) {
  SctpNet net(3, {20'000, 0, 10 * kUsPerMs, 12 * kUsPerMs});
  net.connect();
  const Bytes big = numbered(1, SctpConfig{}.max_message_bytes);
  ASSERT_TRUE(net.a.association.send(0, kBinary, big, {}, net.now));
  Bytes larger = big;
  larger.push_back(0);
  EXPECT_EQ(net.a.association.send(0, kBinary, larger, {}, net.now).error().code,
            Code::kChannelMessageSize);
  EXPECT_EQ(net.a.association.send(0, kBinary, {}, {}, net.now).error().code,
            Code::kChannelMessageSize);
  net.run(60 * kUsPerSecond, [&] { return !net.b.messages.empty(); });
  ASSERT_EQ(net.b.messages.size(), 1u);
  EXPECT_EQ(net.b.messages[0].payload, big);
}

TEST(Sctp, the_send_buffer_is_bounded_and_its_fill_is_told) {
  SctpNet net(1);
  net.connect();
  const Bytes message = numbered(1, 100'000);
  size_t taken = 0;
  while (net.a.association.send(5, kBinary, message, {}, net.now)) ++taken;
  EXPECT_EQ(taken, 10u);
  EXPECT_EQ(net.a.association.send(5, kBinary, message, {}, net.now).error().code,
            Code::kChannelFull);
  EXPECT_EQ(net.a.association.buffered_bytes(5), taken * message.size());
  EXPECT_EQ(net.a.association.buffered_bytes(6), 0u);
  net.run(60 * kUsPerSecond, [&] { return net.b.messages.size() == taken; });
  EXPECT_EQ(net.a.association.buffered_bytes(5), 0u);
  net.run(kUsPerSecond);
  EXPECT_TRUE(net.a.association.send(5, kBinary, message, {}, net.now));
}

TEST(Sctp, a_message_queued_before_the_association_stands_is_sent_when_it_does) {
  SctpNet net(1);
  ASSERT_TRUE(net.a.association.send(2, kBinary, numbered(9, 10), {}, net.now));
  net.connect();
  net.run(kUsPerSecond);
  ASSERT_EQ(net.b.messages.size(), 1u);
  EXPECT_EQ(number_of(net.b.messages[0]), 9u);
}

TEST(Sctp, a_long_transfer_does_not_hold_up_another_stream) {
  SctpNet net(1);
  net.connect();
  for (uint32_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(net.a.association.send(1, kBinary, numbered(i, 60'000), {}, net.now));
  }
  ASSERT_TRUE(net.a.association.send(2, kBinary, numbered(100, 20), {}, net.now));
  net.run(60 * kUsPerSecond, [&] { return net.b.messages.size() == 11; });
  ASSERT_EQ(net.b.messages.size(), 11u);
  EXPECT_EQ(number_of(net.b.messages[1]), 100u) << "it went after one message of the other";
}

TEST(Sctp, unreliable_messages_are_given_up_and_later_ones_still_come_in_order) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SctpNet net(seed, {150'000, 20'000, 10 * kUsPerMs, 40 * kUsPerMs});
    net.connect();
    constexpr uint32_t kMessages = 300;
    for (uint32_t i = 0; i < kMessages; ++i) {
      SctpSendOptions options{.unordered = i % 2 == 0};
      if (i % 3 == 0) {
        options.lifetime_ms = 100;
      } else {
        options.max_retransmits = 0;
      }
      ASSERT_TRUE(
          net.a.association.send(i % 2, kBinary, numbered(i, 200 + i % 5 * 700), options, net.now));
      net.run(10 * kUsPerMs);
    }
    ASSERT_TRUE(net.a.association.send(1, kBinary, numbered(9999, 10), {}, net.now));
    net.run(60 * kUsPerSecond,
            [&] { return !net.b.messages.empty() && number_of(net.b.messages.back()) == 9999; });
    net.run(20 * kUsPerSecond);
    EXPECT_LT(net.b.messages.size(), kMessages) << "nothing was given up";
    EXPECT_GT(net.b.messages.size(), kMessages / 3);
    int64_t last = -1;
    bool end_came = false;
    for (const auto& message : net.b.messages) {
      EXPECT_EQ(message.payload, numbered(number_of(message), message.payload.size()));
      end_came = end_came || number_of(message) == 9999;
      if (message.stream != 1) continue;
      EXPECT_GT(int64_t{number_of(message)}, last) << seed;
      last = number_of(message);
    }
    EXPECT_TRUE(end_came) << "the reliable message behind them was held up, seed " << seed;
    EXPECT_TRUE(net.a.ended.empty() && net.b.ended.empty());
    EXPECT_EQ(net.a.association.buffered_bytes(), 0u);
  }
}

TEST(Sctp, a_message_whose_lifetime_is_over_is_never_sent) {
  SctpNet net(1);
  ASSERT_TRUE(net.a.association.send(0, kBinary, numbered(1, 50), {.lifetime_ms = 5}, net.now));
  ASSERT_TRUE(net.a.association.send(0, kBinary, numbered(2, 50), {}, net.now));
  net.run(50 * kUsPerMs);
  net.connect();
  net.run(kUsPerSecond);
  ASSERT_EQ(net.b.messages.size(), 1u);
  EXPECT_EQ(number_of(net.b.messages[0]), 2u);
}

TEST(Sctp, a_reset_waits_for_what_was_sent_and_restarts_the_order) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SctpNet net(seed, {100'000, 50'000, 5 * kUsPerMs, 80 * kUsPerMs});
    net.connect();
    for (uint32_t i = 0; i < 20; ++i) {
      ASSERT_TRUE(net.a.association.send(7, kBinary, numbered(i, 3000), {}, net.now));
    }
    ASSERT_TRUE(net.a.association.reset_stream(7));
    net.run(60 * kUsPerSecond, [&] { return !net.a.reset_done.empty(); });
    ASSERT_EQ(net.a.reset_done, std::vector<uint16_t>{7}) << seed;
    EXPECT_EQ(net.b.reset, std::vector<uint16_t>{7});
    EXPECT_EQ(net.b.messages.size(), 20u) << "a message was lost to the reset, seed " << seed;
    ASSERT_TRUE(net.a.association.send(7, kBinary, numbered(50, 100), {}, net.now));
    net.run(30 * kUsPerSecond, [&] { return net.b.messages.size() == 21; });
    EXPECT_EQ(number_of(net.b.messages.back()), 50u);
  }
}

TEST(Sctp, many_streams_are_reset_together) {
  SctpNet net(1);
  net.connect();
  for (uint16_t stream = 0; stream < 600; ++stream) {
    ASSERT_TRUE(net.a.association.reset_stream(stream));
  }
  net.run(10 * kUsPerSecond, [&] { return net.a.reset_done.size() == 600; });
  EXPECT_EQ(net.b.reset.size(), 600u);
  EXPECT_EQ(net.a.association.reset_stream(1024).error().code, Code::kChannelUnknown);
}

TEST(Sctp, an_orderly_end_delivers_what_was_queued) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SctpNet net(seed, {100'000, 50'000, 5 * kUsPerMs, 80 * kUsPerMs});
    net.connect();
    for (uint32_t i = 0; i < 30; ++i) {
      ASSERT_TRUE(net.a.association.send(0, kBinary, numbered(i, 2000), {}, net.now));
    }
    net.a.association.shutdown(net.now);
    if (seed % 4 == 0) net.b.association.shutdown(net.now);
    net.run(200 * kUsPerSecond, [&] { return !net.a.ended.empty() && !net.b.ended.empty(); });
    EXPECT_EQ(net.b.messages.size(), 30u) << seed;
    ASSERT_EQ(net.a.ended.size(), 1u) << seed;
    EXPECT_EQ(net.a.ended[0].code, Code::kSctpClosed);
  }
}

TEST(Sctp, an_abort_is_heard) {
  SctpNet net(1);
  net.connect();
  net.a.association.abort();
  net.run(kUsPerSecond);
  ASSERT_EQ(net.b.ended.size(), 1u);
  EXPECT_EQ(net.b.ended[0].code, Code::kSctpClosed);
  EXPECT_EQ(net.b.association.deadline_us(), kNever);
  EXPECT_EQ(net.b.association.send(0, kBinary, numbered(1, 9), {}, net.now).error().code,
            Code::kSctpClosed);
}

TEST(Sctp, a_peer_that_falls_silent_is_noticed) {
  SctpNet net(1);
  net.a.association.connect(net.now);
  net.faults.lost_per_million = 1'000'000;
  net.run(200 * kUsPerSecond, [&] { return !net.a.ended.empty(); });
  ASSERT_EQ(net.a.ended.size(), 1u) << "while connecting";
  EXPECT_EQ(net.a.ended[0].code, Code::kSctpTimeout);

  SctpNet standing(2);
  standing.connect();
  standing.faults.lost_per_million = 1'000'000;
  ASSERT_TRUE(standing.a.association.send(0, kBinary, numbered(1, 9), {}, standing.now));
  standing.run(200 * kUsPerSecond, [&] { return !standing.a.ended.empty(); });
  ASSERT_EQ(standing.a.ended.size(), 1u) << "with data in flight";
  standing.run(1000 * kUsPerSecond, [&] { return !standing.b.ended.empty(); });
  EXPECT_EQ(standing.b.ended.size(), 1u) << "idle, by heartbeats";
}

TEST(Sctp, without_loss_nothing_is_sent_twice_and_the_window_opens) {
  SctpNet net(1, {0, 0, 25 * kUsPerMs, 25 * kUsPerMs});
  net.connect();
  const MonoUs start = net.now;
  uint32_t sent = 0;
  size_t payload = 0;
  while (payload < 2'000'000) {
    while (net.a.association.send(0, kBinary, numbered(sent, 16'000), {}, net.now)) {
      ++sent;
      payload += 16'000;
    }
    net.step(net.now + kUsPerSecond);
  }
  net.run(60 * kUsPerSecond, [&] { return net.b.messages.size() == sent; });
  EXPECT_EQ(net.b.messages.size(), sent);
  EXPECT_LT(static_cast<double>(net.a.bytes), static_cast<double>(payload) * 1.05);
  EXPECT_LT(net.now - start, 1500 * kUsPerMs) << "50 ms round trip, 512 KiB window";
}

TEST(Sctp, a_single_loss_is_repaired_without_the_timer) {
  SctpNet net(1, {0, 0, 10 * kUsPerMs, 10 * kUsPerMs});
  net.connect();
  net.run(kUsPerSecond);
  for (uint32_t i = 0; i < 8; ++i) {
    ASSERT_TRUE(net.a.association.send(0, kBinary, numbered(i, 1100), {}, net.now));
  }
  net.pull();
  ASSERT_GE(net.flying.size(), 6u);
  net.flying.erase(net.flying.begin());
  const MonoUs start = net.now;
  net.run(kUsPerSecond, [&] { return net.b.messages.size() == 8; });
  EXPECT_EQ(net.b.messages.size(), 8u);
  EXPECT_LE(net.now - start, 60 * kUsPerMs) << "two round trips, not the 300 ms of the timer";
}

// --- hostile peers
// -----------------------------------------------------------------------------------

struct Victim {
  Victim() { net.connect(); }
  // A packet with the right tag and checksum, as only the peer can make it.
  Code inject(const Bytes& chunks) {
    Bytes packet(12);
    packet.insert(packet.end(), chunks.begin(), chunks.end());
    store_u16(packet.data(), 5000);
    store_u16(&packet[2], 5000);
    store_u32(&packet[4], tag);
    store_u32(&packet[8], sctp_checksum(packet));
    net.a.association.receive(packet, net.now);
    net.pull(net.a);
    net.flying.clear();
    return net.a.ended.empty() ? Code::kOk : net.a.ended[0].code;
  }
  static Bytes data_chunk(uint32_t tsn, uint16_t stream, uint16_t sequence, uint8_t flags,
                          size_t size) {
    Bytes chunk(16 + size, 0x55);
    chunk[0] = 0;
    chunk[1] = flags;
    store_u16(&chunk[2], static_cast<uint16_t>(16 + size));
    store_u32(&chunk[4], tsn);
    store_u16(&chunk[8], stream);
    store_u16(&chunk[10], sequence);
    store_u32(&chunk[12], kBinary);
    chunk.resize(sctp_padded(chunk.size()));
    return chunk;
  }
  uint32_t tag = 0;
  uint32_t next_tsn = 0;
  SctpNet net{5};
  void learn() {
    net.on_packet = [this](bool from_a, const Bytes& packet) {
      if (from_a || packet.size() < 20 || packet[12] != 0) return;
      tag = load_u32(&packet[4]);
      next_tsn = load_u32(&packet[16]) + 1;
    };
    ASSERT_TRUE(net.b.association.send(0, kBinary, numbered(1, 8), {}, net.now));
    net.run(kUsPerSecond);
    ASSERT_EQ(net.a.messages.size(), 1u);
    net.a.messages.clear();
  }
};

TEST(SctpHostile, bytes_of_a_stranger_change_nothing) {
  Victim victim;
  Prng prng(3);
  for (int i = 0; i < 20'000; ++i) {
    Bytes packet(prng.below(200));
    for (auto& byte : packet) byte = static_cast<uint8_t>(prng.next());
    if (packet.size() >= 16) {  // all right but the tag
      store_u16(packet.data(), 5000);
      store_u16(&packet[2], 5000);
      packet[12] = static_cast<uint8_t>(prng.below(16));
      store_u32(&packet[8], sctp_checksum(packet));
    }
    victim.net.a.association.receive(packet, victim.net.now);
  }
  victim.net.flying.clear();
  EXPECT_EQ(victim.net.a.association.state(), SctpState::kEstablished);
  ASSERT_TRUE(victim.net.b.association.send(0, kBinary, numbered(1, 8), {}, victim.net.now));
  victim.net.run(kUsPerSecond);
  EXPECT_EQ(victim.net.a.messages.size(), 1u);
}

TEST(SctpHostile, fragments_without_an_end_are_held_up_to_the_bound) {
  Victim victim;
  victim.learn();
  Code code = Code::kOk;
  size_t taken = 0;
  for (uint32_t i = 0; i < 8000 && code == Code::kOk; ++i) {
    code = victim.inject(Victim::data_chunk(victim.next_tsn + i, 1, 0, i == 0 ? 2 : 0, 1000));
    ++taken;
  }
  EXPECT_EQ(code, Code::kSctpProtocol) << "a message beyond the largest";
  EXPECT_LE(taken * 1000, SctpConfig{}.max_message_bytes + 2000);
}

TEST(SctpHostile, scattered_fragments_are_held_up_to_the_bound) {
  Victim victim;
  victim.learn();
  for (uint32_t i = 0; i < 8000; ++i) {  // every second TSN: no two can be joined
    const Code code = victim.inject(Victim::data_chunk(victim.next_tsn + 1 + 2 * i, 1, 0, 0, 1000));
    if (code != Code::kOk) break;
  }
  EXPECT_EQ(victim.net.a.messages.size(), 0u);
  // Closing the gaps adds more, up to twice the window, and then ends it.
  Code code = Code::kOk;
  for (uint32_t i = 0; i < 8000 && code == Code::kOk; ++i) {
    code = victim.inject(Victim::data_chunk(victim.next_tsn + 2 * i, 2, 0, 0, 1000));
  }
  EXPECT_EQ(code, Code::kSctpProtocol);
}

TEST(SctpHostile, malformed_chunks_end_the_association_or_are_passed_over) {
  const auto tried = [](const Bytes& chunk) {
    Victim victim;
    victim.learn();
    return victim.inject(chunk);
  };
  Victim victim;
  victim.learn();
  EXPECT_EQ(tried(Victim::data_chunk(victim.next_tsn, 0, 1, 3, 0)), Code::kSctpProtocol)
      << "DATA without data";
  EXPECT_EQ(tried({3, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0}), Code::kSctpProtocol)
      << "a SACK with more blocks than bytes";
  EXPECT_EQ(tried({192, 0, 0, 6, 0, 0, 0, 0}), Code::kSctpProtocol) << "a short FORWARD TSN";
  EXPECT_EQ(tried({0, 3, 0xFF, 0xFF, 0, 0, 0, 0}), Code::kOk) << "a length beyond the packet";
  EXPECT_EQ(tried({130, 0, 0, 8, 0, 13, 0, 200}), Code::kOk) << "a parameter beyond its chunk";
  EXPECT_EQ(tried({4, 0, 0, 3, 0, 0, 0, 0}), Code::kOk) << "a length below the header";
  EXPECT_EQ(tried({99, 0, 0, 4}), Code::kOk) << "an unknown chunk";
}

TEST(SctpHostile, a_flood_of_questions_is_answered_within_a_bound) {
  Victim victim;
  victim.learn();
  Bytes heartbeats;
  for (int i = 0; i < 100; ++i) heartbeats.insert(heartbeats.end(), {4, 0, 0, 8, 1, 2, 3, 4});
  const size_t before = victim.net.a.bytes;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(victim.inject(heartbeats), Code::kOk);
  }
  EXPECT_LE(victim.net.a.bytes - before, 100 * (heartbeats.size() + 12));
}

TEST(SctpHostile, random_chunks_of_the_peer_never_break_an_invariant) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Victim victim;
    victim.learn();
    Prng prng(seed);
    constexpr uint8_t kTypes[] = {0, 0, 0, 3, 3, 192, 192, 130, 4, 5, 7, 10, 1, 2, 9, 200};
    for (int i = 0; i < 400; ++i) {
      (void)victim.net.a.association.send(0, kBinary, numbered(1, 500), {.max_retransmits = 1},
                                          victim.net.now);
      Bytes chunk(4 + 4 * prng.below(12));
      for (auto& byte : chunk) byte = static_cast<uint8_t>(prng.below(4) ? 0 : prng.next());
      chunk[0] = kTypes[prng.below(std::size(kTypes))];
      store_u16(&chunk[2], static_cast<uint16_t>(chunk.size()));
      if (chunk.size() >= 8 && chunk[0] != 130) {
        store_u32(&chunk[4], victim.next_tsn + static_cast<uint32_t>(prng.between(-3, 20)));
      }
      if (victim.inject(chunk) != Code::kOk) break;
      victim.net.now += 50 * kUsPerMs;
      victim.net.a.association.on_deadline(victim.net.now);
      victim.net.pull(victim.net.a);
    }
  }
}

}  // namespace
}  // namespace footlight::rtc
