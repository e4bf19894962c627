// The encoders: one thread for each rung of the ladder and one for the sound. Frames go in by count
// and come out cut into parts by count, so parts of one number cover the same time everywhere.
//
// What an encoder that is slower than the clock costs is said in program_clock.h: frames that are
// left out are the same in each rung, so every rung has the same frames at the same times.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "media/compose_chunks.h"
#include "media/program_clock.h"
#include "media/voices.h"
#include "proto/program_feed.h"

namespace footlight::media {

struct RungOptions {
  int width = 1280, height = 720;
  int kbps = 2'500;  // at most
};

struct EncodeOptions {
  Cadence cadence;
  std::vector<RungOptions> rungs;  // the first has the canvas' size
  std::string encoder = "libx264";
  std::string preset = "superfast";
  int sound_kbps = 128;
};

struct Chunk {
  uint8_t rendition = 0;
  uint64_t number = 0;  // parts since the start
  bool independent = false;
  uint64_t tfdt = 0;
  uint32_t duration = 0;
  int64_t pdt_us = 0;
  Bytes bytes;
};
// Called on the encoders' threads.
using OnChunk = std::function<void(Chunk)>;

// Work for one thread, in order, bounded by who puts it in.
template <class Job>
class Lane {
 public:
  explicit Lane(std::function<void(Job&)> work)
      : work_(std::move(work)), thread_([this] { run(); }) {}
  ~Lane() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  void put(Job job) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
      ++waiting_;
    }
    wake_.notify_one();
  }
  size_t waiting() const { return waiting_; }  // what is being worked at is counted

 private:
  void run() {
    while (true) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return ended_ || !jobs_.empty(); });
      if (ended_) return;
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      work_(job);
      --waiting_;
    }
  }
  std::function<void(Job&)> work_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::atomic<size_t> waiting_ = 0;
  bool ended_ = false;
  std::thread thread_;
};

class Rung {
 public:
  static Result<std::unique_ptr<Rung>> open(const EncodeOptions& options, size_t index,
                                            OnChunk on_chunk);
  proto::FeedRendition rendition() const;
  const Bytes& init() const { return chunks_->init(); }
  size_t waiting() const { return lane_->waiting(); }  // frames, also those left out
  // `canvas`: null where the frame is left out, which the first of a part never is.
  void put(std::shared_ptr<AVFrame> canvas, int64_t number, int64_t wall_us) {
    lane_->put({std::move(canvas), number, wall_us});
  }

 private:
  struct Job {
    std::shared_ptr<AVFrame> canvas;
    int64_t number = 0, wall_us = 0;
  };
  // A frame that the encoder has, until `end`, where the next one begins; 0: not known yet.
  struct Span {
    int64_t begin = 0, end = 0;
  };
  Rung() = default;
  void encode(Job& job);
  void submit(const Job& job);
  void write(AVPacket& packet, const Span& span);
  AVFrame* scaled(AVFrame& canvas);

  Cadence cadence_;
  RungOptions options_;
  uint8_t index_ = 0;
  OnChunk on_chunk_;
  AvCodec codec_;
  AvPacket packet_{av_packet_alloc()};
  AvFrame small_, work_{av_frame_alloc()};
  AvScaler scaler_;
  std::unique_ptr<ChunkWriter> chunks_;
  std::deque<Span> spans_;         // of frames not written yet
  std::deque<AvPacket> packets_;   // of the first of them
  std::deque<int64_t> part_wall_;  // of parts begun and not finished
  bool independent_ = false;
  std::unique_ptr<Lane<Job>> lane_;  // the last: its thread ends first
};

class Sound {
 public:
  static Result<std::unique_ptr<Sound>> open(const EncodeOptions& options, OnChunk on_chunk);
  proto::FeedRendition rendition() const;
  const Bytes& init() const { return chunks_->init(); }
  size_t waiting() const { return lane_->waiting(); }
  // Interleaved stereo of one frame of the program.
  void put(std::vector<float> samples, int64_t number, int64_t wall_us) {
    lane_->put({std::move(samples), number, wall_us});
  }

 private:
  struct Job {
    std::vector<float> samples;
    int64_t number = 0, wall_us = 0;
  };
  Sound() = default;
  void encode(Job& job);
  void encode_block();

  Cadence cadence_;
  int kbps_ = 0;
  uint8_t index_ = 0;
  OnChunk on_chunk_;
  AvCodec codec_;
  AvPacket packet_{av_packet_alloc()};
  AvFrame block_;
  std::unique_ptr<ChunkWriter> chunks_;
  int filled_ = 0;  // of block_
  int64_t blocks_in_ = 0, blocks_out_ = 0;
  std::deque<int64_t> part_wall_;
  std::unique_ptr<Lane<Job>> lane_;
};

inline constexpr int kPosterWidth = 640, kThumbWidth = 192;
// A JPEG of the canvas, `width` pixels wide; empty when it cannot be made.
Bytes make_poster(const AVFrame& canvas, int width);

}  // namespace footlight::media
