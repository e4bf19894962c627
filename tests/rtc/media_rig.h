// The people of the media tests: Media on virtual time, and clients that publish and watch, joined
// by a wire that loses nothing.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "edge/media.h"
#include "media_client.h"

namespace footlight::edge {

using rtc::MediaClient;

inline std::shared_ptr<const rtc::DtlsIdentity> identity() {
  static rtc::SeededEntropy entropy(9);
  static const auto made = *rtc::DtlsIdentity::make(entropy, 1'700'000'000'000);
  return made;
}

inline MediaOptions options() {
  MediaOptions options;
  options.identity = identity();
  options.candidates.udp = {rtc::Address::v4(192, 0, 2, 1, 8080)};
  options.bandwidth.start_bps = 3'000'000;  // time stands still during a turn: probes say nothing
  return options;
}

class MediaTest : public testing::Test {
 protected:
  explicit MediaTest(MediaOptions made = options()) : media_(std::move(made), entropy_) {}
  struct Person {
    std::unique_ptr<MediaClient> client;
    rtc::Path path;
    MediaRequest request;
    MediaAnswer answer;
    std::vector<Bytes> raw;  // what arrived, encrypted, when `keep` is set
    bool keep = false;
  };

  static MediaRequest request(MediaUse use, const std::string& account, uint8_t priority) {
    MediaRequest made;
    made.use = use;
    made.episode = "demo";
    made.who = std::hash<std::string>{}(account);
    made.name = account;
    made.role = priority >= 200 ? proto::Role::kGm : proto::Role::kPlayer;
    made.grants = {0xFF};
    return made;
  }
  Person& person(MediaUse use, std::string account, uint8_t priority = 100, size_t audio = 1,
                 size_t video = 1) {
    auto& person = *people_.emplace_back(std::make_unique<Person>());
    const auto number = static_cast<uint16_t>(people_.size());
    person.client = std::make_unique<MediaClient>(
        MediaClient::Options{use == MediaUse::kPublish, audio, video, number}, identity());
    person.path = {rtc::Address::v4(192, 0, 2, 9, static_cast<uint16_t>(5000 + number)), 0, false};
    person.request = request(use, account, priority);
    return person;
  }
  Status open(Person& person) {
    auto answer = media_.open(person.request, person.client->offer(), now_);
    if (!answer) return std::unexpected(answer.error());
    person.answer = *answer;
    return person.client->accept(answer->sdp);
  }
  Person& joined(MediaUse use, std::string account, uint8_t priority = 100, size_t audio = 1,
                 size_t video = 1) {
    Person& joined = person(use, std::move(account), priority, audio, video);
    EXPECT_TRUE(open(joined));
    joined.client->check(now_, to_server(joined));
    exchange();
    EXPECT_TRUE(joined.client->connected());
    return joined;
  }
  MediaClient::Send to_server(Person& person) {
    return [this, &person](std::span<uint8_t> datagram) {
      sfu::Packet* packet = media_.take();
      ASSERT_NE(packet, nullptr);
      std::ranges::copy(datagram, packet->buffer.begin());
      media_.on_datagram(person.path, packet, datagram.size(), now_);
    };
  }
  // Until nobody has anything to say.
  void exchange() {
    media_.flush(now_);
    for (int turn = 0; turn < 50 && !media_.out().empty(); ++turn) {
      std::vector<std::pair<rtc::Path, Bytes>> datagrams;
      for (size_t i = 0; i < media_.out().batch_count(); ++i) {
        const rtc::SendBatch batch = media_.out().batch(i);
        size_t at = 0;
        for (const uint16_t size : batch.sizes) {
          const ByteView each = batch.bytes.subspan(at, size);
          datagrams.emplace_back(batch.path, Bytes(each.begin(), each.end()));
          at += size;
        }
      }
      media_.out().clear();
      for (auto& [path, bytes] : datagrams) {
        for (auto& person : people_) {
          if (person->path != path) continue;
          if (person->keep) person->raw.push_back(bytes);
          person->client->on_datagram(bytes, now_, to_server(*person));
        }
      }
      media_.flush(now_);
    }
  }
  // Frames and voices of all publishers for so long; viewers report.
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
      media_.on_time(now_);
      exchange();
    }
  }

  rtc::SeededEntropy entropy_{4};
  Media media_;
  std::vector<std::unique_ptr<Person>> people_;
  MonoUs now_ = 10'000'000;
};

}  // namespace footlight::edge
