#include "sfu/recording.h"

#include <algorithm>
#include <cstdio>

#include "core/assert.h"

namespace footlight::sfu {
namespace {

constexpr size_t kIndexRecordBytes = kRecordHeadBytes + 8 + kIndexBlock * 16;
constexpr size_t kReportRecordBytes = kRecordHeadBytes + 20;
constexpr size_t kEndRecordBytes = kRecordHeadBytes + 18;
constexpr MonoUs kAskUs = kUsPerSecond;

// "0003-video-00ab00ab00ab00ab-h.flrec": in the order of coming, and whose it is.
std::string file_name(size_t number, const RecordHeader& header) {
  char digits[8];
  std::snprintf(digits, sizeof digits, "%04zu", number % 10'000);
  std::string name = std::string(digits) + (header.audio() ? "-audio-" : "-video-");
  name += header.account;
  if (header.encodings > 1) name += "-" + std::to_string(header.encoding);
  return name + std::string(kRecordSuffix);
}

}  // namespace

RecordPool::RecordPool(RecordDisk& disk, const RecordLimits& limits)
    : disk_(disk), limits_(limits) {
  chunks_.reserve(limits.chunks);
  free_.reserve(limits.chunks);
}

RecordChunk* RecordPool::take() {
  if (free_.empty() && chunks_.size() >= limits_.chunks) return nullptr;
  return take_for_end();
}

RecordChunk* RecordPool::take_for_end() {
  if (free_.empty()) {
    chunks_.push_back(std::make_unique_for_overwrite<RecordChunk>());
    free_.push_back(chunks_.back().get());
  }
  RecordChunk* chunk = free_.back();
  free_.pop_back();
  chunk->used = 0;
  chunk->last = false;
  return chunk;
}

void RecordPool::written(RecordChunk* chunk, const Status& status) {
  for (Recording* recording : recordings_) {
    if (!std::ranges::binary_search(recording->files_, chunk->file)) continue;
    if (status) {
      recording->stats_.written_bytes += chunk->used;
    } else if (recording->trouble_.code == Code::kOk) {
      recording->trouble_ = status.error();
    }
  }
  give_back(chunk);
}

// --- one stream

RecordStream::RecordStream(Recording& recording, uint64_t file, const RecordHeader& header,
                           MonoUs now)
    : recording_(recording), file_(file), audio_(header.audio()) {
  preamble_ = record_preamble(header);
  (void)begun(now);
}

// A file that has no beginning cannot be read: it waits for a chunk.
bool RecordStream::begun(MonoUs now) {
  if (offset_ != 0) return true;
  RecordChunk* chunk = room_for(preamble_.size(), now);
  if (!chunk) return false;
  std::ranges::copy(preamble_, chunk->bytes.begin());
  wrote(preamble_.size());
  return true;
}

RecordChunk* RecordStream::room_for(size_t bytes, MonoUs now) {
  if (recording_.broken()) return nullptr;
  if (chunk_ && RecordChunk::kBytes - chunk_->used < bytes) send_off();
  if (!chunk_) {
    chunk_ = recording_.pool_.take();
    if (!chunk_) return nullptr;
    chunk_->file = file_;
    chunk_->begun_at = now;
  }
  return chunk_;
}

void RecordStream::wrote(size_t bytes) {
  chunk_->used += bytes;
  offset_ += bytes;
  RecordStats& stats = recording_.stats_;
  stats.bytes += bytes;
  if (stats.bytes >= recording_.pool_.limits().bytes && recording_.trouble_.code == Code::kOk) {
    recording_.trouble_.code = Code::kRecordLimit;
  }
}

void RecordStream::send_off() {
  if (!chunk_) return;
  recording_.pool_.disk().write(chunk_);
  chunk_ = nullptr;
}

void RecordStream::on_rtp(const Packet& packet, MonoUs now) {
  const ByteView bytes = packet.view.bytes;
  const bool key_frame = !audio_ && packet.info.key_frame;
  if (key_frame) key_frame_at_ = now;
  if (recording_.trouble_.code != Code::kOk) return;
  if (indexed_ == kIndexBlock) (void)write_index(now);
  RecordChunk* chunk = begun(now) ? room_for(kRecordHeadBytes + bytes.size(), now) : nullptr;
  if (!chunk) {
    ++dropped_;
    ++recording_.stats_.dropped;
    return;
  }
  const uint64_t time_us = recording_.time_of(now);
  if (audio_ || key_frame) note_index(time_us);
  const auto out = std::span(chunk->bytes).subspan(chunk->used);
  wrote(write_rtp_record(out, time_us, key_frame, bytes));
  ++recording_.stats_.packets;
}

void RecordStream::on_report(const rtc::SenderInfo& info, MonoUs now) {
  if (recording_.trouble_.code != Code::kOk) return;
  RecordChunk* chunk = begun(now) ? room_for(kReportRecordBytes, now) : nullptr;
  if (!chunk) return;
  const auto out = std::span(chunk->bytes).subspan(chunk->used);
  wrote(write_report_record(out, recording_.time_of(now), info));
}

// At most one a second. One that finds the block full is left out: the next will do.
void RecordStream::note_index(uint64_t time_us) {
  if (noted_any_ && time_us < noted_at_us_ + kUsPerSecond) return;
  if (indexed_ == kIndexBlock) return;
  noted_any_ = true;
  noted_at_us_ = time_us;
  index_[indexed_++] = {offset_, time_us};
}

bool RecordStream::write_index(MonoUs now) {
  RecordChunk* chunk = room_for(kIndexRecordBytes, now);
  if (!chunk) return false;
  const auto out = std::span(chunk->bytes).subspan(chunk->used);
  const uint64_t at = offset_;
  wrote(write_index_record(out, recording_.time_of(now), index_at_, {index_.data(), indexed_}));
  index_at_ = at;
  indexed_ = 0;
  return true;
}

bool RecordStream::wants_key_frame(MonoUs now) {
  if (audio_ || now - key_frame_at_ < kKeyFrameUs || now - asked_at_ < kAskUs) return false;
  asked_at_ = now;
  return true;
}

void RecordStream::end(Code why, MonoUs now) {
  const bool writes = offset_ != 0 && !recording_.broken();
  if (writes && indexed_ > 0) (void)write_index(now);
  if (chunk_ && RecordChunk::kBytes - chunk_->used < kEndRecordBytes) send_off();
  if (!chunk_) {
    chunk_ = recording_.pool_.take_for_end();
    chunk_->file = file_;
  }
  if (writes) {
    const auto out = std::span(chunk_->bytes).subspan(chunk_->used);
    wrote(write_end_record(out, recording_.time_of(now), {index_at_, dropped_, why}));
  }
  chunk_->last = true;
  send_off();
}

// --- one recording

Recording::Recording(RecordPool& pool, std::string folder, std::string take, WallMs began_ms,
                     MonoUs now)
    : pool_(pool),
      folder_(std::move(folder)),
      take_(std::move(take)),
      began_ms_(began_ms),
      began_at_(now) {
  pool.recordings_.push_back(this);
}

Recording::~Recording() {
  FL_ASSERT(entries_.empty(), "a recording is stopped before it goes");
  std::erase(pool_.recordings_, this);
}

void Recording::add(Track& track, const RecordHeader& about, MonoUs now) {
  RecordHeader header = about;
  header.take = take_;
  header.began_ms = began_ms_;
  header.mid = track.mid;
  header.codec = track.codec.codec;
  header.format = track.codec.format;
  header.clock_rate = track.codec.clock_rate;
  header.payload_type = track.codec.payload_type;
  header.red_payload_type = track.red_payload_type;
  header.encodings = static_cast<uint8_t>(track.encodings.size());
  for (size_t i = 0; i < track.encodings.size(); ++i) {
    Encoding& encoding = track.encodings[i];
    if (encoding.recorded) continue;
    if (files_.size() >= pool_.limits().files) {
      ++stats_.left_out;
      continue;
    }
    header.encoding = static_cast<uint8_t>(i);
    header.rid = encoding.rid;
    const uint64_t file = pool_.next_file_++;
    files_.push_back(file);
    ++stats_.files;
    pool_.disk().open(file, folder_ + "/" + file_name(files_.size(), header));
    entries_.push_back({std::make_unique<RecordStream>(*this, file, header, now), &track, i});
    encoding.recorded = entries_.back().stream.get();
    track.recording = this;
  }
}

void Recording::remove(Track& track, MonoUs now) {
  std::erase_if(entries_, [&](Entry& entry) {
    if (entry.track != &track) return false;
    entry.stream->end(Code::kOk, now);
    track.encodings[entry.encoding].recorded = nullptr;
    return true;
  });
  track.recording = nullptr;
}

void Recording::on_time(MonoUs now) {
  for (Entry& entry : entries_) {
    const RecordChunk* chunk = entry.stream->chunk_;
    if (chunk && now - chunk->begun_at >= kFlushUs) entry.stream->send_off();
  }
}

void Recording::stop(const Error& why, MonoUs now) {
  for (Entry& entry : entries_) {
    entry.stream->end(why.code, now);
    entry.track->encodings[entry.encoding].recorded = nullptr;
    entry.track->recording = nullptr;
  }
  entries_.clear();
}

}  // namespace footlight::sfu
