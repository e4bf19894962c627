// Packets as they lie in memory between arrival and the last subscriber.
//
// A packet is received and decrypted in a slot of a pool and stays there: the ring of its stream
// owns it for as long as a retransmission may be asked for, and every subscriber encrypts straight
// from it. So a packet is copied by nobody but the cipher, and the number of packets in memory is
// bounded by the pool.
#pragma once
#include <algorithm>
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

// Slots for packets, taken from the system in chunks as they are first needed and kept from then
// on, up to `slots`. Rings reserve what they may come to hold, so that who publishes is refused
// (claim) before those who do already run dry. Single-threaded, like the shard that has it.
class PacketPool {
 public:
  static constexpr size_t kChunk = 256;

  explicit PacketPool(size_t slots) : limit_(slots) { free_.reserve(slots); }
  PacketPool(const PacketPool&) = delete;
  PacketPool& operator=(const PacketPool&) = delete;

  Packet* take() {  // nullptr when all are in use: the caller drops what it received
    if (free_.empty()) grow();
    if (free_.empty()) return nullptr;
    Packet* packet = free_.back();
    free_.pop_back();
    return packet;
  }
  void give_back(Packet* packet) {
    FL_ASSERT(free_.size() < made_, "a packet was given back twice");
    free_.push_back(packet);
  }
  size_t free_count() const { return limit_ - made_ + free_.size(); }

  // Slots that rings may hold beside what a turn needs; false when there are not so many left.
  bool can_claim(size_t slots) const { return claimed_ + slots + kTurnSlots <= limit_; }
  void claim(size_t slots) { claimed_ += slots; }
  void release(size_t slots) { claimed_ -= slots; }

 private:
  static constexpr size_t kTurnSlots = 128;  // received and not yet in a ring

  void grow() {
    const size_t count = std::min(kChunk, limit_ - made_);
    if (count == 0) return;
    chunks_.push_back(std::make_unique_for_overwrite<Packet[]>(count));
    made_ += count;
    for (size_t i = 0; i < count; ++i) free_.push_back(&chunks_.back()[i]);
  }

  size_t limit_, made_ = 0, claimed_ = 0;
  std::vector<std::unique_ptr<Packet[]>> chunks_;
  std::vector<Packet*> free_;
};

// The last packets of one stream by sequence number; a power of two of them. Owns what it holds.
class PacketRing {
 public:
  PacketRing(PacketPool& pool, size_t capacity) : pool_(&pool), slots_(capacity) {
    FL_ASSERT((capacity & (capacity - 1)) == 0, "a ring's capacity is a power of two");
    pool.claim(capacity);
  }
  PacketRing(PacketRing&& other) noexcept : pool_(other.pool_), slots_(std::move(other.slots_)) {
    other.slots_.clear();
  }
  PacketRing& operator=(PacketRing&&) = delete;
  ~PacketRing() {
    clear();
    pool_->release(slots_.size());
  }

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
