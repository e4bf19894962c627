#include <signal.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>

#include "cli/commands.h"
#include "cli/signing.h"
#include "edge/node.h"
#include "episode/yaml/load.h"
#include "net/asio/system.h"

namespace footlight::cli {
namespace {

constexpr uint32_t kPatienceMs = 60'000;  // one wait for a signal
constexpr uint32_t kDrainMs = 10'000;     // for the last sessions to take their bye

struct Options {
  std::string config_file;
  std::vector<std::string> episode_files;
  std::vector<std::string> settings;  // key=value
  std::string data_dir;
  std::string static_dir;
  std::string address;
  int port = -1;
  int threads = -1;
  bool dev = false;
  bool quiet = false;
};

// One line on stderr: time in UTC, level, text. Where there is a journal, it adds the rest.
void log_line(edge::LogLevel level, std::string_view text) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char time[32];
  std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%SZ", &parts);
  const char* name = level == edge::LogLevel::kInfo      ? "info"
                     : level == edge::LogLevel::kWarning ? "warning"
                                                         : "error";
  std::fprintf(stderr, "%s %s %.*s\n", time, name, static_cast<int>(text.size()), text.data());
}

Result<std::string> read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::kIo, path + " cannot be read");
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// The built pages beside the program: as installed (bin/ beside share/footlight/web), or of the
// tree it was built in. "" when there are none.
std::string pages_beside_program() {
  namespace fs = std::filesystem;
  constexpr int kLevels = 5;  // build/release/src/cli/footlight
  std::error_code error;
  fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (int level = 0; level < kLevels && folder.has_relative_path(); ++level) {
    for (const char* place : {"share/footlight/web", "web/dist"}) {
      const fs::path pages = folder / place;
      // Both are ours alone: a folder of that name may be anyone's.
      if (fs::exists(pages / "build.json", error) && fs::exists(pages / "overlay", error)) {
        return pages.string();
      }
    }
    folder = folder.parent_path();
  }
  return "";
}

// What the command line says wins over the file.
Result<std::vector<edge::Setting>> overrides_of(const Options& options) {
  std::vector<edge::Setting> out;
  if (!options.data_dir.empty()) out.emplace_back("data.dir", options.data_dir);
  if (!options.static_dir.empty()) out.emplace_back("server.static_dir", options.static_dir);
  if (!options.address.empty()) out.emplace_back("server.address", options.address);
  if (options.port >= 0) out.emplace_back("server.port", std::to_string(options.port));
  if (options.threads >= 0) out.emplace_back("server.threads", std::to_string(options.threads));
  for (const std::string& setting : options.settings) {
    const size_t equals = setting.find('=');
    if (equals == std::string::npos) return fail(Code::kUsage, "--set KEY=VALUE, not " + setting);
    out.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  return out;
}

// nullopt: the faults were printed.
std::optional<edge::Config> read_config(const Options& options) {
  std::string text;
  if (!options.config_file.empty()) {
    auto read = read_text(options.config_file);
    if (!read) return complain(read.error()), std::nullopt;
    text = std::move(*read);
  }
  auto overrides = overrides_of(options);
  if (!overrides) return complain(overrides.error()), std::nullopt;
  edge::Config config;
  const auto faults = edge::load_config(text, *overrides, config);
  for (const edge::ConfigFault& fault : faults) {
    std::fprintf(stderr, "footlight: %s\n", edge::describe(fault, options.config_file).c_str());
  }
  if (!faults.empty()) return std::nullopt;
  return config;
}

Result<std::vector<edge::EpisodeSource>> read_episodes(const std::vector<std::string>& files) {
  std::vector<edge::EpisodeSource> sources;
  for (const std::string& file : files) {
    auto loaded = episode::load_episode_file(file);
    if (!loaded) return std::unexpected(loaded.error());
    for (const edge::EpisodeSource& other : sources) {
      if (other.id == loaded->id) {
        return fail(Code::kEpisodeField, file + ": another file has the id " + loaded->id + " too");
      }
    }
    sources.push_back({std::move(loaded->id), std::move(loaded->json)});
  }
  return sources;
}

void print_dev(const edge::Node& node) {
  std::printf(
      "\n  DEVELOPMENT KEYS. Anyone can sign tokens for this server, as anyone.\n"
      "  Do not let strangers reach it; in production leave --dev away and set `keys`.\n\n");
  std::string page;
  for (const edge::Node::Link& link : node.dev_links()) {
    std::printf("  %-8s  %-24s %s%s\n", link.page == page ? "" : link.page.c_str(),
                link.name.c_str(), node.url().c_str(), link.path.c_str());
    page = link.page;
  }
  std::printf("\n");
}

// Until a signal ends it. SIGHUP reloads; a second SIGTERM or SIGINT does not wait for the drain.
int run_node(edge::Node& node, net::SignalWaiter& signals, const edge::LogLine& log) {
  for (;;) {
    const int signal = signals.wait(kPatienceMs);
    if (signal == SIGHUP) node.reload();
    if (signal == SIGTERM || signal == SIGINT) break;
  }
  log(edge::LogLevel::kInfo, "draining");
  node.drain(kDrainMs, [&signals] {
    const int signal = signals.wait(0);
    return signal == SIGTERM || signal == SIGINT;
  });
  node.stop();
  log(edge::LogLevel::kInfo, "stopped; the logs are synced");
  return 0;
}

int serve(const Options& options) {
  // A peer that is gone must not end the process; standard output may be such a peer.
  ::signal(SIGPIPE, SIG_IGN);
  net::SignalWaiter signals;
  auto config = read_config(options);
  if (!config) return kExitUsage;
  std::vector<std::string> files = options.episode_files;
  if (files.empty()) files = config->data.episodes;
  auto sources = read_episodes(files);
  if (!sources) return complain(sources.error());
  edge::NodeOptions made;
  made.config = std::move(*config);
  if (made.config.server.static_dir.empty()) {
    made.config.server.static_dir = pages_beside_program();
  }
  made.episodes = std::move(*sources);
  made.version = FOOTLIGHT_VERSION;
  if (options.dev) made.dev_secret = kDevSecret;
  const edge::LogLine log = [quiet = options.quiet](edge::LogLevel level, std::string_view text) {
    if (!quiet || level != edge::LogLevel::kInfo) log_line(level, text);
  };
  made.log = log;
  if (!options.dev && made.config.keys.empty()) {
    return complain({Code::kKeyFile, "no `keys` in the configuration; to try things out: --dev"});
  }
  auto node = edge::Node::start(std::move(made));
  if (!node) return complain(node.error());
  log(edge::LogLevel::kInfo, "ready at " + (*node)->url());
  if (options.dev && !options.quiet) print_dev(**node);
  std::fflush(stdout);
  return run_node(**node, signals, log);
}

}  // namespace

void add_serve(CommandLine& line) {
  auto options = std::make_shared<Options>();
  Command command = line.command("serve", "run the server", [options] { return serve(*options); });
  command.option("--config", options->config_file, "configuration (docs/configuration.md)")
      .existing_file();
  command
      .option("--episode", options->episode_files,
              "an episode file; may be repeated. Without any: every log in the data directory")
      .existing_file();
  command.option("--data", options->data_dir, "directory of the logs (data.dir)");
  command.option("--static", options->static_dir, "directory of the pages (server.static_dir)");
  command.option("--address", options->address, "address to listen at (server.address)");
  command.option("--port", options->port, "port to listen at (server.port)").range(0, 65'535);
  command.option("--threads", options->threads, "shards; 0: one per core (server.threads)")
      .range(0, 256);
  command.option("--set", options->settings, "KEY=VALUE: any setting of the configuration");
  command.flag("--dev", options->dev, "accept the development key and print links to the pages");
  command.flag("--quiet", options->quiet, "warnings and errors only");
}

}  // namespace footlight::cli
