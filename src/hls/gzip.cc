#include "hls/gzip.h"

#include <zlib.h>

#include "core/assert.h"

namespace footlight::hls {
namespace {
// Playlists repeat themselves: level 4 is within 3 % of level 9 there, at a third of the time.
constexpr int kLevel = 4;
constexpr int kGzipWindow = 15 + 16;
constexpr int kMemory = 8;
}  // namespace

struct Gzip::Impl {
  z_stream stream{};
};

Gzip::Gzip() : impl_(std::make_unique<Impl>()) {
  const int made =
      deflateInit2(&impl_->stream, kLevel, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY);
  FL_ASSERT(made == Z_OK, "zlib has memory");
}

Gzip::~Gzip() { deflateEnd(&impl_->stream); }

std::string Gzip::pack(std::string_view text) {
  z_stream& stream = impl_->stream;
  deflateReset(&stream);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int done = deflate(&stream, Z_FINISH);
  FL_ASSERT(done == Z_STREAM_END, "deflateBound is a bound");
  out.erase(stream.total_out);
  out.shrink_to_fit();
  return out;
}

}  // namespace footlight::hls
