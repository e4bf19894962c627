// What the synthetic clients offer, and what an answer leaves of it: one Opus and one VP8 profile,
// the extensions that a table needs, simulcast by rid.
//
// Pure.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "rtc/client_peer.h"
#include "rtc/rtp_extensions.h"
#include "rtc/sdp.h"

namespace footlight::ops {

inline constexpr uint8_t kOpusType = 111, kVp8Type = 96, kRtxType = 97;
// What a client of ours calls each extension; the answer keeps the numbers (RFC 8285 section 6).
inline constexpr uint8_t kAudioLevelId = 1, kTransportCcId = 3, kMidId = 4, kRidId = 10,
                         kRepairedRidId = 11;

// Of the encodings of a picture, the smallest first.
inline constexpr std::array<std::string_view, 4> kRids = {"q", "h", "f", "x"};

// One voice and one picture to be sent.
struct PublishOffer {
  uint32_t voice_ssrc = 0;  // 0: no voice
  // None: no picture; one: a single encoding, named by its number; more: simulcast, known by mid
  // and rid.
  std::vector<uint32_t> picture_ssrcs;
  std::vector<uint32_t> picture_rtx_ssrcs;  // as many
};
std::string write_offer(const rtc::ClientPeer& peer, const PublishOffer& offer);

// So many places for voices, then so many for pictures.
std::string write_offer(const rtc::ClientPeer& peer, size_t voices, size_t pictures);

// What one m-line of the answer came to.
struct AnsweredLine {
  bool accepted = false;
  std::string mid;
  bool video = false;
  bool rtx = false;
  bool simulcast = false;           // the answer takes several encodings
  uint32_t ssrc = 0, rtx_ssrc = 0;  // of what the server sends; 0: not named
  rtc::RtpExtensionMap extensions;
};
// Lines in the offer's order; kSdpChanged when there are more than `offered`.
Result<std::vector<AnsweredLine>> read_answer(const rtc::SessionDescription& answer,
                                              size_t offered);

}  // namespace footlight::ops
