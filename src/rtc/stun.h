// STUN messages (RFC 8489) as ICE uses them (RFC 8445): a parsed view, the two checks, and a
// writer.
//
// A message is read once, with every length checked; what a view hands out lies within the
// datagram. The message's integrity is not checked by parsing: whoever knows the password asks for
// it.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/bytes.h"
#include "rtc/address.h"

namespace footlight::rtc {

inline constexpr size_t kStunHeaderBytes = 20;
inline constexpr size_t kStunMaxBytes = 1500;  // one datagram; a longer message is refused
inline constexpr uint32_t kStunCookie = 0x2112A442;

enum class StunType : uint16_t {  // method and class together (section 5)
  kBindingRequest = 0x0001,
  kBindingIndication = 0x0011,
  kBindingResponse = 0x0101,
  kBindingError = 0x0111,
  // TURN (RFC 8656).
  kAllocateRequest = 0x0003,
  kAllocateResponse = 0x0103,
  kAllocateError = 0x0113,
  kRefreshRequest = 0x0004,
};

using StunTransaction = std::array<uint8_t, 12>;

struct StunView {
  ByteView bytes;
  StunType type = StunType::kBindingRequest;
  StunTransaction transaction{};
  std::string_view username;
  std::optional<uint32_t> priority;
  std::optional<uint64_t> controlling;  // the tie-breaker
  std::optional<uint64_t> controlled;
  std::optional<Address> mapped;  // XOR-MAPPED-ADDRESS, unmasked
  uint16_t error_code = 0;        // of an ERROR-CODE attribute: 300..699
  bool use_candidate = false;
  bool has_fingerprint = false;   // it is there, last, and right
  uint16_t unknown_required = 0;  // the first unknown attribute that must be understood; 0: none
  uint16_t integrity_at = 0;      // offset of MESSAGE-INTEGRITY; 0: none
};

// False when the datagram is not one whole STUN message: cookie, lengths, a wrong FINGERPRINT.
bool parse_stun(ByteView bytes, StunView& view);

// An attribute that StunView does not hold, of those covered by the message's integrity; its first.
std::optional<ByteView> stun_attribute(const StunView& view, uint16_t type);
std::optional<Address> stun_xor_address(const StunView& view, uint16_t type);

// Whether MESSAGE-INTEGRITY (section 14.5, short-term credentials) is there and made with this
// password. Takes the same time for every wrong value.
bool check_stun_integrity(const StunView& view, std::string_view password);

// Writes one message into the caller's buffer. A call that does not fit fails and makes finish()
// answer an empty view.
class StunWriter {
 public:
  StunWriter(std::span<uint8_t> out, StunType type, const StunTransaction& transaction);
  void username(std::string_view name);
  void priority(uint32_t value);
  void controlling(uint64_t tie_breaker);
  void controlled(uint64_t tie_breaker);
  void use_candidate();
  void xor_mapped_address(const Address& address);
  void error(uint16_t code);  // without a reason phrase: it may not make the answer large
  void unknown_attribute(uint16_t type);
  void other(uint16_t type, ByteView value);  // one that has no call of its own
  void integrity(std::string_view password);
  // Adds FINGERPRINT and answers the message.
  ByteView finish();

 private:
  uint8_t* attribute(uint16_t type, size_t bytes);
  std::span<uint8_t> out_;
  size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace footlight::rtc
