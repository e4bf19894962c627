#include "core/bytes.h"
#include "core/json.h"
#include "proto/messages.h"

namespace footlight::proto {
namespace {

void field_unless_empty(JsonWriter& json, std::string_view name, std::string_view text) {
  if (!text.empty()) json.field(name, text);
}

std::string who_text(uint64_t who) { return hex_u64(who); }

}  // namespace

void encode(std::string& out, const MediaOpen& message) {
  JsonWriter json(out);
  json.object().field("t", "media.open").field("n", message.n);
  json.field("use", message.use == MediaUse::kPublish ? "publish" : "watch");
  field_unless_empty(json, "label", message.label);
  json.field("sdp", message.sdp).end_object();
}

void encode(std::string& out, const MediaResume& message) {
  JsonWriter json(out);
  json.object().field("t", "media.resume").field("n", message.n).field("id", message.id);
  field_unless_empty(json, "ice", message.ice);
  json.end_object();
}

void encode(std::string& out, const MediaClose& message) {
  JsonWriter(out).object().field("t", "media.close").field("id", message.id).end_object();
}

void encode(std::string& out, const MediaIce& message) {
  JsonWriter(out).object().field("t", "media.ice").field("n", message.n).end_object();
}

void encode(std::string& out, const MediaPlace& message) {
  JsonWriter json(out);
  json.object().field("t", "media.place").field("id", message.id).field("mid", message.mid);
  if (message.most) json.field("max", *message.most);
  if (message.paused) json.field("paused", true);
  if (message.pinned) json.field("pin", true);
  json.end_object();
}

void encode(std::string& out, const MediaMute& message) {
  JsonWriter json(out);
  json.object().field("t", "media.mute").field("id", message.id).field("mid", message.mid);
  json.field("on", message.on).end_object();
}

void encode(std::string& out, const MediaReport& message) {
  JsonWriter json(out);
  json.object().field("t", "media.report").field("id", message.id).field("rtt", message.rtt_ms);
  json.field("loss", message.loss_pm);
  if (message.delay_ms) json.field("delay", *message.delay_ms);
  json.end_object();
}

void encode(std::string& out, const MediaNotice& message) {
  JsonWriter json(out);
  json.object().field("t", "media");
  if (message.n != 0) json.field("n", message.n);
  field_unless_empty(json, "id", message.id);
  field_unless_empty(json, "sdp", message.sdp);
  field_unless_empty(json, "ice", message.ice);
  if (message.has_servers) {
    json.key("servers").array();
    for (const IceServer& server : message.servers) {
      json.object().key("urls").array();
      for (const std::string& url : server.urls) json.value(std::string_view(url));
      json.end_array();
      field_unless_empty(json, "username", server.username);
      field_unless_empty(json, "credential", server.credential);
      json.end_object();
    }
    json.end_array().field("ttl", message.ttl_s);
  }
  if (message.over) json.field("over", true);
  if (message.code != Code::kOk) {
    json.field("code", static_cast<int64_t>(message.code)).field("message", message.message);
  }
  json.end_object();
}

void encode(std::string& out, const MediaPlaces& message) {
  JsonWriter json(out);
  json.object().field("t", "media.places").field("id", message.id).key("places").array();
  for (const PlaceInfo& place : message.places) {
    json.object().field("mid", place.mid).field("kind", place.video ? "video" : "audio");
    if (place.who != 0) {
      json.field("who", std::string_view(who_text(place.who))).field("name", place.name);
      json.field("role", place.role).field("label", place.label).field("muted", place.muted);
    }
    json.end_object();
  }
  json.end_array().end_object();
}

void encode(std::string& out, const MediaRoom& message) {
  JsonWriter json(out);
  json.object().field("t", "media.room");
  if (message.has_speaking) {
    json.key("speaking").array();
    for (const SpeakerLevel& each : message.speaking) {
      json.array().value(std::string_view(who_text(each.who))).value(each.level).end_array();
    }
    json.end_array();
  }
  if (message.has_links) {
    json.key("links").array();
    for (const LinkQuality& each : message.links) {
      json.array().value(std::string_view(who_text(each.who))).value(each.rtt_ms);
      json.value(each.loss_pm).end_array();
    }
    json.end_array();
  }
  if (message.recording) json.field("recording", *message.recording);
  json.end_object();
}

void encode(std::string& out, const MediaQuality& message) {
  JsonWriter json(out);
  json.object().field("t", "media.quality").field("id", message.id);
  json.field("rtt", message.rtt_ms).field("loss", message.loss_pm);
  json.field("bps", message.estimate_bps).key("places").array();
  for (const PlaceQuality& each : message.places) {
    json.array().value(each.mid).value(each.layer).end_array();
  }
  json.end_array().end_object();
}

}  // namespace footlight::proto
