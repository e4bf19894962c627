#include "rtc/sdp_answer.h"

#include <algorithm>
#include <bitset>
#include <utility>

namespace footlight::rtc {
namespace {

std::optional<RtpCodec> known_codec(MediaKind kind, const SdpCodec& codec) {
  static constexpr std::pair<std::string_view, RtpCodec> kVideo[] = {{"vp8", RtpCodec::kVp8},
                                                                     {"vp9", RtpCodec::kVp9},
                                                                     {"h264", RtpCodec::kH264},
                                                                     {"av1", RtpCodec::kAv1}};
  if (kind == MediaKind::kAudio) {
    if (codec.clock_rate != 48'000) return std::nullopt;
    if (codec.name == "opus") return RtpCodec::kOpus;
    if (codec.name == "red") return RtpCodec::kRed;
    return std::nullopt;
  }
  for (const auto& [name, value] : kVideo) {
    if (codec.name == name && codec.clock_rate == 90'000) return value;
  }
  return std::nullopt;
}

std::string format_of(RtpCodec kind, const SdpCodec& codec) {
  const auto value = [&](std::string_view key, std::string_view otherwise) {
    const std::string_view text = codec.parameter(key);
    return std::string(text.empty() ? otherwise : text);
  };
  if (kind == RtpCodec::kVp9) return value("profile-id", "0");
  if (kind == RtpCodec::kAv1) return value("profile", "0");
  if (kind != RtpCodec::kH264) return {};
  // The profile and its constraints, without the level (RFC 6184 section 8.1): a decoder of one
  // profile takes every level we would send.
  std::string profile = value("profile-level-id", "420010").substr(0, 4);
  for (char& c : profile) c = c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c;
  return value("packetization-mode", "0") + "/" + profile;
}

bool accepted_extension(const SdpMedia& offered, RtpExtension extension) {
  // Transport-wide sequence numbers make send times redundant.
  if (extension != RtpExtension::kAbsSendTime) return true;
  return std::none_of(offered.extensions.begin(), offered.extensions.end(), [](const auto& each) {
    return rtp_extension_of(each.uri) == RtpExtension::kTransportCc;
  });
}

class Answerer {
 public:
  Answerer(const SessionDescription& offer, const AnswerInput& input)
      : offer_(offer), input_(input) {}
  Result<SdpAnswer> run();

 private:
  bool carried(const SdpMedia& media) const;
  Status choose_transport();
  void answer(const SdpMedia& offered);
  void reject(const SdpMedia& offered);
  void codecs(const SdpMedia& offered, SdpMedia& media, NegotiatedMedia& negotiated) const;
  void extensions(const SdpMedia& offered, SdpMedia& media, NegotiatedMedia& negotiated) const;
  void encodings(const SdpMedia& offered, SdpMedia& media, NegotiatedMedia& negotiated) const;
  void outgoing(SdpMedia& media, NegotiatedMedia& negotiated) const;
  void find_named_by_type();

  const SessionDescription& offer_;
  const AnswerInput& input_;
  const SdpMedia* transport_ = nullptr;  // the m-line whose transport carries the bundle
  bool data_channels_ = false;
  bool candidates_written_ = false;
  SdpAnswer result_;
};

bool Answerer::carried(const SdpMedia& media) const {
  if (media.rejected()) return false;
  if (!offer_.bundle) return offer_.media.size() == 1;
  return std::find(offer_.bundle->begin(), offer_.bundle->end(), media.mid) != offer_.bundle->end();
}

Status Answerer::choose_transport() {
  for (const auto& media : offer_.media) {
    if (!carried(media) || media.bundle_only) continue;
    transport_ = &media;
    break;
  }
  if (!transport_) return fail(Code::kSdpTransport, "no bundled m-line");
  if (transport_->ice_ufrag.size() < 4 || transport_->ice_password.size() < 22) {
    return fail(Code::kSdpTransport, "ICE credentials");
  }
  if (transport_->fingerprints.empty()) return fail(Code::kSdpTransport, "fingerprint");
  if (transport_->setup == SdpSetup::kMissing) return fail(Code::kSdpTransport, "setup");
  result_.remote_ice = {transport_->ice_ufrag, transport_->ice_password};
  result_.remote_fingerprints = transport_->fingerprints;
  result_.we_are_client = transport_->setup == SdpSetup::kPassive;
  return {};
}

void Answerer::reject(const SdpMedia& offered) {
  SdpMedia media;
  media.kind_text = offered.kind_text;
  media.kind = offered.kind;
  media.protocol = offered.protocol;
  media.formats = offered.formats;
  media.mid = offered.mid;
  media.port = 0;
  result_.description.media.push_back(std::move(media));
  NegotiatedMedia negotiated;
  negotiated.mid = offered.mid;
  negotiated.kind = offered.kind;
  negotiated.rejected = true;
  result_.media.push_back(std::move(negotiated));
}

void Answerer::codecs(const SdpMedia& offered, SdpMedia& media, NegotiatedMedia& negotiated) const {
  for (const auto& codec : offered.codecs) {
    const auto kind = known_codec(offered.kind, codec);
    if (!kind) continue;
    NegotiatedCodec chosen;
    chosen.codec = *kind;
    chosen.payload_type = codec.payload_type;
    chosen.clock_rate = codec.clock_rate;
    chosen.format = format_of(*kind, codec);
    chosen.nack = codec.nack;
    chosen.pli = codec.pli;
    chosen.fir = codec.fir;
    chosen.transport_cc = codec.transport_cc;
    chosen.remb = codec.remb && !codec.transport_cc;
    SdpCodec written = codec;
    written.remb = chosen.remb;
    media.codecs.push_back(std::move(written));
    for (const auto& rtx : offered.codecs) {
      if (rtx.repairs() != codec.payload_type || !chosen.nack) continue;
      chosen.rtx_payload_type = rtx.payload_type;
      media.codecs.push_back(rtx);
      break;
    }
    negotiated.codecs.push_back(std::move(chosen));
  }
}

void Answerer::extensions(const SdpMedia& offered, SdpMedia& media,
                          NegotiatedMedia& negotiated) const {
  for (const auto& extension : offered.extensions) {
    const auto known = rtp_extension_of(extension.uri);
    if (!known || !accepted_extension(offered, *known)) continue;
    if (negotiated.extensions.id_of(*known) || !negotiated.extensions.set(*known, extension.id)) {
      continue;
    }
    media.extensions.push_back(extension);
  }
}

void Answerer::encodings(const SdpMedia& offered, SdpMedia& media,
                         NegotiatedMedia& negotiated) const {
  const auto rtx_of = [&](uint32_t ssrc) {
    for (const auto& group : offered.ssrc_groups) {
      if (group.semantics == "FID" && group.ssrcs.size() == 2 && group.ssrcs[0] == ssrc) {
        return group.ssrcs[1];
      }
    }
    return uint32_t{0};
  };
  if (!offered.simulcast_send.empty()) {
    for (const auto& rid : offered.simulcast_send) {
      negotiated.encodings.push_back({rid, 0, 0});
      media.rids.push_back({rid, false});
      media.simulcast_recv.push_back(rid);
    }
    return;
  }
  for (const auto& group : offered.ssrc_groups) {
    if (group.semantics != "SIM" || !negotiated.encodings.empty()) continue;
    for (const uint32_t ssrc : group.ssrcs) {
      if (negotiated.encodings.size() == kSdpMaxRids) break;
      negotiated.encodings.push_back({{}, ssrc, rtx_of(ssrc)});
    }
  }
  if (!negotiated.encodings.empty()) return;
  NegotiatedEncoding only;
  if (!offered.ssrcs.empty()) {
    // The first that is no retransmission of another.
    only.ssrc = offered.ssrcs.front().ssrc;
    only.rtx_ssrc = rtx_of(only.ssrc);
  }
  negotiated.encodings.push_back(std::move(only));
}

void Answerer::outgoing(SdpMedia& media, NegotiatedMedia& negotiated) const {
  const auto found =
      std::find_if(input_.outgoing.begin(), input_.outgoing.end(),
                   [&](const OutgoingStream& stream) { return stream.mid == media.mid; });
  if (found == input_.outgoing.end()) {
    negotiated.client_receives = false;
    return;
  }
  media.msid = found->msid;
  media.ssrcs.push_back({found->ssrc, found->cname, found->msid});
  const bool rtx =
      found->rtx_ssrc != 0 &&
      std::any_of(negotiated.codecs.begin(), negotiated.codecs.end(),
                  [](const auto& codec) { return codec.rtx_payload_type.has_value(); });
  if (!rtx) return;
  media.ssrcs.push_back({found->rtx_ssrc, found->cname, found->msid});
  media.ssrc_groups.push_back({"FID", {found->ssrc, found->rtx_ssrc}});
}

void Answerer::answer(const SdpMedia& offered) {
  const bool application = offered.kind == MediaKind::kApplication;
  if (!carried(offered) || offered.kind == MediaKind::kOther ||
      (application && (data_channels_ || offered.sctp_port == 0)) ||
      (!application && !offered.rtcp_mux)) {
    return reject(offered);
  }
  SdpMedia media;
  NegotiatedMedia negotiated;
  media.kind_text = offered.kind_text;
  media.kind = negotiated.kind = offered.kind;
  media.protocol = offered.protocol;
  media.formats = offered.formats;
  media.mid = negotiated.mid = offered.mid;
  media.ice_ufrag = input_.ice.ufrag;
  media.ice_password = input_.ice.password;
  media.fingerprints = {input_.fingerprint};
  media.setup = result_.we_are_client ? SdpSetup::kActive : SdpSetup::kPassive;
  if (application) {
    data_channels_ = true;
    media.sctp_port = input_.sctp_port;
    media.max_message_bytes = input_.max_message_bytes;
    negotiated.sctp_port = offered.sctp_port;
    negotiated.max_message_bytes = offered.max_message_bytes;
  } else {
    codecs(offered, media, negotiated);
    if (negotiated.codecs.empty()) return reject(offered);
    media.rtcp_mux = true;
    media.rtcp_rsize = offered.rtcp_rsize;
    extensions(offered, media, negotiated);
    negotiated.client_sends = sends(offered.direction);
    negotiated.client_receives = receives(offered.direction);
    negotiated.msid =
        offered.msid.empty() && !offered.ssrcs.empty() ? offered.ssrcs[0].msid : offered.msid;
    if (negotiated.client_sends) encodings(offered, media, negotiated);
    if (negotiated.client_receives) outgoing(media, negotiated);
    media.direction = static_cast<SdpDirection>((negotiated.client_receives ? 1 : 0) |
                                                (negotiated.client_sends ? 2 : 0));
  }
  if (!std::exchange(candidates_written_, true)) {
    media.candidates = input_.candidates;
    media.end_of_candidates = true;
  }
  if (result_.description.bundle) result_.description.bundle->push_back(media.mid);
  result_.description.media.push_back(std::move(media));
  result_.media.push_back(std::move(negotiated));
}

Result<SdpAnswer> Answerer::run() {
  if (auto chosen = choose_transport(); !chosen) return std::unexpected(chosen.error());
  auto& description = result_.description;
  description.session_id = input_.session_id;
  description.version = input_.version;
  description.ice_lite = true;
  description.extmap_allow_mixed = offer_.extmap_allow_mixed;
  if (offer_.bundle) description.bundle.emplace();
  for (const auto& media : offer_.media) answer(media);
  if (!candidates_written_) return fail(Code::kSdpTransport, "no m-line can be carried");
  find_named_by_type();
  return std::move(result_);
}

void Answerer::find_named_by_type() {
  const auto types_of = [](const NegotiatedMedia& media) {
    std::bitset<256> types;
    for (const auto& codec : media.codecs) {
      types.set(codec.payload_type);
      if (codec.rtx_payload_type) types.set(*codec.rtx_payload_type);
    }
    return types;
  };
  std::bitset<256> once, again;  // the types of one m-line at least, and of two
  for (const auto& media : result_.media) {
    if (!media.client_sends) continue;
    const auto types = types_of(media);
    again |= once & types;
    once |= types;
  }
  for (auto& media : result_.media) {
    media.named_by_type = media.client_sends && !media.extensions.id_of(RtpExtension::kMid) &&
                          (types_of(media) & again).none();
  }
}

}  // namespace

const NegotiatedCodec* NegotiatedMedia::codec_of(uint8_t payload_type) const {
  for (const auto& codec : codecs) {
    if (codec.payload_type == payload_type) return &codec;
  }
  return nullptr;
}

Result<SdpAnswer> answer_offer(const SessionDescription& offer, const AnswerInput& input) {
  return Answerer(offer, input).run();
}

Status check_reoffer(const SessionDescription& previous, const SessionDescription& next) {
  if (next.media.size() < previous.media.size()) return fail(Code::kSdpChanged, "m-lines missing");
  for (size_t i = 0; i < previous.media.size(); ++i) {
    const SdpMedia &before = previous.media[i], &after = next.media[i];
    if (before.rejected()) continue;  // its place may be used anew
    if (before.kind_text != after.kind_text || before.mid != after.mid) {
      return fail(Code::kSdpChanged, "m-line " + std::to_string(i));
    }
  }
  return {};
}

}  // namespace footlight::rtc
