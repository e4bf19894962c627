#include "rtc/client_peer.h"

#include <algorithm>
#include <utility>

#include "rtc/rtp.h"
#include "rtc/stun.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

constexpr MonoUs kPaceUs = 20 * kUsPerMs;         // between the first checks of two ways
constexpr MonoUs kFirstRetryUs = 100 * kUsPerMs;  // doubled each time
constexpr MonoUs kLastRetryUs = 1600 * kUsPerMs;
constexpr size_t kCheckBytes = 700;  // two user names of 256 characters fit
constexpr uint16_t kIceRoleConflict = 487;
// A host's candidate of one family (RFC 8445 section 5.1.2.1), as a peer-reflexive one.
constexpr uint32_t kPriority = (110u << 24) | (65'535u << 8) | 255u;

}  // namespace

ClientPeer::ClientPeer(const Config& config, Entropy& entropy,
                       std::shared_ptr<const DtlsIdentity> identity, DatagramOut& out)
    : config_(config), entropy_(entropy), identity_(std::move(identity)), out_(out) {
  restart_ice();
  std::array<uint8_t, 8> bytes;
  entropy_.fill(bytes);
  tie_breaker_ = load_u64(bytes.data());
}

std::string ClientPeer::restart_ice() {
  std::array<uint8_t, 16> bytes;
  entropy_.fill(bytes);
  const std::string text = to_hex(bytes);
  own_ = {text.substr(0, 8), text.substr(8)};
  return "a=ice-ufrag:" + own_.ufrag + "\r\na=ice-pwd:" + own_.password + "\r\n";
}

void ClientPeer::describe(SdpMedia& media) const {
  media.ice_ufrag = own_.ufrag;
  media.ice_password = own_.password;
  const DtlsFingerprint& print = identity_->fingerprint();
  media.fingerprints = {{print.algorithm, print.digest}};
  media.setup = SdpSetup::kActpass;
  media.rtcp_mux = true;
}

Status ClientPeer::accept(const SessionDescription& answer, MonoUs now) {
  if (state_ != ClientPeerState::kNew) return fail(Code::kSdpState);
  const auto line = std::ranges::find_if(answer.media, [](const SdpMedia& media) {
    return !media.rejected() && !media.ice_ufrag.empty();
  });
  if (line == answer.media.end()) return fail(Code::kSdpTransport, "no m-line was accepted");
  theirs_ = {line->ice_ufrag, line->ice_password};
  DtlsOptions options;
  options.role = line->setup == SdpSetup::kActive ? DtlsRole::kServer : DtlsRole::kClient;
  options.identity = identity_;
  for (const auto& print : line->fingerprints) {
    options.peer_fingerprints.push_back({print.hash, print.digest});
  }
  const DtlsRole role = options.role;
  for (const SdpMedia& media : answer.media) {
    if (media.kind == MediaKind::kApplication && !media.rejected()) {
      channels_ = std::make_unique<DataChannels>(role, SctpConfig{}, entropy_);
    }
    for (const SdpCandidate& candidate : media.candidates) {
      if (candidate.tcp == config_.tcp) add_pair(candidate.address, candidate.priority);
    }
  }
  if (pairs_.empty()) return fail(Code::kSdpTransport, "no candidate that can be reached");
  auto dtls = DtlsTransport::make(std::move(options));
  if (!dtls) return std::unexpected(dtls.error());
  dtls_ = std::move(*dtls);
  state_ = ClientPeerState::kChecking;
  heard_us_ = now;
  check_all(now);
  return {};
}

Status ClientPeer::accept_restart(std::string_view fragment, MonoUs now) {
  const auto value = [&](std::string_view name) {
    const size_t at = fragment.find(name);
    if (at == std::string_view::npos) return std::string();
    fragment = fragment.substr(at + name.size());
    return std::string(fragment.substr(0, fragment.find_first_of("\r\n")));
  };
  const std::string_view whole = fragment;
  const std::string ufrag = value("a=ice-ufrag:");
  fragment = whole;
  const std::string password = value("a=ice-pwd:");
  if (ufrag.size() < 4 || ufrag.size() > 256 || password.size() < 22 || password.size() > 256) {
    return fail(Code::kSdpSyntax, "ICE credentials");
  }
  theirs_ = {ufrag, password};
  check_all(now);
  return {};
}

// The best first; those of a family without a socket are not for us.
void ClientPeer::add_pair(const Address& remote, uint32_t priority) {
  if (remote.port == 0 || !(remote.v6 ? config_.v6 : config_.v4)) return;
  if (pairs_.size() == kMaxPairs) return;
  if (std::ranges::find(pairs_, remote, &Pair::remote) != pairs_.end()) return;
  const auto at = std::ranges::upper_bound(pairs_, priority, std::greater<>(), &Pair::priority);
  Pair pair;
  pair.remote = remote;
  pair.priority = priority;
  pairs_.insert(at, pair);
}

// Each way anew, one shortly after the other.
void ClientPeer::check_all(MonoUs now) {
  if (state_ == ClientPeerState::kNew || state_ == ClientPeerState::kClosed) return;
  MonoUs at = now;
  for (Pair& pair : pairs_) {
    pair.tries = 0;
    pair.next_us = std::exchange(at, at + kPaceUs);
  }
  on_time(now);
}

void ClientPeer::check(Pair& pair, MonoUs now) {
  if (pair.tries == 0) entropy_.fill(pair.transaction);
  const MonoUs wait = std::min(kLastRetryUs, kFirstRetryUs << std::min(pair.tries, 5));
  ++pair.tries;
  pair.sent_us = now;
  pair.next_us = now + wait;
  const auto to = out_.room({pair.remote, config_.socket, config_.tcp}, kCheckBytes);
  if (to.empty()) return;
  StunWriter writer(to, StunType::kBindingRequest, pair.transaction);
  writer.username(theirs_.ufrag + ":" + own_.ufrag);
  writer.priority(kPriority);
  controlling_ ? writer.controlling(tie_breaker_) : writer.controlled(tie_breaker_);
  if (controlling_ && (!selected_ || *selected_ == pair.remote)) writer.use_candidate();
  writer.integrity(theirs_.password);
  out_.commit(writer.finish().size());
}

ClientPeer::Received ClientPeer::on_datagram(const Address& from, std::span<uint8_t> datagram,
                                             MonoUs now) {
  Received received;
  if (state_ == ClientPeerState::kNew || state_ == ClientPeerState::kClosed) return received;
  received.kind = datagram_kind(datagram);
  switch (received.kind) {
    case DatagramKind::kStun:
      on_stun(from, datagram, now);
      break;
    case DatagramKind::kDtls:
      dtls_->receive(datagram, now);
      pump(now);
      break;
    case DatagramKind::kRtp:
    case DatagramKind::kRtcp: {
      if (!receiver_) return {};
      const auto plain = received.kind == DatagramKind::kRtp ? receiver_->unprotect(datagram)
                                                             : receiver_->unprotect_rtcp(datagram);
      if (!plain) {
        ++refused_;
        return {};
      }
      received.bytes = *plain;
      return received;
    }
    case DatagramKind::kUnknown:
      break;
  }
  return {};
}

void ClientPeer::on_stun(const Address& from, ByteView datagram, MonoUs now) {
  StunView view;
  if (!parse_stun(datagram, view)) return;
  if (view.type == StunType::kBindingRequest) return answer_check(from, view);
  const auto pair = std::ranges::find(pairs_, view.transaction, &Pair::transaction);
  if (pair == pairs_.end() || pair->tries == 0 || pair->remote != from ||
      !check_stun_integrity(view, theirs_.password)) {
    return;
  }
  if (view.type == StunType::kBindingError && view.error_code == kIceRoleConflict) {
    controlling_ = !controlling_;
    pair->tries = 0;
    return check(*pair, now);
  }
  if (view.type == StunType::kBindingResponse) on_answered(*pair, now);
}

void ClientPeer::on_answered(Pair& pair, MonoUs now) {
  if (pair.tries == 1) round_trip_us_ = now - pair.sent_us;
  pair.tries = 0;
  pair.next_us = kNever;
  heard_us_ = now;
  if (!selected_) {
    selected_ = pair.remote;
    for (Pair& other : pairs_) other.next_us = kNever;
    state_ = ClientPeerState::kHandshaking;
    dtls_->start(now);
    pump(now);
  }
  if (*selected_ == pair.remote) pair.next_us = now + kKeepAliveUs;
}

// A server that is no lite agent checks the way, too.
void ClientPeer::answer_check(const Address& from, const StunView& request) {
  const size_t colon = request.username.find(':');
  if (request.username.substr(0, colon) != own_.ufrag ||
      !check_stun_integrity(request, own_.password)) {
    return;
  }
  const auto to = out_.room({from, config_.socket, config_.tcp}, kCheckBytes);
  if (to.empty()) return;
  StunWriter writer(to, StunType::kBindingResponse, request.transaction);
  writer.xor_mapped_address(from);
  writer.integrity(own_.password);
  out_.commit(writer.finish().size());
}

MonoUs ClientPeer::deadline() const {
  if (state_ == ClientPeerState::kNew || state_ == ClientPeerState::kClosed) return kNever;
  MonoUs at = std::min(heard_us_ + kConsentUs, dtls_->deadline_us());
  if (channels_) at = std::min(at, channels_->deadline_us());
  for (const Pair& pair : pairs_) at = std::min(at, pair.next_us);
  return at;
}

void ClientPeer::on_time(MonoUs now) {
  if (state_ == ClientPeerState::kNew || state_ == ClientPeerState::kClosed) return;
  if (now - heard_us_ >= kConsentUs) return fail_with({Code::kIceConsent, ""});
  for (Pair& pair : pairs_) {
    if (pair.next_us <= now) check(pair, now);
  }
  const bool dtls = dtls_->deadline_us() <= now;
  const bool channels = channels_ && channels_->deadline_us() <= now;
  if (dtls) dtls_->on_deadline(now);
  if (channels) channels_->on_deadline(now);
  if (dtls || channels) pump(now);
}

// What DTLS has to say, and what became of it.
void ClientPeer::pump(MonoUs now) {
  if (!dtls_) return;
  pump_channels(now);
  while (dtls_->next_datagram(scratch_)) {
    if (!selected_) continue;
    const auto to = room(scratch_.size());
    if (to.empty()) continue;
    std::ranges::copy(scratch_, to.begin());
    out_.commit(scratch_.size());
  }
  if (dtls_->state() == DtlsState::kFailed) return fail_with(dtls_->error());
  if (dtls_->state() == DtlsState::kClosed) return fail_with({Code::kDtlsClosed, ""});
  if (dtls_->state() != DtlsState::kConnected || sender_) return;
  const auto keys = dtls_->srtp_keys();
  auto sender = keys ? SrtpSender::make(keys->send) : fail(Code::kDtlsFailed, "no SRTP profile");
  auto receiver = keys ? SrtpReceiver::make(keys->receive) : fail(Code::kDtlsFailed);
  if (!sender) return fail_with(sender.error());
  if (!receiver) return fail_with(receiver.error());
  sender_.emplace(std::move(*sender));
  receiver_.emplace(std::move(*receiver));
  dtls_->release_buffers();
  state_ = ClientPeerState::kConnected;
  heard_us_ = now;
}

void ClientPeer::pump_channels(MonoUs now) {
  if (dtls_->state() != DtlsState::kConnected) return;
  if (channels_ && state_ != ClientPeerState::kConnected) channels_->start(now);
  while (dtls_->next_data(scratch_)) {
    if (channels_) channels_->receive(scratch_, now);
  }
  std::array<uint8_t, kSctpPacketBytes> packet;
  while (const size_t size = channels_ ? channels_->produce(packet, now) : 0) {
    (void)dtls_->send(ByteView(packet).first(size), now);
  }
}

void ClientPeer::fail_with(const Error& why) {
  state_ = ClientPeerState::kClosed;
  error_ = why;
}

std::span<uint8_t> ClientPeer::room(size_t bytes) {
  return out_.room({*selected_, config_.socket, config_.tcp}, bytes);
}

void ClientPeer::send_rtp(ByteView head, ByteView payload) {
  if (state_ != ClientPeerState::kConnected) return;
  const auto to = room(head.size() + payload.size() + kSrtpMaxTagBytes);
  if (to.empty()) return;
  const auto size = sender_->protect_into(head, payload, to);
  if (size) out_.commit(*size);
}

void ClientPeer::send_rtcp(ByteView compound) {
  if (state_ != ClientPeerState::kConnected) return;
  const auto to = room(compound.size() + kSrtcpMaxOverheadBytes);
  if (to.empty()) return;
  const auto size = sender_->protect_rtcp_into(compound, to);
  if (size) out_.commit(*size);
}

void ClientPeer::close(MonoUs now) {
  if (state_ == ClientPeerState::kNew || state_ == ClientPeerState::kClosed) return;
  if (dtls_->state() == DtlsState::kConnected) {
    dtls_->close(now);
    pump(now);
  }
  fail_with({Code::kOk, ""});
}

}  // namespace footlight::rtc
