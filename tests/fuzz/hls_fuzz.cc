// DEPS: footlight_hls
//
// What a player asks (address and query) and what an encoder sends (boxes) to an origin and its
// shelf, and what a store answers to a pusher: nothing that comes makes them break a promise, and
// an address that is taken has one spelling.
#include <cstdint>
#include <string>

#include "hls/boxes.h"
#include "hls/internal/test_feed.h"
#include "hls/push.h"
#include "hls/recorded.h"
#include "hls/s3.h"
#include "tests/fuzz/require.h"

namespace {

using namespace footlight;
using namespace footlight::hls;

// What a store answers, and what lies in a folder.
void use_store(std::string_view text) {
  const Status said = s3_outcome(403, text);
  require(!said);
  for (const char c : said.error().detail) require(c >= ' ' && c <= '~');
  if (const auto recorded = parse_recorded(text)) {
    require(is_epoch(recorded->epoch));
    require(parse_recorded(text)->tracks.size() == recorded->tracks.size());
  }
  require(mark_gaps(text, "", {}).size() >= text.size());
}

void use_address(std::string_view text) {
  const size_t question = text.find('?');
  const std::string_view path = text.substr(0, question);
  const std::string_view query =
      question == std::string_view::npos ? std::string_view() : text.substr(question + 1);
  const auto request = parse_request(path, query);
  if (!request) return;
  require(path.find("..") == std::string_view::npos && path.find("//") == std::string_view::npos);
  require(!request->wait_part || request->wait_msn);
  const std::string folder = std::string(request->epoch) + "/" + std::string(request->rendition);
  if (request->what == What::kSegment) {
    require(path == folder + "/" + segment_name(request->number));
  }
  if (request->what == What::kPart) {
    require(path == folder + "/" + part_name(request->number, request->part));
  }
  TestStream stream;
  stream.inits();
  stream.run(6);
  if (const auto reply = stream.shelf.get(*request)) {
    require((reply->status == 200) == (reply->resource != nullptr));
    return;
  }
  int answers = 0;
  stream.shelf.wait(*request, 0, [&answers](Reply) { ++answers; });
  require(stream.shelf.next_due_us() != kNever);
  stream.shelf.on_time(stream.shelf.next_due_us());
  require(answers == 1 && stream.shelf.counters().waiting == 0);
}

void use_boxes(std::string_view bytes) {
  const auto info = read_chunk(bytes);
  if (info) require(info->samples > 0 && info->duration.value_or(0) <= UINT64_MAX / 2);
  (void)read_init(bytes);
  TestStream stream;
  stream.inits();
  stream.run(5);
  const std::string before = stream.text("e1/v720.m3u8");
  PartUnit unit = make_part(stream.hello, 0, 5);
  unit.bytes = make_blob(std::string(bytes));
  if (info) {
    unit.tfdt = info->tfdt;
    unit.duration = info->duration.value_or(unit.duration);
  }
  const Status status = stream.origin.on_part(unit);
  stream.put();
  require(status.has_value() == (stream.text("e1/v720.m3u8") != before));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || size > 64 * 1024) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] & 2) {
    use_store(bytes);
  } else {
    (data[0] & 1 ? use_boxes : use_address)(bytes);
  }
  return 0;
}
