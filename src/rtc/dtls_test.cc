#include "rtc/dtls.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <functional>
#include <map>

#include "core/prng.h"

namespace footlight::rtc {
namespace {

constexpr WallMs kWall = 1'800'000'000'000;

struct SeededEntropy final : Entropy {
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out) byte = static_cast<uint8_t>(prng.next());
  }
  Prng prng{7};
};

std::shared_ptr<const DtlsIdentity> identity() {
  SeededEntropy entropy;
  return *DtlsIdentity::make(entropy, kWall);
}

// Making keys is the slow part: two identities serve all tests.
const auto& alice() {
  static const auto made = identity();
  return made;
}
const auto& bob() {
  static const auto made = identity();
  return made;
}

std::unique_ptr<DtlsTransport> transport(DtlsRole role,
                                         const std::shared_ptr<const DtlsIdentity>& self,
                                         const std::shared_ptr<const DtlsIdentity>& peer) {
  return *DtlsTransport::make({role, self, {peer->fingerprint()}});
}

// Two transports and a link that loses, doubles and delays, all from a seed, in virtual time.
struct Link {
  struct Faults {
    uint32_t lost_per_million = 0;
    uint32_t doubled_per_million = 0;
    MonoUs most_delay_us = 1000;
  };

  Link(uint64_t seed, Faults faults) : prng(seed), faults(faults) {}

  void pump() {
    for (const bool from_client : {true, false}) {
      auto& sender = from_client ? *client : *server;
      for (Bytes datagram; sender.next_datagram(datagram);) {
        EXPECT_LE(datagram.size(), kDtlsMtuBytes);
        ++datagrams;
        const int copies = prng.chance_per_million(faults.doubled_per_million) ? 2 : 1;
        for (int i = 0; i < copies; ++i) {
          if (prng.chance_per_million(faults.lost_per_million)) continue;
          flying.emplace(now + prng.between(1, faults.most_delay_us),
                         std::pair(!from_client, datagram));
        }
      }
    }
  }

  bool connected() const {
    return client->state() == DtlsState::kConnected && server->state() == DtlsState::kConnected;
  }

  // Until `done`, or `until`.
  void run(MonoUs until, const std::function<bool()>& done) {
    for (pump(); !done(); pump()) {
      MonoUs next = std::min(client->deadline_us(), server->deadline_us());
      if (!flying.empty()) next = std::min(next, flying.begin()->first);
      if (next > until) return;
      now = std::max(now, next);
      if (!flying.empty() && flying.begin()->first <= now) {
        const auto [to_client, datagram] = flying.begin()->second;
        flying.erase(flying.begin());
        (to_client ? *client : *server).receive(datagram, now);
        continue;
      }
      client->on_deadline(now);
      server->on_deadline(now);
    }
  }

  void connect() {
    client->start(now);
    server->start(now);
    run(now + 40 * kUsPerSecond, [this] { return connected(); });
  }

  Prng prng;
  Faults faults;
  std::unique_ptr<DtlsTransport> client = transport(DtlsRole::kClient, alice(), bob());
  std::unique_ptr<DtlsTransport> server = transport(DtlsRole::kServer, bob(), alice());
  std::multimap<MonoUs, std::pair<bool, Bytes>> flying;  // by arrival; true: to the client
  MonoUs now = 5 * kUsPerSecond;
  size_t datagrams = 0;
};

TEST(Dtls, both_ends_agree_on_srtp_keys_with_aes_128_gcm) {
  Link link(1, {});
  link.connect();
  ASSERT_TRUE(link.connected()) << link.client->error().message();
  const auto client = link.client->srtp_keys();
  const auto server = link.server->srtp_keys();
  ASSERT_TRUE(client && server);
  EXPECT_EQ(client->send.profile, SrtpProfile::kAeadAes128Gcm);
  EXPECT_EQ(client->send.key, server->receive.key);
  EXPECT_EQ(client->send.salt, server->receive.salt);
  EXPECT_EQ(client->receive.key, server->send.key);
  EXPECT_NE(client->send.key, client->receive.key);
  EXPECT_TRUE(SrtpSender::make(client->send));
}

TEST(Dtls, a_handshake_survives_loss_doubling_and_reordering) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Link link(seed, {200'000, 100'000, 150 * kUsPerMs});
    link.connect();
    ASSERT_TRUE(link.connected()) << "seed " << seed << " " << link.client->error().message()
                                  << link.server->error().message();
    EXPECT_EQ(link.client->srtp_keys()->send.key, link.server->srtp_keys()->receive.key);
  }
}

TEST(Dtls, its_timer_runs_in_the_callers_time_alone) {
  auto client = transport(DtlsRole::kClient, alice(), bob());
  EXPECT_EQ(client->deadline_us(), kNever);
  const MonoUs start = 1'000'000'000;
  client->start(start);
  Bytes hello;
  ASSERT_TRUE(client->next_datagram(hello));
  MonoUs now = start;
  for (const MonoUs step_ms : {100, 200, 400, 800, 1600, 3200, 4000, 4000}) {
    EXPECT_EQ(client->deadline_us(), now + step_ms * kUsPerMs);
    client->on_deadline(client->deadline_us() - 1);
    EXPECT_FALSE(client->next_datagram(hello)) << "resent too early";
    now = client->deadline_us();
    client->on_deadline(now);
    EXPECT_TRUE(client->next_datagram(hello)) << "not resent";
    EXPECT_FALSE(client->next_datagram(hello));
  }
  while (client->deadline_us() != kNever) client->on_deadline(client->deadline_us());
  EXPECT_EQ(client->state(), DtlsState::kFailed);
  EXPECT_EQ(client->error().code, Code::kDtlsTimeout);
}

TEST(Dtls, a_lost_last_flight_is_sent_again_when_the_client_asks) {
  Link link(1, {});
  link.client->start(link.now);
  link.server->start(link.now);
  // Until the server is done; then its last flight is lost.
  link.run(kNever - 1, [&] { return link.server->state() == DtlsState::kConnected; });
  for (Bytes lost; link.server->next_datagram(lost);) {
  }
  link.flying.clear();
  EXPECT_EQ(link.client->state(), DtlsState::kHandshaking);
  link.run(link.now + 5 * kUsPerSecond, [&] { return link.connected(); });
  EXPECT_TRUE(link.connected());
}

TEST(Dtls, nothing_leaves_before_the_address_is_proven_and_what_came_early_counts) {
  Link link(1, {});
  link.client->start(link.now);
  Bytes hello;
  ASSERT_TRUE(link.client->next_datagram(hello));
  for (size_t i = 0; i < 3 * kDtlsEarlyDatagrams; ++i) link.server->receive(hello, link.now);
  Bytes none;
  EXPECT_FALSE(link.server->next_datagram(none));
  EXPECT_EQ(link.server->state(), DtlsState::kWaiting);
  EXPECT_EQ(link.server->deadline_us(), kNever);
  link.server->start(link.now);
  EXPECT_TRUE(link.server->next_datagram(none));
}

TEST(Dtls, a_certificate_that_the_session_description_does_not_name_is_refused) {
  Link link(1, {});
  link.server = *DtlsTransport::make({DtlsRole::kServer, bob(), {bob()->fingerprint()}});
  link.client->start(link.now);
  link.server->start(link.now);
  link.run(link.now + 40 * kUsPerSecond,
           [&] { return link.server->state() == DtlsState::kFailed; });
  EXPECT_EQ(link.server->state(), DtlsState::kFailed);
  EXPECT_EQ(link.server->error().code, Code::kDtlsFingerprint);
  EXPECT_FALSE(link.server->srtp_keys());
  EXPECT_FALSE(link.server->send(as_bytes("x"), link.now));
  EXPECT_EQ(link.server->deadline_us(), kNever);
}

TEST(Dtls, an_unknown_digest_is_passed_over_and_none_at_all_is_a_failure) {
  Link link(1, {});
  DtlsFingerprint odd{"sha-1", Bytes(20, 1)};
  link.server = *DtlsTransport::make({DtlsRole::kServer, bob(), {odd, alice()->fingerprint()}});
  link.connect();
  EXPECT_TRUE(link.connected());
  Link other(1, {});
  other.server = *DtlsTransport::make({DtlsRole::kServer, bob(), {odd}});
  other.connect();
  EXPECT_EQ(other.server->error().code, Code::kDtlsFingerprint);
}

TEST(Dtls, data_passes_both_ways_and_close_is_heard) {
  Link link(1, {});
  EXPECT_EQ(link.client->send(as_bytes("early"), 0).error().code, Code::kDtlsClosed);
  link.connect();
  ASSERT_TRUE(link.connected());
  const Bytes big(kDtlsMaxDataBytes, 7);
  EXPECT_TRUE(link.client->send(big, link.now));
  EXPECT_TRUE(link.server->send(as_bytes("hello"), link.now));
  EXPECT_EQ(link.client->send(Bytes(kDtlsMaxDataBytes + 1), link.now).error().code,
            Code::kChannelMessageSize);
  link.run(link.now + kUsPerSecond, [] { return false; });
  Bytes data;
  ASSERT_TRUE(link.server->next_data(data));
  EXPECT_EQ(data, big);
  ASSERT_TRUE(link.client->next_data(data));
  EXPECT_EQ(as_text(data), "hello");
  EXPECT_FALSE(link.client->next_data(data));
  link.client->close(link.now);
  link.run(link.now + kUsPerSecond, [] { return false; });
  EXPECT_EQ(link.client->state(), DtlsState::kClosed);
  EXPECT_EQ(link.server->state(), DtlsState::kClosed);
}

TEST(Dtls, who_gave_its_buffers_back_goes_on_as_before) {
  Link link(1, {});
  link.connect();
  ASSERT_TRUE(link.connected());
  link.server->release_buffers();
  EXPECT_TRUE(link.client->send(as_bytes("there?"), link.now));
  link.run(link.now + kUsPerSecond, [] { return false; });
  Bytes data;
  ASSERT_TRUE(link.server->next_data(data));
  link.server->release_buffers();
  EXPECT_TRUE(link.server->send(as_bytes("here"), link.now));
  link.run(link.now + kUsPerSecond, [] { return false; });
  ASSERT_TRUE(link.client->next_data(data));
  EXPECT_EQ(as_text(data), "here");
  link.server->release_buffers();
  link.client->release_buffers();
  link.server->close(link.now);
  link.run(link.now + kUsPerSecond, [] { return false; });
  EXPECT_EQ(link.client->state(), DtlsState::kClosed);
  EXPECT_EQ(link.server->state(), DtlsState::kClosed);
}

TEST(Dtls, garbage_neither_ends_a_connection_nor_a_handshake_until_there_is_too_much) {
  Link link(3, {});
  Prng prng(9);
  const auto garbage = [&] {
    Bytes bytes(1 + prng.below(1400));
    for (auto& byte : bytes) byte = static_cast<uint8_t>(prng.next());
    bytes[0] = static_cast<uint8_t>(20 + prng.below(44));
    if (prng.below(2) == 0 && bytes.size() > 2) bytes[1] = 0xFE, bytes[2] = 0xFD;
    return bytes;
  };
  link.client->start(link.now);
  link.server->start(link.now);
  for (int i = 0; i < 300; ++i) {
    link.client->receive(garbage(), link.now);
    link.server->receive(garbage(), link.now);
  }
  link.run(link.now + 20 * kUsPerSecond, [&] { return link.connected(); });
  ASSERT_TRUE(link.connected()) << link.server->error().message();
  for (int i = 0; i < 300; ++i) link.server->receive(garbage(), link.now);
  EXPECT_EQ(link.server->state(), DtlsState::kConnected);

  auto flooded = transport(DtlsRole::kServer, bob(), alice());
  flooded->start(0);
  for (size_t i = 0; i <= kDtlsHandshakeDatagrams; ++i) flooded->receive(garbage(), 0);
  EXPECT_EQ(flooded->state(), DtlsState::kFailed);
}

// --- an OpenSSL peer, set up as `openssl s_client -dtls1_2 -use_srtp` does it
// ---------------------

struct OpenSslPeer {
  OpenSslPeer(bool client, const char* profiles, long mtu) {
    context = SSL_CTX_new(client ? DTLS_client_method() : DTLS_server_method());
    static EVP_PKEY* const rsa = EVP_RSA_gen(2048);  // the slow part, once
    key = rsa;
    certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    if (profiles != nullptr) SSL_CTX_set_tlsext_use_srtp(context, profiles);
    ssl = SSL_new(context);
    in = BIO_new(BIO_s_mem());
    out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(ssl, in, out);
    SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(ssl, mtu);
    client ? SSL_set_connect_state(ssl) : SSL_set_accept_state(ssl);
    fingerprint.digest.resize(32);
    unsigned int size = 0;
    X509_digest(certificate, EVP_sha256(), fingerprint.digest.data(), &size);
  }
  ~OpenSslPeer() {
    SSL_free(ssl);
    SSL_CTX_free(context);
    X509_free(certificate);
  }
  OpenSslPeer(const OpenSslPeer&) = delete;
  OpenSslPeer& operator=(const OpenSslPeer&) = delete;

  // What a memory BIO glued together, cut at the records again: one a datagram.
  std::vector<Bytes> written() {
    std::vector<Bytes> records;
    for (;;) {
      Bytes record(13);
      if (BIO_read(out, record.data(), 13) != 13) return records;
      const int size = record[11] << 8 | record[12];
      record.resize(static_cast<size_t>(13 + size));
      EXPECT_EQ(BIO_read(out, record.data() + 13, size), size);
      records.push_back(std::move(record));
    }
  }
  bool handshake_with(DtlsTransport& ours) {
    ours.start(0);
    for (int round = 0; round < 20; ++round) {
      SSL_do_handshake(ssl);
      for (const auto& record : written()) {
        largest = std::max(largest, record.size());
        ours.receive(record, 0);
      }
      for (Bytes datagram; ours.next_datagram(datagram);) {
        BIO_write(in, datagram.data(), static_cast<int>(datagram.size()));
        SSL_do_handshake(ssl);
      }
    }
    return SSL_is_init_finished(ssl) && ours.state() == DtlsState::kConnected;
  }

  SSL_CTX* context = nullptr;
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  SSL* ssl = nullptr;
  BIO* in = nullptr;
  BIO* out = nullptr;
  DtlsFingerprint fingerprint{"sha-256", {}};
  size_t largest = 0;
};

constexpr const char* kReversed =
    "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM";

TEST(DtlsInterop, an_openssl_client_with_an_rsa_certificate_gets_our_preferred_profile) {
  OpenSslPeer peer(true, kReversed, 1300);
  auto ours = *DtlsTransport::make({DtlsRole::kServer, bob(), {peer.fingerprint}});
  ASSERT_TRUE(peer.handshake_with(*ours)) << ours->error().message();
  const auto keys = ours->srtp_keys();
  ASSERT_TRUE(keys);
  EXPECT_EQ(keys->send.profile, SrtpProfile::kAeadAes128Gcm);
  EXPECT_EQ(SSL_get_selected_srtp_profile(peer.ssl)->id, 7u);
  Bytes material(56);
  SSL_export_keying_material(peer.ssl, material.data(), material.size(), "EXTRACTOR-dtls_srtp", 19,
                             nullptr, 0, 0);
  EXPECT_EQ(keys->receive.key, Bytes(material.begin(), material.begin() + 16));
  EXPECT_EQ(keys->send.key, Bytes(material.begin() + 16, material.begin() + 32));
  EXPECT_EQ(keys->receive.salt, Bytes(material.begin() + 32, material.begin() + 44));
  EXPECT_EQ(keys->send.salt, Bytes(material.begin() + 44, material.end()));
  SSL_write(peer.ssl, "ping", 4);
  ours->receive(peer.written().at(0), 0);
  Bytes data;
  ASSERT_TRUE(ours->next_data(data));
  EXPECT_EQ(as_text(data), "ping");
}

TEST(DtlsInterop, an_openssl_server_is_called_and_may_choose_the_profile) {
  for (const char* profiles : {kReversed, "SRTP_AES128_CM_SHA1_80"}) {
    OpenSslPeer peer(false, profiles, 1300);
    auto ours = *DtlsTransport::make({DtlsRole::kClient, bob(), {peer.fingerprint}});
    ASSERT_TRUE(peer.handshake_with(*ours)) << ours->error().message();
    EXPECT_EQ(ours->srtp_keys()->send.profile, SrtpProfile::kAes128CmHmacSha1_80);
  }
}

TEST(DtlsInterop, a_fragmented_client_hello_is_put_together) {
  OpenSslPeer peer(true, kReversed, 256);
  auto ours = *DtlsTransport::make({DtlsRole::kServer, bob(), {peer.fingerprint}});
  // Enough protocol names to make the hello larger than the peer's datagrams.
  Bytes names;
  for (int i = 0; i < 40; ++i) {
    names.push_back(20);
    names.insert(names.end(), 20, static_cast<uint8_t>('a' + i % 26));
  }
  SSL_set_alpn_protos(peer.ssl, names.data(), static_cast<unsigned>(names.size()));
  SSL_do_handshake(peer.ssl);
  const auto hello = peer.written();
  ASSERT_GE(hello.size(), 4u) << "the hello was not fragmented";
  ours->start(0);
  for (const auto& fragment : hello) ours->receive(fragment, 0);
  EXPECT_TRUE(peer.handshake_with(*ours)) << ours->error().message();
}

TEST(DtlsInterop, a_peer_without_srtp_connects_for_data_alone) {
  OpenSslPeer peer(true, nullptr, 1300);
  auto ours = *DtlsTransport::make({DtlsRole::kServer, bob(), {peer.fingerprint}});
  ASSERT_TRUE(peer.handshake_with(*ours));
  EXPECT_FALSE(ours->srtp_keys());
}

TEST(DtlsInterop, a_peer_without_a_certificate_is_refused) {
  SSL_CTX* context = SSL_CTX_new(DTLS_client_method());
  OpenSslPeer peer(true, kReversed, 1300);
  SSL_set_SSL_CTX(peer.ssl, context);
  SSL_CTX_free(context);
  SSL_certs_clear(peer.ssl);
  auto ours = *DtlsTransport::make({DtlsRole::kServer, bob(), {peer.fingerprint}});
  EXPECT_FALSE(peer.handshake_with(*ours));
  EXPECT_EQ(ours->error().code, Code::kDtlsFailed);
}

}  // namespace
}  // namespace footlight::rtc
