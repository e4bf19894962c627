#include "rtc/internal/sctp_wire.h"

#include <algorithm>
#include <array>

#include "core/assert.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

using CrcTables = std::array<std::array<uint32_t, 256>, 8>;

// Eight bytes at a time: table[n] carries a byte over n further bytes.
constexpr CrcTables make_tables() {
  CrcTables tables{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? (crc >> 1) ^ 0x82F63B78u : crc >> 1;
    tables[0][i] = crc;
  }
  for (size_t n = 1; n < tables.size(); ++n) {
    for (uint32_t i = 0; i < 256; ++i) {
      tables[n][i] = (tables[n - 1][i] >> 8) ^ tables[0][tables[n - 1][i] & 0xFF];
    }
  }
  return tables;
}
constexpr CrcTables kTables = make_tables();

uint32_t crc32c(uint32_t crc, ByteView bytes) {
  while (bytes.size() >= 8) {
    const uint32_t low = crc ^ __builtin_bswap32(load_u32(bytes.data()));
    const uint32_t high = __builtin_bswap32(load_u32(bytes.data() + 4));
    crc = kTables[7][low & 0xFF] ^ kTables[6][low >> 8 & 0xFF] ^ kTables[5][low >> 16 & 0xFF] ^
          kTables[4][low >> 24] ^ kTables[3][high & 0xFF] ^ kTables[2][high >> 8 & 0xFF] ^
          kTables[1][high >> 16 & 0xFF] ^ kTables[0][high >> 24];
    bytes = bytes.subspan(8);
  }
  for (const uint8_t byte : bytes) crc = (crc >> 8) ^ kTables[0][(crc ^ byte) & 0xFF];
  return crc;
}

}  // namespace

uint32_t sctp_checksum(ByteView packet) {
  static constexpr std::array<uint8_t, 4> kZeros{};
  uint32_t crc = crc32c(0xFFFF'FFFF, packet.first(8));
  crc = crc32c(crc, kZeros);
  crc = crc32c(crc, packet.subspan(kSctpHeaderBytes));
  return __builtin_bswap32(~crc);  // the field has the low byte first
}

bool ChunkReader::next(SctpChunk& chunk) {
  if (rest_.empty()) return false;
  const size_t size = rest_.size() < kSctpChunkHeaderBytes ? 0 : load_u16(&rest_[2]);
  if (size < kSctpChunkHeaderBytes || size > rest_.size()) {
    broken_ = true;
    rest_ = {};
    return false;
  }
  chunk = {rest_[0], rest_[1], rest_.subspan(kSctpChunkHeaderBytes, size - kSctpChunkHeaderBytes)};
  rest_ = rest_.subspan(std::min(sctp_padded(size), rest_.size()));
  return true;
}

bool ParameterReader::next(uint16_t& type, ByteView& value) {
  if (rest_.size() < 4) return false;
  const size_t size = load_u16(&rest_[2]);
  if (size < 4 || size > rest_.size()) return false;
  type = load_u16(rest_.data());
  value = rest_.subspan(4, size - 4);
  rest_ = rest_.subspan(std::min(sctp_padded(size), rest_.size()));
  return true;
}

uint8_t* PacketWriter::add(ChunkType type, uint8_t flags, size_t size) {
  FL_ASSERT(size <= room() || size_ + kSctpChunkHeaderBytes + sctp_padded(size) <= out_.size(),
            "a chunk larger than the room");
  uint8_t* at = out_.data() + size_;
  at[0] = static_cast<uint8_t>(type);
  at[1] = flags;
  store_u16(at + 2, static_cast<uint16_t>(kSctpChunkHeaderBytes + size));
  const size_t padded = kSctpChunkHeaderBytes + sctp_padded(size);
  std::fill(at + kSctpChunkHeaderBytes + size, at + padded, uint8_t{0});
  size_ += padded;
  return at + kSctpChunkHeaderBytes;
}

size_t PacketWriter::finish(uint16_t source_port, uint16_t destination_port, uint32_t tag) {
  store_u16(&out_[0], source_port);
  store_u16(&out_[2], destination_port);
  store_u32(&out_[4], tag);
  store_u32(&out_[8], sctp_checksum(out_.first(size_)));
  return size_;
}

void add_parameter(Bytes& out, SctpParameter type, ByteView value) {
  std::array<uint8_t, 4> head;
  store_u16(head.data(), static_cast<uint16_t>(type));
  store_u16(head.data() + 2, static_cast<uint16_t>(4 + value.size()));
  out.insert(out.end(), head.begin(), head.end());
  out.insert(out.end(), value.begin(), value.end());
  out.resize(sctp_padded(out.size()));
}

}  // namespace footlight::rtc
