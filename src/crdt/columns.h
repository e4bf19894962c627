// The column coders of update format v2 (docs/formats/crdt-update.md, "Columns"): each field of all
// structs stands in a run-length coded column of its own.
//
// A decoder of a column that ran out fails like Decoder does (sticky, kTruncated) and yields zeros;
// a run costs nothing to claim, so whoever reads n values from a column must bound n himself.
// Values handed out are at most kMaxInteger. Encoders keep their memory when cleared; finish()
// writes what is pending and must be called once, before view().
#pragma once
#include <string_view>

#include "crdt/lib0.h"

namespace footlight::crdt {

// Bytes: value, then run length - 1; the last run has no length and goes on for ever.
class RleDecoder {
 public:
  RleDecoder() = default;
  explicit RleDecoder(ByteView in) : in_(in) {}
  uint8_t read() {
    if (left_ == 0) next_run();
    --left_;
    return value_;
  }
  Fault fault() const { return in_.fault(); }

 private:
  void next_run();
  Decoder in_;
  uint64_t left_ = 0;
  uint8_t value_ = 0;
};

// Unsigned integers: a signed integer; when negative (minus zero included) its magnitude repeats
// and the run length - 2 follows.
class UintOptRleDecoder {
 public:
  UintOptRleDecoder() = default;
  explicit UintOptRleDecoder(ByteView in) : in_(in) {}
  explicit UintOptRleDecoder(Decoder rest) : in_(rest) {}
  uint64_t read() {
    if (left_ == 0) next_run();
    --left_;
    return value_;
  }
  Fault fault() const { return in_.fault(); }

 private:
  void next_run();
  Decoder in_;
  uint64_t left_ = 0;
  uint64_t value_ = 0;
};

// As UintOptRle, but a run counts up by one a value.
class IncUintOptRleDecoder {
 public:
  explicit IncUintOptRleDecoder(ByteView in) : in_(in) {}
  uint64_t read();
  Fault fault() const { return in_.fault(); }

 private:
  Decoder in_;
  uint64_t left_ = 0;
  uint64_t value_ = 0;
};

// Differences between neighbours: a signed integer of 2 * difference + (run follows), then the run
// length - 2.
class IntDiffOptRleDecoder {
 public:
  IntDiffOptRleDecoder() = default;
  explicit IntDiffOptRleDecoder(ByteView in) : in_(in) {}
  uint64_t read() {
    if (left_ == 0) next_run();
    --left_;
    value_ += diff_;
    if (static_cast<uint64_t>(value_) > kMaxInteger) [[unlikely]]
      out_of_range();
    return static_cast<uint64_t>(value_);
  }
  Fault fault() const { return in_.fault(); }

 private:
  void next_run();
  void out_of_range();
  Decoder in_;
  uint64_t left_ = 0;
  int64_t value_ = 0;
  int64_t diff_ = 0;
};

class RleEncoder {
 public:
  void clear() { out_.clear(), run_ = 0; }
  void write(uint8_t value) {
    if (run_ != 0 && value == value_) {
      ++run_;
      return;
    }
    if (run_ != 0) out_.var_uint(run_ - 1);
    out_.u8(value);
    value_ = value;
    run_ = 1;
  }
  ByteView view() const { return out_.view(); }  // the last run stays open: nothing to finish

 private:
  Encoder out_;
  uint64_t run_ = 0;
  uint8_t value_ = 0;
};

class UintOptRleEncoder {
 public:
  void clear() { out_.clear(), run_ = 0, value_ = 0; }
  void write(uint64_t value) {
    if (value == value_) {
      ++run_;
      return;
    }
    flush();
    value_ = value;
    run_ = 1;
  }
  void finish() { flush(), run_ = 0; }
  ByteView view() const { return out_.view(); }

 private:
  void flush();
  Encoder out_;
  uint64_t run_ = 0;
  uint64_t value_ = 0;
};

class IncUintOptRleEncoder {
 public:
  void write(uint64_t value);
  void finish();
  ByteView view() const { return out_.view(); }

 private:
  Encoder out_;
  uint64_t run_ = 0;
  uint64_t value_ = 0;
};

class IntDiffOptRleEncoder {
 public:
  void clear() { out_.clear(), run_ = 0, value_ = 0, diff_ = 0; }
  void write(uint64_t value) {  // at most kMaxInteger
    const int64_t diff = static_cast<int64_t>(value) - value_;
    value_ = static_cast<int64_t>(value);
    if (diff == diff_) {
      ++run_;
      return;
    }
    flush();
    diff_ = diff;
    run_ = 1;
  }
  void finish() { flush(), run_ = 0; }
  ByteView view() const { return out_.view(); }

 private:
  void flush();
  Encoder out_;
  uint64_t run_ = 0;
  int64_t value_ = 0;
  int64_t diff_ = 0;
};

}  // namespace footlight::crdt
