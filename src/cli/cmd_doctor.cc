#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>

#include "cli/commands.h"
#include "core/json.h"
#include "edge/node_relays.h"
#include "net/asio/system.h"
#include "ops/doctor.h"

namespace footlight::cli {
namespace {

struct Options {
  ops::DoctorOptions doctor;
  std::string config_file;
  std::string data_dir;
  std::string certificate;
  int port = -1;
  bool json = false;
  bool quiet = false;
};

ops::Finding bad(std::string what, std::string found, std::string advice) {
  return {ops::Health::kBad, std::move(what), std::move(found), std::move(advice)};
}

// The node's configuration, the defaults without a file. What is wrong with it goes to `out`.
edge::Config read_config(const std::string& file, std::vector<ops::Finding>& out) {
  edge::Config config;
  if (file.empty()) return config;
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    out.push_back(bad("configuration", file + " cannot be read", "name another with --config"));
    return config;
  }
  const std::string text(std::istreambuf_iterator<char>(in), {});
  for (const auto& fault : edge::load_config(text, {}, config)) {
    out.push_back(bad("configuration", edge::describe(fault, file), "docs/configuration.md"));
  }
  return config;
}

// What the command line names wins over the configuration.
ops::DoctorOptions examined(const Options& options, const edge::Config& config) {
  ops::DoctorOptions out = options.doctor;
  out.data_dir = options.data_dir.empty() ? config.data.dir : options.data_dir;
  out.certificate = options.certificate.empty() ? config.server.tls_cert : options.certificate;
  out.port = static_cast<uint16_t>(options.port < 0 ? config.server.port : options.port);
  const auto media = static_cast<uint16_t>(config.media.port);
  out.media_port = !config.media.enabled ? uint16_t{0} : media > 0 ? media : out.port;
  return out;
}

// Each relay of the configuration gives an allocation, or says why not.
std::vector<ops::Finding> check_relays(const edge::Config& config, const std::string& file) {
  std::vector<ops::Finding> out;
  const auto relays = edge::load_relays(config.relays);
  if (!relays) {
    out.push_back(bad("relay", relays.error().message(), "see `relays` in " + file));
    return out;
  }
  const net::SystemClock clock;
  net::SystemEntropy entropy;
  const auto states = edge::ask_relays(*relays, clock, entropy);
  for (size_t i = 0; i < states.size(); ++i) {
    const std::string& url = (*relays)[i].urls.front();
    if (states[i].works) {
      out.push_back({ops::Health::kGood, "relay",
                     url + " gives an allocation, " + std::to_string(states[i].rtt_us) + " us",
                     ""});
    } else {
      out.push_back(bad("relay", url + ": " + states[i].why,
                        "is coturn running, is its UDP port open, are its secret and its clock the "
                        "node's? deploy/coturn/README.md"));
    }
  }
  return out;
}

int doctor(const Options& options) {
  static constexpr const char* kMarks[] = {"ok  ", "warn", "BAD "};
  int found_bad = 0;
  std::vector<ops::Finding> findings;
  const edge::Config config = read_config(options.config_file, findings);
  if (findings.empty()) {
    findings = ops::examine(examined(options, config));
    std::ranges::move(check_relays(config, options.config_file), std::back_inserter(findings));
  }
  for (const ops::Finding& finding : findings) {
    found_bad += finding.health == ops::Health::kBad ? 1 : 0;
    if (options.quiet) continue;
    if (options.json) {
      static constexpr const char* kNames[] = {"good", "warning", "bad"};
      std::string line;
      JsonWriter out(line);
      out.object()
          .field("what", std::string_view(finding.what))
          .field("health", kNames[static_cast<int>(finding.health)]);
      out.field("found", std::string_view(finding.found))
          .field("advice", std::string_view(finding.advice))
          .end_object();
      std::printf("%s\n", line.c_str());
      continue;
    }
    std::printf("%s  %-17s %s\n", kMarks[static_cast<int>(finding.health)], finding.what.c_str(),
                finding.found.c_str());
    if (!finding.advice.empty()) std::printf("      %-17s -> %s\n", "", finding.advice.c_str());
  }
  return found_bad > 0 ? kExitFound : 0;
}

}  // namespace

void add_doctor(CommandLine& line) {
  auto options = std::make_shared<Options>();
  Command command = line.command(
      "doctor",
      "look for what would go wrong: ports, limits, disk sync, clock, certificate, relays",
      [options] { return doctor(*options); });
  command.option("--url", options->doctor.url, "examine a running server instead of this machine");
  command.option("--config", options->config_file,
                 "a node's configuration: its ports, data directory and certificate, and each TURN "
                 "relay is asked for an allocation");
  command.option("--data", options->data_dir, "the data directory (data.dir)");
  command.option("--port", options->port, "the port to serve on (server.port)").range(1, 65'535);
  command.option("--cert", options->certificate, "the TLS certificate, PEM (server.tls_cert)");
  command.option("--audience", options->doctor.audience, "connections to be ready for");
  command.flag("--json", options->json, "one JSON object a line");
  command.flag("--quiet", options->quiet, "the exit code only");
}

}  // namespace footlight::cli
