#include "net/http.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace footlight::net {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool is_unreserved(char c) {
  return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Cuts the piece before `separator` off `rest`.
std::string_view cut(std::string_view& rest, char separator) {
  const size_t at = rest.find(separator);
  const std::string_view piece = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return piece;
}

// A qvalue is 0, 1 or a fraction of at most three digits; only zero matters here.
bool is_zero_quality(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = trim(cut(parameters, ';'));
    if (parameter.size() >= 2 && lower(parameter[0]) == 'q' && parameter[1] == '=') {
      return parameter.substr(2).find_first_not_of("0.") == std::string_view::npos;
    }
  }
  return false;
}

bool is_safe_path(std::string_view path) {
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\\') return false;
  }
  std::string_view rest = path.substr(1);
  while (!rest.empty()) {
    const std::string_view segment = cut(rest, '/');
    if (segment == "." || segment == "..") return false;
  }
  return true;
}

void append_number(std::string& out, uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  const size_t from = out.size();
  out.append(value).append("\r\n");
  std::replace_if(
      out.begin() + static_cast<std::ptrdiff_t>(from), out.end() - 2,
      [](char c) { return c == '\r' || c == '\n'; }, ' ');
}

struct ContentType {
  std::string_view extension;
  std::string_view type;
};
constexpr std::array kContentTypes = {
    ContentType{"html", "text/html; charset=utf-8"},
    ContentType{"js", "text/javascript; charset=utf-8"},
    ContentType{"mjs", "text/javascript; charset=utf-8"},
    ContentType{"css", "text/css; charset=utf-8"},
    ContentType{"json", "application/json"},
    ContentType{"map", "application/json"},
    ContentType{"webmanifest", "application/manifest+json"},
    ContentType{"svg", "image/svg+xml"},
    ContentType{"png", "image/png"},
    ContentType{"jpg", "image/jpeg"},
    ContentType{"jpeg", "image/jpeg"},
    ContentType{"webp", "image/webp"},
    ContentType{"avif", "image/avif"},
    ContentType{"gif", "image/gif"},
    ContentType{"ico", "image/x-icon"},
    ContentType{"woff2", "font/woff2"},
    ContentType{"txt", "text/plain; charset=utf-8"},
    ContentType{"md", "text/markdown; charset=utf-8"},
    ContentType{"xml", "application/xml"},
    ContentType{"wasm", "application/wasm"},
    ContentType{"mp3", "audio/mpeg"},
    ContentType{"mp4", "video/mp4"},
    ContentType{"webm", "video/webm"},
    ContentType{"m3u8", "application/vnd.apple.mpegurl"},
};

struct StatusPhrase {
  int status;
  std::string_view phrase;
};
constexpr std::array kStatusPhrases = {
    StatusPhrase{101, "Switching Protocols"},
    StatusPhrase{200, "OK"},
    StatusPhrase{201, "Created"},
    StatusPhrase{202, "Accepted"},
    StatusPhrase{204, "No Content"},
    StatusPhrase{301, "Moved Permanently"},
    StatusPhrase{302, "Found"},
    StatusPhrase{304, "Not Modified"},
    StatusPhrase{307, "Temporary Redirect"},
    StatusPhrase{308, "Permanent Redirect"},
    StatusPhrase{400, "Bad Request"},
    StatusPhrase{401, "Unauthorized"},
    StatusPhrase{403, "Forbidden"},
    StatusPhrase{404, "Not Found"},
    StatusPhrase{405, "Method Not Allowed"},
    StatusPhrase{406, "Not Acceptable"},
    StatusPhrase{408, "Request Timeout"},
    StatusPhrase{409, "Conflict"},
    StatusPhrase{410, "Gone"},
    StatusPhrase{411, "Length Required"},
    StatusPhrase{412, "Precondition Failed"},
    StatusPhrase{413, "Content Too Large"},
    StatusPhrase{414, "URI Too Long"},
    StatusPhrase{415, "Unsupported Media Type"},
    StatusPhrase{422, "Unprocessable Content"},
    StatusPhrase{426, "Upgrade Required"},
    StatusPhrase{428, "Precondition Required"},
    StatusPhrase{429, "Too Many Requests"},
    StatusPhrase{431, "Request Header Fields Too Large"},
    StatusPhrase{500, "Internal Server Error"},
    StatusPhrase{501, "Not Implemented"},
    StatusPhrase{502, "Bad Gateway"},
    StatusPhrase{503, "Service Unavailable"},
    StatusPhrase{504, "Gateway Timeout"},
    StatusPhrase{507, "Insufficient Storage"},
};

}  // namespace

bool percent_decode(std::string_view text, std::string& out, bool plus_is_space) {
  out.clear();
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      if (text.size() - i < 3) return false;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      out.push_back(static_cast<char>(high << 4 | low));
      i += 2;
    }
  }
  return true;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_unreserved(c)) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<uint8_t>(c);
      out.push_back('%');
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
    }
  }
  return out;
}

Result<Target> parse_target(std::string_view text) {
  Target target;
  const size_t question = text.find('?');
  if (question != std::string_view::npos) target.query = text.substr(question + 1);
  const std::string_view raw = text.substr(0, question);
  if (raw.empty() || raw.front() != '/') {
    return fail(Code::kBadRequest, "the target must start with /");
  }
  if (!percent_decode(raw, target.path)) {
    return fail(Code::kBadRequest, "the path has a broken percent escape");
  }
  if (!is_safe_path(target.path)) return fail(Code::kBadRequest, "the path is not allowed");
  return target;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  std::string decoded;
  while (!query.empty()) {
    std::string_view value = cut(query, '&');
    const std::string_view key = cut(value, '=');
    if (!percent_decode(key, decoded, true) || decoded != name) continue;
    if (!percent_decode(value, decoded, true)) return std::nullopt;
    return decoded;
  }
  return std::nullopt;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

bool header_has_token(std::string_view value, std::string_view token) {
  while (!value.empty()) {
    if (equals_ignoring_case(trim(cut(value, ',')), token)) return true;
  }
  return false;
}

bool accepts_encoding(std::string_view header, std::string_view coding) {
  bool any = equals_ignoring_case(coding, "identity");
  while (!header.empty()) {
    std::string_view item = cut(header, ',');
    const std::string_view name = trim(cut(item, ';'));
    if (equals_ignoring_case(name, coding)) return !is_zero_quality(item);
    if (name == "*") any = !is_zero_quality(item);
  }
  return any;
}

std::string_view content_type_of(std::string_view path) {
  const size_t dot = path.rfind('.');
  if (dot != std::string_view::npos) {
    for (const ContentType& known : kContentTypes) {
      if (equals_ignoring_case(path.substr(dot + 1), known.extension)) return known.type;
    }
  }
  return "application/octet-stream";
}

std::string_view status_phrase(int status) {
  for (const StatusPhrase& known : kStatusPhrases) {
    if (known.status == status) return known.phrase;
  }
  return "";
}

std::string http_date(int64_t unix_s) {
  using namespace std::chrono;
  constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const sys_seconds at{seconds(unix_s)};
  const sys_days day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss time(at - day);
  std::string out(kDays.substr(weekday(day).c_encoding() * 3, 3));
  const auto two = [&out](unsigned number) {
    out.push_back(static_cast<char>('0' + number / 10 % 10));
    out.push_back(static_cast<char>('0' + number % 10));
  };
  out.append(", ");
  two(static_cast<unsigned>(date.day()));
  out.append(" ").append(kMonths.substr((static_cast<unsigned>(date.month()) - 1) * 3, 3));
  out.append(" ");
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  two(year / 100);
  two(year % 100);
  out.append(" ");
  two(static_cast<unsigned>(time.hours().count()));
  out.append(":");
  two(static_cast<unsigned>(time.minutes().count()));
  out.append(":");
  two(static_cast<unsigned>(time.seconds().count()));
  return out.append(" GMT");
}

bool origin_allowed(std::string_view origin, std::string_view host,
                    std::span<const std::string> allowed) {
  if (origin.empty()) return true;
  const size_t scheme_end = origin.find("://");
  if (scheme_end != std::string_view::npos && !host.empty() &&
      equals_ignoring_case(origin.substr(scheme_end + 3), host)) {
    return true;
  }
  return std::ranges::any_of(allowed, [origin](std::string_view one) {
    return one == "*" || equals_ignoring_case(one, origin);
  });
}

void append_response_head(std::string& out, const ResponseHead& head) {
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<uint64_t>(head.status));
  out.append(" ").append(status_phrase(head.status)).append("\r\n");
  if (!head.content_type.empty()) append_header(out, "Content-Type", head.content_type);
  if (!head.body_bytes) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (head.status != 204 && head.status != 304 && head.status >= 200) {
    out.append("Content-Length: ");
    append_number(out, *head.body_bytes);
    out.append("\r\n");
  }
  if (head.close) out.append("Connection: close\r\n");
  if (!head.date.empty()) append_header(out, "Date", head.date);
  if (head.headers) {
    for (const auto& [name, value] : *head.headers) append_header(out, name, value);
  }
  out.append(head.lines).append("\r\n");
}

}  // namespace footlight::net
