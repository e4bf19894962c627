#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/signing.h"
#include "core/json.h"
#include "ops/media_load.h"

namespace footlight::cli {
namespace {

struct Options {
  ops::MediaLoadOptions load;
  SigningOptions signing;
  std::string url, episode, token, made;
  bool json = false;
};

double milliseconds(uint64_t us) { return static_cast<double>(us) / 1000; }

void write_way(JsonWriter& out, const char* name, const ops::MeterStats& stats,
               const Histogram& way) {
  out.key(name).object();
  out.field("packets", stats.packets).field("bytes", stats.bytes);
  out.field("missed", stats.gaps).field("repaired", stats.repaired).field("lost", stats.lost());
  out.field("lost_per_mille", uint64_t{ops::lost_per_mille(stats)});
  out.field("frames", stats.frames).field("key_frames", stats.key_frames);
  out.field("freezes", stats.freezes);
  out.field("frozen_ms", static_cast<uint64_t>(stats.frozen_us / kUsPerMs));
  out.field("one_way_p50_us", way.quantile(500)).field("one_way_p99_us", way.quantile(990));
  out.field("one_way_max_us", way.max()).field("one_way_samples", way.count()).end_object();
}

void print_json(const Options& options, const ops::MediaLoadReport& report) {
  const ops::CrowdReport& media = report.media;
  std::string line;
  JsonWriter out(line);
  out.object().field("publishers", uint64_t{options.load.publishers});
  out.field("subscribers", uint64_t{options.load.subscribers});
  out.field("connected", media.connected).field("lost_sessions", media.lost_sessions);
  out.field("measured_ms", static_cast<uint64_t>(report.seconds * 1000));
  out.key("sent").object().field("packets", media.published.packets);
  out.field("bytes", media.published.bytes).field("frames", media.published.frames);
  out.field("key_frames_asked", media.published.key_frames_asked);
  out.field("sent_again", media.published.sent_again).end_object();
  write_way(out, "voice", media.watched.voice, media.watched.voice_us);
  write_way(out, "video", media.watched.video, media.watched.video_us);
  const Histogram& first = media.watched.first_frame_us;
  out.field("pictures", media.watched.videos).field("first_frame_p50_us", first.quantile(500));
  out.field("first_frame_p99_us", first.quantile(990)).field("first_frame_max_us", first.max());
  out.field("unknown_packets", media.watched.unknown).field("socket_drops", media.socket_drops);
  out.field("server_cpu_ms", static_cast<uint64_t>(report.server_cpu_s * 1000));
  out.field("client_cpu_ms", static_cast<uint64_t>(report.client_cpu_s * 1000));
  if (!media.first_error.empty()) out.field("error", std::string_view(media.first_error));
  out.end_object();
  std::printf("%s\n", line.c_str());
}

void print_way(const char* name, const ops::MeterStats& stats, const Histogram& way,
               double seconds) {
  std::printf(
      "  %-9s%11.0f/s%9.2f %10.2f%10.1f%10.1f%10.1f\n", name,
      static_cast<double>(stats.packets) / seconds,
      static_cast<double>(stats.bytes) * 8 / 1e6 / seconds,
      stats.packets + stats.lost() == 0 ? 0
                                        : 100.0 * static_cast<double>(stats.lost()) /
                                              static_cast<double>(stats.packets + stats.lost()),
      milliseconds(way.quantile(500)), milliseconds(way.quantile(990)), milliseconds(way.max()));
}

void print_table(const Options& options, const ops::MediaLoadReport& report) {
  const ops::CrowdReport& media = report.media;
  const ops::WatcherStats& seen = media.watched;
  std::printf("\n%u publishers, %u subscribers, %llu connected, %.1f s measured\n",
              options.load.publishers, options.load.subscribers,
              static_cast<unsigned long long>(media.connected), report.seconds);
  std::printf(
      "             received     Mbit/s    lost %%   p50 ms    p99 ms    max ms  one way\n");
  print_way("voice", seen.voice, seen.voice_us, report.seconds);
  print_way("video", seen.video, seen.video_us, report.seconds);
  std::printf("  pictures       %llu, %llu frames, stood still %llu times (%.1f s)\n",
              static_cast<unsigned long long>(seen.videos),
              static_cast<unsigned long long>(seen.video.frames),
              static_cast<unsigned long long>(seen.video.freezes),
              static_cast<double>(seen.video.frozen_us) / kUsPerSecond);
  std::printf("  first frame    p50 %.0f ms, p99 %.0f ms, max %.0f ms after the answer\n",
              milliseconds(seen.first_frame_us.quantile(500)),
              milliseconds(seen.first_frame_us.quantile(990)),
              milliseconds(seen.first_frame_us.max()));
  std::printf("  repaired       %llu of %llu missed; %llu key frames asked for\n",
              static_cast<unsigned long long>(seen.voice.repaired + seen.video.repaired),
              static_cast<unsigned long long>(seen.voice.gaps + seen.video.gaps),
              static_cast<unsigned long long>(seen.video.key_frames_asked));
  std::printf("  CPU            %.2f cores here", report.client_cpu_s / report.seconds);
  if (report.server_cpu_s > 0) {
    const auto packets = static_cast<double>(seen.voice.packets + seen.video.packets);
    std::printf(", %.2f of the server: %.0f packets out per CPU second",
                report.server_cpu_s / report.seconds, packets / report.server_cpu_s);
  }
  std::printf("\n");
  if (media.lost_sessions > 0) {
    std::printf("  lost sessions  %llu\n", static_cast<unsigned long long>(media.lost_sessions));
  }
  if (!media.first_error.empty()) std::printf("  first fault    %s\n", media.first_error.c_str());
}

// Whose token: given, signed for this episode, or none.
Result<ops::MediaTokens> tokens_of(const Options& options) {
  const bool signs = options.signing.dev || !options.signing.key_file.empty();
  if (!options.token.empty() || !signs) {
    return [token = options.token](bool, uint32_t) { return token; };
  }
  if (options.episode.empty()) return fail(Code::kUsage, "--dev and --key need --episode-id");
  auto source = token_source(options.signing, options.episode);
  if (!source) return std::unexpected(source.error());
  return [source = std::move(*source)](bool publishes, uint32_t number) {
    const std::string name =
        (publishes ? "load-publisher-" : "load-subscriber-") + std::to_string(number);
    return source({name, name, publishes ? proto::Role::kPlayer : proto::Role::kViewer, {}});
  };
}

int load_media(Options options) {
  if (!options.url.empty()) {
    if (options.episode.empty()) {
      return complain({Code::kUsage, "--url needs --episode-id", 0});
    }
    while (options.url.ends_with('/')) options.url.pop_back();
    if (options.load.whip.empty()) options.load.whip = options.url + "/v1/whip/" + options.episode;
    if (options.load.whep.empty()) options.load.whep = options.url + "/v1/whep/" + options.episode;
  }
  if (!options.made.empty()) {
    if (options.made != "picture" && options.made != "voice") {
      return complain({Code::kUsage, "--made is picture or voice", 0});
    }
    options.load.clip = options.made == "voice" ? ops::ClipKind::kVoice : ops::ClipKind::kPicture;
  }
  const ops::MediaLoadOptions& load = options.load;
  if ((load.publishers > 0 && load.whip.empty()) || (load.subscribers > 0 && load.whep.empty())) {
    return complain({Code::kUsage, "give --whip and --whep, or --url with --episode-id", 0});
  }
  catch_signals();
  const auto tokens = tokens_of(options);
  if (!tokens) return complain(tokens.error());
  ProgressLine line("load media", options.json);
  const auto report = ops::run_media_load(
      load, *tokens, [&](const ops::Progress& progress) { line.show(progress); }, interrupted());
  if (!report) return complain(report.error());
  options.json ? print_json(options, *report) : print_table(options, *report);
  const bool all = report->media.connected >= uint64_t{load.publishers} + load.subscribers;
  return all && report->media.lost_sessions == 0 ? 0 : kExitFound;
}

}  // namespace

void add_load_media(Command& load) {
  auto options = std::make_shared<Options>();
  Command command = load.command(
      "media",
      "publishers by WHIP and subscribers by WHEP on any server: real ICE, DTLS and SRTP, an "
      "encoded "
      "clip (VP8 in three sizes, Opus), and what arrives. Each packet's sending time stands at the "
      "end of its payload, so that both ends must be this process",
      [options] { return load_media(*options); });
  command.option("--whip", options->load.whip, "where publishers post their offers");
  command.option("--whep", options->load.whep, "where subscribers post theirs");
  command.option("--url", options->url, "a Footlight server, instead of the two");
  command.option("--episode-id", options->episode, "the episode's id, for --url and for tokens");
  command.option("--publishers", options->load.publishers, "who sends a voice and a picture")
      .range(0, 1'000);
  command.option("--subscribers", options->load.subscribers, "who receives them").range(0, 10'000);
  command
      .option("--places", options->load.places,
              "voices, and pictures, a subscriber offers to receive; 0: as many as publishers, "
              "at most 32")
      .range(0, 32);
  command.option("--made", options->made,
                 "picture or voice: instead of a clip made-up bytes of that kind alone, 2.6 "
                 "Mbit/s in 9 packets of 1,200 bytes 30 times a second, or 100 bytes every 20 ms");
  command.option("--seconds", options->load.seconds, "measured time").range(1, 86'400);
  command.option("--token", options->token, "a bearer token, the same for all");
  command.option("--server-pid", options->load.server_pid,
                 "the server's process, for its CPU time");
  command.flag("--tcp", options->load.tcp, "media over TCP (RFC 6544), to the server's candidates");
  command.flag("--json", options->json, "one JSON object");
  add_signing_options(command, options->signing);
}

}  // namespace footlight::cli
