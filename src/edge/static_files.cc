#include "edge/static_files.h"

#include <filesystem>
#include <fstream>
#include <vector>

#include "core/bytes.h"
#include "core/json.h"
#include "core/sha256.h"
#include "net/http.h"

namespace footlight::edge {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHashLength = 8;
constexpr std::string_view kGzip = ".gz";
constexpr std::string_view kBrotli = ".br";

bool is_hash_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_';
}

std::shared_ptr<const std::string> read_file(const fs::path& path) {
  std::error_code error;
  const uintmax_t size = fs::file_size(path, error);
  std::ifstream in(path, std::ios::binary);
  if (error || size > StaticFiles::kMaxBytes || !in) return nullptr;
  std::string text(size, '\0');
  in.read(text.data(), static_cast<std::streamsize>(size));
  text.resize(static_cast<size_t>(in.gcount()));
  return std::make_shared<const std::string>(std::move(text));
}

// What the policy in the page itself cannot say, and what holds for every file.
void add_security_headers(net::HttpResponse& response, bool html, bool tls) {
  auto& headers = response.headers;
  headers.emplace_back("X-Content-Type-Options", "nosniff");
  headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
  if (tls) headers.emplace_back("Strict-Transport-Security", "max-age=31536000");
  if (!html) return;
  headers.emplace_back("Content-Security-Policy", "frame-ancestors 'self'; object-src 'none'");
  headers.emplace_back("X-Frame-Options", "SAMEORIGIN");
  headers.emplace_back("Referrer-Policy", "no-referrer");
  // Browsers complain of it where the origin is not secure.
  if (tls) headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  headers.emplace_back("Permissions-Policy",
                       "camera=(self), microphone=(self), display-capture=(self), geolocation=()");
}

bool etag_matches(std::string_view header, std::string_view etag) {
  while (!header.empty()) {
    const size_t comma = header.find(',');
    std::string_view one = header.substr(0, comma);
    header = comma == std::string_view::npos ? "" : header.substr(comma + 1);
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == "*" || one == etag) return true;
  }
  return false;
}

bool is_hidden(const fs::path& relative) {
  for (const auto& part : relative) {
    if (part.native().starts_with('.')) return true;
  }
  return false;
}

}  // namespace

bool is_hashed_name(std::string_view path) {
  if (!path.starts_with("/assets/")) return false;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot < kHashLength + 2) return false;
  const std::string_view hash = name.substr(dot - kHashLength, kHashLength);
  if (name[dot - kHashLength - 1] != '-') return false;
  for (const char c : hash) {
    if (!is_hash_character(c)) return false;
  }
  return true;
}

Result<std::shared_ptr<const StaticFiles>> StaticFiles::load(const std::string& directory) {
  std::error_code error;
  const fs::path root(directory);
  fs::recursive_directory_iterator entries(root, error);
  if (error) return fail(Code::kIo, directory + ": " + error.message());
  auto files = std::make_shared<StaticFiles>();
  uint64_t bytes = 0;
  std::vector<fs::path> compressed;
  for (const auto& entry : entries) {
    const fs::path relative = entry.path().lexically_relative(root);
    if (entry.is_symlink() || !entry.is_regular_file() || is_hidden(relative)) continue;
    if (relative.native().ends_with(kGzip) || relative.native().ends_with(kBrotli)) {
      compressed.push_back(relative);
      continue;
    }
    File file;
    file.plain = read_file(entry.path());
    if (!file.plain) return fail(Code::kIo, entry.path().string() + " cannot be read");
    bytes += file.plain->size();
    const std::string path = "/" + relative.generic_string();
    file.etag = to_hex(ByteView(sha256(as_bytes(*file.plain))).first(8));
    file.immutable = is_hashed_name(path);
    files->files_.emplace(path, std::move(file));
    if (files->files_.size() > kMaxFiles || bytes > kMaxBytes) {
      return fail(Code::kIo, directory + " holds more than pages should");
    }
  }
  for (const fs::path& relative : compressed) {
    std::string path = "/" + relative.generic_string();
    const bool gzip = path.ends_with(kGzip);
    path.resize(path.size() - kGzip.size());
    const auto original = files->files_.find(path);
    if (original == files->files_.end()) continue;
    (gzip ? original->second.gzip : original->second.brotli) = read_file(root / relative);
  }
  if (const auto build = files->files_.find("/build.json"); build != files->files_.end()) {
    if (const auto json = Json::parse(*build->second.plain)) {
      files->build_ = (*json)["build"].as_string();
    }
  }
  return files;
}

std::unique_ptr<net::HttpResponse> StaticFiles::find(const net::HttpRequest& request) const {
  if (request.method != "GET" && request.method != "HEAD") return nullptr;
  std::string path = request.path;
  if (path.ends_with('/')) path += "index.html";
  if (const auto found = files_.find(path); found != files_.end()) {
    return std::make_unique<net::HttpResponse>(respond(found->second, request));
  }
  // Only a path that is in the table is sent on, so that no address outside can be made of it.
  if (!files_.contains(path + "/index.html")) return nullptr;
  auto response = std::make_unique<net::HttpResponse>();
  response->status = 308;
  const std::string_view query = request.query();
  response->headers.emplace_back("Location",
                                 path + "/" + (query.empty() ? "" : "?" + std::string(query)));
  return response;
}

net::HttpResponse StaticFiles::respond(const File& file, const net::HttpRequest& request) const {
  net::HttpResponse response;
  const std::string path = request.path.ends_with('/') ? request.path + "index.html" : request.path;
  response.content_type = net::content_type_of(path);
  const std::string_view accepted = request.header("Accept-Encoding");
  std::string etag = "\"" + file.etag;
  response.shared_body = file.plain;
  if (file.brotli && net::accepts_encoding(accepted, "br")) {
    response.shared_body = file.brotli;
    response.headers.emplace_back("Content-Encoding", "br");
    etag += "-br";
  } else if (file.gzip && net::accepts_encoding(accepted, "gzip")) {
    response.shared_body = file.gzip;
    response.headers.emplace_back("Content-Encoding", "gzip");
    etag += "-gz";
  }
  etag += "\"";
  if (file.brotli || file.gzip) response.headers.emplace_back("Vary", "Accept-Encoding");
  response.headers.emplace_back("ETag", etag);
  response.headers.emplace_back(
      "Cache-Control", file.immutable ? "public, max-age=31536000, immutable" : "no-cache");
  add_security_headers(response, response.content_type.starts_with("text/html"), request.tls);
  if (etag_matches(request.header("If-None-Match"), etag)) {
    response.status = 304;
    response.content_type.clear();
    response.shared_body.reset();
  }
  return response;
}

}  // namespace footlight::edge
