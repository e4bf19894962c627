// Text with formats. Source: yjs 13.6 `src/types/YText.js`; the order of steps is its order, since
// every step that makes or deletes an item shows in the bytes.
#include "crdt/internal/text.h"

#include <algorithm>

#include "crdt/internal/formats.h"
#include "crdt/internal/store.h"
#include "crdt/utf16.h"

namespace footlight::crdt::internal {

bool equal_formats(std::string_view a, std::string_view b) {
  if (a == b) return true;
  constexpr char kObject = 118;
  if (a.empty() || b.empty() || a[0] != kObject || b[0] != kObject) return false;
  Decoder in_a(as_bytes(a));
  Decoder in_b(as_bytes(b));
  const Any left = read_any(in_a);
  const Any right = read_any(in_b);
  if (left.object() == nullptr || right.object() == nullptr) return false;
  if (left.object()->size() != right.object()->size()) return false;
  return std::all_of(left.object()->begin(), left.object()->end(), [&](const auto& member) {
    const Any* other = right.find(member.first);
    return other != nullptr && *other == member.second;
  });
}

namespace {
// JavaScript's === for values of different format items: objects are never the same one.
bool identical(std::string_view a, std::string_view b) {
  return a == b && !a.empty() && a[0] != 118 && a[0] != 117 && a[0] != 116;
}
}  // namespace

FormatView read_format(ByteView content) {
  Decoder in(content);
  FormatView view;
  view.key = in.var_text_unchecked();
  view.value = as_text(content).substr(content.size() - in.remaining());
  return view;
}

void TextEditor::forward(TextPosition& at) {
  const Item& item = store_.items[at.right];
  if (!item.deleted()) {
    if (item.ref == Ref::kFormat) {
      pass(at.formats, item);
    } else {
      at.index += item.len;
    }
  }
  at.left = at.right;
  at.right = item.right;
}

void TextEditor::pass(Formats& formats, const Item& item) {
  const FormatView format = read_format(store_.content(item));
  formats.pass(store_.names.intern(format.key), format.value);
}

Formats TextEditor::formats_of(const Attributes& attributes) {
  Any ordered{attributes};
  ordered.canonicalize();
  Formats formats;
  Encoder bytes;
  for (const auto& [key, value] : *ordered.object()) {
    if (value.is_undefined()) continue;
    bytes.clear();
    value.encode(bytes);
    formats.set(store_.names.intern(key), as_text(bytes.view()));
  }
  return formats;
}

TextPosition TextEditor::find(uint64_t index) {
  TypeNode& type = store_.types[slot_];
  TextPosition at;
  if (!type.has_formatting) {
    if (index > type.length) {
      at.left = type.last;
      at.index = type.length;
      start_ = kNone;
      return at;
    }
    at.index = static_cast<uint32_t>(index);
    at.right = type.start;
    if (index == 0) return at;
    at.left = store_.find_index(slot_, at.index - 1, start_);
    const Item& left = store_.items[at.left];
    const uint32_t offset = at.index - start_;
    if (offset < left.len) (void)store_.clean_start(left.client, left.clock + offset);
    at.right = left.right;
    return at;
  }
  at.right = type.start;
  while (at.right != kNone && index > 0) {
    const Item& item = store_.items[at.right];
    if (!item.deleted()) {
      if (item.ref == Ref::kFormat) {
        pass(at.formats, item);
      } else {
        if (index < item.len) {
          (void)store_.clean_start(item.client, item.clock + static_cast<uint32_t>(index));
        }
        at.index += item.len;
        index -= item.len;
      }
    }
    at.left = at.right;
    at.right = item.right;
  }
  return at;
}

// Goes past what is deleted and past formats that say what `formats` say anyway.
void TextEditor::minimize(TextPosition& at, const Formats& formats) {
  while (at.right != kNone) {
    const Item& item = store_.items[at.right];
    if (!item.deleted()) {
      if (item.ref != Ref::kFormat) break;
      const FormatView format = read_format(store_.content(item));
      if (!equal_formats(formats.get(store_.names.intern(format.key)), format.value)) break;
    }
    forward(at);
  }
}

void TextEditor::insert_format(TextPosition& at, uint32_t key, std::string_view value) {
  Encoder& bytes = store_.scratch;
  bytes.clear();
  bytes.var_text(store_.names[key]);
  bytes.text(value);
  at.right = store_.insert(slot_, at.left, at.right, kNone, {Ref::kFormat, 1, bytes.view()});
  forward(at);
}

Formats TextEditor::begin_formats(TextPosition& at, const Formats& formats) {
  Formats negated;
  for (const auto& [key, value] : formats.entries()) {
    const std::string current(at.formats.get(key));
    if (equal_formats(current, value)) continue;
    negated.set(key, current);
    insert_format(at, key, value);
  }
  return negated;
}

void TextEditor::end_formats(TextPosition& at, Formats& negated) {
  while (at.right != kNone) {
    const Item& item = store_.items[at.right];
    if (!item.deleted()) {
      if (item.ref != Ref::kFormat) break;
      const FormatView format = read_format(store_.content(item));
      const uint32_t key = store_.names.intern(format.key);
      const std::string* value = negated.find(key);
      if (value == nullptr || !equal_formats(*value, format.value)) break;
      negated.erase(key);
    }
    forward(at);
  }
  for (const auto& [key, value] : negated.entries()) insert_format(at, key, value);
}

void TextEditor::insert(TextPosition& at, const Content& content, const Input* input,
                        Formats formats) {
  for (const auto& [key, value] : at.formats.entries()) {
    if (formats.find(key) == nullptr) formats.set(key, Formats::kNull);
  }
  minimize(at, formats);
  Formats negated = begin_formats(at, formats);
  Content made = content;
  if (input != nullptr) made = store_.make_content(*input);
  if (made.ref == Ref::kAny) made.ref = Ref::kEmbed;
  at.right = store_.insert(slot_, at.left, at.right, kNone, made);
  if (made.ref == Ref::kType) store_.fill_type(made.type, *input);
  if (at.right == at.left) {  // it grew by the text
    at.index += made.len;
    at.right = store_.items[at.left].right;
  } else {
    forward(at);
  }
  end_formats(at, negated);
}

void TextEditor::format(TextPosition& at, uint64_t length, const Formats& formats) {
  minimize(at, formats);
  Formats negated = begin_formats(at, formats);
  while (at.right != kNone) {
    const Item& item = store_.items[at.right];
    if (length == 0 && (negated.empty() || !(item.deleted() || item.ref == Ref::kFormat))) break;
    if (!item.deleted()) {
      if (item.ref == Ref::kFormat) {
        const FormatView format = read_format(store_.content(item));
        const uint32_t key = store_.names.intern(format.key);
        const std::string* wanted = formats.find(key);
        if (wanted != nullptr) {
          if (equal_formats(*wanted, format.value)) {
            negated.erase(key);
          } else {
            if (length == 0) break;
            negated.set(key, format.value);
          }
          store_.delete_item(at.right);
        } else {
          at.formats.set(key, format.value);
        }
      } else {
        if (length < item.len) {
          (void)store_.clean_start(item.client, item.clock + static_cast<uint32_t>(length));
        }
        length -= item.len;
      }
    }
    forward(at);
  }
  // yjs lets editors format the newline that they imagine at the end, by making it real.
  if (length > 0) {
    const std::string newlines(static_cast<size_t>(std::min(length, kMaxNewlines)), '\n');
    const auto count = static_cast<uint32_t>(newlines.size());
    const Handle made =
        store_.insert(slot_, at.left, at.right, kNone, {Ref::kString, count, as_bytes(newlines)});
    if (made == at.left) {
      at.index += count;
    } else {
      at.right = made;
      forward(at);
    }
  }
  end_formats(at, negated);
}

void TextEditor::erase(TextPosition& at, uint64_t length) {
  const Formats start_formats = at.formats;
  const Handle start = at.right;
  while (length > 0 && at.right != kNone) {
    const Item& item = store_.items[at.right];
    if (!item.deleted() &&
        (item.ref == Ref::kString || item.ref == Ref::kEmbed || item.ref == Ref::kType)) {
      if (length < item.len) {
        (void)store_.clean_start(item.client, item.clock + static_cast<uint32_t>(length));
      }
      length -= item.len;
      store_.delete_item(at.right);
    }
    forward(at);
  }
  if (start != kNone && store_.types[slot_].has_formatting) {
    Formats before = start_formats;
    (void)clean_gap(start, at.right, before, at.formats);
  }
}

// Deletes formats between `start` and the next content that are overwritten there or say nothing
// new. `current` are the formats at `at`, which is somewhere in the gap.
size_t TextEditor::clean_gap(Handle start, Handle at, const Formats& start_formats,
                             Formats& current) {
  Handle end = start;
  std::vector<std::pair<uint32_t, Handle>> last;  // of each key the last format in the gap
  while (end != kNone) {
    const Item& item = store_.items[end];
    if (item.countable() && !item.deleted()) break;
    if (!item.deleted() && item.ref == Ref::kFormat) {
      const uint32_t key = store_.names.intern(read_format(store_.content(item)).key);
      const auto same = std::find_if(last.begin(), last.end(),
                                     [key](const auto& entry) { return entry.first == key; });
      if (same == last.end()) {
        last.emplace_back(key, end);
      } else {
        same->second = end;
      }
    }
    end = item.right;
  }
  size_t cleaned = 0;
  bool reached = false;
  for (Handle h = start; h != end; h = store_.items[h].right) {
    if (h == at) reached = true;
    const Item& item = store_.items[h];
    if (item.deleted() || item.ref != Ref::kFormat) continue;
    const FormatView format = read_format(store_.content(item));
    const uint32_t key = store_.names.intern(format.key);
    const std::string_view before = start_formats.get(key);
    const auto same = std::find_if(last.begin(), last.end(),
                                   [key](const auto& entry) { return entry.first == key; });
    if (same->second != h || identical(before, format.value)) {
      const std::string value(format.value);
      store_.delete_item(h);
      ++cleaned;
      if (!reached && current.get(key) == value && !identical(before, value)) {
        if (before == Formats::kNull) {
          current.erase(key);
        } else {
          current.set(key, before);
        }
      }
    }
    if (!reached && !item.deleted()) pass(current, item);
  }
  return cleaned;
}

void TextEditor::clean_gap_without_context(Handle at) {
  while (true) {
    const Handle right = store_.items[at].right;
    if (right == kNone || (!store_.items[right].deleted() && store_.items[right].countable()))
      break;
    at = right;
  }
  std::vector<uint32_t> seen;
  while (at != kNone) {
    const Item& item = store_.items[at];
    if (!item.deleted() && item.countable()) break;
    if (!item.deleted() && item.ref == Ref::kFormat) {
      const uint32_t key = store_.names.intern(read_format(store_.content(item)).key);
      if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
        store_.delete_item(at);
      } else {
        seen.push_back(key);
      }
    }
    at = item.left;
  }
}

void TextEditor::clean_all() {
  Handle start = store_.types[slot_].start;
  Handle end = start;
  Formats start_formats;
  Formats current;
  while (end != kNone) {
    const Item& item = store_.items[end];
    if (!item.deleted()) {
      if (item.ref == Ref::kFormat) {
        pass(current, item);
      } else {
        (void)clean_gap(start, end, start_formats, current);
        start_formats = current;
        start = end;
      }
    }
    end = store_.items[end].right;
  }
}

}  // namespace footlight::crdt::internal
