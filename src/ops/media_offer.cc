#include "ops/media_offer.h"

#include <algorithm>

namespace footlight::ops {
namespace {

rtc::SdpMedia line_of(const rtc::ClientPeer& peer, std::string mid, bool video, bool sends) {
  rtc::SdpMedia media;
  media.kind = video ? rtc::MediaKind::kVideo : rtc::MediaKind::kAudio;
  media.kind_text = video ? "video" : "audio";
  media.protocol = "UDP/TLS/RTP/SAVPF";
  media.mid = std::move(mid);
  media.direction = sends ? rtc::SdpDirection::kSendOnly : rtc::SdpDirection::kRecvOnly;
  peer.describe(media);
  media.rtcp_rsize = true;
  const auto extension = [&](uint8_t id, rtc::RtpExtension which) {
    media.extensions.push_back({id, std::string(rtc::rtp_extension_uri(which))});
  };
  extension(kMidId, rtc::RtpExtension::kMid);
  extension(kTransportCcId, rtc::RtpExtension::kTransportCc);
  rtc::SdpCodec codec;
  codec.nack = true;
  codec.transport_cc = true;
  if (!video) {
    extension(kAudioLevelId, rtc::RtpExtension::kAudioLevel);
    codec.payload_type = kOpusType;
    codec.name = "opus";
    codec.clock_rate = 48'000;
    codec.channels = 2;
    codec.fmtp = "minptime=10;useinbandfec=1";
    media.codecs = {codec};
    return media;
  }
  if (sends) {
    extension(kRidId, rtc::RtpExtension::kRid);
    extension(kRepairedRidId, rtc::RtpExtension::kRepairedRid);
  }
  codec.payload_type = kVp8Type;
  codec.name = "vp8";
  codec.clock_rate = 90'000;
  codec.pli = codec.fir = true;
  rtc::SdpCodec rtx;
  rtx.payload_type = kRtxType;
  rtx.name = "rtx";
  rtx.clock_rate = 90'000;
  rtx.fmtp = "apt=" + std::to_string(kVp8Type);
  media.codecs = {codec, rtx};
  return media;
}

std::string written(rtc::SessionDescription& offer) {
  offer.session_id = "1";
  offer.extmap_allow_mixed = true;
  offer.bundle.emplace();
  for (const auto& media : offer.media) offer.bundle->push_back(media.mid);
  return rtc::write_sdp(offer);
}

}  // namespace

std::string write_offer(const rtc::ClientPeer& peer, const PublishOffer& published) {
  constexpr const char* kCname = "footlight";
  rtc::SessionDescription offer;
  if (published.voice_ssrc != 0) {
    rtc::SdpMedia voice = line_of(peer, "0", false, true);
    voice.msid = "cast voice";
    voice.ssrcs = {{published.voice_ssrc, kCname, voice.msid}};
    offer.media.push_back(std::move(voice));
  }
  if (published.picture_ssrcs.empty()) return written(offer);
  rtc::SdpMedia picture = line_of(peer, "1", true, true);
  picture.msid = "cast picture";
  if (published.picture_ssrcs.size() > 1) {
    for (size_t i = 0; i < published.picture_ssrcs.size(); ++i) {
      picture.rids.push_back({std::string(kRids[i]), true});
      picture.simulcast_send.emplace_back(kRids[i]);
    }
  } else {
    const uint32_t ssrc = published.picture_ssrcs[0], rtx = published.picture_rtx_ssrcs[0];
    picture.ssrcs = {{ssrc, kCname, picture.msid}, {rtx, kCname, picture.msid}};
    picture.ssrc_groups = {{"FID", {ssrc, rtx}}};
  }
  offer.media.push_back(std::move(picture));
  return written(offer);
}

std::string write_offer(const rtc::ClientPeer& peer, size_t voices, size_t pictures) {
  rtc::SessionDescription offer;
  for (size_t i = 0; i < voices + pictures; ++i) {
    offer.media.push_back(line_of(peer, std::to_string(i), i >= voices, false));
  }
  return written(offer);
}

Result<std::vector<AnsweredLine>> read_answer(const rtc::SessionDescription& answer,
                                              size_t offered) {
  if (answer.media.size() > offered) return fail(Code::kSdpChanged, "more m-lines than offered");
  std::vector<AnsweredLine> lines;
  for (const rtc::SdpMedia& media : answer.media) {
    AnsweredLine& line = lines.emplace_back();
    line.mid = media.mid;
    line.video = media.kind == rtc::MediaKind::kVideo;
    const uint8_t type = line.video ? kVp8Type : kOpusType;
    line.accepted =
        !media.rejected() && media.direction != rtc::SdpDirection::kInactive &&
        std::ranges::find(media.codecs, type, &rtc::SdpCodec::payload_type) != media.codecs.end();
    line.rtx = std::ranges::find(media.codecs, kRtxType, &rtc::SdpCodec::payload_type) !=
               media.codecs.end();
    line.simulcast = media.simulcast_recv.size() > 1;
    if (!media.ssrcs.empty()) line.ssrc = media.ssrcs[0].ssrc;
    for (const auto& group : media.ssrc_groups) {
      if (group.semantics != "FID" || group.ssrcs.size() != 2) continue;
      line.ssrc = group.ssrcs[0];
      line.rtx_ssrc = group.ssrcs[1];
    }
    for (const auto& extension : media.extensions) {
      const auto known = rtc::rtp_extension_of(extension.uri);
      if (known) line.extensions.set(*known, extension.id);
    }
  }
  return lines;
}

}  // namespace footlight::ops
