#include "media/compose.h"

#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <memory>

#include "media/compose_link.h"
#include "media/compose_stage.h"

namespace footlight::media {
namespace {

using Make = ProgramClock::Make;
using std::chrono::duration_cast;
using std::chrono::microseconds;

int64_t cpu_us() {
  rusage used{};
  (void)getrusage(RUSAGE_SELF, &used);
  const auto us = [](const timeval& time) {
    return int64_t{time.tv_sec} * 1'000'000 + time.tv_usec;
  };
  return us(used.ru_utime) + us(used.ru_stime);
}

constexpr size_t kMostDatagrams = 512;  // between two looks at the clock
constexpr int kMostCatchUp = 16;        // frames made in a row before the sockets are read again

class Composition {
 public:
  Composition(const ComposeOptions& options, const ComposeClocks& clocks)
      : options_(options),
        clocks_(clocks),
        stage_(options.encode.rungs[0].width, options.encode.rungs[0].height),
        clock_(options.encode.cadence, mono_us(), wall_us()) {}
  // Encoders go first: their threads call the link.
  ~Composition() {
    rungs_.clear();
    sound_.reset();
  }

  Status run() {
    if (auto status = link_.open(options_.socket); !status) return status;
    if (auto status = open(); !status) {
      link_.send(proto::FeedEnd{static_cast<uint16_t>(status.error().code), status.error().detail});
      (void)link_.flush();
      return status;
    }
    greet();
    clock_ = ProgramClock(options_.encode.cadence, mono_us(), wall_us());
    while (!stopped_) {
      if (!wait() || !link_.read([this](const auto& message) { take(message); })) {
        return fail(Code::kCompositorEnded, "the node closed the connection");
      }
      const MonoUs now = mono_us();
      port_.receive(kMostDatagrams, [&](ByteView bytes, MonoUs age_us) {
        stage_.on_datagram(bytes, now - age_us);
      });
      stage_.advance(now, now - clock_.program_us(now));
      for (const uint32_t ssrc : stage_.wanted_key_frames(now))
        link_.send(proto::FeedKeyFrame{ssrc});
      for (int i = 0; i < kMostCatchUp && tick(); ++i) {
      }
      if (mono_us() - told_at_ >= kUsPerSecond) {
        tell();
        if (auto why = out_of_time(); !why.empty()) {
          link_.send(proto::FeedEnd{static_cast<uint16_t>(Code::kCompositorEnded), why});
          (void)link_.flush();
          return fail(Code::kCompositorEnded, std::move(why));
        }
      }
      if (!link_.flush()) return fail(Code::kCompositorEnded, "the node closed the connection");
    }
    link_.send(proto::FeedEnd{0, "stopped"});
    (void)link_.flush();
    return {};
  }

 private:
  Status open() {
    if (auto status = port_.open(); !status) return status;
    const OnChunk on_chunk = [this](Chunk chunk) { send(std::move(chunk)); };
    for (size_t i = 0; i < options_.encode.rungs.size(); ++i) {
      auto rung = Rung::open(options_.encode, i, on_chunk);
      if (!rung) return std::unexpected(rung.error());
      rungs_.push_back(std::move(*rung));
    }
    auto sound = Sound::open(options_.encode, on_chunk);
    if (!sound) return std::unexpected(sound.error());
    sound_ = std::move(*sound);
    return {};
  }

  void greet() {
    const Cadence& cadence = options_.encode.cadence;
    proto::FeedHello hello;
    hello.pid = static_cast<uint32_t>(::getpid());
    hello.rtp_port = port_.port();
    hello.part_us = static_cast<uint32_t>(cadence.time_us(cadence.frames_per_part));
    hello.parts_per_segment = static_cast<uint16_t>(cadence.parts_per_segment);
    for (const auto& rung : rungs_) hello.renditions.push_back(rung->rendition());
    hello.renditions.push_back(sound_->rendition());
    link_.send(hello);
    for (size_t i = 0; i < rungs_.size(); ++i) {
      link_.send(proto::FeedInit{static_cast<uint8_t>(i), rungs_[i]->init()});
    }
    link_.send(proto::FeedInit{static_cast<uint8_t>(rungs_.size()), sound_->init()});
  }

  // Until something comes or the next frame is due. False: the node is gone.
  bool wait() {
    std::array<pollfd, 3> all{};
    all[0] = {link_.descriptor(), POLLIN, 0};
    if (link_.wants_to_write()) all[0].events |= POLLOUT;
    all[1] = {link_.wake_descriptor(), POLLIN, 0};
    all[2] = {port_.descriptor(), POLLIN, 0};
    const MonoUs left = std::clamp<MonoUs>(clock_.due() - mono_us(), 0, 50 * kUsPerMs);
    const timespec most{0, static_cast<long>(left) * 1'000};
    (void)::ppoll(all.data(), all.size(), &most, nullptr);
    return link_.flush();
  }

  // A frame, when it is due.
  bool tick() {
    const MonoUs now = mono_us();
    if (now < clock_.due()) return false;
    if (now - clock_.due() > clock_frame_us()) ++late_;
    const Make make = canvas_ ? clock_.make(now, queued()) : Make::kFresh;
    if (make == Make::kFresh) canvas_ = stage_.compose(now, wall_us() / 1'000);
    if (!canvas_) return false;
    const int64_t number = clock_.frame(), wall = clock_.wall_us();
    for (const auto& rung : rungs_)
      rung->put(make == Make::kHold ? nullptr : canvas_, number, wall);
    const int64_t from = sample_of(number), to = sample_of(number + 1);
    sound_->put(stage_.mix(from, static_cast<size_t>(to - from)), number, wall);
    ++(make == Make::kFresh ? composed_ : repeated_);
    tell_cue(number, wall);
    tell_picture(number, wall, options_.poster_s, kPosterWidth);
    tell_picture(number, wall, options_.thumb_s, kThumbWidth);
    clock_.end_frame(make);
    return true;
  }

  // Frames before the slowest encoder.
  int64_t queued() const {
    size_t most = sound_->waiting();
    for (const auto& rung : rungs_) most = std::max(most, rung->waiting());
    return static_cast<int64_t>(most);
  }

  // Why this run's dates cannot be kept true; "" while they can.
  std::string out_of_time() const {
    const MonoUs now = mono_us();
    if (clock_.behind_us(now, queued()) > ProgramClock::kLostUs) {
      return "there is too little time to encode the program";
    }
    const int64_t wall = wall_us();
    // Both clocks at one moment, or not this time.
    const int64_t step = mono_us() - now < kUsPerMs ? clock_.step_us(now, wall) : 0;
    if (step == 0) return {};
    return "the wall clock was set forward by " + std::to_string(step / kUsPerMs) + " ms";
  }

  int64_t sample_of(int64_t frame) const {
    return frame * 48'000'000 / options_.encode.cadence.fps_milli;
  }
  MonoUs mono_us() const { return clocks_.mono_us(); }
  int64_t wall_us() const { return clocks_.wall_us(); }
  MonoUs clock_frame_us() const { return options_.encode.cadence.time_us(1); }

  void tell_picture(int64_t number, int64_t wall, int every_s, int width) {
    const int64_t frames = int64_t{every_s} * options_.encode.cadence.fps_milli / 1'000;
    if (frames == 0 || number % frames != frames / 4) return;
    const Bytes jpeg = make_poster(*canvas_, width);
    if (!jpeg.empty()) link_.send(proto::FeedPoster{wall, width == kThumbWidth, jpeg});
  }

  void tell_cue(int64_t number, int64_t wall) {
    if (stage_.snapshot() == told_snapshot_) return;
    told_snapshot_ = stage_.snapshot();
    const Cadence& cadence = options_.encode.cadence;
    proto::FeedCueShown cue;
    cue.snapshot = told_snapshot_;
    cue.frame = static_cast<uint64_t>(number);
    cue.msn = static_cast<uint64_t>(number / cadence.frames_per_segment());
    cue.part =
        static_cast<uint16_t>(number % cadence.frames_per_segment() / cadence.frames_per_part);
    cue.pdt_us = wall;
    link_.send(cue);
  }

  // On an encoder's thread.
  void send(Chunk chunk) {
    proto::FeedPart part;
    part.rendition = chunk.rendition;
    part.msn = chunk.number / options_.encode.cadence.parts_per_segment;
    part.part = static_cast<uint16_t>(chunk.number % options_.encode.cadence.parts_per_segment);
    part.independent = chunk.independent;
    part.tfdt = chunk.tfdt;
    part.duration = chunk.duration;
    part.pdt_us = chunk.pdt_us;
    link_.send_part(part, std::move(chunk.bytes));
  }

  void tell() {
    const MonoUs now = mono_us();
    const int64_t cpu = cpu_us();
    proto::FeedStatus status;
    const MonoUs passed = std::max<MonoUs>(1, now - told_at_);
    if (told_at_ != 0) {
      status.fps_milli = static_cast<uint32_t>(composed_ * 1'000 * kUsPerSecond / passed);
      status.cpu_permille = static_cast<uint32_t>((cpu - told_cpu_) * 1'000 / passed);
    }
    told_at_ = now;
    told_cpu_ = cpu;
    composed_ = 0;
    status.late_frames = late_;
    status.repeated_frames = static_cast<uint32_t>(repeated_);
    status.dropped_parts = link_.dropped();
    status.slips = clock_.slips();
    status.queued_bytes = static_cast<uint32_t>(link_.queued_bytes());
    const MonoUs behind = std::max<MonoUs>(0, clock_.behind_us(now, queued()));
    status.behind_ms = static_cast<uint32_t>(behind / kUsPerMs);
    status.layout = static_cast<uint8_t>(stage_.layout().kind);
    status.snapshot = stage_.snapshot();
    status.encoder = options_.encode.encoder + ", " + std::to_string(rungs_.size()) + " rungs, aac";
    status.inputs = stage_.inputs(now);
    link_.send(status);
  }

  void take(const proto::NodeMessage& message) {
    if (const auto* hello = std::get_if<proto::FeedNodeHello>(&message)) {
      port_.take_only_from(hello->rtp_port);
    } else if (const auto* people = std::get_if<proto::FeedParticipants>(&message)) {
      stage_.set_people(*people);
    } else if (const auto* layout = std::get_if<proto::FeedLayout>(&message)) {
      stage_.set_layout(*layout);
    } else if (const auto* snapshot = std::get_if<proto::FeedSnapshot>(&message)) {
      stage_.set_snapshot(*snapshot);
    } else {
      stopped_ = true;
    }
  }

  const ComposeOptions& options_;
  const ComposeClocks& clocks_;
  FeedLink link_;
  RtpPort port_;
  ComposeStage stage_;
  ProgramClock clock_;
  std::vector<std::unique_ptr<Rung>> rungs_;
  std::unique_ptr<Sound> sound_;
  std::shared_ptr<AVFrame> canvas_;
  bool stopped_ = false;
  uint32_t late_ = 0;
  int64_t composed_ = 0, repeated_ = 0;
  uint64_t told_snapshot_ = 0;
  MonoUs told_at_ = 0;
  int64_t told_cpu_ = 0;
};

template <class Number>
bool read_number(std::string_view& text, Number& out) {
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (fault != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

// "1280x720@2500"
bool read_rung(std::string_view text, RungOptions& out) {
  const auto take = [&text](char letter) {
    if (!text.starts_with(letter)) return false;
    text.remove_prefix(1);
    return true;
  };
  return read_number(text, out.width) && take('x') && read_number(text, out.height) && take('@') &&
         read_number(text, out.kbps) && text.empty() && out.width >= 320 && out.width <= 3'840 &&
         out.height >= 180 && out.height <= 2'160 && out.width % 2 == 0 && out.height % 2 == 0 &&
         out.kbps >= 100 && out.kbps <= 50'000;
}

}  // namespace

Result<ComposeOptions> read_compose_options(const std::vector<std::string>& arguments) {
  ComposeOptions out;
  for (size_t i = 1; i < arguments.size(); i += 2) {
    const std::string& name = arguments[i];
    if (i + 1 == arguments.size()) return fail(Code::kUsage, name + " lacks its value");
    const std::string& value = arguments[i + 1];
    std::string_view number = value;
    uint32_t n = 0;
    if (name == "--socket") {
      out.socket = value;
    } else if (name == "--rung") {
      RungOptions rung;
      if (!read_rung(value, rung))
        return fail(Code::kUsage, "--rung is WIDTHxHEIGHT@KBPS: " + value);
      out.encode.rungs.push_back(rung);
    } else if (name == "--fps" && read_number(number, n) && number.empty() &&
               (n == 25 || n == 30)) {
      // The two at which parts are whole frames of picture and of sound.
      out.encode.cadence.fps_milli = n * 1'000;
      out.encode.cadence.frames_per_part = n == 30 ? 16 : 8;
      out.encode.cadence.parts_per_segment = n == 30 ? 4 : 6;
    } else if (name == "--encoder") {
      out.encode.encoder = value;
    } else if (name == "--preset") {
      out.encode.preset = value;
    } else if (name == "--sound-kbps" && read_number(number, n) && number.empty() && n >= 32 &&
               n <= 512) {
      out.encode.sound_kbps = static_cast<int>(n);
    } else if (name == "--poster-s" && read_number(number, n) && number.empty() && n <= 3'600) {
      out.poster_s = static_cast<int>(n);
    } else if (name == "--thumb-s" && read_number(number, n) && number.empty() && n <= 3'600) {
      out.thumb_s = static_cast<int>(n);
    } else {
      return fail(Code::kUsage, name + " " + value);
    }
  }
  if (out.socket.empty()) return fail(Code::kUsage, "--socket is needed");
  if (out.encode.rungs.empty()) out.encode.rungs = {{1'280, 720, 2'500}, {854, 480, 1'100}};
  if (out.encode.rungs.size() >= proto::kMaxFeedRenditions)
    return fail(Code::kUsage, "too many rungs");
  return out;
}

ComposeClocks ComposeClocks::system() {
  const auto us = [](auto since) { return duration_cast<microseconds>(since).count(); };
  return {[us] { return us(std::chrono::steady_clock::now().time_since_epoch()); },
          [us] { return us(std::chrono::system_clock::now().time_since_epoch()); }};
}

Status compose(const ComposeOptions& options, const ComposeClocks& clocks) {
  (void)std::signal(SIGPIPE, SIG_IGN);
  (void)setpriority(PRIO_PROCESS, 0, 1);  // where there is too little, the call has it
  av_log_set_level(AV_LOG_ERROR);         // what goes wrong is told over the socket
  return std::make_unique<Composition>(options, clocks)->run();
}

}  // namespace footlight::media
