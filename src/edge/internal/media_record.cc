// Which episodes are recorded, and what becomes of their recordings.
#include <algorithm>
#include <ctime>

#include "core/bytes.h"
#include "core/json.h"
#include "edge/internal/media_stage.h"
#include "proto/messages.h"

namespace footlight::edge {
namespace {

// "20261126T091514.042Z": sorts by time and is a file's name everywhere.
std::string take_name(WallMs at) {
  const auto seconds = static_cast<std::time_t>(at / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  const size_t size = std::strftime(text, sizeof text, "%Y%m%dT%H%M%S", &parts);
  char rest[16];
  std::snprintf(rest, sizeof rest, ".%03dZ", static_cast<int>(at % 1000));
  return std::string(text, size) + rest;
}

}  // namespace

sfu::RecordHeader Media::record_header(const Session& session) {
  sfu::RecordHeader about;
  const MediaRequest& from = session.request;
  about.episode = from.episode;
  about.session = session.order;
  about.account = hex_u64(from.who);
  about.name = from.name;
  about.role = proto::role_name(from.role);
  about.label = from.label;
  return about;
}

bool Media::recorded(std::string_view episode) const {
  const auto take = takes_.find(episode);
  return take != takes_.end() && take->second->on;
}

bool Media::recorded(const Stage& stage) const {
  return stage.home ? stage.recording : recorded(stage.episode);
}

void Media::begin_take(const std::string& episode, MonoUs now) {
  const WallMs wall = options_.clock->wall_ms();
  const std::string name = take_name(wall);
  auto& take = takes_[episode];
  if (take) {
    past_.record_bytes += take->recording->stats().bytes;
    past_.record_dropped += take->recording->stats().dropped;
  }
  take = std::make_unique<Take>();
  take->on = true;
  take->recording =
      std::make_unique<sfu::Recording>(*records_, episode + ".media/" + name, name, wall, now);
  const auto stage = stages_.find(episode);
  if (stage == stages_.end()) return;
  for (const Publication& each : stage->second->published) {
    stage->second->room.record(each.track, *take->recording, record_header(*each.session), now);
  }
}

void Media::end_take(Take& take, const Error& why, MonoUs now) {
  take.on = false;
  take.why = why;
  take.ended_ms = options_.clock->wall_ms();
  take.recording->stop(why, now);
  if (why.code != Code::kOk) ++past_.recordings_failed;
}

Status Media::record(std::string_view episode, bool on, MonoUs now) {
  if (!records_) return fail(Code::kMediaOff, "no recording");
  if (on == recorded(episode)) return {};
  if (on) {
    begin_take(std::string(episode), now);
  } else {
    end_take(*takes_.find(episode)->second, {Code::kOk, {}, 0}, now);
  }
  return {};
}

// A track that comes while its episode is recorded, or that begins a recording.
void Media::record_track(const Session& session, sfu::TrackId track, MonoUs now) {
  const std::string& episode = session.request.episode;
  if (options_.record_all && records_ && !takes_.contains(episode)) begin_take(episode, now);
  if (!recorded(episode)) return;
  session.stage->room.record(track, *takes_.find(episode)->second->recording,
                             record_header(session), now);
}

void Media::tend_takes(MonoUs now) {
  tended_at_ = now;
  for (const auto& [episode, take] : takes_) {
    if (take->on) {
      take->recording->on_time(now);
      if (take->recording->trouble().code != Code::kOk) {
        end_take(*take, take->recording->trouble(), now);
      }
    } else if (take->why.code == Code::kOk && take->recording->trouble().code != Code::kOk) {
      take->why = take->recording->trouble();  // the last of it did not reach the disk
      ++past_.recordings_failed;
    }
  }
}

void Media::tell_recording(Stage& stage) {
  const bool on = recorded(stage);
  if (on == stage.told_recording) return;
  stage.told_recording = on;
  spread(stage);
  tell_all(stage, proto::encoded(proto::MediaRoom{.recording = on}), false);
}

// Who comes while it is so.
void Media::tell_recording(const Session& session) {
  if (!recorded(*session.stage)) return;
  tell(session.request.owner, proto::encoded(proto::MediaRoom{.recording = true}));
}

std::string Media::recording_json(std::string_view episode) const {
  std::string text;
  JsonWriter out(text);
  out.object().field("recording", recorded(episode));
  const auto found = takes_.find(episode);
  if (found != takes_.end()) {
    const Take& take = *found->second;
    const sfu::RecordStats& stats = take.recording->stats();
    out.field("folder", std::string_view(take.recording->folder()));
    out.field("began_ms", take.recording->began_ms());
    if (!take.on) out.field("ended_ms", take.ended_ms);
    out.field("files", stats.files).field("packets", stats.packets);
    out.field("bytes", stats.bytes).field("written_bytes", stats.written_bytes);
    out.field("dropped", stats.dropped).field("left_out", stats.left_out);
    if (take.why.code != Code::kOk) {
      out.key("error").object().field("code", static_cast<int64_t>(take.why.code));
      out.field("message", std::string_view(proto::peer_message(take.why))).end_object();
    }
  }
  out.end_object();
  return text;
}

// --- the end

void Media::end_all(MonoUs now) {
  draining_ = true;
  while (!sessions_.empty()) {
    Session& session = *sessions_.begin()->second;
    session.peer->close(now);
    end(session, {Code::kDraining, {}, 0});
  }
  end_takes(now);
}

void Media::end_takes(MonoUs now) {
  for (const auto& [episode, take] : takes_) {
    if (take->on) end_take(*take, {Code::kOk, {}, 0}, now);
  }
}

}  // namespace footlight::edge
