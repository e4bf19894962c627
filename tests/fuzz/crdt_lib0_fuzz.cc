// DEPS: footlight_crdt
//
// Values and columns of the Yjs formats. The first byte picks what the rest is read as.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "crdt/any.h"
#include "crdt/columns.h"
#include "crdt/state_vector.h"
#include "crdt/utf16.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;
using namespace footlight::crdt;

std::string coded(const Any& value) {
  Encoder out;
  value.encode(out);
  return std::string(as_text(out.view()));
}

// Reading and skipping agree; what is read is written canonically, and so it stays.
void any(ByteView in) {
  Decoder read(in);
  const Any value = read_any(read);
  Decoder skipped(in);
  const bool canonical = skip_any(skipped);
  require(read.fault() == skipped.fault() && read.remaining() == skipped.remaining());
  if (!read.ok()) return;
  const std::string bytes = coded(value);
  require(canonical == (bytes == as_text(in.first(in.size() - read.remaining()))));
  Decoder again(as_bytes(bytes));
  require(coded(read_any(again)) == bytes && again.at_end());

  const std::string json = value.to_json();
  bool printed_so = false;
  require(check_json(json, printed_so) == Fault::kNone);
  require(parse_json(json)->to_json() == json);
}

void json(ByteView in) {
  const std::string_view text = as_text(in);
  bool canonical = false;
  const Fault fault = check_json(text, canonical);
  const auto value = parse_json(text);
  require(value.has_value() == (fault == Fault::kNone));
  if (!value) return require(value.error() == fault);
  const std::string printed = value->to_json();
  // A lone surrogate is canonical as an escape, and has no other form.
  if (canonical) require(printed == text || text.find("\\ud") != std::string_view::npos);
  require(parse_json(printed)->to_json() == printed);
  Encoder bytes;
  append_any_of_json(bytes, text);
  std::string back;
  append_json_of_any(back, bytes.view());
  require(back == printed);
}

template <class Reader, class Writer>
void column(ByteView in) {
  Reader reader(in);
  std::vector<uint64_t> values;
  for (int i = 0; i < 300; ++i) {
    values.push_back(reader.read());
    require(values.back() <= kMaxInteger);
    if (reader.fault() != Fault::kNone) values.pop_back();
  }
  Writer writer;
  for (const uint64_t value : values) writer.write(value);
  if constexpr (requires { writer.finish(); }) writer.finish();
  Reader again(writer.view());
  for (const uint64_t value : values) require(again.read() == value);
  require(values.empty() || again.fault() == Fault::kNone);
}

void text(ByteView in) {
  const std::string_view text = as_text(in);
  uint64_t units = 0;
  const bool valid = measure_utf8(text, units);
  require(valid == is_valid_utf8(text));
  if (!valid) return;
  require(utf16_length(text) == units);
  const uint64_t at = text.empty() ? 0 : static_cast<uint8_t>(text[0]);
  const Utf8Cut cut = utf8_cut(text, at);
  require(cut.at <= text.size() && cut.missing == (at > units ? at - units : 0));
  if (cut.missing == 0) require(utf16_length(text.substr(0, cut.at)) + cut.split == at);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ByteView in(data + 1, size - 1);
  switch (data[0] % 8) {
    case 0:
      any(in);
      break;
    case 1:
      json(in);
      break;
    case 2:
      column<UintOptRleDecoder, UintOptRleEncoder>(in);
      break;
    case 3:
      column<IncUintOptRleDecoder, IncUintOptRleEncoder>(in);
      break;
    case 4:
      column<IntDiffOptRleDecoder, IntDiffOptRleEncoder>(in);
      break;
    case 5:
      column<RleDecoder, RleEncoder>(in);
      break;
    case 6:
      text(in);
      break;
    case 7: {
      const auto state = StateVector::decode(in);
      if (state) require(*StateVector::decode(state->encode()) == *state);
    }
  }
  return 0;
}
