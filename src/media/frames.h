// From RTP packets to frames that a container holds: packets in order of sequence, payload formats
// undone, and what is incomplete left out.
//
// After a packet that never came a picture is not shown before the next key frame: what refers to
// the lost one would be torn. A voice goes on at once; where it was sent as RED (RFC 2198), what
// packets after a gap repeat is put in it.
//
// Done: Opus (RFC 7587), VP8 (RFC 7741), VP9 (RFC 9628, one
// spatial layer), H264 (RFC 6184, packetization modes 0 and 1), AV1 ("RTP Payload Format For AV1",
// one spatial layer). Every reader is bounded by its packet. Pure.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "core/bytes.h"
#include "rtc/rtp.h"
#include "rtc/wire.h"
#include "sfu/record_file.h"

namespace footlight::media {

struct Frame {
  int64_t timestamp = 0;    // RTP, unwrapped
  uint64_t arrived_us = 0;  // of its first packet
  bool key = false;         // always of a voice
  Bytes bytes;              // H264 with start codes, AV1 a temporal unit with sizes
};

struct FrameCounts {
  uint64_t packets = 0, frames = 0, key_frames = 0;
  uint64_t lost = 0;      // packets that never came
  uint64_t repaired = 0;  // of these, voices that a later packet repeated
  uint64_t dropped = 0;   // frames, for want of a packet of theirs or of one before
};

// RTP timestamps without their wrap, relative to the first.
class TimestampUnwrapper {
 public:
  int64_t unwrap(uint32_t timestamp) {
    last_ = peek(timestamp);
    started_ = true;
    return last_;
  }
  int64_t peek(uint32_t timestamp) const {
    if (!started_) return int64_t{1} << 32 | timestamp;
    return last_ + static_cast<int32_t>(timestamp - static_cast<uint32_t>(last_));
  }
  bool started() const { return started_; }

 private:
  int64_t last_ = 0;
  bool started_ = false;
};

// Puts packets of a file in order: it holds kWindow of them, so that what came late, after a
// retransmission, finds its place. What comes later still is as good as lost.
class ReorderBuffer {
 public:
  static constexpr size_t kWindow = 512;
  struct Item {
    int64_t sequence = 0;
    uint64_t arrived_us = 0;
    rtc::RtpView packet;
  };
  void push(const rtc::RtpView& packet, uint64_t arrived_us);
  // The next in order; `finishing`: there comes no more. nullopt: not yet.
  std::optional<Item> pop(bool finishing);

 private:
  std::vector<Item> heap_;  // the lowest sequence first
  rtc::SequenceUnwrapper sequences_;
  int64_t last_ = 0;
  bool any_ = false;
};

// Takes a stream's packets in order and gives its frames.
class FrameBuilder {
 public:
  // `first_timestamp`: of the first packet that came; what others unwrap begins with it too.
  FrameBuilder(const sfu::RecordHeader& header, uint32_t first_timestamp) : header_(header) {
    timestamps_.unwrap(first_timestamp);
  }
  void push(const ReorderBuffer::Item& item);
  // What is whole with the packets so far, in order.
  std::optional<Frame> next();
  const FrameCounts& counts() const { return counts_; }

 private:
  void push_picture(const ReorderBuffer::Item& item, int64_t timestamp, bool gap);
  void push_voice(const ReorderBuffer::Item& item, int64_t timestamp, bool gap);
  void repair(const ReorderBuffer::Item& item, int64_t timestamp);
  void begin(const ReorderBuffer::Item& item, int64_t timestamp);
  bool append(ByteView payload);
  bool append_vp8(ByteView payload);
  bool append_vp9(ByteView payload);
  bool append_h264(ByteView payload);
  void append_nal(ByteView nal);
  bool append_av1(ByteView payload);
  void append_obu(ByteView obu);
  void end_obu();
  bool opens(ByteView payload) const;

  sfu::RecordHeader header_;
  TimestampUnwrapper timestamps_;
  FrameCounts counts_;
  Frame frame_;
  bool open_ = false;     // frame_ is being filled
  bool broken_ = false;   // it lacks something
  bool need_key_ = true;  // until the next key frame nothing is given out
  int64_t expected_ = 0;  // sequence
  bool any_ = false;
  bool opened_well_ = false;  // it began with the first packet of a frame
  int64_t voiced_ = 0;        // timestamp of the voice before; 0: there was none
  std::deque<Frame> whole_;
  Bytes obu_;  // AV1: an OBU in pieces
  bool obu_open_ = false;
};

}  // namespace footlight::media
