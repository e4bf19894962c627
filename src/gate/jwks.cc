#include "gate/jwks.h"

#include "core/json.h"

namespace footlight::gate {
namespace {

constexpr size_t kCoordinateBytes = 32;

Error bad_key(const std::string& kid, std::string_view why) {
  std::string detail = "key \"" + kid + "\": ";
  detail += why;
  return Error{Code::kKeyFile, std::move(detail), 0};
}

// A key set may serve others too: what is not for signatures of our algorithms is passed over.
bool is_for_us(const Json& key, Algorithm algorithm) {
  const Json* alg = key.find("alg");
  if (alg != nullptr && alg->as_string() != algorithm_name(algorithm)) return false;
  const Json* use = key.find("use");
  return use == nullptr || use->as_string() == "sig";
}

bool coordinate(const Json& key, std::string_view name, Bytes& out) {
  Bytes bytes;
  if (!from_base64url(key[name].as_string(), bytes) || bytes.size() != kCoordinateBytes) {
    return false;
  }
  out.insert(out.end(), bytes.begin(), bytes.end());
  return true;
}

std::optional<Algorithm> algorithm_of(const Json& key) {
  const std::string& type = key["kty"].as_string();
  const std::string& curve = key["crv"].as_string();
  if (type == "oct") return Algorithm::kHs256;
  if (type == "OKP" && curve == "Ed25519") return Algorithm::kEdDsa;
  if (type == "EC" && curve == "P-256") return Algorithm::kEs256;
  return std::nullopt;
}

Result<JsonWebKey> read_key(const Json& json, Algorithm algorithm) {
  JsonWebKey key;
  key.kid = json["kid"].as_string();
  key.algorithm = algorithm;
  switch (algorithm) {
    case Algorithm::kHs256:
      if (!from_base64url(json["k"].as_string(), key.material) ||
          key.material.size() < kMinSecretBytes) {
        return std::unexpected(bad_key(key.kid, "k must be base64url of at least 32 bytes"));
      }
      break;
    case Algorithm::kEdDsa:
      if (!coordinate(json, "x", key.material)) {
        return std::unexpected(bad_key(key.kid, "x must be base64url of 32 bytes"));
      }
      break;
    case Algorithm::kEs256:
      if (!coordinate(json, "x", key.material) || !coordinate(json, "y", key.material)) {
        return std::unexpected(bad_key(key.kid, "x and y must be base64url of 32 bytes"));
      }
      break;
  }
  const Json* not_after = json.find("not_after");
  if (not_after != nullptr) {
    if (!not_after->is_integer() || not_after->as_int() <= 0) {
      return std::unexpected(bad_key(key.kid, "not_after must be Unix seconds"));
    }
    key.not_after_s = not_after->as_int();
  }
  return key;
}

}  // namespace

Result<JwksFile> parse_jwks(std::string_view json) {
  if (json.size() > kMaxJwksBytes) return fail(Code::kKeyFile, "larger than 64 KiB");
  const Result<Json> parsed = Json::parse(json);
  if (!parsed) return fail(Code::kKeyFile, "not JSON: " + parsed.error().detail);
  const Json* keys = parsed->find("keys");
  if (keys == nullptr || keys->type() != JsonType::kArray) {
    return fail(Code::kKeyFile, "a JSON Web Key Set has an array `keys`");
  }
  JwksFile file;
  for (const Json& entry : keys->items()) {
    if (entry.type() != JsonType::kObject) return fail(Code::kKeyFile, "a key is a JSON object");
    const std::optional<Algorithm> algorithm = algorithm_of(entry);
    if (!algorithm || !is_for_us(entry, *algorithm)) {
      file.skipped.push_back(entry["kid"].as_string());
      continue;
    }
    Result<JsonWebKey> key = read_key(entry, *algorithm);
    if (!key) return std::unexpected(key.error());
    for (const JsonWebKey& other : file.keys) {
      if (other.kid == key->kid)
        return std::unexpected(bad_key(key->kid, "the kid is there twice"));
    }
    if (file.keys.size() == kMaxKeys) return fail(Code::kKeyFile, "more than 64 keys");
    file.keys.push_back(std::move(*key));
  }
  return file;
}

}  // namespace footlight::gate
