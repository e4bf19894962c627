// Edits of one text: positions that carry the formats in force there.
#pragma once
#include "crdt/internal/formats.h"
#include "crdt/internal/store.h"

namespace footlight::crdt::internal {

struct TextPosition {
  Handle left = kNone;
  Handle right = kNone;
  uint32_t index = 0;
  Formats formats;
};

class TextEditor {
 public:
  TextEditor(Store& store, uint32_t slot) : store_(store), slot_(slot) {}

  // An index past the end is the end. Splits, so that the position is between items.
  TextPosition find(uint64_t index);
  // `content`, or `input` when not null.
  void insert(TextPosition& at, const Content& content, const Input* input, Formats formats);
  void format(TextPosition& at, uint64_t length, const Formats& formats);
  void erase(TextPosition& at, uint64_t length);
  Formats formats_of(const Attributes& attributes);
  void clean_gap_without_context(Handle at);
  void clean_all();
  uint32_t found_start() const { return start_; }  // index of the item left of what find() found

 private:
  // Formatting past the end makes newlines; nobody means more than this.
  static constexpr uint64_t kMaxNewlines = 1 << 20;

  void forward(TextPosition& at);
  void pass(Formats& formats, const Item& item);
  void minimize(TextPosition& at, const Formats& formats);
  void insert_format(TextPosition& at, uint32_t key, std::string_view value);
  Formats begin_formats(TextPosition& at, const Formats& formats);
  void end_formats(TextPosition& at, Formats& negated);
  size_t clean_gap(Handle start, Handle at, const Formats& start_formats, Formats& current);

  Store& store_;
  uint32_t slot_;
  uint32_t start_ = 0;
};

}  // namespace footlight::crdt::internal
