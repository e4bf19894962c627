// SCTP packets, chunks and parameters as bytes (RFC 9260 section 3).
#pragma once
#include <cstdint>
#include <span>

#include "core/bytes.h"

namespace footlight::rtc {

enum class ChunkType : uint8_t {
  kData = 0,
  kInit = 1,
  kInitAck = 2,
  kSack = 3,
  kHeartbeat = 4,
  kHeartbeatAck = 5,
  kAbort = 6,
  kShutdown = 7,
  kShutdownAck = 8,
  kError = 9,
  kCookieEcho = 10,
  kCookieAck = 11,
  kShutdownComplete = 14,
  kReconfig = 130,    // RFC 6525
  kForwardTsn = 192,  // RFC 3758
};

enum class SctpParameter : uint16_t {
  kHeartbeatInfo = 1,
  kCookie = 7,
  kUnrecognized = 8,
  kOutgoingReset = 13,
  kIncomingReset = 14,
  kReconfigResponse = 16,
  kExtensions = 0x8008,  // RFC 5061 section 4.2.7
  kForwardTsn = 0xC000,
};

inline constexpr size_t kSctpHeaderBytes = 12;
inline constexpr size_t kSctpChunkHeaderBytes = 4;
inline constexpr size_t kSctpDataHeaderBytes = 12;  // behind the chunk's header
inline constexpr size_t kSctpSackHeadBytes = 12;    // the same, before the blocks
inline constexpr uint8_t kDataEnd = 1;
inline constexpr uint8_t kDataBegin = 2;
inline constexpr uint8_t kDataUnordered = 4;
inline constexpr uint8_t kDataImmediate = 8;  // RFC 7053
inline constexpr uint8_t kTagReflected = 1;   // ABORT's and SHUTDOWN COMPLETE's T bit

inline constexpr size_t sctp_padded(size_t size) { return (size + 3) & ~size_t{3}; }

// CRC32c (RFC 9260 appendix A) of a packet, its checksum field taken as zero.
uint32_t sctp_checksum(ByteView packet);

struct SctpChunk {
  uint8_t type = 0;
  uint8_t flags = 0;
  ByteView value;
};

// The chunks of a packet, in order. Ends, and says `broken`, at one whose length does not fit.
class ChunkReader {
 public:
  explicit ChunkReader(ByteView chunks) : rest_(chunks) {}
  bool next(SctpChunk& chunk);
  bool broken() const { return broken_; }

 private:
  ByteView rest_;
  bool broken_ = false;
};

// Parameters, and causes of errors, which have the same form.
class ParameterReader {
 public:
  explicit ParameterReader(ByteView parameters) : rest_(parameters) {}
  bool next(uint16_t& type, ByteView& value);

 private:
  ByteView rest_;
};

// Writes a packet into a buffer of the caller's.
class PacketWriter {
 public:
  explicit PacketWriter(std::span<uint8_t> out) : out_(out) {}
  // Room for the value of one more chunk.
  size_t room() const {
    const size_t used = size_ + kSctpChunkHeaderBytes;
    return out_.size() < used ? 0 : (out_.size() - used) & ~size_t{3};
  }
  bool empty() const { return size_ == kSctpHeaderBytes; }
  // The place of the value's `size` bytes, which the caller fills; size <= room().
  uint8_t* add(ChunkType type, uint8_t flags, size_t size);
  size_t finish(uint16_t source_port, uint16_t destination_port, uint32_t tag);

 private:
  std::span<uint8_t> out_;
  size_t size_ = kSctpHeaderBytes;
};

// Appends a parameter with padding.
void add_parameter(Bytes& out, SctpParameter type, ByteView value);

}  // namespace footlight::rtc
