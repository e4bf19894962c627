#include "script.h"

#include <array>
#include <string_view>

namespace footlight::sim {
namespace {

constexpr std::array<std::string_view, 5> kPolls = {"fork", "many", "hush", "once", "long"};

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

}  // namespace

void Script::start() {
  for (Client* client : clients_) {
    if (client->spec().role == proto::Role::kProducer) {
      scheduler_.after(random_.between(300, 900) * kUsPerMs,
                       [client] { client->send(proto::Kind::kEpisodeStart, "{}"); });
    }
    scheduler_.after(random_.between(700, 2'500) * kUsPerMs, [this, client] { turn(*client); });
  }
}

void Script::turn(Client& client) {
  if (over_ || scheduler_.now_us() > show_us_) return;
  switch (client.spec().role) {
    case proto::Role::kViewer:
      viewer(client);
      break;
    case proto::Role::kPlayer:
      player(client);
      break;
    case proto::Role::kGm:
      gm(client);
      break;
    case proto::Role::kProducer:
      producer(client);
      break;
  }
  const int64_t pace_ms = client.spec().role == proto::Role::kViewer ? 500 : 450;
  scheduler_.after(random_.between(20, 2 * pace_ms) * kUsPerMs, [this, &client] { turn(client); });
}

// Mostly in a poll that this person sees open; sometimes in any, too early or too late.
std::string Script::poll_to_vote_in(const Client& client) {
  std::vector<std::string> open;
  const auto polls = client.view().find("polls");
  if (polls != client.view().end() && random_.below(8) != 0) {
    for (const auto& [id, entity] : polls->second) {
      const bool late =
          client.spec().behind_ms > 0 && entity.find("\"state\":\"closing\"") != std::string::npos;
      if (late || entity.find("\"state\":\"open\"") != std::string::npos) open.push_back(id);
    }
  }
  if (!open.empty()) return open[random_.below(open.size())];
  return std::string(kPolls[random_.below(kPolls.size())]);
}

void Script::vote(Client& client) {
  const std::string poll = poll_to_vote_in(client);
  const uint64_t options = poll == "many" ? 4 : poll == "fork" || poll == "long" ? 3 : 2;
  uint32_t mask = 1u << random_.below(options);
  if (poll == "many" && random_.below(2) == 0) mask |= 1u << random_.below(options);
  if (random_.below(12) == 0) mask = 0;         // withdraws
  if (random_.below(40) == 0) mask = 1u << 31;  // no such option
  client.vote(poll, mask);
}

void Script::viewer(Client& client) {
  const uint64_t what = random_.below(20);
  if (what < 13) return vote(client);
  if (what < 15) {
    client.send(proto::Kind::kChatSay, "{\"text\":\"hello " + std::to_string(++made_) + "\"}");
  } else if (what < 17) {
    client.send_lossy(proto::Kind::kEmote, "{\"e\":\"heart\",\"n\":2}");
  } else if (what == 17) {
    client.send(proto::Kind::kCharHp, "{\"char\":\"aria\",\"delta\":-1}");  // forbidden
  } else if (what == 18) {
    client.send_raw("{\"t\":\"no such thing\"}");
  } else if (random_.below(3) == 0) {
    // A page that is reloaded, or a phone that loses its network.
    if (random_.below(2) == 0) client.forget_resume();
    client.drop_connection(random_.between(1, 5'000) * kUsPerMs);
  }
}

void Script::player(Client& client) {
  const std::string& mine = client.spec().characters.front();
  switch (random_.below(9)) {
    case 0:
    case 1:
    case 2: {
      std::string nonce = hex_u64(random_.next());
      client.send(proto::Kind::kDiceRoll, "{\"expr\":\"2d20kh+3\",\"nonce\":" + quoted(nonce) +
                                              ",\"char\":" + quoted(mine) + "}");
      return;
    }
    case 3:
    case 4:
      client.send(proto::Kind::kCharHp, "{\"char\":" + quoted(mine) + ",\"delta\":" +
                                            std::to_string(random_.between(-4, 3)) + "}");
      return;
    case 5:
      client.send(proto::Kind::kCharItem,
                  "{\"char\":" + quoted(mine) + ",\"item\":\"potion\",\"delta\":1}");
      return;
    case 6:
      client.send(proto::Kind::kCharHp, "{\"char\":\"ogre\",\"delta\":-1}");  // not theirs
      return;
    case 7:
      if (random_.below(4) == 0) client.drop_connection(random_.between(1, 3'000) * kUsPerMs);
      return;
    default:
      return vote(client);
  }
}

void Script::gm(Client& client) {
  const std::string poll(kPolls[random_.below(kPolls.size())]);
  switch (random_.below(16)) {
    case 14:
      client.send(proto::Kind::kCaptionSay,
                  "{\"text\":" + quoted("line " + std::to_string(++made_)) + ",\"lang\":\"en\"}");
      return;
    case 0:
    case 1:
    case 2:
    case 3:
      client.send(proto::Kind::kPollOpen, "{\"poll\":" + quoted(poll) + "}");
      return;
    case 13:
      // A poll that was made live, or one that is not there.
      client.send(proto::Kind::kPollOpen,
                  "{\"poll\":\"new" + std::to_string(random_.below(polls_made_ + 1)) + "\"}");
      return;
    case 4:
      client.send(proto::Kind::kPollClose, "{\"poll\":" + quoted(poll) + "}");
      return;
    case 5:
      client.send(proto::Kind::kSceneGo,
                  random_.below(2) == 0 ? "{\"scene\":\"crypt\"}" : "{\"scene\":\"hall\"}");
      return;
    case 6:
      client.send(proto::Kind::kStoryChoose, "{\"choice\":\"left\"}");
      return;
    case 7:
      client.send(proto::Kind::kCharHp,
                  "{\"char\":\"ogre\",\"delta\":" + std::to_string(random_.between(-9, 4)) + "}");
      return;
    case 8:
      client.send(proto::Kind::kDiceRoll,
                  "{\"expr\":\"1d20\",\"nonce\":" + quoted(hex_u64(random_.next())) +
                      ",\"secret\":true,\"reason\":\"zq-secret\"}");
      return;
    case 9:
      client.send(proto::Kind::kTimerStart, "{\"id\":\"breath\",\"seconds\":2}");
      return;
    case 10:
      client.send(proto::Kind::kCharCond, "{\"char\":\"bo\",\"cond\":\"poisoned\",\"on\":true}");
      return;
    case 11:
      client.send(proto::Kind::kPollCreate,
                  "{\"poll\":\"new" + std::to_string(++polls_made_) +
                      "\",\"title\":\"Made live\",\"options\":[\"x\",\"y\"],\"seconds\":2}");
      return;
    case 12:
      if (random_.below(4) == 0) client.drop_connection(random_.between(1, 3'000) * kUsPerMs);
      return;
    default:
      client.send(proto::Kind::kCharField, "{\"char\":\"aria\",\"field\":\"level\",\"value\":" +
                                               std::to_string(random_.below(20)) + "}");
      return;
  }
}

void Script::producer(Client& client) {
  switch (random_.below(9)) {
    case 3:
      client.send(proto::Kind::kModMute, "{\"who\":" + quoted(who_is_("viewer-1")) +
                                             ",\"seconds\":" + std::to_string(random_.below(3)) +
                                             "}");
      return;
    case 4:
      if (random_.below(6) != 0) return;
      client.send(proto::Kind::kModBan, "{\"who\":" + quoted(who_is_("viewer-2")) + "}");
      return;
    case 0:
      client.send(proto::Kind::kSlate, "{\"on\":true,\"text\":\"Back soon\"}");
      return;
    case 1:
      client.send(proto::Kind::kChatSlow, "{\"seconds\":" + std::to_string(random_.below(3)) + "}");
      return;
    case 2:
      client.send(proto::Kind::kPollOpen, "{\"poll\":\"fork\"}");
      return;
    default:
      return;
  }
}

void Script::end() {
  over_ = true;
  for (Client* client : clients_) {
    if (client->spec().role == proto::Role::kGm) {
      for (const auto poll : kPolls) {
        client->send(proto::Kind::kPollClose, "{\"poll\":" + quoted(poll) + "}");
      }
    }
    if (client->spec().role == proto::Role::kProducer && random_.below(3) == 0) {
      client->send(proto::Kind::kEpisodeEnd, "{}");
    }
  }
}

}  // namespace footlight::sim
