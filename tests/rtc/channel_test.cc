// The session protocol over data channels: the shipped edge, owner and media on virtual time, and a
// client whose datagrams are real.
#include <algorithm>

#include "edge/internal/media_channel.h"
#include "edge/internal/test_stage.h"
#include "media_rig.h"

namespace footlight::edge {
namespace {

using proto::Role;
using rig::ev;
using rig::hello;
using rig::token;

class Asked final : public MediaPort {
 public:
  void ask(MediaAsk ask) override { last = std::move(ask); }
  MediaAsk last;
};

// What one client has heard on its channels.
struct Heard {
  std::vector<std::string> texts, binaries;
  std::string part;
  std::vector<uint16_t> opened, closed;
  bool ended = false;

  std::vector<Json> of(std::string_view type) const {
    std::vector<Json> out;
    for (const std::string& text : texts) {
      auto json = Json::parse(text);
      if (json && (*json)["t"].as_string() == type) out.push_back(std::move(*json));
    }
    return out;
  }
  Json last(std::string_view type) const {
    auto all = of(type);
    return all.empty() ? Json() : all.back();
  }
};

class ChannelTest : public MediaTest {
 protected:
  void SetUp() override {
    stage_.edge_options.media = &asked_;
    stage_.edge_options.queue_bytes = 64 * 1024;
    stage_.start();
    media_.serve_channels(edge());
    stage_.open_fork();
    now_ = stage_.clock.us;
  }
  Edge& edge() { return *stage_.edges[0]; }
  static constexpr uint64_t kCid = 7;
  // A stream is closed when what was sent on it is acknowledged, which may wait 200 ms.
  static constexpr int kCloseMs = 400;

  uint64_t who(const std::string& account, Role role) {
    const auto& first = stage_.join(account + "/first", role, 900 + people_.size());
    uint64_t out = 0;
    EXPECT_TRUE(parse_hex_u64(first.last("welcome")["me"]["who"].as_string(), out));
    stage_.hang_up(account + "/first");
    return out;
  }
  Person& prepared(const std::string& account, Role role = Role::kPlayer) {
    Person& one = person(MediaUse::kWatch, account);
    one.client = std::make_unique<MediaClient>(
        MediaClient::Options{false, 1, 1, people_.size(), true}, identity());
    one.request.who = who(account, role);
    one.request.role = role;
    one.request.channels = true;
    return one;
  }
  // With a peer connection that has data channels, and none of them open yet.
  Person& seated(const std::string& account, Role role = Role::kPlayer) {
    Person& one = prepared(account, role);
    EXPECT_TRUE(open(one));
    one.client->check(now_, to_server(one));
    exchange();
    EXPECT_TRUE(one.client->connected());
    EXPECT_NE(one.client->channels(), nullptr);
    return one;
  }
  uint16_t dial(Person& one, rtc::ChannelOptions options = {"footlight.v1", "footlight.v1"}) {
    const auto id = one.client->channels()->open(std::move(options), now_);
    EXPECT_TRUE(id.has_value());
    settle();
    return id.value_or(0);
  }
  void say(Person& one, uint16_t id, std::string_view text) {
    EXPECT_TRUE(one.client->channels()->send(id, true, as_bytes(text), now_).has_value());
    settle();
  }
  // A channel with a session that was welcomed.
  uint16_t joined_by_channel(Person& one, Role role = Role::kPlayer,
                             std::optional<proto::Resume> resume = std::nullopt) {
    const uint16_t id = dial(one);
    say(one, id, hello(token(one.request.name, role), kCid, resume));
    EXPECT_EQ(heard(one).of("welcome").size(), 1u);
    return id;
  }
  Heard& heard(const Person& one) { return heard_[&one]; }

  void pull(Person& one) {
    rtc::DataChannels* channels = one.client->channels();
    rtc::ChannelEvent event;
    while (channels->next_event(event, now_)) {
      Heard& to = heard(one);
      if (const auto* opened = std::get_if<rtc::ChannelOpened>(&event)) {
        to.opened.push_back(opened->id);
      } else if (const auto* closed = std::get_if<rtc::ChannelClosed>(&event)) {
        to.closed.push_back(closed->id);
      } else if (const auto* message = std::get_if<rtc::ChannelMessage>(&event)) {
        const std::string bytes(as_text(message->payload));
        if (message->text) {
          to.texts.push_back(bytes);
        } else if (bytes.at(0) != SessionChannel::kPart) {
          to.binaries.push_back(bytes);
        } else {
          to.part += bytes.substr(2);
          if (bytes[1] != SessionChannel::kMore) {
            (bytes[1] == SessionChannel::kLastOfText ? to.texts : to.binaries).push_back(to.part);
            to.part.clear();
          }
        }
      } else if (std::holds_alternative<rtc::ChannelsEnded>(event)) {
        to.ended = true;
      }
    }
    one.client->pump(now_, to_server(one));
  }
  void settle() {
    for (int pass = 0; pass < 12; ++pass) {
      stage_.settle();
      media_.flush_channels(now_);
      if (cut_) {
        media_.out().clear();
        continue;
      }
      for (auto& one : people_) {
        if (one->client->channels()) pull(*one);
      }
      exchange();
    }
  }
  void run_ms(int ms) {
    for (int i = 0; i < ms; ++i) {
      stage_.run_ms(1);
      now_ = stage_.clock.us;
      media_.on_time(now_);
      for (auto& one : people_) {
        if (!cut_) one->client->on_time(now_, to_server(*one));
      }
      settle();
    }
  }
  // A message of any size to the session of a channel.
  void tell(const Person& one, uint16_t id, const std::string& text) {
    if (told_session_ == 0) {
      EXPECT_TRUE(one.client->channels()->send(id, true,
                                               as_bytes(R"({"t":"media.close","id":"00"})"), now_));
      settle();
      told_session_ = asked_.last.from.owner.session;
    }
    edge().on_media({0, {told_session_}, text, false});
  }

  Asked asked_;
  rig::Stage stage_;
  std::map<const Person*, Heard> heard_;
  bool cut_ = false;  // datagrams are lost in both directions
  uint64_t told_session_ = 0;
};

TEST_F(ChannelTest, TheCastIsAnsweredWithDataChannelsAndNobodyElseIs) {
  const auto taken = [&](Role role) {
    Person& one = prepared(role == Role::kViewer ? "vera" : "ann", role);
    one.request.owner = {0, 5};
    one.request.channels = false;  // what Media make of the role counts
    media_.ask({one.request, MediaAsk::Open{1, one.client->offer()}}, now_);
    const auto answer = Json::parse(media_.told().front().text);
    media_.told().clear();
    EXPECT_TRUE(one.client->accept((*answer)["sdp"].as_string()));
    EXPECT_EQ(one.client->answer().media.size(), 3u);
    return !one.client->answer().media.back().rejected();
  };
  EXPECT_TRUE(taken(Role::kPlayer));
  EXPECT_FALSE(taken(Role::kViewer));
  // WHIP and WHEP.
  Person& whep = prepared("wim");
  whep.request.channels = false;
  ASSERT_TRUE(open(whep));
  EXPECT_TRUE(whep.client->answer().media.back().rejected());
}

TEST_F(ChannelTest, ASessionOverAChannelVotesRollsAndEditsBoards) {
  Person& ann = seated("ann");
  const uint16_t id = joined_by_channel(ann);
  say(ann, id, rig::vote(1, "fork", 1));
  say(ann, id, ev(2, "dice.roll", R"({"expr":"2d6","nonce":"00112233445566778899aabbccddeeff"})"));
  run_ms(200);
  size_t confirmed = 0;
  for (const Json& ack : heard(ann).of("ack")) confirmed += ack["confirmed"].items().size();
  EXPECT_EQ(confirmed, 2u);
  EXPECT_EQ(heard(ann).last("tally")["voters"].as_int(), 1);
  EXPECT_FALSE(heard(ann).of("delta").empty());
  // What others do is seen.
  const size_t before = heard(ann).of("delta").size();
  stage_.send("gil", ev(2, "scene.go", R"({"scene":"crypt"})"));
  run_ms(50);
  EXPECT_GT(heard(ann).of("delta").size(), before);
  // A board's frames are binary, both ways.
  say(ann, id, R"({"t":"board.open","b":"table"})");
  run_ms(50);
  EXPECT_EQ(heard(ann).last("board")["b"].as_string(), "table");
  ASSERT_FALSE(heard(ann).binaries.empty());
  EXPECT_EQ(heard(ann).binaries[0].substr(0, 7), std::string("\x01\x05table"));
  const size_t frames = heard(ann).binaries.size();
  const std::string step1("\x01\x05table\x00\x00\x01\x00", 11);
  ASSERT_TRUE(ann.client->channels()->send(id, false, as_bytes(step1), now_));
  run_ms(50);
  EXPECT_GT(heard(ann).binaries.size(), frames) << "the other's step 2";
  EXPECT_EQ(media_.stats().channels, 1u);
}

TEST_F(ChannelTest, AVoteOnAChannelThatDiesIsCountedOnceAndNothingIsMissedOrSeenTwice) {
  auto& witness = stage_.join("wes", Role::kPlayer, 55);
  Person& ann = seated("ann");
  const uint16_t id = joined_by_channel(ann);
  stage_.send("wes", ev(1, "chat.say", R"({"text":"one"})"));
  run_ms(20);
  // Her vote reaches the server; the answer, and what others say meanwhile, do not reach her.
  (void)ann.client->channels()->send(id, true, as_bytes(rig::vote(1, "fork", 1)), now_);
  ann.client->pump(now_, to_server(ann));
  cut_ = true;
  run_ms(100);
  EXPECT_EQ(heard(ann).of("ack").size(), 0u);
  stage_.send("wes", ev(2, "chat.say", R"({"text":"two"})"));
  run_ms(100);
  const Json seen = heard(ann).last("delta");
  const proto::Resume resume{static_cast<uint64_t>(heard(ann).last("welcome")["epoch"].as_int()),
                             static_cast<uint64_t>(seen["off"].as_int())};
  // The same outbox over WebSocket: hello with resume, then all of it again.
  auto& again = stage_.join("ann", Role::kPlayer, kCid, 0, resume);
  stage_.send("ann", rig::vote(1, "fork", 1));
  stage_.send("ann", ev(2, "chat.say", R"({"text":"three"})"));
  run_ms(200);
  EXPECT_TRUE(again.last("welcome")["resumed"].as_bool());
  EXPECT_EQ(again.last("tally")["voters"].as_int(), 1);
  EXPECT_EQ(rig::confirmed_of(again), 2u);
  // Presence has the offset of what went before it; all else is there once.
  const auto chats = [](const std::vector<Json>& deltas) {
    std::vector<std::string> out;
    for (const Json& delta : deltas) {
      for (const Json& entry : delta["p"].items()) {
        if (entry.items()[0].as_string() == "chat") {
          out.push_back(entry.items()[2]["text"].as_string());
        }
      }
    }
    return out;
  };
  std::vector<std::string> hers = chats(heard(ann).of("delta"));
  std::ranges::move(chats(again.of("delta")), std::back_inserter(hers));
  EXPECT_EQ(hers, (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(hers, chats(witness.of("delta")));
  // The replaced session is gone as soon as the edge has said so.
  EXPECT_EQ(media_.stats().channels, 0u);
}

TEST_F(ChannelTest, ASessionMovesFromWebSocketToTheChannelAndBack) {
  auto& first = stage_.join("ann", Role::kPlayer, kCid);
  Person& ann = seated("ann");
  const proto::Resume at{static_cast<uint64_t>(first.last("welcome")["epoch"].as_int()),
                         static_cast<uint64_t>(first.last("welcome")["off"].as_int())};
  joined_by_channel(ann, Role::kPlayer, at);
  EXPECT_TRUE(heard(ann).last("welcome")["resumed"].as_bool());
  EXPECT_EQ(first.last("bye")["code"].as_int(), static_cast<int64_t>(Code::kSessionReplaced));
  auto& second = stage_.join("ann", Role::kPlayer, kCid, 0, at);
  settle();
  EXPECT_TRUE(second.last("welcome")["resumed"].as_bool());
  EXPECT_EQ(heard(ann).last("bye")["code"].as_int(), static_cast<int64_t>(Code::kSessionReplaced));
  run_ms(kCloseMs);
  EXPECT_EQ(heard(ann).closed.size(), 1u) << "the channel closes behind the bye";
  EXPECT_FALSE(ann.client->closed()) << "and media go on";
  heard(ann) = {};
  joined_by_channel(ann, Role::kPlayer, at);
  EXPECT_TRUE(heard(ann).last("welcome")["resumed"].as_bool());
}

TEST_F(ChannelTest, GarbageCostsTheSessionOfTheChannelAndNotTheCall) {
  const auto code_after = [&](bool live, bool text, const std::string& bytes) {
    Person& one = seated("bad" + std::to_string(people_.size()));
    const uint16_t id = live ? joined_by_channel(one) : dial(one);
    EXPECT_TRUE(one.client->channels()->send(id, text, as_bytes(bytes), now_));
    run_ms(kCloseMs);
    EXPECT_EQ(heard(one).closed.size(), 1u);
    EXPECT_FALSE(one.client->closed());
    return static_cast<Code>(heard(one).last("bye")["code"].as_int());
  };
  EXPECT_EQ(code_after(false, true, "nonsense"), Code::kBadFrame);
  EXPECT_EQ(code_after(false, true, ""), Code::kBadFrame);
  EXPECT_EQ(code_after(false, true, "\xC3\x28"), Code::kBadUtf8);
  EXPECT_EQ(code_after(false, false, "\x01"), Code::kBadFrame) << "binary before the welcome";
  EXPECT_EQ(code_after(false, true, std::string(20'000, ' ')), Code::kFrameTooLarge);
  EXPECT_EQ(code_after(true, true, "{"), Code::kBadFrame);
  EXPECT_EQ(code_after(true, true, std::string(200'000, ' ')), Code::kFrameTooLarge);
  Person& stranger = seated("eve");
  say(stranger, dial(stranger), hello(token("ann", Role::kPlayer), kCid));
  EXPECT_EQ(heard(stranger).last("bye")["code"].as_int(), static_cast<int64_t>(Code::kTokenChanged))
      << "a channel is its account's";
}

TEST_F(ChannelTest, ASecondSessionChannelAndOtherKindsAreClosedAtOnce) {
  Person& ann = seated("ann");
  const uint16_t first = joined_by_channel(ann);
  const uint16_t second = dial(ann);
  run_ms(kCloseMs);
  EXPECT_EQ(heard(ann).closed, std::vector<uint16_t>{second});
  dial(ann, {"something", ""});
  dial(ann, {"footlight.v1", "footlight.v1", false});
  dial(ann, {"footlight.v1", "footlight.v1", true, 3});
  run_ms(kCloseMs);
  EXPECT_EQ(heard(ann).closed.size(), 4u);
  EXPECT_EQ(media_.stats().channels_refused, 4u);
  say(ann, first, R"({"t":"ping","c":5})");
  EXPECT_EQ(heard(ann).last("pong")["c"].as_int(), 5) << "the first is untouched";
  // A storm of them opens no session.
  const uint64_t sessions = edge().metrics().sessions;
  for (int i = 0; i < 40; ++i) {
    (void)ann.client->channels()->open({"footlight.v1", "footlight.v1"}, now_);
  }
  run_ms(20);
  EXPECT_EQ(edge().metrics().sessions, sessions);
  EXPECT_EQ(media_.stats().channels, 1u);
}

TEST_F(ChannelTest, AFrameLargerThanABrowserTakesComesInParts) {
  Person& ann = seated("ann");
  const uint16_t id = joined_by_channel(ann);
  const std::string large = R"({"t":"x","x":")" + std::string(700'000, 'z') + "\"}";
  tell(ann, id, large);
  tell(ann, id, R"({"t":"y"})");
  run_ms(300);
  ASSERT_EQ(heard(ann).of("x").size(), 1u);
  EXPECT_EQ(heard(ann).last("x")["x"].as_string().size(), 700'000u);
  EXPECT_EQ(heard(ann).texts.back(), R"({"t":"y"})") << "in order";
}

TEST_F(ChannelTest, WhoDoesNotReadIsBoundedToldAndCut) {
  Person& ann = seated("ann");
  const uint16_t id = joined_by_channel(ann);
  tell(ann, id, R"({"t":"x"})");
  cut_ = true;
  const std::string filler = R"({"t":"x","x":")" + std::string(8'000, 'z') + "\"}";
  for (int i = 0; i < 30; ++i) {
    tell(ann, id, filler);
    settle();
  }
  EXPECT_LE(edge().metrics().queue_bytes, 64u * 1024 + 8'100);
  EXPECT_EQ(edge().metrics().slow_consumers, 1u);
  run_ms(3'000);
  EXPECT_EQ(media_.stats().channels, 0u) << "and cut, though it never read the bye";
}

TEST_F(ChannelTest, TheSessionEndsWithItsMediaSession) {
  Person& ann = seated("ann");
  joined_by_channel(ann);
  const uint64_t sessions = edge().metrics().sessions;
  MediaRequest from = ann.request;
  media_.ask({from, MediaAsk::Kick{{Code::kBanned, {}, 0}}}, now_);
  settle();
  EXPECT_EQ(edge().metrics().sessions, sessions - 1);
  EXPECT_EQ(media_.stats().channels, 0u);
}

}  // namespace
}  // namespace footlight::edge
