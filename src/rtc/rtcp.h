// RTCP compound packets (RFC 3550 section 6, RFC 4585, RFC 5104, RFC 3611, REMB and transport-wide
// feedback): a reader that walks the packets of a datagram, decoders for their bodies, and a writer
// into the caller's buffer.
//
// Nothing here allocates. Everything a decoder hands out lies within the datagram, so the cost of a
// datagram is linear in its bytes; the one format that says more than it holds (run lengths in
// transport feedback) is bounded by kMaxFeedbackPackets.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/bytes.h"

namespace footlight::rtc {

enum class RtcpType : uint8_t {
  kSenderReport = 200,
  kReceiverReport = 201,
  kSdes = 202,
  kBye = 203,
  kApp = 204,
  kTransportFeedback = 205,  // RTPFB
  kPayloadFeedback = 206,    // PSFB
  kExtendedReport = 207,
};
inline constexpr uint8_t kRtpfbNack = 1;          // RFC 4585 section 6.2.1
inline constexpr uint8_t kRtpfbTransportCc = 15;  // draft-holmer-rmcat-transport-wide-cc-…-01
inline constexpr uint8_t kPsfbPli = 1;            // RFC 4585 section 6.3.1
inline constexpr uint8_t kPsfbFir = 4;            // RFC 5104 section 4.3.1
inline constexpr uint8_t kPsfbAfb = 15;           // application layer: REMB
inline constexpr size_t kMaxFeedbackPackets = 4096;
inline constexpr uint8_t kRtcpMaxCount = 31;

struct RtcpPacket {
  RtcpType type = RtcpType::kApp;
  uint8_t count = 0;  // the 5-bit field: report count, or the feedback message type
  ByteView body;      // behind the 4-byte header, without padding; at least 4 bytes unless count 0
  uint32_t sender_ssrc() const;  // the first word; 0 when the body is empty
};

// Walks a compound packet. next() is false at the end and at the first malformed packet; ok() tells
// which. Unknown types are handed out too.
class RtcpReader {
 public:
  explicit RtcpReader(ByteView datagram) : rest_(datagram) {}
  bool next(RtcpPacket& packet);
  bool ok() const { return ok_; }

 private:
  ByteView rest_;
  bool ok_ = true;
};

// How much there is to look at in a compound, up to where it is malformed; at least 1: its packets,
// their report blocks, lost numbers (an item of a NACK, so up to 17), SSRCs of BYE and entries of
// FIR, and one more for each kFeedbackPerItem packets that transport feedback tells about.
inline constexpr size_t kFeedbackPerItem = 32;
size_t rtcp_items(ByteView compound);

struct SenderInfo {
  uint32_t ssrc = 0;
  uint64_t ntp = 0;  // UQ32.32 seconds since 1900
  uint32_t rtp_timestamp = 0;
  uint32_t packets = 0;
  uint32_t payload_bytes = 0;
};
std::optional<SenderInfo> read_sender_info(const RtcpPacket& packet);

struct ReportBlock {
  uint32_t ssrc = 0;                 // of the stream reported on
  uint8_t fraction_lost = 0;         // of 256, since the last report
  int32_t cumulative_lost = 0;       // 24 bits, may be negative with duplicates
  uint32_t highest_sequence = 0;     // cycles in the upper half
  uint32_t jitter = 0;               // in timestamp units
  uint32_t last_sr = 0;              // middle 32 bits of the sender report's NTP time; 0: none yet
  uint32_t delay_since_last_sr = 0;  // 1/65536 s
};
// How many report blocks an SR or RR has (only those that are whole), and the i-th.
size_t report_block_count(const RtcpPacket& packet);
ReportBlock read_report_block(const RtcpPacket& packet, size_t index);

// Round trip from a report block, in microseconds; nullopt when it answers no sender report.
// `now_ntp` is the arrival on the clock that the sender report was written with.
std::optional<int64_t> round_trip_us(const ReportBlock& block, uint64_t now_ntp);

// Each SSRC of a BYE, or nullopt past the end.
std::optional<uint32_t> bye_ssrc(const RtcpPacket& packet, size_t index);

// SDES: the CNAME of the first chunk that has one ("" when none).
struct SdesCname {
  uint32_t ssrc = 0;
  std::string_view cname;
};
std::optional<SdesCname> read_sdes_cname(const RtcpPacket& packet);

// Generic NACK: calls go through next(); each item is a lost sequence number. At most 17 per 4
// bytes of the datagram.
class NackReader {
 public:
  explicit NackReader(const RtcpPacket& packet);
  uint32_t media_ssrc() const { return media_ssrc_; }
  bool next(uint16_t& sequence);

 private:
  ByteView rest_;
  uint32_t media_ssrc_ = 0;
  uint16_t base_ = 0;
  uint32_t mask_ = 0;  // bit i: base_ + i is lost
};

// The media SSRC of a feedback message (RTPFB, PSFB): the second word; 0 when there is none.
uint32_t feedback_media_ssrc(const RtcpPacket& packet);

struct FirEntry {
  uint32_t ssrc = 0;
  uint8_t sequence = 0;  // a repeated number repeats the request
};
std::optional<FirEntry> fir_entry(const RtcpPacket& packet, size_t index);

// draft-alvestrand-rmcat-remb-03 section 2.2.
struct Remb {
  uint64_t bitrate_bps = 0;
  ByteView ssrcs;  // 4 bytes each
};
std::optional<Remb> read_remb(const RtcpPacket& packet);

// Transport-wide feedback: one item per reported sequence number, in order.
struct FeedbackItem {
  uint16_t sequence = 0;
  bool received = false;
  int64_t arrival_us = 0;  // received only; the receiver's clock, wraps at about 12.4 days
};
class TransportFeedbackReader {
 public:
  explicit TransportFeedbackReader(const RtcpPacket& packet);
  // False when the message is malformed or reports more than kMaxFeedbackPackets.
  bool ok() const { return ok_; }
  uint16_t base_sequence() const { return base_; }
  uint8_t feedback_count() const { return feedback_count_; }
  bool next(FeedbackItem& item);  // false at the end, or when it turns out malformed (then !ok())

 private:
  bool load_chunk();
  ByteView chunks_;
  ByteView deltas_;
  int64_t time_us_ = 0;
  uint16_t base_ = 0, sequence_ = 0;
  uint32_t left_ = 0;        // statuses still to come
  uint32_t chunk_left_ = 0;  // statuses left in the current chunk
  std::array<uint8_t, 14> symbols_{};
  uint8_t at_ = 0;
  bool run_ = false;
  uint8_t feedback_count_ = 0;
  bool ok_ = false;
};

// Extended reports: receiver reference time and the answer to it (RFC 3611 sections 4.4, 4.5).
struct DlrrItem {
  uint32_t ssrc = 0;  // of the receiver that sent the reference time
  uint32_t last_rr = 0;
  uint32_t delay_since_last_rr = 0;  // 1/65536 s
};
struct ExtendedReport {
  std::optional<uint64_t> receiver_time_ntp;
  ByteView dlrr;  // 12 bytes each
};
std::optional<ExtendedReport> read_extended_report(const RtcpPacket& packet);
DlrrItem read_dlrr_item(const ExtendedReport& report, size_t index);  // index < dlrr.size() / 12

// Writes a compound packet. A packet that does not fit is left out whole and the call answers
// false; bytes() is always well-formed.
class RtcpWriter {
 public:
  explicit RtcpWriter(std::span<uint8_t> out) : out_(out) {}
  ByteView bytes() const { return {out_.data(), size_}; }
  bool empty() const { return size_ == 0; }

  bool sender_report(const SenderInfo& info, std::span<const ReportBlock> blocks = {});
  bool receiver_report(uint32_t sender, std::span<const ReportBlock> blocks = {});
  bool sdes_cname(uint32_t ssrc, std::string_view cname);  // at most 255 bytes
  bool bye(std::span<const uint32_t> ssrcs);               // at most 31
  // Packs as many of the ascending `lost` as fit into one message; answers how many went in.
  size_t nack(uint32_t sender, uint32_t media, std::span<const uint16_t> lost);
  bool pli(uint32_t sender, uint32_t media);
  bool fir(uint32_t sender, FirEntry entry);
  bool remb(uint32_t sender, uint64_t bitrate_bps, std::span<const uint32_t> ssrcs);
  bool receiver_time(uint32_t sender, uint64_t ntp);
  bool dlrr(uint32_t sender, std::span<const DlrrItem> items);
  // Appends a packet built elsewhere (transport feedback).
  bool append(ByteView packet);

 private:
  uint8_t* begin(size_t bytes, uint8_t count, RtcpType type);
  std::span<uint8_t> out_;
  size_t size_ = 0;
};

}  // namespace footlight::rtc
