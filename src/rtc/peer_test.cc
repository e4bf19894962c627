#include "rtc/peer.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <vector>

#include "rtc/rtp.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

class SeededEntropy : public Entropy {
 public:
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out) byte = static_cast<uint8_t>(prng_.next());
  }

 private:
  Prng prng_{5};
};

std::shared_ptr<const DtlsIdentity> identity() {
  static SeededEntropy entropy;
  static const auto made = *DtlsIdentity::make(entropy, 1'700'000'000'000);
  return made;
}

// The other end: a full ICE agent's one check, DTLS as a client, SRTP.
class Client {
 public:
  Client(PeerTransports& server, uint16_t port, const DtlsFingerprint& expected, MonoUs now)
      : server_(server), path_{Address::v4(192, 0, 2, 9, port), 0, false} {
    DtlsOptions options;
    options.role = DtlsRole::kClient;
    options.identity = identity();
    options.peer_fingerprints = {expected};
    dtls_ = *DtlsTransport::make(std::move(options));
    dtls_->start(now);
  }
  Received check(const IceCredentials& theirs, MonoUs now) {
    std::array<uint8_t, 300> buffer;
    StunWriter writer(buffer, StunType::kBindingRequest, {});
    writer.username(theirs.ufrag + ":peer");
    writer.priority(1);
    writer.controlling(1);
    writer.use_candidate();
    writer.integrity(theirs.password);
    const ByteView message = writer.finish();
    Bytes bytes(message.begin(), message.end());
    return server_.on_datagram(path_, bytes, now);
  }
  // Exchanges datagrams until both are silent; some are lost.
  void exchange(MonoUs now, uint32_t lose_per_million = 0) {
    for (int turn = 0; turn < 50; ++turn) {
      bool moved = false;
      Bytes datagram;
      while (dtls_->next_datagram(datagram)) {
        moved = true;
        if (loss_.chance_per_million(lose_per_million)) continue;
        server_.on_datagram(path_, datagram, now);
      }
      for (const Bytes& each : take(server_)) {
        moved = true;
        if (loss_.chance_per_million(lose_per_million)) continue;
        if (datagram_kind(each) == DatagramKind::kDtls) dtls_->receive(each, now);
        if (datagram_kind(each) == DatagramKind::kRtp) media.push_back(each);
      }
      moved |= move_channels(now);
      if (dtls_->state() == DtlsState::kConnected && !sender) {
        auto keys = dtls_->srtp_keys();
        sender.emplace(*SrtpSender::make(keys->send));
        receiver.emplace(*SrtpReceiver::make(keys->receive));
      }
      if (!moved) return;
    }
  }
  Received send(std::span<uint8_t> datagram, MonoUs now) {
    return server_.on_datagram(path_, datagram, now);
  }
  static std::vector<Bytes> take(PeerTransports& server) {
    std::vector<Bytes> datagrams;
    for (size_t i = 0; i < server.out().batch_count(); ++i) {
      const SendBatch batch = server.out().batch(i);
      size_t at = 0;
      for (const uint16_t size : batch.sizes) {
        const ByteView each = batch.bytes.subspan(at, size);
        datagrams.emplace_back(each.begin(), each.end());
        at += size;
      }
    }
    server.out().clear();
    return datagrams;
  }
  DtlsTransport& dtls() { return *dtls_; }
  // Hands the data channels' packets to DTLS and back; true when there were any.
  bool move_channels(MonoUs now) {
    if (!channels || dtls_->state() != DtlsState::kConnected) return false;
    if (!std::exchange(started_, true)) channels->start(now);
    bool moved = false;
    Bytes data;
    for (; dtls_->next_data(data); moved = true) channels->receive(data, now);
    std::array<uint8_t, kSctpPacketBytes> packet;
    while (const size_t size = channels->produce(packet, now)) {
      moved = true;
      (void)dtls_->send(ByteView(packet).first(size), now);
    }
    return moved;
  }

  std::optional<SrtpSender> sender;
  std::optional<SrtpReceiver> receiver;
  std::vector<Bytes> media;
  std::unique_ptr<DataChannels> channels;

 private:
  PeerTransports& server_;
  Path path_;
  std::unique_ptr<DtlsTransport> dtls_;
  Prng loss_{3};
  bool started_ = false;
};

class PeerTest : public testing::Test {
 protected:
  PeerTest() : server_(entropy_, identity(), {}) {}
  SdpAnswer answer(bool data = false) {
    SdpAnswer answer;
    answer.remote_ice.ufrag = "peer";
    answer.remote_fingerprints = {{"sha-256", identity()->fingerprint().digest}};
    if (data) {
      NegotiatedMedia media;
      media.kind = MediaKind::kApplication;
      media.sctp_port = 5000;
      answer.media.push_back(media);
    }
    return answer;
  }
  Bytes packet(uint16_t sequence) {
    Bytes bytes(kRtpFixedBytes + 3, 7);
    write_rtp_head(bytes, {false, false, 96, sequence, 0, 42});
    return bytes;
  }
  SeededEntropy entropy_;
  PeerTransports server_;
  MonoUs now_ = 1'000'000;
};

TEST_F(PeerTest, ASessionIsConnectedByACheckAndAHandshakeAndCarriesMediaBothWays) {
  Peer* peer = *server_.open(now_);
  ASSERT_TRUE(peer->negotiate(answer(), now_));
  Client client(server_, 1, identity()->fingerprint(), now_);
  EXPECT_EQ(client.check(server_.credentials(*peer), now_).peer, peer);
  client.exchange(now_);
  ASSERT_EQ(peer->state(), PeerState::kConnected);
  ASSERT_TRUE(client.sender);

  const Bytes plain = packet(1);
  Bytes datagram(plain.size() + kSrtpMaxTagBytes);
  datagram.resize(*client.sender->protect_into(ByteView(plain).first(12),
                                               ByteView(plain).subspan(12), datagram));
  Bytes replay = datagram;
  const Received received = client.send(datagram, now_);
  ASSERT_EQ(received.kind, ReceivedKind::kRtp);
  EXPECT_EQ(to_hex(received.bytes), to_hex(plain));
  EXPECT_EQ(client.send(replay, now_).kind, ReceivedKind::kNothing);
  EXPECT_EQ(peer->stats().refused_in, 1u);

  peer->send_rtp(ByteView(plain).first(12), ByteView(plain).subspan(12));
  client.exchange(now_);
  ASSERT_EQ(client.media.size(), 1u);
  const auto read = client.receiver->unprotect(client.media[0]);
  ASSERT_TRUE(read);
  EXPECT_EQ(to_hex(*read), to_hex(plain));
}

TEST_F(PeerTest, DataChannelsOpenAndCarryMessagesBothWays) {
  Peer* peer = *server_.open(now_);
  ASSERT_TRUE(peer->negotiate(answer(true), now_));
  Client client(server_, 1, identity()->fingerprint(), now_);
  client.channels = std::make_unique<DataChannels>(DtlsRole::kClient, SctpConfig{}, entropy_);
  client.check(server_.credentials(*peer), now_);
  client.exchange(now_);
  const auto id = client.channels->open({.label = "table"}, now_);
  ASSERT_TRUE(id);
  ASSERT_TRUE(client.channels->send(*id, true, as_bytes("hello"), now_));
  client.exchange(now_);

  ASSERT_NE(peer->channels(), nullptr);
  std::string opened, said;
  ChannelEvent event;
  while (peer->channels()->next_event(event, now_)) {
    if (const auto* open = std::get_if<ChannelOpened>(&event)) opened = open->options.label;
    if (const auto* message = std::get_if<ChannelMessage>(&event)) {
      said.assign(message->payload.begin(), message->payload.end());
      ASSERT_TRUE(peer->channels()->send(message->id, true, as_bytes("welcome"), now_));
    }
  }
  EXPECT_EQ(opened, "table");
  EXPECT_EQ(said, "hello");
  peer->flush(now_);
  client.exchange(now_);
  std::string heard;
  while (client.channels->next_event(event, now_)) {
    if (const auto* message = std::get_if<ChannelMessage>(&event)) {
      heard.assign(message->payload.begin(), message->payload.end());
    }
  }
  EXPECT_EQ(heard, "welcome");
}

TEST_F(PeerTest, AStrangersHandshakeAndMediaReachNothing) {
  Peer* peer = *server_.open(now_);
  ASSERT_TRUE(peer->negotiate(answer(), now_));
  Client stranger(server_, 1, identity()->fingerprint(), now_);
  stranger.exchange(now_);
  EXPECT_EQ(peer->state(), PeerState::kConnecting);
  EXPECT_GT(server_.stats().strangers, 0u);
  Bytes media = packet(1);
  EXPECT_EQ(stranger.send(media, now_).kind, ReceivedKind::kNothing);
  EXPECT_TRUE(server_.out().empty());
}

TEST_F(PeerTest, ALossyHandshakeGoesOnAtItsDeadlines) {
  Peer* peer = *server_.open(now_);
  ASSERT_TRUE(peer->negotiate(answer(), now_));
  Client client(server_, 1, identity()->fingerprint(), now_);
  client.check(server_.credentials(*peer), now_);
  for (int i = 0; i < 100 && !client.sender; ++i) {
    client.exchange(now_, 300'000);
    const MonoUs next = std::min(server_.deadline(), client.dtls().deadline_us());
    ASSERT_NE(next, kNever);
    now_ = std::max(now_, next);
    server_.on_time(now_);
    if (client.dtls().deadline_us() <= now_) client.dtls().on_deadline(now_);
  }
  EXPECT_EQ(peer->state(), PeerState::kConnected);
}

TEST_F(PeerTest, ACertificateThatTheDescriptionDidNotNameClosesTheSession) {
  Peer* peer = *server_.open(now_);
  SdpAnswer wrong = answer();
  wrong.remote_fingerprints[0].digest[0] ^= 1;
  ASSERT_TRUE(peer->negotiate(wrong, now_));
  Client client(server_, 1, identity()->fingerprint(), now_);
  client.check(server_.credentials(*peer), now_);
  client.exchange(now_);
  EXPECT_EQ(peer->state(), PeerState::kClosed);
  EXPECT_EQ(peer->reason(), Code::kDtlsFingerprint);
  EXPECT_EQ(server_.next_ended(), peer);
  EXPECT_EQ(server_.next_ended(), nullptr);
  server_.forget(peer->session());
  EXPECT_EQ(server_.peer_count(), 0u);
}

TEST_F(PeerTest, APeerThatFallsSilentIsGivenUpWithItsConsent) {
  Peer* peer = *server_.open(now_);
  ASSERT_TRUE(peer->negotiate(answer(), now_));
  Client client(server_, 1, identity()->fingerprint(), now_);
  client.check(server_.credentials(*peer), now_);
  client.exchange(now_);
  now_ += IceLite::kConsentUs + 1;
  server_.on_time(now_);
  EXPECT_EQ(server_.next_ended(), peer);
  EXPECT_EQ(peer->reason(), Code::kIceConsent);
  const Bytes plain = packet(1);
  server_.out().clear();
  peer->send_rtp(ByteView(plain).first(12), ByteView(plain).subspan(12));
  EXPECT_TRUE(server_.out().empty());  // nothing more is sent to it
}

TEST_F(PeerTest, DatagramsToOnePeerLieTogether) {
  DatagramOut out(4000, 10);
  const Path a{Address::v4(1, 1, 1, 1, 1), 0, false}, b{Address::v4(1, 1, 1, 1, 2), 0, false};
  for (const Path& path : {a, a, b, a}) {
    ASSERT_EQ(out.room(path, 100).size(), 100u);
    out.commit(90);
  }
  ASSERT_EQ(out.batch_count(), 3u);
  EXPECT_EQ(out.batch(0).sizes.size(), 2u);
  EXPECT_EQ(out.batch(0).bytes.size(), 180u);
  EXPECT_EQ(out.batch(2).path, a);
  EXPECT_TRUE(out.room(a, 4000).empty());
  EXPECT_EQ(out.dropped(), 1u);
}

TEST_F(PeerTest, ATurnMayBringMoreThanFitsWhenWhatWaitsIsSentBetweenTwoPeers) {
  DatagramOut out(1000, 100);
  std::vector<size_t> sent;  // datagrams of each batch
  const auto drain = [&] {
    for (size_t i = 0; i < out.batch_count(); ++i) sent.push_back(out.batch(i).sizes.size());
    out.clear();
  };
  out.set_drain(250, drain);
  for (uint16_t peer = 1; peer <= 50; ++peer) {
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(out.room({Address::v4(1, 1, 1, 1, peer), 0, false}, 100).size(), 100u);
      out.commit(100);
    }
  }
  drain();
  EXPECT_EQ(sent, std::vector<size_t>(50, 3)) << "what goes to one peer stays together";
  // One peer's own are cut when there is no room for more.
  for (int i = 0; i < 15; ++i) {
    ASSERT_EQ(out.room({Address::v4(1, 1, 1, 1, 1), 0, false}, 100).size(), 100u);
    out.commit(100);
  }
  EXPECT_EQ(sent.back(), 10u);
  EXPECT_EQ(out.datagram_count(), 5u);
  EXPECT_EQ(out.dropped(), 0u);
}

}  // namespace
}  // namespace footlight::rtc
