// Runs src/gate/golden/*.json through the facade natively; run_golden.mjs runs the same inside
// WebAssembly.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "core/json.h"
#include "gate/wasm/facade.h"

namespace footlight::gate {
namespace {

Json golden(const std::string& file) {
  std::ifstream in(std::string(FOOTLIGHT_SOURCE_DIR) + "/src/gate/golden/" + file);
  std::stringstream text;
  text << in.rdbuf();
  const Result<Json> parsed = Json::parse(text.str());
  EXPECT_TRUE(parsed) << file;
  return parsed.value_or(Json());
}

class GateGolden : public ::testing::Test {
 protected:
  Json call(const std::string& op, const Json& fields) {
    Json request = fields;
    request.set("op", Json::string(op));
    return *Json::parse(facade_.call(request.dump()));
  }
  void set_keys(const Json& file) {
    Json request = Json::object();
    request.set("keys", file["keys"]);
    ASSERT_EQ(call("keys", request)["code"].as_int(), 0);
  }
  Facade facade_;
};

TEST_F(GateGolden, TokensGiveTheirClaimsOrTheirCode) {
  const Json file = golden("tokens.json");
  set_keys(file);
  ASSERT_GT(file["cases"].items().size(), 60u);
  for (const Json& token : file["cases"].items()) {
    SCOPED_TRACE(token["name"].as_string());
    Json request = Json::object();
    request.set("token", token["token"]);
    request.set("now_s", Json::integer(token["now_s"].as_int(file["now_s"].as_int())));
    const Json reply = call("token", request);
    EXPECT_EQ(reply["code"].as_int(), token["code"].as_int()) << reply.dump();
    if (token["code"].as_int() == 0) {
      EXPECT_EQ(reply["claims"].dump(), token["claims"].dump());
    }
  }
}

TEST_F(GateGolden, ARefreshKeepsSubjectEpisodeAndRole) {
  const Json file = golden("tokens.json");
  set_keys(file);
  for (const Json& refresh : file["refresh"].items()) {
    Json request = refresh;
    request.set("now_s", file["now_s"]);
    const Json reply = call("refresh", request);
    EXPECT_EQ(reply["code"].as_int(), refresh["code"].as_int()) << refresh["name"].as_string();
  }
}

TEST_F(GateGolden, PseudonymsAreTheHmacOfTheAccount) {
  const Json file = golden("tokens.json");
  for (const Json& pseudonym : file["pseudonyms"].items()) {
    EXPECT_EQ(call("pseudonym", pseudonym)["who"].as_string(), pseudonym["who"].as_string());
  }
}

TEST_F(GateGolden, AddressesGiveTheirPrefix) {
  const Json file = golden("prefixes.json");
  for (const Json& address : file["cases"].items()) {
    SCOPED_TRACE(address["ip"].as_string());
    const Json reply = call("prefix", address);
    ASSERT_EQ(reply["code"].as_int(), address["code"].as_int());
    if (address["code"].as_int() != 0) continue;
    EXPECT_EQ(reply["bits"].as_string(), address["bits"].as_string());
    EXPECT_EQ(reply["v6"].as_bool(), address["v6"].as_bool());
    EXPECT_EQ(reply["loopback"].as_bool(), address["loopback"].as_bool());
  }
}

TEST_F(GateGolden, AdmissionGivesTheVerdictsOfTheModel) {
  const Json file = golden("admission.json");
  for (const Json& sequence : file["cases"].items()) {
    Json setup = Json::object();
    setup.set("seed", Json::integer(1));
    setup.set("limits", sequence["limits"]);
    ASSERT_EQ(call("admission", setup)["code"].as_int(), 0);
    int64_t n = 0;
    for (const Json& step : sequence["steps"].items()) {
      SCOPED_TRACE(sequence["name"].as_string() + ", step " + std::to_string(n++));
      if (const Json* level = step.find("pressure")) {
        Json pressure = Json::object();
        pressure.set("level", *level);
        ASSERT_EQ(call("pressure", pressure)["code"].as_int(), 0);
        continue;
      }
      const Json reply = call("step", step);
      EXPECT_EQ(reply["code"].as_int(), step["code"].as_int());
      const int64_t retry_ms = reply["retry_after_ms"].as_int();
      if (const Json* between = step.find("retry_between")) {
        EXPECT_GE(retry_ms, between->items()[0].as_int());
        EXPECT_LE(retry_ms, between->items()[1].as_int());
      } else {
        EXPECT_EQ(retry_ms, step["retry_after_ms"].as_int());
      }
      if (step.find("cut") != nullptr) {
        EXPECT_EQ(reply["cut"].as_bool(), step["cut"].as_bool());
      }
    }
  }
}

TEST_F(GateGolden, NonsenseIsAnsweredWithACode) {
  EXPECT_NE((*Json::parse(facade_.call("")))["code"].as_int(), 0);
  EXPECT_NE((*Json::parse(facade_.call("{\"op\":\"warp\"}")))["code"].as_int(), 0);
  EXPECT_NE((*Json::parse(facade_.call("{\"op\":\"step\"}")))["code"].as_int(), 0);
}

}  // namespace
}  // namespace footlight::gate
