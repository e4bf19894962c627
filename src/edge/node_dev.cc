#include "edge/node_dev.h"

#include "core/json.h"
#include "edge/node_keys.h"
#include "gate/token.h"
#include "net/http.h"

namespace footlight::edge {
namespace {

constexpr int64_t kTokenLifeS = 7 * 24 * 3600;
constexpr int kViewers = 3;

class Links {
 public:
  Links(std::string_view episode, std::string_view secret, WallMs now_ms)
      : episode_(episode), signer_(gate::hs256_signer(secret)), now_s_(now_ms / 1000) {}

  void add(std::string page, std::string name, gate::Claims claims) {
    claims.episode = episode_;
    claims.issued_s = now_s_;
    claims.expires_s = now_s_ + kTokenLifeS;
    const auto token = gate::mint_token(claims, kDevKid, *signer_);
    if (!token) return;  // a name the tokens do not take: that person has no link
    std::string path = "/" + page + "/#ep=" + net::percent_encode(episode_) + "&token=" + *token;
    links.push_back({std::move(page), std::move(name), std::move(path)});
  }

  std::vector<Node::Link> links;

 private:
  std::string episode_;
  std::unique_ptr<gate::SignatureSigner> signer_;
  int64_t now_s_;
};

std::vector<std::string> characters_of(const Json& definition, std::string_view account) {
  std::vector<std::string> out;
  for (const auto& [id, character] : definition["characters"].members()) {
    if (character["owner"].as_string() == account && out.size() < gate::kMaxCharacters) {
      out.push_back(id);
    }
  }
  return out;
}

}  // namespace

std::vector<Node::Link> make_dev_links(std::string_view episode, std::string_view definition,
                                       std::string_view dev_secret, WallMs now_ms) {
  const auto parsed = Json::parse(definition);
  if (!parsed) return {};
  Links out(episode, dev_secret, now_ms);
  out.add("console", "Producer",
          {.sub = "producer", .role = proto::Role::kProducer, .name = "Producer"});
  bool has_gm = false;
  for (const auto& [account, person] : (*parsed)["cast"].members()) {
    const auto role = proto::parse_role(person["role"].as_string());
    gate::Claims claims{.sub = account, .role = role.value_or(proto::Role::kPlayer)};
    claims.name = person["name"].as_string();
    if (claims.name.empty()) claims.name = account.substr(0, 64);
    claims.characters = characters_of(*parsed, account);
    has_gm = has_gm || claims.role == proto::Role::kGm;
    const bool directs = claims.role != proto::Role::kPlayer;
    const std::string name = claims.name + " (" + std::string(role_name(claims.role)) + ")";
    if (directs) out.add("console", name, claims);
    if (claims.role != proto::Role::kProducer) out.add("stage", name, claims);
  }
  if (!has_gm) {
    out.add("stage", "Game master", {.sub = "gm", .role = proto::Role::kGm, .name = "Game master"});
  }
  // The last may watch the call itself; the others the program, as large audiences do.
  for (int i = 1; i <= kViewers; ++i) {
    const bool calls = i == kViewers;
    const std::string name = "Viewer " + std::to_string(i);
    gate::Claims claims{.sub = "viewer-" + std::to_string(i), .role = proto::Role::kViewer};
    claims.name = name;
    claims.subscribe = calls;
    out.add("audience", calls ? name + " (by WebRTC)" : name, claims);
  }
  out.add("overlay", "Overlay",
          {.sub = "overlay", .role = proto::Role::kViewer, .name = "Overlay"});
  return std::move(out.links);
}

std::string dev_links_json(const std::vector<Node::Link>& links) {
  std::string out;
  JsonWriter json(out);
  json.object().key("links").array();
  for (const Node::Link& link : links) {
    json.object()
        .field("page", std::string_view(link.page))
        .field("name", std::string_view(link.name))
        .field("url", std::string_view(link.path))
        .end_object();
  }
  json.end_array().end_object();
  return out;
}

}  // namespace footlight::edge
