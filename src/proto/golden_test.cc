// Runs src/proto/golden/*.json; the SDK's tests run the same files.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "core/bytes.h"
#include "core/json.h"
#include "proto/messages.h"
#include "proto/trace.h"

namespace footlight::proto {
namespace {

std::vector<Json> cases_of(const std::string& file) {
  std::ifstream in(std::string(FOOTLIGHT_SOURCE_DIR) + "/src/proto/golden/" + file);
  std::stringstream text;
  text << in.rdbuf();
  const Result<Json> parsed = Json::parse(text.str());
  if (!parsed) {
    ADD_FAILURE() << file << ": " << parsed.error().message();
    return {};
  }
  const auto cases = (*parsed)["cases"].items();
  EXPECT_FALSE(cases.empty()) << file;
  return cases;
}

std::string frame_of(const Json& golden) {
  if (const Json* hex = golden.find("hex")) {
    Bytes bytes;
    EXPECT_TRUE(from_hex(hex->as_string(), bytes));
    return std::string(as_text(bytes));
  }
  if (const Json* repeat = golden.find("repeat")) {
    std::string frame = (*repeat)["before"].as_string();
    for (int64_t i = 0; i < (*repeat)["times"].as_int(); ++i) {
      frame += (*repeat)["unit"].as_string();
    }
    return frame + (*repeat)["after"].as_string();
  }
  return golden["json"].as_string();
}

std::string canonical_of(const Json& golden) {
  return golden.find("canonical") != nullptr ? golden["canonical"].as_string()
                                             : golden["json"].as_string();
}

// Encodes what was decoded; votes from their parsed form.
std::string encode_again(const ClientMessage& message) {
  std::string out;
  if (const auto* batch = std::get_if<EventBatch>(&message)) {
    std::vector<ClientEvent> events(batch->events.begin(), batch->events.end());
    for (ClientEvent& event : events) {
      if (event.kind == Kind::kPollVote) event.args = {};
    }
    encode(out, EventBatch{events});
  } else {
    std::visit([&](const auto& m) { encode(out, m); }, message);
  }
  return out;
}

std::string encode_again(const ServerMessage& message) {
  std::string out;
  std::visit(
      [&](const auto& m) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(m)>, UnknownMessage>) encode(out, m);
      },
      message);
  return out;
}

TEST(Golden, ClientMessagesDecodeAndEncodeToTheirCanonicalForm) {
  ClientDecoder decoder;
  for (const Json& golden : cases_of("client.json")) {
    SCOPED_TRACE(golden["name"].as_string());
    const std::string frame = frame_of(golden);
    const Result<ClientMessage> message = decoder.decode(frame);
    ASSERT_TRUE(message) << message.error().message();
    if (const auto* batch = std::get_if<EventBatch>(&*message)) {
      for (const ClientEvent& event : batch->events) EXPECT_TRUE(event.fault.ok());
    }
    EXPECT_EQ(encode_again(*message), canonical_of(golden));
  }
}

TEST(Golden, ServerMessagesDecodeAndEncodeToTheirCanonicalForm) {
  ServerDecoder decoder;
  for (const Json& golden : cases_of("server.json")) {
    SCOPED_TRACE(golden["name"].as_string());
    const std::string frame = frame_of(golden);
    const Result<ServerMessage> message = decoder.decode(frame);
    ASSERT_TRUE(message) << message.error().message();
    if (const Json* unknown = golden.find("unknown")) {
      const auto* ignored = std::get_if<UnknownMessage>(&*message);
      ASSERT_NE(ignored, nullptr);
      EXPECT_EQ(ignored->type, unknown->as_string());
      continue;
    }
    EXPECT_EQ(encode_again(*message), canonical_of(golden));
  }
}

TEST(Golden, BadClientFramesAreRefusedWithTheirCode) {
  ClientDecoder decoder;
  for (const Json& golden : cases_of("client_invalid.json")) {
    const std::string frame = frame_of(golden);
    const Result<ClientMessage> message = decoder.decode(frame);
    ASSERT_FALSE(message) << golden["name"].as_string();
    EXPECT_EQ(static_cast<int64_t>(message.error().code), golden["code"].as_int())
        << golden["name"].as_string() << ": " << message.error().message();
  }
}

TEST(Golden, BadServerFramesAreRefusedWithTheirCode) {
  ServerDecoder decoder;
  for (const Json& golden : cases_of("server_invalid.json")) {
    const std::string frame = frame_of(golden);
    const Result<ServerMessage> message = decoder.decode(frame);
    ASSERT_FALSE(message) << golden["name"].as_string();
    EXPECT_EQ(static_cast<int64_t>(message.error().code), golden["code"].as_int())
        << golden["name"].as_string() << ": " << message.error().message();
  }
}

TEST(Golden, ABadEventCostsItselfAlone) {
  ClientDecoder decoder;
  for (const Json& golden : cases_of("events.json")) {
    SCOPED_TRACE(golden["name"].as_string());
    const std::string frame = frame_of(golden);
    const Result<ClientMessage> message = decoder.decode(frame);
    ASSERT_TRUE(message) << message.error().message();
    const auto* batch = std::get_if<EventBatch>(&*message);
    ASSERT_NE(batch, nullptr);
    const auto& codes = golden["codes"].items();
    ASSERT_EQ(batch->events.size(), codes.size());
    for (size_t i = 0; i < codes.size(); ++i) {
      EXPECT_EQ(static_cast<int64_t>(batch->events[i].fault.code), codes[i].as_int()) << i;
    }
  }
}

TEST(Golden, CommandsAreJudgedByFormAndRole) {
  for (const Json& golden : cases_of("commands.json")) {
    const std::optional<Role> role = parse_role(golden["role"].as_string());
    ASSERT_TRUE(role.has_value());
    const FormFault fault =
        check_command(parse_kind(golden["k"].as_string()), {*role, golden["captions"].as_bool()},
                      golden["a"].as_string());
    EXPECT_EQ(static_cast<int64_t>(fault.code), golden["code"].as_int())
        << golden["name"].as_string() << ": " << fault.error().message();
  }
}

TEST(Golden, TraceparentsAreKeptOrDropped) {
  for (const Json& golden : cases_of("traceparent.json")) {
    EXPECT_EQ(parse_traceparent(golden["tp"].as_string()).has_value(), golden["valid"].as_bool())
        << golden["name"].as_string();
  }
}

}  // namespace
}  // namespace footlight::proto
