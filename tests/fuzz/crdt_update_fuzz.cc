// DEPS: footlight_crdt
//
// Updates of untrusted origin, v1 and v2 (the first byte says which; its next bit cuts the input in
// two updates). What the reader accepts is written, converted, merged and cut without a fault, and
// says the same afterwards.
#include <cstdint>
#include <vector>

#include "crdt/merge.h"
#include "crdt/update_writer.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;
using namespace footlight::crdt;

constexpr UpdateLimits kLimits{.max_structs = 5000, .max_ranges = 5000};
// What was made of an accepted update must be readable; a joined or cut update may hold more
// structs (skips) than its parts.
constexpr UpdateLimits kWide{.max_structs = 50'000, .max_ranges = 50'000};

UpdateFormat other(UpdateFormat format) {
  return format == UpdateFormat::kV1 ? UpdateFormat::kV2 : UpdateFormat::kV1;
}

void same_ids(ByteView a, ByteView b, UpdateFormat format) {
  const auto x = ids_of_update(a, format, kWide);
  const auto y = ids_of_update(b, format, kWide);
  require(x.has_value() && y.has_value());
  require(x->inserted == y->inserted && x->deleted == y->deleted);
}

void read(ByteView update, UpdateFormat format) {
  DecodedUpdate decoded;
  const bool whole = read_update(update, format, decoded, kLimits).has_value();
  Scratch scratch;
  UpdateReader reader(update, format, scratch, kLimits);
  size_t structs = 0;
  for (DecodedStruct s; reader.next(s); ++structs) {
    require(s.len != 0 && s.end() <= kMaxClient);
    if (whole) require(decoded.structs[structs].id == s.id);
  }
  for (IdRange range; reader.next_deleted(range);) require(range.len != 0);
  require(whole == (reader.fault() == Fault::kNone));
  require(scratch.used() <= update.size() * 8 + 4096);
  require(decoded.structs.size() == (whole ? structs : 0));
}

void tools(ByteView update, UpdateFormat format) {
  const auto once = convert_update(update, format, UpdateFormat::kV1, kLimits);
  if (!once) return;
  const auto there = convert_update(*once, UpdateFormat::kV1, UpdateFormat::kV2, kWide);
  require(there.has_value());
  const auto back = convert_update(*there, UpdateFormat::kV2, UpdateFormat::kV1, kWide);
  require(back.has_value() && *back == *once);

  const auto state = state_vector_of_update(update, format, kWide);
  require(state.has_value() && meta_of_update(update, format, kWide).has_value());
  const auto rest = diff_update(update, format, *state, kWide);
  require(rest.has_value());
  require(ids_of_update(*rest, format, kWide).has_value());
  const auto all = diff_update(update, format, {}, kWide);
  require(all.has_value());
  same_ids(update, *all, format);
}

void merge(ByteView a, ByteView b, UpdateFormat format) {
  const ByteView both[] = {a, b};
  const auto merged = merge_updates(both, format, kLimits);
  if (!merged) return;
  const ByteView again[] = {*merged};
  require(*merge_updates(again, format, kWide) == *merged);
  const ByteView more[] = {a, b, *merged};
  same_ids(*merge_updates(more, format, kWide), *merged, format);
  const auto x = ids_of_update(a, format, kWide);
  const auto y = ids_of_update(b, format, kWide);
  DeleteSet inserted = x->inserted;
  inserted.add(y->inserted);
  inserted.normalize();
  require(ids_of_update(*merged, format, kWide)->inserted == inserted);
  require(convert_update(*merged, format, other(format), kWide).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const UpdateFormat format = data[0] % 2 == 0 ? UpdateFormat::kV1 : UpdateFormat::kV2;
  const ByteView in(data + 1, size - 1);
  if (data[0] % 4 >= 2 && !in.empty()) {
    const size_t cut = std::min<size_t>(in[0], in.size() - 1);
    merge(in.subspan(1, cut), in.subspan(1 + cut), format);
    return 0;
  }
  read(in, format);
  tools(in, format);
  const ByteView twice[] = {in, in};
  const ByteView one[] = {in};
  const auto merged = merge_updates(one, format, kLimits);
  if (merged) {
    const auto doubled = merge_updates(twice, format, kWide);
    require(doubled.has_value() && *doubled == *merged);
    same_ids(in, *merged, format);
  }
  return 0;
}
