#include "rtc/rtcp.h"

#include <algorithm>
#include <cstring>

#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

constexpr size_t kHeaderBytes = 4;
constexpr size_t kBlockBytes = 24;
constexpr size_t kSenderInfoBytes = 24;   // with the SSRC
constexpr size_t kFeedbackHeadBytes = 8;  // sender and media SSRC
constexpr uint32_t kRembName = 0x52454D42;
constexpr uint8_t kXrReceiverTime = 4;
constexpr uint8_t kXrDlrr = 5;

size_t blocks_offset(const RtcpPacket& packet) {
  return packet.type == RtcpType::kSenderReport ? kSenderInfoBytes : 4;
}

}  // namespace

uint32_t RtcpPacket::sender_ssrc() const { return body.size() < 4 ? 0 : load_u32(body.data()); }

bool RtcpReader::next(RtcpPacket& packet) {
  if (rest_.empty() || !ok_) return false;
  ok_ = false;
  if (rest_.size() < kHeaderBytes || (rest_[0] & 0xC0) != 0x80) return false;
  const size_t size = 4u * (load_u16(&rest_[2]) + 1u);
  if (rest_.size() < size) return false;
  size_t padding = 0;
  if (rest_[0] & 0x20) {
    padding = rest_[size - 1];
    // Transport feedback is padded to a word by less than a word, so no multiple of 4 is asked for.
    if (padding == 0 || padding > size - kHeaderBytes) return false;
  }
  packet.type = static_cast<RtcpType>(rest_[1]);
  packet.count = rest_[0] & 0x1F;
  packet.body = rest_.subspan(kHeaderBytes, size - kHeaderBytes - padding);
  rest_ = rest_.subspan(size);
  ok_ = true;
  return true;
}

size_t rtcp_items(ByteView compound) {
  RtcpReader reader(compound);
  RtcpPacket packet;
  size_t items = 0;
  while (reader.next(packet)) {
    const size_t bytes = packet.body.size();
    const size_t rest = bytes - std::min(bytes, kFeedbackHeadBytes);
    ++items;
    items += report_block_count(packet);
    if (packet.type == RtcpType::kBye) items += std::min<size_t>(packet.count, bytes / 4);
    if (packet.type == RtcpType::kPayloadFeedback && packet.count == kPsfbFir) items += rest / 8;
    if (packet.type != RtcpType::kTransportFeedback) continue;
    if (packet.count == kRtpfbNack) items += rest / 4;
    if (packet.count == kRtpfbTransportCc && bytes >= 12) {
      items += load_u16(&packet.body[10]) / kFeedbackPerItem;
    }
  }
  return std::max<size_t>(items, 1);
}

std::optional<SenderInfo> read_sender_info(const RtcpPacket& packet) {
  if (packet.type != RtcpType::kSenderReport || packet.body.size() < kSenderInfoBytes) {
    return std::nullopt;
  }
  const uint8_t* at = packet.body.data();
  return SenderInfo{load_u32(at), load_u64(at + 4), load_u32(at + 12), load_u32(at + 16),
                    load_u32(at + 20)};
}

size_t report_block_count(const RtcpPacket& packet) {
  if (packet.type != RtcpType::kSenderReport && packet.type != RtcpType::kReceiverReport) return 0;
  const size_t offset = blocks_offset(packet);
  if (packet.body.size() < offset) return 0;
  return std::min<size_t>(packet.count, (packet.body.size() - offset) / kBlockBytes);
}

ReportBlock read_report_block(const RtcpPacket& packet, size_t index) {
  const uint8_t* at = packet.body.data() + blocks_offset(packet) + index * kBlockBytes;
  ReportBlock block;
  block.ssrc = load_u32(at);
  block.fraction_lost = at[4];
  block.cumulative_lost = static_cast<int32_t>(load_u24(at + 5) << 8) >> 8;
  block.highest_sequence = load_u32(at + 8);
  block.jitter = load_u32(at + 12);
  block.last_sr = load_u32(at + 16);
  block.delay_since_last_sr = load_u32(at + 20);
  return block;
}

std::optional<int64_t> round_trip_us(const ReportBlock& block, uint64_t now_ntp) {
  if (block.last_sr == 0) return std::nullopt;
  const auto now_mid = static_cast<uint32_t>(now_ntp >> 16);
  const auto mid = static_cast<int32_t>(now_mid - block.delay_since_last_sr - block.last_sr);
  if (mid < 0) return std::nullopt;
  return static_cast<int64_t>(mid) * 1'000'000 / 65'536;
}

std::optional<uint32_t> bye_ssrc(const RtcpPacket& packet, size_t index) {
  if (packet.type != RtcpType::kBye || index >= packet.count) return std::nullopt;
  if (packet.body.size() < 4 * (index + 1)) return std::nullopt;
  return load_u32(&packet.body[4 * index]);
}

std::optional<SdesCname> read_sdes_cname(const RtcpPacket& packet) {
  if (packet.type != RtcpType::kSdes) return std::nullopt;
  ByteView rest = packet.body;
  for (uint8_t chunk = 0; chunk < packet.count && rest.size() >= 4; ++chunk) {
    const uint32_t ssrc = load_u32(rest.data());
    size_t at = 4;
    while (at < rest.size() && rest[at] != 0) {
      if (rest.size() < at + 2 || rest.size() < at + 2 + rest[at + 1]) return std::nullopt;
      if (rest[at] == 1) return SdesCname{ssrc, as_text(rest.subspan(at + 2, rest[at + 1]))};
      at += 2u + rest[at + 1];
    }
    at = (at + 4) & ~size_t{3};  // the list ends with at least one zero, up to the word's end
    rest = rest.subspan(std::min(at, rest.size()));
  }
  return std::nullopt;
}

uint32_t feedback_media_ssrc(const RtcpPacket& packet) {
  return packet.body.size() < kFeedbackHeadBytes ? 0 : load_u32(&packet.body[4]);
}

NackReader::NackReader(const RtcpPacket& packet) {
  if (packet.type != RtcpType::kTransportFeedback || packet.count != kRtpfbNack) return;
  if (packet.body.size() < kFeedbackHeadBytes) return;
  media_ssrc_ = feedback_media_ssrc(packet);
  rest_ = packet.body.subspan(kFeedbackHeadBytes);
}

bool NackReader::next(uint16_t& sequence) {
  if (mask_ == 0) {
    if (rest_.size() < 4) return false;
    base_ = load_u16(rest_.data());
    mask_ = 1u | static_cast<uint32_t>(load_u16(&rest_[2])) << 1;
    rest_ = rest_.subspan(4);
  }
  const int bit = __builtin_ctz(mask_);
  mask_ &= mask_ - 1;
  sequence = static_cast<uint16_t>(base_ + bit);
  return true;
}

std::optional<FirEntry> fir_entry(const RtcpPacket& packet, size_t index) {
  if (packet.type != RtcpType::kPayloadFeedback || packet.count != kPsfbFir) return std::nullopt;
  if (index > 1u << 16 || packet.body.size() < kFeedbackHeadBytes + 8 * (index + 1)) {
    return std::nullopt;
  }
  const uint8_t* at = packet.body.data() + kFeedbackHeadBytes + 8 * index;
  return FirEntry{load_u32(at), at[4]};
}

std::optional<Remb> read_remb(const RtcpPacket& packet) {
  constexpr size_t kFixed = kFeedbackHeadBytes + 8;
  if (packet.type != RtcpType::kPayloadFeedback || packet.count != kPsfbAfb) return std::nullopt;
  if (packet.body.size() < kFixed || load_u32(&packet.body[8]) != kRembName) return std::nullopt;
  const uint8_t exponent = packet.body[13] >> 2;
  const uint64_t mantissa = load_u24(&packet.body[13]) & 0x3'FFFF;
  const size_t count = packet.body[12];
  if (packet.body.size() < kFixed + 4 * count) return std::nullopt;
  // 18 + 46 bits are a whole word; what would not fit is no bit rate anyone has.
  const uint64_t bitrate = exponent > 46 ? UINT64_MAX : mantissa << exponent;
  return Remb{bitrate, packet.body.subspan(kFixed, 4 * count)};
}

std::optional<ExtendedReport> read_extended_report(const RtcpPacket& packet) {
  if (packet.type != RtcpType::kExtendedReport || packet.body.size() < 4) return std::nullopt;
  ExtendedReport report;
  ByteView rest = packet.body.subspan(4);
  while (rest.size() >= 4) {
    const size_t size = 4u * load_u16(&rest[2]);
    if (rest.size() < 4 + size) return std::nullopt;
    if (rest[0] == kXrReceiverTime && size == 8) report.receiver_time_ntp = load_u64(&rest[4]);
    if (rest[0] == kXrDlrr) report.dlrr = rest.subspan(4, size / 12 * 12);
    rest = rest.subspan(4 + size);
  }
  return report;
}

DlrrItem read_dlrr_item(const ExtendedReport& report, size_t index) {
  const uint8_t* at = report.dlrr.data() + 12 * index;
  return DlrrItem{load_u32(at), load_u32(at + 4), load_u32(at + 8)};
}

// --- writing ------------------------------------------------------------------------------------

uint8_t* RtcpWriter::begin(size_t bytes, uint8_t count, RtcpType type) {
  if (out_.size() - size_ < bytes) return nullptr;
  uint8_t* at = out_.data() + size_;
  at[0] = static_cast<uint8_t>(0x80 | count);
  at[1] = static_cast<uint8_t>(type);
  store_u16(at + 2, static_cast<uint16_t>(bytes / 4 - 1));
  size_ += bytes;
  return at + kHeaderBytes;
}

namespace {

uint8_t* write_blocks(uint8_t* at, std::span<const ReportBlock> blocks) {
  for (const auto& block : blocks) {
    store_u32(at, block.ssrc);
    at[4] = block.fraction_lost;
    store_u24(at + 5,
              static_cast<uint32_t>(std::clamp(block.cumulative_lost, -0x80'0000, 0x7F'FFFF)));
    store_u32(at + 8, block.highest_sequence);
    store_u32(at + 12, block.jitter);
    store_u32(at + 16, block.last_sr);
    store_u32(at + 20, block.delay_since_last_sr);
    at += kBlockBytes;
  }
  return at;
}

}  // namespace

bool RtcpWriter::sender_report(const SenderInfo& info, std::span<const ReportBlock> blocks) {
  if (blocks.size() > kRtcpMaxCount) return false;
  uint8_t* at = begin(kHeaderBytes + kSenderInfoBytes + kBlockBytes * blocks.size(),
                      static_cast<uint8_t>(blocks.size()), RtcpType::kSenderReport);
  if (!at) return false;
  store_u32(at, info.ssrc);
  store_u64(at + 4, info.ntp);
  store_u32(at + 12, info.rtp_timestamp);
  store_u32(at + 16, info.packets);
  store_u32(at + 20, info.payload_bytes);
  write_blocks(at + kSenderInfoBytes, blocks);
  return true;
}

bool RtcpWriter::receiver_report(uint32_t sender, std::span<const ReportBlock> blocks) {
  if (blocks.size() > kRtcpMaxCount) return false;
  uint8_t* at = begin(kHeaderBytes + 4 + kBlockBytes * blocks.size(),
                      static_cast<uint8_t>(blocks.size()), RtcpType::kReceiverReport);
  if (!at) return false;
  store_u32(at, sender);
  write_blocks(at + 4, blocks);
  return true;
}

bool RtcpWriter::sdes_cname(uint32_t ssrc, std::string_view cname) {
  if (cname.size() > 255) return false;
  const size_t chunk = (4 + 2 + cname.size() + 4) & ~size_t{3};
  uint8_t* at = begin(kHeaderBytes + chunk, 1, RtcpType::kSdes);
  if (!at) return false;
  std::memset(at, 0, chunk);
  store_u32(at, ssrc);
  at[4] = 1;
  at[5] = static_cast<uint8_t>(cname.size());
  std::copy(cname.begin(), cname.end(), at + 6);
  return true;
}

bool RtcpWriter::bye(std::span<const uint32_t> ssrcs) {
  if (ssrcs.size() > kRtcpMaxCount) return false;
  uint8_t* at =
      begin(kHeaderBytes + 4 * ssrcs.size(), static_cast<uint8_t>(ssrcs.size()), RtcpType::kBye);
  if (!at) return false;
  for (size_t i = 0; i < ssrcs.size(); ++i) store_u32(at + 4 * i, ssrcs[i]);
  return true;
}

size_t RtcpWriter::nack(uint32_t sender, uint32_t media, std::span<const uint16_t> lost) {
  const size_t room = out_.size() - size_;
  if (lost.empty() || room < kHeaderBytes + kFeedbackHeadBytes + 4) return 0;
  const size_t max_items = (room - kHeaderBytes - kFeedbackHeadBytes) / 4;
  uint8_t* items = out_.data() + size_ + kHeaderBytes + kFeedbackHeadBytes;
  size_t taken = 0, count = 0;
  while (taken < lost.size() && count < max_items) {
    const uint16_t base = lost[taken++];
    uint16_t mask = 0;
    while (taken < lost.size()) {
      const auto ahead = static_cast<uint16_t>(lost[taken] - base);
      if (ahead == 0 || ahead > 16) break;
      mask |= static_cast<uint16_t>(1u << (ahead - 1));
      ++taken;
    }
    store_u16(items + 4 * count, base);
    store_u16(items + 4 * count + 2, mask);
    ++count;
  }
  uint8_t* at = begin(kHeaderBytes + kFeedbackHeadBytes + 4 * count, kRtpfbNack,
                      RtcpType::kTransportFeedback);
  store_u32(at, sender);
  store_u32(at + 4, media);
  return taken;
}

bool RtcpWriter::pli(uint32_t sender, uint32_t media) {
  uint8_t* at = begin(kHeaderBytes + kFeedbackHeadBytes, kPsfbPli, RtcpType::kPayloadFeedback);
  if (!at) return false;
  store_u32(at, sender);
  store_u32(at + 4, media);
  return true;
}

bool RtcpWriter::fir(uint32_t sender, FirEntry entry) {
  uint8_t* at = begin(kHeaderBytes + kFeedbackHeadBytes + 8, kPsfbFir, RtcpType::kPayloadFeedback);
  if (!at) return false;
  store_u32(at, sender);
  store_u32(at + 4, 0);
  store_u32(at + 8, entry.ssrc);
  store_u32(at + 12, static_cast<uint32_t>(entry.sequence) << 24);
  return true;
}

bool RtcpWriter::remb(uint32_t sender, uint64_t bitrate_bps, std::span<const uint32_t> ssrcs) {
  if (ssrcs.size() > 255) return false;
  uint8_t* at = begin(kHeaderBytes + kFeedbackHeadBytes + 8 + 4 * ssrcs.size(), kPsfbAfb,
                      RtcpType::kPayloadFeedback);
  if (!at) return false;
  uint8_t exponent = 0;
  while (bitrate_bps >> exponent > 0x3'FFFF) ++exponent;
  store_u32(at, sender);
  store_u32(at + 4, 0);
  store_u32(at + 8, kRembName);
  at[12] = static_cast<uint8_t>(ssrcs.size());
  store_u24(at + 13,
            static_cast<uint32_t>(exponent) << 18 | static_cast<uint32_t>(bitrate_bps >> exponent));
  for (size_t i = 0; i < ssrcs.size(); ++i) store_u32(at + 16 + 4 * i, ssrcs[i]);
  return true;
}

bool RtcpWriter::receiver_time(uint32_t sender, uint64_t ntp) {
  uint8_t* at = begin(kHeaderBytes + 16, 0, RtcpType::kExtendedReport);
  if (!at) return false;
  store_u32(at, sender);
  store_u32(at + 4, static_cast<uint32_t>(kXrReceiverTime) << 24 | 2);
  store_u64(at + 8, ntp);
  return true;
}

bool RtcpWriter::dlrr(uint32_t sender, std::span<const DlrrItem> items) {
  if (items.size() > 100) return false;
  uint8_t* at = begin(kHeaderBytes + 8 + 12 * items.size(), 0, RtcpType::kExtendedReport);
  if (!at) return false;
  store_u32(at, sender);
  store_u32(at + 4, static_cast<uint32_t>(kXrDlrr) << 24 | static_cast<uint32_t>(3 * items.size()));
  for (size_t i = 0; i < items.size(); ++i) {
    store_u32(at + 8 + 12 * i, items[i].ssrc);
    store_u32(at + 12 + 12 * i, items[i].last_rr);
    store_u32(at + 16 + 12 * i, items[i].delay_since_last_rr);
  }
  return true;
}

bool RtcpWriter::append(ByteView packet) {
  if (packet.empty() || packet.size() % 4 || out_.size() - size_ < packet.size()) return false;
  std::memcpy(out_.data() + size_, packet.data(), packet.size());
  size_ += packet.size();
  return true;
}

}  // namespace footlight::rtc
