#include "edge/node_media.h"

#include <algorithm>
#include <future>
#include <utility>

#include "edge/node_shard.h"

namespace footlight::edge {
namespace {

constexpr int kPortAttempts = 8;

rtc::Address reached_at(const net::UdpAddress& address) {
  return {address.ip, address.port, address.v6};
}

const std::string& media_address(const Config& config) {
  return config.media.address.empty() ? config.server.address : config.media.address;
}

// The addresses to bind: "::" is both families, as for TCP.
Result<std::vector<net::UdpAddress>> bind_addresses(const std::string& text) {
  std::vector<net::UdpAddress> out;
  if (text == "::") out.push_back({});
  const auto parsed = net::parse_udp_address(text);
  if (!parsed) return fail(Code::kConfigValue, "media.address: " + text + " is no IP address");
  out.push_back(*parsed);
  return out;
}

// Of which media session a session speaks; "": of none, or of all of its account.
template <class What>
std::string_view session_id_of(const What& what) {
  if constexpr (requires { what.id; }) return what.id;
  return {};
}

}  // namespace

NodeMedia::~NodeMedia() { finish(); }

Result<std::unique_ptr<NodeMedia>> NodeMedia::open(const Config& config, uint16_t http_port,
                                                   const Shards& shards, const Clock& clock,
                                                   Entropy& entropy) {
  std::unique_ptr<NodeMedia> node(
      new NodeMedia(clock, static_cast<size_t>(config.media.max_sessions), shards.homes));
  auto sockets = node->bind(config, http_port, shards.all.size());
  if (!sockets) return std::unexpected(sockets.error());
  // What clients are told depends on whether there is TCP, which is known when its port is bound.
  if (auto status = node->advertise(config, http_port); !status) {
    return std::unexpected(status.error());
  }
  for (size_t i = 0; i < shards.all.size(); ++i) {
    NodeMediaShard::Options options;
    options.index = i;
    options.shards = shards.all.size();
    options.receives = i >= shards.all.size() - shards.homes;
    options.sockets = std::move((*sockets)[i]);
    options.tcp = node->tcp_;
    options.candidates = node->advertised_;
    options.quota = &node->quota_;
    options.listeners = std::exchange(node->listeners_, {});  // the first one's, as HTTP's
    auto made = NodeMediaShard::open(config, std::move(options), *shards.all[i], clock, entropy);
    if (!made) return std::unexpected(made.error());
    node->shards_.push_back(std::move(*made));
  }
  return node;
}

Result<NodeMedia::Sockets> NodeMedia::bind(const Config& config, uint16_t http_port,
                                           size_t shards) {
  const auto addresses = bind_addresses(media_address(config));
  if (!addresses) return std::unexpected(addresses.error());
  const bool chosen = config.media.port == 0 && config.server.port == 0;
  // A port the system chose for TCP may be taken for UDP, and the other way round: then any will do
  // that has both.
  for (int attempt = 1;; ++attempt) {
    port_ = chosen ? 0 : static_cast<uint16_t>(config.media.port ? config.media.port : http_port);
    auto sockets = bind_udp(*addresses, shards);
    tcp_ = config.media.tcp;
    tcp_fault_ = {Code::kOk, {}, 0};
    if (sockets && tcp_ && !shares_http_port(config)) listen(*addresses);
    if (!sockets || tcp_ == config.media.tcp || !chosen || attempt == kPortAttempts) return sockets;
  }
}

Result<NodeMedia::Sockets> NodeMedia::bind_udp(const std::vector<net::UdpAddress>& addresses,
                                               size_t shards) {
  Sockets sockets(shards);
  for (net::UdpAddress address : addresses) {
    address.port = port_;
    net::UdpOptions options;
    options.bind = address;
    auto opened = net::UdpSocket::open_shared(options, homes_count_);
    if (!opened) return std::unexpected(opened.error());
    port_ = opened->front()->port();  // one for all families
    const size_t first = shards - homes_count_;
    for (size_t i = 0; i < first; ++i) {
      auto sender = net::UdpSocket::sender_of(*opened->back());
      if (!sender) return std::unexpected(sender.error());
      sockets[i].push_back(std::move(*sender));
    }
    for (size_t i = first; i < shards; ++i) sockets[i].push_back(std::move((*opened)[i - first]));
  }
  return sockets;
}

bool NodeMedia::shares_http_port(const Config& config) {
  if (!config.media.tcp) return false;
  if (config.media.port != 0 && config.media.port != config.server.port) return false;
  const std::string& at = config.server.address;
  const std::string& wanted = media_address(config);
  return wanted == at || at == "::" || (at == "0.0.0.0" && wanted.find(':') == std::string::npos);
}

// A port that something else has costs media over TCP, not the node.
void NodeMedia::listen(const std::vector<net::UdpAddress>& addresses) {
  for (net::UdpAddress address : addresses) {
    address.port = port_;
    auto opened = net::FramedListener::open(address);
    if (!opened) {
      tcp_fault_ = opened.error();
      tcp_ = false;
      listeners_.clear();
      return;
    }
    listeners_.push_back(std::move(*opened));
  }
}

Status NodeMedia::advertise(const Config& config, uint16_t http_port) {
  const auto addresses = bind_addresses(media_address(config));
  std::vector<net::UdpAddress> told;
  for (const std::string& text : config.media.advertise) {
    const auto address = net::parse_udp_address(text);
    if (!address) return fail(Code::kConfigValue, "media.advertise: " + text);
    told.push_back(*address);
  }
  if (told.empty()) {
    for (const net::UdpAddress& address : *addresses) {
      std::ranges::move(net::reachable_addresses(address), std::back_inserter(told));
    }
  }
  for (net::UdpAddress address : told) {
    rtc::Address reached = reached_at(address);
    if (address.port == 0) reached.port = port_;
    advertised_.udp.push_back(reached);
    if (!tcp_) continue;
    if (address.port == 0 && shares_http_port(config)) reached.port = http_port;
    advertised_.tcp.push_back(reached);
  }
  return {};
}

void NodeMedia::begin(const std::vector<NodeShard*>& edges,
                      const std::vector<NodeEpisode*>& episodes) {
  episodes_ = episodes;
  for (const NodeEpisode* episode : episodes) homes_[episode->id()] = kNowhere;
  std::vector<NodeMediaShard*> all;
  for (const auto& shard : shards_) all.push_back(shard.get());
  for (const auto& shard : shards_) shard->begin(edges, all);
}

// A compositor lives beside the sessions of its episode: with them homes are settled at once, one
// after another.
void NodeMedia::begin_programs(const Config& config, const ProgramSinkMaker& maker) {
  if (!config.program.enabled) return;
  std::vector<std::vector<NodeEpisode*>> at_home(shards_.size());
  for (NodeEpisode* episode : episodes_) {
    settle(episode->id());
    at_home[homes_.at(episode->id())].push_back(episode);
  }
  for (size_t i = 0; i < shards_.size(); ++i) {
    shards_[i]->begin_programs(config, at_home[i], maker);
  }
}

NodeMediaShard& NodeMedia::home(std::string_view episode) {
  const auto found = homes_.find(std::string(episode));
  const uint32_t at = found == homes_.end() ? kNowhere : found->second.load();
  // Nobody has a session there: any shard can say so.
  return *shards_[at == kNowhere ? 0 : at];
}

NodeMediaShard& NodeMedia::of_session(std::string_view id, std::string_view episode) {
  const auto shard = shard_of_session(id, shards_.size());
  return shards_.size() > 1 && shard ? *shards_[*shard] : home(episode);
}

NodeMediaShard& NodeMedia::settle(std::string_view episode) {
  const auto found = homes_.find(std::string(episode));
  if (found == homes_.end()) return *shards_.front();
  uint32_t at = found->second.load();
  if (at == kNowhere) {
    const auto wanted = static_cast<uint32_t>(least_busy());
    // Of two who come at the same time the first has settled it.
    if (found->second.compare_exchange_strong(at, wanted)) {
      at = wanted;
      shards_[at]->at_home().fetch_add(1);
    }
  }
  return *shards_[at];
}

// By sessions, then by episodes. Of equals the last: owners go round from the first shard on, which
// also accepts connections, so that with few shows their votes and their pictures are on different
// cores.
size_t NodeMedia::least_busy() const {
  size_t best = shards_.size() - 1;
  const auto load = [&](size_t at) {
    return std::pair(shards_[at]->sessions(), shards_[at]->at_home().load());
  };
  for (size_t at = best; at-- > shards_.size() - homes_count_;) {
    if (load(at) < load(best)) best = at;
  }
  return best;
}

void NodeMedia::ask(MediaAsk ask) {
  const bool opens = std::holds_alternative<MediaAsk::Open>(ask.what);
  const std::string_view id =
      std::visit([](const auto& what) { return session_id_of(what); }, ask.what);
  NodeMediaShard& at = opens        ? settle(ask.from.episode)
                       : id.empty() ? home(ask.from.episode)
                                    : of_session(id, ask.from.episode);
  at.shard().post([&at, ask = std::move(ask)]() mutable { at.ask(std::move(ask)); });
}

// It stays where it was accepted until it has said whose it is.
void NodeMedia::adopt(net::FramedSocket socket) {
  const auto here = std::ranges::find_if(
      shards_, [](const auto& each) { return each->shard().on_this_thread(); });
  NodeMediaShard* at = here == shards_.end() ? shards_.front().get() : here->get();
  at->shard().post([at, socket = std::move(socket)]() mutable { at->adopt(std::move(socket)); });
}

std::string NodeMedia::metrics() const {
  MediaCounters sum;
  bool any = false;
  for (const auto& shard : shards_) {
    const auto counters = shard->counters();
    any = any || counters;
    sum += counters ? *counters : MediaCounters{.cpu_s = {0}};
  }
  return any ? media_metrics(sum) : std::string();
}

void NodeMedia::api(ApiCall call, std::string episode, ApiReply reply) {
  if (call.route == ApiRoute::kMediaFigures) {
    return figures(std::move(episode), std::move(reply));
  }
  NodeMediaShard& at = call.route == ApiRoute::kRecord ? settle(episode) : home(episode);
  at.shard().post([&at, call = std::move(call), episode = std::move(episode),
                   reply = std::move(reply)] { reply(at.api(call, episode)); });
}

// The other shards are asked one after another, then the home writes it all.
void NodeMedia::figures(std::string episode, ApiReply reply) {
  struct Asked {
    NodeMedia* node = nullptr;
    std::string episode;
    ApiReply reply;
    size_t next = 0;
    std::vector<std::string> sessions;
    static void go_on(std::shared_ptr<Asked> asked) {
      NodeMedia& node = *asked->node;
      NodeMediaShard& home = node.home(asked->episode);
      if (asked->next < node.shards_.size() && node.shards_[asked->next].get() == &home) {
        ++asked->next;
      }
      const bool all = asked->next >= node.shards_.size();
      NodeMediaShard& at = all ? home : *node.shards_[asked->next++];
      at.shard().post([&at, all, asked = std::move(asked)]() mutable {
        const MonoUs now = asked->node->clock_.now_us();
        if (all) {
          return asked->reply(
              {.body = at.media().figures_json(asked->episode, now, asked->sessions)});
        }
        std::ranges::move(at.media().session_figures(asked->episode, now),
                          std::back_inserter(asked->sessions));
        go_on(std::move(asked));
      });
    }
  };
  auto asked = std::make_shared<Asked>();
  asked->node = this;
  asked->episode = std::move(episode);
  asked->reply = std::move(reply);
  Asked::go_on(std::move(asked));
}

// --- the end

void NodeMedia::drain() {
  for (const auto& shard : shards_) {
    shard->shard().post([at = shard.get()] { at->media().drain(); });
  }
}

size_t NodeMedia::sessions() {
  std::vector<std::future<size_t>> answers;
  for (const auto& shard : shards_) {
    std::promise<size_t> promise;
    answers.push_back(promise.get_future());
    shard->shard().post([at = shard.get(), promise = std::move(promise)]() mutable {
      promise.set_value(at->media().stats().sessions);
    });
  }
  size_t sum = 0;
  for (auto& answer : answers) sum += answer.get();
  return sum;
}

void NodeMedia::end_all() {
  std::vector<std::future<void>> ended;
  for (const auto& shard : shards_) {
    std::promise<void> promise;
    ended.push_back(promise.get_future());
    shard->shard().post([at = shard.get(), promise = std::move(promise)]() mutable {
      at->end_all();
      promise.set_value();
    });
  }
  for (auto& each : ended) each.wait();
}

void NodeMedia::finish() {
  for (const auto& shard : shards_) shard->finish();
}

}  // namespace footlight::edge
