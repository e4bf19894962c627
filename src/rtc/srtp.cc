#include "rtc/srtp.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>

#include "rtc/internal/srtp_suite.h"
#include "rtc/rtp.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

constexpr uint64_t kMaxRtpIndex = (uint64_t{1} << 48) - 1;
constexpr uint32_t kMaxRtcpIndex = 0x7FFF'FFFF;
constexpr uint32_t kEncryptedBit = 0x8000'0000;

// Size of the header with CSRCs and extension (RFC 3550 section 5.1), 0 when `packet` is too short
// for it. `parse_rtp` does not serve here: it reads the padding, which is encrypted.
size_t head_bytes(ByteView packet) {
  if (packet.size() < kRtpFixedBytes || packet[0] >> 6 != 2) return 0;
  size_t size = kRtpFixedBytes + 4 * size_t{packet[0] & 0x0Fu};
  if (packet[0] & 0x10) {
    if (packet.size() < size + 4) return 0;
    size += 4 + 4 * size_t{load_u16(packet.data() + size + 2)};
  }
  return packet.size() < size ? 0 : size;
}

// The place of `ssrc` in a sorted table, or where it belongs; `last` is a guess.
template <class Table>
size_t place_of(const Table& table, uint32_t ssrc, size_t last) {
  if (last < table.size() && table[last].ssrc == ssrc) return last;
  const auto at = std::ranges::lower_bound(table, ssrc, {}, [](const auto& s) { return s.ssrc; });
  return static_cast<size_t>(at - table.begin());
}

template <class Table>
bool holds(const Table& table, size_t place, uint32_t ssrc) {
  return place < table.size() && table[place].ssrc == ssrc;
}

template <class Table>
void remove(Table& table, uint32_t ssrc) {
  const size_t place = place_of(table, ssrc, table.size());
  if (holds(table, place, ssrc)) table.erase(table.begin() + static_cast<ptrdiff_t>(place));
}

// The index with these low 16 bits that is nearest to `highest` (RFC 3711 section 3.3.1); negative
// when that lies before the stream's start.
int64_t nearest_index(uint64_t highest, uint16_t sequence) {
  const auto delta = static_cast<int16_t>(sequence - static_cast<uint16_t>(highest));
  return static_cast<int64_t>(highest) + delta;
}

std::array<uint8_t, 4> roll_over_bytes(uint64_t index) {
  std::array<uint8_t, 4> bytes;
  store_u32(bytes.data(), static_cast<uint32_t>(index >> 16));
  return bytes;
}

Status check(const SrtpMasterKey& master) {
  const SrtpSizes sizes = srtp_sizes(master.profile);
  if (sizes.key_bytes == 0 || master.key.size() != sizes.key_bytes ||
      master.salt.size() != sizes.salt_bytes) {
    return fail(Code::kSrtpKey);
  }
  return {};
}

}  // namespace

SrtpSizes srtp_sizes(SrtpProfile profile) {
  switch (profile) {
    case SrtpProfile::kAes128CmHmacSha1_80:
      return {16, 14, kSrtpCmTagBytes};
    case SrtpProfile::kAeadAes128Gcm:
      return {16, 12, kSrtpGcmTagBytes};
    case SrtpProfile::kAeadAes256Gcm:
      return {32, 12, kSrtpGcmTagBytes};
  }
  return {0, 0, 0};
}

// --- sender --------------------------------------------------------------------------------------

SrtpSender::SrtpSender() = default;
SrtpSender::SrtpSender(SrtpSender&&) noexcept = default;
SrtpSender& SrtpSender::operator=(SrtpSender&&) noexcept = default;
SrtpSender::~SrtpSender() = default;

Result<SrtpSender> SrtpSender::make(const SrtpMasterKey& master) {
  if (auto good = check(master); !good) return std::unexpected(good.error());
  SrtpSender sender;
  sender.rtp_ = SrtpSuite::make(master, SrtpKind::kRtp, SrtpUse::kSeal);
  sender.rtcp_ = SrtpSuite::make(master, SrtpKind::kRtcp, SrtpUse::kSeal);
  if (!sender.rtp_ || !sender.rtcp_) return fail(Code::kInternal, "OpenSSL refuses the cipher");
  return sender;
}

Result<uint64_t> SrtpSender::index_of(uint32_t ssrc, uint16_t sequence) {
  const size_t place = place_of(streams_, ssrc, last_);
  last_ = place;
  if (!holds(streams_, place, ssrc)) {
    if (streams_.size() >= kSrtpMaxStreams) return fail(Code::kSrtpStreams);
    streams_.insert(streams_.begin() + static_cast<ptrdiff_t>(place), {ssrc, sequence});
    return sequence;
  }
  const int64_t index = nearest_index(streams_[place].highest, sequence);
  if (index < 0 || static_cast<uint64_t>(index) > kMaxRtpIndex) return fail(Code::kSrtpExhausted);
  streams_[place].highest = std::max(streams_[place].highest, static_cast<uint64_t>(index));
  return static_cast<uint64_t>(index);
}

Result<size_t> SrtpSender::protect_into(ByteView header, ByteView payload, std::span<uint8_t> out) {
  const size_t size = header.size() + payload.size() + rtp_->tag_bytes();
  const size_t clear = head_bytes(header);
  if (clear == 0 || out.size() < size) return fail(Code::kSrtpMalformed);
  const uint32_t ssrc = load_u32(&header[8]);
  const auto index = index_of(ssrc, load_u16(&header[2]));
  if (!index) return std::unexpected(index.error());
  std::memmove(out.data(), header.data(), clear);
  const std::array<ByteView, 2> plain{header.subspan(clear), payload};
  uint8_t* body = out.data() + clear;
  uint8_t* end = out.data() + header.size() + payload.size();
  bool done;
  if (rtp_->aead()) {
    done = rtp_->seal(ssrc, *index, {out.first(clear), {}}, plain, body, end);
  } else {
    done = rtp_->crypt(ssrc, *index, plain, body);
    const auto tag = rtp_->mac(out.first(header.size() + payload.size()), roll_over_bytes(*index));
    std::ranges::copy(tag, end);
  }
  if (!done) return fail(Code::kInternal, "OpenSSL refuses to encrypt");
  return size;
}

Result<size_t> SrtpSender::protect_rtcp_into(ByteView packet, std::span<uint8_t> out) {
  const size_t size = packet.size() + rtcp_->tag_bytes() + kSrtcpIndexBytes;
  if (packet.size() < kRtcpClearBytes || packet[0] >> 6 != 2 || out.size() < size) {
    return fail(Code::kSrtpMalformed);
  }
  if (rtcp_index_ == kMaxRtcpIndex) return fail(Code::kSrtpExhausted);
  const uint32_t index = ++rtcp_index_;
  const uint32_t ssrc = load_u32(&packet[4]);
  std::array<uint8_t, kSrtcpIndexBytes> index_word;
  store_u32(index_word.data(), index | kEncryptedBit);
  std::memmove(out.data(), packet.data(), kRtcpClearBytes);
  uint8_t* body = out.data() + kRtcpClearBytes;
  const ByteView secret = packet.subspan(kRtcpClearBytes);
  uint8_t* end = body + secret.size();
  bool done;
  if (rtcp_->aead()) {
    done =
        rtcp_->seal(ssrc, index, {out.first(kRtcpClearBytes), index_word}, {secret, {}}, body, end);
    std::ranges::copy(index_word, end + kSrtpGcmTagBytes);
  } else {
    done = rtcp_->crypt(ssrc, index, {secret, {}}, body);
    std::ranges::copy(index_word, end);
    const auto tag = rtcp_->mac(out.first(packet.size() + kSrtcpIndexBytes), {});
    std::ranges::copy(tag, end + kSrtcpIndexBytes);
  }
  if (!done) return fail(Code::kInternal, "OpenSSL refuses to encrypt");
  return size;
}

void SrtpSender::forget(uint32_t ssrc) { remove(streams_, ssrc); }

// --- receiver ------------------------------------------------------------------------------------

SrtpReceiver::SrtpReceiver() = default;
SrtpReceiver::SrtpReceiver(SrtpReceiver&&) noexcept = default;
SrtpReceiver& SrtpReceiver::operator=(SrtpReceiver&&) noexcept = default;
SrtpReceiver::~SrtpReceiver() = default;

Result<SrtpReceiver> SrtpReceiver::make(const SrtpMasterKey& master) {
  if (auto good = check(master); !good) return std::unexpected(good.error());
  SrtpReceiver receiver;
  receiver.rtp_ = SrtpSuite::make(master, SrtpKind::kRtp, SrtpUse::kOpen);
  receiver.rtcp_ = SrtpSuite::make(master, SrtpKind::kRtcp, SrtpUse::kOpen);
  if (!receiver.rtp_ || !receiver.rtcp_) return fail(Code::kInternal, "OpenSSL refuses the cipher");
  return receiver;
}

Result<std::span<uint8_t>> SrtpReceiver::unprotect(std::span<uint8_t> packet) {
  const size_t head = head_bytes(packet);
  const size_t tag_bytes = rtp_->tag_bytes();
  if (head == 0 || packet.size() < head + tag_bytes) return fail(Code::kSrtpMalformed);
  const uint32_t ssrc = load_u32(&packet[8]);
  const uint16_t sequence = load_u16(&packet[2]);
  const size_t place = place_of(streams_, ssrc, last_);
  const bool known = holds(streams_, place, ssrc);
  int64_t index = sequence;
  if (known) {
    last_ = place;
    index = nearest_index(streams_[place].window.highest(), sequence);
    if (index < 0 || !streams_[place].window.fresh(static_cast<uint64_t>(index))) {
      return fail(Code::kSrtpReplayed);
    }
    if (static_cast<uint64_t>(index) > kMaxRtpIndex) return fail(Code::kSrtpExhausted);
  } else if (streams_.size() >= kSrtpMaxStreams) {
    return fail(Code::kSrtpStreams);
  }
  const auto plain = packet.first(packet.size() - tag_bytes);
  const auto body = plain.subspan(head);
  const uint8_t* tag = plain.data() + plain.size();
  const auto at = static_cast<uint64_t>(index);
  bool authentic;
  if (rtp_->aead()) {
    authentic = rtp_->open(ssrc, at, {plain.first(head), {}}, body, tag);
  } else {
    const auto expected = rtp_->mac(plain, roll_over_bytes(at));
    authentic = CRYPTO_memcmp(expected.data(), tag, tag_bytes) == 0 &&
                rtp_->crypt(ssrc, at, {body, {}}, body.data());
  }
  if (!authentic) return fail(Code::kSrtpForged);
  if (!known) streams_.insert(streams_.begin() + static_cast<ptrdiff_t>(place), {ssrc, {}});
  streams_[place].window.mark(at);
  return plain;
}

Result<std::span<uint8_t>> SrtpReceiver::unprotect_rtcp(std::span<uint8_t> packet) {
  const size_t overhead = rtcp_->tag_bytes() + kSrtcpIndexBytes;
  if (packet.size() < kRtcpClearBytes + overhead || packet[0] >> 6 != 2) {
    return fail(Code::kSrtpMalformed);
  }
  const auto plain = packet.first(packet.size() - overhead);
  uint8_t* end = plain.data() + plain.size();
  // The index stands behind the tag with AEAD, before it without.
  const uint8_t* index_at = rtcp_->aead() ? end + kSrtpGcmTagBytes : end;
  const ByteView index_word(index_at, kSrtcpIndexBytes);
  const bool encrypted = load_u32(index_at) & kEncryptedBit;
  const uint32_t index = load_u32(index_at) & kMaxRtcpIndex;
  const uint32_t ssrc = load_u32(&packet[4]);
  const size_t place = place_of(rtcp_streams_, ssrc, 0);
  const bool known = holds(rtcp_streams_, place, ssrc);
  if (known && !rtcp_streams_[place].window.fresh(index)) return fail(Code::kSrtpReplayed);
  if (!known && rtcp_streams_.size() >= kSrtpMaxStreams) return fail(Code::kSrtpStreams);

  const auto clear = encrypted ? plain.first(kRtcpClearBytes) : plain;
  const auto body = encrypted ? plain.subspan(kRtcpClearBytes) : std::span<uint8_t>();
  bool authentic;
  if (rtcp_->aead()) {
    authentic = rtcp_->open(ssrc, index, {clear, index_word}, body, end);
  } else {
    const auto expected = rtcp_->mac(packet.first(plain.size() + kSrtcpIndexBytes), {});
    authentic = CRYPTO_memcmp(expected.data(), end + kSrtcpIndexBytes, kSrtpCmTagBytes) == 0 &&
                rtcp_->crypt(ssrc, index, {body, {}}, body.data());
  }
  if (!authentic) return fail(Code::kSrtpForged);
  if (!known) {
    rtcp_streams_.insert(rtcp_streams_.begin() + static_cast<ptrdiff_t>(place), {ssrc, {}});
  }
  rtcp_streams_[place].window.mark(index);
  return plain;
}

void SrtpReceiver::forget(uint32_t ssrc) {
  remove(streams_, ssrc);
  remove(rtcp_streams_, ssrc);
}

}  // namespace footlight::rtc
