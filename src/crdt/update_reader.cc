#include "crdt/update_reader.h"

#include <algorithm>
#include <cstring>

#include "crdt/any.h"
#include "crdt/utf16.h"

namespace footlight::crdt {
namespace {

constexpr uint8_t kRefBits = 0x1f;
constexpr uint8_t kKeyBit = 0x20;
constexpr uint8_t kRightBit = 0x40;
constexpr uint8_t kLeftBit = 0x80;
constexpr uint64_t kTypeRefs = 7;

constexpr size_t kAhead = 1 << 18;  // structs to make room for at once on a mere claim

// Content is at most a few times as large as its wire form ("0," in JSON is two bytes and stays
// two, "0.1," grows from four to nine); only the keys of v2 could repeat a long text for a byte
// each time. Yjs never makes them do so.
constexpr size_t kScratchFactor = 8;
constexpr size_t kScratchSpare = 4096;

// The seven TypeRefs, to point at.
constexpr uint8_t kTypeRefBytes[kTypeRefs] = {0, 1, 2, 3, 4, 5, 6};

bool type_has_name(uint64_t ref) {
  return ref == static_cast<uint64_t>(TypeRef::kXmlElement) ||
         ref == static_cast<uint64_t>(TypeRef::kXmlHook);
}

size_t var_uint_size(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

uint8_t* put_var_uint(uint8_t* at, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<uint8_t>(value) | 0x80;
  *at++ = static_cast<uint8_t>(value);
  return at;
}

uint8_t* put(uint8_t* at, ByteView bytes) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

}  // namespace

std::unexpected<Error> crdt_fault(Fault fault, std::string_view what) {
  return fail(fault == Fault::kLimit ? Code::kCrdtLimit : Code::kCrdtMalformed,
              std::string(what) + ": " + std::string(fault_text(fault)));
}

UpdateReader::UpdateReader(ByteView update, UpdateFormat format, Scratch& scratch,
                           const UpdateLimits& limits)
    : rest_(update),
      v2_(format == UpdateFormat::kV2),
      scratch_(scratch),
      scratch_limit_(scratch.used() + update.size() * kScratchFactor + kScratchSpare),
      structs_left_(limits.max_structs),
      ranges_left_(limits.max_ranges) {
  if (v2_) open_columns();
  blocks_ = rest_.var_uint();
  collect_faults();
}

void UpdateReader::open_columns() {
  if (rest_.var_uint() != 0) return rest_.fail(Fault::kTag);  // feature flags: none are defined
  columns_.key_clock = IntDiffOptRleDecoder(rest_.var_bytes());
  columns_.client = UintOptRleDecoder(rest_.var_bytes());
  columns_.left_clock = IntDiffOptRleDecoder(rest_.var_bytes());
  columns_.right_clock = IntDiffOptRleDecoder(rest_.var_bytes());
  columns_.info = RleDecoder(rest_.var_bytes());
  Decoder texts(rest_.var_bytes());
  columns_.text = texts.var_text_unchecked();
  columns_.text_len = UintOptRleDecoder(texts);
  columns_.parent_info = RleDecoder(rest_.var_bytes());
  columns_.type_ref = UintOptRleDecoder(rest_.var_bytes());
  columns_.len = UintOptRleDecoder(rest_.var_bytes());
  uint64_t units = 0;
  if (!texts.ok()) return rest_.fail(texts.fault());
  if (!measure_utf8(columns_.text, units)) return rest_.fail(Fault::kUtf8);
  columns_.ascii = units == columns_.text.size();
}

bool UpdateReader::fail(Fault fault) {
  if (fault_ == Fault::kNone) fault_ = fault;
  rest_.fail(fault);
  return false;
}

// Columns fail on their own and then yield zeros; a struct is handed out only when none has.
void UpdateReader::collect_faults() {
  if (!rest_.ok()) fail(rest_.fault());
  if (!v2_) return;
  const auto bits = [](Fault fault) { return static_cast<unsigned>(fault); };
  const Columns& c = columns_;
  const unsigned any = bits(c.key_clock.fault()) | bits(c.client.fault()) |
                       bits(c.left_clock.fault()) | bits(c.right_clock.fault()) |
                       bits(c.info.fault()) | bits(c.text_len.fault()) |
                       bits(c.parent_info.fault()) | bits(c.type_ref.fault()) | bits(c.len.fault());
  if (any == 0) [[likely]]
    return;
  for (const Fault fault : {c.key_clock.fault(), c.client.fault(), c.left_clock.fault(),
                            c.right_clock.fault(), c.info.fault(), c.text_len.fault(),
                            c.parent_info.fault(), c.type_ref.fault(), c.len.fault()}) {
    if (fault != Fault::kNone) fail(fault);
  }
}

bool UpdateReader::next_block() {
  while (in_block_ == 0) {
    if (blocks_ == 0 || fault_ != Fault::kNone) return false;
    --blocks_;
    in_block_ = rest_.var_uint();
    client_ = read_client();
    clock_ = rest_.var_uint();
    collect_faults();
    if (fault_ != Fault::kNone) return false;
    // v1: a struct takes two bytes at least. v2: it may take none.
    if (!v2_ && in_block_ > rest_.remaining() / 2) return fail(Fault::kTruncated);
    if (in_block_ > structs_left_) return fail(Fault::kLimit);
    block_begun_ = true;
  }
  return true;
}

bool UpdateReader::next(DecodedStruct& out) {
  block_begun_ = false;
  if (in_block_ == 0 && !next_block()) return false;
  if (fault_ != Fault::kNone) return false;
  --in_block_;
  --structs_left_;

  const uint8_t info = v2_ ? columns_.info.read() : rest_.u8();
  out.id = {client_, clock_};
  out.ref = static_cast<Ref>(info & kRefBits);
  out.content = {};
  if (out.ref == Ref::kGc || out.ref == Ref::kSkip) {
    out.len = out.ref == Ref::kGc ? read_len() : rest_.var_uint();
    out.parent_kind = ParentKind::kInherit;
    out.has_origin = out.has_right_origin = out.has_parent_sub = out.has_key = false;
  } else {
    read_item(info, out);
  }
  collect_faults();
  if (fault_ != Fault::kNone) return false;
  if (out.len == 0) return fail(Fault::kEmpty);
  if (out.len > kMaxInteger - clock_) return fail(Fault::kRange);
  clock_ += out.len;
  return true;
}

uint64_t UpdateReader::pass_run(const DecodedStruct& last) {
  if (v2_ || fault_ != Fault::kNone) return 0;
  uint8_t wire[24];  // of the next one
  wire[0] = static_cast<uint8_t>(last.ref) | kLeftBit | (last.has_key ? kKeyBit : 0);
  uint8_t* const clock_at = put_var_uint(wire + 1, last.origin.client);
  const uint64_t most =
      std::min({in_block_, structs_left_, kMaxInteger - std::max(clock_, last.origin.clock) - 1});
  uint64_t passed = 0;
  while (passed < most) {
    // A round ends where the clock's lowest byte is about to carry.
    const uint64_t first = last.origin.clock + 1 + passed;
    uint8_t* const end = put_var_uint(put_var_uint(clock_at, first), 1);
    const auto size = static_cast<size_t>(end - wire);
    const uint64_t round = std::min<uint64_t>(most - passed, 0x80 - (first & 0x7f));
    for (uint64_t i = 0; i < round; ++i, ++passed, ++*clock_at) {
      if (rest_.remaining() < size || std::memcmp(rest_.position(), wire, size) != 0) {
        return took_run(passed);
      }
      (void)rest_.bytes(size);
    }
  }
  return took_run(passed);
}

uint64_t UpdateReader::took_run(uint64_t passed) {
  in_block_ -= passed;
  structs_left_ -= passed;
  clock_ += passed;
  return passed;
}

void UpdateReader::read_item(uint8_t info, DecodedStruct& out) {
  out.has_origin = (info & kLeftBit) != 0;
  out.has_right_origin = (info & kRightBit) != 0;
  out.has_key = (info & kKeyBit) != 0;
  out.has_parent_sub = false;
  out.parent_kind = ParentKind::kInherit;
  if (out.has_origin) out.origin = read_left();
  if (out.has_right_origin) out.right_origin = read_right();
  if (!out.has_origin && !out.has_right_origin) {
    uint64_t units = 0;
    const uint64_t root = v2_ ? columns_.parent_info.read() : rest_.var_uint();
    if (root == 1) {
      out.parent_kind = ParentKind::kRoot;
      out.parent_name = read_text(units);
    } else {
      out.parent_kind = ParentKind::kId;
      out.parent_id = read_left();
    }
    if (out.has_key) {
      out.has_parent_sub = true;
      out.parent_sub = read_text(units);
    }
  }
  read_content(out);
}

void UpdateReader::read_content(DecodedStruct& out) {
  out.len = 1;
  switch (out.ref) {
    case Ref::kDeleted:
      out.len = read_len();
      return;
    case Ref::kJson:
      return content_json(out);
    case Ref::kBinary:
      out.content = rest_.var_bytes();
      return;
    case Ref::kString:
      return content_text(out);
    case Ref::kEmbed:
      out.content = v2_ ? read_values(1) : keep(read_json_value());
      return;
    case Ref::kFormat:
      return content_format(out);
    case Ref::kType:
      return content_type(out);
    case Ref::kAny:
      return content_values(out);
    case Ref::kDoc:
      return content_doc(out);
    default:
      rest_.fail(Fault::kTag);
  }
}

void UpdateReader::content_text(DecodedStruct& out) { out.content = as_bytes(read_text(out.len)); }

void UpdateReader::content_values(DecodedStruct& out) {
  out.len = read_len();
  if (out.len > rest_.remaining()) return rest_.fail(Fault::kTruncated);
  out.content = read_values(out.len);
}

// `count` Anys, rewritten where they are not canonical.
ByteView UpdateReader::read_values(uint64_t count) {
  const uint8_t* from = rest_.position();
  bool canonical = true;
  for (uint64_t left = count; left != 0 && rest_.ok(); --left) {
    canonical = skip_any(rest_) && canonical;
  }
  if (!rest_.ok()) return {};
  const ByteView wire(from, rest_.position());
  if (canonical) [[likely]]
    return wire;
  Decoder again(wire);
  Encoder& rewritten = scratch_.workspace();
  for (uint64_t left = count; left != 0; --left) read_any(again).encode(rewritten);
  return keep(rewritten.view());
}

// JSON text of v1, as Any bytes; in the workspace.
ByteView UpdateReader::read_json_value() {
  const std::string_view text = rest_.var_text_unchecked();
  if (!rest_.ok()) return {};
  bool canonical = false;
  if (const Fault fault = check_json(text, canonical); fault != Fault::kNone) {
    rest_.fail(fault);
    return {};
  }
  Encoder& value = scratch_.workspace();
  append_any_of_json(value, text);
  return value.view();
}

void UpdateReader::content_json(DecodedStruct& out) {
  out.len = read_len();
  // No JSON text is empty.
  const uint64_t most = v2_ ? columns_.text.size() : rest_.remaining() / 2;
  if (out.len > most) return rest_.fail(Fault::kTruncated);
  Encoder& texts = scratch_.workspace();
  for (uint64_t left = out.len; left != 0 && rest_.ok(); --left) {
    uint64_t units = 0;
    const std::string_view text = read_text(units);
    bool canonical = true;
    if (text != "undefined") {
      if (const Fault fault = check_json(text, canonical); fault != Fault::kNone) {
        collect_faults();  // a text that is missing reads as empty: say that it is missing
        return rest_.fail(fault);
      }
    }
    if (canonical) {
      texts.var_text(text);
    } else {
      texts.var_text(parse_json(text)->to_json());
    }
  }
  out.content = keep(texts.view());
}

void UpdateReader::content_format(DecodedStruct& out) {
  const std::string_view key = read_key();
  out.content = keep_named(key, v2_ ? read_values(1) : read_json_value());
}

void UpdateReader::content_doc(DecodedStruct& out) {
  uint64_t units = 0;
  const std::string_view guid = read_text(units);
  out.content = keep_named(guid, read_values(1));
}

void UpdateReader::content_type(DecodedStruct& out) {
  const uint64_t ref = v2_ ? columns_.type_ref.read() : rest_.var_uint();
  if (ref >= kTypeRefs) return rest_.fail(Fault::kTag);
  out.content = ByteView(&kTypeRefBytes[ref], 1);
  if (!type_has_name(ref)) return;
  const std::string_view name = read_key();
  uint8_t* at = reserve(name.size() + 1);
  if (at == nullptr) return;
  at[0] = static_cast<uint8_t>(ref);
  put(at + 1, as_bytes(name));
  out.content = ByteView(at, name.size() + 1);
}

uint64_t UpdateReader::read_len() { return v2_ ? columns_.len.read() : rest_.var_uint(); }
uint64_t UpdateReader::read_client() { return v2_ ? columns_.client.read() : rest_.var_uint(); }

Id UpdateReader::read_left() {
  const uint64_t client = read_client();
  return {client, v2_ ? columns_.left_clock.read() : rest_.var_uint()};
}

Id UpdateReader::read_right() {
  const uint64_t client = read_client();
  return {client, v2_ ? columns_.right_clock.read() : rest_.var_uint()};
}

std::string_view UpdateReader::read_text(uint64_t& units) {
  if (!v2_) {
    const std::string_view text = rest_.var_text_unchecked();
    if (!measure_utf8(text, units)) rest_.fail(Fault::kUtf8);
    return text;
  }
  units = columns_.text_len.read();
  std::string_view& blob = columns_.text;
  if (units > blob.size()) {
    rest_.fail(Fault::kTruncated);
    return {};
  }
  if (columns_.ascii) {
    const std::string_view text = blob.substr(0, units);
    blob.remove_prefix(units);
    return text;
  }
  return cut_text(units);
}

std::string_view UpdateReader::read_key() {
  uint64_t units = 0;
  if (!v2_) return read_text(units);
  // Yjs can read keys by number, and writes each one out, numbered.
  const uint64_t number = columns_.key_clock.read();
  if (number < columns_.keys.size()) return columns_.keys[number];
  const std::string_view key = read_text(units);
  columns_.keys.push_back(key);
  return key;
}

// The next `units` UTF-16 units of all strings, when not all of them are ASCII. A string may end
// within a surrogate pair (the writer's document held half a character): it then ends with U+FFFD,
// and the next one begins with it.
std::string_view UpdateReader::cut_text(uint64_t units) {
  if (units == 0) return {};
  std::string_view& blob = columns_.text;
  const bool front = columns_.half;
  const std::string_view body = blob.substr(front ? 4 : 0);
  const Utf8Cut cut = utf8_cut(body, units - (front ? 1 : 0));
  if (cut.missing != 0) {
    rest_.fail(Fault::kTruncated);
    return {};
  }
  blob = body.substr(cut.at);
  columns_.half = cut.split;
  const std::string_view whole = body.substr(0, cut.at);
  if (!front && !cut.split) [[likely]]
    return whole;
  const size_t size = (front ? 3 : 0) + whole.size() + (cut.split ? 3 : 0);
  uint8_t* const text = reserve(size);
  if (text == nullptr) return {};
  uint8_t* at = text;
  if (front) at = put(at, as_bytes(kReplacement));
  at = put(at, as_bytes(whole));
  if (cut.split) put(at, as_bytes(kReplacement));
  return as_text(ByteView(text, size));
}

uint8_t* UpdateReader::reserve(size_t size) {
  if (scratch_.used() > scratch_limit_ || size > scratch_limit_ - scratch_.used()) {
    rest_.fail(Fault::kLimit);
    return nullptr;
  }
  return scratch_.allocate(size);
}

ByteView UpdateReader::keep(ByteView content) {
  uint8_t* at = rest_.ok() ? reserve(content.size()) : nullptr;
  if (at == nullptr) return {};
  put(at, content);
  return {at, content.size()};
}

ByteView UpdateReader::keep_named(std::string_view name, ByteView value) {
  const size_t size = var_uint_size(name.size()) + name.size() + value.size();
  uint8_t* at = rest_.ok() ? reserve(size) : nullptr;
  if (at == nullptr) return {};
  put(put(put_var_uint(at, name.size()), as_bytes(name)), value);
  return {at, size};
}

bool UpdateReader::next_deleted(IdRange& out) {
  if (!deletes_begun_) {
    for (DecodedStruct left; next(left);) continue;
    if (fault_ != Fault::kNone) return false;
    deletes_begun_ = true;
    delete_clients_ = rest_.var_uint();
  }
  for (;;) {
    if (!next_delete_client()) return false;
    --delete_ranges_;
    --ranges_left_;
    uint64_t clock = rest_.var_uint();
    uint64_t len = rest_.var_uint();
    if (v2_) {
      clock += delete_clock_;
      len += 1;
    }
    if (!rest_.ok()) return fail(rest_.fault());
    if (clock > kMaxInteger || len > kMaxInteger - clock) return fail(Fault::kRange);
    delete_clock_ = clock + len;
    if (len == 0) continue;  // deletes nothing
    out = {delete_client_, clock, len};
    return true;
  }
}

// Makes sure that a range follows; false at the end and after a fault.
bool UpdateReader::next_delete_client() {
  while (delete_ranges_ == 0) {
    if (!rest_.ok()) return fail(rest_.fault());
    if (delete_clients_ == 0) return rest_.at_end() ? false : fail(Fault::kTrailing);
    --delete_clients_;
    delete_client_ = rest_.var_uint();
    delete_ranges_ = rest_.var_uint();
    delete_clock_ = 0;
    if (delete_ranges_ > rest_.remaining() / 2) return fail(Fault::kTruncated);
    if (delete_ranges_ > ranges_left_) return fail(Fault::kLimit);
  }
  return true;
}

void DecodedUpdate::clear() {
  structs.clear();
  blocks.clear();
  deletes.clear();
  scratch.clear();
}

Status read_update(ByteView update, UpdateFormat format, DecodedUpdate& out,
                   const UpdateLimits& limits) {
  out.clear();
  UpdateReader reader(update, format, out.scratch, limits);
  auto& structs = out.structs;
  for (;;) {
    if (structs.size() == structs.capacity()) {
      const size_t claimed = std::min<size_t>(reader.in_block(), kAhead);
      structs.reserve(structs.size() + std::max({claimed, structs.size(), size_t{1}}));
    }
    structs.emplace_back();
    if (!reader.next(structs.back())) break;
    if (reader.block_begun()) {
      out.blocks.push_back(
          {structs.back().id.client, static_cast<uint32_t>(structs.size() - 1), 0});
    }
    ++out.blocks.back().count;
  }
  structs.pop_back();
  for (IdRange range; reader.next_deleted(range);) out.deletes.push_back(range);
  if (reader.fault() == Fault::kNone) return {};
  out.clear();
  return crdt_fault(reader.fault(), "update");
}

}  // namespace footlight::crdt
