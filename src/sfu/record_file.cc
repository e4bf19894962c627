#include "sfu/record_file.h"

#include <algorithm>
#include <cstring>

#include "core/json.h"

namespace footlight::sfu {
namespace {

constexpr size_t kEntryBytes = 16;
constexpr size_t kReportBytes = 20, kEndBytes = 18;
constexpr size_t kMaxTextBytes = 256;
constexpr uint64_t kMaxTimeUs = uint64_t{1} << 60;
constexpr std::pair<rtc::RtpCodec, std::string_view> kCodecs[] = {
    {rtc::RtpCodec::kOpus, "opus"}, {rtc::RtpCodec::kVp8, "vp8"}, {rtc::RtpCodec::kVp9, "vp9"},
    {rtc::RtpCodec::kH264, "h264"}, {rtc::RtpCodec::kAv1, "av1"},
};

void put(uint8_t* to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to[i] = static_cast<uint8_t>(value >> (8 * i));
}

uint64_t get(const uint8_t* from, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value |= uint64_t{from[i]} << (8 * i);
  return value;
}

// Writes the head and returns where the body goes; nullptr when the record does not fit.
uint8_t* begin(std::span<uint8_t> out, RecordType type, uint8_t flags, size_t body, uint64_t time) {
  if (body > UINT16_MAX || out.size() < kRecordHeadBytes + body) return nullptr;
  out[0] = static_cast<uint8_t>(type);
  out[1] = flags;
  put(&out[2], body, 2);
  put(&out[4], time, 8);
  return out.data() + kRecordHeadBytes;
}

// At most so many bytes, without cutting a character in two.
std::string_view cut(std::string_view text) {
  if (text.size() <= kMaxTextBytes) return text;
  size_t size = kMaxTextBytes;
  while (size > 0 && (static_cast<uint8_t>(text[size]) & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

bool small(int64_t value, int64_t most) { return value >= 0 && value <= most; }

}  // namespace

std::string_view record_codec_name(rtc::RtpCodec codec) {
  for (const auto& [each, name] : kCodecs) {
    if (each == codec) return name;
  }
  return "";
}

std::string record_preamble(const RecordHeader& header) {
  std::string json;
  JsonWriter out(json);
  out.object().field("episode", cut(header.episode)).field("take", cut(header.take));
  out.field("began_ms", header.began_ms).field("session", header.session);
  out.field("account", cut(header.account)).field("name", cut(header.name));
  out.field("role", cut(header.role)).field("label", cut(header.label));
  out.field("mid", cut(header.mid)).field("codec", record_codec_name(header.codec));
  out.field("format", cut(header.format)).field("clock_rate", header.clock_rate);
  out.field("payload_type", static_cast<int>(header.payload_type));
  out.field("red_payload_type", static_cast<int>(header.red_payload_type));
  out.field("encoding", static_cast<int>(header.encoding));
  out.field("encodings", static_cast<int>(header.encodings));
  out.field("rid", cut(header.rid)).end_object();
  std::string made(kRecordMagic);
  uint8_t size[4];
  put(size, json.size(), 4);
  made.append(reinterpret_cast<const char*>(size), sizeof size);
  return made + json;
}

size_t write_rtp_record(std::span<uint8_t> out, uint64_t time_us, bool key_frame, ByteView packet) {
  uint8_t* body =
      begin(out, RecordType::kRtp, key_frame ? kRecordKeyFrame : 0, packet.size(), time_us);
  if (!body) return 0;
  std::memcpy(body, packet.data(), packet.size());
  return kRecordHeadBytes + packet.size();
}

size_t write_report_record(std::span<uint8_t> out, uint64_t time_us, const rtc::SenderInfo& info) {
  uint8_t* body = begin(out, RecordType::kReport, 0, kReportBytes, time_us);
  if (!body) return 0;
  put(body, info.ntp, 8);
  put(body + 8, info.rtp_timestamp, 4);
  put(body + 12, info.packets, 4);
  put(body + 16, info.payload_bytes, 4);
  return kRecordHeadBytes + kReportBytes;
}

size_t write_index_record(std::span<uint8_t> out, uint64_t time_us, uint64_t before,
                          std::span<const RecordIndexEntry> entries) {
  const size_t size = 8 + entries.size() * kEntryBytes;
  uint8_t* body = begin(out, RecordType::kIndex, 0, size, time_us);
  if (!body) return 0;
  put(body, before, 8);
  body += 8;
  for (const RecordIndexEntry& entry : entries) {
    put(body, entry.offset, 8);
    put(body + 8, entry.time_us, 8);
    body += kEntryBytes;
  }
  return kRecordHeadBytes + size;
}

size_t write_end_record(std::span<uint8_t> out, uint64_t time_us, const RecordEnd& end) {
  uint8_t* body = begin(out, RecordType::kEnd, 0, kEndBytes, time_us);
  if (!body) return 0;
  put(body, end.index_at, 8);
  put(body + 8, end.dropped, 8);
  put(body + 16, static_cast<uint16_t>(end.why), 2);
  return kRecordHeadBytes + kEndBytes;
}

std::optional<rtc::SenderInfo> read_report(const Record& record) {
  if (record.type != RecordType::kReport || record.body.size() != kReportBytes) return {};
  const uint8_t* at = record.body.data();
  rtc::SenderInfo info;
  info.ntp = get(at, 8);
  info.rtp_timestamp = static_cast<uint32_t>(get(at + 8, 4));
  info.packets = static_cast<uint32_t>(get(at + 12, 4));
  info.payload_bytes = static_cast<uint32_t>(get(at + 16, 4));
  return info;
}

std::optional<RecordEnd> read_end(const Record& record) {
  if (record.type != RecordType::kEnd || record.body.size() != kEndBytes) return {};
  const uint8_t* at = record.body.data();
  return RecordEnd{get(at, 8), get(at + 8, 8), static_cast<Code>(get(at + 16, 2))};
}

Result<RecordReader> RecordReader::open(ByteView file) {
  const auto wrong = [](const char* what) { return fail(Code::kRecordFormat, what); };
  const size_t fixed = kRecordMagic.size() + 4;
  if (file.size() < fixed) return wrong("too short");
  if (as_text(file.first(kRecordMagic.size())) != kRecordMagic) return wrong("magic or version");
  const size_t size = get(file.data() + kRecordMagic.size(), 4);
  if (size > kMaxRecordHeaderBytes || size > file.size() - fixed) return wrong("header's length");
  const auto json = Json::parse(as_text(file.subspan(fixed, size)));
  if (!json) return wrong("header");
  RecordReader reader(file);
  RecordHeader& header = reader.header_;
  const Json& from = *json;
  const std::string& codec = from["codec"].as_string();
  const auto known =
      std::ranges::find(kCodecs, codec, [](const auto& each) { return each.second; });
  const int64_t clock_rate = from["clock_rate"].as_int();
  if (known == std::end(kCodecs) || clock_rate < 8'000 || !small(clock_rate, 1'000'000)) {
    return wrong("codec or clock rate");
  }
  for (const char* key : {"payload_type", "red_payload_type", "encoding", "encodings"}) {
    if (!small(from[key].as_int(), 127)) return wrong(key);
  }
  header.codec = known->first;
  header.clock_rate = static_cast<uint32_t>(clock_rate);
  header.payload_type = static_cast<uint8_t>(from["payload_type"].as_int());
  header.red_payload_type = static_cast<uint8_t>(from["red_payload_type"].as_int());
  header.encoding = static_cast<uint8_t>(from["encoding"].as_int());
  header.encodings = static_cast<uint8_t>(from["encodings"].as_int(1));
  header.began_ms = from["began_ms"].as_int();
  header.session = static_cast<uint64_t>(from["session"].as_int());
  header.episode = from["episode"].as_string();
  header.take = from["take"].as_string();
  header.account = from["account"].as_string();
  header.name = from["name"].as_string();
  header.role = from["role"].as_string();
  header.label = from["label"].as_string();
  header.mid = from["mid"].as_string();
  header.format = from["format"].as_string();
  header.rid = from["rid"].as_string();
  reader.first_ = reader.at_ = fixed + size;
  return reader;
}

bool RecordReader::read_at(uint64_t offset, Record& record) const {
  if (offset < first_ || offset > file_.size() || file_.size() - offset < kRecordHeadBytes) {
    return false;
  }
  const uint8_t* at = file_.data() + offset;
  const size_t size = get(at + 2, 2);
  const uint8_t type = at[0];
  if (type < 1 || type > static_cast<uint8_t>(RecordType::kEnd)) return false;
  if (size > file_.size() - offset - kRecordHeadBytes) return false;
  record.type = static_cast<RecordType>(type);
  record.flags = at[1];
  record.time_us = get(at + 4, 8);
  record.offset = offset;
  record.body = file_.subspan(offset + kRecordHeadBytes, size);
  return record.time_us <= kMaxTimeUs;
}

bool RecordReader::next(Record& record) {
  if (!read_at(at_, record)) return false;
  at_ += kRecordHeadBytes + record.body.size();
  return true;
}

std::optional<RecordEnd> RecordReader::end() const {
  Record last;
  if (file_.size() < first_ + kRecordHeadBytes + kEndBytes) return {};
  if (!read_at(file_.size() - kRecordHeadBytes - kEndBytes, last)) return {};
  return read_end(last);
}

// From the last block to the first; each lies before the one that names it, so it ends.
bool RecordReader::read_index_blocks(uint64_t at, std::vector<RecordIndexEntry>& out) const {
  while (at != 0) {
    Record block;
    if (!read_at(at, block) || block.type != RecordType::kIndex || block.body.size() < 8) {
      return false;
    }
    for (size_t i = block.body.size(); i >= 8 + kEntryBytes; i -= kEntryBytes) {
      const uint8_t* entry = block.body.data() + i - kEntryBytes;
      Record named;
      out.push_back({get(entry, 8), get(entry + 8, 8)});
      if (out.back().offset >= at || !read_at(out.back().offset, named)) return false;
    }
    const uint64_t before = get(block.body.data(), 8);
    if (before >= at) return false;
    at = before;
  }
  std::ranges::reverse(out);
  return true;
}

std::vector<RecordIndexEntry> RecordReader::index() {
  std::vector<RecordIndexEntry> out;
  if (const auto ended = end()) {
    if (read_index_blocks(ended->index_at, out)) return out;
    out.clear();
  }
  const uint64_t stood = at_;
  at_ = first_;
  Record record;
  while (next(record)) {
    if (record.type != RecordType::kRtp || (!header_.audio() && !record.key_frame())) continue;
    if (!out.empty() && record.time_us - out.back().time_us < kUsPerSecond) continue;
    out.push_back({record.offset, record.time_us});
  }
  at_ = stood;
  return out;
}

uint64_t RecordReader::offset_of(uint64_t time_us) {
  const auto entries = index();
  const auto after = std::ranges::upper_bound(entries, time_us, {}, &RecordIndexEntry::time_us);
  return after == entries.begin() ? first_ : std::prev(after)->offset;
}

}  // namespace footlight::sfu
