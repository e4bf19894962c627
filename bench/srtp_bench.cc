// DEPS: footlight_rtc srtp2
//
// What protecting one packet costs, beside OpenSSL's cipher alone with a kept context, and beside
// libsrtp2, which needs the payload copied into place first. Nanoseconds per packet are 10^9
// divided by items_per_second.
#include <benchmark/benchmark.h>
#include <openssl/evp.h>
#include <srtp2/srtp.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "rtc/srtp.h"
#include "rtc/wire.h"

namespace {

using namespace footlight;
using namespace footlight::rtc;

constexpr size_t kHeadBytes = 20;  // with an extension, as a forwarded packet has

SrtpMasterKey master(int64_t profile) {
  const auto which = static_cast<SrtpProfile>(profile);
  const SrtpSizes sizes = srtp_sizes(which);
  return {which, Bytes(sizes.key_bytes, 1), Bytes(sizes.salt_bytes, 2)};
}

Bytes header() {
  Bytes head(kHeadBytes);
  head[0] = 0x90;
  head[1] = 96;
  store_u32(&head[8], 1234);
  store_u16(&head[12], 0xBEDE);
  store_u16(&head[14], 1);
  return head;
}

void sizes(benchmark::internal::Benchmark* bench) {
  for (const auto profile : {SrtpProfile::kAeadAes128Gcm, SrtpProfile::kAeadAes256Gcm,
                             SrtpProfile::kAes128CmHmacSha1_80}) {
    for (const int64_t size : {160, 1200}) bench->Args({static_cast<int64_t>(profile), size});
  }
}

void protect(benchmark::State& state) {
  auto sender = *SrtpSender::make(master(state.range(0)));
  const Bytes payload(static_cast<size_t>(state.range(1)), 7);
  Bytes head = header();
  Bytes out(1500);
  uint16_t sequence = 0;
  for (auto _ : state) {
    store_u16(&head[2], ++sequence);
    auto size = sender.protect_into(head, payload, out);
    benchmark::DoNotOptimize(size);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(protect)->Apply(sizes);

void protect_and_unprotect(benchmark::State& state) {
  auto sender = *SrtpSender::make(master(state.range(0)));
  auto receiver = *SrtpReceiver::make(master(state.range(0)));
  const Bytes payload(static_cast<size_t>(state.range(1)), 7);
  Bytes head = header();
  Bytes out(1500);
  uint16_t sequence = 0;
  for (auto _ : state) {
    store_u16(&head[2], ++sequence);
    const auto size = sender.protect_into(head, payload, out);
    auto plain = receiver.unprotect(std::span(out).first(*size));
    if (!plain) state.SkipWithError("not authentic");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(protect_and_unprotect)->Apply(sizes);

// The floor: what no sender on this library can be below.
void bare_gcm(benchmark::State& state) {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  const std::array<uint8_t, 16> key{1};
  std::array<uint8_t, 12> iv{};
  EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nullptr, key.data(), iv.data());
  const Bytes payload(static_cast<size_t>(state.range(1)), 7);
  const Bytes head = header();
  Bytes out(1500);
  int size = 0;
  for (auto _ : state) {
    ++iv[11];
    EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, iv.data());
    EVP_EncryptUpdate(context, nullptr, &size, head.data(), kHeadBytes);
    EVP_EncryptUpdate(context, out.data(), &size, payload.data(), static_cast<int>(payload.size()));
    EVP_EncryptFinal_ex(context, out.data(), &size);
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, out.data() + payload.size());
    benchmark::DoNotOptimize(out.data());
  }
  EVP_CIPHER_CTX_free(context);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(bare_gcm)->Args({7, 160})->Args({7, 1200});

void libsrtp2(benchmark::State& state) {
  srtp_init();
  const SrtpMasterKey keys = master(state.range(0));
  Bytes key = keys.key;
  key.insert(key.end(), keys.salt.begin(), keys.salt.end());
  srtp_policy_t policy{};
  const auto set = keys.profile == SrtpProfile::kAeadAes128Gcm
                       ? srtp_crypto_policy_set_aes_gcm_128_16_auth
                   : keys.profile == SrtpProfile::kAeadAes256Gcm
                       ? srtp_crypto_policy_set_aes_gcm_256_16_auth
                       : srtp_crypto_policy_set_rtp_default;  // AES-CM, HMAC-SHA1-80
  set(&policy.rtp);
  set(&policy.rtcp);
  policy.ssrc.type = ssrc_any_outbound;
  policy.key = key.data();
  policy.window_size = 1024;
  policy.allow_repeat_tx = 1;
  srtp_t session = nullptr;
  if (srtp_create(&session, &policy) != srtp_err_status_ok) state.SkipWithError("no session");
  const Bytes payload(static_cast<size_t>(state.range(1)), 7);
  Bytes head = header();
  Bytes out(1700);
  uint16_t sequence = 0;
  for (auto _ : state) {
    store_u16(&head[2], ++sequence);
    std::memcpy(out.data(), head.data(), head.size());
    std::memcpy(out.data() + head.size(), payload.data(), payload.size());
    int size = static_cast<int>(head.size() + payload.size());
    benchmark::DoNotOptimize(srtp_protect(session, out.data(), &size));
  }
  srtp_dealloc(session);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(libsrtp2)->Apply(sizes);

}  // namespace
