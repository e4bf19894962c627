#include "hls/boxes.h"

namespace footlight::hls {
namespace {

constexpr uint32_t fourcc(const char (&name)[5]) {
  return static_cast<uint32_t>(static_cast<unsigned char>(name[0])) << 24 |
         static_cast<uint32_t>(static_cast<unsigned char>(name[1])) << 16 |
         static_cast<uint32_t>(static_cast<unsigned char>(name[2])) << 8 |
         static_cast<uint32_t>(static_cast<unsigned char>(name[3]));
}

// Big-endian numbers; out of bytes gives zeros and !ok.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  bool ok() const { return ok_; }
  size_t left() const { return in_.size(); }
  uint64_t number(size_t size) {
    if (in_.size() < size) {
      ok_ = false;
      in_ = {};
      return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(in_[i]);
    in_.remove_prefix(size);
    return value;
  }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  std::string_view bytes(uint64_t size) {
    if (in_.size() < size) {
      ok_ = false;
      in_ = {};
      return {};
    }
    const std::string_view out = in_.substr(0, size);
    in_.remove_prefix(size);
    return out;
  }

 private:
  std::string_view in_;
  bool ok_ = true;
};

struct Box {
  uint32_t type = 0;
  std::string_view body;
};

// The next box of `in`; nullopt when it is cut short or lies about its size.
std::optional<Box> next_box(std::string_view& in) {
  Reader head(in);
  uint64_t size = head.u32();
  Box box;
  box.type = head.u32();
  size_t head_bytes = 8;
  if (size == 1) {
    size = head.number(8);
    head_bytes = 16;
  }
  if (!head.ok() || size < head_bytes || size > in.size()) return std::nullopt;
  box.body = in.substr(head_bytes, size - head_bytes);
  in.remove_prefix(size);
  return box;
}

// The one child of `type`; nullopt when there is none, more than one, or a broken box.
std::optional<std::string_view> only_child(std::string_view in, uint32_t type) {
  std::optional<std::string_view> found;
  while (!in.empty()) {
    const auto box = next_box(in);
    if (!box) return std::nullopt;
    if (box->type != type) continue;
    if (found) return std::nullopt;
    found = box->body;
  }
  return found;
}

std::unexpected<Error> broken(std::string what) { return fail(Code::kFeedBroken, std::move(what)); }

// tfhd's default duration of a sample, 0 when it has none.
uint32_t default_duration(std::string_view tfhd) {
  Reader in(tfhd);
  const uint32_t flags = in.u32() & 0xFFFFFF;
  in.u32();                            // track
  if (flags & 0x000001) in.number(8);  // base data offset
  if (flags & 0x000002) in.u32();      // sample description
  const uint32_t duration = flags & 0x000008 ? in.u32() : 0;
  return in.ok() ? duration : 0;
}

// Adds a run's samples and durations; false when it is cut short.
bool read_run(std::string_view trun, uint32_t duration_of_tfhd, ChunkInfo& info) {
  Reader in(trun);
  const uint32_t flags = in.u32() & 0xFFFFFF;
  const uint32_t count = in.u32();
  if (flags & 0x000001) in.u32();  // data offset
  if (flags & 0x000004) in.u32();  // first sample's flags
  const bool own = (flags & 0x000100) != 0;
  size_t rest = 0;  // bytes of a sample after its duration
  for (const uint32_t bit : {0x000200u, 0x000400u, 0x000800u}) rest += flags & bit ? 4 : 0;
  const uint64_t bytes = uint64_t{count} * (rest + (own ? 4 : 0));
  if (!in.ok() || bytes > in.left()) return false;
  info.samples += count;
  if (!own) {
    if (duration_of_tfhd == 0) info.duration.reset();
    if (info.duration) *info.duration += uint64_t{count} * duration_of_tfhd;
    return true;
  }
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t duration = in.u32();
    if (info.duration) *info.duration += duration;
    in.bytes(rest);
  }
  return in.ok();
}

Status read_traf(std::string_view traf, ChunkInfo& info) {
  const auto tfhd = only_child(traf, fourcc("tfhd"));
  const auto tfdt = only_child(traf, fourcc("tfdt"));
  if (!tfhd || !tfdt) return broken("traf without one tfhd and one tfdt");
  Reader in(*tfdt);
  const uint32_t version = in.u32() >> 24;
  info.tfdt = in.number(version == 1 ? 8 : 4);
  if (!in.ok() || version > 1) return broken("tfdt");
  info.duration = 0;
  const uint32_t default_ticks = default_duration(*tfhd);
  while (!traf.empty()) {
    const auto box = next_box(traf);
    if (!box) return broken("traf");
    if (box->type == fourcc("trun") && !read_run(box->body, default_ticks, info)) {
      return broken("trun");
    }
  }
  if (info.samples == 0) return broken("a chunk without samples");
  return {};
}

void put(std::string& out, uint64_t value, int size) {
  for (int i = size - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
}

void put_synchsafe(std::string& out, size_t value) {
  for (int i = 3; i >= 0; --i) out.push_back(static_cast<char>(value >> (7 * i) & 0x7F));
}

}  // namespace

Result<InitInfo> read_init(std::string_view bytes) {
  std::string_view in = bytes;
  const auto first = next_box(in);
  if (!first || (first->type != fourcc("ftyp") && first->type != fourcc("styp"))) {
    return broken("an init segment begins with ftyp");
  }
  for (std::string_view rest = in; !rest.empty();) {
    const auto box = next_box(rest);
    if (!box || box->type == fourcc("moof") || box->type == fourcc("mdat")) {
      return broken("an init segment is ftyp and moov");
    }
  }
  const auto moov = only_child(in, fourcc("moov"));
  const auto trak = moov ? only_child(*moov, fourcc("trak")) : std::nullopt;
  const auto mdia = trak ? only_child(*trak, fourcc("mdia")) : std::nullopt;
  const auto mdhd = mdia ? only_child(*mdia, fourcc("mdhd")) : std::nullopt;
  if (!mdhd) return broken("an init segment has one track with an mdhd");
  Reader head(*mdhd);
  const uint32_t version = head.u32() >> 24;
  head.bytes(version == 1 ? 16 : 8);  // creation and modification
  InitInfo info;
  info.timescale = head.u32();
  if (!head.ok() || version > 1 || info.timescale == 0) return broken("mdhd");
  return info;
}

Result<ChunkInfo> read_chunk(std::string_view bytes) {
  std::string_view in = bytes;
  ChunkInfo info;
  bool moof = false;
  while (!in.empty()) {
    const auto box = next_box(in);
    if (!box) return broken("a box is cut short");
    if (moof) {
      if (box->type != fourcc("mdat")) return broken("moof is not followed by its mdat");
      if (!in.empty()) return broken("something follows mdat");
      return info;
    }
    switch (box->type) {
      case fourcc("styp"):
      case fourcc("prft"):
      case fourcc("emsg"):
      case fourcc("sidx"):
        break;
      case fourcc("moof"): {
        const auto traf = only_child(box->body, fourcc("traf"));
        if (!traf) return broken("moof without exactly one traf");
        if (auto status = read_traf(*traf, info); !status) return std::unexpected(status.error());
        moof = true;
        break;
      }
      default:
        return broken("an unexpected box before moof");
    }
  }
  return broken(moof ? "no mdat" : "no moof");
}

void append_emsg(std::string& out, const Emsg& emsg) {
  const size_t size =
      8 + 4 + 4 + 8 + 4 + 4 + emsg.scheme.size() + 1 + emsg.value.size() + 1 + emsg.data.size();
  put(out, size, 4);
  out.append("emsg");
  put(out, 0x01000000, 4);  // version 1, no flags
  put(out, emsg.timescale, 4);
  put(out, emsg.presentation_time, 8);
  put(out, emsg.duration, 4);
  put(out, emsg.id, 4);
  out.append(emsg.scheme).push_back('\0');
  out.append(emsg.value).push_back('\0');
  out.append(emsg.data);
}

std::string id3_private(std::string_view owner, std::string_view data) {
  const size_t frame = owner.size() + 1 + data.size();
  std::string out("ID3\x04\0\0", 6);  // version 2.4.0, no flags
  put_synchsafe(out, 10 + frame);
  out.append("PRIV");
  put_synchsafe(out, frame);
  out.append("\0\0", 2).append(owner).push_back('\0');
  return out.append(data);
}

}  // namespace footlight::hls
