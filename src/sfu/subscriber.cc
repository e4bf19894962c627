#include "sfu/subscriber.h"

#include <algorithm>

#include "rtc/rtcp.h"

namespace footlight::sfu {
namespace {

constexpr double kPacingFactor = 2.5;
constexpr double kBurstS = 0.04;           // what may go at once, as a share of the pacing rate
constexpr double kMinBurstBytes = 15'000;  // a key frame of a small picture, or a frame at 2.5 Mbps
constexpr double kMostDebtS = 0.5;         // of resends, as a share of the pacing rate
constexpr MonoUs kAllocateUs = 100 * kUsPerMs;
constexpr MonoUs kReportUs = kUsPerSecond;
constexpr MonoUs kLookUs = 50 * kUsPerMs;
constexpr int64_t kMinAudioBps = 40'000;
constexpr size_t kMaxProbePackets = 40;
constexpr int kActive = 25;  // who speaks goes before their equals, and before no one else
constexpr MonoUs kTimeUs = 200 * kUsPerMs;

}  // namespace

Status Subscriber::watch(Track& track, const OutgoingSpec& spec, const WatchOptions& options) {
  if (find(track)) return fail(Code::kTrackExists);
  const auto parked = std::ranges::find(places_, spec.ssrc, &Subscription::Place::ssrc);
  if (parked == places_.end() && watches_.size() + places_.size() == kMaxWatches) {
    return fail(Code::kTrackLimit);
  }
  watches_.push_back(std::make_unique<Watch>(Watch{&track, Subscription(spec), options, 0}));
  if (parked != places_.end()) {
    watches_.back()->subscription.resume(*parked);
    places_.erase(parked);
  }
  demands_.resize(watches_.size());
  careful_.resize(watches_.size());
  allocated_at_ = -kUsPerSecond;
  rests_until_ = reports_at_ = 0;
  return {};
}

void Subscriber::unwatch(const Track& track) {
  for (auto& queued : queue_) {
    if (queued.watch && queued.watch->track == &track) queued.watch = nullptr;
  }
  const auto gone = std::ranges::find(
      watches_, &track, [](const auto& watch) { return static_cast<const Track*>(watch->track); });
  if (gone == watches_.end()) return;
  places_.push_back((*gone)->subscription.place());
  watches_.erase(gone);
  demands_.resize(watches_.size());
  careful_.resize(watches_.size());
}

Watch* Subscriber::find(const Track& track) {
  // Tracks are mostly asked for in the order they are watched in.
  for (size_t i = 0, at = found_at_ + 1; i < watches_.size(); ++i, ++at) {
    if (at >= watches_.size()) at = 0;
    if (watches_[at]->track != &track) continue;
    found_at_ = at;
    return watches_[at].get();
  }
  return nullptr;
}

bool Subscriber::set_options(const Track& track, const WatchOptions& options) {
  Watch* watch = find(track);
  if (!watch) return false;
  watch->options = options;
  if (options.paused) watch->subscription.set_target(std::nullopt);
  allocated_at_ = -kUsPerSecond;
  rests_until_ = 0;
  return true;
}

void Subscriber::choose_anew(const Track& track) {
  if (!find(track)) return;
  allocated_at_ = -kUsPerSecond;
  rests_until_ = 0;
}

// --- sending
// --------------------------------------------------------------------------------------

void Subscriber::prefetch() const {
  __builtin_prefetch(&found_at_);
  __builtin_prefetch(&watches_);
  __builtin_prefetch(&budget_bytes_);
}

void Subscriber::forward(Track& track, MonoUs now) {
  Watch* watch = find(track);
  if (!watch) return;
  refill(now);
  for (const auto& pending : track.pending) {
    const Packet* packet = track.encodings[pending.encoding].stream.find(pending.sequence);
    if (!packet) continue;
    if (track.audio() || (queue_size_ == 0 && budget_bytes_ > 0)) {
      send(*watch, pending.encoding, *packet, now);
    } else {
      enqueue(*watch, pending.encoding, pending.sequence);
    }
  }
}

void Subscriber::send(Watch& watch, uint8_t encoding, const Packet& packet, MonoUs now) {
  const auto outgoing =
      watch.subscription.forward(watch.track->encodings[encoding].stream, encoding, packet,
                                 estimator_.next_sequence(), now, head_);
  if (outgoing) put_out(*outgoing, now, 0);
}

void Subscriber::put_out(const Outgoing& outgoing, MonoUs now, uint8_t cluster) {
  const size_t bytes = outgoing.bytes() + kOverheadBytes;
  estimator_.on_sent(bytes, now, cluster);
  budget_bytes_ -= static_cast<double>(bytes);
  ++stats_.packets;
  stats_.bytes += outgoing.bytes();
  sink_.send_rtp(outgoing.head, outgoing.payload);
}

void Subscriber::refill(MonoUs now) {
  const double rate = kPacingFactor * static_cast<double>(estimator_.estimate_bps()) / 8;
  const double most = std::max(rate * kBurstS, kMinBurstBytes);
  budget_bytes_ += rate * static_cast<double>(now - refilled_at_) / 1e6;
  budget_bytes_ = std::clamp(budget_bytes_, -rate * kMostDebtS - kMinBurstBytes, most);
  refilled_at_ = now;
}

void Subscriber::enqueue(Watch& watch, uint8_t encoding, int64_t sequence) {
  if (queue_.empty()) queue_.resize(kMaxQueue);  // most paths never need it
  rests_until_ = 0;
  if (queue_size_ == queue_.size()) {
    queue_first_ = (queue_first_ + 1) % queue_.size();
    --queue_size_;
    ++stats_.queue_drops;
  }
  queue_[(queue_first_ + queue_size_++) % queue_.size()] = {&watch, sequence, encoding};
  stats_.queued = queue_size_;
}

void Subscriber::drain(MonoUs now) {
  refill(now);
  while (queue_size_ > 0 && budget_bytes_ > 0) {
    const Queued queued = queue_[queue_first_];
    queue_first_ = (queue_first_ + 1) % queue_.size();
    --queue_size_;
    if (!queued.watch) continue;
    const IncomingStream& stream = queued.watch->track->encodings[queued.encoding].stream;
    if (const Packet* packet = stream.find(queued.sequence)) {
      send(*queued.watch, queued.encoding, *packet, now);
    }
  }
  stats_.queued = queue_size_;
}

// --- feedback
// -------------------------------------------------------------------------------------

Watch* Subscriber::by_ssrc(uint32_t ssrc) {
  for (const auto& watch : watches_) {
    if (watch->subscription.ssrc() == ssrc) return watch.get();
  }
  return nullptr;
}

bool Subscriber::on_rtcp(ByteView compound, MonoUs now) {
  rtc::RtcpReader reader(compound);
  rtc::RtcpPacket packet;
  bool ok = true;
  while (reader.next(packet)) {
    switch (packet.type) {
      case rtc::RtcpType::kSenderReport:
      case rtc::RtcpType::kReceiverReport:
        on_reports(packet, now);
        break;
      case rtc::RtcpType::kTransportFeedback:
        if (packet.count == rtc::kRtpfbNack) on_nack(packet, now);
        if (packet.count == rtc::kRtpfbTransportCc) ok &= estimator_.on_feedback(packet, now);
        break;
      case rtc::RtcpType::kPayloadFeedback:
        on_payload_feedback(packet);
        break;
      case rtc::RtcpType::kExtendedReport:
        on_extended_report(packet, now);
        break;
      default:
        break;
    }
  }
  rests_until_ = 0;
  // A path that became much narrower cannot wait for the next turn of the allocation.
  if (estimator_.estimate_bps() < allocated_for_bps_ * 9 / 10) allocated_at_ = -kUsPerSecond;
  return ok && reader.ok();
}

void Subscriber::on_reports(const rtc::RtcpPacket& packet, MonoUs now) {
  for (size_t i = 0; i < rtc::report_block_count(packet); ++i) {
    const rtc::ReportBlock block = rtc::read_report_block(packet, i);
    Watch* watch = by_ssrc(block.ssrc);
    if (!watch || watch->reported_at == 0 || block.last_sr == 0) continue;
    // Our last report went out at reported_at; older ones are not looked up.
    const MonoUs held = static_cast<MonoUs>(block.delay_since_last_sr) * kUsPerSecond / 65'536;
    const MonoUs round_trip = now - watch->reported_at - held;
    if (round_trip > 0 && round_trip < 3 * kUsPerSecond) estimator_.set_round_trip(round_trip);
  }
}

// RFC 3611 section 4.5: who only receives learns its round trip by this. Answered at once, so that
// nothing is kept, but no more often than asking for it is of use.
void Subscriber::on_extended_report(const rtc::RtcpPacket& packet, MonoUs now) {
  const auto report = rtc::read_extended_report(packet);
  if (!report || !report->receiver_time_ntp || now - timed_at_ < kTimeUs) return;
  timed_at_ = now;
  std::array<uint8_t, 64> buffer;
  rtc::RtcpWriter writer(buffer);
  writer.receiver_report(kOurSsrc);
  const auto asked = static_cast<uint32_t>(*report->receiver_time_ntp >> 16);
  writer.dlrr(kOurSsrc, std::array{rtc::DlrrItem{packet.sender_ssrc(), asked, 0}});
  sink_.send_rtcp(writer.bytes());
}

void Subscriber::on_nack(const rtc::RtcpPacket& packet, MonoUs now) {
  rtc::NackReader reader(packet);
  Watch* watch = by_ssrc(reader.media_ssrc());
  if (!watch) return;
  const auto find_stream = [&](uint8_t encoding) -> const IncomingStream* {
    return &watch->track->encodings[encoding].stream;
  };
  uint16_t sequence;
  while (reader.next(sequence)) {
    const auto outgoing = watch->subscription.resend(sequence, estimator_.next_sequence(), now,
                                                     estimator_.round_trip(), find_stream, head_);
    if (!outgoing) continue;
    if (watch->subscription.spec().rtx_ssrc) {
      put_out(*outgoing, now, 0);
    } else {
      // The very same packet, with the transport number it had: not a new one to the estimator.
      budget_bytes_ -= static_cast<double>(outgoing->bytes() + kOverheadBytes);
      sink_.send_rtp(outgoing->head, outgoing->payload);
    }
  }
}

void Subscriber::on_payload_feedback(const rtc::RtcpPacket& packet) {
  const auto wanted = [&](uint32_t ssrc) {
    Watch* watch = by_ssrc(ssrc);
    if (!watch || watch->track->audio()) return;
    const auto target = watch->subscription.target();
    const auto current = watch->subscription.current_stream();
    if (!target) return;
    watch->track->encodings[current.value_or(target->stream)].stream.request_key_frame();
  };
  if (packet.count == rtc::kPsfbPli) wanted(rtc::feedback_media_ssrc(packet));
  if (packet.count == rtc::kPsfbFir) {
    for (size_t i = 0; const auto entry = rtc::fir_entry(packet, i); ++i) wanted(entry->ssrc);
  }
  if (const auto remb = rtc::read_remb(packet)) {
    // Some peers send both; feedback about each packet says more.
    const bool transport = std::any_of(watches_.begin(), watches_.end(), [](const auto& watch) {
      return watch->subscription.spec().extensions.id_of(rtc::RtpExtension::kTransportCc) != 0;
    });
    constexpr uint64_t kMost = 10'000'000'000;
    if (!transport) estimator_.on_remb(static_cast<int64_t>(std::min(remb->bitrate_bps, kMost)));
  }
}

// --- time
// -----------------------------------------------------------------------------------------

void Subscriber::on_time(const Speakers& speakers, MonoUs now) {
  if (now < rests_until_ || watches_.empty()) return;
  if (now - allocated_at_ >= kAllocateUs) allocate_layers(speakers, now);
  drain(now);
  if (reports_at_ <= now) report_due(now);
  probe(now);
  const bool rests = queue_size_ == 0 && probed_for_bps() <= estimator_.estimate_bps();
  if (rests) rests_until_ = std::min(allocated_at_ + kAllocateUs, reports_at_);
}

void Subscriber::report_due(MonoUs now) {
  reports_at_ = now + kReportUs;
  for (const auto& watch : watches_) {
    if (now - watch->reported_at >= kReportUs) report(*watch, now);
    // One that has nothing to report yet is looked at again soon.
    reports_at_ = std::min(reports_at_, std::max(watch->reported_at + kReportUs, now + kLookUs));
  }
}

// What can be had of a track now; false when nothing should be.
bool Subscriber::describe(const Watch& watch, const Speakers& speakers, MonoUs now,
                          Demand& demand) const {
  demand.option_count = 0;
  demand.priority = watch.options.priority;
  demand.audio = watch.track->audio();
  if (watch.options.paused) return false;
  if (demand.audio) {
    const auto& rates = watch.track->encodings[0].stream.rates();
    demand.offer({0, 0, 0}, std::max(kMinAudioBps, rates.up_to_bps(0, 0, now)));
    return true;
  }
  if (speakers.active() == watch.track->owner) {
    demand.priority = static_cast<uint8_t>(std::min(demand.priority + kActive, 255));
  }
  const Layer max = watch.options.max;
  const Track& track = *watch.track;
  for (size_t rank = 0; rank < track.encodings.size() && rank <= max.stream; ++rank) {
    const uint8_t i = track.by_quality[rank];
    const IncomingStream& stream = track.encodings[i].stream;
    const LayerRates& rates = stream.rates();
    if (!stream.active(now)) continue;
    for (uint8_t s = 0; s < rates.spatial_count() && s <= max.spatial; ++s) {
      for (uint8_t t = 0; t < rates.temporal_count() && t <= max.temporal; ++t) {
        const int64_t bps = rates.up_to_bps(s, t, now);
        const bool better =
            demand.option_count == 0 || bps > demand.options[demand.option_count - 1].bps;
        // A stream that just began has no measured rate yet.
        if (bps > 0 && better) {
          demand.offer({i, s, t}, bps);
        }
      }
    }
  }
  // Nothing came yet: be ready, so that the first key frame need not be asked for again.
  if (demand.option_count == 0) demand.offer({track.by_quality[0], 0, 0}, 0);
  return true;
}

void Subscriber::allocate_layers(const Speakers& speakers, MonoUs now) {
  allocated_at_ = now;
  allocated_for_bps_ = estimator_.estimate_bps();
  wanted_bps_ = 0;
  for (size_t i = 0; i < watches_.size(); ++i) {
    Demand& demand = demands_[i];
    describe(*watches_[i], speakers, now, demand);
    if (demand.option_count) wanted_bps_ += demand.options[demand.option_count - 1].bps;
    careful_[i] = demand;
  }
  // Up only with room to spare, so that a choice does not flip with every wave of the estimate.
  allocate(careful_, allocated_for_bps_ * 85 / 100);
  allocate(demands_, allocated_for_bps_ * 97 / 100);
  allocated_bps_ = 0;
  for (size_t i = 0; i < watches_.size(); ++i) {
    const Demand& demand = demands_[i];
    int now_at = Demand::kPaused;
    const auto target = watches_[i]->subscription.target();
    for (size_t k = 0; target && k < demand.option_count; ++k) {
      if (demand.options[k].layer == *target) now_at = static_cast<int>(k);
    }
    const int careful = careful_[i].chosen;
    apply(i, careful > now_at ? careful : std::min(now_at, demand.chosen), demand, now);
  }
}

void Subscriber::apply(size_t index, int chosen, const Demand& demand, MonoUs now) {
  Watch& watch = *watches_[index];
  // What is there no more (an encoding the publisher stopped) leaves the choice to the rest.
  if (chosen == Demand::kPaused && demand.chosen != Demand::kPaused) chosen = demand.chosen;
  if (chosen == Demand::kPaused) {
    watch.subscription.set_target(std::nullopt);
    for (auto& queued : queue_) {
      if (queued.watch == &watch) queued.watch = nullptr;
    }
    return;
  }
  const LayerOption& option = demand.options[static_cast<size_t>(chosen)];
  allocated_bps_ += option.bps;
  watch.subscription.set_target(option.layer);
  if (!demand.audio && watch.subscription.needs_key_frame()) {
    IncomingStream& stream = watch.track->encodings[option.layer.stream].stream;
    if (stream.active(now)) stream.request_key_frame();
  }
}

void Subscriber::report(Watch& watch, MonoUs now) {
  const auto current = watch.subscription.current_stream();
  if (!current) return;
  const auto info = watch.track->encodings[*current].stream.report_at(now);
  if (!info) return;
  rtc::SenderInfo ours = *info;
  ours.ssrc = watch.subscription.ssrc();
  ours.rtp_timestamp += watch.subscription.timestamp_offset();
  ours.packets = static_cast<uint32_t>(watch.subscription.stats().packets);
  ours.payload_bytes = static_cast<uint32_t>(watch.subscription.stats().bytes);
  std::array<uint8_t, 128> buffer;
  rtc::RtcpWriter writer(buffer);
  writer.sender_report(ours);
  writer.sdes_cname(ours.ssrc, "footlight");
  watch.reported_at = now;
  sink_.send_rtcp(writer.bytes());
}

void Subscriber::probe(MonoUs now) {
  if (queue_size_ > 0) return;  // there is enough to send as it is
  const auto probe = estimator_.take_probe(probed_for_bps(), now);
  if (!probe) return;
  int64_t left = probe->bytes;
  for (size_t sent = 0; left > 0 && sent < kMaxProbePackets;) {
    const size_t before = sent;
    for (const auto& watch : watches_) {
      const auto find_stream = [&](uint8_t encoding) -> const IncomingStream* {
        return &watch->track->encodings[encoding].stream;
      };
      if (watch->track->audio() || left <= 0) continue;
      const auto outgoing =
          watch->subscription.probe(estimator_.next_sequence(), find_stream, head_);
      if (!outgoing) continue;
      put_out(*outgoing, now, probe->cluster);
      left -= static_cast<int64_t>(outgoing->bytes() + kOverheadBytes);
      ++stats_.probe_packets;
      ++sent;
    }
    if (sent == before) return;  // nothing that could be sent again
  }
}

}  // namespace footlight::sfu
