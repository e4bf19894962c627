// One show on several shards: the part of its home, and that of a mirror (media_mirror.h).
#include <algorithm>
#include <cstring>
#include <functional>
#include <type_traits>

#include "core/assert.h"
#include "edge/internal/media_stage.h"

namespace footlight::edge {
namespace {

constexpr MonoUs kTakeUpUs = kUsPerSecond;

template <class Range, class Value, class Projection = std::identity>
bool has(const Range& range, const Value& value, Projection projection = {}) {
  return std::ranges::find(range, value, projection) != std::ranges::end(range);
}

}  // namespace

void Media::note(size_t shard, const Stage& stage, decltype(MirrorNote::what) what) {
  mirror_notes_.emplace_back(shard, MirrorNote{stage.number, std::move(what)});
}

void Media::note_all(const Stage& stage, const decltype(MirrorNote::what)& what) {
  for (const Mirror& mirror : stage.mirrors) note(mirror.shard, stage, what);
}

// --- at home: who is placed where
// ------------------------------------------------------------------

// Viewers alone, and all sessions of an account on one shard, where they are counted and replaced.
size_t Media::place(const MediaRequest& request, std::span<const size_t> sessions) {
  const bool viewer = request.use == MediaUse::kWatch && request.role == proto::Role::kViewer &&
                      !request.grants.publishes();
  const size_t here = options_.shard;
  if (!options_.lanes || !viewer || draining_) return here;
  const auto found = stages_.find(request.episode);
  if (found == stages_.end()) return here;  // nobody is there
  Stage& stage = *found->second;
  auto placed = stage.placed.find(request.who);
  if (placed == stage.placed.end()) {
    const bool known =
        has(stage.sessions, request.who, [](const Session* each) { return each->request.who; });
    if (known || sessions_.size() < options_.spread_after) return here;
    size_t best = here, least = sessions_.size();
    for (size_t shard = 0; shard < sessions.size(); ++shard) {
      const auto mirror = std::ranges::find(stage.mirrors, shard, &Mirror::shard);
      const size_t ours = mirror == stage.mirrors.end() ? 0 : mirror->sessions;
      const size_t load = std::max(sessions[shard], ours);  // the first is as of a moment ago
      if (shard == here || load >= least) continue;
      best = shard;
      least = load;
    }
    if (best == here) return here;
    placed = stage.placed.emplace(request.who, Stage::Placed{best, 0}).first;
  }
  const size_t shard = placed->second.shard;
  ++placed->second.sessions;
  auto mirror = std::ranges::find(stage.mirrors, shard, &Mirror::shard);
  if (mirror == stage.mirrors.end()) {
    ++spread_;
    stage.mirrors.push_back({shard, 0, {}, {}});
    mirror = std::prev(stage.mirrors.end());
    note(shard, stage, show_of(stage));
    note(shard, stage, stage.told_voices);
    if (!stage.links.empty()) note(shard, stage, mirror::Links{stage.links});
  }
  ++mirror->sessions;
  return shard;
}

void Media::on_left(Stage& stage, Mirror& mirror, uint64_t who, MonoUs now) {
  const auto placed = stage.placed.find(who);
  FL_ASSERT(placed != stage.placed.end(), "who left was placed");
  if (--placed->second.sessions == 0) stage.placed.erase(placed);
  if (--mirror.sessions > 0) return;
  note(mirror.shard, stage, mirror::Over{});
  std::erase_if(stage.mirrors, [&](const Mirror& each) { return &each == &mirror; });
  --spread_;
  recopy(stage, now);
  leave_stage(stage);
}

Result<MediaAnswer> Media::open(const MediaRequest& request, std::string_view offer, MonoUs now) {
  if (!request.placed) return open_here(request, offer, now);
  const auto stage = stages_.find(request.episode);
  FL_ASSERT(stage != stages_.end() && stage->second->home, "a mirror is there before its sessions");
  auto answer = open_here(request, offer, now);
  if (!answer) note(*stage->second->home, *stage->second, mirror::Left{request.who});
  return answer;
}

// A stage ends with its last session, wherever that is; a mirror when its home says so.
void Media::leave_stage(Stage& stage) {
  if (!stage.sessions.empty() || !stage.mirrors.empty() || stage.home) return arrange(stage);
  leave_tap(stage);
  keep_counts(stage);
  stages_.erase(std::string(stage.episode));
}

std::vector<size_t> Media::mirrors(std::string_view episode) const {
  std::vector<size_t> shards;
  const auto found = stages_.find(episode);
  if (found == stages_.end()) return shards;
  for (const Mirror& mirror : found->second->mirrors) shards.push_back(mirror.shard);
  return shards;
}

// --- at home: what is said of the show
// ------------------------------------------------------------------

mirror::Show Media::show_of(const Stage& stage) const {
  mirror::Show show;
  show.episode = stage.episode;
  show.recording = recorded(stage);
  for (const Publication& each : stage.published) {
    const auto media = stage.room.describe(each.track);
    if (!media) continue;
    const Session& session = *each.session;
    show.published.push_back({each.track, session.order, each.muted, *media});
    if (has(show.people, session.order, &mirror::Person::order)) continue;
    const MediaRequest& of = session.request;
    show.people.push_back({session.order, of.who, of.name, of.label, of.role});
  }
  return show;
}

void Media::spread(const Stage& stage) {
  if (!stage.mirrors.empty()) note_all(stage, show_of(stage));
}

void Media::spread_voices(Stage& stage) {
  if (stage.mirrors.empty()) return;
  mirror::Voices voices;
  const auto order = stage.room.speakers().order();
  for (const auto& each : order) {
    const auto of = std::ranges::find(stage.published, each.voice, [](const Publication& other) {
      return other.session->member;
    });
    if (of != stage.published.end()) {
      voices.order.push_back({of->session->order, each.loudness});
    }
  }
  const auto active = stage.room.speakers().active();
  voices.active = active && !order.empty() && order.front().voice == *active;
  if (voices == stage.told_voices) return;
  note_all(stage, voices);
  stage.told_voices = std::move(voices);
}

// --- at home: packets
// ------------------------------------------------------------------

bool Media::Copies::on_packet(const sfu::Track& track, uint8_t encoding,
                              const sfu::Packet& packet) {
  bool all = true;
  for (const size_t shard : shards) {
    const CopyHead head{stage, track.id, encoding, false, packet.sequence};
    all = media.write_copy(shard, head, packet.view.bytes) && all;
  }
  return all;
}

void Media::Copies::on_report(const sfu::Track& track, uint8_t encoding,
                              const rtc::SenderInfo& info, MonoUs at) {
  static_assert(std::is_trivially_copyable_v<rtc::SenderInfo>);
  const ByteView bytes(reinterpret_cast<const uint8_t*>(&info), sizeof info);
  for (const size_t shard : shards) {
    media.write_copy(shard, {stage, track.id, encoding, true, at}, bytes);
  }
}

bool Media::write_copy(size_t shard, const CopyHead& head, ByteView what) {
  static_assert(std::is_trivially_copyable_v<CopyHead>);
  const auto room = options_.lanes->room(shard, sizeof head + what.size());
  if (room.empty()) {
    ++past_.copy_drops;
    return false;
  }
  std::memcpy(room.data(), &head, sizeof head);
  std::ranges::copy(what, room.begin() + sizeof head);
  options_.lanes->commit(shard);
  past_.copied += !head.report;
  return true;
}

// Before the viewers here get them, so that the other shards begin meanwhile.
void Media::copy_out() {
  for (const auto& [name, stage] : stages_) {
    if (!stage->mirrors.empty()) stage->room.copy_out();
  }
  options_.lanes->wake();
}

void Media::recopy(Stage& stage, MonoUs now) {
  for (Publication& each : stage.published) recopy(stage, each, now);
}

void Media::recopy(Stage& stage, Publication& each, MonoUs now) {
  std::vector<size_t> shards;
  Copies fresh(*this, stage.number);  // to those that have nothing of it yet
  size_t watchers = 0;
  for (const Mirror& mirror : stage.mirrors) {
    for (const auto& [track, count] : mirror.watched) {
      if (track != each.track) continue;
      shards.push_back(mirror.shard);
      watchers += count;
      const bool had = each.copies && has(each.copies->shards, mirror.shard);
      if (!had) fresh.shards.push_back(mirror.shard);
    }
  }
  if (!each.copies) each.copies = std::make_unique<Copies>(*this, stage.number);
  each.copies->shards = std::move(shards);
  const bool any = !each.copies->shards.empty(), more = !fresh.shards.empty();
  stage.room.copy(each.track, any ? each.copies.get() : nullptr, watchers);
  for (const size_t shard : fresh.shards) {
    note(shard, stage, mirror::Pace{each.track, stage.room.pace(each.track, now)});
  }
  const sfu::Track* track = stage.room.track(each.track);
  for (size_t i = 0; more && i < track->encodings.size(); ++i) {
    const auto report = track->encodings[i].stream.report_at(now);
    if (report) fresh.on_report(*track, static_cast<uint8_t>(i), *report, now);
  }
  if (more) options_.lanes->wake();
}

// --- what another shard says
// ------------------------------------------------------------------

Media::Stage* Media::stage_numbered(uint32_t number) {
  for (const auto& [name, stage] : stages_) {
    if (!stage->home && stage->number == number) return stage.get();
  }
  return nullptr;
}

Media::Stage* Media::mirrored(size_t from, uint32_t number) {
  for (Stage* stage : mirrored_) {
    if (stage->number == number && stage->home == from) return stage;
  }
  return nullptr;
}

void Media::on_mirror(size_t from, MirrorNote note, MonoUs now) {
  if (auto* show = std::get_if<mirror::Show>(&note.what)) return on_show(from, note.stage, *show);
  Stage* stage = mirrored(from, note.stage);
  if (const auto* voices = std::get_if<mirror::Voices>(&note.what)) {
    if (!stage) return;
    stage->told_voices = *voices;
    on_voices(*stage, *voices);
  } else if (const auto* copied = std::get_if<mirror::Pace>(&note.what)) {
    if (stage) stage->room.expect(copied->track, copied->pace, now);
  } else if (auto* links = std::get_if<mirror::Links>(&note.what)) {
    if (!stage) return;
    stage->links = std::move(links->text);
    tell_links(*stage);
  } else if (std::holds_alternative<mirror::Over>(note.what)) {
    if (stage) on_over(*stage);
  } else {
    on_home_note(from, note, now);
  }
}

// Of a mirror, to its home.
void Media::on_home_note(size_t from, MirrorNote& note, MonoUs now) {
  Stage* stage = stage_numbered(note.stage);
  if (!stage) return;
  const auto mirror = std::ranges::find(stage->mirrors, from, &Mirror::shard);
  if (mirror == stage->mirrors.end()) return;
  if (auto* watched = std::get_if<mirror::Watched>(&note.what)) {
    mirror->watched = std::move(watched->tracks);
    recopy(*stage, now);
  } else if (const auto* wish = std::get_if<mirror::KeyFrame>(&note.what)) {
    stage->room.request_key_frame(wish->track, wish->encoding);
  } else if (auto* lines = std::get_if<mirror::Lines>(&note.what)) {
    mirror->lines = std::move(lines->lines);
  } else if (const auto* left = std::get_if<mirror::Left>(&note.what)) {
    on_left(*stage, *mirror, left->who, now);
  }
}

// --- a mirror
// ------------------------------------------------------------------

// Who stands for a publisher is a member of the room, and no session: nothing is sent to him.
void Media::on_show(size_t from, uint32_t number, mirror::Show& show) {
  Stage* stage = mirrored(from, number);
  if (!stage) {
    auto& made = stages_[show.episode];
    FL_ASSERT(!made, "an episode has one home");
    made = std::make_unique<Stage>(show.episode, number, pool_);
    stage = made.get();
    stage->home = from;
    mirrored_.push_back(stage);
  }
  stage->recording = show.recording;
  for (const Publication& each : std::exchange(stage->published, {})) {
    if (!has(show.published, each.track, &mirror::Published::track)) {
      stage->room.unpublish(each.track);
    }
  }
  std::erase_if(stage->people, [&](const auto& person) {
    if (has(show.people, person->order, &mirror::Person::order)) return false;
    stage->room.leave(person->member);
    return true;
  });
  for (mirror::Person& each : show.people) {
    if (has(stage->people, each.order, &Session::order)) continue;
    auto person = std::make_unique<Session>();
    const auto member = stage->room.join(*person);
    if (!member) continue;
    person->member = *member;
    person->stage = stage;
    person->order = each.order;
    person->request.use = MediaUse::kPublish;
    person->request.episode = show.episode;
    person->request.who = each.who;
    person->request.name = std::move(each.name);
    person->request.label = std::move(each.label);
    person->request.role = each.role;
    stage->people.push_back(std::move(person));
  }
  size_t lacking = SIZE_MAX;
  for (const mirror::Published& each : show.published) {
    const auto person = std::ranges::find(stage->people, each.person, &Session::order);
    const bool here = person != stage->people.end();
    if (here && (stage->room.track(each.track) ||
                 stage->room.publish_copy((*person)->member, each.track, each.media,
                                          (*person)->priority()))) {
      stage->published.push_back({each.track, person->get(), each.muted, nullptr});
    } else {
      lacking = std::min(lacking, sfu::Room::packet_slots(each.media));
    }
  }
  on_voices(*stage, stage->told_voices);
  arrange(*stage);
  stage->lacking.reset();
  if (lacking == SIZE_MAX) return;
  stage->lacking = std::move(show);
  stage->lacking_slots = lacking;
}

// What memory had no room for, once it has: whatever ended on this shard.
void Media::take_up(Stage& stage, MonoUs now) {
  if (now - stage.lacking_at < kTakeUpUs || !pool_.can_claim(stage.lacking_slots)) return;
  stage.lacking_at = now;
  mirror::Show show = *std::exchange(stage.lacking, std::nullopt);
  on_show(*stage.home, stage.number, show);
}

void Media::on_voices(Stage& stage, const mirror::Voices& voices) {
  std::vector<sfu::Speakers::Ranked> order;
  bool active = voices.active;
  for (const auto& each : voices.order) {
    const auto person = std::ranges::find(stage.people, each.person, &Session::order);
    if (person != stage.people.end()) {
      order.push_back({(*person)->member, each.loudness});
    } else if (order.empty()) {
      active = false;  // who has the floor is not here: memory had no room for him
    }
  }
  stage.room.follow_speakers(order, active);
}

void Media::on_over(Stage& stage) {
  FL_ASSERT(stage.sessions.empty(), "a mirror is over after its sessions");
  keep_counts(stage);
  std::erase(mirrored_, &stage);
  stages_.erase(std::string(stage.episode));
}

void Media::on_copy(size_t from, ByteView record, MonoUs now) {
  CopyHead head;
  FL_ASSERT(record.size() >= sizeof head, "a record has a head");
  std::memcpy(&head, record.data(), sizeof head);
  const ByteView what = record.subspan(sizeof head);
  Stage* stage = mirrored(from, head.stage);
  if (!stage) return;  // over, meanwhile
  sfu::Room& room = stage->room;
  if (head.report) {
    rtc::SenderInfo info;
    std::memcpy(&info, what.data(), sizeof info);
    return room.on_copied_report({head.track, head.encoding, 0}, info, head.number);
  }
  sfu::Packet* packet = take();
  if (!packet) return room.request_key_frame(head.track, head.encoding);
  std::ranges::copy(what, packet->buffer.begin());
  room.on_copy({head.track, head.encoding, head.number}, packet,
               std::span(packet->buffer).first(what.size()), now);
}

// --- a mirror: what its home is told
// ------------------------------------------------------------------

void Media::tell_home(Stage& stage) {
  for (const auto& wish : stage.room.key_frames_wanted()) {
    note(*stage.home, stage, mirror::KeyFrame{wish.track, wish.encoding});
  }
  stage.room.key_frames_wanted().clear();
}

void Media::tell_watched(Stage& stage) {
  if (!stage.home) return;
  std::vector<std::pair<sfu::TrackId, uint32_t>> tracks;
  for (const Publication& each : stage.published) {
    const sfu::Track* track = stage.room.track(each.track);
    if (track->watchers == 0) continue;
    tracks.emplace_back(each.track, static_cast<uint32_t>(track->watchers));
  }
  if (tracks == stage.told_watched) return;
  stage.told_watched = tracks;
  note(*stage.home, stage, mirror::Watched{std::move(tracks)});
}

void Media::tell_lines(Stage& stage) {
  if (!stage.home) return;
  std::vector<mirror::Lines::Line> lines;
  for (const Session* session : stage.sessions) {
    if (!session->report) continue;
    lines.push_back({session->request.who, session->report->rtt_ms, session->report->loss_pm});
  }
  if (lines == stage.told_lines) return;
  stage.told_lines = lines;
  note(*stage.home, stage, mirror::Lines{std::move(lines)});
}

}  // namespace footlight::edge
