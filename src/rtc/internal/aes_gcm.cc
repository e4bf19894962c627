#include "rtc/internal/aes_gcm.h"

#include <openssl/evp.h>

#include "core/assert.h"

namespace footlight::rtc {
namespace {

struct ContextFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextFree>;

// EVP's update is the same for both directions.
bool update(EVP_CIPHER_CTX* context, ByteView in, uint8_t* out) {
  int written = 0;
  return in.empty() ||
         EVP_CipherUpdate(context, out, &written, in.data(), static_cast<int>(in.size())) == 1;
}

class ByOpenssl final : public AesGcm {
 public:
  explicit ByOpenssl(Context context) : context_(std::move(context)) {}

  bool seal(const uint8_t* iv, std::array<ByteView, 2> additional, std::array<ByteView, 2> in,
            uint8_t* out, uint8_t* tag) override {
    EVP_CIPHER_CTX* context = context_.get();
    int written = 0;
    return EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, iv) == 1 &&
           update(context, additional[0], nullptr) && update(context, additional[1], nullptr) &&
           update(context, in[0], out) && update(context, in[1], out + in[0].size()) &&
           EVP_EncryptFinal_ex(context, tag, &written) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kGcmTagBytes, tag) == 1;
  }

  bool open(const uint8_t* iv, std::array<ByteView, 2> additional, std::span<uint8_t> data,
            const uint8_t* tag) override {
    EVP_CIPHER_CTX* context = context_.get();
    int written = 0;
    std::array<uint8_t, kGcmTagBytes> rest{};
    return EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, iv) == 1 &&
           update(context, additional[0], nullptr) && update(context, additional[1], nullptr) &&
           update(context, data, data.data()) &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kGcmTagBytes,
                               const_cast<uint8_t*>(tag)) == 1 &&
           EVP_DecryptFinal_ex(context, rest.data(), &written) == 1;
  }

 private:
  Context context_;
};

}  // namespace

std::unique_ptr<AesGcm> aes_gcm_by_openssl(ByteView key, AesGcm::Use use) {
  FL_ASSERT(key.size() == 16 || key.size() == 32, "AES-128 or AES-256");
  const EVP_CIPHER* cipher = key.size() == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
  Context context(EVP_CIPHER_CTX_new());
  const int encrypt = use == AesGcm::Use::kSeal ? 1 : 0;
  const bool ready = context && EVP_CipherInit_ex(context.get(), cipher, nullptr, key.data(),
                                                  nullptr, encrypt) == 1;
  return ready ? std::make_unique<ByOpenssl>(std::move(context)) : nullptr;
}

std::unique_ptr<AesGcm> AesGcm::make(ByteView key, Use use) {
  auto fast = aes_gcm_by_ipsec_mb(key);
  return fast ? std::move(fast) : aes_gcm_by_openssl(key, use);
}

}  // namespace footlight::rtc
