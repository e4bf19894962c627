#include "rtc/data_channel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "rtc/internal/sctp_net_test.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

// Two ends and a network with faults between them, in virtual time.
struct Ends {
  struct End {
    End(DtlsRole role, uint64_t seed, size_t most)
        : entropy(seed), channels(role, {}, entropy, most) {}
    SctpTestEntropy entropy;
    DataChannels channels;
    std::vector<ChannelOpened> opened;
    std::vector<ChannelMessage> messages;
    std::vector<uint16_t> drained;
    std::vector<uint16_t> closed;
    std::vector<Error> ended;
  };
  explicit Ends(uint64_t seed = 1, uint32_t lost = 0, size_t most = 256)
      : prng(seed),
        lost(lost),
        client(DtlsRole::kClient, 2 * seed, most),
        server(DtlsRole::kServer, 2 * seed + 1, most) {
    client.channels.start(now);
    server.channels.start(now);
  }
  void pull(End& end) {
    ChannelEvent event;
    while (end.channels.next_event(event, now)) {
      if (auto* opened = std::get_if<ChannelOpened>(&event)) {
        end.opened.push_back(*opened);
      } else if (auto* message = std::get_if<ChannelMessage>(&event)) {
        end.messages.push_back(*message);
      } else if (auto* drained = std::get_if<ChannelDrained>(&event)) {
        end.drained.push_back(drained->id);
      } else if (auto* closed = std::get_if<ChannelClosed>(&event)) {
        end.closed.push_back(closed->id);
      } else if (auto* ended = std::get_if<ChannelsEnded>(&event)) {
        end.ended.push_back(ended->error);
      }
    }
    Bytes out(kSctpPacketBytes);
    while (const size_t size = end.channels.produce(out, now)) {
      if (prng.chance_per_million(lost)) continue;
      flying.emplace(now + prng.between(5 * kUsPerMs, 25 * kUsPerMs),
                     std::pair(&end == &client ? &server : &client,
                               Bytes(out.begin(), out.begin() + static_cast<ptrdiff_t>(size))));
    }
  }
  void run(MonoUs duration) {
    const MonoUs until = now + duration;
    for (;;) {
      pull(client);
      pull(server);
      MonoUs next = std::min(client.channels.deadline_us(), server.channels.deadline_us());
      if (!flying.empty()) next = std::min(next, flying.begin()->first);
      if (next > until) break;
      now = std::max(now, next);
      if (!flying.empty() && flying.begin()->first <= now) {
        const auto [to, packet] = std::move(flying.begin()->second);
        flying.erase(flying.begin());
        to->channels.receive(packet, now);
      } else {
        for (End* end : {&client, &server}) {
          if (end->channels.deadline_us() <= now) end->channels.on_deadline(now);
        }
      }
    }
    now = until;
  }

  Prng prng;
  uint32_t lost;
  MonoUs now = kUsPerSecond;
  End client;
  End server;
  std::multimap<MonoUs, std::pair<End*, Bytes>> flying;
};

TEST(DataChannel, a_channel_opens_with_its_label_and_options_on_both_sides) {
  Ends ends;
  const auto id = ends.client.channels.open(
      {.label = "board", .protocol = "footlight.1", .ordered = false, .max_retransmits = 3},
      ends.now);
  ASSERT_TRUE(id);
  EXPECT_EQ(*id % 2, 0);
  ends.run(kUsPerSecond);
  ASSERT_EQ(ends.server.opened.size(), 1u);
  EXPECT_TRUE(ends.server.opened[0].by_peer);
  EXPECT_EQ(ends.server.opened[0].options.label, "board");
  EXPECT_EQ(ends.server.opened[0].options.protocol, "footlight.1");
  EXPECT_FALSE(ends.server.opened[0].options.ordered);
  EXPECT_EQ(ends.server.opened[0].options.max_retransmits, 3);
  EXPECT_EQ(ends.server.opened[0].options.lifetime_ms, std::nullopt);
  ASSERT_EQ(ends.client.opened.size(), 1u);
  EXPECT_FALSE(ends.client.opened[0].by_peer);
}

TEST(DataChannel, both_sides_open_at_once_and_ids_do_not_clash) {
  Ends ends(3, 100'000);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(ends.client.channels.open({.label = "c" + std::to_string(i)}, ends.now));
    ASSERT_TRUE(ends.server.channels.open({.label = "s" + std::to_string(i)}, ends.now));
  }
  ends.run(20 * kUsPerSecond);
  EXPECT_EQ(ends.client.channels.channel_count(), 40u);
  EXPECT_EQ(ends.server.channels.channel_count(), 40u);
  EXPECT_EQ(ends.client.opened.size(), 40u);
  EXPECT_EQ(ends.server.opened.size(), 40u);
}

TEST(DataChannel, text_binary_and_empty_messages_come_as_they_were_sent) {
  Ends ends;
  const auto id = *ends.client.channels.open({.label = "x"}, ends.now);
  ASSERT_TRUE(ends.client.channels.send(id, true, as_bytes("hello"), ends.now));
  ASSERT_TRUE(ends.client.channels.send(id, false, as_bytes("\1\2"), ends.now));
  ASSERT_TRUE(ends.client.channels.send(id, true, {}, ends.now));
  ASSERT_TRUE(ends.client.channels.send(id, false, {}, ends.now));
  ends.run(kUsPerSecond);
  const auto& got = ends.server.messages;
  ASSERT_EQ(got.size(), 4u);
  EXPECT_TRUE(got[0].text && as_text(got[0].payload) == "hello");
  EXPECT_TRUE(!got[1].text && got[1].payload == (Bytes{1, 2}));
  EXPECT_TRUE(got[2].text && got[2].payload.empty());
  EXPECT_TRUE(!got[3].text && got[3].payload.empty());
  ASSERT_TRUE(ends.server.channels.send(id, true, as_bytes("back"), ends.now));
  ends.run(kUsPerSecond);
  ASSERT_EQ(ends.client.messages.size(), 1u);
  EXPECT_EQ(as_text(ends.client.messages[0].payload), "back");
}

TEST(DataChannel, a_message_of_an_unordered_channel_never_overtakes_its_opening) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Ends ends(seed, 200'000);
    const auto id = *ends.client.channels.open({.label = "x", .ordered = false}, ends.now);
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(ends.client.channels.send(id, false, as_bytes("m"), ends.now));
    }
    ends.run(30 * kUsPerSecond);
    EXPECT_EQ(ends.server.messages.size(), 20u) << seed;
    EXPECT_EQ(ends.server.opened.size(), 1u);
  }
}

TEST(DataChannel, closing_delivers_what_was_sent_and_frees_the_id) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Ends ends(seed, 100'000);
    const auto id = *ends.client.channels.open({.label = "x"}, ends.now);
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(ends.client.channels.send(id, false, Bytes(5000, 1), ends.now));
    }
    ASSERT_TRUE(ends.client.channels.close(id));
    EXPECT_EQ(ends.client.channels.send(id, false, as_bytes("m"), ends.now).error().code,
              Code::kChannelUnknown);
    ends.run(60 * kUsPerSecond);
    EXPECT_EQ(ends.server.messages.size(), 10u) << seed;
    EXPECT_EQ(ends.client.closed, std::vector<uint16_t>{id});
    EXPECT_EQ(ends.server.closed, std::vector<uint16_t>{id});
    EXPECT_EQ(ends.client.channels.channel_count(), 0u);
    EXPECT_EQ(*ends.client.channels.open({.label = "again"}, ends.now), id);
    ASSERT_TRUE(ends.client.channels.send(id, true, as_bytes("new"), ends.now));
    ends.run(20 * kUsPerSecond);
    ASSERT_EQ(ends.server.opened.size(), 2u);
    EXPECT_EQ(ends.server.opened[1].options.label, "again");
    EXPECT_EQ(as_text(ends.server.messages.back().payload), "new");
  }
}

TEST(DataChannel, both_sides_may_close_at_once) {
  Ends ends(5, 50'000);
  const auto id = *ends.client.channels.open({.label = "x"}, ends.now);
  ends.run(kUsPerSecond);
  ASSERT_TRUE(ends.client.channels.close(id));
  ASSERT_TRUE(ends.server.channels.close(id));
  ends.run(20 * kUsPerSecond);
  EXPECT_EQ(ends.client.closed.size(), 1u);
  EXPECT_EQ(ends.server.closed.size(), 1u);
}

TEST(DataChannel, a_negotiated_channel_needs_no_opening) {
  Ends ends;
  ASSERT_TRUE(ends.client.channels.open_negotiated(100, {.label = "n"}));
  ASSERT_TRUE(ends.server.channels.open_negotiated(100, {.label = "n"}));
  ASSERT_TRUE(ends.server.channels.send(100, true, as_bytes("hi"), ends.now));
  ends.run(kUsPerSecond);
  ASSERT_EQ(ends.client.messages.size(), 1u);
  EXPECT_TRUE(ends.client.opened.empty());
  EXPECT_FALSE(ends.client.channels.open_negotiated(100, {}));
}

TEST(DataChannel, the_threshold_is_told_when_the_buffer_falls_to_it) {
  Ends ends;
  const auto id = *ends.client.channels.open({.label = "x"}, ends.now);
  ends.run(kUsPerSecond);
  ASSERT_TRUE(ends.client.channels.set_threshold(id, 10'000));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(ends.client.channels.send(id, false, Bytes(10'000, 1), ends.now));
  }
  EXPECT_EQ(ends.client.channels.buffered_bytes(id), 200'000u);
  ends.run(10 * kUsPerSecond);
  EXPECT_EQ(ends.client.drained, std::vector<uint16_t>{id});
  EXPECT_EQ(ends.client.channels.buffered_bytes(id), 0u);
}

TEST(DataChannel, the_number_of_channels_is_bounded_and_what_is_beyond_is_closed) {
  Ends ends(1, 0, 3);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(ends.client.channels.open({.label = std::to_string(i)}, ends.now));
  }
  EXPECT_EQ(ends.client.channels.open({.label = "more"}, ends.now).error().code,
            Code::kChannelTooMany);
  ASSERT_TRUE(ends.server.channels.open({.label = "theirs"}, ends.now));
  ends.run(5 * kUsPerSecond);
  // The last of the client's met a full server and the server's a full client: both were refused.
  EXPECT_EQ(ends.server.opened.size(), 2u);
  EXPECT_EQ(ends.client.closed.size(), 1u);
  EXPECT_EQ(ends.server.closed.size(), 1u);
}

TEST(DataChannel, a_label_beyond_the_bound_is_refused) {
  Ends ends;
  EXPECT_EQ(ends.client.channels.open({.label = std::string(1025, 'x')}, ends.now).error().code,
            Code::kChannelMessageSize);
}

TEST(DataChannel, the_end_of_the_association_ends_all_channels) {
  Ends ends;
  ASSERT_TRUE(ends.client.channels.open({.label = "x"}, ends.now));
  ends.run(kUsPerSecond);
  ends.server.channels.shutdown(ends.now);
  ends.run(5 * kUsPerSecond);
  EXPECT_EQ(ends.client.ended.size(), 1u);
  EXPECT_EQ(ends.server.ended.size(), 1u);
  EXPECT_EQ(ends.client.channels.channel_count(), 0u);
  EXPECT_EQ(ends.client.channels.open({.label = "y"}, ends.now).error().code, Code::kSctpClosed);
}

}  // namespace
}  // namespace footlight::rtc
