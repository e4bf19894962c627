// Packets as they lie in memory between arrival and the last subscriber.
//
// A packet is received and decrypted in a slot of a pool and stays there: the ring of its stream
// owns it for as long as a retransmission may be asked for, and every subscriber encrypts straight
// from it. So a packet is copied by nobody but the cipher, and the number of packets in memory is
// bounded by the pool.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/assert.h"
#include "core/bytes.h"
#include "core/time.h"
#include "rtc/rtp.h"
#include "rtc/rtp_extensions.h"
#include "sfu/payload.h"

namespace footlight::sfu {

inline constexpr size_t kPacketBytes = 1600;  // larger datagrams are no media of ours

struct Packet {
  std::array<uint8_t, kPacketBytes> buffer;
  rtc::RtpView view;  // of the decrypted packet, inside buffer
  rtc::RtpExtensionValues extensions;
  PayloadInfo info;
  Vp8Descriptor vp8;     // of VP8 streams
  bool red = false;      // Opus inside RED (RFC 2198)
  int64_t sequence = 0;  // the publisher's, unwrapped
  MonoUs arrived_at = 0;
};

// A fixed number of slots, all allocated at the start. Single-threaded, like the shard that has it.
class PacketPool {
 public:
  explicit PacketPool(size_t slots) : slots_(slots) {
    free_.reserve(slots);
    for (auto& slot : slots_) free_.push_back(&slot);
  }
  PacketPool(const PacketPool&) = delete;
  PacketPool& operator=(const PacketPool&) = delete;

  Packet* take() {  // nullptr when all are in use: the caller drops what it received
    if (free_.empty()) return nullptr;
    Packet* packet = free_.back();
    free_.pop_back();
    return packet;
  }
  void give_back(Packet* packet) {
    FL_ASSERT(free_.size() < slots_.size(), "a packet was given back twice");
    free_.push_back(packet);
  }
  size_t free_count() const { return free_.size(); }

 private:
  std::vector<Packet> slots_;
  std::vector<Packet*> free_;
};

// The last packets of one stream by sequence number; a power of two of them. Owns what it holds.
class PacketRing {
 public:
  PacketRing(PacketPool& pool, size_t capacity) : pool_(&pool), slots_(capacity) {
    FL_ASSERT((capacity & (capacity - 1)) == 0, "a ring's capacity is a power of two");
  }
  PacketRing(PacketRing&& other) noexcept : pool_(other.pool_), slots_(std::move(other.slots_)) {
    other.slots_.clear();
  }
  PacketRing& operator=(PacketRing&&) = delete;
  ~PacketRing() { clear(); }

  // Takes the packet in. False, and the packet stays the caller's, when a packet with its number is
  // there already or a newer one has its place.
  bool insert(Packet* packet) {
    Packet*& slot = at(packet->sequence);
    if (slot && slot->sequence >= packet->sequence) return false;
    if (slot) pool_->give_back(slot);
    slot = packet;
    return true;
  }
  Packet* find(int64_t sequence) const {
    Packet* packet = slots_[static_cast<size_t>(sequence) & (slots_.size() - 1)];
    return packet && packet->sequence == sequence ? packet : nullptr;
  }
  size_t capacity() const { return slots_.size(); }
  void clear() {
    for (Packet*& slot : slots_) {
      if (slot) pool_->give_back(slot);
      slot = nullptr;
    }
  }

 private:
  Packet*& at(int64_t sequence) {
    return slots_[static_cast<size_t>(sequence) & (slots_.size() - 1)];
  }
  PacketPool* pool_;
  std::vector<Packet*> slots_;
};

}  // namespace footlight::sfu
