// The pages: every file of one directory, held in memory with its precompressed forms. A request is
// a look-up in a table made at start, so that no path a client can think of reaches the disk.
//
// Immutable after load; any thread. To show new pages, load again and swap.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/result.h"
#include "net/asio/server.h"

namespace footlight::edge {

class StaticFiles {
 public:
  static constexpr uint64_t kMaxFiles = 10'000;
  static constexpr uint64_t kMaxBytes = 256 * 1024 * 1024;

  // Regular files only: symbolic links and names that start with a dot are left out. kIo when the
  // directory cannot be read or holds more than the bounds above.
  static Result<std::shared_ptr<const StaticFiles>> load(const std::string& directory);

  // What `request.path` names: "/a/" is "/a/index.html", "/a" is sent there, names with a hash of
  // their content are cached for good, all else is asked for again (304 when it is the same).
  // nullptr: there is nothing, or not for this method.
  std::unique_ptr<net::HttpResponse> find(const net::HttpRequest& request) const;
  // Of build.json, which the build of the pages leaves: changes when they do. "" without.
  std::string_view build() const { return build_; }
  size_t size() const { return files_.size(); }

 private:
  struct File {
    std::shared_ptr<const std::string> plain;
    std::shared_ptr<const std::string> gzip;    // nullptr: none
    std::shared_ptr<const std::string> brotli;  // nullptr: none
    std::string etag;                           // without quotes
    bool immutable = false;
  };
  net::HttpResponse respond(const File& file, const net::HttpRequest& request) const;

  std::unordered_map<std::string, File> files_;  // by path, "/index.html"
  std::string build_;
};

// Whether a bundler put a hash of the content into the name: "/assets/app-DF8LkC1-.css".
bool is_hashed_name(std::string_view path);

}  // namespace footlight::edge
