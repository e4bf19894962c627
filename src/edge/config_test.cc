#include "edge/config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "edge/config_table.h"

namespace footlight::edge {
namespace {

std::vector<ConfigFault> load(std::string_view yaml, Config& config,
                              std::vector<Setting> overrides = {}) {
  return load_config(yaml, overrides, config);
}

TEST(Config, WithoutAFileEverythingHasItsDefault) {
  Config config;
  EXPECT_TRUE(load("", config).empty());
  EXPECT_EQ(config.server.port, 8080);
  EXPECT_EQ(config.ticks.tally_ms, 100);
  EXPECT_EQ(config.limits.admission.vote.connection, gate::AdmissionLimits().vote.connection);
}

TEST(Config, AFileSetsWhatItNames) {
  Config config;
  const auto faults = load(R"(
server:
  address: 0.0.0.0
  port: 9000
  allowed_origins: [https://a.example, "https://b.example"]
  trust_forwarded: true
data: {dir: /var/lib/footlight, episodes: [a.yaml]}
limits:
  vote: {connection: 7/s burst 9, prefix: unlimited}
  join:
    voter: 30/min burst 5
keys:
  - {kid: main, secret_env: FOOTLIGHT_SECRET}
  - {kid: ed, algorithm: EdDSA, file: ed.pem}
webhooks:
  - url: https://hooks.example/x
    secret_file: hook.key
    events: [poll.closed]
)",
                           config);
  for (const auto& fault : faults) ADD_FAILURE() << describe(fault, "f.yaml");
  EXPECT_EQ(config.server.address, "0.0.0.0");
  EXPECT_EQ(config.server.port, 9000);
  EXPECT_TRUE(config.server.trust_forwarded);
  ASSERT_EQ(config.server.allowed_origins.size(), 2u);
  EXPECT_EQ(config.data.dir, "/var/lib/footlight");
  EXPECT_EQ(config.limits.admission.vote.connection, gate::Rate::per_second(7, 9));
  EXPECT_FALSE(config.limits.admission.vote.prefix.limited());
  EXPECT_EQ(config.limits.admission.join.voter, gate::Rate::per_minute(30, 5));
  ASSERT_EQ(config.keys.size(), 2u);
  EXPECT_EQ(config.keys[1].algorithm, "EdDSA");
  ASSERT_EQ(config.webhooks.size(), 1u);
  EXPECT_EQ(config.webhooks[0].events, std::vector<std::string>{"poll.closed"});
}

struct BadConfig {
  std::string_view yaml;
  int line;
  int column;
  std::string_view says;
};

TEST(Config, EveryFaultHasItsLineAndColumnAndSaysWhatIsWanted) {
  const BadConfig cases[] = {
      {"server:\n  port: 70000\n", 2, 9, "an integer from 0 to 65535"},
      {"server:\n  port: 8080x\n", 2, 9, "an integer"},
      {"server:\n  prt: 1\n", 2, 3, "there is no such setting"},
      {"sever:\n  port: 1\n", 1, 1, "there is no such setting"},
      {"server:\n  port: 1\n  port: 2\n", 3, 3, "given twice"},
      {"server: 5\n", 1, 9, "must be a map"},
      {"server:\n  trust_forwarded: yes\n", 2, 20, "true or false"},
      {"server:\n  allowed_origins: x\n", 2, 20, "a list"},
      {"limits:\n  vote:\n    voter: 5 per s\n", 3, 12, "a rate such as"},
      {"limits:\n  idle_ms: 5\n", 2, 12, "(ms)"},
      {"data:\n  dir: \"\"\n", 2, 8, "not empty"},
      {"keys:\n  - {kid: a}\n", 2, 5, "secret_env or file"},
      {"keys:\n  - {kid: a, algorithm: RS256, file: x}\n", 2, 5, "HS256, EdDSA or ES256"},
      {"keys:\n  - {kid: a, algorithm: EdDSA, secret_env: X}\n", 2, 5, "needs file"},
      {"webhooks:\n  - {url: ftp://x, secret_env: X}\n", 2, 5, "https://"},
      {"webhooks:\n  - {url: \"http://x\", secret_env: X, events: [no]}\n", 2, 47, "no event"},
      {"server: [\n", 2, 1, ""},
      {"a: &x 1\nb: *x\n", 2, 4, "aliases"},
      {"[1, 2]\n", 1, 1, "must be a map"},
      {"server: {port: {a: {b: {c: {d: {e: {f: {g: 1}}}}}}}}\n", 1, 40, "too deep"},
  };
  for (const BadConfig& each : cases) {
    Config config;
    const auto faults = load(each.yaml, config);
    ASSERT_FALSE(faults.empty()) << each.yaml;
    EXPECT_EQ(faults[0].line, each.line) << each.yaml << describe(faults[0], "f");
    EXPECT_EQ(faults[0].column, each.column) << each.yaml << describe(faults[0], "f");
    EXPECT_NE(faults[0].error.detail.find(each.says), std::string::npos)
        << each.yaml << describe(faults[0], "f");
    EXPECT_GE(static_cast<int>(faults[0].error.code), 4700);
  }
}

TEST(Config, AllFaultsAreToldNotOnlyTheFirst) {
  Config config;
  EXPECT_EQ(load("server:\n  port: x\n  threads: -1\nticks:\n  tally_ms: 1\n", config).size(), 3u);
}

TEST(Config, TheCommandLineWinsAndIsCheckedTheSame) {
  Config config;
  EXPECT_TRUE(load("server:\n  port: 1\n", config,
                   {{"server.port", "2"}, {"data.episodes", "a.yaml,b.yaml"}})
                  .empty());
  EXPECT_EQ(config.server.port, 2);
  EXPECT_EQ(config.data.episodes, (std::vector<std::string>{"a.yaml", "b.yaml"}));
  EXPECT_EQ(load("", config, {{"server.port", "no"}}).size(), 1u);
  EXPECT_EQ(load("", config, {{"no.such", "1"}}).size(), 1u);
}

TEST(Config, ACertificateNeedsItsKey) {
  Config config;
  EXPECT_EQ(load("server:\n  tls_cert: a.pem\n", config).size(), 1u);
  EXPECT_TRUE(load("server:\n  tls_cert: a.pem\n  tls_key: b.pem\n", config).empty());
}

TEST(Config, AProgramsLadderAndPaceAreCheckedBeforeItIsStarted) {
  Config config;
  EXPECT_TRUE(
      load("program:\n  rungs: [1920x1080@5000, 640x360@700]\n  fps: 25\n", config).empty());
  EXPECT_EQ(load("program:\n  fps: 29\n", config).size(), 1u);
  for (const char* rung :
       {"1280x720", "1280x720@2500k", "1281x720@2500", "64x64@500", "x@", "1x1@1"}) {
    Config other;
    EXPECT_EQ(load("program:\n  rungs: [\"" + std::string(rung) + "\"]\n", other).size(), 1u)
        << rung;
  }
}

TEST(Config, AFaultOfTheCommandLineIsToldWithoutAFile) {
  Config config;
  const Setting wrong[] = {{"server.port", "abc"}};
  const auto faults = load_config("", wrong, config);
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_TRUE(describe(faults[0], "").starts_with("server.port: 4701")) << describe(faults[0], "");
}

TEST(Config, TheStepsOfTheFallbackAreEachLessThanTheOneBefore) {
  Config config;
  EXPECT_TRUE(load("program:\n  fallback_steps: [capped, votes]\n", config).empty());
  for (const char* steps : {"[]", "[full]", "[hls, capped]", "[less]"}) {
    Config other;
    EXPECT_EQ(load("program:\n  fallback_steps: " + std::string(steps) + "\n", other).size(), 1u)
        << steps;
  }
}

TEST(Config, TwoKeysOfOneNameAreRefused) {
  Config config;
  EXPECT_EQ(load("keys:\n - {kid: a, file: x}\n - {kid: a, file: y}\n", config).size(), 1u);
}

TEST(Config, RelaysHaveAddressesASecretARegionAndAPriority) {
  Config config;
  EXPECT_TRUE(
      load("relays:\n - {urls: [\"turn:a:3478\", \"turns:a:443\"], secret_env: S, region: eu, "
           "priority: 7}\n",
           config)
          .empty());
  ASSERT_EQ(config.relays.size(), 1u);
  EXPECT_EQ(config.relays[0].urls[1], "turns:a:443");
  EXPECT_EQ(config.relays[0].region, "eu");
  EXPECT_EQ(config.relays[0].priority, 7);
  for (const char* bad : {"{urls: [\"turn:a\"]}", "{urls: [\"stun:a\"], secret_env: S}",
                          "{urls: [\"turns:a\"], secret_env: S}", "{secret_env: S}",
                          "{urls: [\"turn:a\"], secret_env: S, priority: -1}",
                          "{urls: [\"turn:a\"], secret_env: S, colour: red}"}) {
    EXPECT_EQ(load("relays:\n - " + std::string(bad) + "\n", config).size(), 1u) << bad;
  }
}

TEST(Config, AProgramIsPushedToAFolderOrToABucketWithItsKey) {
  Config config;
  EXPECT_TRUE(load("push:\n - {folder: /srv/cdn, remove: true}\n"
                   " - {endpoint: \"http://127.0.0.1:9000\", bucket: shows, prefix: live/eu,"
                   " path_style: true, key_id: K, secret_env: S}\n",
                   config)
                  .empty());
  ASSERT_EQ(config.push.size(), 2u);
  EXPECT_EQ(config.push[0].folder, "/srv/cdn");
  EXPECT_TRUE(config.push[0].remove);
  EXPECT_EQ(config.push[1].region, "us-east-1");
  EXPECT_TRUE(config.push[1].path_style);
  for (const char* bad : {"{}", "{folder: /a, endpoint: \"https://h\"}", "{folder: /a, remove: 1}",
                          "{endpoint: \"h\", bucket: shows, key_id: K, secret_env: S}",
                          "{endpoint: \"https://h\", bucket: A, key_id: K, secret_env: S}",
                          "{endpoint: \"https://h\", bucket: shows, secret_env: S}",
                          "{endpoint: \"https://h\", bucket: shows, key_id: K}",
                          "{endpoint: \"https://h\", bucket: shows, key_id: K, secret: S}"}) {
    EXPECT_GE(load("push:\n - " + std::string(bad) + "\n", config).size(), 1u) << bad;
  }
}

TEST(Config, ADescriptionBeginsWithThePlace) {
  Config config;
  const auto faults = load("server:\n  port: x\n", config);
  EXPECT_EQ(describe(faults[0], "f.yaml").substr(0, 29), "f.yaml:2:9: server.port: 4701");
}

TEST(Config, EveryDefaultIsWithinItsOwnRangeAndReadsBackAsItself) {
  Config defaults;
  for (const SettingInfo& info : settings()) {
    const std::string text = setting_text(info, defaults);
    if (text.starts_with("[")) continue;
    Config config;
    const std::string value = text == "\"\"" ? "" : text;
    EXPECT_EQ(set_value(info, config, {value}, false), "") << info.key;
    EXPECT_EQ(setting_text(info, config), text) << info.key;
    EXPECT_FALSE(info.doc.empty()) << info.key;
  }
}

// FOOTLIGHT_WRITE_DOCS=1 writes the page anew.
TEST(Config, ThePageOfSettingsIsUpToDate) {
  const std::string path = std::string(FOOTLIGHT_SOURCE_DIR) + "/docs/configuration.md";
  if (std::getenv("FOOTLIGHT_WRITE_DOCS") != nullptr) std::ofstream(path) << config_markdown();
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), config_markdown()) << "run edge_test with FOOTLIGHT_WRITE_DOCS=1";
}

}  // namespace
}  // namespace footlight::edge
