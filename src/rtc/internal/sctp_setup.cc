// How an association comes to stand: INIT, INIT ACK, COOKIE ECHO, COOKIE ACK, also when both sides
// begin at once (RFC 9260 sections 5.1 and 5.2).
#include <algorithm>

#include "rtc/internal/sctp_inbound.h"
#include "rtc/internal/sctp_outbound.h"
#include "rtc/internal/sctp_wire.h"
#include "rtc/sctp.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

constexpr size_t kInitBytes = 16;
constexpr uint32_t kLeastWindow = 1500;  // RFC 9260 section 3.3.2
constexpr size_t kMaxCookieBytes = 1024;
// What our cookie holds: a mark, our tag and first TSN, the tie tags, and the peer's INIT in short.
constexpr size_t kCookieBytes = 40;
constexpr uint32_t kCookieMark = 0x464C'5301;

}  // namespace

bool SctpAssociation::read_peer(ByteView value, Peer& peer) const {
  if (value.size() < kInitBytes) return false;
  peer.tag = load_u32(value.data());
  peer.window = load_u32(&value[4]);
  peer.out_streams = load_u16(&value[8]);
  peer.in_streams = load_u16(&value[10]);
  peer.first_tsn = load_u32(&value[12]);
  if (peer.tag == 0 || peer.out_streams == 0 || peer.in_streams == 0 ||
      peer.window < kLeastWindow) {
    return false;
  }
  ParameterReader parameters(value.subspan(kInitBytes));
  uint16_t type = 0;
  for (ByteView content; parameters.next(type, content);) {
    if (type == static_cast<uint16_t>(SctpParameter::kForwardTsn)) peer.forward_tsn = true;
    if (type != static_cast<uint16_t>(SctpParameter::kExtensions)) continue;
    for (const uint8_t chunk : content) {
      if (chunk == static_cast<uint8_t>(ChunkType::kReconfig)) peer.reconfig = true;
      if (chunk == static_cast<uint8_t>(ChunkType::kForwardTsn)) peer.forward_tsn = true;
    }
  }
  return true;
}

Bytes SctpAssociation::init_value(uint32_t tag, uint32_t first_tsn) const {
  Bytes value(kInitBytes);
  store_u32(value.data(), tag);
  store_u32(&value[4], static_cast<uint32_t>(config_.receive_buffer_bytes));
  store_u16(&value[8], config_.streams);
  store_u16(&value[10], config_.streams);
  store_u32(&value[12], first_tsn);
  const std::array<uint8_t, 2> extensions{static_cast<uint8_t>(ChunkType::kReconfig),
                                          static_cast<uint8_t>(ChunkType::kForwardTsn)};
  add_parameter(value, SctpParameter::kExtensions, extensions);
  add_parameter(value, SctpParameter::kForwardTsn, {});
  return value;
}

Bytes SctpAssociation::cookie_for(const Peer& peer, uint32_t tag, uint32_t first_tsn) const {
  Bytes cookie(kCookieBytes);
  store_u32(cookie.data(), kCookieMark);
  store_u32(&cookie[4], tag);
  store_u32(&cookie[8], first_tsn);
  store_u32(&cookie[12], peer.tag);
  store_u32(&cookie[16], peer.window);
  store_u16(&cookie[20], peer.out_streams);
  store_u16(&cookie[22], peer.in_streams);
  store_u32(&cookie[24], peer.first_tsn);
  cookie[28] = peer.forward_tsn;
  cookie[29] = peer.reconfig;
  // Tie tags: which association stood when this cookie was made (section 5.2.2).
  store_u32(&cookie[32], peer_tag_ == 0 ? 0 : tag_);
  store_u32(&cookie[36], peer_tag_);
  return cookie;
}

void SctpAssociation::on_init(ByteView value, MonoUs) {
  Peer peer;
  if (!read_peer(value, peer)) return;
  if (state_ == SctpState::kShutdownAckSent) return answer(uint8_t(ChunkType::kShutdownAck));
  // An INIT from an established peer means that it began anew. We offer it another tag, so that its
  // COOKIE ECHO is told from a late one.
  const bool fresh = state_ == SctpState::kIdle || state_ == SctpState::kCookieWait ||
                     state_ == SctpState::kCookieEchoed;
  const uint32_t tag = fresh ? tag_ : tag_ + 1 == 0 ? 1 : tag_ + 1;
  Bytes response = init_value(tag, first_tsn_);
  add_parameter(response, SctpParameter::kCookie, cookie_for(peer, tag, first_tsn_));
  push_control({.type = uint8_t(ChunkType::kInitAck),
                .value = std::move(response),
                .tag = peer.tag,
                .alone = true});
}

void SctpAssociation::on_init_ack(ByteView value, MonoUs now) {
  if (state_ != SctpState::kCookieWait) return;
  Peer peer;
  if (!read_peer(value, peer)) return end_with(Code::kSctpProtocol, "a bad INIT ACK", true);
  ParameterReader parameters(value.subspan(kInitBytes));
  uint16_t type = 0;
  cookie_.clear();
  for (ByteView content; parameters.next(type, content);) {
    if (type == static_cast<uint16_t>(SctpParameter::kCookie) &&
        content.size() <= kMaxCookieBytes) {
      cookie_.assign(content.begin(), content.end());
    }
  }
  if (cookie_.empty()) return end_with(Code::kSctpProtocol, "no cookie in the INIT ACK", true);
  peer_ = peer;
  peer_tag_ = peer.tag;
  state_ = SctpState::kCookieEchoed;
  setup_due_ = true;
  setup_tries_ = 0;
  setup_deadline_us_ = now + rto_us_;
}

// The table of section 5.2.4; a restart of the peer's (case A) ends the association, because in a
// WebRTC session it comes with a new DTLS connection or not at all.
void SctpAssociation::on_cookie_echo(ByteView value, uint32_t tag, MonoUs now) {
  if (value.size() != kCookieBytes || load_u32(value.data()) != kCookieMark) return;
  const uint32_t local = load_u32(&value[4]);
  const Peer peer{.tag = load_u32(&value[12]),
                  .window = load_u32(&value[16]),
                  .out_streams = load_u16(&value[20]),
                  .in_streams = load_u16(&value[22]),
                  .first_tsn = load_u32(&value[24]),
                  .forward_tsn = value[28] != 0,
                  .reconfig = value[29] != 0};
  if (local != tag || peer.tag == 0) return;
  if (local != tag_) {
    const bool restart = peer_tag_ != 0 && load_u32(&value[32]) == tag_ &&
                         load_u32(&value[36]) == peer_tag_ && peer.tag != peer_tag_;
    if (restart) end_with(Code::kSctpClosed, "the peer began anew", true);
    return;
  }
  switch (state_) {
    case SctpState::kIdle:
    case SctpState::kCookieWait:
    case SctpState::kCookieEchoed:
      peer_tag_ = peer.tag;  // cases B and D
      answer(uint8_t(ChunkType::kCookieAck));
      return establish(peer, now);
    case SctpState::kEstablished:
    case SctpState::kShutdownPending:
      if (peer.tag == peer_tag_) answer(uint8_t(ChunkType::kCookieAck));  // ours was lost
      return;
    default:
      return;
  }
}

void SctpAssociation::establish(const Peer& peer, MonoUs now) {
  peer_ = peer;
  in_ = std::make_unique<SctpInbound>(peer.first_tsn, config_);
  out_->open(peer.window, peer.forward_tsn);
  expected_reset_sequence_ = peer.first_tsn;
  next_reset_sequence_ = first_tsn_;
  cookie_.clear();
  setup_due_ = false;
  setup_deadline_us_ = kNever;
  errors_ = 0;
  heartbeat_deadline_us_ = now + 30 * kUsPerSecond;
  state_ = SctpState::kEstablished;
  events_.push_back(SctpConnected{});
}

}  // namespace footlight::rtc
