// A broadcast of the node beside a bare loop of send() on the same sockets: what the way from a
// tally to thousands of connections costs beyond the kernel's part.
//
// The node runs in this process with one thread; its side of each connection is found among the
// process's descriptors. Turn by turn, at the same pace and with frames of the same size, the node
// broadcasts tallies and this thread sends; both are measured as CPU time of the thread that sends.
//
//   fan_out [CONNECTIONS] [ROUNDS]       prints one JSON object
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "core/json.h"
#include "edge/config.h"
#include "edge/node.h"
#include "gate/token.h"
#include "net/asio/http_client.h"
#include "net/asio/shard.h"
#include "net/asio/system.h"

namespace footlight {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSecret = "a secret of the benchmark, of 32 bytes or more";
constexpr const char* kDefinition =
    R"({"footlight":1,"title":"Bench","scenes":{"a":{"title":"A","polls":["fork"]}},)"
    R"("polls":{"fork":{"title":"Which way?","options":["left","right"],"seconds":3600}}})";
constexpr MonoUs kTickUs = 100 * kUsPerMs;
constexpr int kTicksPerRound = 20;
constexpr MonoUs kVoteEveryUs = 25 * kUsPerMs;

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "fan_out: %s\n", why.c_str());
  std::exit(1);
}

std::string token_of(const std::string& sub, proto::Role role) {
  gate::Claims claims;
  claims.sub = sub;
  claims.episode = "bench";
  claims.role = role;
  claims.name = sub;
  claims.expires_s = net::SystemClock().wall_ms() / 1000 + 3600;
  return gate::mint_token(claims, "dev", *gate::hs256_signer(kSecret)).value();
}

// RFC 6455 section 5.2, with a mask of zeros.
std::string masked(std::string_view text) {
  std::string frame = "\x81";
  if (text.size() < 126) {
    frame += static_cast<char>(0x80 | text.size());
  } else {
    frame += static_cast<char>(0x80 | 126);
    frame += static_cast<char>(text.size() >> 8);
    frame += static_cast<char>(text.size() & 0xff);
  }
  return frame.append(4, '\0').append(text);
}

// Reads everything from all client sides, on a thread of its own, and forgets it.
class Readers {
 public:
  static constexpr int kEvents = 512;
  Readers() : epoll_(epoll_create1(EPOLL_CLOEXEC)), thread_([this] { run(); }) {}
  ~Readers() {
    stop_ = true;
    thread_.join();
    for (const int fd : fds_) ::close(fd);
    ::close(epoll_);
  }
  int open(uint16_t port, const std::string& token, uint64_t cid) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) die("cannot connect");
    char name[17];
    std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(cid));
    const std::string all =
        "GET /v1/ws HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: footlight.v1\r\n\r\n" +
        masked(R"({"t":"hello","v":1,"token":")" + token + R"(","cid":")" + name + R"("})");
    if (::send(fd, all.data(), all.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(all.size())) {
      die("cannot send");
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    fds_.push_back(fd);
    return fd;
  }
  uint64_t bytes() const { return bytes_; }

 private:
  void run() {
    std::vector<char> buffer(256 * 1024);
    epoll_event events[kEvents];
    // Now and then instead of at once: a send() that has to wake a reader on another core would be
    // measured with it.
    while (!stop_) {
      const int count = ::epoll_wait(epoll_, events, kEvents, 0);
      for (int i = 0; i < count; ++i) {
        const auto got = ::recv(events[i].data.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got > 0) bytes_ += static_cast<uint64_t>(got);
        if (got == 0) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, events[i].data.fd, nullptr);
      }
      if (count < kEvents) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  int epoll_;
  std::vector<int> fds_;
  std::atomic<uint64_t> bytes_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// The node's side of each connection: descriptors of this process whose own port is the node's.
std::vector<int> server_sides(uint16_t port) {
  std::vector<int> out;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    const int fd = std::atoi(entry.path().filename().c_str());
    sockaddr_in own{};
    sockaddr_in peer{};
    socklen_t size = sizeof own;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) != 0) continue;
    size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
    if (own.sin_family == AF_INET && ntohs(own.sin_port) == port) out.push_back(fd);
  }
  return out;
}

// The node's one serving thread, by its name.
int shard_thread() {
  for (const auto& entry : fs::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(entry.path() / "comm") >> name;
    if (name == "shard-0") return std::atoi(entry.path().filename().c_str());
  }
  die("no thread shard-0");
}

double thread_cpu_us(int thread) {
  double ns = 0;
  std::ifstream("/proc/self/task/" + std::to_string(thread) + "/schedstat") >> ns;
  return ns / 1000;
}

double own_cpu_us() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

class Bench {
 public:
  explicit Bench(uint32_t connections) : wanted_(connections) {
    // In memory where there is such a place: a slow sync would only thin out the tallies.
    std::string path = fs::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
    path += "/footlight-fan-out-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) die("no directory for the log");
    directory_ = path;
    edge::NodeOptions made;
    std::vector<edge::Setting> settings = {{"server.port", "0"},
                                           {"server.threads", "1"},
                                           {"data.dir", directory_},
                                           {"limits.idle_ms", "3600000"}};
    for (const char* what : {"vote", "join"}) {
      for (const char* scope : {"connection", "voter", "prefix", "episode"}) {
        settings.emplace_back("limits." + std::string(what) + "." + scope, "unlimited");
      }
    }
    if (!edge::load_config("", settings, made.config).empty()) die("bad configuration");
    made.dev_secret = kSecret;
    made.episodes = {{"bench", kDefinition}};
    auto node = edge::Node::start(std::move(made));
    if (!node) die(node.error().message());
    node_ = std::move(*node);
  }
  ~Bench() {
    node_.reset();
    fs::remove_all(directory_);
  }

  void fill() {
    for (const char* command :
         {R"({"k":"episode.start","a":{}})", R"({"k":"poll.open","a":{"poll":"fork"}})"}) {
      net::HttpCall call;
      call.method = "POST";
      call.url = node_->url() + "/v1/episodes/bench/commands";
      call.headers = {{"Authorization", "Bearer " + token_of("boss", proto::Role::kProducer)}};
      call.body = command;
      const auto answer = net::http_call(call);
      if (!answer || answer->status != 200) die("a command was refused");
    }
    for (uint32_t k = 0; k < wanted_; ++k) {
      const int fd = readers_.open(node_->port(),
                                   token_of("v" + std::to_string(k), proto::Role::kViewer), k + 1);
      if (k == 0) voter_ = fd;
    }
    const MonoUs until_us = clock_.now_us() + 60 * kUsPerSecond;
    while (metric("footlight_sessions{role=\"viewer\"}") < wanted_) {
      if (clock_.now_us() > until_us) die("not all connected");
      wait_until(clock_.now_us() + 50 * kUsPerMs);
    }
    wait_until(clock_.now_us() + kUsPerSecond);
    sides_ = server_sides(node_->port());
    if (sides_.size() < wanted_) die("not all of the node's sockets were found");
    thread_ = shard_thread();
  }

  // Microseconds of the node's thread a delivery. Votes keep the tally moving, one tick after
  // another.
  double ours() {
    const uint64_t before = deliveries();
    const uint64_t bytes = readers_.bytes();
    const double cpu_before = thread_cpu_us(thread_);
    const MonoUs from_us = clock_.now_us();
    for (MonoUs at = 0; at < kTicksPerRound * kTickUs; at += kVoteEveryUs) {
      wait_until(from_us + at);
      ++n_;
      const std::string vote =
          masked(R"({"t":"ev","e":[{"i":)" + std::to_string(n_) +
                 R"(,"k":"poll.vote","a":{"poll":"fork","choice":[)" + std::to_string(n_ % 2) +
                 R"(],"n":)" + std::to_string(n_) + "}}]}");
      (void)!::send(voter_, vote.data(), vote.size(), MSG_NOSIGNAL);
    }
    wait_until(clock_.now_us() + 2 * kTickUs);
    const double cpu_us = thread_cpu_us(thread_) - cpu_before;
    const uint64_t delivered = deliveries() - before;
    if (delivered < uint64_t{wanted_} * kTicksPerRound / 2) {
      die("the node broadcast only " + std::to_string(delivered) + " frames, " +
          std::to_string(cpu_us / 1000) + " ms CPU");
    }
    frame_bytes_ = (readers_.bytes() - bytes) / delivered;
    return cpu_us / static_cast<double>(delivered);
  }

  // Microseconds of this thread a send().
  double bare() {
    const std::string frame(frame_bytes_, 'x');
    uint64_t sent = 0;
    double cpu_us = 0;
    const MonoUs from_us = clock_.now_us();
    for (int tick = 0; tick < kTicksPerRound; ++tick) {
      wait_until(from_us + tick * kTickUs);
      const double before = own_cpu_us();
      for (const int fd : sides_) {
        sent += ::send(fd, frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0 ? 1 : 0;
      }
      cpu_us += own_cpu_us() - before;
    }
    wait_until(clock_.now_us() + 2 * kTickUs);
    if (sent != sides_.size() * kTicksPerRound) die("a bare send() failed");
    return cpu_us / static_cast<double>(sent);
  }
  uint64_t frame_bytes() const { return frame_bytes_; }

 private:
  void wait_until(MonoUs at_us) const {
    const MonoUs left_us = at_us - clock_.now_us();
    if (left_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(left_us));
  }
  uint64_t metric(const std::string& series) const {
    const auto answer = net::http_call({.url = node_->url() + "/metrics"});
    if (!answer) die("no metrics");
    const size_t at = answer->body.find("\n" + series + " ");
    if (at == std::string::npos) return 0;
    return static_cast<uint64_t>(std::atof(answer->body.c_str() + at + series.size() + 2));
  }
  uint64_t deliveries() const { return metric("footlight_frames_total{direction=\"transmit\"}"); }

  uint32_t wanted_;
  net::SystemClock clock_;
  std::string directory_;
  std::unique_ptr<edge::Node> node_;
  Readers readers_;
  std::vector<int> sides_;
  int voter_ = -1;
  int thread_ = 0;
  uint64_t n_ = 0;
  uint64_t frame_bytes_ = 0;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace
}  // namespace footlight

int main(int argc, char** argv) {
  using namespace footlight;
  const auto connections = static_cast<uint32_t>(argc > 1 ? std::atoi(argv[1]) : 5'000);
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  if (connections == 0 || rounds <= 0) die("fan_out [CONNECTIONS] [ROUNDS]");
  if (!net::raise_descriptor_limit(2 * uint64_t{connections} + 500)) die("too few descriptors");
  Bench bench(connections);
  bench.fill();
  (void)bench.ours();  // to warm up, and for the size of a frame
  (void)bench.bare();
  std::vector<double> ours, bare, ratio;
  for (int round = 0; round < rounds; ++round) {
    ours.push_back(bench.ours());
    bare.push_back(bench.bare());
    ratio.push_back(ours.back() / bare.back());
  }
  std::printf(R"({"connections":%u,"frame_bytes":%llu,"ours_us":%.3f,"bare_us":%.3f,"ratio":%.3f})"
              "\n",
              connections, static_cast<unsigned long long>(bench.frame_bytes()), median(ours),
              median(bare), median(ratio));
  return 0;
}
