#include "net/websocket.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/bytes.h"

namespace footlight::net {
namespace {

constexpr uint8_t kFinBit = 0x80;
constexpr uint8_t kReservedBits = 0x70;
constexpr uint8_t kMaskBit = 0x80;
constexpr uint64_t kHighBits = 0x8080808080808080ULL;

uint8_t byte_at(std::string_view bytes, size_t i) { return static_cast<uint8_t>(bytes[i]); }

// Most text is ASCII: eight bytes at a time until one is not, then core's strict check.
bool is_text(std::string_view text) {
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    if (word & kHighBits) break;
  }
  return is_valid_utf8(text.substr(at));
}

bool is_control(WsOpcode opcode) { return static_cast<uint8_t>(opcode) >= 8; }

}  // namespace

struct WsDecoder::Header {
  bool complete = false;  // all header bytes were there
  bool fin = false;
  WsOpcode opcode = WsOpcode::kText;
  WsMask mask;
  uint32_t size = 0;
  uint64_t payload_bytes = 0;
};

struct WsDecoder::Stored {
  std::string raw;      // a frame of which not all has come
  std::string message;  // the fragments so far
  bool in_message = false;
  bool emitted = false;  // `raw` or `message` was handed out and goes with the next call
  WsOpcode opcode = WsOpcode::kText;
  uint32_t fragments = 0;
};

WsDecoder::WsDecoder(WsSide side, uint32_t max_message_bytes)
    : max_message_bytes_(max_message_bytes), max_binary_bytes_(max_message_bytes), side_(side) {}
WsDecoder::~WsDecoder() = default;
WsDecoder::WsDecoder(WsDecoder&&) noexcept = default;
WsDecoder& WsDecoder::operator=(WsDecoder&&) noexcept = default;

size_t WsDecoder::stored_bytes() const {
  if (!stored_) return 0;
  return sizeof(Stored) + stored_->raw.capacity() + stored_->message.capacity();
}

WsDecoder::Stored& WsDecoder::stored() {
  if (!stored_) stored_ = std::make_unique<Stored>();
  return *stored_;
}

Result<bool> WsDecoder::broken(Code code) {
  fault_ = code;
  stored_.reset();
  return fail(code);
}

Code WsDecoder::parse_header(std::string_view bytes, Header& header) const {
  header.complete = false;
  if (bytes.empty()) return Code::kOk;
  const uint8_t first = byte_at(bytes, 0);
  if (first & kReservedBits) return Code::kBadWebSocket;  // no extension was negotiated
  header.fin = (first & kFinBit) != 0;
  header.opcode = static_cast<WsOpcode>(first & 0x0F);
  if (bytes.size() < 2) return Code::kOk;
  const uint8_t second = byte_at(bytes, 1);
  const bool masked = (second & kMaskBit) != 0;
  if (masked != (side_ == WsSide::kServer)) return Code::kBadWebSocket;
  header.payload_bytes = second & 0x7F;
  size_t at = 2;
  if (header.payload_bytes >= 126) {
    const size_t width = header.payload_bytes == 126 ? 2 : 8;
    if (bytes.size() < at + width) return Code::kOk;
    uint64_t size = 0;
    for (size_t i = 0; i < width; ++i) size = size << 8 | byte_at(bytes, at + i);
    // Section 5.2: the shortest form must be used, and the top bit of the long one is zero.
    if (size < 126 || (width == 8 && (size <= UINT16_MAX || size >> 63))) {
      return Code::kBadWebSocket;
    }
    header.payload_bytes = size;
    at += width;
  }
  if (const Code code = check_header(header); code != Code::kOk) return code;
  if (masked) {
    if (bytes.size() < at + 4) return Code::kOk;
    std::memcpy(&header.mask.key, bytes.data() + at, 4);
    at += 4;
  }
  header.size = static_cast<uint32_t>(at);
  header.complete = true;
  return Code::kOk;
}

Code WsDecoder::check_header(const Header& header) const {
  const bool in_message = stored_ && stored_->in_message;
  switch (header.opcode) {
    case WsOpcode::kContinuation:
      if (!in_message || stored_->fragments >= kWsMaxFragments) return Code::kBadWebSocket;
      break;
    case WsOpcode::kText:
    case WsOpcode::kBinary:
      if (in_message) return Code::kBadWebSocket;
      break;
    case WsOpcode::kClose:
    case WsOpcode::kPing:
    case WsOpcode::kPong:
      if (!header.fin || header.payload_bytes > kWsMaxControlBytes) return Code::kBadWebSocket;
      return Code::kOk;
    default:
      return Code::kBadWebSocket;
  }
  const uint64_t so_far = in_message ? stored_->message.size() : 0;
  const WsOpcode kind = in_message ? stored_->opcode : header.opcode;
  const uint64_t most = kind == WsOpcode::kBinary ? max_binary_bytes_ : max_message_bytes_;
  return header.payload_bytes > most - so_far ? Code::kFrameTooLarge : Code::kOk;
}

Result<bool> WsDecoder::next(std::span<char>& in, WsEvent& event) {
  if (fault_ != Code::kOk) return fail(fault_);
  if (stored_ && stored_->emitted) {
    Stored& stored = *stored_;
    stored.emitted = false;
    stored.raw.clear();
    if (!stored.in_message) stored_.reset();
  }
  while (!in.empty()) {
    if (closed_) {
      in = {};
      break;
    }
    if (stored_ && !stored_->raw.empty()) {
      auto result = from_store(in, event);
      if (!result || *result) return result;
      continue;
    }
    Header header;
    if (const Code code = parse_header({in.data(), in.size()}, header); code != Code::kOk) {
      return broken(code);
    }
    if (!header.complete || in.size() - header.size < header.payload_bytes) {
      stored().raw.assign(in.data(), in.size());
      in = {};
      break;
    }
    const auto payload = in.subspan(header.size, header.payload_bytes);
    in = in.subspan(header.size + header.payload_bytes);
    auto result = finish_frame(header, payload, event);
    if (!result || *result) return result;
  }
  return false;
}

// Adds to the partial frame just what it lacks, first of its header, then of its payload.
Result<bool> WsDecoder::from_store(std::span<char>& in, WsEvent& event) {
  std::string& raw = stored_->raw;
  const auto take = [&](size_t wanted) {
    const size_t count = std::min(wanted, in.size());
    raw.append(in.data(), count);
    in = in.subspan(count);
  };
  Header header;
  for (;;) {
    if (const Code code = parse_header(raw, header); code != Code::kOk) return broken(code);
    if (header.complete) break;
    if (in.empty()) return false;
    take(1);
  }
  take(header.size + header.payload_bytes - raw.size());
  if (raw.size() < header.size + header.payload_bytes) return false;
  const auto payload = std::span<char>(raw).subspan(header.size, header.payload_bytes);
  auto result = finish_frame(header, payload, event);
  if (!result) return result;
  if (*result) {
    stored_->emitted = true;
  } else {
    raw.clear();
    raw.shrink_to_fit();
  }
  return result;
}

Result<bool> WsDecoder::finish_frame(const Header& header, std::span<char> payload,
                                     WsEvent& event) {
  if (side_ == WsSide::kServer) apply_ws_mask(payload, header.mask);
  const std::string_view view(payload.data(), payload.size());
  if (header.opcode == WsOpcode::kClose) return finish_close(view, event);
  event.close_code = 0;
  if (is_control(header.opcode)) {
    event.kind = header.opcode;
    event.payload = view;
    return true;
  }
  if (header.fin && header.opcode != WsOpcode::kContinuation) {
    if (header.opcode == WsOpcode::kText && !is_text(view)) return broken(Code::kBadUtf8);
    event.kind = header.opcode;
    event.payload = view;
    return true;
  }
  Stored& stored = this->stored();
  if (header.opcode != WsOpcode::kContinuation) {
    stored.in_message = true;
    stored.opcode = header.opcode;
    stored.fragments = 0;
    stored.message.clear();
  }
  stored.fragments++;
  stored.message.append(view);
  if (!header.fin) return false;
  if (stored.opcode == WsOpcode::kText && !is_text(stored.message)) {
    return broken(Code::kBadUtf8);
  }
  event.kind = stored.opcode;
  event.payload = stored.message;
  stored.in_message = false;
  stored.emitted = true;
  return true;
}

Result<bool> WsDecoder::finish_close(std::string_view payload, WsEvent& event) {
  event.kind = WsOpcode::kClose;
  event.close_code = kWsCloseNone;
  event.payload = {};
  if (payload.size() == 1) return broken(Code::kBadWebSocket);
  if (payload.size() >= 2) {
    event.close_code = static_cast<uint16_t>(byte_at(payload, 0) << 8 | byte_at(payload, 1));
    event.payload = payload.substr(2);
    if (!is_ws_close_code(event.close_code)) return broken(Code::kBadWebSocket);
    if (!is_text(event.payload)) return broken(Code::kBadUtf8);
  }
  closed_ = true;
  return true;
}

size_t write_ws_header(char* out, WsOpcode opcode, uint64_t payload_bytes, const WsMask* mask) {
  size_t at = 0;
  const auto mask_bit = static_cast<uint8_t>(mask ? kMaskBit : 0);
  out[at++] = static_cast<char>(kFinBit | static_cast<uint8_t>(opcode));
  if (payload_bytes < 126) {
    out[at++] = static_cast<char>(mask_bit | payload_bytes);
  } else {
    const int width = payload_bytes <= UINT16_MAX ? 2 : 8;
    out[at++] = static_cast<char>(mask_bit | (width == 2 ? 126 : 127));
    for (int i = width - 1; i >= 0; --i) out[at++] = static_cast<char>(payload_bytes >> (8 * i));
  }
  if (mask) {
    std::memcpy(out + at, &mask->key, 4);
    at += 4;
  }
  return at;
}

void apply_ws_mask(std::span<char> bytes, WsMask mask) {
  const uint64_t wide = static_cast<uint64_t>(mask.key) << 32 | mask.key;
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + at, 8);
    word ^= wide;
    std::memcpy(bytes.data() + at, &word, 8);
  }
  char key[4];
  std::memcpy(key, &mask.key, 4);
  for (size_t i = 0; at < bytes.size(); ++at, ++i) {
    bytes[at] = static_cast<char>(bytes[at] ^ key[i % 4]);
  }
}

void append_ws_frame(std::string& out, WsOpcode opcode, std::string_view payload) {
  char header[kWsMaxHeaderBytes];
  const size_t size = write_ws_header(header, opcode, payload.size(), nullptr);
  out.append(header, size).append(payload);
}

void append_ws_frame(std::string& out, WsOpcode opcode, std::string_view payload, WsMask mask) {
  char header[kWsMaxHeaderBytes];
  const size_t size = write_ws_header(header, opcode, payload.size(), &mask);
  out.append(header, size);
  const size_t start = out.size();
  out.append(payload);
  apply_ws_mask(std::span<char>(out).subspan(start), mask);
}

std::string ws_close_payload(uint16_t code, std::string_view reason) {
  size_t size = std::min(reason.size(), kWsMaxControlBytes - 2);
  // Never cut a UTF-8 sequence in two.
  while (size > 0 && size < reason.size() && (reason[size] & 0xC0) == 0x80) --size;
  std::string out;
  out.push_back(static_cast<char>(code >> 8));
  out.push_back(static_cast<char>(code));
  out.append(reason.substr(0, size));
  return out;
}

bool is_ws_close_code(uint16_t code) {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

}  // namespace footlight::net
