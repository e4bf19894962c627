// The bytes of a recording (docs/formats/recording.md): one file holds one encoding of one track,
// the RTP packets as they came, with the time of their arrival, the sender's reports and an index.
//
// A file is written once, from the front to the back, and is whole at each record's end: what a
// crash leaves is read up to the last whole record.
//
//   file   = magic (8) | header length (u32) | header (JSON) | record ...
//   record = type (u8) | flags (u8) | length of body (u16) | time (u64) | body
//
// Integers are little-endian; what lies within an RTP packet is as it was on the wire. Pure.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "core/time.h"
#include "rtc/rtcp.h"
#include "rtc/sdp_answer.h"

namespace footlight::sfu {

inline constexpr std::string_view kRecordMagic = "FLREC\x01\r\n";  // the sixth byte: the version
inline constexpr std::string_view kRecordSuffix = ".flrec";
inline constexpr size_t kRecordHeadBytes = 12;
inline constexpr size_t kMaxRecordHeaderBytes = 8 * 1024;
inline constexpr size_t kIndexBlock = 64;  // entries

struct RecordHeader {
  std::string episode;
  std::string take;        // the recording's name: when it began, "20261126T091514Z"
  WallMs began_ms = 0;     // the same; time 0 of all files of the take
  uint64_t session = 0;    // what one publisher sends in one session has one number
  std::string account;     // the publisher's pseudonym, 16 hex digits
  std::string name, role;  // as shown
  std::string label;       // "" the camera, "screen", ...
  std::string mid;
  rtc::RtpCodec codec = rtc::RtpCodec::kOpus;
  std::string format;  // rtc::NegotiatedCodec::format
  uint32_t clock_rate = 48'000;
  uint8_t payload_type = 0;
  uint8_t red_payload_type = 0;         // Opus inside RED (RFC 2198); 0: none
  uint8_t encoding = 0, encodings = 1;  // of simulcast, in the order of the offer
  std::string rid;
  bool audio() const { return codec == rtc::RtpCodec::kOpus; }
};

enum class RecordType : uint8_t {
  kRtp = 1,     // body: the packet
  kReport = 2,  // body: NTP (u64), RTP timestamp (u32), packets (u32), payload bytes (u32)
  kIndex = 3,   // body: offset of the index before (u64, 0: none), then RecordIndexEntry ...
  kEnd = 4,     // body: offset of the last index (u64), packets not written (u64), why (u16)
};
inline constexpr uint8_t kRecordKeyFrame = 1;  // flag of kRtp: a key frame begins in it

struct RecordIndexEntry {
  uint64_t offset = 0;   // of a kRtp record: of a picture one that begins a key frame
  uint64_t time_us = 0;  // of its arrival
};
struct RecordEnd {
  uint64_t index_at = 0;  // 0: there is none
  uint64_t dropped = 0;   // packets that came and found no room on their way to the disk
  Code why = Code::kOk;   // why it ended
};

// Magic, length and header. The header's texts are cut so that it has kMaxRecordHeaderBytes.
std::string record_preamble(const RecordHeader& header);

// Each writes one record at the front of `out` and returns its size; 0 when it does not fit.
size_t write_rtp_record(std::span<uint8_t> out, uint64_t time_us, bool key_frame, ByteView packet);
size_t write_report_record(std::span<uint8_t> out, uint64_t time_us, const rtc::SenderInfo& info);
size_t write_index_record(std::span<uint8_t> out, uint64_t time_us, uint64_t before,
                          std::span<const RecordIndexEntry> entries);
size_t write_end_record(std::span<uint8_t> out, uint64_t time_us, const RecordEnd& end);

struct Record {
  RecordType type = RecordType::kRtp;
  uint8_t flags = 0;
  uint64_t time_us = 0;  // since the take began
  uint64_t offset = 0;   // in the file
  ByteView body;
  bool key_frame() const { return type == RecordType::kRtp && (flags & kRecordKeyFrame) != 0; }
};
std::optional<rtc::SenderInfo> read_report(const Record& record);
std::optional<RecordEnd> read_end(const Record& record);

// Reads a whole file that lies in memory (mapped). Views point into it.
class RecordReader {
 public:
  // kRecordFormat.
  static Result<RecordReader> open(ByteView file);

  const RecordHeader& header() const { return header_; }
  // False at the end of the last whole record.
  bool next(Record& record);
  // Goes on at a record's offset.
  void seek(uint64_t offset) { at_ = offset; }
  uint64_t first() const { return first_; }
  // Whether it was ended as it should be; after a crash it was not. What follows is in it then.
  std::optional<RecordEnd> end() const;
  // The index, oldest first; of a file without an end it is made by reading all of it. Bounded by
  // the file: an entry for each second, each of them checked to name a record.
  std::vector<RecordIndexEntry> index();
  // Where to read from for what arrived at `time_us` or later: the last entry at or before it.
  uint64_t offset_of(uint64_t time_us);

 private:
  explicit RecordReader(ByteView file) : file_(file) {}
  bool read_at(uint64_t offset, Record& record) const;
  bool read_index_blocks(uint64_t at, std::vector<RecordIndexEntry>& out) const;

  ByteView file_;
  uint64_t first_ = 0, at_ = 0;
  RecordHeader header_;
};

std::string_view record_codec_name(rtc::RtpCodec codec);  // "opus", "vp8", ...

}  // namespace footlight::sfu
