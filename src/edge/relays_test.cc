#include "edge/relays.h"

#include <gtest/gtest.h>

#include "core/json.h"
#include "rtc/turn.h"

namespace footlight::edge {
namespace {

RelayTable table_of(std::vector<Relay> relays) {
  RelayTable table;
  table.relays = std::move(relays);
  table.states.resize(table.relays.size());
  table.lifetime_s = 3600;
  return table;
}

TEST(RelayUrlTest, AreReadAsRfc7065HasThem) {
  const auto plain = parse_relay_url("turn:turn.example");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "turn.example");
  EXPECT_EQ(plain->port, 3478);
  EXPECT_FALSE(plain->tcp || plain->tls);
  const auto tls = parse_relay_url("turns:turn.example:443?transport=tcp");
  ASSERT_TRUE(tls);
  EXPECT_EQ(tls->port, 443);
  EXPECT_TRUE(tls->tls && tls->tcp);
  EXPECT_EQ(parse_relay_url("turn:[2001:db8::1]:99?transport=udp")->host, "2001:db8::1");
  for (const char* bad :
       {"", "stun:a", "turn:", "turn:a:0", "turn:a:x", "turn:a:70000", "turn:a b",
        "turn:a?transport=sctp", "turn:[::1", "turn:a>", "http://a", "turn:a\"b"}) {
    EXPECT_FALSE(parse_relay_url(bad)) << bad;
  }
}

TEST(RelaysTest, AreHandedOutByRegionThenByPriorityAndAtMostThree) {
  auto table = table_of({{{"turn:a"}, "sa", "us", 9},
                         {{"turn:b"}, "sb", "eu", 1},
                         {{"turn:c?transport=tcp"}, "sc", "eu", 5},
                         {{"turn:d"}, "sd", "", 7}});
  table.region = "eu";
  const auto servers = table.servers(0xAB, 1'700'000'000);
  ASSERT_EQ(servers.size(), 4u);
  EXPECT_EQ(servers[0].urls, (std::vector<std::string>{"stun:b"})) << "the first that takes UDP";
  EXPECT_TRUE(servers[0].username.empty());
  EXPECT_EQ(servers[1].urls[0], "turn:c?transport=tcp");
  EXPECT_EQ(servers[2].urls[0], "turn:b");
  EXPECT_EQ(servers[3].urls[0], "turn:a");
  EXPECT_EQ(servers[2].username, "1700003600:00000000000000ab");
  EXPECT_EQ(servers[2].credential,
            rtc::turn_credentials("sb", "00000000000000ab", 1'700'003'600).password);
  table.region.clear();
  EXPECT_EQ(table.servers(1, 0)[1].urls[0], "turn:a");
}

TEST(RelaysTest, WhatDoesNotWorkIsHandedOutToNobodyAndSaysWhy) {
  auto table = table_of({{{"turn:a"}, "s", "", 2}, {{"turn:b"}, "s", "", 1}});
  table.states[0] = {true, false, "it is full", 0, 5};
  const auto servers = table.servers(1, 0);
  ASSERT_EQ(servers.size(), 2u);
  EXPECT_EQ(servers[0].urls[0], "stun:b");
  EXPECT_EQ(servers[1].urls[0], "turn:b");
  table.states[1].works = false;
  EXPECT_TRUE(table.servers(1, 0).empty());
  const auto json = *Json::parse(table.json());
  EXPECT_EQ(json["relays"].items()[0]["why"].as_string(), "it is full");
  EXPECT_EQ(table.json().find("secret"), std::string::npos);
}

TEST(RelaysTest, StandInLinkHeadersAsWhipHasThem) {
  const auto links = ice_server_links(
      {{{"stun:a"}, {}, {}}, {{"turn:a?transport=udp", "turns:a"}, "9:ab", "c2VjcmV0"}});
  ASSERT_EQ(links.size(), 3u);
  EXPECT_EQ(links[0], "<stun:a>; rel=\"ice-server\"");
  EXPECT_EQ(links[1],
            "<turn:a?transport=udp>; rel=\"ice-server\"; username=\"9:ab\"; "
            "credential=\"c2VjcmV0\"; credential-type=\"password\"");
}

}  // namespace
}  // namespace footlight::edge
