#include "gate/token.h"

#include <array>

#include "core/json.h"
#include "core/sha256.h"

namespace footlight::gate {
namespace {

constexpr size_t kMaxKidBytes = 128;
constexpr size_t kMaxSubBytes = 128;
constexpr size_t kMaxNameBytes = 64;
constexpr size_t kMaxIdBytes = 64;
constexpr size_t kMaxSignatureBytes = 64;
constexpr int kMaxNesting = 4;
constexpr std::array<std::string_view, 3> kAlgorithmNames = {"HS256", "EdDSA", "ES256"};

class Hs256Verifier final : public SignatureVerifier {
 public:
  explicit Hs256Verifier(std::string_view secret) : secret_(secret) {}
  Algorithm algorithm() const override { return Algorithm::kHs256; }
  bool verify(std::string_view signing_input, ByteView signature) const override {
    const Hash256 mac = hmac_sha256(as_bytes(secret_), as_bytes(signing_input));
    return equal_in_constant_time(mac, signature);
  }

 private:
  std::string secret_;
};

class Hs256Signer final : public SignatureSigner {
 public:
  explicit Hs256Signer(std::string_view secret) : secret_(secret) {}
  Algorithm algorithm() const override { return Algorithm::kHs256; }
  Result<Bytes> sign(std::string_view signing_input) const override {
    const Hash256 mac = hmac_sha256(as_bytes(secret_), as_bytes(signing_input));
    return Bytes(mac.begin(), mac.end());
  }

 private:
  std::string secret_;
};

struct Header {
  std::string algorithm;
  std::optional<std::string> kid;
  bool critical = false;
};

// The JOSE header (RFC 7515 section 4.1). `crit` names extensions that must be understood; we know
// none.
bool read_header(std::string_view json, Header& header) {
  JsonReader in(json, kMaxNesting);
  std::string_view key;
  if (!in.enter_object()) return false;
  while (in.next_key(key)) {
    if (key == "alg") {
      header.algorithm = in.read_string();
    } else if (key == "kid") {
      header.kid = std::string(in.read_string());
    } else {
      header.critical |= key == "crit";
      in.skip();
    }
  }
  return in.finish();
}

Status read_characters(JsonReader& in, std::vector<std::string>& characters) {
  characters.clear();
  if (!in.enter_array()) return fail(Code::kTokenClaims, "chars");
  while (in.next_element()) {
    if (characters.size() == kMaxCharacters) return fail(Code::kTokenClaims, "chars: too many");
    characters.emplace_back(in.read_string());
  }
  return {};
}

constexpr std::pair<std::string_view, uint8_t> kTracks[] = {{"audio", MediaGrants::kAudio},
                                                            {"video", MediaGrants::kVideo},
                                                            {"screen", MediaGrants::kScreen}};

// Kinds that are not known grant nothing.
std::optional<uint8_t> read_tracks(JsonReader& in) {
  uint8_t bits = 0;
  if (!in.enter_array()) return std::nullopt;
  while (in.next_element()) {
    const std::string_view text = in.read_string();
    for (const auto& [name, bit] : kTracks) {
      if (name == text) bits |= bit;
    }
  }
  return bits;
}

bool is_episode_id(std::string_view text) {
  if (text.empty() || text.size() > kMaxIdBytes) return false;
  for (char c : text) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
  }
  return true;
}

// Texts that are shown or logged: UTF-8 without control characters.
bool is_plain(std::string_view text, size_t max_bytes) {
  if (text.empty() || text.size() > max_bytes || !is_valid_utf8(text)) return false;
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
  }
  return true;
}

Status check_claims(const Claims& claims) {
  if (!is_plain(claims.sub, kMaxSubBytes)) return fail(Code::kTokenClaims, "sub");
  if (!is_episode_id(claims.episode)) return fail(Code::kTokenClaims, "ep");
  if (!is_plain(claims.name, kMaxNameBytes)) return fail(Code::kTokenClaims, "name");
  if (claims.characters.size() > kMaxCharacters) return fail(Code::kTokenClaims, "chars");
  for (const std::string& character : claims.characters) {
    if (!is_plain(character, kMaxIdBytes)) return fail(Code::kTokenClaims, "chars");
  }
  // Years beyond 9999 are no dates; bounding them keeps sums with the skew from overflowing.
  constexpr int64_t kMaxDate = 253'402'300'799;
  for (const int64_t date : {claims.expires_s, claims.not_before_s, claims.issued_s}) {
    if (date < 0 || date > kMaxDate) return fail(Code::kTokenClaims, "exp, nbf or iat");
  }
  if (claims.expires_s == 0) return fail(Code::kTokenClaims, "exp");
  return {};
}

// At most `max_bytes`, not splitting a character.
std::string cut_utf8(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  size_t size = max_bytes;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return std::string(text.substr(0, size));
}

Result<Claims> read_claims(std::string_view json) {
  Claims claims;
  std::string role;
  JsonReader in(json, kMaxNesting);
  std::string_view key;
  if (!in.enter_object()) return fail(Code::kTokenMalformed, "the payload is no JSON object");
  while (in.next_key(key)) {
    if (key == "sub") {
      claims.sub = in.read_string();
    } else if (key == "ep") {
      claims.episode = in.read_string();
    } else if (key == "role") {
      role = in.read_string();
    } else if (key == "name") {
      claims.name = in.read_string();
    } else if (key == "chars") {
      const Status read = read_characters(in, claims.characters);
      if (!read) return std::unexpected(read.error());
    } else if (key == "publish") {
      claims.publish = in.read_bool();
    } else if (key == "subscribe") {
      claims.subscribe = in.read_bool();
    } else if (key == "tracks") {
      claims.tracks = read_tracks(in);
    } else if (key == "captions") {
      claims.captions = in.read_bool();
    } else if (key == "exp") {
      claims.expires_s = in.read_int();
    } else if (key == "nbf") {
      claims.not_before_s = in.read_int();
    } else if (key == "iat") {
      claims.issued_s = in.read_int();
    } else {
      in.skip();
    }
  }
  if (!in.finish()) {
    return in.code() == Code::kMissingField || in.code() == Code::kFieldOutOfRange
               ? fail(Code::kTokenClaims, "a claim has the wrong type")
               : fail(Code::kTokenMalformed, "the payload is no JSON object");
  }
  const std::optional<proto::Role> known = proto::parse_role(role);
  if (!known) return fail(Code::kTokenClaims, "role");
  claims.role = *known;
  if (claims.name.empty()) claims.name = cut_utf8(claims.sub, kMaxNameBytes);
  const Status checked = check_claims(claims);
  if (!checked) return std::unexpected(checked.error());
  return claims;
}

Status check_dates(const Claims& claims, int64_t now_s) {
  if (has_expired(claims, now_s)) return fail(Code::kTokenExpired);
  if (claims.not_before_s - kClockSkewS > now_s || claims.issued_s - kClockSkewS > now_s) {
    return fail(Code::kTokenNotYet);
  }
  return {};
}

struct Parts {
  std::string_view signing_input;  // header "." payload
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
};

std::optional<Parts> split(std::string_view token) {
  const size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return std::nullopt;
  }
  return Parts{token.substr(0, second), token.substr(0, first),
               token.substr(first + 1, second - first - 1), token.substr(second + 1)};
}

void append_media_claims(JsonWriter& body, const Claims& claims) {
  if (claims.publish) body.field("publish", *claims.publish);
  if (claims.subscribe) body.field("subscribe", *claims.subscribe);
  if (!claims.tracks) return;
  body.key("tracks").array();
  for (const auto& [name, bit] : kTracks) {
    if (*claims.tracks & bit) body.value(name);
  }
  body.end_array();
}

}  // namespace

std::string_view algorithm_name(Algorithm algorithm) {
  return kAlgorithmNames[static_cast<size_t>(algorithm)];
}

std::optional<Algorithm> parse_algorithm(std::string_view name) {
  for (size_t i = 0; i < kAlgorithmNames.size(); ++i) {
    if (kAlgorithmNames[i] == name) return static_cast<Algorithm>(i);
  }
  return std::nullopt;
}

std::unique_ptr<SignatureVerifier> hs256_verifier(std::string_view secret) {
  return std::make_unique<Hs256Verifier>(secret);
}

std::unique_ptr<SignatureSigner> hs256_signer(std::string_view secret) {
  return std::make_unique<Hs256Signer>(secret);
}

Status KeySet::add(std::string kid, std::unique_ptr<SignatureVerifier> key, int64_t not_after_s) {
  if (kid.size() > kMaxKidBytes) return fail(Code::kKeyFile, "the kid is longer than 128 bytes");
  if (keys_.size() == kMaxKeys) return fail(Code::kKeyFile, "more than 64 keys");
  for (const Entry& entry : keys_) {
    if (entry.kid == kid) return fail(Code::kKeyFile, "two keys have the kid \"" + kid + "\"");
  }
  keys_.push_back({std::move(kid), std::move(key), not_after_s});
  return {};
}

Status KeySet::add_hs256(std::string kid, std::string_view secret, int64_t not_after_s) {
  if (secret.size() < kMinSecretBytes) {
    return fail(Code::kKeyFile, "a secret for HS256 needs at least 32 bytes");
  }
  return add(std::move(kid), hs256_verifier(secret), not_after_s);
}

const SignatureVerifier* KeySet::find(std::optional<std::string_view> kid, int64_t now_s) const {
  const Entry* found = !kid && keys_.size() == 1 ? keys_.data() : nullptr;
  for (const Entry& entry : keys_) {
    if (entry.kid == kid.value_or("")) found = &entry;
  }
  if (found == nullptr || (found->not_after_s != 0 && now_s > found->not_after_s)) return nullptr;
  return found->key.get();
}

Result<Claims> verify_token(std::string_view token, const KeySet& keys, int64_t now_s) {
  if (token.size() > kMaxTokenBytes) {
    return fail(Code::kTokenMalformed, "longer than 4096 bytes");
  }
  const std::optional<Parts> parts = split(token);
  if (!parts) return fail(Code::kTokenMalformed, "not three parts");
  Bytes bytes;
  Header header;
  if (!from_base64url(parts->header, bytes) || !read_header(as_text(bytes), header)) {
    return fail(Code::kTokenMalformed, "the header cannot be read");
  }
  if (header.critical) return fail(Code::kTokenMalformed, "crit is not supported");
  const std::optional<Algorithm> algorithm = parse_algorithm(header.algorithm);
  if (!algorithm) return fail(Code::kTokenAlgorithm);
  const SignatureVerifier* key = keys.find(header.kid, now_s);
  if (key == nullptr) return fail(Code::kTokenUnknownKey);
  if (key->algorithm() != *algorithm) return fail(Code::kTokenAlgorithm);
  Bytes signature;
  if (!from_base64url(parts->signature, signature) || signature.size() > kMaxSignatureBytes) {
    return fail(Code::kTokenMalformed, "the signature cannot be read");
  }
  if (!key->verify(parts->signing_input, signature)) return fail(Code::kTokenBadSignature);
  bytes.clear();
  if (!from_base64url(parts->payload, bytes)) {
    return fail(Code::kTokenMalformed, "the payload cannot be read");
  }
  Result<Claims> claims = read_claims(as_text(bytes));
  if (!claims) return claims;
  const Status dates = check_dates(*claims, now_s);
  if (!dates) return std::unexpected(dates.error());
  return claims;
}

Status check_episode(const Claims& claims, std::string_view episode) {
  if (claims.episode == episode) return {};
  return fail(Code::kTokenForeignEpisode);
}

Status check_refresh(const Claims& current, const Claims& fresh) {
  if (current.sub == fresh.sub && current.episode == fresh.episode && current.role == fresh.role) {
    return {};
  }
  return fail(Code::kTokenChanged);
}

bool has_expired(const Claims& claims, int64_t now_s) {
  return claims.expires_s + kClockSkewS <= now_s;
}

MediaGrants media_grants(const Claims& claims) {
  const bool publish = claims.publish.value_or(claims.role != proto::Role::kViewer);
  uint8_t bits = publish ? claims.tracks.value_or(MediaGrants::kPublish) : 0;
  if (claims.subscribe.value_or(true)) bits |= MediaGrants::kWatch;
  return {bits};
}

Result<std::string> mint_token(const Claims& claims, std::string_view kid,
                               const SignatureSigner& key) {
  Claims checked = claims;
  if (checked.name.empty()) checked.name = cut_utf8(checked.sub, kMaxNameBytes);
  const Status valid = check_claims(checked);
  if (!valid) return std::unexpected(valid.error());
  std::string header, payload;
  JsonWriter head(header);
  head.object().field("alg", algorithm_name(key.algorithm())).field("typ", "JWT");
  if (!kid.empty()) head.field("kid", kid);
  head.end_object();
  JsonWriter body(payload);
  body.object().field("sub", std::string_view(claims.sub));
  body.field("ep", std::string_view(claims.episode)).field("role", proto::role_name(claims.role));
  if (!claims.name.empty()) body.field("name", std::string_view(claims.name));
  if (!claims.characters.empty()) {
    body.key("chars").array();
    for (const std::string& character : claims.characters) body.value(std::string_view(character));
    body.end_array();
  }
  append_media_claims(body, claims);
  if (claims.captions) body.field("captions", true);
  body.field("exp", claims.expires_s);
  if (claims.not_before_s != 0) body.field("nbf", claims.not_before_s);
  if (claims.issued_s != 0) body.field("iat", claims.issued_s);
  body.end_object();
  std::string token = to_base64url(as_bytes(header)) + "." + to_base64url(as_bytes(payload));
  const Result<Bytes> signature = key.sign(token);
  if (!signature) return std::unexpected(signature.error());
  token += '.';
  token += to_base64url(*signature);
  if (token.size() > kMaxTokenBytes) return fail(Code::kTokenClaims, "longer than 4096 bytes");
  return token;
}

uint64_t pseudonym(ByteView voter_key, std::string_view sub) {
  const Hash256 mac = hmac_sha256(voter_key, as_bytes(sub));
  uint64_t who = 0;
  for (size_t i = 0; i < 8; ++i) who = who << 8 | mac[i];
  return who;
}

}  // namespace footlight::gate
