// Media of several shards behind one port, without a socket or a thread: what the kernel would give
// to the wrong shard reaches the right one, and strangers cost nothing.
#include <gtest/gtest.h>

#include <deque>

#include "edge/media_handover.h"
#include "media_rig.h"
#include "rtc/rtp.h"
#include "rtc/stun.h"

namespace footlight::edge {
namespace {

constexpr size_t kShards = 3;

struct Handed {
  rtc::Path path;
  Bytes bytes;
};

struct Shard {
  Shard(size_t index, size_t most_paths)
      : entropy(40 + index),
        media(of(index), entropy),
        handover(media, index, kShards, most_paths),
        handed(kShards),
        notes(kShards) {}
  static MediaOptions of(size_t index) {
    MediaOptions made = options();
    made.ufrag_prefix = shard_prefix(index, kShards);
    return made;
  }
  rtc::SeededEntropy entropy;
  Media media;
  MediaHandover handover;
  std::vector<std::deque<Handed>> handed;  // by the shard they come from
  std::vector<std::deque<HandoverNote>> notes;
};

struct Person {
  std::unique_ptr<MediaClient> client;
  rtc::Path path;
  size_t home = 0;   // the shard of the session
  size_t lands = 0;  // the shard that gets the datagrams
  MediaRequest request;
  MediaAnswer answer;
};

class MediaShards : public testing::Test {
 protected:
  void SetUp() override { begin(1'000); }
  void begin(size_t most_paths) {
    shards_.clear();
    for (size_t i = 0; i < kShards; ++i) {
      shards_.push_back(std::make_unique<Shard>(i, most_paths));
    }
  }

  Person& join(MediaUse use, const std::string& account, size_t home, size_t lands) {
    auto& person = *people_.emplace_back(std::make_unique<Person>());
    const auto number = static_cast<uint16_t>(people_.size());
    person.client = std::make_unique<MediaClient>(
        MediaClient::Options{use == MediaUse::kPublish, 1, 1, number}, identity());
    person.path = {rtc::Address::v4(192, 0, 2, 9, static_cast<uint16_t>(5000 + number)), 0, false};
    person.home = home;
    person.lands = lands;
    person.request.use = use;
    person.request.episode = "demo" + std::to_string(home);
    person.request.who = std::hash<std::string>{}(account);
    person.request.grants = {0xFF};
    person.request.role = proto::Role::kPlayer;
    auto answer = shards_[home]->media.open(person.request, person.client->offer(), now_);
    EXPECT_TRUE(answer);
    person.answer = *answer;
    EXPECT_TRUE(person.client->accept(answer->sdp));
    return person;
  }
  Person& joined(MediaUse use, const std::string& account, size_t home, size_t lands) {
    Person& person = join(use, account, home, lands);
    check(person);
    EXPECT_TRUE(person.client->connected());
    return person;
  }
  void check(Person& person) {
    person.client->check(now_, to_server(person));
    exchange();
  }
  MediaClient::Send to_server(Person& person) {
    return [this, &person](std::span<uint8_t> datagram) {
      receive(person.lands, person.path, datagram);
    };
  }
  // What the shell does with a datagram of the socket.
  void receive(size_t at, const rtc::Path& path, ByteView datagram) {
    Shard& shard = *shards_[at];
    take_notes(at);
    const auto route = shard.handover.route(path, datagram);
    if (route.shard != at) {
      proven_ += route.proven;
      unproven_ += !route.proven;
      shards_[route.shard]->handed[at].push_back({path, Bytes(datagram.begin(), datagram.end())});
      return;
    }
    give(at, path, datagram);
    shard.handover.on_check(path);
  }
  void give(size_t at, const rtc::Path& path, ByteView datagram) {
    sfu::Packet* packet = shards_[at]->media.take();
    ASSERT_NE(packet, nullptr);
    std::ranges::copy(datagram, packet->buffer.begin());
    shards_[at]->media.on_datagram(path, packet, datagram.size(), now_);
  }
  void take_notes(size_t at) {
    for (size_t from = 0; from < kShards; ++from) {
      auto& notes = shards_[at]->notes[from];
      for (; !notes.empty(); notes.pop_front()) shards_[at]->handover.on_note(from, notes.front());
    }
  }
  void send_notes(size_t from) {
    for (const auto& [to, note] : shards_[from]->handover.notes()) {
      shards_[to]->notes[from].push_back(note);
      ++notes_;
    }
    shards_[from]->handover.notes().clear();
  }
  // What crosses and what is sent, until nobody has anything to say.
  void exchange() {
    bool any = true;
    for (int turn = 0; turn < 100 && any; ++turn) {
      any = false;
      for (size_t at = 0; at < kShards; ++at) {
        Shard& shard = *shards_[at];
        take_notes(at);
        for (size_t from = 0; from < kShards; ++from) {
          auto& handed = shard.handed[from];
          for (; !handed.empty(); handed.pop_front()) {
            any = true;
            give(at, handed.front().path, handed.front().bytes);
            shard.handover.on_handed_check(from, handed.front().path);
          }
        }
        send_notes(at);
        shard.media.flush(now_);
        any = deliver(shard) || any;
      }
    }
  }
  bool deliver(Shard& shard) {
    std::vector<Handed> datagrams;
    for (size_t i = 0; i < shard.media.out().batch_count(); ++i) {
      const rtc::SendBatch batch = shard.media.out().batch(i);
      size_t at = 0;
      for (const uint16_t size : batch.sizes) {
        const ByteView each = batch.bytes.subspan(at, size);
        datagrams.push_back({batch.path, Bytes(each.begin(), each.end())});
        at += size;
      }
    }
    shard.media.out().clear();
    for (auto& [path, bytes] : datagrams) {
      sent_to_[path] += bytes.size();
      for (auto& person : people_) {
        if (person->path == path && &shard == shards_[person->home].get()) {
          person->client->on_datagram(bytes, now_, to_server(*person));
        }
      }
    }
    return !datagrams.empty();
  }
  void play(int frames) {
    for (int i = 0; i < frames; ++i) {
      now_ += 33'000;
      for (auto& person : people_) {
        if (!person->client->connected() || person->client->closed()) continue;
        if (person->request.use == MediaUse::kPublish) {
          const bool key = person->client->take_key_frame_request();
          person->client->send_frame(key, 4, 1000, now_, to_server(*person));
          person->client->send_voice(80, now_, to_server(*person));
        } else if (i % 3 == 0) {
          person->client->feed_back(now_, to_server(*person));
        }
      }
      exchange();
      for (auto& shard : shards_) shard->media.on_time(now_);
      exchange();
    }
  }
  void sweep() {
    for (size_t i = 0; i < kShards; ++i) {
      shards_[i]->handover.sweep();
      send_notes(i);
    }
    exchange();
  }
  size_t paths(size_t shard) const { return shards_[shard]->handover.stats().paths; }
  // The person's checks, to be sent from wherever.
  std::vector<Bytes> checks_of(Person& person) {
    std::vector<Bytes> out;
    person.client->check(now_, [&out](std::span<uint8_t> datagram) {
      out.emplace_back(datagram.begin(), datagram.end());
    });
    return out;
  }

  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<Person>> people_;
  std::map<rtc::Path, size_t, decltype([](const rtc::Path& a, const rtc::Path& b) {
             return a.remote.port < b.remote.port;
           })>
      sent_to_;
  size_t proven_ = 0, unproven_ = 0, notes_ = 0;
  MonoUs now_ = 10'000'000;
};

TEST_F(MediaShards, WhoseDatagramsComeToAnotherShardPublishesAndWatchesAllTheSame) {
  joined(MediaUse::kPublish, "gm", 2, 0);
  const Person& near = joined(MediaUse::kWatch, "near", 2, 2);
  const Person& far = joined(MediaUse::kWatch, "far", 2, 1);
  play(60);
  for (const Person* viewer : {&near, &far}) {
    EXPECT_GE(viewer->client->of(0).packets, 59u);
    EXPECT_GE(viewer->client->of(1).frames, 50u);
    EXPECT_EQ(viewer->client->of(1).jumps, 0u);
    EXPECT_EQ(viewer->client->refused(), 0u);
  }
  EXPECT_EQ(paths(0), 1u);
  EXPECT_EQ(paths(1), 1u);
  EXPECT_EQ(paths(2), 0u);
  EXPECT_EQ(shards_[0]->media.stats().sessions + shards_[1]->media.stats().sessions, 0u);
  EXPECT_EQ(shards_[0]->media.stats().strangers + shards_[1]->media.stats().strangers, 0u);
  EXPECT_EQ(unproven_, 2u) << "the first check of each; what follows is known to be theirs";
  EXPECT_EQ(notes_, 2u);
}

TEST_F(MediaShards, TwoShowsAreOnTwoShardsWhoeverReceivesThem) {
  joined(MediaUse::kPublish, "a", 0, 1);
  joined(MediaUse::kPublish, "b", 1, 0);
  const Person& of_a = joined(MediaUse::kWatch, "v", 0, 1);
  const Person& of_b = joined(MediaUse::kWatch, "w", 1, 1);
  play(30);
  EXPECT_GE(of_a.client->of(1).frames, 25u);
  EXPECT_GE(of_b.client->of(1).frames, 25u);
  MediaStats sum = shards_[0]->media.stats();
  sum += shards_[1]->media.stats();
  EXPECT_EQ(sum.publishers, 2u);
  EXPECT_EQ(sum.watchers, 2u);
  EXPECT_GT(shards_[0]->media.stats().rtp_out, 100u);
  EXPECT_GT(shards_[1]->media.stats().rtp_out, 100u);
}

TEST_F(MediaShards, StrangersMakeNoStateAndGetNoMoreThanTheySent) {
  Person& victim = joined(MediaUse::kPublish, "gm", 1, 0);
  const size_t before = notes_;
  const rtc::Path path{rtc::Address::v4(198, 51, 100, 7, 9), 0, false};
  std::array<uint8_t, 256> buffer;
  size_t sent = 0;
  const auto stun = [&](const std::string& username) {
    rtc::StunWriter writer(buffer, rtc::StunType::kBindingRequest, {1, 2, 3});
    writer.username(username);
    writer.priority(1);
    writer.controlling(7);
    writer.use_candidate();
    writer.integrity("not the password of anybody");
    const ByteView datagram = writer.finish();
    sent += datagram.size();
    receive(0, path, datagram);
  };
  const std::string ufrag = victim.answer.etag.substr(1, victim.answer.etag.size() - 2);
  stun(ufrag + ":x");
  stun("ABxxxxxxxx:x");  // of shard 1, no session's
  stun("//xxxxxxxx:x");  // of no shard
  stun("A:");
  const size_t crossed = unproven_;
  Prng prng(3);
  for (int i = 0; i < 500; ++i) {
    Bytes garbage(1 + prng.below(300));
    for (auto& byte : garbage) byte = static_cast<uint8_t>(prng.next());
    sent += garbage.size();
    receive(prng.below(kShards), path, garbage);
  }
  exchange();
  EXPECT_LE(crossed, 3u);
  EXPECT_EQ(unproven_, crossed) << "what is no check stays where it came";
  EXPECT_EQ(notes_, before);
  EXPECT_EQ(paths(0) + paths(1) + paths(2), 1u) << "the victim's";
  EXPECT_LE(sent_to_[path], sent);
  play(10);
  EXPECT_GT(shards_[1]->media.stats().rtp_in, 40u);
}

TEST_F(MediaShards, WhenASessionIsOverItsPathsAreForgotten) {
  Person& leaver = joined(MediaUse::kPublish, "gm", 2, 0);
  joined(MediaUse::kPublish, "other", 2, 0);
  EXPECT_EQ(paths(0), 2u);
  EXPECT_TRUE(shards_[2]->handover.has_told());
  EXPECT_TRUE(shards_[2]->media.close("demo2", MediaUse::kPublish, leaver.answer.id, now_));
  sweep();
  EXPECT_EQ(paths(0), 1u);
  EXPECT_TRUE(shards_[2]->media.close("demo2", MediaUse::kPublish, people_[1]->answer.id, now_));
  sweep();
  EXPECT_EQ(paths(0), 0u);
  EXPECT_FALSE(shards_[2]->handover.has_told());
}

TEST_F(MediaShards, ASessionThatProvesManyPathsHasTheLastOfThem) {
  Person& roamer = joined(MediaUse::kPublish, "gm", 1, 0);
  joined(MediaUse::kPublish, "other", 1, 0);
  for (uint16_t port = 1; port <= 40; ++port) {
    for (const Bytes& check : checks_of(roamer)) {
      receive(0, {rtc::Address::v4(203, 0, 113, 1, port), 0, false}, check);
    }
    exchange();
  }
  EXPECT_EQ(paths(0), MediaHandover::kMaxPaths + 1) << "its own and nobody else's were forgotten";
  const rtc::Path last{rtc::Address::v4(203, 0, 113, 1, 40), 0, false};
  const rtc::Path first{rtc::Address::v4(203, 0, 113, 1, 1), 0, false};
  const Bytes voice(60, 0x80);
  EXPECT_EQ(shards_[0]->handover.route(last, voice).shard, 1u);
  EXPECT_EQ(shards_[0]->handover.route(first, voice).shard, 0u);
  check(roamer);
  play(10);
  EXPECT_EQ(shards_[0]->handover.route(roamer.path, voice).shard, 1u);
}

TEST_F(MediaShards, APathBelongsToWhoProvedItLastOnWhicheverShard) {
  Person& first = joined(MediaUse::kPublish, "a", 1, 0);
  const rtc::Path path = first.path;
  first.path.remote.port = 99;  // out of the way
  const Bytes voice(60, 0x80);
  // The same address, now of a session on another shard, and of one where it is received.
  for (const size_t home : {size_t{2}, size_t{0}, size_t{1}}) {
    Person& next = join(MediaUse::kPublish, "b" + std::to_string(home), home, 0);
    next.path = path;
    check(next);
    EXPECT_TRUE(next.client->connected());
    sweep();
    EXPECT_EQ(shards_[0]->handover.route(path, voice).shard, home);
    for (size_t shard = 0; shard < kShards; ++shard) {
      EXPECT_EQ(shards_[shard]->media.knows(path), shard == home) << shard << " " << home;
    }
    next.path.remote.port = static_cast<uint16_t>(100 + home);
  }
}

TEST_F(MediaShards, BeyondTheBoundASessionIsToldAndTriesAgain) {
  begin(1);
  Person& one = joined(MediaUse::kPublish, "a", 1, 0);
  Person& two = join(MediaUse::kPublish, "b", 1, 0);
  check(two);
  EXPECT_FALSE(two.client->connected());
  EXPECT_EQ(paths(0), 1u);
  EXPECT_GE(shards_[0]->handover.stats().refused, 1u);
  EXPECT_TRUE(shards_[1]->media.close("demo1", MediaUse::kPublish, one.answer.id, now_));
  sweep();
  for (int i = 0; i < 10; ++i) {  // what was lost is repeated by either side
    now_ += 400 * kUsPerMs;
    check(two);
    two.client->on_time(now_, to_server(two));
    shards_[1]->media.on_time(now_);
    exchange();
  }
  EXPECT_TRUE(two.client->connected());
}

TEST_F(MediaShards, EachShardsPrefixNamesIt) {
  for (const size_t shards : {size_t{2}, size_t{64}, size_t{65}, kMostShards}) {
    for (size_t shard = 0; shard < shards; shard += 1 + shards / 7) {
      std::array<uint8_t, 128> buffer;
      rtc::StunWriter writer(buffer, rtc::StunType::kBindingRequest, {});
      writer.username(shard_prefix(shard, shards) + "abcdefgh:xyz");
      const ByteView check = writer.finish();
      EXPECT_EQ(shard_of_check(check, shards), shard);
      EXPECT_EQ(shard_of_check(check, 1), std::nullopt);
    }
  }
  EXPECT_EQ(shard_prefix(0, 1), "");
}

TEST_F(MediaShards, TheNodesSessionsAreCountedOverAllShards) {
  MediaQuota quota(2);
  rtc::SeededEntropy entropy(1);
  MediaOptions made = options();
  made.quota = &quota;
  Media one(made, entropy), two(made, entropy);
  const auto open = [&](Media& media, uint64_t who) {
    MediaClient client({false, 1, 1, who}, identity());
    MediaRequest request;
    request.episode = "demo";
    request.who = who;
    request.grants = {0xFF};
    return media.open(request, client.offer(), now_);
  };
  const auto first = open(one, 1);
  ASSERT_TRUE(first);
  ASSERT_TRUE(open(two, 2));
  const auto third = open(one, 3);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::kServerFull);
  EXPECT_GT(third.error().retry_after_ms, 0u);  // 503 with Retry-After
  EXPECT_TRUE(one.close("demo", MediaUse::kWatch, first->id, now_));
  EXPECT_TRUE(open(two, 3));
}

}  // namespace
}  // namespace footlight::edge
