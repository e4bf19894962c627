#include "rtc/sdp.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "rtc/sdp_answer.h"

namespace footlight::rtc {
namespace {

std::string golden(std::string_view name) {
  std::ifstream file(std::string(FOOTLIGHT_SOURCE_DIR) + "/src/rtc/testdata/" + std::string(name) +
                     ".sdp");
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

AnswerInput answer_input() {
  AnswerInput input;
  input.session_id = "77";
  input.ice = {"ufragufrag", "passwordpasswordpassword"};
  input.fingerprint = {"sha-256", Bytes(32, 0xAB)};
  SdpCandidate udp;
  udp.priority = 2'130'706'431;
  udp.address = Address::v4(192, 0, 2, 7, 3478);
  input.candidates = {udp};
  return input;
}

SdpAnswer answered(std::string_view name, const AnswerInput& input = answer_input()) {
  const auto offer = parse_sdp(golden(name));
  EXPECT_TRUE(offer) << (offer ? "" : offer.error().message());
  auto answer = answer_offer(*offer, input);
  EXPECT_TRUE(answer) << (answer ? "" : answer.error().message());
  return std::move(*answer);
}

TEST(Sdp, ChromiumsSimulcastOfferIsReadWhole) {
  const auto offer = parse_sdp(golden("chromium_publish_simulcast"));
  ASSERT_TRUE(offer) << offer.error().message();
  ASSERT_EQ(offer->media.size(), 3u);
  EXPECT_EQ(offer->bundle->size(), 3u);
  EXPECT_TRUE(offer->extmap_allow_mixed);
  const SdpMedia& video = offer->media[1];
  EXPECT_EQ(video.simulcast_send, (std::vector<std::string>{"q", "h", "f"}));
  EXPECT_EQ(video.rids.size(), 3u);
  EXPECT_EQ(video.setup, SdpSetup::kActpass);
  EXPECT_EQ(video.fingerprints.at(0).digest.size(), 32u);
  EXPECT_EQ(video.codecs[0].name, "vp8");
  EXPECT_TRUE(video.codecs[0].transport_cc);
  EXPECT_EQ(video.codecs[1].repairs(), video.codecs[0].payload_type);
  EXPECT_EQ(offer->media[0].codecs[0].parameter("useinbandfec"), "1");
  EXPECT_EQ(offer->media[2].sctp_port, 5000);
  EXPECT_EQ(offer->media[2].max_message_bytes, 262'144u);
}

TEST(Sdp, WhatIsWrittenIsReadBackTheSame) {
  for (const auto* name : {"chromium_publish_simulcast", "chromium_watch", "chromium_vp9_svc",
                           "chromium_data", "firefox_publish", "gstreamer_publish"}) {
    const auto first = parse_sdp(golden(name));
    ASSERT_TRUE(first) << name << first.error().message();
    const std::string written = write_sdp(*first);
    const auto second = parse_sdp(written);
    ASSERT_TRUE(second) << name << second.error().message();
    EXPECT_EQ(write_sdp(*second), written) << name;
  }
}

TEST(Sdp, APublishersSimulcastIsAcceptedEncodingByEncoding) {
  const SdpAnswer answer = answered("chromium_publish_simulcast");
  ASSERT_EQ(answer.media.size(), 3u);
  const NegotiatedMedia& audio = answer.media[0];
  EXPECT_TRUE(audio.client_sends);
  EXPECT_FALSE(audio.client_receives);
  ASSERT_EQ(audio.codecs.size(), 2u);  // opus and its red, nothing older
  EXPECT_EQ(audio.codecs[0].codec, RtpCodec::kOpus);
  EXPECT_EQ(audio.codecs[1].codec, RtpCodec::kRed);
  const NegotiatedMedia& video = answer.media[1];
  ASSERT_EQ(video.encodings.size(), 3u);
  EXPECT_EQ(video.encodings[0].rid, "q");
  EXPECT_EQ(video.codecs[0].codec, RtpCodec::kVp8);
  EXPECT_TRUE(video.codecs[0].rtx_payload_type);
  EXPECT_FALSE(video.codecs[0].remb);  // transport-cc is better
  EXPECT_NE(video.extensions.id_of(RtpExtension::kTransportCc), 0);
  EXPECT_NE(video.extensions.id_of(RtpExtension::kRepairedRid), 0);
  EXPECT_EQ(video.extensions.id_of(RtpExtension::kAbsSendTime), 0);
  EXPECT_FALSE(answer.media[2].rejected);
  EXPECT_FALSE(answer.we_are_client);

  const auto again = parse_sdp(write_sdp(answer.description));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->ice_lite);
  EXPECT_EQ(again->media[1].simulcast_recv, (std::vector<std::string>{"q", "h", "f"}));
  EXPECT_EQ(again->media[1].direction, SdpDirection::kRecvOnly);
  EXPECT_EQ(again->media[0].setup, SdpSetup::kPassive);
  EXPECT_EQ(again->media[0].candidates.size(), 1u);
  EXPECT_TRUE(again->media[1].candidates.empty());  // one transport, said once
  for (const auto& codec : again->media[1].codecs) {
    EXPECT_NE(codec.name, "red");
    EXPECT_NE(codec.name, "ulpfec");
  }
}

TEST(Sdp, AWatcherIsSentWhatTheInputNamesAndNothingElse) {
  AnswerInput input = answer_input();
  input.outgoing = {{"1", "gm", "gm camera", 1111, 2222}};
  const SdpAnswer answer = answered("chromium_watch", input);
  EXPECT_FALSE(answer.media[0].client_receives);
  EXPECT_TRUE(answer.media[1].client_receives);
  const SdpMedia& video = answer.description.media[1];
  EXPECT_EQ(video.direction, SdpDirection::kSendOnly);
  EXPECT_EQ(video.msid, "gm camera");
  ASSERT_EQ(video.ssrc_groups.size(), 1u);
  EXPECT_EQ(video.ssrc_groups[0].ssrcs, (std::vector<uint32_t>{1111, 2222}));
  EXPECT_EQ(answer.description.media[0].direction, SdpDirection::kInactive);
}

TEST(Sdp, FirefoxsShapeIsAnswered) {
  const SdpAnswer answer = answered("firefox_publish");
  ASSERT_EQ(answer.media.size(), 2u);
  EXPECT_FALSE(answer.media[1].rejected);            // bundle-only with port 0 is not a rejection
  EXPECT_EQ(answer.remote_fingerprints.size(), 1u);  // from the session level
  EXPECT_TRUE(answer.media[1].codecs[0].nack);       // from "*"
  EXPECT_EQ(answer.media[1].encodings[0].ssrc, 1720482106u);
  EXPECT_EQ(answer.media[1].encodings[0].rtx_ssrc, 2811094553u);
  EXPECT_EQ(answer.remote_ice.ufrag, "e8c1a2b3");
}

TEST(Sdp, WhoAsksForAnswersToReferenceTimesIsPromisedThemAndNobodyElseIs) {
  EXPECT_EQ(write_sdp(answered("chromium_watch").description).find("rrtr"), std::string::npos);
  std::string text = golden("chromium_watch");
  const std::string_view feedback = "a=rtcp-fb:96 nack pli\r\n";
  const size_t at = text.find(feedback);
  ASSERT_NE(at, std::string::npos);
  text.insert(at, "a=rtcp-fb:96 rrtr\r\n");
  const auto answer = answer_offer(*parse_sdp(text), answer_input());
  ASSERT_TRUE(answer);
  EXPECT_NE(write_sdp(answer->description).find("a=rtcp-fb:96 rrtr\r\n"), std::string::npos);
}

TEST(Sdp, GstreamersShapeIsAnsweredAndItsActiveSetupTaken) {
  const SdpAnswer answer = answered("gstreamer_publish");
  ASSERT_EQ(answer.media.size(), 2u);
  EXPECT_EQ(answer.media[0].codecs.at(0).codec, RtpCodec::kH264);
  EXPECT_EQ(answer.media[0].codecs[0].format, "1/42c0");
  EXPECT_EQ(answer.media[1].codecs.at(0).codec, RtpCodec::kOpus);
  EXPECT_EQ(answer.description.media[0].setup, SdpSetup::kPassive);
}

TEST(Sdp, APayloadTypeNamesAnMLineThatAloneHasItAndWhosePacketsHaveNoMid) {
  constexpr std::string_view kMid = "urn:ietf:params:rtp-hdrext:sdes:mid";
  auto offer = parse_sdp(golden("gstreamer_publish"));
  ASSERT_TRUE(offer);
  for (auto& media : offer->media) {
    std::erase_if(media.extensions, [&](const auto& each) { return each.uri == kMid; });
  }
  const auto named = [&] {
    std::string out;
    for (const auto& media : answer_offer(*offer, answer_input())->media) {
      out += media.named_by_type ? '1' : '0';
    }
    return out;
  };
  EXPECT_EQ(named(), "11");
  SdpMedia second = offer->media[1];
  second.mid = "second";
  offer->media.push_back(second);
  offer->bundle->push_back(second.mid);
  EXPECT_EQ(named(), "100") << "two pictures with the same types";
  offer->media[2].direction = SdpDirection::kRecvOnly;
  EXPECT_EQ(named(), "110") << "of which one is not sent";
  offer->media[0].extensions.push_back({4, std::string(kMid)});
  EXPECT_EQ(named(), "010");
}

TEST(Sdp, APassiveOfferMakesUsTheClient) {
  std::string text = golden("chromium_data");
  const size_t at = text.find("setup:actpass");
  text.replace(at, 13, "setup:passive");
  const auto answer = answer_offer(*parse_sdp(text), answer_input());
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->we_are_client);
  EXPECT_EQ(answer->description.media[0].setup, SdpSetup::kActive);
}

TEST(Sdp, SimulcastBySsrcGroupIsReadInOrder) {
  std::string text = golden("firefox_publish");
  text +=
      "a=ssrc:1 cname:x\r\na=ssrc:2 cname:x\r\na=ssrc:3 cname:x\r\na=ssrc-group:SIM 1 2 3\r\n"
      "a=ssrc-group:FID 2 20\r\n";
  const auto answer = answer_offer(*parse_sdp(text), answer_input());
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->media[1].encodings.size(), 3u);
  EXPECT_EQ(answer->media[1].encodings[1].ssrc, 2u);
  EXPECT_EQ(answer->media[1].encodings[1].rtx_ssrc, 20u);
}

TEST(Sdp, MLinesThatCannotBeCarriedAreRejectedAloneAndTheRestGoesOn) {
  std::string text = golden("chromium_publish_simulcast");
  const size_t at = text.find("opus/48000/2");
  text.replace(at, 12, "abcd/48000/2");
  const size_t red = text.find("red/48000/2");
  text.replace(red, 11, "xxx/48000/2");
  const auto answer = answer_offer(*parse_sdp(text), answer_input());
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->media[0].rejected);
  EXPECT_FALSE(answer->media[1].rejected);
  EXPECT_EQ(*answer->description.bundle, (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(answer->description.media[1].candidates.size(), 1u);
  EXPECT_NE(write_sdp(answer->description).find("m=audio 0 UDP/TLS/RTP/SAVPF 111"),
            std::string::npos);
}

TEST(Sdp, AnOfferWithoutATransportWeCanUseIsRefusedWithItsReason) {
  const auto refused = [](std::string_view from, std::string_view without) {
    std::string text = golden(from);
    for (size_t at; (at = text.find(without)) != std::string::npos;) {
      text.erase(at, text.find('\n', at) + 1 - at);
    }
    const auto answer = answer_offer(*parse_sdp(text), answer_input());
    return answer ? Code::kOk : answer.error().code;
  };
  EXPECT_EQ(refused("chromium_data", "a=ice-pwd"), Code::kSdpTransport);
  EXPECT_EQ(refused("chromium_data", "a=fingerprint"), Code::kSdpTransport);
  EXPECT_EQ(refused("chromium_data", "a=setup"), Code::kSdpTransport);
  EXPECT_EQ(refused("chromium_watch", "a=group"), Code::kSdpTransport);
  EXPECT_EQ(refused("chromium_watch", "a=rtcp-mux"), Code::kSdpTransport);
  EXPECT_EQ(refused("chromium_data", "a=group"), Code::kOk);  // a single m-line needs no bundle
}

TEST(Sdp, OffersBeyondTheBoundsAreRefusedByNumber) {
  const std::string head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
  EXPECT_EQ(parse_sdp(head + std::string(1 << 20, 'x')).error().code, Code::kSdpTooLarge);
  std::string many = head;
  for (int i = 0; i < 1000; ++i) many += "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
  EXPECT_EQ(parse_sdp(many).error().code, Code::kSdpTooLarge);
  std::string ssrcs = head + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
  for (int i = 0; i < 100; ++i) ssrcs += "a=ssrc:" + std::to_string(i) + " cname:x\r\n";
  EXPECT_EQ(parse_sdp(ssrcs).error().code, Code::kSdpTooLarge);
}

TEST(Sdp, WhatCannotBeReadIsNamed) {
  for (const std::string_view line :
       {"m=audio x UDP/TLS/RTP/SAVPF 111", "m=audio 9 UDP/TLS/RTP/SAVPF 128",
        "m=audio 9 UDP/TLS/RTP/SAVPF 1 1", "nonsense", "a=ice-ufrag:", "a=fingerprint:sha-256 0",
        "a=extmap:x uri"}) {
    const auto read = parse_sdp("v=0\r\n" + std::string(line) + "\r\n");
    ASSERT_FALSE(read) << line;
    EXPECT_EQ(read.error().code, Code::kSdpSyntax);
  }
  EXPECT_EQ(parse_sdp("").error().code, Code::kSdpSyntax);
}

TEST(Sdp, AReofferKeepsTheOrderOfItsMLines) {
  const auto offer = *parse_sdp(golden("chromium_publish_simulcast"));
  auto next = offer;
  EXPECT_TRUE(check_reoffer(offer, next));
  next.media.push_back(next.media[0]);
  EXPECT_TRUE(check_reoffer(offer, next));
  std::swap(next.media[0], next.media[1]);
  EXPECT_EQ(check_reoffer(offer, next).error().code, Code::kSdpChanged);
  next.media.resize(2);
  EXPECT_EQ(check_reoffer(offer, next).error().code, Code::kSdpChanged);
}

TEST(Sdp, CandidatesAreReadInBothFamilies) {
  const auto v4 = parse_candidate("candidate:1 1 UDP 2122 192.0.2.1 5000 typ host");
  ASSERT_TRUE(v4);
  EXPECT_EQ(to_string(v4->address), "192.0.2.1:5000");
  const auto v6 = parse_candidate("a=candidate:1 1 tcp 7 2001:db8::5 9 typ host tcptype active");
  ASSERT_TRUE(v6);
  EXPECT_TRUE(v6->tcp);
  EXPECT_EQ(to_string(v6->address), "[2001:db8:0:0:0:0:0:5]:9");
  EXPECT_TRUE(parse_candidate("1 1 udp 7 ::1 9 typ host"));
  for (const std::string_view bad :
       {"", "1 1 udp 7 host.local 9 typ host", "1 1 udp 7 1::2::3 9", "1 1 udp 7 1:2:3 9",
        "1 1 sctp 7 192.0.2.1 9", "1 1 udp 7 192.0.2.256 9", "1 1 udp 7 1:2:3:4:5:6:7:8:9 9"}) {
    EXPECT_FALSE(parse_candidate(bad)) << bad;
  }
}

}  // namespace
}  // namespace footlight::rtc
