// The receiving half of transport-wide congestion control
// (draft-holmer-rmcat-transport-wide-cc-extensions-01): remembers when the packets of a transport
// arrived and writes feedback messages about them. The reading half is in rtcp.h.
#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "core/bytes.h"
#include "core/time.h"
#include "rtc/wire.h"

namespace footlight::rtc {

class TransportFeedbackWriter {
 public:
  // Packets kept between two messages; older ones are then reported by the next message or never.
  static constexpr size_t kWindow = 1024;

  void on_packet(uint16_t sequence, MonoUs now);
  // Whether something arrived that no message has told yet.
  bool pending() const { return pending_; }
  // Writes one RTPFB packet about what was not yet told, from the first untold sequence on, and
  // returns its size; 0 when nothing is pending or `out` is too small for even one packet. Call
  // again while pending() (the message was full). A packet that comes after its gap was told is
  // told again, as the draft's section 3 lets it.
  size_t write(std::span<uint8_t> out, uint32_t sender_ssrc, uint32_t media_ssrc);

 private:
  struct Slot {
    int64_t sequence = -1;
    MonoUs arrival = 0;
  };
  struct Draft;
  void collect(size_t room, Draft& draft) const;
  const Slot* find(int64_t sequence) const {
    const Slot& slot = slots_[static_cast<size_t>(sequence) % kWindow];
    return slot.sequence == sequence ? &slot : nullptr;
  }
  std::array<Slot, kWindow> slots_{};
  SequenceUnwrapper unwrapper_;
  int64_t next_ = 0;  // the first sequence that the next message tells
  bool pending_ = false;
  uint8_t count_ = 0;
};

}  // namespace footlight::rtc
