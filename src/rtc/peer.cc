#include "rtc/peer.h"

#include <algorithm>
#include <array>
#include <utility>

namespace footlight::rtc {
namespace {

// Two turns of handing over are enough for what one datagram sets off; the bound guards the rest.
constexpr int kMaxPumpTurns = 64;

}  // namespace

// --- one session
// ----------------------------------------------------------------------------------

Status Peer::negotiate(const SdpAnswer& answer, MonoUs now) {
  owner_.ice_.set_remote_ufrag(session_, answer.remote_ice.ufrag);
  if (dtls_) return {};  // a later answer: the transport stays
  DtlsOptions options;
  const DtlsRole role = answer.we_are_client ? DtlsRole::kClient : DtlsRole::kServer;
  options.role = role;
  options.identity = owner_.identity_;
  for (const auto& fingerprint : answer.remote_fingerprints) {
    options.peer_fingerprints.push_back({fingerprint.hash, fingerprint.digest});
  }
  auto dtls = DtlsTransport::make(std::move(options));
  if (!dtls) return std::unexpected(dtls.error());
  dtls_ = std::move(*dtls);
  for (const auto& media : answer.media) {
    if (media.kind != MediaKind::kApplication || media.rejected) continue;
    SctpConfig config;
    config.remote_port = media.sctp_port;
    channels_ = std::make_unique<DataChannels>(role, config, owner_.entropy_, owner_.max_channels_);
  }
  if (path_) {
    dtls_->start(now);
    pump(now);
  }
  return {};
}

void Peer::on_selected(MonoUs now) {
  const bool first = !path_;
  if (const Path* path = owner_.ice_.selected(session_)) path_ = *path;
  if (!first || !path_ || !dtls_) return;
  dtls_->start(now);
  pump(now);
}

void Peer::on_dtls(ByteView datagram, MonoUs now) {
  if (!dtls_) return;
  dtls_->receive(datagram, now);
  pump(now);
}

// Hands over between the layers until all is still.
void Peer::pump(MonoUs now) {
  bool moved = true;
  for (int turn = 0; moved && turn < kMaxPumpTurns; ++turn) {
    moved = false;
    if (state_ == PeerState::kConnecting && dtls_->state() == DtlsState::kConnected) {
      become_connected(now);
      moved = true;
    }
    while (dtls_->next_data(scratch_)) {
      if (channels_) channels_->receive(scratch_, now);
      moved = true;
    }
    if (channels_ && dtls_->state() == DtlsState::kConnected) {
      std::array<uint8_t, kSctpPacketBytes> packet;
      while (const size_t size = channels_->produce(packet, now)) {
        (void)dtls_->send(ByteView(packet).first(size), now);  // lost, like on a network
        moved = true;
      }
    }
    while (dtls_->next_datagram(scratch_)) {
      moved = true;
      const auto room = path_ ? owner_.out_.room(*path_, scratch_.size()) : std::span<uint8_t>{};
      if (room.empty()) {
        ++stats_.unsent_out;
        continue;
      }
      std::copy(scratch_.begin(), scratch_.end(), room.begin());
      owner_.out_.commit(scratch_.size());
    }
  }
  if (!channels_) dtls_->release_buffers();
  if (dtls_->state() == DtlsState::kFailed) fail(dtls_->error().code);
  if (dtls_->state() == DtlsState::kClosed) fail(Code::kDtlsClosed);
  owner_.schedule(*this);
}

void Peer::become_connected(MonoUs now) {
  state_ = PeerState::kConnected;
  if (const auto keys = dtls_->srtp_keys()) {
    auto sender = SrtpSender::make(keys->send);
    auto receiver = SrtpReceiver::make(keys->receive);
    if (!sender || !receiver) return fail(Code::kSrtpKey);
    sender_.emplace(std::move(*sender));
    receiver_.emplace(std::move(*receiver));
  }
  if (channels_) channels_->start(now);
}

std::span<uint8_t> Peer::on_media(std::span<uint8_t> datagram, bool rtcp) {
  if (!receiver_) {
    ++stats_.early_in;
    return {};
  }
  stats_.bytes_in += datagram.size();
  const auto plain = rtcp ? receiver_->unprotect_rtcp(datagram) : receiver_->unprotect(datagram);
  if (!plain) {
    ++stats_.refused_in;
    return {};
  }
  ++(rtcp ? stats_.rtcp_in : stats_.rtp_in);
  return *plain;
}

void Peer::send_rtp(ByteView head, ByteView payload) {
  const size_t most = head.size() + payload.size() + kSrtpMaxTagBytes;
  const auto room = sender_ && path_ ? owner_.out_.room(*path_, most) : std::span<uint8_t>{};
  if (room.empty()) {
    ++stats_.unsent_out;
    return;
  }
  const auto size = sender_->protect_into(head, payload, room);
  if (!size) {
    ++stats_.unsent_out;
    return;
  }
  owner_.out_.commit(*size);
  ++stats_.rtp_out;
  stats_.bytes_out += *size;
}

void Peer::send_rtcp(ByteView compound) {
  const size_t most = compound.size() + kSrtcpMaxOverheadBytes;
  const auto room = sender_ && path_ ? owner_.out_.room(*path_, most) : std::span<uint8_t>{};
  if (room.empty()) {
    ++stats_.unsent_out;
    return;
  }
  const auto size = sender_->protect_rtcp_into(compound, room);
  if (!size) {
    ++stats_.unsent_out;
    return;
  }
  owner_.out_.commit(*size);
  ++stats_.rtcp_out;
  stats_.bytes_out += *size;
}

void Peer::flush(MonoUs now) {
  if (dtls_ && state_ != PeerState::kClosed) pump(now);
}

void Peer::close(MonoUs now) {
  if (state_ == PeerState::kClosed) return;
  if (dtls_) {
    dtls_->close(now);
    pump(now);
  }
  fail(Code::kDtlsClosed);
}

void Peer::fail(Code reason) {
  if (state_ == PeerState::kClosed) return;
  state_ = PeerState::kClosed;
  reason_ = reason;
  sender_.reset();
  receiver_.reset();
  owner_.end(*this);
}

MonoUs Peer::deadline() const {
  if (!dtls_ || state_ == PeerState::kClosed) return kNever;
  const MonoUs data =
      channels_ && state_ == PeerState::kConnected ? channels_->deadline_us() : kNever;
  return std::min(dtls_->deadline_us(), data);
}

void Peer::on_deadline(MonoUs now) {
  if (!dtls_ || state_ == PeerState::kClosed) return;
  if (dtls_->deadline_us() <= now) dtls_->on_deadline(now);
  if (channels_ && channels_->deadline_us() <= now) channels_->on_deadline(now);
  pump(now);
}

// --- all sessions
// ---------------------------------------------------------------------------------

PeerTransports::PeerTransports(Entropy& entropy, std::shared_ptr<const DtlsIdentity> identity,
                               const Config& config)
    : entropy_(entropy),
      identity_(std::move(identity)),
      max_channels_(config.max_channels),
      ice_(entropy, config.max_sessions, config.ufrag_prefix),
      out_(config.out_bytes, config.out_datagrams) {}

Result<Peer*> PeerTransports::open(MonoUs now) {
  const auto session = ice_.open(now);
  if (!session) return std::unexpected(session.error());
  auto& peer = peers_[*session];
  peer.reset(new Peer(*this, *session));
  return peer.get();
}

void PeerTransports::forget(IceSession session) {
  ice_.close(session);
  peers_.erase(session);
}

Peer* PeerTransports::find(IceSession session) {
  const auto found = peers_.find(session);
  return found == peers_.end() ? nullptr : found->second.get();
}

SdpFingerprint PeerTransports::fingerprint() const {
  return {identity_->fingerprint().algorithm, identity_->fingerprint().digest};
}

void PeerTransports::on_path_gone(const Path& path) {
  const auto session = ice_.session_of(path);
  ice_.forget_path(path);
  refresh_path(session);
}

void PeerTransports::refresh_path(std::optional<IceSession> session) {
  Peer* peer = session ? find(*session) : nullptr;
  if (!peer) return;
  const Path* selected = ice_.selected(*session);
  peer->path_ = selected ? std::optional(*selected) : std::nullopt;
}

Received PeerTransports::on_datagram(const Path& path, std::span<uint8_t> datagram, MonoUs now) {
  ++stats_.datagrams;
  const DatagramKind kind = datagram_kind(datagram);
  if (kind == DatagramKind::kUnknown) {
    ++stats_.unknown;
    return {};
  }
  if (kind == DatagramKind::kStun) {
    std::array<uint8_t, IceLite::kReplyBytes> reply;
    const auto tenant = ice_.session_of(path);
    const IceOutcome outcome = ice_.on_stun(path, datagram, now, reply);
    if (!outcome.reply.empty()) {
      const auto room = out_.room(path, outcome.reply.size());
      if (!room.empty()) {
        std::copy(outcome.reply.begin(), outcome.reply.end(), room.begin());
        out_.commit(outcome.reply.size());
      }
    }
    if (outcome.session && tenant != outcome.session) refresh_path(tenant);  // it moved out
    Peer* peer = outcome.session ? find(*outcome.session) : nullptr;
    if (!peer) return {};
    if (outcome.selected_changed) peer->on_selected(now);
    return {ReceivedKind::kChanged, peer, {}};
  }
  const auto session = ice_.session_of(path);
  Peer* peer = session ? find(*session) : nullptr;
  if (!peer || peer->state_ == PeerState::kClosed) {
    ++stats_.strangers;
    return {};
  }
  if (kind == DatagramKind::kDtls) {
    peer->on_dtls(datagram, now);
    return {ReceivedKind::kChanged, peer, {}};
  }
  const bool rtcp = kind == DatagramKind::kRtcp;
  const auto plain = peer->on_media(datagram, rtcp);
  if (plain.empty()) return {};
  return {rtcp ? ReceivedKind::kRtcp : ReceivedKind::kRtp, peer, plain};
}

void PeerTransports::schedule(Peer& peer) {
  const MonoUs due = peer.deadline();
  if (due != kNever && (due < peer.scheduled_ || peer.scheduled_ == kNever)) {
    peer.scheduled_ = due;
    timers_.push({due, peer.session_});
  }
}

MonoUs PeerTransports::deadline() const {
  return std::min(ice_.deadline(), timers_.empty() ? kNever : timers_.top().due);
}

void PeerTransports::on_time(MonoUs now) {
  while (!timers_.empty() && timers_.top().due <= now) {
    Peer* peer = find(timers_.top().session);
    timers_.pop();
    if (!peer) continue;
    peer->scheduled_ = kNever;
    if (peer->deadline() <= now) peer->on_deadline(now);
    schedule(*peer);
  }
  if (ice_.deadline() > now) return;
  lost_.clear();
  ice_.expire(now, lost_);
  for (const IceSession session : lost_) {
    if (Peer* peer = find(session)) peer->fail(Code::kIceConsent);
  }
}

Peer* PeerTransports::next_ended() {
  while (!ended_.empty()) {
    const IceSession session = ended_.back();
    ended_.pop_back();
    if (Peer* peer = find(session)) return peer;
  }
  return nullptr;
}

}  // namespace footlight::rtc
