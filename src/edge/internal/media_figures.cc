// Figures of sessions and tracks, for the producer's API, and the totals of the node.
#include <algorithm>

#include "core/bytes.h"
#include "core/json.h"
#include "edge/internal/media_stage.h"
#include "sfu/record_file.h"

namespace footlight::edge {
namespace {

constexpr uint8_t kEveryLayer = 255;

int64_t rtt_of(MonoUs us) { return us / kUsPerMs; }

int64_t share_pm(double share) { return static_cast<int64_t>(share * 1000 + 0.5); }

void write_encoding(JsonWriter& out, const sfu::Encoding& encoding, MonoUs now) {
  const sfu::StreamStats& stats = encoding.stream.stats();
  out.object().field("rid", std::string_view(encoding.rid));
  out.field("packets", stats.packets).field("bytes", stats.bytes);
  out.field("bps", encoding.stream.rates().up_to_bps(kEveryLayer, kEveryLayer, now));
  out.field("lost", encoding.stream.lost()).field("duplicates", stats.duplicates);
  out.field("nacks", stats.nacks_sent).field("key_frames", stats.key_frames);
  out.field("key_frame_requests", stats.key_frame_requests);
  out.field("recorded", encoding.recorded != nullptr).end_object();
}

void write_track(JsonWriter& out, const sfu::Track& track, bool muted, MonoUs now) {
  out.object().field("track", track.id).field("mid", std::string_view(track.mid));
  out.field("kind", track.audio() ? "audio" : "video");
  out.field("codec", sfu::record_codec_name(track.codec.codec)).field("muted", muted);
  out.field("watchers", static_cast<uint64_t>(track.watchers + track.watched_elsewhere));
  out.key("encodings").array();
  for (size_t rank = 0; rank < track.encodings.size(); ++rank) {
    write_encoding(out, track.encodings[track.by_quality[rank]], now);
  }
  out.end_array().end_object();
}

void add_room(MediaStats& to, const sfu::RoomStats& of) {
  to.unknown_stream += of.unknown_stream;
  to.unknown_codec += of.unknown_codec;
  to.duplicates += of.duplicates;
  to.turn_overflow += of.turn_overflow;
  to.rtcp_flood += of.rtcp_flood;
}

}  // namespace

void Media::keep_counts(const Stage& stage) { add_room(past_, stage.room.stats()); }

MediaStats& MediaStats::operator+=(const MediaStats& other) {
  using Counts = uint64_t MediaStats::*;
  using Rates = int64_t MediaStats::*;
  for (const Counts each : {&MediaStats::sessions,        &MediaStats::publishers,
                            &MediaStats::watchers,        &MediaStats::tracks,
                            &MediaStats::datagrams_in,    &MediaStats::strangers,
                            &MediaStats::unknown,         &MediaStats::rtp_in,
                            &MediaStats::rtp_out,         &MediaStats::bytes_in,
                            &MediaStats::bytes_out,       &MediaStats::refused,
                            &MediaStats::unsent,          &MediaStats::no_memory,
                            &MediaStats::unknown_stream,  &MediaStats::unknown_codec,
                            &MediaStats::duplicates,      &MediaStats::turn_overflow,
                            &MediaStats::queue_drops,     &MediaStats::rtcp_flood,
                            &MediaStats::streams_in,      &MediaStats::streams_out,
                            &MediaStats::copied,          &MediaStats::copy_drops,
                            &MediaStats::recordings,      &MediaStats::recordings_failed,
                            &MediaStats::record_bytes,    &MediaStats::record_dropped,
                            &MediaStats::channels,        &MediaStats::channels_opened,
                            &MediaStats::channels_refused}) {
    this->*each += other.*each;
  }
  for (const Rates each : {&MediaStats::bps_in, &MediaStats::bps_out, &MediaStats::estimate_bps}) {
    this->*each += other.*each;
  }
  return *this;
}

// A second's bytes of each session, as bit rates.
void Media::measure(MonoUs now) {
  const MonoUs elapsed = now - measured_at_;
  if (elapsed < kUsPerSecond) return;
  measured_at_ = now;
  bps_in_ = bps_out_ = 0;
  for (const auto& [id, session] : sessions_) {
    const rtc::PeerStats& stats = session->peer->stats();
    const auto rate = [&](uint64_t bytes, Session::Rate& of) {
      of.bps = static_cast<int64_t>(bytes - of.bytes) * 8 * kUsPerSecond / elapsed;
      of.bytes = bytes;
      return of.bps;
    };
    bps_in_ += rate(stats.bytes_in, session->in);
    bps_out_ += rate(stats.bytes_out, session->out);
  }
}

void Media::write_places(JsonWriter& out, const Session& session) const {
  const sfu::Subscriber* watcher = session.stage->room.subscriber(session.member);
  out.key("places").array();
  for (const auto& place : session.places) {
    out.object().field("mid", std::string_view(place.media.mid));
    out.field("kind", place.media.kind == rtc::MediaKind::kVideo ? "video" : "audio");
    for (const auto& watch : watcher->watches()) {
      if (place.track == 0 || watch->track->id != place.track) continue;
      const auto& stats = watch->subscription.stats();
      const auto stream = watch->subscription.current_stream();
      out.field("track", place.track).field("paused", watch->options.paused);
      out.field("layer", stream ? int64_t{watch->track->rank_of(*stream)} : int64_t{-1});
      out.field("packets", stats.packets).field("bytes", stats.bytes);
      out.field("resent", stats.resent).field("resend_misses", stats.resend_misses);
      out.field("switches", stats.switches);
    }
    out.end_object();
  }
  out.end_array();
}

CallHealth Media::call_health(std::string_view episode) const {
  CallHealth out;
  const auto found = stages_.find(episode);
  if (found == stages_.end()) return out;
  std::vector<uint32_t> losses, round_trips;
  for (const Session* session : found->second->sessions) {
    if (session->request.use != MediaUse::kWatch || !session->report) continue;
    if (session->request.role != proto::Role::kViewer) continue;
    losses.push_back(session->report->loss_pm);
    round_trips.push_back(session->report->rtt_ms);
  }
  for (const Mirror& mirror : found->second->mirrors) {
    for (const auto& line : mirror.lines) {
      losses.push_back(line.loss_pm);
      round_trips.push_back(line.rtt_ms);
    }
  }
  if (losses.empty()) return out;
  const auto median = [](std::vector<uint32_t>& of) {
    const auto middle = of.begin() + static_cast<ptrdiff_t>(of.size() / 2);
    std::ranges::nth_element(of, middle);
    return *middle;
  };
  out.watching = static_cast<uint32_t>(losses.size());
  out.loss_pm = median(losses);
  out.rtt_ms = median(round_trips);
  return out;
}

void Media::write_session(JsonWriter& out, const Session& session, MonoUs now) const {
  const MediaRequest& from = session.request;
  const bool watches = from.use == MediaUse::kWatch;
  const rtc::PeerStats& stats = session.peer->stats();
  out.object().field("n", session.order).field("use", watches ? "watch" : "publish");
  out.field("who", std::string_view(hex_u64(from.who))).field("name", std::string_view(from.name));
  out.field("role", proto::role_name(from.role)).field("label", std::string_view(from.label));
  out.field("connected", session.peer->state() == rtc::PeerState::kConnected);
  out.field("packets_in", stats.rtp_in).field("bytes_in", stats.bytes_in);
  out.field("bps_in", session.in.bps).field("packets_out", stats.rtp_out);
  out.field("bytes_out", stats.bytes_out).field("bps_out", session.out.bps);
  out.field("refused", stats.refused_in).field("unsent", stats.unsent_out);
  out.field("rtcp_dropped", session.stage->room.rtcp_flood(session.member));
  if (session.report) {
    out.key("reported").object().field("rtt_ms", session.report->rtt_ms);
    out.field("loss_pm", session.report->loss_pm).end_object();
  }
  if (watches) {
    const sfu::Subscriber* watcher = session.stage->room.subscriber(session.member);
    const auto& estimator = watcher->estimator();
    out.field("rtt_ms", rtt_of(estimator.round_trip()));
    out.field("loss_pm", share_pm(estimator.loss()));
    out.field("estimate_bps", estimator.estimate_bps());
    out.field("allocated_bps", watcher->allocated_bps());
    out.field("queue_drops", watcher->stats().queue_drops);
    write_places(out, session);
  } else {
    out.key("tracks").array();
    for (const Publication& each : session.stage->published) {
      const sfu::Track* track = session.stage->room.track(each.track);
      if (each.session == &session && track) write_track(out, *track, each.muted, now);
    }
    out.end_array();
  }
  out.end_object();
}

std::vector<std::string> Media::session_figures(std::string_view episode, MonoUs now) const {
  std::vector<std::string> figures;
  const auto stage = stages_.find(episode);
  if (stage == stages_.end()) return figures;
  for (const Session* session : stage->second->sessions) {
    JsonWriter out(figures.emplace_back());
    write_session(out, *session, now);
  }
  return figures;
}

std::string Media::figures_json(std::string_view episode, MonoUs now,
                                std::span<const std::string> elsewhere) const {
  std::string text;
  JsonWriter out(text);
  out.object().key("sessions").array();
  for (const std::string& each : session_figures(episode, now)) out.raw(each);
  for (const std::string& each : elsewhere) out.raw(each);
  out.end_array().key("recording").raw(recording_json(episode)).end_object();
  return text;
}

MediaStats Media::stats() const {
  MediaStats stats = past_;
  stats.sessions = sessions_.size();
  stats.datagrams_in = transports_.stats().datagrams;
  stats.strangers = transports_.stats().strangers;
  stats.unknown = transports_.stats().unknown;
  stats.bps_in = bps_in_;
  stats.bps_out = bps_out_;
  for (const auto& [id, session] : sessions_) {
    add(stats, session->peer->stats());
    stats.channels += session->channel != nullptr;
    if (session->request.use == MediaUse::kPublish) {
      ++stats.publishers;
      continue;
    }
    ++stats.watchers;
    const sfu::Subscriber* watcher = session->stage->room.subscriber(session->member);
    stats.streams_out += watcher->watches().size();
    stats.estimate_bps += watcher->estimator().estimate_bps();
    stats.queue_drops += watcher->stats().queue_drops;
  }
  for (const auto& [name, stage] : stages_) {
    add_room(stats, stage->room.stats());
    if (stage->home) continue;  // its tracks are counted there
    stats.tracks += stage->published.size();
    for (const Publication& each : stage->published) {
      const sfu::Track* track = stage->room.track(each.track);
      if (track) stats.streams_in += track->encodings.size();
    }
  }
  for (const auto& [episode, take] : takes_) {
    stats.recordings += take->on ? 1 : 0;
    stats.record_bytes += take->recording->stats().bytes;
    stats.record_dropped += take->recording->stats().dropped;
  }
  return stats;
}

// Of a session, while it is there or when it is over.
void Media::add(MediaStats& to, const rtc::PeerStats& of) {
  to.rtp_in += of.rtp_in;
  to.rtp_out += of.rtp_out;
  to.bytes_in += of.bytes_in;
  to.bytes_out += of.bytes_out;
  to.refused += of.refused_in;
  to.unsent += of.unsent_out;
}

}  // namespace footlight::edge
