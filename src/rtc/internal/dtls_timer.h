// OpenSSL's DTLS retransmission timer, kept in the caller's time.
//
// OpenSSL 3.0 notes in a timeval when its timer runs out, by the real clock, and passes the address
// of that very timeval to the connection's BIO each time it sets or clears it
// (BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT). The timer below answers by writing "never" there and notes the
// deadline in the caller's time; when that has come it writes "long ago" and lets OpenSSL handle
// the timeout. Should a later OpenSSL hand out a copy instead, then `follows` notices, the copy's
// address is not used again, and the deadline is what OpenSSL says is left by the real clock:
// correct in a node, useless in a simulation. A test holds that this OpenSSL is of the first kind.
#pragma once
#include <openssl/ssl.h>
#include <sys/time.h>

#include <algorithm>

#include "core/time.h"

namespace footlight::rtc {

class DtlsTimer {
 public:
  // The duration of the next timeout, when the last one was `previous_us` (0: the first).
  unsigned int next_duration_us(unsigned int previous_us, MonoUs first, MonoUs last) {
    duration_us_ = previous_us == 0 ? first : std::min<MonoUs>(2 * MonoUs{previous_us}, last);
    return static_cast<unsigned int>(duration_us_);
  }

  // OpenSSL has set or cleared its timer.
  void on_set(timeval* theirs, MonoUs now) {
    theirs_ = theirs;
    if (theirs->tv_sec == 0 && theirs->tv_usec == 0) {
      deadline_us_ = kNever;
      return;
    }
    deadline_us_ = now + duration_us_;
    theirs->tv_sec = kFarSeconds;
  }

  // To be called after OpenSSL was driven: checks that OpenSSL took our "never".
  void check(SSL* ssl, MonoUs now) {
    timeval left{};
    if (deadline_us_ == kNever || DTLSv1_get_timeout(ssl, &left) != 1) return;
    follows_ = left.tv_sec > kFarSeconds / 2;
    if (!follows_) deadline_us_ = now + left.tv_sec * kUsPerSecond + left.tv_usec;
  }

  // The deadline has come: whether OpenSSL may be told to handle it.
  void expire() {
    if (follows_ && theirs_ != nullptr && deadline_us_ != kNever) *theirs_ = {1, 0};
  }

  MonoUs deadline_us() const { return deadline_us_; }
  bool follows() const { return follows_; }

 private:
  static constexpr time_t kFarSeconds = time_t{1} << 36;  // two thousand years
  timeval* theirs_ = nullptr;
  MonoUs duration_us_ = 0;
  MonoUs deadline_us_ = kNever;
  bool follows_ = false;
};

}  // namespace footlight::rtc
