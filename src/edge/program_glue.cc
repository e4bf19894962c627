#include "edge/program_glue.h"

#include <algorithm>
#include <atomic>

#include "core/json.h"
#include "gate/cue.h"

namespace footlight::edge {
namespace {

constexpr size_t kMostPayload = 4'096;

std::string in_base36(uint64_t value) {
  std::string out;
  for (; value != 0 || out.empty(); value /= 36) {
    out.insert(out.begin(), "0123456789abcdefghijklmnopqrstuvwxyz"[value % 36]);
  }
  return out;
}

class ProgramGlue final : public ProgramSink {
 public:
  explicit ProgramGlue(ProgramGlueOptions options) : options_(std::move(options)) {}

  // The same renditions again are the same stream after a break; others need a new one.
  void on_hello(const proto::FeedHello& hello) override {
    const bool same = begun_ && hello.renditions == hello_.renditions &&
                      hello.part_us == hello_.part_us &&
                      hello.parts_per_segment == hello_.parts_per_segment;
    hello_ = hello;
    ++verdict_->run;
    if (same) {
      tell([](Program& program) { (void)program.discontinuity(); });
      return;
    }
    begun_ = true;
    const auto now_ms = static_cast<uint64_t>(options_.clock->wall_ms());
    epoch_ms_ = std::max(now_ms, epoch_ms_ + 1);
    tell([made = described()](Program& program) mutable { (void)program.hello(std::move(made)); });
  }
  void on_init(const proto::FeedInit& init) override {
    tell([rendition = uint32_t{init.rendition}, bytes = blob(init.bytes)](
             Program& program) mutable { (void)program.init(rendition, std::move(bytes)); });
  }
  void on_part(const proto::FeedPart& part) override {
    hls::PartUnit unit;
    unit.rendition = part.rendition;
    unit.msn = part.msn;
    unit.part = part.part;
    unit.independent = part.independent;
    unit.tfdt = part.tfdt;
    unit.duration = part.duration;
    unit.program_date_time_ms = part.pdt_us / kUsPerMs;
    unit.bytes = blob(part.bytes);
    std::optional<hls::Cue> cue;
    if (part.rendition == 0 && part.part == 0) cue = signed_cue(unit.program_date_time_ms);
    tell([unit = std::move(unit), cue = std::move(cue), verdict = verdict_,
          run = verdict_->run.load()](Program& program) mutable {
      if (cue) (void)program.cue(std::move(*cue));
      const Status status = program.part(std::move(unit));
      if (status || !program.stuck()) return;
      verdict->wrong = uint64_t{run} << 32 | static_cast<uint32_t>(status.error().code);
    });
  }
  std::optional<Error> wrong() override {
    const uint64_t said = verdict_->wrong.exchange(0);
    // Of a compositor that is gone already.
    if (said == 0 || said >> 32 != verdict_->run) return std::nullopt;
    return Error{static_cast<Code>(said & 0xFFFF'FFFF), "its parts were refused", 0};
  }
  void on_cue_shown(const proto::FeedCueShown& shown,
                    const proto::FeedSnapshot* snapshot) override {
    if (snapshot == nullptr) return;
    hls::Cue cue = named("show", "show", shown.pdt_us / kUsPerMs);
    cue.payload = snapshot_json(*snapshot);
    if (cue.payload.size() > kMostPayload) return;
    tell([cue = std::move(cue)](Program& program) mutable { (void)program.cue(std::move(cue)); });
  }
  void on_status(const proto::FeedStatus&) override {}
  void on_poster(const proto::FeedPoster& poster) override {
    tell([bytes = blob(poster.jpeg), small = poster.small,
          at_ms = poster.pdt_us / kUsPerMs](Program& program) mutable {
      (void)(small ? program.thumb(at_ms, std::move(bytes)) : program.poster(std::move(bytes)));
    });
  }
  void on_discontinuity(const Error&) override {}  // told with the next hello
  void on_end(const Error&) override {
    if (!std::exchange(begun_, false)) return;
    tell([](Program& program) { program.end(); });
  }

 private:
  void tell(std::move_only_function<void(Program&)> job) { options_.post(std::move(job)); }
  static Blob blob(ByteView bytes) { return make_blob(std::string(as_text(bytes))); }
  hls::Cue named(std::string kind, std::string key, WallMs at_ms) {
    hls::Cue cue;
    cue.id = kind + "." + in_base36(epoch_ms_) + "." + std::to_string(++cues_);
    cue.kind = std::move(kind);
    cue.key = std::move(key);
    cue.at_ms = at_ms;
    return cue;
  }
  hls::Cue signed_cue(WallMs at_ms) {
    hls::Cue cue = named("at", "", at_ms);
    cue.payload = gate::sign_cue(options_.key, options_.episode, at_ms);
    return cue;
  }
  hls::Hello described() const {
    hls::Hello out;
    out.epoch = in_base36(epoch_ms_);
    out.part_target_us = hello_.part_us + 1;  // it was rounded down
    out.parts_per_segment = hello_.parts_per_segment;
    for (const proto::FeedRendition& each : hello_.renditions) {
      hls::Rendition made;
      made.id = each.name;
      made.kind = each.kind == proto::FeedMedia::kVideo ? hls::Kind::kVideo : hls::Kind::kAudio;
      made.codecs = each.codec;
      made.timescale = each.timescale;
      made.bandwidth_bps = each.bandwidth_bps;
      made.width = each.width;
      made.height = each.height;
      made.frame_rate_milli = each.fps_milli;
      made.channels = each.channels;
      out.renditions.push_back(std::move(made));
    }
    return out;
  }

  // What the home shard says of this compositor, the `run`th.
  struct Verdict {
    std::atomic<uint32_t> run = 0;
    std::atomic<uint64_t> wrong = 0;  // the run above, the code below; 0: nothing
  };

  ProgramGlueOptions options_;
  std::shared_ptr<Verdict> verdict_ = std::make_shared<Verdict>();
  proto::FeedHello hello_;
  bool begun_ = false;
  uint64_t epoch_ms_ = 0;
  uint64_t cues_ = 0;
};

}  // namespace

std::string snapshot_json(const proto::FeedSnapshot& snapshot) {
  std::string out;
  JsonWriter json(out);
  json.object().field("snapshot", snapshot.number).key("poll");
  if (const auto& poll = snapshot.poll) {
    json.object().field("id", std::string_view(poll->id));
    json.field("title", std::string_view(poll->title)).key("counts").array();
    for (const proto::FeedOption& option : poll->options) json.value(option.votes);
    json.end_array().field("voters", poll->voters).field("opened_ms", poll->opened_wall_ms);
    json.field("closes_ms", poll->closes_wall_ms);
    json.field("closed", poll->closed).end_object();
  } else {
    json.null();
  }
  json.key("dice").array();
  for (const proto::FeedDice& roll : snapshot.dice) {
    json.object().field("who", std::string_view(roll.who));
    json.field("expr", std::string_view(roll.expression));
    json.field("faces", std::string_view(roll.faces)).field("total", roll.total).end_object();
  }
  json.end_array().end_object();
  return out;
}

std::unique_ptr<ProgramSink> make_program_glue(ProgramGlueOptions options) {
  return std::make_unique<ProgramGlue>(std::move(options));
}

}  // namespace footlight::edge
