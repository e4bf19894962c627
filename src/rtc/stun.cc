#include "rtc/stun.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstring>

#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

constexpr uint16_t kUsername = 0x0006;
constexpr uint16_t kMessageIntegrity = 0x0008;
constexpr uint16_t kErrorCode = 0x0009;
constexpr uint16_t kUnknownAttributes = 0x000A;
constexpr uint16_t kXorMappedAddress = 0x0020;
constexpr uint16_t kPriority = 0x0024;
constexpr uint16_t kUseCandidate = 0x0025;
constexpr uint16_t kFingerprint = 0x8028;
constexpr uint16_t kIceControlled = 0x8029;
constexpr uint16_t kIceControlling = 0x802A;
constexpr uint32_t kFingerprintXor = 0x5354554E;
constexpr size_t kSha1Bytes = 20;
constexpr size_t kAttributeHeader = 4;

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
    table[i] = crc;
  }
  return table;
}

uint32_t crc32(ByteView bytes) {  // ITU V.42, as section 14.7 asks
  static constexpr auto kTable = make_crc_table();
  uint32_t crc = ~0u;
  for (const uint8_t byte : bytes) crc = crc >> 8 ^ kTable[(crc ^ byte) & 0xFF];
  return ~crc;
}

// HMAC-SHA1 over the message up to `end`, with the length field counted as if the message ended
// with MESSAGE-INTEGRITY.
bool integrity_of(ByteView message, size_t end, std::string_view password, uint8_t* out) {
  std::array<uint8_t, kStunMaxBytes> copy;
  if (end > copy.size()) return false;
  std::memcpy(copy.data(), message.data(), end);
  store_u16(&copy[2],
            static_cast<uint16_t>(end - kStunHeaderBytes + kAttributeHeader + kSha1Bytes));
  unsigned size = 0;
  return HMAC(EVP_sha1(), password.data(), static_cast<int>(password.size()), copy.data(), end, out,
              &size) != nullptr &&
         size == kSha1Bytes;
}

std::optional<Address> read_xor_address(ByteView value, const uint8_t* message) {
  if (value.size() != 8 && value.size() != 20) return std::nullopt;
  Address address;
  address.v6 = value[1] == 2;
  if ((value[1] != 1 && value[1] != 2) || value.size() != (address.v6 ? 20u : 8u)) {
    return std::nullopt;
  }
  address.port = static_cast<uint16_t>(load_u16(&value[2]) ^ kStunCookie >> 16);
  // The mask is the cookie and, for IPv6, the transaction id behind it.
  for (size_t i = 0; i < address.ip_bytes().size(); ++i)
    address.ip[i] = value[4 + i] ^ message[4 + i];
  return address;
}

// Notes one attribute; false when its value has not the size it must have.
bool note(StunView& view, uint16_t type, ByteView value) {
  switch (type) {
    case kUsername:
      view.username = as_text(value);
      return value.size() <= 513;
    case kPriority:
      if (value.size() != 4) return false;
      view.priority = load_u32(value.data());
      return true;
    case kUseCandidate:
      view.use_candidate = true;
      return value.empty();
    case kIceControlled:
    case kIceControlling:
      if (value.size() != 8) return false;
      (type == kIceControlled ? view.controlled : view.controlling) = load_u64(value.data());
      return true;
    case kXorMappedAddress:
      view.mapped = read_xor_address(value, view.bytes.data());
      return view.mapped.has_value();
    case kErrorCode:
      if (value.size() < 4) return false;
      view.error_code = static_cast<uint16_t>((value[2] & 7) * 100 + value[3] % 100);
      return true;
    case kUnknownAttributes:
      return true;
    default:
      if (type < 0x8000 && view.unknown_required == 0) view.unknown_required = type;
      return true;
  }
}

}  // namespace

bool parse_stun(ByteView bytes, StunView& view) {
  view = {};
  view.bytes = bytes;
  if (bytes.size() < kStunHeaderBytes || bytes.size() > kStunMaxBytes) return false;
  if (bytes[0] & 0xC0 || load_u32(&bytes[4]) != kStunCookie) return false;
  if (load_u16(&bytes[2]) != bytes.size() - kStunHeaderBytes || bytes.size() % 4) return false;
  view.type = static_cast<StunType>(load_u16(bytes.data()));
  std::copy_n(&bytes[8], view.transaction.size(), view.transaction.begin());
  size_t at = kStunHeaderBytes;
  while (at < bytes.size()) {
    const uint16_t type = load_u16(&bytes[at]);  // the size is a multiple of 4: a header fits
    const size_t size = load_u16(&bytes[at + 2]);
    if (bytes.size() - at - kAttributeHeader < size) return false;
    const ByteView value = bytes.subspan(at + kAttributeHeader, size);
    if (type == kFingerprint) {
      if (size != 4 || at + 8 != bytes.size()) return false;
      if (load_u32(value.data()) != (crc32(bytes.first(at)) ^ kFingerprintXor)) return false;
      view.has_fingerprint = true;
    } else if (type == kMessageIntegrity && !view.integrity_at) {
      if (size != kSha1Bytes) return false;
      view.integrity_at = static_cast<uint16_t>(at);
    } else if (!view.integrity_at && !note(view, type, value)) {
      return false;  // what comes behind the integrity is not covered by it and not looked at
    }
    at += kAttributeHeader + ((size + 3) & ~size_t{3});
  }
  return at == bytes.size();
}

std::optional<ByteView> stun_attribute(const StunView& view, uint16_t type) {
  const size_t end = view.integrity_at ? view.integrity_at : view.bytes.size();
  for (size_t at = kStunHeaderBytes; at + kAttributeHeader <= end;) {
    const size_t size = load_u16(&view.bytes[at + 2]);
    if (load_u16(&view.bytes[at]) == type) return view.bytes.subspan(at + kAttributeHeader, size);
    at += kAttributeHeader + ((size + 3) & ~size_t{3});
  }
  return std::nullopt;
}

std::optional<Address> stun_xor_address(const StunView& view, uint16_t type) {
  const auto value = stun_attribute(view, type);
  return value ? read_xor_address(*value, view.bytes.data()) : std::nullopt;
}

bool check_stun_integrity(const StunView& view, std::string_view password) {
  if (!view.integrity_at) return false;
  std::array<uint8_t, kSha1Bytes> expected;
  if (!integrity_of(view.bytes, view.integrity_at, password, expected.data())) return false;
  return CRYPTO_memcmp(expected.data(), &view.bytes[view.integrity_at + kAttributeHeader],
                       kSha1Bytes) == 0;
}

StunWriter::StunWriter(std::span<uint8_t> out, StunType type, const StunTransaction& transaction)
    : out_(out) {
  ok_ = out.size() >= kStunHeaderBytes;
  if (!ok_) return;
  store_u16(out.data(), static_cast<uint16_t>(type));
  store_u16(&out[2], 0);
  store_u32(&out[4], kStunCookie);
  std::copy(transaction.begin(), transaction.end(), &out[8]);
  size_ = kStunHeaderBytes;
}

uint8_t* StunWriter::attribute(uint16_t type, size_t bytes) {
  const size_t padded = (bytes + 3) & ~size_t{3};
  if (!ok_ || out_.size() - size_ < kAttributeHeader + padded) {
    ok_ = false;
    return nullptr;
  }
  uint8_t* at = &out_[size_];
  store_u16(at, type);
  store_u16(at + 2, static_cast<uint16_t>(bytes));
  std::memset(at + kAttributeHeader, 0, padded);
  size_ += kAttributeHeader + padded;
  store_u16(&out_[2], static_cast<uint16_t>(size_ - kStunHeaderBytes));
  return at + kAttributeHeader;
}

void StunWriter::username(std::string_view name) {
  if (uint8_t* at = attribute(kUsername, name.size())) std::copy(name.begin(), name.end(), at);
}
void StunWriter::priority(uint32_t value) {
  if (uint8_t* at = attribute(kPriority, 4)) store_u32(at, value);
}
void StunWriter::controlling(uint64_t tie_breaker) {
  if (uint8_t* at = attribute(kIceControlling, 8)) store_u64(at, tie_breaker);
}
void StunWriter::controlled(uint64_t tie_breaker) {
  if (uint8_t* at = attribute(kIceControlled, 8)) store_u64(at, tie_breaker);
}
void StunWriter::use_candidate() { (void)attribute(kUseCandidate, 0); }

void StunWriter::xor_mapped_address(const Address& address) {
  const ByteView ip = address.ip_bytes();
  uint8_t* at = attribute(kXorMappedAddress, 4 + ip.size());
  if (!at) return;
  at[1] = address.v6 ? 2 : 1;
  store_u16(at + 2, static_cast<uint16_t>(address.port ^ kStunCookie >> 16));
  for (size_t i = 0; i < ip.size(); ++i) at[4 + i] = ip[i] ^ out_[4 + i];
}

void StunWriter::error(uint16_t code) {
  if (uint8_t* at = attribute(kErrorCode, 4)) {
    at[2] = static_cast<uint8_t>(code / 100);
    at[3] = static_cast<uint8_t>(code % 100);
  }
}
void StunWriter::unknown_attribute(uint16_t type) {
  if (uint8_t* at = attribute(kUnknownAttributes, 2)) store_u16(at, type);
}

void StunWriter::other(uint16_t type, ByteView value) {
  if (uint8_t* at = attribute(type, value.size())) std::copy(value.begin(), value.end(), at);
}

void StunWriter::integrity(std::string_view password) {
  const size_t end = size_;
  uint8_t* at = attribute(kMessageIntegrity, kSha1Bytes);
  if (at && !integrity_of({out_.data(), size_}, end, password, at)) ok_ = false;
}

ByteView StunWriter::finish() {
  const size_t end = size_;
  uint8_t* at = attribute(kFingerprint, 4);
  if (!at) return {};
  store_u32(at, crc32({out_.data(), end}) ^ kFingerprintXor);
  return {out_.data(), size_};
}

}  // namespace footlight::rtc
