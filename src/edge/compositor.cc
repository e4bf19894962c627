#include "edge/compositor.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/json.h"

namespace footlight::edge {
namespace {

constexpr std::array<std::string_view, 4> kStates = {"off", "starting", "running", "pausing"};
constexpr std::array<std::string_view, 4> kInputs = {"waiting", "live", "late", "frozen"};

bool has_program(const proto::FeedParticipants& people) {
  return std::ranges::any_of(people.people, [](const proto::FeedParticipant& each) {
    return each.role == proto::FeedParticipant::Role::kProgram;
  });
}

}  // namespace

void Compositor::set_wanted(bool wanted, MonoUs now) {
  if (wanted == wanted_) return;
  wanted_ = wanted;
  if (wanted) {
    pause_us_ = kFirstPauseUs;
    return start(now);
  }
  if (state_ == State::kRunning || state_ == State::kStarting) {
    Bytes stop;
    encode(proto::NodeMessage(proto::FeedStop{}), stop);
    port_.write(std::move(stop));
    port_.kill();
  }
  state_ = State::kOff;
  sink_.on_end(Error{Code::kOk, {}, 0});
}

void Compositor::set_people(proto::FeedParticipants people) { people_ = std::move(people); }

void Compositor::restart(MonoUs now) {
  if (!wanted_) return;
  if (state_ == State::kRunning || state_ == State::kStarting) {
    port_.kill();
    broke({Code::kCompositorEnded, "a producer asked for it", 0}, now);
  }
  pause_us_ = kFirstPauseUs;
  start(now);
}

void Compositor::start(MonoUs now) {
  reader_ = {};
  told_people_.reset();
  told_layout_.reset();
  told_snapshot_.reset();
  hello_.reset();
  made_.clear();
  status_.reset();
  started_at_ = heard_at_ = now;
  ++starts_;
  state_ = State::kStarting;
  if (auto status = port_.start(); !status) return broke(status.error(), now);
  Bytes out;
  encode(proto::NodeMessage(proto::FeedNodeHello{proto::kFeedVersion, port_.rtp_port()}), out);
  port_.write(std::move(out));
}

// The port is closed already.
void Compositor::broke(Error why, MonoUs now) {
  if (now - started_at_ >= kHealthyUs) pause_us_ = kFirstPauseUs;
  state_ = State::kPausing;
  resume_at_ = now + pause_us_;
  pause_us_ = std::min(kMostPauseUs, pause_us_ * 2);
  why_ = std::move(why);
  sink_.on_discontinuity(why_);
}

void Compositor::on_exit(const std::string& how, MonoUs now) {
  if (state_ != State::kStarting && state_ != State::kRunning) return;
  broke({Code::kCompositorEnded, how, 0}, now);
}

void Compositor::on_bytes(ByteView bytes, MonoUs now) {
  if (state_ != State::kStarting && state_ != State::kRunning) return;
  heard_at_ = now;
  reader_.push(bytes);
  while (state_ == State::kStarting || state_ == State::kRunning) {
    const auto frame = reader_.next();
    Error fault{Code::kOk, {}, 0};
    if (!frame) {
      fault = frame.error();
    } else if (!*frame) {
      return;
    } else if (const auto message = proto::decode_compositor(**frame); !message) {
      fault = message.error();
    } else if (*message) {
      take(**message, now);
    }
    if (fault.code == Code::kOk) continue;
    port_.kill();
    return broke(std::move(fault), now);
  }
}

void Compositor::take(const proto::CompositorMessage& message, MonoUs now) {
  if (const auto* hello = std::get_if<proto::FeedHello>(&message)) {
    state_ = State::kRunning;
    hello_ = *hello;
    part_at_ = now;
    made_.assign(hello->renditions.size(), 0);
    port_.feed_to(hello->rtp_port);
    sink_.on_hello(*hello);
    return tell(now);
  }
  // Whatever comes before the greeting, or of a rendition that it did not name, is not understood.
  const auto known = [&](uint8_t rendition) {
    return hello_ && rendition < hello_->renditions.size();
  };
  if (const auto* init = std::get_if<proto::FeedInit>(&message)) {
    if (known(init->rendition)) sink_.on_init(*init);
  } else if (const auto* part = std::get_if<proto::FeedPart>(&message)) {
    if (!known(part->rendition)) return;
    ++parts_;
    part_at_ = now;
    ++made_[part->rendition];
    bytes_ += part->bytes.size();
    sink_.on_part(*part);
  } else if (const auto* status = std::get_if<proto::FeedStatus>(&message)) {
    status_ = *status;
    sink_.on_status(*status);
  } else if (const auto* poster = std::get_if<proto::FeedPoster>(&message)) {
    sink_.on_poster(*poster);
  } else if (const auto* cue = std::get_if<proto::FeedCueShown>(&message)) {
    const auto what = std::ranges::find(lately_, cue->snapshot, &proto::FeedSnapshot::number);
    sink_.on_cue_shown(*cue, what == lately_.end() ? nullptr : &*what);
  } else if (const auto* key = std::get_if<proto::FeedKeyFrame>(&message)) {
    port_.want_key_frame(key->ssrc);
  } else if (const auto* end = std::get_if<proto::FeedEnd>(&message)) {
    if (end->code == 0) return;
    port_.kill();
    broke({static_cast<Code>(end->code), end->reason, 0}, now);
  }
}

void Compositor::tell(MonoUs now) {
  if (state_ != State::kRunning) return;
  Bytes out;
  const proto::FeedLayout layout = choose_layout(choice_, scene_, has_program(people_));
  proto::FeedParticipants people = people_;
  for (auto& each : people.people) each.gain_permille = gains_.of(each.who);
  // The finished program has its own sound.
  if (layout.kind == proto::FeedLayout::Kind::kSingle && layout.slot == 255 &&
      has_program(people)) {
    for (auto& each : people.people) {
      if (each.role != proto::FeedParticipant::Role::kProgram) each.gain_permille = 0;
    }
  }
  if (told_people_ != people) {
    told_people_ = people;
    encode(proto::NodeMessage(people), out);
  }
  if (told_layout_ != layout) {
    told_layout_ = layout;
    encode(proto::NodeMessage(layout), out);
  }
  if (!told_snapshot_ || now - shown_at_ >= kShownUs) {
    proto::FeedSnapshot snapshot = scene_.snapshot;
    snapshot.number = told_snapshot_ ? told_snapshot_->number : 0;
    if (!told_snapshot_ || *told_snapshot_ != snapshot) {
      snapshot.number = ++number_;
      shown_at_ = now;
      encode(proto::NodeMessage(snapshot), out);
      if (lately_.size() == kLately) lately_.pop_front();
      lately_.push_back(snapshot);
      told_snapshot_ = std::move(snapshot);
    }
  }
  if (!out.empty()) port_.write(std::move(out));
}

void Compositor::on_time(MonoUs now) {
  if (!wanted_) return;
  if (state_ == State::kPausing && now >= resume_at_) start(now);
  if ((state_ == State::kRunning || state_ == State::kStarting) && now - heard_at_ >= kSilenceUs) {
    port_.kill();
    return broke({Code::kCompositorSilent, {}, 0}, now);
  }
  if (auto why = stalled(now); !why.empty()) {
    port_.kill();
    return broke({Code::kCompositorSilent, std::move(why), 0}, now);
  }
  if (auto wrong = sink_.wrong(); wrong && state_ == State::kRunning) {
    port_.kill();
    return broke(std::move(*wrong), now);
  }
  tell(now);
}

std::string Compositor::stalled(MonoUs now) const {
  if (state_ != State::kRunning || made_.empty()) return {};
  const bool composes = status_ && status_->fps_milli > 0;
  const auto [least, most] = std::ranges::minmax_element(made_);
  const uint64_t lag = kMostLag * std::max<uint64_t>(1, hello_->parts_per_segment);
  const bool none = now - part_at_ >= (composes ? kSlowUs : kSilenceUs);
  if (!none && *most - *least < lag) return {};
  return "no part of " + hello_->renditions[static_cast<size_t>(least - made_.begin())].name;
}

ProgramSettings Compositor::settings() const {
  ProgramSettings out{std::nullopt, gains_};
  if (choice_.wish) out.layout = choice_.wish->kind;
  return out;
}

void Compositor::restore(const ProgramSettings& settings) {
  gains_ = settings.gains;
  choice_.wish.reset();
  if (settings.layout) choice_.wish = proto::FeedLayout{*settings.layout, 255};
}

MonoUs Compositor::deadline() const {
  if (!wanted_) return kNever;
  return state_ == State::kPausing
             ? resume_at_
             : (made_.empty() ? heard_at_ : std::min(heard_at_, part_at_)) + kSilenceUs;
}

std::string Compositor::status_json() const {
  std::string text;
  JsonWriter out(text);
  out.object().field("state", kStates[static_cast<size_t>(state_)]);
  const proto::FeedLayout layout = choose_layout(choice_, scene_, has_program(people_));
  out.field("layout", layout_name(layout.kind)).field("chosen", choice_.wish.has_value());
  out.field("starts", starts_).field("parts", parts_).field("bytes", bytes_);
  out.key("last_end");
  if (why_.code == Code::kOk) {
    out.null();
  } else {
    out.object().field("code", static_cast<uint32_t>(why_.code));
    out.field("message", std::string_view(why_.message())).end_object();
  }
  out.key("renditions").array();
  for (const auto& each : hello_ ? hello_->renditions : std::vector<proto::FeedRendition>()) {
    out.object().field("name", std::string_view(each.name));
    out.field("codec", std::string_view(each.codec)).field("bandwidth_bps", each.bandwidth_bps);
    out.field("width", uint32_t{each.width}).field("height", uint32_t{each.height}).end_object();
  }
  out.end_array().key("encoder");
  if (!status_) return out.null().end_object(), text;
  out.object().field("name", std::string_view(status_->encoder));
  out.field("fps_milli", status_->fps_milli).field("cpu_permille", status_->cpu_permille);
  out.field("late_frames", status_->late_frames).field("repeated_frames", status_->repeated_frames);
  out.field("dropped_parts", status_->dropped_parts).field("slips", status_->slips);
  out.field("behind_ms", status_->behind_ms).field("snapshot", status_->snapshot);
  out.key("inputs").array();
  for (const proto::FeedInput& each : status_->inputs) {
    out.object().field("slot", uint32_t{each.slot});
    const auto person = std::ranges::find(people_.people, each.slot, &proto::FeedParticipant::slot);
    const bool known = person != people_.people.end();
    out.field("who", std::string_view(hex_u64(known ? person->who : 0)));
    out.field("gain_permille", uint32_t{gains_.of(known ? person->who : 0)});
    out.field("name", std::string_view(known ? person->name : ""));
    out.field("state", kInputs[static_cast<size_t>(each.state)]);
    out.field("frames", each.frames).field("lost", each.lost).end_object();
  }
  out.end_array().end_object().end_object();
  return text;
}

}  // namespace footlight::edge
