// The ciphers of one direction and one kind (RTP or RTCP): session keys derived once, contexts
// kept.
#pragma once
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/bytes.h"
#include "rtc/internal/aes_gcm.h"
#include "rtc/srtp.h"

namespace footlight::rtc {

inline constexpr size_t kSrtpCmTagBytes = 10;
inline constexpr size_t kSrtpGcmTagBytes = kGcmTagBytes;
inline constexpr size_t kSrtcpIndexBytes = 4;
inline constexpr size_t kRtcpClearBytes = 8;  // header and sender's SSRC stay readable

// The labels of RFC 3711 section 4.3.2; RTCP's are three further.
enum class SrtpLabel : uint8_t { kEncryption = 0, kAuthentication = 1, kSalt = 2 };
inline constexpr uint8_t kSrtcpLabelOffset = 3;

// AES in counter mode as the key derivation function (RFC 3711 section 4.3.3, RFC 6188), rate zero.
// `salt` of up to 14 bytes is padded with zeros behind (RFC 7714 section 11). False when OpenSSL
// fails.
bool srtp_derive(ByteView master_key, ByteView master_salt, uint8_t label, std::span<uint8_t> out);

enum class SrtpKind : uint8_t { kRtp, kRtcp };
using SrtpUse = AesGcm::Use;

struct CipherContextFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, CipherContextFree>;

class SrtpSuite {
 public:
  // Derives the session keys. Null when OpenSSL fails.
  static std::unique_ptr<SrtpSuite> make(const SrtpMasterKey& master, SrtpKind kind, SrtpUse use);
  // From session keys: `salt` of 12 or 14 bytes, `mac_key` of 20 bytes or, for AEAD, empty.
  static std::unique_ptr<SrtpSuite> make_with(ByteView key, ByteView salt, ByteView mac_key,
                                              SrtpUse use);
  ~SrtpSuite();
  SrtpSuite(const SrtpSuite&) = delete;
  SrtpSuite& operator=(const SrtpSuite&) = delete;

  bool aead() const { return gcm_ != nullptr; }
  size_t tag_bytes() const { return aead() ? kSrtpGcmTagBytes : kSrtpCmTagBytes; }

  // AEAD. `index` is the 48-bit RTP index or the 31-bit RTCP one. `additional` and `in` come in two
  // pieces each, either may be empty. `out` may be `in`'s own place. `tag` has 16 bytes.
  bool seal(uint32_t ssrc, uint64_t index, std::array<ByteView, 2> additional,
            std::array<ByteView, 2> in, uint8_t* out, uint8_t* tag);
  bool open(uint32_t ssrc, uint64_t index, std::array<ByteView, 2> additional,
            std::span<uint8_t> data, const uint8_t* tag);

  // Counter mode, both directions.
  bool crypt(uint32_t ssrc, uint64_t index, std::array<ByteView, 2> in, uint8_t* out);
  // HMAC-SHA1 over both pieces, cut to 80 bits.
  std::array<uint8_t, kSrtpCmTagBytes> mac(ByteView first, ByteView second) const;

 private:
  SrtpSuite() = default;
  std::array<uint8_t, 12> aead_iv(uint32_t ssrc, uint64_t index) const;
  void set_mac_key(ByteView key);

  std::unique_ptr<AesGcm> gcm_;  // null: counter mode and HMAC
  CipherContext counter_;
  std::array<uint8_t, 14> salt_{};
  // HMAC's two hashes, already fed with the padded key: copying them costs less than a context.
  SHA_CTX inner_{};
  SHA_CTX outer_{};
};

}  // namespace footlight::rtc
