#include "hls/sigv4.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/sha256.h"
#include "hls/internal/track.h"

namespace footlight::hls {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string hash_of(std::string_view text) { return to_hex(sha256(as_bytes(text))); }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Without spaces at the ends; several in a row become one.
std::string trimmed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    out.push_back(c);
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

// Sorted by name, names in lower case.
Pairs canonical_headers(const SignedRequest& request) {
  Pairs out;
  for (const auto& [name, value] : request.headers) out.emplace_back(lower(name), trimmed(value));
  std::ranges::stable_sort(out, {}, &Pairs::value_type::first);
  return out;
}

std::string names_of(const Pairs& headers) {
  std::string out;
  for (const auto& [name, value] : headers) out.append(out.empty() ? "" : ";").append(name);
  return out;
}

std::string scope_text(const SigningScope& scope) {
  return amz_date(scope.at_ms).substr(0, 8) + "/" + scope.region + "/" + scope.service +
         "/aws4_request";
}

}  // namespace

std::string amz_date(WallMs at_ms) {
  std::string out = iso_time(at_ms * 1000);  // 2015-08-30T12:36:00.000Z
  out.resize(out.find('.'));
  std::erase_if(out, [](char c) { return c == '-' || c == ':'; });
  return out.append("Z");
}

std::string uri_encode(std::string_view text, bool keep_slash) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && keep_slash);
    if (plain) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

std::string canonical_request(const SignedRequest& request) {
  Pairs query;
  for (const auto& [name, value] : request.query) {
    query.emplace_back(uri_encode(name, false), uri_encode(value, false));
  }
  std::ranges::sort(query);
  std::string out = request.method + "\n" + request.path + "\n";
  for (size_t i = 0; i < query.size(); ++i) {
    out.append(i == 0 ? "" : "&").append(query[i].first).append("=").append(query[i].second);
  }
  const Pairs headers = canonical_headers(request);
  out.append("\n");
  for (const auto& [name, value] : headers) out.append(name).append(":").append(value).append("\n");
  return out.append("\n").append(names_of(headers)).append("\n").append(request.payload_sha256);
}

std::string string_to_sign(const SignedRequest& request, const SigningScope& scope) {
  std::string out(kAlgorithm);
  out.append("\n").append(amz_date(scope.at_ms)).append("\n").append(scope_text(scope));
  return out.append("\n").append(hash_of(canonical_request(request)));
}

std::string authorization(const SignedRequest& request, const SigningScope& scope,
                          const Credentials& who) {
  const std::string first = "AWS4" + who.secret;
  Hash256 key = hmac_sha256(as_bytes(first), as_bytes(amz_date(scope.at_ms).substr(0, 8)));
  for (const std::string_view step :
       {std::string_view(scope.region), std::string_view(scope.service),
        std::string_view("aws4_request")}) {
    key = hmac_sha256(key, as_bytes(step));
  }
  const std::string text = string_to_sign(request, scope);
  std::string out(kAlgorithm);
  out.append(" Credential=").append(who.key_id).append("/").append(scope_text(scope));
  out.append(", SignedHeaders=").append(names_of(canonical_headers(request)));
  return out.append(", Signature=").append(to_hex(hmac_sha256(key, as_bytes(text))));
}

}  // namespace footlight::hls
