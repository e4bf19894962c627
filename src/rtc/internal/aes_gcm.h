// AES-GCM with a kept key (NIST SP 800-38D; IV of 96 bits, tag of 128): what SRTP's AEAD profiles
// and the cost of a forwarded packet rest on.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "core/bytes.h"

namespace footlight::rtc {

inline constexpr size_t kGcmIvBytes = 12;
inline constexpr size_t kGcmTagBytes = 16;
inline constexpr size_t kGcmJoinedBytes = 2048;  // additional data in two pieces: at most so much

/** One key in one thread at a time. */
class AesGcm {
 public:
  enum class Use : uint8_t { kSeal, kOpen };

  /**
   * The fastest there is. `key` has 16 or 32 bytes and is copied; it is wiped with the object. Null
   * when the library fails.
   */
  static std::unique_ptr<AesGcm> make(ByteView key, Use use);
  virtual ~AesGcm() = default;

  /**
   * `additional` and `in` come in two pieces each, either may be empty. `out` has room for both
   * pieces of `in` and may be their own place. `tag` has 16 bytes.
   */
  virtual bool seal(const uint8_t* iv, std::array<ByteView, 2> additional,
                    std::array<ByteView, 2> in, uint8_t* out, uint8_t* tag) = 0;
  /** Decrypts in place; false when it is forged, and `data` is then of no use. */
  virtual bool open(const uint8_t* iv, std::array<ByteView, 2> additional, std::span<uint8_t> data,
                    const uint8_t* tag) = 0;
};

/** By OpenSSL's EVP, on every machine. */
std::unique_ptr<AesGcm> aes_gcm_by_openssl(ByteView key, AesGcm::Use use);

/**
 * By Intel's Multi-Buffer Crypto library, on x86-64 (AMD's too): its one-call routines take a
 * quarter of EVP's time for 1,200 bytes with VAES, and a third for 100. Null where it is not built
 * in or the processor has no AES instructions.
 */
std::unique_ptr<AesGcm> aes_gcm_by_ipsec_mb(ByteView key);

}  // namespace footlight::rtc
