// DEPS: footlight_media
//
// A recording's file, whole, cut or made up: reading it ends, what is handed out lies within it,
// its index names records, and its packets become frames or none.
#include <cstdint>

#include "media/frames.h"
#include "media/timeline.h"
#include "sfu/record_file.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;

bool within(ByteView inner, ByteView outer) {
  return inner.empty() || (inner.data() >= outer.data() &&
                           inner.data() + inner.size() <= outer.data() + outer.size());
}

void build_frames(sfu::RecordReader reader, const media::StreamScan& scan) {
  const media::StreamClock clock(scan, reader.header().clock_rate);
  media::FrameBuilder builder(reader.header(), scan.first_timestamp);
  media::ReorderBuffer order;
  const auto drain = [&](bool finishing) {
    int64_t last = INT64_MIN;
    while (const auto item = order.pop(finishing)) {
      require(item->sequence > last);
      last = item->sequence;
      builder.push(*item);
      while (const auto frame = builder.next()) {
        require(!frame->bytes.empty());
        (void)clock.at(frame->timestamp);
      }
    }
  };
  sfu::Record record;
  while (reader.next(record)) {
    rtc::RtpView packet;
    if (record.type != sfu::RecordType::kRtp || !rtc::parse_rtp(record.body, packet)) continue;
    order.push(packet, record.time_us);
    drain(false);
  }
  drain(true);
  const media::FrameCounts& counts = builder.counts();
  require(counts.frames <= counts.packets + counts.repaired && counts.key_frames <= counts.frames);
  require(counts.repaired <= 8 * counts.packets && (counts.lost > 0 || counts.repaired == 0));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView bytes(data, size);
  auto reader = sfu::RecordReader::open(bytes);
  if (!reader) {
    require(reader.error().code == Code::kRecordFormat);
    return 0;
  }
  require(reader->header().clock_rate > 0);
  sfu::RecordReader all = *reader;
  sfu::Record record;
  uint64_t at = all.first();
  while (all.next(record)) {
    require(record.offset == at && within(record.body, bytes));
    at += sfu::kRecordHeadBytes + record.body.size();
    (void)sfu::read_report(record);
    (void)sfu::read_end(record);
  }
  require(at <= size);
  for (const sfu::RecordIndexEntry& entry : reader->index()) {
    sfu::RecordReader there = *reader;
    there.seek(entry.offset);
    require(there.next(record) && record.offset == entry.offset);
  }
  (void)reader->offset_of(1'000'000);
  build_frames(*reader, media::scan(*reader));
  return 0;
}
