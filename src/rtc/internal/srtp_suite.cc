// SHA1_* is deprecated in favour of contexts that allocate on every copy; see SrtpSuite::inner_.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "rtc/internal/srtp_suite.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>

#include "core/assert.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

bool update(EVP_CIPHER_CTX* context, ByteView in, uint8_t* out) {
  int written = 0;
  return in.empty() ||
         EVP_EncryptUpdate(context, out, &written, in.data(), static_cast<int>(in.size())) == 1;
}

bool crypt_counter(EVP_CIPHER_CTX* context, const uint8_t* iv, std::array<ByteView, 2> in,
                   uint8_t* out) {
  return EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, iv) == 1 &&
         update(context, in[0], out) && update(context, in[1], out + in[0].size());
}

}  // namespace

bool srtp_derive(ByteView master_key, ByteView master_salt, uint8_t label, std::span<uint8_t> out) {
  FL_ASSERT(master_salt.size() <= 14 && out.size() <= 48, "sizes of RFC 3711");
  std::array<uint8_t, 16> iv{};  // (label * 2^48 XOR salt) * 2^16
  std::copy(master_salt.begin(), master_salt.end(), iv.begin());
  iv[7] ^= label;
  const EVP_CIPHER* cipher = master_key.size() == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr();
  CipherContext context(EVP_CIPHER_CTX_new());
  if (!context ||
      EVP_EncryptInit_ex(context.get(), cipher, nullptr, master_key.data(), nullptr) != 1) {
    return false;
  }
  const std::array<uint8_t, 48> zeros{};
  return crypt_counter(context.get(), iv.data(), {ByteView(zeros).first(out.size()), {}},
                       out.data());
}

std::unique_ptr<SrtpSuite> SrtpSuite::make(const SrtpMasterKey& master, SrtpKind kind,
                                           SrtpUse use) {
  const auto derive = [&](SrtpLabel label, std::span<uint8_t> out) {
    const uint8_t offset = kind == SrtpKind::kRtcp ? kSrtcpLabelOffset : 0;
    return srtp_derive(master.key, master.salt, static_cast<uint8_t>(label) + offset, out);
  };
  std::array<uint8_t, 32> key{};
  std::array<uint8_t, 14> salt{};
  std::array<uint8_t, 20> mac_key{};
  const size_t mac_bytes = master.profile == SrtpProfile::kAes128CmHmacSha1_80 ? mac_key.size() : 0;
  const auto key_used = std::span(key).first(master.key.size());
  const auto salt_used = std::span(salt).first(master.salt.size());
  const auto mac_used = std::span(mac_key).first(mac_bytes);
  std::unique_ptr<SrtpSuite> suite;
  if (derive(SrtpLabel::kEncryption, key_used) && derive(SrtpLabel::kSalt, salt_used) &&
      derive(SrtpLabel::kAuthentication, mac_used)) {
    suite = make_with(key_used, salt_used, mac_used, use);
  }
  OPENSSL_cleanse(key.data(), key.size());
  OPENSSL_cleanse(salt.data(), salt.size());
  OPENSSL_cleanse(mac_key.data(), mac_key.size());
  return suite;
}

std::unique_ptr<SrtpSuite> SrtpSuite::make_with(ByteView key, ByteView salt, ByteView mac_key,
                                                SrtpUse use) {
  FL_ASSERT(key.size() == 16 || key.size() == 32, "AES-128 or AES-256");
  std::unique_ptr<SrtpSuite> suite(new SrtpSuite);
  std::ranges::copy(salt, suite->salt_.begin());
  if (mac_key.empty()) {
    suite->gcm_ = AesGcm::make(key, use);
    return suite->gcm_ ? std::move(suite) : nullptr;
  }
  suite->set_mac_key(mac_key);
  suite->counter_.reset(EVP_CIPHER_CTX_new());
  const bool ready = suite->counter_ && EVP_EncryptInit_ex(suite->counter_.get(), EVP_aes_128_ctr(),
                                                           nullptr, key.data(), nullptr) == 1;
  return ready ? std::move(suite) : nullptr;
}

SrtpSuite::~SrtpSuite() {
  OPENSSL_cleanse(salt_.data(), salt_.size());
  OPENSSL_cleanse(&inner_, sizeof inner_);
  OPENSSL_cleanse(&outer_, sizeof outer_);
}

// RFC 7714 sections 8.1 and 9.1: 16 zero bits, SSRC, and the index in 48 bits, XOR the salt.
std::array<uint8_t, 12> SrtpSuite::aead_iv(uint32_t ssrc, uint64_t index) const {
  std::array<uint8_t, 12> iv{};
  store_u32(&iv[2], ssrc);
  store_u16(&iv[6], static_cast<uint16_t>(index >> 32));
  store_u32(&iv[8], static_cast<uint32_t>(index));
  for (size_t i = 0; i < iv.size(); ++i) iv[i] ^= salt_[i];
  return iv;
}

bool SrtpSuite::seal(uint32_t ssrc, uint64_t index, std::array<ByteView, 2> additional,
                     std::array<ByteView, 2> in, uint8_t* out, uint8_t* tag) {
  return gcm_->seal(aead_iv(ssrc, index).data(), additional, in, out, tag);
}

bool SrtpSuite::open(uint32_t ssrc, uint64_t index, std::array<ByteView, 2> additional,
                     std::span<uint8_t> data, const uint8_t* tag) {
  return gcm_->open(aead_iv(ssrc, index).data(), additional, data, tag);
}

bool SrtpSuite::crypt(uint32_t ssrc, uint64_t index, std::array<ByteView, 2> in, uint8_t* out) {
  // RFC 3711 section 4.1.1: (salt * 2^16) XOR (SSRC * 2^64) XOR (index * 2^16).
  std::array<uint8_t, 16> iv{};
  store_u32(&iv[4], ssrc);
  store_u16(&iv[8], static_cast<uint16_t>(index >> 32));
  store_u32(&iv[10], static_cast<uint32_t>(index));
  for (size_t i = 0; i < salt_.size(); ++i) iv[i] ^= salt_[i];
  return crypt_counter(counter_.get(), iv.data(), in, out);
}

void SrtpSuite::set_mac_key(ByteView key) {
  std::array<uint8_t, SHA_CBLOCK> pad{};
  const auto start = [&](SHA_CTX& hash, uint8_t filler) {
    pad.fill(filler);
    for (size_t i = 0; i < key.size(); ++i) pad[i] ^= key[i];
    SHA1_Init(&hash);
    SHA1_Update(&hash, pad.data(), pad.size());
  };
  start(inner_, 0x36);  // RFC 2104 section 2
  start(outer_, 0x5C);
  OPENSSL_cleanse(pad.data(), pad.size());
}

std::array<uint8_t, kSrtpCmTagBytes> SrtpSuite::mac(ByteView first, ByteView second) const {
  std::array<uint8_t, SHA_DIGEST_LENGTH> digest;
  SHA_CTX hash = inner_;
  SHA1_Update(&hash, first.data(), first.size());
  SHA1_Update(&hash, second.data(), second.size());
  SHA1_Final(digest.data(), &hash);
  hash = outer_;
  SHA1_Update(&hash, digest.data(), digest.size());
  SHA1_Final(digest.data(), &hash);
  std::array<uint8_t, kSrtpCmTagBytes> tag;
  std::copy_n(digest.begin(), tag.size(), tag.begin());
  return tag;
}

}  // namespace footlight::rtc
