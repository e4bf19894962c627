#include "media/compose_stage.h"

#include <algorithm>

#include "rtc/rtp.h"
#include "rtc/wire.h"

namespace footlight::media {

ComposeStage::ComposeStage(int width, int height)
    : width_(width), height_(height), artist_(width, height) {}

void ComposeStage::set_people(const proto::FeedParticipants& people) {
  std::erase_if(people_, [&](const auto& each) {
    return std::ranges::find(people.people, each.first, &proto::FeedParticipant::slot) ==
           people.people.end();
  });
  streams_.clear();
  for (const proto::FeedParticipant& about : people.people) {
    auto& person = people_[about.slot];
    if (person) {
      person->renew(about);
    } else {
      person = std::make_unique<Person>(about);
    }
    if (about.audio.ssrc) streams_[about.audio.ssrc] = {person.get(), true};
    if (about.video.ssrc) streams_[about.video.ssrc] = {person.get(), false};
  }
}

void ComposeStage::on_datagram(ByteView datagram, MonoUs came) {
  const auto kind = rtc::datagram_kind(datagram);
  if (kind == rtc::DatagramKind::kRtp && datagram.size() >= rtc::kRtpFixedBytes) {
    const auto found = streams_.find(rtc::load_u32(datagram.data() + 8));
    if (found != streams_.end()) {
      return found->second.person->on_rtp(found->second.voice, datagram, came);
    }
  }
  if (kind == rtc::DatagramKind::kRtcp) {
    rtc::RtcpReader reader(datagram);
    rtc::RtcpPacket packet;
    while (reader.next(packet)) {
      const auto info = rtc::read_sender_info(packet);
      if (!info) continue;
      const auto found = streams_.find(info->ssrc);
      if (found != streams_.end()) found->second.person->on_report(found->second.voice, *info);
    }
    return;
  }
  ++strangers_;
}

void ComposeStage::advance(MonoUs now, MonoUs start_us) {
  for (auto& [slot, person] : people_) person->advance(now, start_us);
}

std::vector<uint32_t> ComposeStage::wanted_key_frames(MonoUs now) {
  std::vector<uint32_t> out;
  for (auto& [slot, person] : people_) {
    if (person->wants_key_frame(now)) out.push_back(person->about().video.ssrc);
  }
  return out;
}

// One that no encoder holds any more; there are never more than their queues and they themselves
// hold.
std::shared_ptr<AVFrame> ComposeStage::make_canvas() {
  for (auto& each : canvases_) {
    if (each.use_count() == 1 && av_frame_is_writable(each.get())) return each;
  }
  AvFrame made = make_picture(width_, height_);
  if (!made) return nullptr;
  canvases_.emplace_back(made.release(), AvFree());
  return canvases_.back();
}

std::shared_ptr<AVFrame> ComposeStage::compose(MonoUs now, int64_t wall_ms) {
  Drawn drawn;
  std::vector<Seat> seats;
  for (auto& [slot, person] : people_) {
    drawn.people.push_back(person->about());
    // Who only speaks has a seat; the finished program has one when it is shown or nobody else is.
    const bool program = person->about().role == proto::FeedParticipant::Role::kProgram;
    if (!program || layout_.kind == proto::FeedLayout::Kind::kSingle || people_.size() == 1) {
      seats.push_back({slot, person->about().role});
    }
    if (!person->pick(now)) drawn.absent.push_back(slot);
  }
  spotlight_.update(drawn.people, now);
  drawn.arrangement = arrange(layout_, seats, spotlight_.slot(), width_, height_);
  drawn.layout = layout_;
  drawn.snapshot = snapshot_;
  drawn.wall_ms = wall_ms;
  artist_.draw(drawn);
  auto canvas = make_canvas();
  if (!canvas) return nullptr;
  artist_.layer().copy_to(*canvas);
  for (const Tile& tile : drawn.arrangement.tiles) {
    if (std::ranges::find(drawn.absent, tile.slot) == drawn.absent.end()) {
      people_.at(tile.slot)->paint(*canvas, tile.rect, !tile.framed);
    }
  }
  for (const Tile& tile : drawn.arrangement.tiles) artist_.layer().blend(*canvas, tile.rect);
  shown_snapshot_ = snapshot_.number;
  return canvas;
}

// The limiter gives out what went in Limiter::kAhead samples before: so it is fed that much ahead.
std::vector<float> ComposeStage::mix(int64_t position, size_t samples) {
  constexpr auto kAhead = static_cast<int64_t>(Limiter::kAhead);
  const auto add = [&](int64_t from, std::span<float> out) {
    const bool hushed = layout_.kind == proto::FeedLayout::Kind::kSlate;
    for (auto& [slot, person] : people_) {
      const float gain =
          hushed ? 0.0F : static_cast<float>(person->about().gain_permille) / 1000.0F;
      person->voice().mix(from, gain, out);
    }
    limiter_.run(out);
  };
  if (!mixed_) {
    std::vector<float> first(Limiter::kAhead * kChannels);
    add(position, first);
  }
  std::vector<float> out(samples * kChannels);
  add(position + kAhead, out);
  mixed_ = position + kAhead + static_cast<int64_t>(samples);
  return out;
}

std::vector<proto::FeedInput> ComposeStage::inputs(MonoUs now) const {
  std::vector<proto::FeedInput> out;
  for (const auto& [slot, person] : people_) out.push_back(person->input(now));
  return out;
}

}  // namespace footlight::media
