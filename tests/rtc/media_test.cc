// The whole way of media through one shard, without a socket: offers and answers, ICE, DTLS, SRTP
// in, the room, SRTP out, decrypted by clients of our own and by libsrtp2.
#include "edge/media.h"

#include <gtest/gtest.h>
#include <srtp2/srtp.h>

#include <string>
#include <vector>

#include "media_rig.h"
#include "rtc/rtp.h"
#include "rtc/wire.h"

namespace footlight::edge {
namespace {

using rtc::MediaClient;

TEST_F(MediaTest, WhatOnePublishesArrivesAtAllWhoWatchAndCanBeDecrypted) {
  joined(MediaUse::kPublish, "gm", 200);
  std::vector<Person*> viewers;
  for (int i = 0; i < 5; ++i) {
    viewers.push_back(&joined(MediaUse::kWatch, "viewer" + std::to_string(i)));
  }
  play(60);
  for (const Person* viewer : viewers) {
    const auto& voice = viewer->client->of(0);
    const auto& picture = viewer->client->of(1);
    EXPECT_EQ(viewer->client->refused(), 0u);
    EXPECT_GE(voice.packets, 59u);
    EXPECT_EQ(voice.payload_type, MediaClient::kOpus);
    EXPECT_EQ(voice.last_payload, Bytes(80, 0x5A));
    EXPECT_GE(picture.frames, 50u);
    EXPECT_GE(picture.key_frames, 1u);
    EXPECT_EQ(picture.jumps, 0u);
    EXPECT_EQ(picture.last_payload.size(), 1000u);
  }
  const MediaStats stats = media_.stats();
  EXPECT_EQ(stats.publishers, 1u);
  EXPECT_EQ(stats.watchers, 5u);
  EXPECT_EQ(stats.tracks, 2u);
  EXPECT_GT(stats.rtp_out, 5 * 50 * 4u);
}

TEST_F(MediaTest, LibsrtpDecryptsWhatAWatcherIsSent) {
  joined(MediaUse::kPublish, "gm");
  Person& viewer = joined(MediaUse::kWatch, "ann");
  viewer.keep = true;
  play(30);
  const auto keys = viewer.client->keys();
  ASSERT_TRUE(keys);
  ASSERT_EQ(keys->receive.profile, rtc::SrtpProfile::kAeadAes128Gcm);
  srtp_init();
  Bytes key = keys->receive.key;
  key.insert(key.end(), keys->receive.salt.begin(), keys->receive.salt.end());
  srtp_policy_t policy{};
  srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
  srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
  policy.ssrc.type = ssrc_any_inbound;
  policy.key = key.data();
  policy.window_size = 1024;
  srtp_t session = nullptr;
  ASSERT_EQ(srtp_create(&session, &policy), srtp_err_status_ok);
  size_t media = 0;
  for (Bytes& datagram : viewer.raw) {
    if (rtc::datagram_kind(datagram) != rtc::DatagramKind::kRtp) continue;
    int size = static_cast<int>(datagram.size());
    ASSERT_EQ(srtp_unprotect(session, datagram.data(), &size), srtp_err_status_ok);
    rtc::RtpView view;
    ASSERT_TRUE(rtc::parse_rtp(ByteView(datagram).first(static_cast<size_t>(size)), view));
    ++media;
  }
  EXPECT_GT(media, 100u);
  srtp_dealloc(session);
}

TEST_F(MediaTest, WhoComesBeforeThePublisherSeesHimWhenHeComes) {
  Person& viewer = joined(MediaUse::kWatch, "ann");
  play(3);
  joined(MediaUse::kPublish, "gm");
  play(30);
  EXPECT_GT(viewer.client->of(1).frames, 20u);
}

TEST_F(MediaTest, APlaceGoesOnAsOneStreamWhenItCarriesAnother) {
  Person& player = joined(MediaUse::kPublish, "player", 100);
  Person& viewer = joined(MediaUse::kWatch, "ann");
  play(30);
  const uint64_t before = viewer.client->of(1).frames;
  EXPECT_GT(before, 20u);
  Person& gm = joined(MediaUse::kPublish, "gm", 200);  // takes the place
  play(30);
  const uint64_t with_gm = viewer.client->of(1).frames;
  EXPECT_GT(with_gm, before + 20);
  EXPECT_EQ(viewer.client->of(1).key_frames, 2u);
  ASSERT_TRUE(media_.close("demo", MediaUse::kPublish, gm.answer.id, now_));
  play(30);
  EXPECT_GT(viewer.client->of(1).frames, with_gm + 20);
  // One stream: the numbers went on, so nothing was refused as a replay and nothing was lost.
  EXPECT_EQ(viewer.client->of(1).jumps, 0u);
  EXPECT_EQ(viewer.client->of(0).jumps, 0u);
  EXPECT_EQ(viewer.client->refused(), 0u);
  EXPECT_EQ(viewer.client->heard().size(), 2u);
  EXPECT_TRUE(media_.close("demo", MediaUse::kPublish, player.answer.id, now_));
}

TEST_F(MediaTest, EveryoneHasAPlaceWhereThereAreEnoughAndNobodySeesHimself) {
  joined(MediaUse::kPublish, "gm", 200);
  joined(MediaUse::kPublish, "ann", 100);
  Person& ann = joined(MediaUse::kWatch, "ann", 0, 3, 3);
  Person& viewer = joined(MediaUse::kWatch, "vera", 0, 3, 3);
  play(30);
  const auto lit = [](const Person& person) {
    int count = 0;
    for (size_t line = 3; line < 6; ++line) count += person.client->of(line).frames > 10;
    return count;
  };
  EXPECT_EQ(lit(ann), 1);
  EXPECT_EQ(lit(viewer), 2);
}

TEST_F(MediaTest, ASecondSessionOfTheSameNameReplacesTheFirst) {
  Person& first = joined(MediaUse::kPublish, "gm");
  Person& viewer = joined(MediaUse::kWatch, "ann");
  play(20);
  joined(MediaUse::kPublish, "gm");
  EXPECT_TRUE(first.client->closed());
  EXPECT_EQ(media_.stats().publishers, 1u);
  const uint64_t before = viewer.client->of(1).frames;
  play(20);
  EXPECT_GT(viewer.client->of(1).frames, before + 10);
}

TEST_F(MediaTest, AnIceRestartByAFragmentMovesTheSessionToAnotherPath) {
  joined(MediaUse::kPublish, "gm");
  Person& viewer = joined(MediaUse::kWatch, "ann");
  play(10);
  const std::string fragment = viewer.client->restart_ice();
  const auto stale =
      media_.patch("demo", MediaUse::kWatch, viewer.answer.id, "\"old\"", fragment, now_);
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, Code::kSdpState);
  const auto of_none = media_.patch("demo", MediaUse::kWatch, viewer.answer.id, "", fragment, now_);
  ASSERT_FALSE(of_none);
  EXPECT_EQ(of_none.error().code, Code::kSdpState);
  for (const char* garbage : {"", "\r\n", "hello", "a=ice-ufrag:abcd\r\nhello"}) {
    const auto bad = media_.patch("demo", MediaUse::kWatch, viewer.answer.id, "*", garbage, now_);
    ASSERT_FALSE(bad) << garbage;
    EXPECT_EQ(bad.error().code, Code::kSdpSyntax) << garbage;
  }
  const auto fresh =
      media_.patch("demo", MediaUse::kWatch, viewer.answer.id, viewer.answer.etag, fragment, now_);
  ASSERT_TRUE(fresh);
  EXPECT_NE(fresh->etag, viewer.answer.etag);
  EXPECT_NE(fresh->sdp.find("a=candidate:1 1 udp"), std::string::npos);
  ASSERT_TRUE(viewer.client->accept(fresh->sdp));
  viewer.path.remote.port = 7777;
  viewer.client->check(now_, to_server(viewer));
  const uint64_t before = viewer.client->of(1).frames;
  play(20);
  EXPECT_GT(viewer.client->of(1).frames, before + 10);
  // Candidates alone are taken and need no answer.
  const auto trickled = media_.patch("demo", MediaUse::kWatch, viewer.answer.id, fresh->etag,
                                     "a=candidate:1 1 udp 1 192.0.2.3 9 typ host\r\n", now_);
  ASSERT_TRUE(trickled);
  EXPECT_EQ(trickled->sdp, "");
}

TEST_F(MediaTest, ASessionEndsWithItsTokenItsConsentOrItsClient) {
  Person& timed = person(MediaUse::kWatch, "timed");
  timed.request.until = now_ + 5'000'000;
  ASSERT_TRUE(open(timed));
  Person& silent = joined(MediaUse::kWatch, "silent");
  Person& leaving = joined(MediaUse::kPublish, "leaving");
  EXPECT_EQ(media_.stats().sessions, 3u);
  EXPECT_FALSE(media_.close("demo", MediaUse::kWatch, leaving.answer.id, now_));  // not a watcher
  EXPECT_FALSE(media_.close("other", MediaUse::kPublish, leaving.answer.id, now_));
  EXPECT_TRUE(media_.close("demo", MediaUse::kPublish, leaving.answer.id, now_));
  EXPECT_FALSE(media_.close("demo", MediaUse::kPublish, leaving.answer.id, now_));
  EXPECT_LE(media_.deadline(), now_ + 5'000'000);
  now_ += 5'000'000;
  media_.on_time(now_);
  EXPECT_EQ(media_.stats().sessions, 1u);
  now_ += rtc::IceLite::kConsentUs + 1;
  media_.on_time(now_);
  EXPECT_EQ(media_.stats().sessions, 0u);
  EXPECT_EQ(media_.room("demo"), nullptr);
  (void)silent;
}

TEST_F(MediaTest, APublisherWhoNamesNoStreamIsSeenAndHeard) {
  Person& gm = person(MediaUse::kPublish, "gm");
  gm.client = std::make_unique<MediaClient>(
      MediaClient::Options{.publish = true, .seed = 31, .nameless = true}, identity());
  ASSERT_TRUE(open(gm));
  gm.client->check(now_, to_server(gm));
  exchange();
  Person& viewer = joined(MediaUse::kWatch, "ann");
  play(30);
  EXPECT_GE(viewer.client->of(0).packets, 28u);
  EXPECT_GE(viewer.client->of(1).frames, 25u);
  EXPECT_EQ(media_.stats().unknown_stream, 0u);
}

TEST_F(MediaTest, AStormOfFeedbackIsCountedAtItsSenderAndTheOthersGoOn) {
  joined(MediaUse::kPublish, "gm");
  Person& viewer = joined(MediaUse::kWatch, "ann");
  Person& storm = joined(MediaUse::kWatch, "storm");
  constexpr size_t kBeyond = 1'000;
  for (size_t i = 0; i < sfu::FeedbackLimit::kMostItems + kBeyond; ++i) {
    storm.client->send_report(now_, to_server(storm));
  }
  EXPECT_EQ(media_.stats().rtcp_flood, kBeyond);
  const auto figures = Json::parse(media_.figures_json("demo", now_));
  ASSERT_TRUE(figures);
  for (const Json& session : (*figures)["sessions"].items()) {
    const bool stormy = session["name"].as_string() == "storm";
    EXPECT_EQ(session["rtcp_dropped"].as_int(), stormy ? kBeyond : 0);
  }
  play(30);
  EXPECT_GT(viewer.client->of(1).frames, 20u);
}

TEST_F(MediaTest, BadOffersAndTooManySessionsAreRefusedAndLeaveNothing) {
  const MediaRequest request = MediaTest::request(MediaUse::kPublish, "gm", 100);
  EXPECT_EQ(media_.open(request, "nonsense", now_).error().code, Code::kSdpSyntax);
  const std::string huge(300'000, 'x');
  EXPECT_EQ(media_.open(request, huge, now_).error().code, Code::kSdpTooLarge);
  MediaClient watcher({}, identity());  // sends nothing
  EXPECT_EQ(media_.open(request, watcher.offer(), now_).error().code, Code::kTrackCodec);
  EXPECT_EQ(media_.stats().sessions, 0u);
  EXPECT_EQ(media_.room("demo"), nullptr);
  for (size_t i = 0; i < Media::kMaxSessionsOfAccount; ++i) {
    EXPECT_TRUE(open(person(MediaUse::kWatch, "greedy")));
  }
  EXPECT_EQ(open(person(MediaUse::kWatch, "greedy")).error().code, Code::kTrackLimit);
  EXPECT_TRUE(open(person(MediaUse::kWatch, "modest")));
}

TEST_F(MediaTest, PublishersBeyondWhatMemoryHoldsAreRefusedAndTheOthersGoOn) {
  MediaOptions small = options();
  small.packet_slots = 1'000;  // one picture and a few voices
  Media media(small, entropy_);
  const auto publish = [&](const std::string& account, size_t video) {
    MediaClient client({true, 1, video, 77}, identity());
    return media.open(request(MediaUse::kPublish, account, 1), client.offer(), now_);
  };
  ASSERT_TRUE(publish("a", 1));
  EXPECT_TRUE(publish("b", 0));
  const auto again = publish("a", 1);  // in the place of the first
  ASSERT_TRUE(again);
  EXPECT_EQ(again->sdp.find("m=video 0 "), std::string::npos);
  const auto refused = publish("c", 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTrackLimit);
}

TEST_F(MediaTest, APictureThatMemoryHasNoRoomForIsRefusedInTheAnswerAndTheVoiceIsTaken) {
  MediaOptions small = options();
  small.packet_slots = 1'000;
  Media media(small, entropy_);
  const auto publish = [&](const std::string& account) {
    MediaClient client({true, 1, 1, 77}, identity());
    return media.open(request(MediaUse::kPublish, account, 1), client.offer(), now_)->sdp;
  };
  EXPECT_EQ(publish("a").find("m=video 0 "), std::string::npos);
  const std::string beyond = publish("b");
  EXPECT_NE(beyond.find("m=video 0 "), std::string::npos) << beyond;
  EXPECT_EQ(beyond.find("m=audio 0 "), std::string::npos) << beyond;
  EXPECT_EQ(media.stats().tracks, 3u);
}

}  // namespace
}  // namespace footlight::edge
