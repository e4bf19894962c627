// The bare loop that ./dev bench sfu compares with: the same packets in the same bursts, encrypted
// with the same cipher and kept keys, and sent with segmentation, and nothing else; and the clock
// both are counted by.
#pragma once
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "core/bytes.h"
#include "net/asio/datagrams.h"
#include "rtc/internal/aes_gcm.h"

namespace footlight::sfu_bench {

inline constexpr size_t kBurst = 9, kVideoBytes = 1200, kVoiceBytes = 100;

inline double cpu_s() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

inline net::UdpOptions loopback() {
  net::UdpOptions options;
  options.bind.ip = {127, 0, 0, 1};
  return options;
}

inline std::unique_ptr<net::UdpSocket> socket_on_loopback() {
  auto socket = net::UdpSocket::open(loopback());
  if (!socket) {
    std::fprintf(stderr, "%s\n", socket.error().message().c_str());
    std::exit(1);
  }
  return std::move(*socket);
}

// The bare loop: a kept AES-GCM key per viewer, one send with segmentation per burst.
class Bare {
 public:
  explicit Bare(size_t viewers) : slab_(kBurst * 1600), payload_(kVideoBytes, 7) {
    const std::array<uint8_t, 16> key{1};
    for (size_t i = 0; i < viewers; ++i) {
      ciphers_.push_back(rtc::AesGcm::make(key, rtc::AesGcm::Use::kSeal));
    }
  }
  void send(size_t viewer, uint16_t port, size_t packets, size_t payload_bytes) {
    const double began = cpu_s();
    size_t at = 0, size = 0;
    for (size_t i = 0; i < packets; ++i, at += size) {
      uint8_t* out = &slab_[at];
      std::memset(out, 0x90, kHead);
      size = kHead + seal(*ciphers_[viewer], out, payload_bytes);
    }
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    iovec vector{slab_.data(), at};
    alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(sizeof(uint16_t))> control{};
    msghdr message{};
    message.msg_name = &to;
    message.msg_namelen = sizeof to;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (packets > 1) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* segment = CMSG_FIRSTHDR(&message);
      segment->cmsg_level = IPPROTO_UDP;
      segment->cmsg_type = UDP_SEGMENT;
      segment->cmsg_len = CMSG_LEN(sizeof(uint16_t));
      const auto bytes = static_cast<uint16_t>(size);
      std::memcpy(CMSG_DATA(segment), &bytes, sizeof bytes);
    }
    if (::sendmsg(socket_->descriptor(), &message, MSG_DONTWAIT) < 0) ++failed_;
    cpu_ += cpu_s() - began;
    sent_ += packets;
  }
  double us_per_packet() const {
    return cpu_ * 1e6 / static_cast<double>(std::max<size_t>(sent_, 1));
  }
  size_t failed() const { return failed_; }

 private:
  static constexpr size_t kHead = 28;  // with the mid and the transport-wide number

  size_t seal(rtc::AesGcm& cipher, uint8_t* out, size_t bytes) {
    ++iv_[11];
    cipher.seal(iv_.data(), {ByteView(out, kHead), {}}, {ByteView(payload_).first(bytes), {}},
                out + kHead, out + kHead + bytes);
    return bytes + 16;
  }
  std::unique_ptr<net::UdpSocket> socket_ = socket_on_loopback();
  std::vector<std::unique_ptr<rtc::AesGcm>> ciphers_;
  std::array<uint8_t, 12> iv_{};
  std::vector<uint8_t> slab_;
  Bytes payload_;
  double cpu_ = 0;
  size_t sent_ = 0, failed_ = 0;
};

}  // namespace footlight::sfu_bench
