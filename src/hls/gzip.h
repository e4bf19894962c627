// gzip (RFC 1952) of texts that are made again and again: one compressor, kept.
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace footlight::hls {

class Gzip {
 public:
  Gzip();
  ~Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  std::string pack(std::string_view text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace footlight::hls
