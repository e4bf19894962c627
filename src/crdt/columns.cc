#include "crdt/columns.h"

#include <limits>

namespace footlight::crdt {
namespace {
// A run that never ends: the last one of an Rle column, and the zeros after a fault.
constexpr uint64_t kEndless = std::numeric_limits<uint64_t>::max();

void write_run(Encoder& out, uint64_t value, uint64_t run) {
  if (run == 0) return;
  out.var_int(SignedInt{value, run > 1});
  if (run > 1) out.var_uint(run - 2);
}

// The value and the length of the next run.
uint64_t read_run(Decoder& in, uint64_t& left) {
  const SignedInt value = in.var_int();
  left = value.negative ? in.var_uint() + 2 : 1;
  if (value.magnitude > kMaxInteger) in.fail(Fault::kRange);
  if (in.ok()) return value.magnitude;
  left = kEndless;
  return 0;
}
}  // namespace

void RleDecoder::next_run() {
  value_ = in_.u8();
  left_ = in_.at_end() ? kEndless : in_.var_uint() + 1;
  if (in_.ok()) return;
  value_ = 0;
  left_ = kEndless;
}

void UintOptRleDecoder::next_run() { value_ = read_run(in_, left_); }

uint64_t IncUintOptRleDecoder::read() {
  if (left_ == 0) value_ = read_run(in_, left_);
  --left_;
  if (value_ > kMaxInteger) in_.fail(Fault::kRange);
  return in_.ok() ? value_++ : 0;
}

void IntDiffOptRleDecoder::next_run() {
  const SignedInt coded = in_.var_int();
  // floor(coded / 2), as an arithmetic shift gives it; the run flag is the lowest bit either way.
  const int64_t whole = coded.negative ? -static_cast<int64_t>(coded.magnitude)
                                       : static_cast<int64_t>(coded.magnitude);
  diff_ = whole >> 1;
  left_ = (whole & 1) != 0 ? in_.var_uint() + 2 : 1;
  if (in_.ok()) return;
  value_ = 0;
  diff_ = 0;
  left_ = kEndless;
}

void IntDiffOptRleDecoder::out_of_range() {
  in_.fail(Fault::kRange);
  value_ = 0;
  diff_ = 0;
  left_ = kEndless;
}

void UintOptRleEncoder::flush() { write_run(out_, value_, run_); }

void IncUintOptRleEncoder::write(uint64_t value) {
  if (value_ + run_ == value) {
    ++run_;
    return;
  }
  write_run(out_, value_, run_);
  value_ = value;
  run_ = 1;
}

void IncUintOptRleEncoder::finish() {
  write_run(out_, value_, run_);
  run_ = 0;
}

void IntDiffOptRleEncoder::flush() {
  if (run_ == 0) return;
  out_.var_int(diff_ * 2 + (run_ > 1 ? 1 : 0));
  if (run_ > 1) out_.var_uint(run_ - 2);
}

}  // namespace footlight::crdt
