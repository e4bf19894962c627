// Tokens: JSON Web Tokens (RFC 7519) in JWS compact form (RFC 7515 section 7.1), judged the strict
// way of RFC 8725: the algorithm belongs to the key, never to the token; `none` does not exist; a
// key that is not there or has ended is an unknown key. HS256 is pure; EdDSA and ES256 come in
// through SignatureVerifier (gate/openssl natively).
//
// Pure: the time is an argument. A KeySet is immutable in use: to rotate keys build a new one and
// swap.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "proto/role.h"

namespace footlight::gate {

inline constexpr int64_t kClockSkewS = 30;
inline constexpr size_t kMaxTokenBytes = 4096;
inline constexpr size_t kMaxCharacters = 16;  // of `chars`
inline constexpr size_t kMaxKeys = 64;
inline constexpr size_t kMinSecretBytes = 32;  // RFC 7518 section 3.2: at least the hash's size

enum class Algorithm : uint8_t { kHs256, kEdDsa, kEs256 };
std::string_view algorithm_name(Algorithm algorithm);  // "HS256", "EdDSA", "ES256"
std::optional<Algorithm> parse_algorithm(std::string_view name);

// One key that can check signatures. Implementations are stateless after construction: any thread.
class SignatureVerifier {
 public:
  virtual ~SignatureVerifier() = default;
  virtual Algorithm algorithm() const = 0;
  // `signature` as in JWS: HS256 32 bytes; EdDSA 64 (RFC 8037); ES256 R || S, 64 (RFC 7518
  // section 3.4).
  virtual bool verify(std::string_view signing_input, ByteView signature) const = 0;
};

// One key that can sign.
class SignatureSigner {
 public:
  virtual ~SignatureSigner() = default;
  virtual Algorithm algorithm() const = 0;
  virtual Result<Bytes> sign(std::string_view signing_input) const = 0;  // kKeyFile
};

std::unique_ptr<SignatureVerifier> hs256_verifier(std::string_view secret);
std::unique_ptr<SignatureSigner> hs256_signer(std::string_view secret);

// The keys tokens may be signed with, by `kid`.
class KeySet {
 public:
  // kKeyFile: the kid is taken or longer than 128 bytes, or there are kMaxKeys already.
  // `not_after_s` (Unix seconds, 0 never) ends a key on its own; before that, remove it by swapping
  // the set.
  Status add(std::string kid, std::unique_ptr<SignatureVerifier> key, int64_t not_after_s = 0);
  // kKeyFile also when the secret is shorter than kMinSecretBytes.
  Status add_hs256(std::string kid, std::string_view secret, int64_t not_after_s = 0);
  // A token without kid is for the one key there is, or, of several, the one with the kid "".
  const SignatureVerifier* find(std::optional<std::string_view> kid, int64_t now_s) const;
  size_t size() const { return keys_.size(); }

 private:
  struct Entry {
    std::string kid;
    std::unique_ptr<SignatureVerifier> key;
    int64_t not_after_s = 0;
  };
  std::vector<Entry> keys_;
};

// What somebody may do with voice and video, a bit each.
struct MediaGrants {
  static constexpr uint8_t kAudio = 1, kVideo = 2, kScreen = 4;  // may publish it
  static constexpr uint8_t kWatch = 8;
  static constexpr uint8_t kPublish = kAudio | kVideo | kScreen;
  uint8_t bits = 0;
  bool publishes(uint8_t any_of = kPublish) const { return (bits & any_of) != 0; }
  bool watches() const { return (bits & kWatch) != 0; }
};

// What a token grants (docs/protocol.md, Tokens).
struct Claims {
  std::string sub;      // 1..128 bytes
  std::string episode;  // [a-z0-9-]{1,64}
  proto::Role role = proto::Role::kViewer;
  std::string name;                     // 1..64 bytes; verify fills in `sub`, cut to 64 bytes
  std::vector<std::string> characters;  // at most kMaxCharacters ids of 1..64 bytes
  int64_t expires_s = 0;                // Unix seconds; required
  int64_t not_before_s = 0;             // 0: not given
  int64_t issued_s = 0;                 // 0: not given
  // Of media; what is not said goes by the role.
  std::optional<bool> publish, subscribe;
  std::optional<uint8_t> tracks;  // bits of MediaGrants::kPublish
  bool captions = false;          // may say captions, whatever the role
};

// The role's, narrowed or widened by the claims: all may watch, and all but viewers publish.
MediaGrants media_grants(const Claims& claims);

// kTokenMalformed, kTokenAlgorithm, kTokenUnknownKey, kTokenBadSignature, kTokenExpired,
// kTokenNotYet, kTokenClaims. The signature is checked before any claim is looked at.
Result<Claims> verify_token(std::string_view token, const KeySet& keys, int64_t now_s);
// kTokenForeignEpisode unless the token is for `episode`.
Status check_episode(const Claims& claims, std::string_view episode);
// kTokenChanged unless `fresh` keeps sub, ep and role of the session's `current`.
Status check_refresh(const Claims& current, const Claims& fresh);
// Whether a session that holds these claims must end (kTokenExpired): exp plus the skew has passed.
bool has_expired(const Claims& claims, int64_t now_s);

// kTokenClaims when a claim breaks the limits above; else the signer's error.
Result<std::string> mint_token(const Claims& claims, std::string_view kid,
                               const SignatureSigner& key);

// A person's pseudonym in an episode: the first 8 bytes, big-endian, of HMAC-SHA-256(voter key,
// sub). Without the voter key it cannot be traced to the account; destroying the key makes a log
// anonymous.
uint64_t pseudonym(ByteView voter_key, std::string_view sub);

}  // namespace footlight::gate
