#include "rtc/sctp.h"

#include <algorithm>
#include <array>

#include "core/assert.h"
#include "rtc/internal/sctp_inbound.h"
#include "rtc/internal/sctp_outbound.h"
#include "rtc/internal/sctp_wire.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

constexpr MonoUs kFirstRtoUs = 500 * kUsPerMs;
// Above the delay of a peer's acknowledgements, which may be 200 ms.
constexpr MonoUs kLeastRtoUs = 300 * kUsPerMs;
constexpr MonoUs kMostRtoUs = 10 * kUsPerSecond;
constexpr MonoUs kHeartbeatUs = 30 * kUsPerSecond;
constexpr int kMaxSetupTries = 8;
constexpr int kMaxErrors = 10;
constexpr size_t kMaxControl = 16;
constexpr size_t kMaxResetStreams = 256;  // in one request; the next takes the rest

uint64_t seed_from(Entropy& entropy) {
  std::array<uint8_t, 8> bytes;
  entropy.fill(bytes);
  return load_u64(bytes.data());
}

}  // namespace

SctpAssociation::SctpAssociation(SctpConfig config, Entropy& entropy)
    : config_(config), random_(seed_from(entropy)), rto_us_(kFirstRtoUs) {
  while (tag_ == 0) tag_ = random_u32();
  first_tsn_ = random_u32();
  out_ = std::make_unique<SctpOutbound>(config_, first_tsn_);
}
SctpAssociation::~SctpAssociation() = default;

uint32_t SctpAssociation::random_u32() { return static_cast<uint32_t>(random_.next() >> 32); }

void SctpAssociation::connect(MonoUs now) {
  if (state_ != SctpState::kIdle) return;
  state_ = SctpState::kCookieWait;
  setup_due_ = true;
  setup_deadline_us_ = now + rto_us_;
}

Status SctpAssociation::send(uint16_t stream, uint32_t protocol, Bytes payload,
                             const SctpSendOptions& options, MonoUs now) {
  if (state_ > SctpState::kEstablished) return fail(Code::kSctpClosed);
  const uint16_t streams = in_ ? std::min(config_.streams, peer_.in_streams) : config_.streams;
  if (stream >= streams) return fail(Code::kChannelUnknown);
  if (payload.empty() || payload.size() > config_.max_message_bytes) {
    return fail(Code::kChannelMessageSize);
  }
  return out_->queue(stream, protocol, std::move(payload), options, now);
}

Status SctpAssociation::reset_stream(uint16_t stream) {
  if (state_ > SctpState::kEstablished) return fail(Code::kSctpClosed);
  if (stream >= config_.streams) return fail(Code::kChannelUnknown);
  to_reset_.insert(stream);
  return {};
}

size_t SctpAssociation::buffered_bytes(uint16_t stream) const { return out_->queued_bytes(stream); }
size_t SctpAssociation::buffered_bytes() const { return out_->queued_bytes(); }

bool SctpAssociation::next_event(SctpEvent& event) {
  if (events_.empty()) return false;
  event = std::move(events_.front());
  events_.pop_front();
  return true;
}

// --- ends
// ------------------------------------------------------------------------------------------

void SctpAssociation::shutdown(MonoUs now) {
  if (state_ < SctpState::kEstablished) return abort();
  if (state_ != SctpState::kEstablished) return;
  state_ = SctpState::kShutdownPending;
  settle_shutdown(now);
}

// Goes on with an end in order, once nothing is left to send (RFC 9260 section 9.2).
void SctpAssociation::settle_shutdown(MonoUs now) {
  if (!out_->idle()) return;
  if (state_ == SctpState::kShutdownPending) {
    state_ = SctpState::kShutdownSent;
    std::array<uint8_t, 4> tsn;
    store_u32(tsn.data(), in_->cumulative_tsn());
    answer(uint8_t(ChunkType::kShutdown), tsn);
    shutdown_deadline_us_ = now + rto_us_;
  } else if (state_ == SctpState::kShutdownReceived) {
    state_ = SctpState::kShutdownAckSent;
    answer(uint8_t(ChunkType::kShutdownAck));
    shutdown_deadline_us_ = now + rto_us_;
  }
}

void SctpAssociation::abort() { end_with(Code::kSctpClosed, "", true); }

void SctpAssociation::end_with(Code code, const char* detail, bool tell_peer) {
  if (state_ == SctpState::kEnded) return;
  state_ = SctpState::kEnded;
  // A SHUTDOWN COMPLETE that waits must still leave; everything else has lost its meaning.
  std::erase_if(control_, [](const Control& chunk) {
    return chunk.type != uint8_t(ChunkType::kShutdownComplete);
  });
  if (tell_peer && peer_tag_ != 0) answer(uint8_t(ChunkType::kAbort));
  setup_due_ = false;
  events_.push_back(SctpEnded{{code, detail}});
}

void SctpAssociation::count_error() {
  if (++errors_ > kMaxErrors) end_with(Code::kSctpTimeout, "too many timeouts in a row", true);
}

// RFC 9260 section 6.3.1.
void SctpAssociation::took_rtt(MonoUs sample_us) {
  if (smoothed_rtt_us_ == 0) {
    smoothed_rtt_us_ = std::max<MonoUs>(sample_us, 1);
    rtt_variance_us_ = sample_us / 2;
  } else {
    const MonoUs off = std::abs(smoothed_rtt_us_ - sample_us);
    rtt_variance_us_ = (3 * rtt_variance_us_ + off) / 4;
    smoothed_rtt_us_ = (7 * smoothed_rtt_us_ + sample_us) / 8;
  }
  rto_us_ = std::clamp(smoothed_rtt_us_ + 4 * rtt_variance_us_, kLeastRtoUs, kMostRtoUs);
}

// --- deadlines
// ---------------------------------------------------------------------------------------

MonoUs SctpAssociation::deadline_us() const {
  if (state_ == SctpState::kEnded) return kNever;
  MonoUs next = std::min({setup_deadline_us_, sack_deadline_us_, heartbeat_deadline_us_,
                          reset_deadline_us_, shutdown_deadline_us_});
  if (in_) next = std::min(next, out_->deadline_us());
  return next;
}

void SctpAssociation::on_deadline(MonoUs now) {
  if (state_ == SctpState::kEnded) return;
  const auto back_off = [this] { rto_us_ = std::min(2 * rto_us_, kMostRtoUs); };
  if (now >= setup_deadline_us_) {
    if (++setup_tries_ > kMaxSetupTries) {
      return end_with(Code::kSctpTimeout, "the peer did not answer", false);
    }
    back_off();
    setup_due_ = true;
    setup_deadline_us_ = now + rto_us_;
  }
  if (now >= sack_deadline_us_) sack_now_ = true;
  if (in_ && now >= out_->deadline_us()) {
    back_off();
    out_->on_timeout(now);
    count_error();
  }
  if (now >= reset_deadline_us_) {
    back_off();
    reset_due_ = reset_.has_value();
    reset_deadline_us_ = now + rto_us_;
    count_error();
  }
  if (now >= shutdown_deadline_us_) {
    back_off();
    shutdown_deadline_us_ = now + rto_us_;
    count_error();
    std::array<uint8_t, 4> tsn;
    store_u32(tsn.data(), in_->cumulative_tsn());
    state_ == SctpState::kShutdownSent ? answer(uint8_t(ChunkType::kShutdown), tsn)
                                       : answer(uint8_t(ChunkType::kShutdownAck));
  }
  if (now >= heartbeat_deadline_us_) {
    if (heartbeat_open_) count_error();
    heartbeat_open_ = true;
    heartbeat_nonce_ = random_u32();
    heartbeat_sent_us_ = now;
    heartbeat_deadline_us_ = now + kHeartbeatUs;
    std::array<uint8_t, 4> nonce;
    store_u32(nonce.data(), heartbeat_nonce_);
    Bytes value;
    add_parameter(value, SctpParameter::kHeartbeatInfo, nonce);
    answer(uint8_t(ChunkType::kHeartbeat), value);
  }
  settle_shutdown(now);
}

// --- what is sent
// ------------------------------------------------------------------------------------

void SctpAssociation::push_control(Control control) {
  // Beyond this the peer asks faster than it reads; it will ask again.
  if (control_.size() < kMaxControl) control_.push_back(std::move(control));
}

void SctpAssociation::answer(uint8_t type, ByteView value, uint8_t flags) {
  push_control(
      {.type = type, .flags = flags, .value = Bytes(value.begin(), value.end()), .tag = peer_tag_});
}

bool SctpAssociation::may_send_data() const {
  return state_ == SctpState::kEstablished || state_ == SctpState::kShutdownPending ||
         state_ == SctpState::kShutdownReceived;
}

size_t SctpAssociation::produce(std::span<uint8_t> out, MonoUs now) {
  FL_ASSERT(out.size() >= kSctpPacketBytes, "room for a packet");
  PacketWriter packet(out.first(kSctpPacketBytes));
  const auto finish = [&](uint32_t tag) {
    return packet.finish(config_.local_port, config_.remote_port, tag);
  };
  while (!control_.empty()) {
    const Control& next = control_.front();
    if (next.alone && !packet.empty()) break;
    if (next.value.size() > packet.room()) break;
    uint8_t* at = packet.add(ChunkType(next.type), next.flags, next.value.size());
    std::ranges::copy(next.value, at);
    const bool alone = next.alone;
    const uint32_t tag = next.tag;
    control_.pop_front();
    if (alone) return finish(tag);
  }
  if (setup_due_) {
    if (state_ == SctpState::kCookieWait && !packet.empty()) return finish(peer_tag_);
    add_setup(packet);
    if (!setup_due_) return finish(state_ == SctpState::kCookieWait ? 0 : peer_tag_);
  }
  if (in_ && state_ != SctpState::kEnded) {
    // An acknowledgement that will be due soon rides in front of data.
    const bool rides = sack_deadline_us_ != kNever && out_->queued_bytes() > 0;
    if ((sack_now_ || rides) && in_->write_sack(packet)) {
      sack_now_ = false;
      unacknowledged_packets_ = 0;
      sack_deadline_us_ = kNever;
    }
    if (may_send_data()) {
      add_reset_request(packet, now);
      out_->add_forward(packet, now, rto_us_);
      out_->add_data(packet, now, rto_us_);
    }
  }
  return packet.empty() ? 0 : finish(peer_tag_);
}

void SctpAssociation::add_setup(PacketWriter& packet) {
  if (state_ == SctpState::kCookieWait) {
    const Bytes value = init_value(tag_, first_tsn_);
    std::ranges::copy(value, packet.add(ChunkType::kInit, 0, value.size()));
  } else if (state_ == SctpState::kCookieEchoed) {
    if (cookie_.size() > packet.room()) return;
    std::ranges::copy(cookie_, packet.add(ChunkType::kCookieEcho, 0, cookie_.size()));
  }
  setup_due_ = false;
}

// One request at a time (RFC 6525 section 5.1.2), of streams whose last byte is acknowledged: a
// peer built on usrsctp that has to wait for data first may look at the request again only with the
// next data, which need not come.
void SctpAssociation::add_reset_request(PacketWriter& packet, MonoUs now) {
  if (!reset_ && !to_reset_.empty()) {
    ResetRequest request{.sequence = next_reset_sequence_, .last_tsn = out_->last_tsn()};
    std::vector<bool> busy(config_.streams);
    out_->mark_in_flight(busy);
    for (const uint16_t stream : to_reset_) {
      if (!busy[stream] && !out_->queued(stream) && request.streams.size() < kMaxResetStreams) {
        request.streams.push_back(stream);
      }
    }
    if (request.streams.empty()) return;
    for (const uint16_t stream : request.streams) to_reset_.erase(stream);
    if (!peer_.reconfig) {  // it cannot be told; our side of the stream is closed all the same
      for (const uint16_t stream : request.streams) out_->restart_sequence(stream);
      events_.push_back(SctpResetDone{std::move(request.streams)});
      return;
    }
    ++next_reset_sequence_;
    reset_ = std::move(request);
    reset_due_ = true;
  }
  if (!reset_ || !reset_due_) return;
  Bytes content(12 + 2 * reset_->streams.size());
  store_u32(content.data(), reset_->sequence);
  store_u32(&content[4], expected_reset_sequence_ - 1);
  store_u32(&content[8], reset_->last_tsn);
  for (size_t i = 0; i < reset_->streams.size(); ++i) {
    store_u16(&content[12 + 2 * i], reset_->streams[i]);
  }
  Bytes value;
  add_parameter(value, SctpParameter::kOutgoingReset, content);
  value.resize(4 + content.size());  // the last parameter's padding is the chunk's
  if (value.size() > packet.room()) return;
  std::ranges::copy(value, packet.add(ChunkType::kReconfig, 0, value.size()));
  reset_due_ = false;
  reset_deadline_us_ = now + rto_us_;
}

}  // namespace footlight::rtc
