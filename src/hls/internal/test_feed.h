// A made-up packager for tests: chunks with true boxes and made-up samples, at the cadence of
// 30 frames a second (16 frames a part) beside AAC at 48 kHz (25 frames a part).
#pragma once
#include <string>
#include <vector>

#include "hls/origin.h"

namespace footlight::hls {

inline void put_be(std::string& out, uint64_t value, int size) {
  for (int i = size - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
}
inline std::string make_box(std::string_view type, std::string_view body) {
  std::string out;
  put_be(out, 8 + body.size(), 4);
  return out.append(type).append(body);
}

inline Blob make_init(uint32_t timescale, char mark = 'a') {
  std::string mdhd;
  put_be(mdhd, 0, 4);
  put_be(mdhd, 0, 8);
  put_be(mdhd, timescale, 4);
  put_be(mdhd, 0, 8);
  const std::string trak = make_box("trak", make_box("mdia", make_box("mdhd", mdhd)));
  return make_blob(make_box("ftyp", std::string("cmf2") + mark) + make_box("moov", trak));
}

inline std::string make_chunk(uint64_t tfdt, uint32_t samples, uint32_t ticks_each,
                              size_t bytes = 64) {
  std::string tfhd, time, trun;
  put_be(tfhd, 0x020008, 4);
  put_be(tfhd, 1, 4);
  put_be(tfhd, ticks_each, 4);
  put_be(time, 0x01000000, 4);
  put_be(time, tfdt, 8);
  put_be(trun, 0, 4);
  put_be(trun, samples, 4);
  const std::string traf =
      make_box("traf", make_box("tfhd", tfhd) + make_box("tfdt", time) + make_box("trun", trun));
  return make_box("moof", make_box("mfhd", std::string(8, '\0')) + traf) +
         make_box("mdat", std::string(bytes, 'm'));
}

inline Hello make_hello(std::string epoch = "e1") {
  Hello hello;
  hello.epoch = std::move(epoch);
  hello.part_target_us = 533'334;
  hello.parts_per_segment = 4;
  hello.renditions.push_back({.id = "v720",
                              .codecs = "avc1.64001f",
                              .timescale = 15'360,
                              .bandwidth_bps = 3'000'000,
                              .average_bps = 2'500'000,
                              .width = 1280,
                              .height = 720,
                              .frame_rate_milli = 30'000});
  hello.renditions.push_back(hello.renditions[0]);
  hello.renditions[1].id = "v480";
  hello.renditions[1].width = 854;
  hello.renditions[1].height = 480;
  hello.renditions[1].bandwidth_bps = 1'200'000;
  hello.renditions[1].average_bps = 1'000'000;
  hello.renditions.push_back({.id = "a",
                              .kind = Kind::kAudio,
                              .codecs = "mp4a.40.2",
                              .timescale = 48'000,
                              .bandwidth_bps = 128'000,
                              .average_bps = 128'000,
                              .channels = 2,
                              .language = "en"});
  return hello;
}

// Part `n` of the run, counted from 0, of a rendition of make_hello().
inline PartUnit make_part(const Hello& hello, uint32_t rendition, uint64_t n,
                          uint64_t first_tick = 0, size_t bytes = 64) {
  const bool audio = hello.renditions[rendition].kind == Kind::kAudio;
  const uint32_t samples = audio ? 25 : 16;
  const uint32_t each = audio ? 1024 : 512;
  PartUnit unit;
  unit.rendition = rendition;
  unit.msn = n / hello.parts_per_segment;
  unit.part = static_cast<uint32_t>(n % hello.parts_per_segment);
  unit.independent = audio || unit.part == 0;
  unit.duration = uint64_t{samples} * each;
  unit.tfdt = first_tick + n * unit.duration;
  unit.program_date_time_ms = 1'800'000'000'000 + static_cast<WallMs>(n * 1600 / 3);
  unit.bytes = make_blob(make_chunk(unit.tfdt, samples, each, bytes));
  return unit;
}

// An origin with one shelf, fed part by part.
struct TestStream {
  explicit TestStream(Limits limits = {}, SegmentStore* store = nullptr, Hello made = make_hello())
      : hello(made), origin(made, limits, store), shelf(made, limits) {}

  void put() {
    if (const auto changes = origin.take_changes()) shelf.put_up(*changes);
  }
  void inits(char mark = 'a') {
    for (uint32_t i = 0; i < hello.renditions.size(); ++i) {
      (void)origin.on_init(i, make_init(hello.renditions[i].timescale, mark));
    }
    put();
  }
  Status part(uint32_t rendition, uint64_t n) {
    Status status = origin.on_part(make_part(hello, rendition, n));
    put();
    return status;
  }
  // The next `count` parts of every rendition.
  void run(uint64_t count) {
    for (; count > 0; --count, ++next) {
      for (uint32_t i = 0; i < hello.renditions.size(); ++i) {
        if (auto status = origin.on_part(make_part(hello, i, next)); !status) {
          faults += status.error().message() + "\n";
        }
        put();
      }
    }
  }
  // The reply, or status 0 when it would have to wait.
  Reply get(const std::string& path, const std::string& query = "") {
    const auto request = parse_request(path, query);
    Reply reply;
    if (!request) {
      reply.status = 404;
      reply.error = request.error();
      return reply;
    }
    auto got = shelf.get(*request);
    if (got) return std::move(*got);
    reply.status = 0;
    return reply;
  }
  std::string text(const std::string& path, const std::string& query = "") {
    const Reply reply = get(path, query);
    return reply.resource ? reply.resource->body.joined() : std::string();
  }

  Hello hello;
  Origin origin;
  Shelf shelf;
  uint64_t next = 0;
  std::string faults;
};

}  // namespace footlight::hls
