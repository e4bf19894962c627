#include <utility>

#include "core/json.h"
#include "gate/cue.h"
#include "gate/token.h"
#include "show.h"
#include "world_impl.h"

namespace footlight::sim {

std::string World::token(const std::string& account, proto::Role role,
                         const std::vector<std::string>& characters, int64_t expires_s) {
  gate::Claims claims;
  claims.sub = account;
  claims.episode = kEpisode;
  claims.role = role;
  claims.name = account;
  claims.characters = characters;
  claims.expires_s = expires_s;
  return gate::mint_token(claims, "k", node_->signer()).value();
}

LinkQuality World::link_quality() {
  LinkQuality quality;
  quality.latency_us = random_.between(1, 120) * kUsPerMs;
  quality.jitter_us = random_.between(0, 40) * kUsPerMs;
  if (slow_links_ && random_.below(3) == 0) {
    quality.bytes_per_s = static_cast<uint64_t>(random_.between(300, 4'000));
    quality.buffer_bytes = static_cast<size_t>(random_.between(500, 4'000));
  }
  return quality;
}

Client& World::add_client(const std::string& account, proto::Role role,
                          std::vector<std::string> characters) {
  ClientSpec spec;
  spec.account = account;
  spec.role = role;
  spec.cid = random_.next();
  spec.ip = "10.0." + std::to_string(random_.below(4)) + "." + std::to_string(random_.below(250));
  spec.characters = characters;
  spec.impatient = random_.below(4) == 0;
  constexpr int64_t kFarS = SimClock::kEpochMs / 1000 + 100'000;
  if (role == proto::Role::kViewer && random_.below(6) == 0) {
    // Almost past the skew that is allowed: the session ends after seconds, and a fresh token is
    // had for the next.
    spec.token = [this, account, role, characters] {
      const bool last = healed_;
      const int64_t now_s = node_->clock().wall_ms() / 1000;
      return token(account, role, characters, last ? kFarS : now_s - gate::kClockSkewS + 4);
    };
  } else {
    spec.token = [text = token(account, role, characters, kFarS)] { return text; };
  }
  // Of some audiences a third watches from a cache.
  if (watches_late_ && role == proto::Role::kViewer && random_.below(3) == 0) {
    spec.behind_ms = random_.between(300, 6'000);
    spec.cue = [this, behind_ms = spec.behind_ms] {
      return gate::sign_cue(node_->voter_key(), kEpisode, node_->clock().wall_ms() - behind_ms);
    };
  }
  auto dial = [this, quality = link_quality()](Client& client) {
    LinkQuality now = quality;
    if (healed_) {
      now.bytes_per_s = 1'000'000;
      now.buffer_bytes = 64 * 1024;
    }
    return node_->dial(client, client.spec().cid, client.spec().ip, now);
  };
  clients_.push_back(
      std::make_unique<Client>(scheduler_, random_.fork(), std::move(spec), ledger_, dial));
  Client& client = *clients_.back();
  scheduler_.after(random_.between(0, 600) * kUsPerMs, [&client] { client.start(); });
  return client;
}

void World::add_people() {
  script_->add(add_client("pia", proto::Role::kProducer, {}));
  script_->add(add_client("gil", proto::Role::kGm, {}));
  script_->add(add_client("ann", proto::Role::kPlayer, {"aria"}));
  script_->add(add_client("ben", proto::Role::kPlayer, {"bo"}));
  const uint64_t viewers = 4 + random_.below(9);
  for (uint64_t i = 0; i < viewers; ++i) {
    script_->add(add_client("viewer-" + std::to_string(i), proto::Role::kViewer, {}));
  }
  // One voter on two devices, a player on two.
  script_->add(add_client("viewer-0", proto::Role::kViewer, {}));
  if (random_.below(2) == 0) script_->add(add_client("ann", proto::Role::kPlayer, {"aria"}));
  script_->can_moderate([this](const std::string& account) {
    return hex_u64(gate::pseudonym(node_->voter_key(), account));
  });

  if (random_.below(2) == 0) add_board_clients();
  const uint64_t vandals = random_.below(3) == 0 ? 1 + random_.below(2) : 0;
  for (uint64_t i = 0; i < vandals; ++i) {
    const std::string account = "vandal-" + std::to_string(i);
    const uint64_t cid = random_.next();
    const std::string text = token(account, proto::Role::kViewer, {}, 4'000'000'000);
    auto dial = [this, cid, quality = link_quality()](ClientEnd& end) {
      return node_->dial(end, cid, "10.9.9.9", quality);
    };
    vandals_.push_back(
        std::make_unique<Vandal>(scheduler_, random_.fork(), cid, text, dial, show_us_));
    vandals_.back()->start();
  }
  if (random_.below(2) == 0) scheduler_.after(kUsPerSecond, [this] { call_api(); });
}

// Some who edit the board, one of whom tampers, and one of the audience who looks on.
void World::add_board_clients() {
  const auto add = [this](const std::string& account, proto::Role role, bool tampers) {
    BoardClientSpec spec;
    spec.account = account;
    spec.role = role;
    spec.cid = random_.next();
    spec.tampers = tampers;
    spec.token = [text = token(account, role, {}, 4'000'000'000)] { return text; };
    auto dial = [this, quality = link_quality()](BoardClient& client) {
      LinkQuality now = quality;
      // The board of a slow link is longer than its queue: it would be cut again and again.
      now.bytes_per_s = 1'000'000;
      now.buffer_bytes = 64 * 1024;
      return node_->dial(client, client.spec().cid, "10.8.0.8", now);
    };
    board_clients_.push_back(std::make_unique<BoardClient>(
        scheduler_, random_.fork(), std::move(spec), board_ledger_, dial, show_us_));
    board_clients_.back()->start();
  };
  add("bea", proto::Role::kPlayer, false);
  add("bob", proto::Role::kPlayer, true);
  if (random_.below(2) == 0) add("bea", proto::Role::kPlayer, false);
  add("bix", proto::Role::kGm, false);
}

// A producer's script that calls the HTTP API, with an id so that it may ask again.
void World::call_api() {
  if (scheduler_.now_us() > show_us_) return;
  if (node_->running()) {
    constexpr uint64_t kCid = 0xA91;
    const uint64_t i = ++api_calls_;
    edge::ApiCall call;
    call.route = edge::ApiRoute::kCommands;
    call.who = 0x77;
    call.name = "script";
    call.body = "{\"k\":\"slate\",\"a\":{\"on\":" + std::string(i % 2 == 0 ? "false" : "true") +
                "},\"cid\":\"" + hex_u64(kCid) + "\",\"i\":" + std::to_string(i) + "}";
    node_->call_api(call, [this, i](const edge::ApiAnswer& answer) {
      if (answer.status != 200) return;
      const auto body = Json::parse(answer.body);
      const auto log = body ? static_cast<uint64_t>((*body)["log"].as_int()) : 0;
      ledger_.api_confirmed(kCid, i, log);
    });
  }
  scheduler_.after(random_.between(200, 1'500) * kUsPerMs, [this] { call_api(); });
}

}  // namespace footlight::sim
