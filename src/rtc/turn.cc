#include "rtc/turn.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <utility>

namespace footlight::rtc {
namespace {

constexpr uint16_t kTurnUsername = 0x0006;
constexpr uint16_t kLifetime = 0x000D;
constexpr uint16_t kRealm = 0x0014;
constexpr uint16_t kNonce = 0x0015;
constexpr uint16_t kXorRelayedAddress = 0x0016;
constexpr uint16_t kRequestedTransport = 0x0019;
constexpr std::array<uint8_t, 4> kUdp{17, 0, 0, 0};
constexpr std::array<uint8_t, 4> kNoLifetime{};
constexpr MonoUs kFirstWait = 500 * kUsPerMs;  // then twice that, and twice that again
constexpr size_t kMaxTextBytes = 763;          // of realm and nonce (RFC 8489 section 14.9)
constexpr uint16_t kTurnUnauthorized = 401;
constexpr uint16_t kTurnStaleNonce = 438;

std::string base64(ByteView bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes.data(),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

}  // namespace

TurnCredentials turn_credentials(std::string_view secret, std::string_view account,
                                 int64_t expires_s) {
  TurnCredentials out;
  out.username = std::to_string(expires_s) + ":" + std::string(account);
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  HMAC(EVP_sha1(), secret.data(), static_cast<int>(secret.size()), as_bytes(out.username).data(),
       out.username.size(), digest.data(), &size);
  out.password = base64(ByteView(digest).first(size));
  return out;
}

TurnProbe::TurnProbe(TurnCredentials credentials, Entropy& entropy)
    : credentials_(std::move(credentials)), entropy_(entropy) {}

std::string turn_key(const TurnCredentials& credentials, std::string_view realm) {
  const std::string text =
      credentials.username + ":" + std::string(realm) + ":" + credentials.password;
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_md5(), nullptr);
  return std::string(as_text(ByteView(digest).first(size)));
}

void TurnProbe::start(MonoUs now) {
  state_ = State::kChallenge;
  ask(now);
}

void TurnProbe::ask(MonoUs now) {
  entropy_.fill(transaction_);
  asked_ = now;
  wait_ = kFirstWait;
  deadline_ = now + wait_;
  write();
}

void TurnProbe::write() {
  std::array<uint8_t, kStunMaxBytes> buffer;
  StunWriter writer(buffer, StunType::kAllocateRequest, transaction_);
  writer.other(kRequestedTransport, kUdp);
  if (state_ == State::kAllocate) {
    writer.other(kTurnUsername, as_bytes(credentials_.username));
    writer.other(kRealm, as_bytes(realm_));
    writer.other(kNonce, as_bytes(nonce_));
    writer.integrity(turn_key(credentials_, realm_));
  }
  const ByteView message = writer.finish();
  if (message.empty()) return finish(fail(Code::kRelayRefused, "its realm or nonce is too long"));
  out_.assign(message.begin(), message.end());
}

void TurnProbe::receive(ByteView datagram, MonoUs now) {
  StunView answer;
  if (state_ == State::kIdle || state_ == State::kDone || !parse_stun(datagram, answer) ||
      answer.transaction != transaction_) {
    return;
  }
  if (answer.type == StunType::kAllocateError) return on_error(answer, now);
  // A success to the question without credentials would be an open relay; one that is not signed
  // with them is nobody's.
  if (answer.type != StunType::kAllocateResponse || state_ != State::kAllocate ||
      !check_stun_integrity(answer, turn_key(credentials_, realm_))) {
    return;
  }
  round_trip_ = now - asked_;
  relayed_ = stun_xor_address(answer, kXorRelayedAddress);
  if (!relayed_) return finish(fail(Code::kRelayRefused, "it names no address"));
  free_allocation();
  finish({});
}

void TurnProbe::on_error(const StunView& answer, MonoUs now) {
  round_trip_ = now - asked_;
  const bool again = answer.error_code == kTurnStaleNonce && !std::exchange(stale_, true);
  const bool challenge = answer.error_code == kTurnUnauthorized && state_ == State::kChallenge;
  const auto realm = stun_attribute(answer, kRealm), nonce = stun_attribute(answer, kNonce);
  if ((challenge || again) && realm && nonce && realm->size() <= kMaxTextBytes &&
      nonce->size() <= kMaxTextBytes) {
    realm_ = as_text(*realm);
    nonce_ = as_text(*nonce);
    state_ = State::kAllocate;
    return ask(now);
  }
  std::string why = "it answers " + std::to_string(answer.error_code);
  if (answer.error_code == kTurnUnauthorized) why += ": its secret is another, or its clock";
  if (answer.error_code == 486 || answer.error_code == 508) why += ": it is full";
  finish(fail(Code::kRelayRefused, why));
}

// The allocation is given back; whether that arrives is the relay's care, it ends in ten minutes.
void TurnProbe::free_allocation() {
  std::array<uint8_t, kStunMaxBytes> buffer;
  entropy_.fill(transaction_);
  StunWriter writer(buffer, StunType::kRefreshRequest, transaction_);
  writer.other(kLifetime, kNoLifetime);
  writer.other(kTurnUsername, as_bytes(credentials_.username));
  writer.other(kRealm, as_bytes(realm_));
  writer.other(kNonce, as_bytes(nonce_));
  writer.integrity(turn_key(credentials_, realm_));
  const ByteView message = writer.finish();
  out_.assign(message.begin(), message.end());
}

void TurnProbe::on_deadline(MonoUs now) {
  if (state_ == State::kIdle || state_ == State::kDone || now < deadline_) return;
  if (now - asked_ >= kPatience) return finish(fail(Code::kRelaySilent));
  wait_ *= 2;
  deadline_ = std::min(now + wait_, asked_ + kPatience);
  write();
}

void TurnProbe::finish(Status verdict) {
  verdict_ = std::move(verdict);
  state_ = State::kDone;
}

bool TurnProbe::next_datagram(Bytes& out) {
  if (out_.empty()) return false;
  out.swap(out_);
  out_.clear();
  return true;
}

}  // namespace footlight::rtc
