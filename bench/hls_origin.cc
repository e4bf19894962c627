// hls_origin own CLIENTS ROUNDS FOLDER [THREADS]: an origin on one thread of this process (or so
// many), and so many clients on another that each reload a playlist that is not there yet, then
// fetch the part.
// hls_origin bare CLIENTS ROUNDS: the same clients, and instead of an origin a loop of send() with
// an answer of the same size: what the machine alone takes for as many answers.
// hls_origin parked CLIENTS: the memory of so many connections whose reload waits.
// hls_origin static PORT PID ROUNDS CLIENTS: the same requests for the same bytes as files
// of a web server (that FOLDER as its root), whose process is PID.
// hls_origin behind CLIENTS ROUNDS ORIGIN_PORT CACHE_PORT: an origin at the one port that gets a
// part every 533 ms, and clients that follow it live through a cache at the other.
//
// Prints one line of JSON: requests per second of the server's processor time, how long a client
// waited for the playlist once the part existed.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "core/histogram.h"
#include "edge/http_program.h"
#include "hls/internal/test_feed.h"
#include "net/asio/system.h"

namespace footlight {
namespace {

constexpr size_t kVideoBytes = 166'000;  // half a second at 2.5 Mbit/s
constexpr uint64_t kWarmUp = 80;         // parts there before anyone comes

int64_t now_us() { return net::SystemClock().now_us(); }

// Many connections, each with one request under way.
class Clients {
 public:
  Clients(uint16_t port, size_t count) : poll_(::epoll_create1(0)), port_(port) {
    clients_.reserve(kMost);
    connect(count);
  }
  void connect(size_t more) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port_);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = clients_.size(), end = i + more; i < end; ++i) {
      clients_.emplace_back();
      const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) std::perror("connect");
      clients_[i].fd = fd;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      ::epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &event);
    }
  }
  size_t count() const { return clients_.size(); }
  ~Clients() {
    for (const Client& each : clients_) ::close(each.fd);
    ::close(poll_);
  }
  // Of those from the `first` on; the others have asked already.
  void ask(const std::string& path, size_t first = 0) {
    const std::string text =
        "GET " + path + " HTTP/1.1\r\nHost: bench\r\nAccept-Encoding: gzip\r\n\r\n";
    for (size_t i = first; i < clients_.size(); ++i) {
      Client& each = clients_[i];
      each.left = SIZE_MAX;
      each.head.clear();
      if (::send(each.fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) std::perror("send");
    }
    open_ = clients_.size();
  }
  // Until each has its answer; when each had it.
  std::vector<int64_t> take() {
    std::vector<int64_t> times;
    std::array<epoll_event, 256> events;
    while (open_ > 0) {
      const int count = ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()), 10'000);
      if (count <= 0) {
        std::fprintf(stderr, "%zu clients got no answer\n", open_);
        std::exit(1);
      }
      for (int i = 0; i < count; ++i) {
        Client& client = clients_[events[static_cast<size_t>(i)].data.u64];
        if (!read(client)) continue;
        --open_;
        times.push_back(now_us());
      }
    }
    return times;
  }

 private:
  struct Client {
    int fd = -1;
    size_t left = SIZE_MAX;  // of the body; SIZE_MAX: the head is not whole
    std::string head;
  };
  // True when the answer is whole.
  bool read(Client& client) {
    const ssize_t got = ::recv(client.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got <= 0) return false;
    size_t bytes = static_cast<size_t>(got);
    if (client.left == SIZE_MAX) {
      client.head.append(buffer_.data(), bytes);
      const size_t end = client.head.find("\r\n\r\n");
      if (end == std::string::npos) return false;
      if (!client.head.starts_with("HTTP/1.1 200")) {
        std::fprintf(stderr, "%s\n", client.head.substr(0, end).c_str());
        std::exit(1);
      }
      const size_t at = client.head.find("Content-Length: ");
      client.left = std::strtoull(&client.head[at + 16], nullptr, 10);
      bytes = client.head.size() - end - 4;
    }
    client.left -= bytes;
    return client.left == 0;
  }
  static constexpr size_t kMost = 20'000;
  int poll_;
  uint16_t port_;
  std::vector<Client> clients_;
  size_t open_ = 0;
  std::vector<char> buffer_ = std::vector<char>(512 * 1024);
};

class App final : public net::ServerApp {
 public:
  App(edge::HttpProgram& program, net::Shard& shard) : program_(program), shard_(shard) {}
  void on_request(net::HttpRequest request, net::Responder responder) override {
    program_.handle(shard_, request, std::move(responder));
  }
  void on_open(net::Connection&, const net::HttpRequest&) override {}
  void on_message(net::Connection&, std::string_view) override {}
  void on_fault(net::Connection&, Code) override {}
  void on_writable(net::Connection&) override {}
  void on_closed(net::Connection&) override {}

 private:
  edge::HttpProgram& program_;
  net::Shard& shard_;
};

struct Outcome {
  uint64_t requests = 0;
  double cpu_s = 0, wall_s = 0;
  Histogram waits;
  void add_waits(const std::vector<int64_t>& times, int64_t from_us) {
    for (const int64_t at : times) {
      waits.record(static_cast<uint64_t>(std::max<int64_t>(at - from_us, 0)));
    }
  }
  void print() const {
    std::printf(
        "{\"requests\": %llu, \"per_cpu_s\": %.0f, \"wall_s\": %.3f, \"wait_p50_ms\": %.3f, "
        "\"wait_p99_ms\": %.3f}\n",
        static_cast<unsigned long long>(requests), static_cast<double>(requests) / cpu_s, wall_s,
        static_cast<double>(waits.quantile(500)) / 1e3,
        static_cast<double>(waits.quantile(990)) / 1e3);
  }
};

struct Own {
  net::SystemClock clock;
  std::vector<std::unique_ptr<net::Shard>> shards;
  hls::Hello hello = hls::make_hello();
  std::unique_ptr<edge::HttpProgram> programs;
  std::vector<std::unique_ptr<App>> apps;
  std::unique_ptr<net::Server> server;

  explicit Own(uint16_t port = 0, int threads = 1) {
    edge::HttpProgramOptions options;
    options.clock = &clock;
    programs = std::make_unique<edge::HttpProgram>(std::move(options));
    std::vector<net::Shard*> all;
    std::vector<net::ServerApp*> served;
    for (int i = 0; i < threads; ++i) {
      shards.push_back(std::make_unique<net::Shard>(i));
      all.push_back(shards.back().get());
    }
    programs->begin(all, {"show"});
    for (net::Shard* shard : all) {
      apps.push_back(std::make_unique<App>(*programs, *shard));
      served.push_back(apps.back().get());
    }
    net::ServerOptions listening;
    listening.port = port;
    server = std::move(*net::Server::listen(listening, all, served));
    for (net::Shard* shard : all) shard->start();
    on_shard([&](edge::Program& to) {
      (void)to.hello(hello);
      for (uint32_t i = 0; i < 3; ++i)
        (void)to.init(i, hls::make_init(hello.renditions[i].timescale));
    });
    for (uint64_t n = 0; n < kWarmUp; ++n) feed(n);
  }
  ~Own() {
    for (const auto& shard : shards) {
      shard->stop();
      shard->join();
    }
    programs.reset();
  }
  void on_shard(std::function<void(edge::Program&)> job, size_t shard = 0) {
    std::promise<void> done;
    shards[shard]->post([&] {
      job(*programs->find("show"));
      done.set_value();
    });
    done.get_future().wait();
  }
  // Part `n` of every rendition; when the first of them was there.
  int64_t feed(uint64_t n) {
    std::vector<hls::PartUnit> units;
    for (uint32_t i = 0; i < 3; ++i) {
      units.push_back(hls::make_part(hello, i, n, 0, i == 0 ? kVideoBytes : 20'000));
    }
    int64_t at = 0;
    on_shard([&](edge::Program& to) {
      at = now_us();
      for (auto& unit : units) {
        if (!to.part(std::move(unit))) std::abort();
      }
    });
    return at;
  }
  double cpu_s() {
    double out = 0;
    for (size_t i = 0; i < shards.size(); ++i) {
      on_shard([&](edge::Program&) { out += net::thread_cpu_s(); }, i);
    }
    return out;
  }
};

std::string list_path(uint64_t n) {
  return "/v1/program/show/e1/v720.m3u8?_HLS_msn=" + std::to_string(n / 4) +
         "&_HLS_part=" + std::to_string(n % 4) + "&_HLS_skip=YES";
}
std::string part_path(uint64_t n) {
  return "/v1/program/show/e1/v720/" + hls::part_name(n / 4, static_cast<uint32_t>(n % 4));
}

void save(const std::string& folder, const std::string& name, const std::string& bytes) {
  std::ofstream(folder + "/" + name, std::ios::binary) << bytes;
}

void settle() { std::this_thread::sleep_for(std::chrono::milliseconds(400)); }

void run_own(size_t count, uint64_t rounds, const std::string& folder, int threads) {
  Own own(0, threads);
  Clients clients(own.server->port(), count);
  clients.ask(part_path(kWarmUp - 1));  // every connection has answered once
  clients.take();
  Outcome outcome;
  const double cpu = own.cpu_s();
  const int64_t began = now_us();
  for (uint64_t n = kWarmUp; n < kWarmUp + rounds; ++n) {
    settle();
    clients.ask(list_path(n));
    settle();
    std::promise<int64_t> at;
    std::thread feeder([&] { at.set_value(own.feed(n)); });
    outcome.add_waits(clients.take(), at.get_future().get());
    feeder.join();
    clients.ask(part_path(n));
    clients.take();
    outcome.requests += 2 * count;
  }
  outcome.wall_s = static_cast<double>(now_us() - began) / 1e6;
  outcome.cpu_s = own.cpu_s() - cpu;
  // The same bytes for a server of files.
  for (uint64_t n = kWarmUp; n < kWarmUp + rounds; ++n) {
    save(folder, "part" + std::to_string(n),
         *hls::make_part(own.hello, 0, n, 0, kVideoBytes).bytes);
  }
  std::string list(1'400, '#');  // about what a packed delta update is
  own.on_shard([&](edge::Program& to) {
    auto request = *hls::parse_request("e1/v720.m3u8", "_HLS_skip=YES");
    request.gzip = true;
    to.get(0, request, [&](hls::Reply reply) {
      if (reply.resource) list = reply.resource->body.joined();
    });
  });
  for (uint64_t n = kWarmUp; n < kWarmUp + rounds; ++n) {
    save(folder, "list" + std::to_string(n), list);
  }
  outcome.print();
}

void run_behind(size_t count, uint64_t rounds, uint16_t port, uint16_t cache) {
  Own own(port);
  Clients clients(cache, count);
  Outcome outcome;
  const uint64_t requests = own.server->counters().requests;
  auto due = std::chrono::steady_clock::now();
  for (uint64_t n = kWarmUp; n < kWarmUp + rounds; ++n) {
    due += std::chrono::microseconds(533'333);
    clients.ask(list_path(n));
    std::promise<int64_t> at;
    std::thread feeder([&] {
      std::this_thread::sleep_until(due);
      at.set_value(own.feed(n));
    });
    outcome.add_waits(clients.take(), at.get_future().get());
    feeder.join();
    clients.ask(part_path(n));
    clients.take();
    outcome.requests += 2 * count;
  }
  const uint64_t reached = own.server->counters().requests - requests;
  std::printf(
      "{\"requests\": %llu, \"origin_requests\": %llu, \"per_thing\": %.3f, "
      "\"wait_p50_ms\": %.3f, \"wait_p99_ms\": %.3f}\n",
      static_cast<unsigned long long>(outcome.requests), static_cast<unsigned long long>(reached),
      static_cast<double>(reached) / static_cast<double>(2 * rounds),
      static_cast<double>(outcome.waits.quantile(500)) / 1e3,
      static_cast<double>(outcome.waits.quantile(990)) / 1e3);
}

void run_bare(size_t count, uint64_t rounds) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 ||
      ::listen(listener, 4096) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
    std::perror("listen");
    std::exit(1);
  }
  Clients clients(ntohs(at.sin_port), count);
  std::vector<int> peers;
  for (size_t i = 0; i < count; ++i) {
    peers.push_back(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK));
    const int on = 1;
    ::setsockopt(peers.back(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  const std::string reply =
      "HTTP/1.1 200 OK\r\nContent-Length: 1400\r\nX: " + std::string(300, 'h') + "\r\n\r\n" +
      std::string(1'400, '#');
  Outcome outcome;
  std::vector<char> buffer(64 * 1024);
  for (uint64_t n = 0; n < rounds; ++n) {
    clients.ask(list_path(n));
    settle();
    for (const int peer : peers) (void)!::recv(peer, buffer.data(), buffer.size(), 0);
    std::promise<std::pair<int64_t, double>> told;
    std::thread sender([&] {
      const int64_t began = now_us();
      const double cpu = net::thread_cpu_s();
      for (const int peer : peers) (void)!::send(peer, reply.data(), reply.size(), MSG_NOSIGNAL);
      told.set_value({began, net::thread_cpu_s() - cpu});
    });
    const auto times = clients.take();
    const auto [began, cpu] = told.get_future().get();
    sender.join();
    outcome.add_waits(times, began);
    outcome.cpu_s += cpu;
    outcome.requests += count;
  }
  for (const int peer : peers) ::close(peer);
  ::close(listener);
  outcome.print();
}

// Resident memory of this process, bytes.
uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

void run_parked(size_t count) {
  constexpr size_t kOthers = 400;  // descriptors
  const auto most = net::raise_descriptor_limit(1);
  if (most && *most < 2 * count + kOthers) count = (*most - kOthers) / 2;
  Own own;
  const auto waiting = [&] {
    uint64_t out = 0;
    own.on_shard([&](edge::Program& to) { out = to.waiting(0); });
    return out;
  };
  // Its own buffers are there before, and the pages of what is freed are not given back meanwhile.
  Clients clients(own.server->port(), 0);
  const auto park = [&](size_t more) {
    clients.connect(more);
    clients.ask(list_path(kWarmUp), clients.count() - more);
    for (int i = 0; waiting() < clients.count(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      if (i < 1'500) continue;
      std::fprintf(stderr, "not all of them wait\n");
      std::exit(1);
    }
  };
  park(count / 10);
  const uint64_t before = resident_bytes();
  const size_t first = clients.count();
  park(count - first);
  const uint64_t after = resident_bytes();
  own.feed(kWarmUp);
  clients.take();
  std::printf("{\"parked\": %zu, \"bytes_each\": %.0f}\n", clients.count(),
              static_cast<double>(after - before) / static_cast<double>(clients.count() - first));
}

// User and system time of a process, seconds.
double cpu_of(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  const std::string all(std::istreambuf_iterator<char>(file), {});
  const size_t close = all.rfind(')');
  unsigned long long user = 0, system = 0;
  if (close == std::string::npos ||
      std::sscanf(&all[close + 1], " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
                  &system) != 2) {
    return 0;
  }
  return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

void run_static(uint16_t port, const std::string& pid, uint64_t rounds, size_t count) {
  Clients clients(port, count);
  clients.ask("/part" + std::to_string(kWarmUp));
  clients.take();
  Outcome outcome;
  const double cpu = cpu_of(pid);
  const int64_t began = now_us();
  for (uint64_t n = kWarmUp; n < kWarmUp + rounds; ++n) {
    settle();  // at the pace of a stream, as run_own: who rests finds its caches cold
    const int64_t asked = now_us();
    clients.ask("/list" + std::to_string(n));
    outcome.add_waits(clients.take(), asked);
    settle();
    clients.ask("/part" + std::to_string(n));
    clients.take();
    outcome.requests += 2 * count;
  }
  outcome.wall_s = static_cast<double>(now_us() - began) / 1e6;
  outcome.cpu_s = cpu_of(pid) - cpu;
  outcome.print();
}

}  // namespace
}  // namespace footlight

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "own" && (argc == 5 || argc == 6)) {
    footlight::run_own(std::strtoul(argv[2], nullptr, 10), std::strtoul(argv[3], nullptr, 10),
                       argv[4], argc == 6 ? std::atoi(argv[5]) : 1);
  } else if (mode == "bare" && argc == 4) {
    footlight::run_bare(std::strtoul(argv[2], nullptr, 10), std::strtoul(argv[3], nullptr, 10));
  } else if (mode == "parked" && argc == 3) {
    footlight::run_parked(std::strtoul(argv[2], nullptr, 10));
  } else if (mode == "behind" && argc == 6) {
    footlight::run_behind(std::strtoul(argv[2], nullptr, 10), std::strtoul(argv[3], nullptr, 10),
                          static_cast<uint16_t>(std::atoi(argv[4])),
                          static_cast<uint16_t>(std::atoi(argv[5])));
  } else if (mode == "static" && argc == 6) {
    footlight::run_static(static_cast<uint16_t>(std::atoi(argv[2])), argv[3],
                          std::strtoul(argv[4], nullptr, 10), std::strtoul(argv[5], nullptr, 10));
  } else {
    return 2;
  }
  return 0;
}
