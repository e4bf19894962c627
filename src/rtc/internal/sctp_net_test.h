// Two associations and a network between them that loses, doubles, delays and reorders from a seed,
// in virtual time. For tests.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/prng.h"
#include "rtc/sctp.h"

namespace footlight::rtc {

struct SctpTestEntropy final : Entropy {
  explicit SctpTestEntropy(uint64_t seed) : prng(seed) {}
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out) byte = static_cast<uint8_t>(prng.next());
  }
  Prng prng;
};

struct SctpNetFaults {
  uint32_t lost_per_million = 0;
  uint32_t doubled_per_million = 0;
  MonoUs least_delay_us = 10 * kUsPerMs;
  MonoUs most_delay_us = 10 * kUsPerMs;
};

class SctpNet {
 public:
  struct End {
    End(const SctpConfig& config, uint64_t seed) : entropy(seed), association(config, entropy) {}
    SctpTestEntropy entropy;
    SctpAssociation association;
    std::vector<SctpMessage> messages;
    std::vector<uint16_t> reset;       // by the peer
    std::vector<uint16_t> reset_done;  // ours
    int connected = 0;
    std::vector<Error> ended;
    size_t packets = 0;
    size_t bytes = 0;
  };

  explicit SctpNet(uint64_t seed, SctpNetFaults faults = {}, SctpConfig config = {})
      : prng(seed), faults(faults), a(config, seed * 2 + 1), b(config, seed * 2 + 2) {}

  void pull(End& end) {
    SctpEvent event;
    while (end.association.next_event(event)) {
      if (auto* message = std::get_if<SctpMessage>(&event)) {
        end.messages.push_back(std::move(*message));
      } else if (auto* reset = std::get_if<SctpStreamsReset>(&event)) {
        end.reset.insert(end.reset.end(), reset->streams.begin(), reset->streams.end());
      } else if (auto* done = std::get_if<SctpResetDone>(&event)) {
        end.reset_done.insert(end.reset_done.end(), done->streams.begin(), done->streams.end());
      } else if (auto* gone = std::get_if<SctpEnded>(&event)) {
        end.ended.push_back(gone->error);
      } else {
        ++end.connected;
      }
    }
    Bytes out(kSctpPacketBytes);
    while (const size_t size = end.association.produce(out, now)) {
      ++end.packets;
      end.bytes += size;
      const Bytes packet(out.begin(), out.begin() + static_cast<ptrdiff_t>(size));
      if (on_packet) on_packet(&end == &a, packet);
      const int copies = prng.chance_per_million(faults.doubled_per_million) ? 2 : 1;
      for (int i = 0; i < copies; ++i) {
        if (prng.chance_per_million(faults.lost_per_million)) continue;
        flying.emplace(now + prng.between(faults.least_delay_us, faults.most_delay_us),
                       std::pair(&end == &a, packet));
      }
    }
  }
  void pull() {
    pull(a);
    pull(b);
  }
  // One step: a packet arrives or a deadline passes. False when that lies after `until`.
  bool step(MonoUs until) {
    pull();
    MonoUs next = std::min(a.association.deadline_us(), b.association.deadline_us());
    if (!flying.empty()) next = std::min(next, flying.begin()->first);
    if (next > until) return false;
    now = std::max(now, next);
    if (!flying.empty() && flying.begin()->first <= now) {
      const auto [from_a, packet] = std::move(flying.begin()->second);
      flying.erase(flying.begin());
      (from_a ? b : a).association.receive(packet, now);
    } else {
      if (a.association.deadline_us() <= now) a.association.on_deadline(now);
      if (b.association.deadline_us() <= now) b.association.on_deadline(now);
    }
    pull();
    return true;
  }
  void run(MonoUs duration, const std::function<bool()>& done = [] { return false; }) {
    const MonoUs until = now + duration;
    pull();
    while (!done() && step(until)) {
    }
    if (!done()) now = until;
  }
  void connect() {
    a.association.connect(now);
    b.association.connect(now);
    run(60 * kUsPerSecond, [this] { return a.connected > 0 && b.connected > 0; });
  }

  Prng prng;
  SctpNetFaults faults;
  MonoUs now = kUsPerSecond;
  End a;
  End b;
  std::multimap<MonoUs, std::pair<bool, Bytes>> flying;
  std::function<void(bool from_a, const Bytes&)> on_packet;
};

}  // namespace footlight::rtc
