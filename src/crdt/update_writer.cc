#include "crdt/update_writer.h"

#include "core/assert.h"
#include "crdt/any.h"
#include "crdt/update_reader.h"
#include "crdt/utf16.h"

namespace footlight::crdt {
namespace {

constexpr uint8_t kKeyBit = 0x20;
constexpr uint8_t kRightBit = 0x40;
constexpr uint8_t kLeftBit = 0x80;

// Content of a document or of a reader, never a peer's bytes: a Decoder over it does not fail.
Decoder trusted(const DecodedStruct& s) { return Decoder(s.content); }

}  // namespace

void UpdateWriter::reset() {
  rest_.clear();
  sections_.clear();
  if (!v2_) return;
  key_clock_ = 0;
  key_clocks_.clear();
  clients_.clear();
  left_clocks_.clear();
  right_clocks_.clear();
  infos_.clear();
  texts_.clear();
  text_lens_.clear();
  parent_infos_.clear();
  type_refs_.clear();
  lens_.clear();
  out_.clear();
}

void UpdateWriter::open_client(uint64_t id, uint64_t clock) {
  sections_.push_back({0, rest_.size()});
  write_client(id);
  rest_.var_uint(clock);
}

// Each section is preceded by its count of structs, known only now.
void UpdateWriter::close_clients() {
  Encoder& whole = swap_;
  whole.clear();
  whole.var_uint(sections_.size());
  const ByteView parts = rest_.view();
  for (size_t i = 0; i < sections_.size(); ++i) {
    const size_t end = i + 1 < sections_.size() ? sections_[i + 1].begin : parts.size();
    whole.var_uint(sections_[i].structs);
    whole.bytes(parts.subspan(sections_[i].begin, end - sections_[i].begin));
  }
  std::swap(rest_, swap_);
  sections_.clear();
}

void UpdateWriter::write_left(Id id) {
  if (v2_) {
    clients_.write(id.client);
    left_clocks_.write(id.clock);
  } else {
    rest_.var_uint(id.client);
    rest_.var_uint(id.clock);
  }
}

void UpdateWriter::write_right(Id id) {
  if (v2_) {
    clients_.write(id.client);
    right_clocks_.write(id.clock);
  } else {
    rest_.var_uint(id.client);
    rest_.var_uint(id.clock);
  }
}

void UpdateWriter::write_text(std::string_view text) {
  if (v2_) {
    texts_.text(text);
    text_lens_.write(utf16_length(text));
  } else {
    rest_.var_text(text);
  }
}

// Each key is written out with a number of its own, as yjs does (it never refers back).
void UpdateWriter::write_key(std::string_view key) {
  if (v2_) key_clocks_.write(key_clock_++);
  write_text(key);
}

void UpdateWriter::write_json(ByteView any) {
  if (v2_) return rest_.bytes(any);
  json_.clear();
  append_json_of_any(json_, any);
  rest_.var_text(json_);
}

void UpdateWriter::write(const DecodedStruct& s, uint64_t offset) {
  FL_ASSERT(offset < s.len, "a struct is not written behind its end");
  if (!s.is_item()) {
    write_info(static_cast<uint8_t>(s.ref));
    if (s.ref == Ref::kGc) {
      write_len(s.len - offset);
    } else {
      rest_.var_uint(s.len - offset);
    }
    return;
  }
  const bool left = offset != 0 || s.has_origin;
  const bool key = s.has_key || s.has_parent_sub;
  write_info(static_cast<uint8_t>(static_cast<uint8_t>(s.ref) | (left ? kLeftBit : 0) |
                                  (s.has_right_origin ? kRightBit : 0) | (key ? kKeyBit : 0)));
  if (left) write_left(offset != 0 ? Id{s.id.client, s.id.clock + offset - 1} : s.origin);
  if (s.has_right_origin) write_right(s.right_origin);
  if (!left && !s.has_right_origin) write_parent(s);
  write_content(s, offset);
}

void UpdateWriter::write_info(uint8_t info) {
  if (v2_) {
    infos_.write(info);
  } else {
    rest_.u8(info);
  }
}

void UpdateWriter::write_parent(const DecodedStruct& s) {
  FL_ASSERT(s.parent_kind != ParentKind::kInherit, "a struct without origins names its parent");
  const bool root = s.parent_kind == ParentKind::kRoot;
  if (v2_) {
    parent_infos_.write(root ? 1 : 0);
  } else {
    rest_.u8(root ? 1 : 0);
  }
  if (root) {
    write_text(s.parent_name);
  } else {
    write_left(s.parent_id);
  }
  if (s.has_key || s.has_parent_sub) write_text(s.parent_sub);
}

void UpdateWriter::write_content(const DecodedStruct& s, uint64_t offset) {
  switch (s.ref) {
    case Ref::kDeleted:
      return write_len(s.len - offset);
    case Ref::kJson:
      return write_json_texts(s, offset);
    case Ref::kBinary:
      return rest_.var_bytes(s.content);
    case Ref::kString:
      return write_string(as_text(s.content), offset);
    case Ref::kEmbed:
      return write_json(s.content);
    case Ref::kFormat: {
      Decoder in = trusted(s);
      write_key(in.var_text_unchecked());
      return write_json(in.bytes(in.remaining()));
    }
    case Ref::kType:
      return write_type(s);
    case Ref::kAny:
      return write_values(s, offset);
    case Ref::kDoc: {
      Decoder in = trusted(s);
      write_text(in.var_text_unchecked());
      return rest_.bytes(in.bytes(in.remaining()));
    }
    default:
      FL_ASSERT(false, "content of an unknown kind is not written");
  }
}

void UpdateWriter::write_type(const DecodedStruct& s) {
  const uint8_t type = s.content[0];
  if (v2_) {
    type_refs_.write(type);
  } else {
    rest_.u8(type);
  }
  if (static_cast<TypeRef>(type) == TypeRef::kXmlElement ||
      static_cast<TypeRef>(type) == TypeRef::kXmlHook) {
    write_key(as_text(s.content.subspan(1)));
  }
}

void UpdateWriter::write_string(std::string_view text, uint64_t offset) {
  if (offset == 0) return write_text(text);
  const Utf8Cut cut = utf8_cut(text, offset);
  text.remove_prefix(cut.at);
  if (!cut.split) return write_text(text);
  text.remove_prefix(4);
  if (v2_) {
    texts_.text(kReplacement);
    texts_.text(text);
    text_lens_.write(1 + utf16_length(text));
  } else {
    rest_.var_uint(kReplacement.size() + text.size());
    rest_.text(kReplacement);
    rest_.text(text);
  }
}

void UpdateWriter::write_json_texts(const DecodedStruct& s, uint64_t offset) {
  Decoder in = trusted(s);
  for (uint64_t i = 0; i < offset; ++i) in.var_bytes();
  write_len(s.len - offset);
  if (!v2_) return rest_.bytes(in.bytes(in.remaining()));
  for (uint64_t i = offset; i < s.len; ++i) write_text(in.var_text_unchecked());
}

void UpdateWriter::write_values(const DecodedStruct& s, uint64_t offset) {
  Decoder in = trusted(s);
  for (uint64_t i = 0; i < offset; ++i) skip_any(in);
  write_len(s.len - offset);
  rest_.bytes(in.bytes(in.remaining()));
}

ByteView UpdateWriter::finish() {
  if (!v2_) return rest_.view();
  key_clocks_.finish();
  clients_.finish();
  left_clocks_.finish();
  right_clocks_.finish();
  text_lens_.finish();
  type_refs_.finish();
  lens_.finish();
  out_.clear();
  out_.u8(0);  // feature flags
  out_.var_bytes(key_clocks_.view());
  out_.var_bytes(clients_.view());
  out_.var_bytes(left_clocks_.view());
  out_.var_bytes(right_clocks_.view());
  out_.var_bytes(infos_.view());
  write_texts_column();
  out_.var_bytes(parent_infos_.view());
  out_.var_bytes(type_refs_.view());
  out_.var_bytes(lens_.view());
  out_.bytes(rest_.view());
  return out_.view();
}

void UpdateWriter::write_texts_column() {
  size_t prefix = 1;
  for (size_t size = texts_.size(); size >= 0x80; size >>= 7) ++prefix;
  out_.var_uint(prefix + texts_.size() + text_lens_.view().size());
  out_.var_bytes(texts_.view());
  out_.bytes(text_lens_.view());
}

void cut_front(DecodedStruct& s, uint64_t offset, Scratch& scratch) {
  FL_ASSERT(offset != 0 && offset < s.len, "what is cut off is a part");
  if (s.ref == Ref::kString) {
    const std::string_view text = as_text(s.content);
    const Utf8Cut cut = utf8_cut(text, offset);
    s.content = s.content.subspan(cut.at);
    if (cut.split) {
      const std::string_view tail = text.substr(cut.at + 4);
      uint8_t* at = scratch.allocate(kReplacement.size() + tail.size());
      std::memcpy(at, kReplacement.data(), kReplacement.size());
      if (!tail.empty()) std::memcpy(at + kReplacement.size(), tail.data(), tail.size());
      s.content = {at, kReplacement.size() + tail.size()};
    }
  } else if (s.ref == Ref::kAny || s.ref == Ref::kJson) {
    Decoder in = trusted(s);
    for (uint64_t i = 0; i < offset; ++i) {
      if (s.ref == Ref::kAny) {
        skip_any(in);
      } else {
        in.var_bytes();
      }
    }
    s.content = in.bytes(in.remaining());
  }
  if (s.is_item()) {
    s.has_origin = true;
    s.origin = {s.id.client, s.id.clock + offset - 1};
    s.has_key = s.has_key || s.has_parent_sub;
    s.has_parent_sub = false;
    s.parent_kind = ParentKind::kInherit;
  }
  s.id.clock += offset;
  s.len -= offset;
}

}  // namespace footlight::crdt
