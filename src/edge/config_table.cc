#include "edge/config_table.h"

#include <charconv>

namespace footlight::edge {
namespace {

// A captureless lambda per member; the unary plus makes it the function pointer that says the type.
#define AT(member) (+[](Config& c) { return &c.member; })
#define RATES(name, what)                                                                    \
  SettingInfo{"limits." #name ".connection", AT(limits.admission.name.connection), 0, 0, "", \
              what " of one connection"},                                                    \
      SettingInfo{"limits." #name ".voter",                                                  \
                  AT(limits.admission.name.voter),                                           \
                  0,                                                                         \
                  0,                                                                         \
                  "",                                                                        \
                  what " of one account, over all its connections"},                         \
      SettingInfo{"limits." #name ".prefix",                                                 \
                  AT(limits.admission.name.prefix),                                          \
                  0,                                                                         \
                  0,                                                                         \
                  "",                                                                        \
                  what " of one network (/24 of IPv4, /56 of IPv6)"},                        \
      SettingInfo{"limits." #name ".episode",                                                \
                  AT(limits.admission.name.episode),                                         \
                  0,                                                                         \
                  0,                                                                         \
                  "",                                                                        \
                  what " of one episode's audience, per server thread"}

const SettingInfo kSettings[] = {
    {"server.address", AT(server.address), 1, 64, "", "The IP address to listen on."},
    {"server.port", AT(server.port), 0, 65'535, "", "The TCP port; 0 takes any free one."},
    {"server.threads", AT(server.threads), 0, 256, "",
     "Threads that serve connections; 0: one per core."},
    {"server.tls_cert", AT(server.tls_cert), 0, 4'096, "",
     "The certificate chain, PEM. With it and `server.tls_key` the port speaks TLS. Read again on "
     "SIGHUP."},
    {"server.tls_key", AT(server.tls_key), 0, 4'096, "", "The certificate's private key, PEM."},
    {"server.http2", AT(server.http2), 0, 0, "",
     "Speak HTTP/2 with who offers it by ALPN; WebSockets stay on HTTP/1.1. Apple's players need "
     "it "
     "for low latency."},
    {"server.http2_streams", AT(server.http2_streams), 1, 10'000, "",
     "Requests under way at once on one connection of HTTP/2, those that wait for the next part "
     "among them."},
    {"server.allowed_origins", AT(server.allowed_origins), 0, 64, "",
     "Origins of pages that may connect, e.g. `https://show.example`; `*` for any. Empty: the "
     "server's own pages only."},
    {"server.static_dir", AT(server.static_dir), 0, 4'096, "",
     "The built pages; empty: those beside the program, if there are any."},
    {"server.max_connections", AT(server.max_connections), 1, 1'000'000, "",
     "Connections at once; more are refused with 4205."},
    {"server.drain_spread_ms", AT(server.drain_spread_ms), 0, 600'000, "ms",
     "On SIGTERM clients are told to come back within this time, spread evenly."},
    {"server.trust_forwarded", AT(server.trust_forwarded), 0, 0, "",
     "Take the peer's address from `X-Forwarded-For`. Only behind a proxy that sets it."},
    {"media.enabled", AT(media.enabled), 0, 0, "",
     "Carry voice and video: a UDP port, and `/v1/whip/` and `/v1/whep/` beside the other API."},
    {"media.address", AT(media.address), 0, 64, "",
     "The IP address the UDP port is bound to; empty: that of `server.address`."},
    {"media.port", AT(media.port), 0, 65'535, "",
     "The UDP port of all media; 0: the same number as `server.port`."},
    {"media.tcp", AT(media.tcp), 0, 0, "",
     "Also carry media over TCP, for clients whose UDP does not get through: on the port of "
     "`server.port` itself where media has the same number, else on TCP `media.port`."},
    {"media.advertise", AT(media.advertise), 0, 16, "",
     "Where clients reach the port, e.g. `203.0.113.7` or `203.0.113.7:3478`, when it is not "
     "where it is bound: behind NAT, in a container. Empty: the machine's own addresses."},
    {"media.max_sessions", AT(media.max_sessions), 1, 65'536, "",
     "Sessions that publish or watch at once; more are refused with 4205."},
    {"media.packets", AT(media.packets), 1'024, 1'048'576, "packets",
     "Packets kept in memory, 2 KB each, taken as they are needed, for the shows that one thread "
     "carries, or shows too (`server.threads`). A picture takes 512 (each encoding of simulcast), "
     "a voice 128; who "
     "publishes beyond that is refused with 4751."},
    {"media.spread_after", AT(media.spread_after), 0, 65'536, "sessions",
     "With so many sessions on the thread of their show, further viewers are served by the thread "
     "that has fewest (`server.threads`); 0: from the first one on."},
    {"media.record", AT(media.record), 0, 0, "",
     "Record every episode from its first track on. Else the producer starts and stops "
     "recordings."},
    {"media.record_max_bytes", AT(media.record_max_bytes), 1'048'576, int64_t{1} << 50, "bytes",
     "A recording that reaches this stops (4772)."},
    {"media.record_keep_free_bytes", AT(media.record_keep_free_bytes), 0, int64_t{1} << 50, "bytes",
     "Recordings stop (4770) before less than this is free on the disk of `data.dir`: the event "
     "logs "
     "need it."},
    {"media.drain_ms", AT(media.drain_ms), 0, 600'000, "ms",
     "On SIGTERM those who publish and watch have this long to move; then they are cut."},
    {"media.region", AT(media.region), 0, 64, "",
     "The region of this node: of `relays` those of the same region are handed out first."},
    {"media.relay_credentials_s", AT(media.relay_credentials_s), 300, 604'800, "s",
     "So long clients may use the credentials for a relay that they are given."},
    {"media.relay_check_s", AT(media.relay_check_s), 1, 3'600, "s",
     "Relays are asked for an allocation so often; who gives none is handed out to nobody."},
    {"program.enabled", AT(program.enabled), 0, 0, "",
     "Compose each episode's cast into one program stream (compositor.md). Takes about a core."},
    {"program.fallback_loss_pm", AT(program.fallback_loss_pm), 0, 1'000, "per mille",
     "From this loss of packets at the median viewer of the call on, for 10 s, the audience gets "
     "less (`program.fallback_steps`, watching.md); 0: never."},
    {"program.fallback_rtt_ms", AT(program.fallback_rtt_ms), 0, 60'000, "ms",
     "The same for the round trip of the median viewer."},
    {"program.fallback_cpu_pm", AT(program.fallback_cpu_pm), 0, 1'000, "per mille",
     "The same for the time that the media's thread is busy."},
    {"program.fallback_steps", AT(program.fallback_steps), 1, 4, "",
     "To what the audience is moved, one after another while it does not help, and back: `capped`, "
     "`hls`, `audio`, `votes`, or some of them in this order."},
    {"program.rungs", AT(program.rungs), 1, 7, "",
     "The ladder, the largest first: `WIDTHxHEIGHT@KBPS`, the most that it may take."},
    {"program.fps", AT(program.fps), 25, 30, "pictures/s",
     "25 or 30: at these a part is whole frames of both picture and sound."},
    {"program.encoder", AT(program.encoder), 1, 64, "", "An H.264 encoder that libavcodec knows."},
    {"program.preset", AT(program.preset), 1, 32, "",
     "Of libx264: `ultrafast` costs least, `veryfast` looks better."},
    {"program.sound_kbps", AT(program.sound_kbps), 32, 512, "kbit/s", "Of the sound, AAC stereo."},
    {"program.compositor", AT(program.compositor), 0, 4'096, "",
     "The path of `footlight-media`; empty: beside `footlight`."},
    {"program.dvr_window_s", AT(program.dvr_window_s), 30, 86'400, "s",
     "How far back viewers of a live program stream can go."},
    {"program.memory_bytes", AT(program.memory_bytes), 16 << 20, int64_t{1} << 40, "bytes",
     "Memory for the segments of one program stream; beyond it the oldest go."},
    {"program.folder", AT(program.folder), 0, 4'096, "",
     "Where the segments of program streams are kept, so that the whole show can be played after "
     "its end. Empty: in memory, as much as `program.memory_bytes` holds."},
    {"program.push_parts", AT(program.push_parts), 0, 0, "",
     "What is pushed (below) has parts, and its playlists are pushed with each part: more "
     "requests, and viewers less far behind."},
    {"program.push_waiting_bytes", AT(program.push_waiting_bytes), 1 << 20, int64_t{1} << 40,
     "bytes",
     "What may wait for each place that a stream is pushed to; beyond it the oldest is left out."},
    {"data.dir", AT(data.dir), 1, 4'096, "",
     "Where the event logs are kept, one `<episode>.episode` file each."},
    {"data.episodes", AT(data.episodes), 0, 256, "", "Episode files to run."},
    {"data.snapshot_every", AT(data.snapshot_every), 100, 100'000'000, "events",
     "A snapshot is taken after so many ballots and events; it makes the next start faster."},
    {"data.batch_max", AT(data.batch_max), 1, 65'536, "events",
     "So many events seal a batch of the log."},
    {"ticks.tally_ms", AT(ticks.tally_ms), 20, 5'000, "ms",
     "Tallies of open polls go out at most so often."},
    {"ticks.crowd_tally_ms", AT(ticks.crowd_tally_ms), 20, 5'000, "ms",
     "The same when the audience is larger than `ticks.crowd_audience`."},
    {"ticks.crowd_audience", AT(ticks.crowd_audience), 1, 10'000'000, "people",
     "From this audience on tallies go out less often."},
    {"ticks.emote_ms", AT(ticks.emote_ms), 50, 5'000, "ms",
     "Sums of emotes go out at most so often."},
    {"ticks.ack_ms", AT(ticks.ack_ms), 0, 1'000, "ms",
     "Confirmations to the audience wait for one another at most so long."},
    {"limits.hello_timeout_ms", AT(limits.hello_timeout_ms), 100, 60'000, "ms",
     "A connection that has not said hello by then is closed (4010)."},
    {"limits.idle_ms", AT(limits.idle_ms), 1'000, 3'600'000, "ms",
     "A session that is silent for so long is closed (4903); clients ping every 10 s."},
    {"limits.queue_bytes", AT(limits.queue_bytes), 16'384, 16'777'216, "bytes",
     "What may wait for a connection that reads slowly; beyond it is cut (4901) and resumes."},
    {"limits.exempt_loopback", AT(limits.admission.exempt_loopback), 0, 0, "",
     "Connections from this machine are not limited by network."},
    RATES(vote, "Votes"),
    RATES(command, "Commands of the cast"),
    RATES(emote, "Emotes"),
    RATES(chat, "Chat messages and captions"),
    RATES(join, "Joins"),
    RATES(board, "Edits of boards"),
    RATES(presence, "Cursors and the like on boards"),
    {"boards.doc_bytes", AT(boards.doc_bytes), 65'536, 33'554'432, "bytes",
     "A board larger than this takes no more (4627); to begin it anew makes room."},
    {"boards.snapshot_updates", AT(boards.snapshot_updates), 10, 1'000'000, "edits",
     "So many edits of a board are compacted into a snapshot of it."},
    {"boards.idle_ms", AT(boards.idle_ms), 1'000, 86'400'000, "ms",
     "A board that nobody has open is given back to the log after this time."},
};

#undef RATES
#undef AT

std::string set_integer(const SettingInfo& info, int64_t& place, const std::string& text) {
  int64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault == std::errc() && end == text.data() + text.size() && value >= info.low &&
      value <= info.high) {
    place = value;
    return {};
  }
  std::string wanted =
      "an integer from " + std::to_string(info.low) + " to " + std::to_string(info.high);
  if (!info.unit.empty()) wanted += " (" + std::string(info.unit) + ")";
  return wanted;
}

std::string set_flag(bool& place, const std::string& text) {
  if (text != "true" && text != "false") return "true or false";
  place = text == "true";
  return {};
}

std::string set_text(const SettingInfo& info, std::string& place, const std::string& text) {
  if (static_cast<int64_t>(text.size()) < info.low) return "a text that is not empty";
  if (static_cast<int64_t>(text.size()) > info.high) {
    return "a text of at most " + std::to_string(info.high) + " bytes";
  }
  place = text;
  return {};
}

bool take_number(std::string_view& text, int64_t& out) {
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (fault != std::errc() || out < 1 || out > 1'000'000'000) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

}  // namespace

std::span<const SettingInfo> settings() { return kSettings; }

const SettingInfo* find_setting(std::string_view key) {
  for (const SettingInfo& info : kSettings) {
    if (info.key == key) return &info;
  }
  return nullptr;
}

bool parse_rate(std::string_view text, gate::Rate& out) {
  if (text == "unlimited") {
    out = gate::Rate::unlimited();
    return true;
  }
  int64_t tokens = 0;
  int64_t burst = 0;
  if (!take_number(text, tokens)) return false;
  const bool minute = take(text, "/min");
  if (!minute && !take(text, "/s")) return false;
  if (!take(text, " burst ") || !take_number(text, burst) || !text.empty()) return false;
  out = minute ? gate::Rate::per_minute(tokens, burst) : gate::Rate::per_second(tokens, burst);
  return true;
}

std::string rate_text(const gate::Rate& rate) {
  if (!rate.limited()) return "unlimited";
  // Rounded to whole tokens, as parse_rate took them.
  const int64_t per_s = (gate::kNsPerSecond + rate.interval_ns / 2) / rate.interval_ns;
  const bool whole = per_s > 0 && gate::Rate::per_second(per_s, rate.burst) == rate;
  const int64_t per_min = (60 * gate::kNsPerSecond + rate.interval_ns / 2) / rate.interval_ns;
  return (whole ? std::to_string(per_s) + "/s" : std::to_string(per_min) + "/min") + " burst " +
         std::to_string(rate.burst);
}

std::string setting_text(const SettingInfo& info, Config& config) {
  if (const auto* at = std::get_if<int64_t* (*)(Config&)>(&info.place)) {
    return std::to_string(*(*at)(config));
  }
  if (const auto* at = std::get_if<bool* (*)(Config&)>(&info.place)) {
    return *(*at)(config) ? "true" : "false";
  }
  if (const auto* at = std::get_if<std::string* (*)(Config&)>(&info.place)) {
    const std::string& text = *(*at)(config);
    return text.empty() ? "\"\"" : text;
  }
  if (const auto* at = std::get_if<gate::Rate* (*)(Config&)>(&info.place)) {
    return rate_text(*(*at)(config));
  }
  std::string out = "[";
  const auto* at = std::get_if<std::vector<std::string>* (*)(Config&)>(&info.place);
  for (const std::string& each : *(*at)(config)) {
    if (out.size() > 1) out += ", ";
    out += each;
  }
  return out + "]";
}

std::string set_value(const SettingInfo& info, Config& config,
                      const std::vector<std::string>& values, bool is_list) {
  if (const auto* at = std::get_if<std::vector<std::string>* (*)(Config&)>(&info.place)) {
    if (!is_list) return "a list";
    if (static_cast<int64_t>(values.size()) > info.high) {
      return "a list of at most " + std::to_string(info.high);
    }
    for (const std::string& each : values) {
      if (each.empty() || each.size() > 4'096) return "a list of texts of 1 to 4096 bytes";
    }
    *(*at)(config) = values;
    return {};
  }
  if (is_list || values.size() != 1) return "one value";
  const std::string& text = values.front();
  if (const auto* at = std::get_if<int64_t* (*)(Config&)>(&info.place)) {
    return set_integer(info, *(*at)(config), text);
  }
  if (const auto* at = std::get_if<bool* (*)(Config&)>(&info.place)) {
    return set_flag(*(*at)(config), text);
  }
  if (const auto* at = std::get_if<std::string* (*)(Config&)>(&info.place)) {
    return set_text(info, *(*at)(config), text);
  }
  const auto* at = std::get_if<gate::Rate* (*)(Config&)>(&info.place);
  if (parse_rate(text, *(*at)(config))) return {};
  return "a rate such as \"5/s burst 20\", \"30/min burst 20\" or \"unlimited\"";
}

}  // namespace footlight::edge
