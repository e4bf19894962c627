// Our association against usrsctp, in one process, on virtual time, over a network with faults.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/time.h>
#include <usrsctp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include "rtc/internal/sctp_net_test.h"
#include "rtc/internal/sctp_wire.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

// usrsctp marks for resending what was sent longer ago than its timeout by the wall clock, whatever
// its timers were told. So its clock is the meeting's while there is one, or on a fast machine two
// minutes pass before anything is old enough. It never goes back. 0: nobody meets.
MonoUs their_clock_us = 0;

int clock_of_the_system(timeval* out) {
  static const auto real =
      reinterpret_cast<int (*)(timeval*, void*)>(dlsym(RTLD_NEXT, "gettimeofday"));
  return real(out, nullptr);
}

}  // namespace
}  // namespace footlight::rtc

// In the place of the C library's, for all of this program.
extern "C" int gettimeofday(timeval* out, void*) noexcept {
  using footlight::rtc::their_clock_us;
  if (their_clock_us == 0) return footlight::rtc::clock_of_the_system(out);
  out->tv_sec = their_clock_us / footlight::kUsPerSecond;
  out->tv_usec = their_clock_us % footlight::kUsPerSecond;
  return 0;
}

namespace footlight::rtc {
namespace {

constexpr uint32_t kBinary = 53;
constexpr MonoUs kTickUs = 10 * kUsPerMs;

enum class Opens : uint8_t { kWe, kThey, kBoth };

// usrsctp's side. Its state is global to the process, so there is one at a time.
class UsrSctp {
 public:
  explicit UsrSctp(Opens opens) {
    static const bool started = [] {
      usrsctp_init_nothreads(0, output, nullptr);
      usrsctp_sysctl_set_sctp_ecn_enable(0);
      usrsctp_sysctl_set_sctp_pr_enable(1);
      usrsctp_sysctl_set_sctp_delayed_sack_time_default(20);
      return true;
    }();
    EXPECT_TRUE(started);
    usrsctp_register_address(this);
    socket_ = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, received, nullptr, 0, this);
    EXPECT_NE(socket_, nullptr);
    usrsctp_set_non_blocking(socket_, 1);
    linger quick{1, 0};
    usrsctp_setsockopt(socket_, SOL_SOCKET, SO_LINGER, &quick, sizeof quick);
    const int buffer = 1024 * 1024;
    usrsctp_setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    usrsctp_setsockopt(socket_, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    sctp_assoc_value reset{SCTP_ALL_ASSOC, SCTP_ENABLE_RESET_STREAM_REQ};
    usrsctp_setsockopt(socket_, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, &reset, sizeof reset);
    const int on = 1;
    usrsctp_setsockopt(socket_, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on);
    for (const uint16_t type : {SCTP_ASSOC_CHANGE, SCTP_STREAM_RESET_EVENT}) {
      sctp_event event{};
      event.se_assoc_id = SCTP_ALL_ASSOC;
      event.se_type = type;
      event.se_on = 1;
      usrsctp_setsockopt(socket_, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof event);
    }
    sctp_initmsg init{};
    init.sinit_num_ostreams = 300;
    init.sinit_max_instreams = 300;
    usrsctp_setsockopt(socket_, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof init);
    sockaddr_conn address{};
    address.sconn_family = AF_CONN;
    address.sconn_port = htons(5000);
    address.sconn_addr = this;
    EXPECT_EQ(usrsctp_bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    if (opens == Opens::kWe) {
      EXPECT_EQ(usrsctp_listen(socket_, 1), 0);
    } else {
      EXPECT_EQ(usrsctp_connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address),
                -1);
      EXPECT_EQ(errno, EINPROGRESS);
    }
    sctp_paddrparams path{};
    std::memcpy(&path.spp_address, &address, sizeof address);
    path.spp_flags = SPP_PMTUD_DISABLE;
    path.spp_pathmtu = 1200;
    usrsctp_setsockopt(socket_, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof path);
  }
  ~UsrSctp() {
    if (accepted_ != nullptr) usrsctp_close(accepted_);
    usrsctp_close(socket_);
    usrsctp_deregister_address(this);
  }
  UsrSctp(const UsrSctp&) = delete;
  UsrSctp& operator=(const UsrSctp&) = delete;

  void input(const Bytes& packet) { usrsctp_conninput(this, packet.data(), packet.size(), 0); }
  bool send(uint16_t stream, const Bytes& payload, bool unordered, int max_retransmits = -1) {
    sctp_sendv_spa options{};
    options.sendv_flags = SCTP_SEND_SNDINFO_VALID;
    options.sendv_sndinfo.snd_sid = stream;
    options.sendv_sndinfo.snd_ppid = htonl(kBinary);
    options.sendv_sndinfo.snd_flags =
        static_cast<uint16_t>(SCTP_EOR | (unordered ? SCTP_UNORDERED : 0));
    if (max_retransmits >= 0) {
      options.sendv_flags |= SCTP_SEND_PRINFO_VALID;
      options.sendv_prinfo.pr_policy = SCTP_PR_SCTP_RTX;
      options.sendv_prinfo.pr_value = static_cast<uint32_t>(max_retransmits);
    }
    return usrsctp_sendv(active(), payload.data(), payload.size(), nullptr, 0, &options,
                         sizeof options, SCTP_SENDV_SPA, 0) >= 0;
  }
  bool reset(uint16_t stream) {
    Bytes request(sizeof(sctp_reset_streams) + 2);
    auto* parameters = reinterpret_cast<sctp_reset_streams*>(request.data());
    parameters->srs_flags = SCTP_STREAM_RESET_OUTGOING;
    parameters->srs_number_streams = 1;
    parameters->srs_stream_list[0] = stream;
    return usrsctp_setsockopt(active(), IPPROTO_SCTP, SCTP_RESET_STREAMS, request.data(),
                              static_cast<socklen_t>(request.size())) == 0;
  }
  void accept() {
    if (accepted_ == nullptr) accepted_ = usrsctp_accept(socket_, nullptr, nullptr);
  }

  std::vector<Bytes> sent;
  std::vector<SctpMessage> messages;
  std::vector<uint16_t> resets;
  bool up = false;
  bool down = false;

 private:
  struct socket* active() { return accepted_ != nullptr ? accepted_ : socket_; }
  static int output(void* address, void* bytes, size_t size, uint8_t, uint8_t) {
    const auto* at = static_cast<const uint8_t*>(bytes);
    static_cast<UsrSctp*>(address)->sent.emplace_back(at, at + size);
    return 0;
  }
  static int received(struct socket*, sctp_sockstore, void* bytes, size_t size, sctp_rcvinfo info,
                      int flags, void* self) {
    if (bytes == nullptr) return 1;
    auto& peer = *static_cast<UsrSctp*>(self);
    if (flags & MSG_NOTIFICATION) {
      peer.notified(*static_cast<const sctp_notification*>(bytes));
    } else {
      Bytes& partial = peer.partial_[info.rcv_sid];
      const auto* at = static_cast<const uint8_t*>(bytes);
      partial.insert(partial.end(), at, at + size);
      if (flags & MSG_EOR) {
        peer.messages.push_back({info.rcv_sid, ntohl(info.rcv_ppid), std::exchange(partial, {})});
      }
    }
    std::free(bytes);
    return 1;
  }
  void notified(const sctp_notification& event) {
    if (event.sn_header.sn_type == SCTP_ASSOC_CHANGE) {
      const auto state = event.sn_assoc_change.sac_state;
      if (state == SCTP_COMM_UP) up = true;
      if (state == SCTP_COMM_LOST || state == SCTP_SHUTDOWN_COMP) down = true;
    } else if (event.sn_header.sn_type == SCTP_STREAM_RESET_EVENT) {
      const auto& reset = event.sn_strreset_event;
      if (!(reset.strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN)) return;
      const size_t count = (reset.strreset_length - sizeof reset) / 2;
      resets.insert(resets.end(), reset.strreset_stream_list, reset.strreset_stream_list + count);
    }
  }

  struct socket* socket_ = nullptr;
  struct socket* accepted_ = nullptr;
  std::map<uint16_t, Bytes> partial_;
};

// While it lives usrsctp's clock stands but for `advance`.
class TheirTime {
 public:
  TheirTime() {
    static MonoUs reached = 1'700'000'000 * kUsPerSecond;
    reached_ = &reached;
    their_clock_us = reached;
  }
  ~TheirTime() { *reached_ = std::exchange(their_clock_us, 0); }
  TheirTime(const TheirTime&) = delete;
  TheirTime& operator=(const TheirTime&) = delete;
  void advance(MonoUs by) {
    their_clock_us += by;
    usrsctp_handle_timers(static_cast<uint32_t>(by / kUsPerMs));
  }

 private:
  MonoUs* reached_;
};

// Ours, theirs, and the network.
struct Meeting {
  Meeting(Opens opens, uint64_t seed, uint32_t lost_per_million)
      : prng(seed), lost(lost_per_million), entropy(seed), opens(opens), theirs(opens) {
    if (opens != Opens::kThey) ours.connect(now);
  }
  void carry(const Bytes& packet, bool to_us) {
    if (prng.chance_per_million(lost)) return;
    flying.emplace(now + prng.between(5 * kUsPerMs, 30 * kUsPerMs), std::pair(to_us, packet));
  }
  void pull() {
    SctpEvent event;
    while (ours.next_event(event)) {
      if (auto* message = std::get_if<SctpMessage>(&event)) {
        messages.push_back(std::move(*message));
      } else if (auto* reset = std::get_if<SctpStreamsReset>(&event)) {
        resets.insert(resets.end(), reset->streams.begin(), reset->streams.end());
      } else if (auto* done = std::get_if<SctpResetDone>(&event)) {
        resets_done.insert(resets_done.end(), done->streams.begin(), done->streams.end());
      } else if (auto* gone = std::get_if<SctpEnded>(&event)) {
        ended.push_back(gone->error);
      } else {
        connected = true;
      }
    }
    Bytes out(kSctpPacketBytes);
    while (const size_t size = ours.produce(out, now)) {
      carry(Bytes(out.begin(), out.begin() + static_cast<ptrdiff_t>(size)), false);
    }
    for (const auto& packet : std::exchange(theirs.sent, {})) carry(packet, true);
  }
  template <class Done>
  bool run(MonoUs duration, Done done) {
    const MonoUs until = now + duration;
    while (now < until) {
      pull();
      if (done()) return true;
      now += kTickUs;
      while (!flying.empty() && flying.begin()->first <= now) {
        const auto [to_us, packet] = std::move(flying.begin()->second);
        flying.erase(flying.begin());
        to_us ? ours.receive(packet, now) : theirs.input(packet);
        pull();
      }
      if (ours.deadline_us() <= now) ours.on_deadline(now);
      their_time.advance(kTickUs);
    }
    return done();
  }
  bool connect() {
    const bool up = run(60 * kUsPerSecond, [this] { return connected && theirs.up; });
    if (opens == Opens::kWe) theirs.accept();
    return up;
  }

  Prng prng;
  uint32_t lost;
  MonoUs now = kUsPerSecond;
  SctpTestEntropy entropy;
  Opens opens;
  TheirTime their_time;
  SctpAssociation ours{{}, entropy};
  UsrSctp theirs;
  std::multimap<MonoUs, std::pair<bool, Bytes>> flying;
  bool connected = false;
  std::vector<SctpMessage> messages;
  std::vector<uint16_t> resets;
  std::vector<uint16_t> resets_done;
  std::vector<Error> ended;
};

Bytes numbered(uint32_t number, size_t size) {
  Bytes bytes(std::max<size_t>(size, 4));
  store_u32(bytes.data(), number);
  for (size_t i = 4; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(number * 3 + i);
  return bytes;
}

void expect_all(const std::vector<SctpMessage>& messages, uint32_t count) {
  ASSERT_EQ(messages.size(), count);
  std::set<uint32_t> seen;
  std::map<uint16_t, int64_t> last;
  for (const auto& message : messages) {
    const uint32_t number = load_u32(message.payload.data());
    EXPECT_TRUE(seen.insert(number).second);
    EXPECT_EQ(message.payload, numbered(number, message.payload.size()));
    EXPECT_EQ(message.protocol, kBinary);
    if (message.stream == 3) continue;  // unordered
    if (last.contains(message.stream)) {
      EXPECT_GT(int64_t{number}, last[message.stream]);
    }
    last[message.stream] = number;
  }
}

class AgainstUsrSctp : public ::testing::TestWithParam<Opens> {};
INSTANTIATE_TEST_SUITE_P(Sctp, AgainstUsrSctp,
                         ::testing::Values(Opens::kWe, Opens::kThey, Opens::kBoth));

TEST_P(AgainstUsrSctp, messages_pass_both_ways_exactly_once_through_loss) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    Meeting meeting(GetParam(), seed, seed == 1 ? 0 : 40'000);
    ASSERT_TRUE(meeting.connect()) << seed;
    constexpr uint32_t kMessages = 120;
    for (uint32_t i = 0; i < kMessages; ++i) {
      const auto stream = static_cast<uint16_t>(i % 4);
      const size_t size = i % 20 == 0 ? 60'000 : meeting.prng.below(1500);
      const Bytes payload = numbered(i, size);
      ASSERT_TRUE(
          meeting.ours.send(stream, kBinary, payload, {.unordered = stream == 3}, meeting.now));
      ASSERT_TRUE(meeting.theirs.send(stream, payload, stream == 3)) << std::strerror(errno);
    }
    EXPECT_TRUE(meeting.run(120 * kUsPerSecond, [&] {
      return meeting.messages.size() >= kMessages && meeting.theirs.messages.size() >= kMessages;
    })) << seed;
    expect_all(meeting.messages, kMessages);
    expect_all(meeting.theirs.messages, kMessages);
    EXPECT_TRUE(meeting.ended.empty());
  }
}

TEST_P(AgainstUsrSctp, streams_are_reset_in_both_directions_and_used_again) {
  Meeting meeting(GetParam(), 7, 20'000);
  ASSERT_TRUE(meeting.connect());
  ASSERT_TRUE(meeting.ours.send(5, kBinary, numbered(1, 4000), {}, meeting.now));
  ASSERT_TRUE(meeting.ours.reset_stream(5));
  EXPECT_TRUE(meeting.run(20 * kUsPerSecond, [&] { return !meeting.resets_done.empty(); }));
  EXPECT_EQ(meeting.theirs.messages.size(), 1u);
  EXPECT_EQ(meeting.theirs.resets, std::vector<uint16_t>{5});
  ASSERT_TRUE(meeting.theirs.send(5, numbered(2, 4000), false));
  EXPECT_TRUE(meeting.run(20 * kUsPerSecond, [&] { return meeting.messages.size() == 1; }));
  ASSERT_TRUE(meeting.theirs.reset(5)) << std::strerror(errno);
  EXPECT_TRUE(meeting.run(20 * kUsPerSecond, [&] { return !meeting.resets.empty(); }));
  EXPECT_EQ(meeting.resets, std::vector<uint16_t>{5});
  meeting.run(kUsPerSecond, [] { return false; });  // they hear our answer
  ASSERT_TRUE(meeting.ours.send(5, kBinary, numbered(3, 100), {}, meeting.now));
  ASSERT_TRUE(meeting.theirs.send(5, numbered(4, 100), false));
  EXPECT_TRUE(meeting.run(20 * kUsPerSecond, [&] {
    return meeting.messages.size() == 2 && meeting.theirs.messages.size() == 2;
  }));
}

TEST_P(AgainstUsrSctp, what_is_given_up_does_not_hold_up_what_follows) {
  Meeting meeting(GetParam(), 9, 100'000);
  ASSERT_TRUE(meeting.connect());
  constexpr uint32_t kMessages = 200;
  for (uint32_t i = 0; i < kMessages; ++i) {
    const auto stream = static_cast<uint16_t>(1 + i % 2 * 2);
    const Bytes payload = numbered(i, 300 + i % 3 * 1000);
    ASSERT_TRUE(meeting.ours.send(stream, kBinary, payload,
                                  {.unordered = stream == 3, .max_retransmits = 0}, meeting.now));
    ASSERT_TRUE(meeting.theirs.send(stream, payload, stream == 3, 0));
    meeting.run(2 * kTickUs, [] { return false; });
  }
  ASSERT_TRUE(meeting.ours.send(1, kBinary, numbered(9999, 10), {}, meeting.now));
  ASSERT_TRUE(meeting.theirs.send(1, numbered(9999, 10), false));
  const auto has_last = [](const std::vector<SctpMessage>& messages) {
    return std::ranges::any_of(messages, [](const SctpMessage& message) {
      return load_u32(message.payload.data()) == 9999;
    });
  };
  EXPECT_TRUE(
      meeting.run(60 * kUsPerSecond,
                  [&] { return has_last(meeting.messages) && has_last(meeting.theirs.messages); }))
      << has_last(meeting.messages) << has_last(meeting.theirs.messages);
  for (const auto* messages : {&meeting.messages, &meeting.theirs.messages}) {
    EXPECT_LT(messages->size(), kMessages);
    EXPECT_GT(messages->size(), kMessages / 2);
    int64_t last = -1;
    for (const auto& message : *messages) {
      if (message.stream != 1) continue;
      EXPECT_GT(int64_t{load_u32(message.payload.data())}, last);
      last = load_u32(message.payload.data());
    }
  }
}

TEST_P(AgainstUsrSctp, an_orderly_end_is_understood) {
  Meeting meeting(GetParam(), 11, 0);
  ASSERT_TRUE(meeting.connect());
  ASSERT_TRUE(meeting.ours.send(0, kBinary, numbered(1, 30'000), {}, meeting.now));
  meeting.ours.shutdown(meeting.now);
  EXPECT_TRUE(meeting.run(20 * kUsPerSecond,
                          [&] { return !meeting.ended.empty() && meeting.theirs.down; }));
  EXPECT_EQ(meeting.theirs.messages.size(), 1u);
  ASSERT_EQ(meeting.ended.size(), 1u);
  EXPECT_EQ(meeting.ended[0].code, Code::kSctpClosed);
}

}  // namespace
}  // namespace footlight::rtc
