#include "ops/media_watcher.h"

#include <algorithm>
#include <array>

#include "ops/clip.h"
#include "rtc/rtp.h"
#include "rtc/wire.h"
#include "sfu/payload.h"

namespace footlight::ops {
namespace {

constexpr MonoUs kAskUs = 10 * kUsPerMs;
constexpr MonoUs kFeedUs = 50 * kUsPerMs;
constexpr MonoUs kReceiverReportUs = kUsPerSecond;
constexpr size_t kBlocks = 24;  // of one receiver report

void add_to(MeterStats& sum, const MeterStats& more) {
  sum.packets += more.packets;
  sum.bytes += more.bytes;
  sum.duplicates += more.duplicates;
  sum.gaps += more.gaps;
  sum.repaired += more.repaired;
  sum.nacks += more.nacks;
  sum.key_frames_asked += more.key_frames_asked;
  sum.frames += more.frames;
  sum.key_frames += more.key_frames;
  sum.freezes += more.freezes;
  sum.frozen_us += more.frozen_us;
}

}  // namespace

void WatcherStats::add(const WatcherStats& other) {
  add_to(voice, other.voice);
  add_to(video, other.video);
  voices += other.voices;
  videos += other.videos;
  unknown += other.unknown;
  voice_us.merge(other.voice_us);
  video_us.merge(other.video_us);
  first_frame_us.merge(other.first_frame_us);
}

MediaWatcher::MediaWatcher(const WatcherOptions& options, const rtc::ClientPeer::Config& config,
                           Entropy& entropy, std::shared_ptr<const rtc::DtlsIdentity> identity,
                           rtc::DatagramOut& out)
    : options_(options), peer_(config, entropy, std::move(identity), out) {}

Status MediaWatcher::accept(std::string_view text, MonoUs now) {
  if (peer_.state() != rtc::ClientPeerState::kNew) return fail(Code::kSdpState);
  auto answer = rtc::parse_sdp(text);
  if (!answer) return std::unexpected(answer.error());
  auto lines = read_answer(*answer, options_.voices + options_.pictures);
  if (!lines) return std::unexpected(lines.error());
  lines_ = std::move(*lines);
  if (std::ranges::none_of(lines_, &AnsweredLine::accepted)) {
    return fail(Code::kTrackCodec, "neither Opus nor VP8 is given");
  }
  for (const AnsweredLine& line : lines_) {
    if (line.rtx_ssrc != 0) originals_[line.rtx_ssrc] = line.ssrc;
    for (const auto which : {rtc::RtpExtension::kMid, rtc::RtpExtension::kTransportCc}) {
      extensions_.set(which, line.extensions.id_of(which));
    }
  }
  accepted_us_ = now;
  return peer_.accept(*answer, now);
}

void MediaWatcher::on_datagram(const rtc::Address& from, std::span<uint8_t> datagram, MonoUs now) {
  const auto received = peer_.on_datagram(from, datagram, now);
  if (received.bytes.empty()) return;
  if (received.kind == rtc::DatagramKind::kRtp) on_rtp(received.bytes, now);
  if (received.kind == rtc::DatagramKind::kRtcp) on_rtcp(received.bytes, now);
}

MediaWatcher::Stream* MediaWatcher::stream_of(uint32_t ssrc, uint8_t payload_type,
                                              std::string_view mid) {
  const auto found = streams_.find(ssrc);
  if (found != streams_.end()) return &found->second;
  if (payload_type != kVp8Type && payload_type != kOpusType) return nullptr;
  if (streams_.size() == kMaxStreams) return nullptr;
  Stream& made = streams_.emplace(ssrc, payload_type == kVp8Type).first->second;
  made.mid = mid;
  return &made;
}

// Whom a retransmission repeats: as the answer says, or the picture of the same m-line.
uint32_t MediaWatcher::original_of(uint32_t rtx_ssrc, std::string_view mid) const {
  const auto found = originals_.find(rtx_ssrc);
  if (found != originals_.end()) return found->second;
  if (mid.empty()) return 0;
  for (const auto& [ssrc, stream] : streams_) {
    if (stream.meter.video() && stream.mid == mid) return ssrc;
  }
  return 0;
}

void MediaWatcher::on_rtp(std::span<uint8_t> packet, MonoUs now) {
  rtc::RtpView view;
  if (!rtc::parse_rtp(packet, view)) return;
  rtc::RtpExtensionValues values;
  rtc::read_rtp_extensions(view, extensions_, values);
  const auto number = rtc::read_transport_cc(values[rtc::RtpExtension::kTransportCc]);
  if (number) feedback_.on_packet(*number, now);
  const std::string mid(rtc::read_stream_name(values[rtc::RtpExtension::kMid]));
  if (view.payload_type == kRtxType) {
    const uint32_t original = original_of(view.ssrc, mid);
    if (original == 0 || !rtc::unwrap_rtx(packet, {kVp8Type, original})) return;
    if (!rtc::parse_rtp(packet, view)) return;
  }
  Stream* stream = stream_of(view.ssrc, view.payload_type, mid);
  const ByteView payload = view.payload();
  if (!stream || view.payload_type != (stream->meter.video() ? kVp8Type : kOpusType)) {
    ++unknown_;
    return;
  }
  MeterPacket met;
  met.sequence = view.sequence;
  met.timestamp = view.timestamp;
  met.bytes = packet.size();
  if (stream->meter.video()) {
    sfu::Vp8Descriptor descriptor;
    const bool read = sfu::read_vp8(payload, descriptor);
    met.start = read && descriptor.start;
    met.key = read && descriptor.key_frame;
    met.end = view.marker;
    met.filler = payload.empty();
  }
  if (!stream->meter.accept(met, now)) return;
  const auto sent = read_stamp(payload, options_.run);
  if (!sent) return;
  auto& way = stream->meter.video() ? video_us_ : voice_us_;
  way.record(static_cast<uint64_t>(std::max<MonoUs>(0, now - *sent)));
}

void MediaWatcher::on_rtcp(ByteView compound, MonoUs now) {
  rtc::RtcpReader reader(compound);
  rtc::RtcpPacket packet;
  while (reader.next(packet)) {
    const auto info = rtc::read_sender_info(packet);
    if (!info) continue;
    const auto found = streams_.find(info->ssrc);
    if (found != streams_.end()) found->second.meter.on_sender_report(*info, now);
  }
}

MonoUs MediaWatcher::deadline() const {
  const MonoUs at = peer_.deadline();
  if (!peer_.connected()) return at;
  const bool waits =
      std::ranges::any_of(streams_, [](const auto& each) { return each.second.meter.waits(); });
  return std::min(
      {at, report_us_, feedback_.pending() ? feed_us_ : kNever, waits ? ask_us_ : kNever});
}

void MediaWatcher::on_time(MonoUs now) {
  peer_.on_time(now);
  if (!peer_.connected()) return;
  if (ask_us_ <= now) {
    ask_us_ = now + kAskUs;
    ask(now);
  }
  if (feed_us_ <= now) {
    feed_us_ = now + kFeedUs;
    feed_back();
  }
  if (report_us_ <= now) {
    report_us_ = now + kReceiverReportUs;
    report(now);
  }
}

void MediaWatcher::ask(MonoUs now) {
  for (auto& [ssrc, stream] : streams_) {
    if (!stream.meter.waits()) continue;
    std::array<uint16_t, 64> lost;
    std::array<uint8_t, 400> buffer;
    rtc::RtcpWriter writer(buffer);
    const size_t count = stream.meter.due_nacks(now, peer_.round_trip_us(), lost);
    if (count > 0) writer.nack(own_ssrc_, ssrc, std::span(lost).first(count));
    if (stream.meter.take_key_frame_request(now)) writer.pli(own_ssrc_, ssrc);
    if (!writer.empty()) peer_.send_rtcp(writer.bytes());
  }
}

void MediaWatcher::report(MonoUs now) {
  std::vector<rtc::ReportBlock> blocks;
  const auto send = [&] {
    std::array<uint8_t, 800> buffer;
    rtc::RtcpWriter writer(buffer);
    writer.receiver_report(own_ssrc_, blocks);
    writer.sdes_cname(own_ssrc_, "footlight");
    peer_.send_rtcp(writer.bytes());
    blocks.clear();
  };
  for (auto& [ssrc, stream] : streams_) {
    blocks.push_back(stream.meter.report_block(ssrc, now));
    if (blocks.size() == kBlocks) send();
  }
  if (!blocks.empty()) send();
}

void MediaWatcher::feed_back() {
  std::array<uint8_t, 1100> buffer;
  const uint32_t media = streams_.empty() ? 0 : streams_.begin()->first;
  while (const size_t size = feedback_.write(buffer, own_ssrc_, media)) {
    peer_.send_rtcp(ByteView(buffer).first(size));
  }
}

uint32_t MediaWatcher::take_loss_per_mille() {
  uint64_t gaps = 0, packets = 0;
  for (const auto& [ssrc, stream] : streams_) {
    const MeterStats stats = stream.meter.stats(0);
    gaps += stats.gaps;
    packets += stats.packets;
  }
  const uint64_t lost = gaps - told_gaps_, came = packets - told_packets_;
  told_gaps_ = gaps;
  told_packets_ = packets;
  return lost + came == 0 ? 0 : static_cast<uint32_t>(lost * 1000 / (lost + came));
}

void MediaWatcher::reset() {
  for (auto& [ssrc, stream] : streams_) stream.meter.reset();
  voice_us_.clear();
  video_us_.clear();
  told_gaps_ = told_packets_ = unknown_ = 0;
}

WatcherStats MediaWatcher::stats(MonoUs now) const {
  WatcherStats stats;
  for (const auto& [ssrc, stream] : streams_) {
    const MeterStats one = stream.meter.stats(now);
    add_to(stream.meter.video() ? stats.video : stats.voice, one);
    ++(stream.meter.video() ? stats.videos : stats.voices);
    if (stream.meter.video() && one.first_frame_us != 0) {
      stats.first_frame_us.record(static_cast<uint64_t>(one.first_frame_us - accepted_us_));
    }
  }
  stats.unknown = unknown_;
  stats.voice_us = voice_us_;
  stats.video_us = video_us_;
  return stats;
}

}  // namespace footlight::ops
