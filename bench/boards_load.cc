// Who edits and watches a board while its cost is measured: a process of its own beside the server.
//
//   boards_load relay PORT PID CLIENTS EDITS     one edits, CLIENTS of the cast have the board open
//   boards_load drag PORT PID WATCHING SECONDS   eight drag one token at 60 Hz, WATCHING of the
//   audience look on boards_load point PORT PID WATCHING SECONDS  the same as pointers: awareness,
//   and no edit
//
// Edits are counted one by one, though the server merges those of a moment into one message.
//
// The server serves the episode `bench` with --dev; PID is its process. Prints one JSON object.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/signing.h"
#include "core/json.h"
#include "crdt/any.h"
#include "crdt/doc.h"
#include "crdt/lib0.h"
#include "crdt/sync.h"
#include "crdt/update_reader.h"
#include "net/asio/client.h"
#include "net/asio/shard.h"

namespace footlight {
namespace {

constexpr uint32_t kDraggers = 8;
constexpr MonoUs kSettleUs = 6 * kUsPerSecond;  // past the first compaction
constexpr MonoUs kFrameUs = kUsPerSecond / 60;
constexpr MonoUs kEditEveryUs = 100 * kUsPerMs;
constexpr MonoUs kAliveUs = 10 * kUsPerSecond;
constexpr MonoUs kGraceUs = 2 * kUsPerSecond;  // for the last edits to arrive

enum class Mode : uint8_t { kRelay, kDrag, kPoint };

struct Usage {
  double cpu_ms = 0;
  double rss_kb = 0;
};

Usage usage_of(int pid) {
  Usage out;
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  unsigned long user = 0;
  unsigned long system = 0;
  std::sscanf(text.c_str() + text.rfind(')') + 2,
              "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
  out.cpu_ms =
      static_cast<double>(user + system) * 1000 / static_cast<double>(sysconf(_SC_CLK_TCK));
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  while (std::getline(status, text)) {
    if (text.starts_with("VmRSS:")) out.rss_kb = std::atof(text.c_str() + 6);
  }
  return out;
}

// Connections of one account. Those who edit have a document; the others look at the kind alone.
class Crowd final : public net::WsClientApp {
 public:
  struct Seat {
    net::WsClient* socket = nullptr;
    std::unique_ptr<crdt::Doc> doc;
    uint32_t clock = 0;  // of its awareness
    uint64_t next = 0;   // clock behind the last edit it was shown
  };
  Crowd(net::Shard& shard, uint16_t port, std::string token, uint32_t seats, bool edits) {
    net::WsClientOptions to;
    to.port = port;
    to.path = "/v1/yjs/bench/table?token=" + std::move(token);
    to.subprotocol.clear();
    engine_ = std::move(*net::WsClients::create(shard, *this, to));
    seats_.resize(seats);
    for (uint32_t i = 0; i < seats; ++i) {
      Seat& seat = seats_[i];
      if (edits) seat.doc = std::make_unique<crdt::Doc>(crdt::DocOptions{.client = next_id_++});
      seat.socket = &engine_->open(&seat);
      if (!edits) continue;
      seat.doc->on_update(crdt::UpdateFormat::kV1, [&seat](const crdt::UpdateEvent& event) {
        if (event.local && seat.socket != nullptr)
          seat.socket->send_binary(as_text(crdt::update_message(event.update)));
      });
    }
  }
  uint64_t open() const { return engine_->counters().open; }
  std::vector<Seat>& seats() { return seats_; }
  void keep_alive() {
    for (Seat& seat : seats_) {
      if (seat.socket != nullptr) seat.socket->send_binary(std::string_view("\x03", 1));
    }
  }

  void on_open(net::WsClient&) override {}
  void on_message(net::WsClient&, std::string_view) override {}
  void on_binary(net::WsClient& socket, std::string_view bytes) override {
    if (bytes.size() < 3) return;
    const auto* seat = static_cast<Seat*>(socket.user);
    const bool update = bytes[0] == 0 && bytes[1] == 2;
    if (seat->doc) {
      const auto message = crdt::read_message(as_bytes(bytes));
      if (message && message->kind == crdt::MessageKind::kStep1) {
        socket.send_binary(as_text(crdt::step2_message(
            *seat->doc->encode_state_as_update(crdt::UpdateFormat::kV1, message->payload))));
      } else if (message && update) {
        (void)seat->doc->apply_update(message->payload, crdt::UpdateFormat::kV1);
      }
    }
    if (!update && bytes[0] != 1) return;
    ++heard;
    heard_bytes += bytes.size();
    if (on_edit) read_edits(*static_cast<Seat*>(socket.user), as_bytes(bytes));
  }
  void on_closed(net::WsClient& socket, const net::WsClosed& how) override {
    auto* seat = static_cast<Seat*>(socket.user);
    seat->socket = nullptr;
    std::fprintf(stderr, "boards_load: closed with %d %s\n", how.code, how.reason.c_str());
    ++lost;
  }

  std::function<void(uint64_t clock)> on_edit;  // of the one who edits, once for each seat
  uint64_t heard = 0;
  uint64_t heard_bytes = 0;
  uint64_t lost = 0;

 private:
  void read_edits(Seat& seat, ByteView bytes) {
    const auto message = crdt::read_message(bytes);
    if (!message || message->kind != crdt::MessageKind::kUpdate) return;
    crdt::Scratch scratch;
    crdt::UpdateReader reader(message->payload, crdt::UpdateFormat::kV1, scratch);
    for (crdt::DecodedStruct s; reader.next(s);) {
      for (uint64_t clock = std::max(seat.next, s.id.clock); clock < s.end(); ++clock) {
        on_edit(clock);
      }
      seat.next = std::max(seat.next, s.end());
    }
  }

  static inline uint64_t next_id_ = 1'000;
  std::unique_ptr<net::WsClients> engine_;
  std::vector<Seat> seats_;
};

// Three decimals: JSON has no other kind of number here.
std::string decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", value);
  return text;
}

class Load final : public net::Resident {
 public:
  Load(net::Shard& shard, Mode mode, uint16_t port, int pid, uint32_t people, uint32_t amount)
      : shard_(shard), mode_(mode), pid_(pid), people_(people), amount_(amount) {
    cli::SigningOptions signing;
    signing.dev = true;
    const auto tokens = *cli::token_source(signing, "bench");
    const bool relay = mode == Mode::kRelay;
    const proto::Role role = relay ? proto::Role::kGm : proto::Role::kViewer;
    crowd_ = std::make_unique<Crowd>(shard, port, tokens({"crowd", "C", role, {}}), people, false);
    for (uint32_t i = 0; i < (relay ? 1 : kDraggers); ++i) {
      const std::string account = "hand-" + std::to_string(i);
      hands_.push_back(std::make_unique<Crowd>(
          shard, port, tokens({account, "H", proto::Role::kGm, {}}), 1, true));
    }
    if (relay) {
      crowd_->on_edit = [this](uint64_t clock) {
        if (clock < sent_us_.size()) latency_us_.push_back(clock_.now_us() - sent_us_[clock]);
      };
    }
    shard.add_resident(this);
  }

  MonoUs on_turn_end(MonoUs now_us) override {
    if (begin_us_ == 0) {
      const bool here =
          crowd_->open() == people_ &&
          std::ranges::all_of(hands_, [](const auto& each) { return each->open() == 1; });
      if (!here) return now_us + 20 * kUsPerMs;
      begin_us_ = now_us + kUsPerSecond;
      next_us_ = begin_us_;
      alive_us_ = now_us + kAliveUs;
      from_us_ = mode_ == Mode::kRelay ? begin_us_ : begin_us_ + kSettleUs;
    }
    if (now_us >= alive_us_) {
      alive_us_ = now_us + kAliveUs;
      crowd_->keep_alive();
    }
    if (now_us < next_us_) return std::min(next_us_, alive_us_);
    if (mode_ == Mode::kRelay) return relay(now_us);
    return drag(now_us);
  }

 private:
  MonoUs relay(MonoUs now_us) {
    if (edits_ == amount_) {
      if (end_us_ == 0) end_us_ = now_us + kGraceUs;
      if (latency_us_.size() == uint64_t{people_} * amount_ || now_us >= end_us_) {
        return finish(now_us);
      }
      return next_us_ = now_us + 20 * kUsPerMs;
    }
    crdt::Doc& doc = *hands_[0]->seats()[0].doc;
    ++edits_;
    sent_us_.push_back(clock_.now_us());
    (void)doc.text("notes")->insert(0, "x");  // one clock
    return next_us_ = now_us + kEditEveryUs;
  }
  MonoUs drag(MonoUs now_us) {
    if (start_.cpu_ms == 0 && now_us >= from_us_) {
      start_ = usage_of(pid_);
      heard_before_ = crowd_->heard;
      hands_before_ = hands_heard();
      started_us_ = now_us;
    }
    if (start_.cpu_ms != 0 && now_us - started_us_ >= amount_ * kUsPerSecond) return finish(now_us);
    ++edits_;
    for (size_t i = 0; i < hands_.size(); ++i) move(*hands_[i], static_cast<double>(edits_ + i));
    next_us_ += kFrameUs;
    return next_us_;
  }
  void move(Crowd& hand, double step) {
    Crowd::Seat& seat = hand.seats()[0];
    if (seat.socket == nullptr) return;
    if (mode_ == Mode::kDrag) {
      crdt::AnyArray at;
      at.emplace_back(step / 7);
      at.emplace_back(step / 11);
      (void)seat.doc->map("tokens")->set("ogre", crdt::Input(crdt::Any(std::move(at))));
      return;
    }
    crdt::Encoder update;
    update.var_uint(1);
    update.var_uint(seat.doc->client());
    update.var_uint(++seat.clock);
    update.var_text(R"({"user":{"name":"Hand"},"drag":{"id":"ogre","x":)" +
                    std::to_string(step / 7) + R"(,"y":)" + std::to_string(step / 11) + "}}");
    seat.socket->send_binary(as_text(crdt::awareness_message(update.view())));
  }
  uint64_t hands_heard() const {
    uint64_t heard = 0;
    for (const auto& each : hands_) heard += each->heard;
    return heard;
  }
  MonoUs finish(MonoUs now_us) {
    std::string text;
    JsonWriter out(text);
    out.object().field("clients", people_);
    uint64_t lost = crowd_->lost;
    for (const auto& each : hands_) lost += each->lost;
    out.field("cut", lost);
    if (mode_ == Mode::kRelay) {
      std::ranges::sort(latency_us_);
      const auto at = [&](double share) {
        return latency_us_.empty() ? -1.0
                                   : static_cast<double>(latency_us_[static_cast<size_t>(
                                         share * static_cast<double>(latency_us_.size() - 1))]) /
                                         1000;
      };
      out.field("heard", static_cast<uint64_t>(latency_us_.size()));
      out.field("expected", static_cast<uint64_t>(people_) * amount_);
      out.key("p50_ms").raw(decimal(at(0.5))).key("p99_ms").raw(decimal(at(0.99)));
      out.key("max_ms").raw(decimal(at(1)));
    } else {
      const Usage end = usage_of(pid_);
      const double took_ms = static_cast<double>(now_us - started_us_) / 1000;
      out.key("cpu_percent").raw(decimal((end.cpu_ms - start_.cpu_ms) / took_ms * 100));
      out.key("rss_kb").raw(decimal(end.rss_kb));
      out.key("rss_growth_kb").raw(decimal(end.rss_kb - start_.rss_kb));
      const auto heard = static_cast<double>(crowd_->heard - heard_before_);
      out.key("heard_per_s").raw(decimal(heard / people_ / took_ms * 1000));
      const double sends = heard + static_cast<double>(hands_heard() - hands_before_);
      out.key("sends_per_s").raw(decimal(sends / took_ms * 1000));
    }
    out.end_object();
    std::printf("%s\n", text.c_str());
    std::fflush(stdout);
    shard_.stop();
    return next_us_ = kNever;
  }

  net::Shard& shard_;
  net::SystemClock clock_;
  Mode mode_;
  int pid_;
  uint32_t people_;
  uint32_t amount_;
  std::unique_ptr<Crowd> crowd_;
  std::vector<std::unique_ptr<Crowd>> hands_;
  std::vector<MonoUs> latency_us_;
  Usage start_;
  uint64_t heard_before_ = 0;
  uint64_t hands_before_ = 0;
  MonoUs begin_us_ = 0;
  MonoUs from_us_ = 0;
  MonoUs started_us_ = 0;
  MonoUs next_us_ = 0;
  MonoUs alive_us_ = 0;
  MonoUs end_us_ = 0;
  std::vector<MonoUs> sent_us_;  // by clock
  uint32_t edits_ = 0;
};

}  // namespace
}  // namespace footlight

int main(int argc, char** argv) {
  const std::string mode = argc == 6 ? argv[1] : "";
  if (mode != "relay" && mode != "drag" && mode != "point") {
    std::fprintf(stderr, "boards_load relay|drag|point PORT PID PEOPLE AMOUNT\n");
    return 2;
  }
  using footlight::Mode;
  footlight::net::Shard shard(0);
  footlight::Load load(shard,
                       mode == "relay"  ? Mode::kRelay
                       : mode == "drag" ? Mode::kDrag
                                        : Mode::kPoint,
                       static_cast<uint16_t>(std::atoi(argv[2])), std::atoi(argv[3]),
                       static_cast<uint32_t>(std::atoi(argv[4])),
                       static_cast<uint32_t>(std::atoi(argv[5])));
  shard.run();
  // The system takes the rest back.
  std::_Exit(0);
}
