#include "proto/internal/media_read.h"

#include "core/bytes.h"

namespace footlight::proto::internal {
namespace {

constexpr uint32_t kMostMs = 600'000;
constexpr uint32_t kMostLoss = 1'000;

// The members of all that a client says about media; each message has its own use for them.
struct Fields {
  uint64_t n = 0;
  std::string_view use, label, sdp, id, mid, ice;
  std::optional<uint32_t> most, delay;
  uint32_t rtt = 0, loss = 0;
  bool paused = false, pinned = false, on = false;
};

bool read_text(std::string_view key, JsonReader& in, std::string_view frame, std::string& storage,
               Fields& out) {
  std::string_view* to = nullptr;
  if (key == "id") to = &out.id;
  if (key == "mid") to = &out.mid;
  if (key == "sdp") to = &out.sdp;
  if (key == "ice") to = &out.ice;
  if (key == "use") to = &out.use;
  if (key == "label") to = &out.label;
  if (to == nullptr) return false;
  *to = keep(in.read_string(), frame, storage);
  return true;
}

bool read_other(std::string_view key, JsonReader& in, Fields& out) {
  if (key == "n") {
    out.n = read_unsigned(in);
  } else if (key == "max") {
    out.most = read_u32(in);
  } else if (key == "delay") {
    out.delay = std::min(read_u32(in), kMostMs);
  } else if (key == "rtt") {
    out.rtt = std::min(read_u32(in), kMostMs);
  } else if (key == "loss") {
    out.loss = std::min(read_u32(in), kMostLoss);
  } else if (key == "paused") {
    out.paused = in.read_bool();
  } else if (key == "pin") {
    out.pinned = in.read_bool();
  } else if (key == "on") {
    out.on = in.read_bool();
  } else {
    return false;
  }
  return true;
}

Result<ClientMessage> open_of(const Fields& fields) {
  if (fields.n == 0) return fail(Code::kMissingField, "n is missing");
  if (fields.sdp.empty()) return fail(Code::kMissingField, "sdp is missing");
  if (fields.label.size() > kMaxMediaLabelBytes) {
    return fail(Code::kFieldOutOfRange, "label is too long");
  }
  if (fields.use != "publish" && fields.use != "watch") {
    return fail(fields.use.empty() ? Code::kMissingField : Code::kFieldOutOfRange,
                "use is publish or watch");
  }
  const MediaUse use = fields.use == "publish" ? MediaUse::kPublish : MediaUse::kWatch;
  return MediaOpen{fields.n, use, fields.label, fields.sdp};
}

// "ab12…": a who.
uint64_t read_who(Source& from) {
  const std::string_view digits = from.in.read_string();
  uint64_t who = 0;
  if (digits.size() != 16 || !parse_hex_u64(digits, who)) from.in.fault(Code::kFieldOutOfRange);
  return who;
}

void read_place(Source& from, PlaceInfo& place) {
  const auto kind = [&] {
    const std::string_view text = from.in.read_string();
    if (text != "audio" && text != "video") from.in.fault(Code::kFieldOutOfRange);
    place.video = text == "video";
  };
  read_members(from, may("mid", place.mid), must("kind", kind),
               may("who", [&] { place.who = read_who(from); }), may("name", place.name),
               may("role", place.role), may("label", place.label), may("muted", place.muted));
  if (place.mid.empty()) from.in.fault(Code::kMissingField);
}

}  // namespace

Result<ClientMessage> read_client_media(std::string_view type, JsonReader& in,
                                        std::string_view frame, std::string& storage) {
  Fields fields;
  std::string_view key;
  while (in.next_key(key)) {
    if (!read_text(key, in, frame, storage, fields) && !read_other(key, in, fields)) in.skip();
  }
  if (!in.ok()) return fault_of(in, "media");
  if (type == "open") return open_of(fields);
  if (type == "ice") {
    if (fields.n == 0) return fail(Code::kMissingField, "n is missing");
    return MediaIce{fields.n};
  }
  if (fields.id.empty()) return fail(Code::kMissingField, "id is missing");
  if (fields.id.size() > kMaxMediaIdBytes) return fail(Code::kFieldOutOfRange, "id is too long");
  if (type == "close") return MediaClose{fields.id};
  if (type == "report") return MediaReport{fields.id, fields.rtt, fields.loss, fields.delay};
  if (type == "resume") {
    if (fields.n == 0) return fail(Code::kMissingField, "n is missing");
    return MediaResume{fields.n, fields.id, fields.ice};
  }
  if (fields.mid.empty()) return fail(Code::kMissingField, "mid is missing");
  if (fields.mid.size() > kMaxMidBytes) return fail(Code::kFieldOutOfRange, "mid is too long");
  if (type == "mute") return MediaMute{fields.id, fields.mid, fields.on};
  return MediaPlace{fields.id, fields.mid, fields.most, fields.paused, fields.pinned};
}

namespace {

void read_server(Source& from, IceServer& server) {
  const auto urls = [&] {
    each_element(from, [&] {
      server.urls.emplace_back(from.text());
      if (server.urls.size() > kMaxIceUrls) from.in.fault(Code::kFieldOutOfRange);
    });
  };
  read_members(from, must("urls", urls), may("username", server.username),
               may("credential", server.credential));
  if (server.urls.empty()) from.in.fault(Code::kMissingField);
}

}  // namespace

MediaNotice read_media_notice(Source& from, std::vector<IceServer>& servers) {
  MediaNotice m;
  servers.clear();
  read_members(from, may("n", m.n), may("id", m.id), may("sdp", m.sdp), may("ice", m.ice),
               may("over", m.over), may("code", m.code), may("message", m.message),
               may("ttl", m.ttl_s), may("servers", [&] {
                 m.has_servers = true;
                 each_element(from, [&] {
                   if (servers.size() == kMaxIceServers) from.in.fault(Code::kFieldOutOfRange);
                   if (from.in.ok()) read_server(from, servers.emplace_back());
                 });
               }));
  if (m.n == 0 && m.id.empty()) from.in.fault(Code::kMissingField);
  m.servers = servers;
  return m;
}

MediaPlaces read_media_places(Source& from, std::vector<PlaceInfo>& places) {
  MediaPlaces m;
  places.clear();
  const auto list = [&] {
    places.clear();
    each_element(from, [&] { read_place(from, places.emplace_back()); });
  };
  read_members(from, must("id", m.id), must("places", list));
  m.places = places;
  return m;
}

MediaRoom read_media_room(Source& from, std::vector<SpeakerLevel>& speaking,
                          std::vector<LinkQuality>& links) {
  MediaRoom m;
  speaking.clear();
  links.clear();
  const auto voices = [&] {
    m.has_speaking = true;
    speaking.clear();
    each_element(from, [&] {
      SpeakerLevel& one = speaking.emplace_back();
      read_tuple(from, 2, [&](int at) {
        if (at == 0) one.who = read_who(from);
        if (at == 1) one.level = read_u32(from.in);
      });
    });
  };
  const auto lines = [&] {
    m.has_links = true;
    links.clear();
    each_element(from, [&] {
      LinkQuality& one = links.emplace_back();
      read_tuple(from, 3, [&](int at) {
        if (at == 0) one.who = read_who(from);
        if (at == 1) one.rtt_ms = read_u32(from.in);
        if (at == 2) one.loss_pm = read_u32(from.in);
      });
    });
  };
  read_members(from, may("speaking", voices), may("links", lines), may("recording", m.recording));
  m.speaking = speaking;
  m.links = links;
  return m;
}

MediaQuality read_media_quality(Source& from, std::vector<PlaceQuality>& places) {
  MediaQuality m;
  places.clear();
  const auto list = [&] {
    places.clear();
    each_element(from, [&] {
      PlaceQuality& one = places.emplace_back();
      read_tuple(from, 2, [&](int at) {
        if (at == 0) one.mid = from.text();
        if (at == 1) one.layer = from.in.read_int();
      });
    });
  };
  read_members(from, may("id", m.id), may("rtt", m.rtt_ms), may("loss", m.loss_pm),
               may("bps", m.estimate_bps), may("places", list));
  if (m.id.empty()) from.in.fault(Code::kMissingField);
  m.places = places;
  return m;
}

}  // namespace footlight::proto::internal
