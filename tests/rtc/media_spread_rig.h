// One show on several shards: their Media on virtual time, what crosses between them, and clients
// that publish and watch, without a socket or a thread.
#pragma once
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/byte_lane.h"
#include "core/json.h"
#include "media_rig.h"

namespace footlight::edge {

inline constexpr size_t kShards = 3, kHome = 2;

// What one shard writes for the others.
struct SpreadLanes final : CopyLanes {
  SpreadLanes() {
    for (size_t i = 0; i < kShards; ++i) to.push_back(std::make_unique<ByteLane>(1 << 20));
  }
  std::span<uint8_t> room(size_t shard, size_t bytes) override {
    return full ? std::span<uint8_t>() : to[shard]->room(bytes);
  }
  void commit(size_t shard) override { to[shard]->commit(); }
  void wake() override {}
  std::vector<std::unique_ptr<ByteLane>> to;
  bool full = false;
};

struct SpreadShard {
  SpreadShard(size_t index, const MediaOptions& made)
      : entropy(70 + index), media(of(index, made, lanes), entropy) {}
  static MediaOptions of(size_t index, MediaOptions made, SpreadLanes& lanes) {
    made.shard = index;
    made.shards = kShards;
    made.lanes = &lanes;
    return made;
  }
  rtc::SeededEntropy entropy;
  SpreadLanes lanes;
  Media media;
  std::vector<MediaTold> told;
};

struct SpreadPerson {
  std::unique_ptr<MediaClient> client;
  rtc::Path path;
  size_t at = 0;  // the shard of the session
  MediaRequest request;
  std::string id;
  bool gone = false;
};

class MediaSpread : public testing::Test {
 protected:
  using Person = SpreadPerson;
  void SetUp() override { begin(spread(0)); }
  static MediaOptions spread(size_t after) {
    MediaOptions made = options();
    made.spread_after = after;
    return made;
  }
  void begin(const MediaOptions& made) {
    shards_.clear();
    for (size_t i = 0; i < kShards; ++i) shards_.push_back(std::make_unique<SpreadShard>(i, made));
  }
  Media& media(size_t shard) { return shards_[shard]->media; }
  Media& home() { return media(kHome); }
  const sfu::Room* room(size_t shard) { return media(shard).room("demo"); }

  Person& person(MediaUse use, const std::string& account, size_t encodings = 3) {
    auto& person = *people_.emplace_back(std::make_unique<Person>());
    const auto number = static_cast<uint16_t>(people_.size());
    MediaClient::Options about{use == MediaUse::kPublish, 1, 1, number};
    if (about.publish) about.encodings = encodings;
    person.client = std::make_unique<MediaClient>(about, identity());
    person.path = {rtc::Address::v4(192, 0, 2, 9, static_cast<uint16_t>(5000 + number)), 0, false};
    MediaRequest& of = person.request;
    of.use = use;
    of.episode = "demo";
    of.who = std::hash<std::string>{}(account);
    of.name = account;
    const bool viewer = account.starts_with("viewer");
    of.role = account == "gm" ? proto::Role::kGm
              : viewer        ? proto::Role::kViewer
                              : proto::Role::kPlayer;
    of.grants = {viewer ? gate::MediaGrants::kWatch : uint8_t{0xFF}};
    of.owner = {0, number};
    return person;
  }
  // As the shell does it.
  size_t place(Person& person) {
    std::vector<size_t> sessions;
    for (const auto& shard : shards_) sessions.push_back(shard->media.session_count());
    person.at = home().place(person.request, sessions);
    person.request.placed = person.at != kHome;
    carry_notes();
    return person.at;
  }
  Person& joined(MediaUse use, const std::string& account, size_t encodings = 3) {
    Person& one = person(use, account, encodings);
    place(one);
    media(one.at).ask({one.request, MediaAsk::Open{9, one.client->offer()}}, now_);
    const Json answer = last(one, "media");
    one.id = answer["id"].as_string();
    EXPECT_TRUE(one.client->accept(answer["sdp"].as_string()));
    one.client->check(now_, to_server(one));
    exchange();
    EXPECT_TRUE(one.client->connected());
    return one;
  }
  Person& publisher(const std::string& account) { return joined(MediaUse::kPublish, account); }
  Person& viewer(const std::string& account) { return joined(MediaUse::kWatch, account); }
  void leave(Person& person) {
    ask(person, MediaAsk::Close{person.id});
    person.gone = true;
    exchange();
  }
  void ask(const Person& from, MediaAsk::What what) {
    media(from.at).ask({from.request, std::move(what)}, now_);
    exchange();
  }

  MediaClient::Send to_server(Person& person) {
    return [this, &person](std::span<uint8_t> datagram) { give(person.at, person.path, datagram); };
  }
  void give(size_t at, const rtc::Path& path, ByteView datagram) {
    sfu::Packet* packet = media(at).take();
    ASSERT_NE(packet, nullptr);
    std::ranges::copy(datagram, packet->buffer.begin());
    media(at).on_datagram(path, packet, datagram.size(), now_);
  }
  bool carry_notes() {
    bool any = false;
    for (size_t from = 0; from < kShards; ++from) {
      for (auto& [to, note] : std::exchange(media(from).mirror_notes(), {})) {
        any = true;
        media(to).on_mirror(from, std::move(note), now_);
      }
    }
    return any;
  }
  bool carry_copies(size_t at) {
    bool any = false;
    for (size_t from = 0; from < kShards; ++from) {
      ByteLane& lane = *shards_[from]->lanes.to[at];
      for (; const auto record = lane.front(); lane.pop()) {
        any = true;
        media(at).on_copy(from, *record, now_);
      }
    }
    return any;
  }
  // What crosses and what is sent, until nobody has anything to say.
  void exchange() {
    bool any = true;
    for (int turn = 0; turn < 100 && any; ++turn) {
      any = carry_notes();
      for (size_t at = 0; at < kShards; ++at) {
        media(at).flush(now_);
        any = carry_copies(at) || any;
        media(at).flush(now_);
        any = deliver(media(at)) || any;
        std::ranges::move(media(at).told(), std::back_inserter(shards_[at]->told));
        media(at).told().clear();
      }
    }
    EXPECT_FALSE(any);
  }
  bool deliver(Media& from) {
    std::vector<std::pair<rtc::Path, Bytes>> datagrams;
    for (size_t i = 0; i < from.out().batch_count(); ++i) {
      const rtc::SendBatch batch = from.out().batch(i);
      size_t at = 0;
      for (const uint16_t size : batch.sizes) {
        const ByteView each = batch.bytes.subspan(at, size);
        datagrams.emplace_back(batch.path, Bytes(each.begin(), each.end()));
        at += size;
      }
    }
    from.out().clear();
    for (auto& [path, bytes] : datagrams) {
      for (auto& person : people_) {
        if (person->path == path) person->client->on_datagram(bytes, now_, to_server(*person));
      }
    }
    return !datagrams.empty();
  }
  void play(int frames) {
    for (int i = 0; i < frames; ++i) {
      now_ += 33'000;
      for (auto& person : people_) {
        if (person->gone || !person->client->connected() || person->client->closed()) continue;
        if (person->request.use == MediaUse::kPublish) {
          const bool key = person->client->take_key_frame_request();
          keys_ += key;
          person->client->send_frame(key, 2, 1000, now_, to_server(*person));
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

  // What the person's session was told last of this type.
  Json last(const Person& person, std::string_view type, std::string_view with = "") {
    auto& told = shards_[person.at]->told;
    std::ranges::move(media(person.at).told(), std::back_inserter(told));
    media(person.at).told().clear();
    for (auto each = told.rbegin(); each != told.rend(); ++each) {
      const auto& sessions = each->sessions;
      const auto json = Json::parse(each->text);
      const bool mine = std::ranges::find(sessions, person.request.owner.session) != sessions.end();
      if (!mine || each->text.find(with) == each->text.npos) continue;
      if (json && (*json)["t"].as_string() == type) return *json;
    }
    return {};
  }
  // As `person` is shown the places: without what names the session.
  std::string places(const Person& person) {
    std::string out;
    const Json told = last(person, "media.places");
    for (const Json& place : told["places"].items()) {
      const Json* who = place.find("who");
      out += place["mid"].as_string() + ":";
      if (who) out += place["name"].as_string() + (place["muted"].as_bool() ? "(muted) " : " ");
    }
    return out;
  }
  uint64_t copied() { return home().stats().copied; }
  size_t mirrored() { return home().mirrors("demo").size(); }

  std::vector<std::unique_ptr<SpreadShard>> shards_;
  std::vector<std::unique_ptr<Person>> people_;
  size_t keys_ = 0;
  MonoUs now_ = 10'000'000;
};

}  // namespace footlight::edge
