#include "rtc/internal/aes_gcm.h"

#ifdef __x86_64__
#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

#include <algorithm>

#include "core/assert.h"

namespace footlight::rtc {
namespace {

struct ManagerFree {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};

// Of the manager only the table of routines is used, which its job queues have no part in: they
// keep no state, so all threads share one.
const IMB_MGR* routines() {
  static const std::unique_ptr<IMB_MGR, ManagerFree> manager = [] {
    std::unique_ptr<IMB_MGR, ManagerFree> made(alloc_mb_mgr(0));
    if (made && (made->features & IMB_FEATURE_AESNI) == 0) made.reset();
    if (made) init_mb_mgr_auto(made.get(), nullptr);
    return made;
  }();
  return manager.get();
}

struct Routines {
  aes_gcm_init_t init;
  aes_gcm_enc_dec_update_t encrypt, decrypt;
  aes_gcm_enc_dec_finalize_t seal, open;
};

class ByIpsecMb final : public AesGcm {
 public:
  ByIpsecMb(const IMB_MGR& manager, ByteView key) {
    if (key.size() == 32) {
      manager.gcm256_pre(key.data(), &key_);
      use_ = {manager.gcm256_init, manager.gcm256_enc_update, manager.gcm256_dec_update,
              manager.gcm256_enc_finalize, manager.gcm256_dec_finalize};
    } else {
      manager.gcm128_pre(key.data(), &key_);
      use_ = {manager.gcm128_init, manager.gcm128_enc_update, manager.gcm128_dec_update,
              manager.gcm128_enc_finalize, manager.gcm128_dec_finalize};
    }
  }
  ~ByIpsecMb() override { OPENSSL_cleanse(&key_, sizeof key_); }
  ByIpsecMb(const ByIpsecMb&) = delete;
  ByIpsecMb& operator=(const ByIpsecMb&) = delete;

  bool seal(const uint8_t* iv, std::array<ByteView, 2> additional, std::array<ByteView, 2> in,
            uint8_t* out, uint8_t* tag) override {
    gcm_context_data context;
    if (!begin(context, iv, additional)) return false;
    for (const ByteView piece : in) {
      if (!piece.empty()) use_.encrypt(&key_, &context, out, piece.data(), piece.size());
      out += piece.size();
    }
    use_.seal(&key_, &context, tag, kGcmTagBytes);
    return true;
  }

  bool open(const uint8_t* iv, std::array<ByteView, 2> additional, std::span<uint8_t> data,
            const uint8_t* tag) override {
    gcm_context_data context;
    if (!begin(context, iv, additional)) return false;
    if (!data.empty()) use_.decrypt(&key_, &context, data.data(), data.data(), data.size());
    std::array<uint8_t, kGcmTagBytes> real;
    use_.open(&key_, &context, real.data(), real.size());
    return CRYPTO_memcmp(real.data(), tag, real.size()) == 0;
  }

 private:
  // Additional data has to lie in one piece. It is in two for RTCP alone, and up to a whole
  // datagram of a peer's.
  bool begin(gcm_context_data& context, const uint8_t* iv, std::array<ByteView, 2> additional) {
    ByteView whole = additional[0];
    std::array<uint8_t, kGcmJoinedBytes> joined;
    if (!additional[1].empty()) {
      if (whole.size() + additional[1].size() > joined.size()) return false;
      const auto end = std::ranges::copy(whole, joined.begin()).out;
      whole = ByteView(joined.begin(), std::ranges::copy(additional[1], end).out);
    }
    use_.init(&key_, &context, iv, whole.data(), whole.size());
    return true;
  }

  alignas(64) gcm_key_data key_;  // its routines move whole registers
  Routines use_;
};

}  // namespace

std::unique_ptr<AesGcm> aes_gcm_by_ipsec_mb(ByteView key) {
  FL_ASSERT(key.size() == 16 || key.size() == 32, "AES-128 or AES-256");
  const IMB_MGR* manager = routines();
  return manager == nullptr ? nullptr : std::make_unique<ByIpsecMb>(*manager, key);
}

}  // namespace footlight::rtc

#else

namespace footlight::rtc {
std::unique_ptr<AesGcm> aes_gcm_by_ipsec_mb(ByteView) { return nullptr; }
}  // namespace footlight::rtc

#endif
