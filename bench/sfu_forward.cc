// sfu_forward [VIEWERS] [SECONDS]: what it costs the SFU to forward, on real sockets over loopback,
// beside a bare loop that encrypts and sends the same packets in the same bursts. Prints one JSON
// object.
//
// One thread plays everything in turns, on virtual time, and counts its CPU time only while it is
// the server: receiving, decrypting, the room, encrypting, sending, timers and feedback. The
// clients (a handshake each, every packet decrypted, transport feedback every 100 ms) are not
// counted, but they do empty the caches. The delay is the time, on that same clock, from taking a
// turn's first packet from the socket to having handed a viewer's packets to the kernel; it is
// measured with half as many viewers. Memory is what the server has taken and not given back;
// allocations are those while media flows, OpenSSL's included.
#include <malloc.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "../tests/rtc/media_client.h"
#include "edge/media.h"
#include "net/asio/datagrams.h"
#include "sfu_bare.h"

namespace {

// --- what the server takes from the heap
bool serving = false;
int64_t allocations = 0, live_bytes = 0;

void* count(void* memory) {
  if (serving && memory) {
    ++allocations;
    live_bytes += static_cast<int64_t>(malloc_usable_size(memory));
  }
  return memory;
}
void release(void* memory) {
  if (serving && memory) live_bytes -= static_cast<int64_t>(malloc_usable_size(memory));
  std::free(memory);
}
void* ssl_malloc(size_t size, const char*, int) {
  return size ? count(std::malloc(size)) : nullptr;
}
void ssl_free(void* memory, const char*, int) { release(memory); }
void* ssl_realloc(void* memory, size_t size, const char*, int) {
  if (serving && memory) live_bytes -= static_cast<int64_t>(malloc_usable_size(memory));
  return count(std::realloc(memory, size));
}

}  // namespace

void* operator new(size_t size) {
  if (void* memory = count(std::malloc(size))) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, size_t) noexcept { release(memory); }

namespace {

using namespace footlight;
using rtc::MediaClient;
using namespace sfu_bench;

constexpr size_t kTalkers = 10;
constexpr MonoUs kFrameUs = 33'333, kVoiceUs = 20'000, kTickUs = 5'000, kFeedbackUs = 100'000;

net::UdpAddress address_of(const net::UdpSocket& socket) {
  net::UdpAddress address = loopback().bind;
  address.port = socket.port();
  return address;
}

// Up to a batch of datagrams at once.
class Inbox {
 public:
  Inbox() : memory_(net::UdpSocket::kBatch * 1600), slots_(net::UdpSocket::kBatch) {
    for (size_t i = 0; i < slots_.size(); ++i) {
      slots_[i].memory = std::span(memory_).subspan(i * 1600, 1600);
    }
  }
  template <class Take>
  void drain(net::UdpSocket& socket, Take&& take) {
    while (const size_t count = socket.receive(slots_)) {
      for (size_t i = 0; i < count; ++i) take(slots_[i].memory.first(slots_[i].size));
      if (count < slots_.size()) return;
    }
  }

 private:
  std::vector<uint8_t> memory_;
  std::vector<net::UdpSlot> slots_;
};

class Server {
 public:
  explicit Server(std::shared_ptr<const rtc::DtlsIdentity> identity) : entropy_(1) {
    edge::MediaOptions options;
    options.identity = std::move(identity);
    options.candidates.udp = {rtc::Address::v4(127, 0, 0, 1, socket_->port())};
    options.bandwidth.start_bps = 6'000'000;
    media_ = std::make_unique<edge::Media>(options, entropy_);
    media_->out().set_drain(size_t{64} * 1024, [this] { send(); });  // as the node does
    delays_.resize(kMostDelayUs);
    packets_.resize(net::UdpSocket::kBatch);
    slots_.resize(net::UdpSocket::kBatch);
  }

  // Takes what came, forwards and sends it.
  void turn(MonoUs now) {
    const Counted counted(*this);
    for (;;) {
      turn_began_ = cpu_s();
      for (size_t i = 0; i < slots_.size(); ++i) {
        if (!packets_[i]) packets_[i] = media_->take();
        slots_[i].memory = packets_[i]->buffer;
      }
      const size_t count = socket_->receive(slots_);
      for (size_t i = 0; i < count; ++i) {
        const auto& from = slots_[i].from;
        media_->on_datagram({{from.ip, from.port, from.v6}, 0, false}, packets_[i], slots_[i].size,
                            now);
        packets_[i] = nullptr;
      }
      media_->flush(now);
      send();
      if (count < slots_.size()) return;
    }
  }
  void on_time(MonoUs now) {
    const Counted counted(*this);
    media_->on_time(now);
    send();
  }
  std::string open(edge::MediaUse use, const std::string& account, const std::string& offer,
                   MonoUs now) {
    const Counted counted(*this);
    edge::MediaRequest request;
    request.use = use;
    request.episode = "bench";
    request.who = std::hash<std::string>{}(account);
    request.role = proto::Role::kPlayer;
    request.grants = {0xFF};
    const auto answer = media_->open(request, offer, now);
    if (!answer) {
      std::fprintf(stderr, "%s\n", answer.error().message().c_str());
      std::exit(1);
    }
    return answer->sdp;
  }

  double cpu() const { return cpu_; }
  void reset() {
    cpu_ = 0;
    allocations = 0;
    std::ranges::fill(delays_, 0);
  }
  double delay_us(double part) const {
    uint64_t all = 0, below = 0;
    for (const uint64_t count : delays_) all += count;
    for (size_t us = 0; us < delays_.size(); ++us) {
      below += delays_[us];
      if (static_cast<double>(below) >= part * static_cast<double>(all)) {
        return static_cast<double>(us);
      }
    }
    return 0;
  }
  const net::UdpSocket& socket() const { return *socket_; }
  edge::MediaStats stats() const { return media_->stats(); }

 private:
  struct Counted {
    explicit Counted(Server& server) : server(server), began(cpu_s()) { serving = true; }
    ~Counted() {
      serving = false;
      server.cpu_ += cpu_s() - began;
    }
    Server& server;
    double began;
  };
  void send() {
    rtc::DatagramOut& out = media_->out();
    for (size_t i = 0; i < out.batch_count(); ++i) {
      const rtc::SendBatch batch = out.batch(i);
      const auto& to = batch.path.remote;
      socket_->send({to.ip, to.port, to.v6}, batch.bytes, batch.sizes);
    }
    socket_->flush();
    if (out.batch_count() > 0) {
      const auto us = static_cast<size_t>((cpu_s() - turn_began_) * 1e6);
      delays_[std::min(us, kMostDelayUs - 1)] += out.batch_count();
    }
    out.clear();
  }

  rtc::SeededEntropy entropy_;
  std::unique_ptr<net::UdpSocket> socket_ = socket_on_loopback();
  std::unique_ptr<edge::Media> media_;
  std::vector<sfu::Packet*> packets_;
  std::vector<net::UdpSlot> slots_;
  double cpu_ = 0, turn_began_ = 0;
  static constexpr size_t kMostDelayUs = 100'000;
  std::vector<uint64_t> delays_;  // how many viewers had theirs after so many us
};

class Person {
 public:
  Person(Server& server, const MediaClient::Options& options,
         std::shared_ptr<const rtc::DtlsIdentity> identity, const std::string& account, MonoUs now)
      : to_(address_of(server.socket())), client_(options, std::move(identity)) {
    const auto use = options.publish ? edge::MediaUse::kPublish : edge::MediaUse::kWatch;
    if (!client_.accept(server.open(use, account, client_.offer(), now))) std::exit(1);
    client_.check(now, send());
    for (int i = 0; i < 20 && !client_.connected(); ++i) {
      server.turn(now);
      receive(now);
    }
    if (!client_.connected()) {
      std::fprintf(stderr, "a client does not get connected\n");
      std::exit(1);
    }
  }
  MediaClient::Send send() {
    return [this](std::span<uint8_t> datagram) {
      const uint16_t size = static_cast<uint16_t>(datagram.size());
      socket_->send(to_, datagram, {&size, 1});
      socket_->flush();
    };
  }
  void receive(MonoUs now) {
    inbox().drain(*socket_,
                  [&](std::span<uint8_t> each) { client_.on_datagram(each, now, send()); });
  }
  void discard() {
    inbox().drain(*socket_, [](std::span<uint8_t>) {});
  }
  MediaClient& client() { return client_; }
  const net::UdpSocket& socket() const { return *socket_; }

 private:
  static Inbox& inbox() {
    static Inbox shared;
    return shared;
  }
  std::unique_ptr<net::UdpSocket> socket_ = socket_on_loopback();
  net::UdpAddress to_;
  MediaClient client_;
};

struct Outcome {
  double us = 0, bare_us = 0, allocations = 0, memory_kb = 0, delivered = 0;
  double delay_p50_us = 0, delay_p99_us = 0;
  uint64_t packets = 0;
};

class Show {
 public:
  Show(size_t talkers, bool video, size_t viewers) : video_(video) {
    rtc::SeededEntropy entropy(3);
    identity_ = *rtc::DtlsIdentity::make(entropy, 1'700'000'000'000);
    server_ = std::make_unique<Server>(identity_);
    const size_t audio = video ? 0 : 1;
    for (size_t i = 0; i < talkers; ++i) join({true, audio, video, i + 1}, "talker");
    const size_t places = video ? 0 : talkers;
    join({false, places, video, 500}, "first");  // what all share is taken now
    const int64_t before = live_bytes;
    for (size_t i = 1; i < viewers; ++i) join({false, places, video, 1000 + i}, "viewer");
    memory_kb_ = static_cast<double>(live_bytes - before) / 1024 / static_cast<double>(viewers - 1);
  }

  void play(MonoUs length) {
    const MonoUs end = now_ + length, step = video_ ? kFrameUs : kVoiceUs;
    for (; now_ < end; now_ += step) {
      for (auto& each : people_) {
        if (!each->is_talker) continue;
        MediaClient& client = each->person.client();
        if (video_) {
          client.send_frame(client.take_key_frame_request(), kBurst, kVideoBytes, now_,
                            each->person.send());
        } else {
          client.send_voice(kVoiceBytes, now_, each->person.send());
        }
      }
      server_->turn(now_);
      for (auto& each : people_) each->person.receive(now_);
      if (now_ >= feed_at_) {
        feed_at_ = now_ + kFeedbackUs;
        for (auto& each : people_) {
          if (!each->is_talker) each->person.client().feed_back(now_, each->person.send());
        }
        server_->turn(now_);
      }
      for (MonoUs at = now_; at < now_ + step; at += kTickUs) server_->on_time(at);
    }
  }
  // The same packets by the bare loop.
  void play_bare(Bare& bare, MonoUs length) {
    const MonoUs step = video_ ? kFrameUs : kVoiceUs;
    const size_t bursts = video_ ? 1 : talkers();
    for (MonoUs at = 0; at < length; at += step) {
      size_t viewer = 0;
      for (auto& each : people_) {
        if (each->is_talker) continue;
        bare.send(viewer, each->person.socket().port(), video_ ? kBurst : bursts,
                  video_ ? kVideoBytes : kVoiceBytes);
        ++viewer;
      }
      for (auto& each : people_) each->person.discard();
    }
  }
  size_t talkers() const {
    return static_cast<size_t>(
        std::ranges::count_if(people_, [](const auto& each) { return each->is_talker; }));
  }

  std::pair<double, double> delays(MonoUs length) {
    play(2 * kUsPerSecond);
    server_->reset();
    play(length);
    return {server_->delay_us(0.5), server_->delay_us(0.99)};
  }

  Outcome run(MonoUs length, int rounds) {
    play(2 * kUsPerSecond);
    Bare bare(people_.size());
    Outcome outcome;
    double cpu = 0;
    uint64_t sent = 0;
    int64_t made = 0;
    const uint64_t heard_before = heard();
    for (int i = 0; i < rounds; ++i) {
      const uint64_t before = server_->stats().rtp_out;
      server_->reset();
      play(length / rounds);
      sent += server_->stats().rtp_out - before;
      cpu += server_->cpu();
      made += allocations;
      play_bare(bare, length / rounds);
    }
    outcome.packets = sent;
    outcome.us = cpu * 1e6 / static_cast<double>(std::max<uint64_t>(sent, 1));
    outcome.bare_us = bare.us_per_packet();
    outcome.allocations =
        static_cast<double>(made) / static_cast<double>(std::max<uint64_t>(sent, 1));
    outcome.delivered = static_cast<double>(heard() - heard_before) /
                        static_cast<double>(std::max<uint64_t>(sent, 1));
    outcome.memory_kb = memory_kb_;
    return outcome;
  }

 private:
  struct Member {
    Member(Server& server, const MediaClient::Options& options,
           std::shared_ptr<const rtc::DtlsIdentity> identity, const std::string& account,
           MonoUs now)
        : person(server, options, std::move(identity), account, now), is_talker(options.publish) {}
    Person person;
    bool is_talker;
  };
  void join(const MediaClient::Options& options, const std::string& name) {
    const std::string account = name + std::to_string(people_.size());
    people_.push_back(std::make_unique<Member>(*server_, options, identity_, account, now_));
  }
  uint64_t heard() const {
    uint64_t sum = 0;
    for (const auto& each : people_) {
      for (const auto& [ssrc, heard] : each->person.client().heard()) sum += heard.packets;
    }
    return sum;
  }

  bool video_;
  std::shared_ptr<const rtc::DtlsIdentity> identity_;
  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<Member>> people_;
  MonoUs now_ = 10 * kUsPerSecond, feed_at_ = 0;
  double memory_kb_ = 0;
};

void print(const char* name, const Outcome& o) {
  std::printf(
      "\"%s\": {\"packets\": %llu, \"us\": %.4f, \"bare_us\": %.4f, \"allocations\": %.6f, "
      "\"memory_kb\": %.1f, \"delivered\": %.5f, \"delay_p50_us\": %.0f, \"delay_p99_us\": %.0f}",
      name, static_cast<unsigned long long>(o.packets), o.us, o.bare_us, o.allocations, o.memory_kb,
      o.delivered, o.delay_p50_us, o.delay_p99_us);
}

}  // namespace

int main(int argc, char** argv) {
  CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free);
  const size_t viewers = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100;
  const MonoUs length = (argc > 2 ? std::atoi(argv[2]) : 10) * kUsPerSecond;
  const std::string only = argc > 3 ? argv[3] : "";
  Outcome video, audio;
  const auto measure = [&](Outcome& outcome, size_t talkers, bool picture) {
    outcome = Show(talkers, picture, viewers).run(length, 5);
    Show half(talkers, picture, std::max<size_t>(viewers / 2, 2));
    std::tie(outcome.delay_p50_us, outcome.delay_p99_us) = half.delays(length / 2);
  };
  if (only != "audio") measure(video, 1, true);
  if (only != "video") measure(audio, kTalkers, false);
  std::printf("{");
  print("video", video);
  std::printf(", ");
  print("audio", audio);
  std::printf("}\n");
}
