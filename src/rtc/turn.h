// TURN (RFC 8656), as far as a server needs it that hands out relays: credentials that end by
// themselves, and a question to a relay whether it would serve somebody who has them.
//
// The credentials are those of "A REST API for access to TURN services" (draft-uberti-behave-turn-
// rest-00), as coturn's `use-auth-secret` checks them: the user name says until when, the password
// is made of it with a secret that the relay knows too. Nobody is told the secret.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "core/prng.h"
#include "core/result.h"
#include "core/time.h"
#include "rtc/address.h"
#include "rtc/stun.h"

namespace footlight::rtc {

struct TurnCredentials {
  std::string username;  // "EXPIRES:ACCOUNT"
  std::string password;  // base64 of HMAC-SHA1(secret, username)
};
// `expires_s`: Unix seconds.
TurnCredentials turn_credentials(std::string_view secret, std::string_view account,
                                 int64_t expires_s);

// The key of long-term credentials (RFC 8489 section 9.2.2): MD5(user ":" realm ":" password).
std::string turn_key(const TurnCredentials& credentials, std::string_view realm);

// Makes one allocation over UDP with long-term credentials (RFC 8489 section 9.2) and gives it
// back: what a browser will do. Datagrams and the time in, datagrams, a verdict and a deadline out;
// the caller knows where the relay is. At most five datagrams a probe leave; what does not answer
// them is passed over. Not for use by two threads at once.
class TurnProbe {
 public:
  static constexpr MonoUs kPatience = 3'500 * kUsPerMs;  // for each of the two questions

  TurnProbe(TurnCredentials credentials, Entropy& entropy);

  void start(MonoUs now);
  void receive(ByteView datagram, MonoUs now);
  void on_deadline(MonoUs now);
  MonoUs deadline() const { return state_ == State::kDone ? kNever : deadline_; }
  // What to send next; false when there is nothing.
  bool next_datagram(Bytes& out);

  bool done() const { return state_ == State::kDone; }
  // When done. kRelaySilent, kRelayRefused (with what it said).
  const Status& verdict() const { return verdict_; }
  std::optional<Address> relayed() const { return relayed_; }
  MonoUs round_trip() const { return round_trip_; }  // of the question that was answered last

 private:
  enum class State : uint8_t { kIdle, kChallenge, kAllocate, kDone };
  void ask(MonoUs now);
  void write();
  void on_error(const StunView& answer, MonoUs now);
  void free_allocation();
  void finish(Status verdict);

  TurnCredentials credentials_;
  Entropy& entropy_;
  State state_ = State::kIdle;
  StunTransaction transaction_{};
  std::string realm_, nonce_;
  bool stale_ = false;  // one fresh nonce is taken
  Bytes out_;
  MonoUs deadline_ = kNever, asked_ = 0, wait_ = 0, round_trip_ = 0;
  Status verdict_;
  std::optional<Address> relayed_;
};

}  // namespace footlight::rtc
