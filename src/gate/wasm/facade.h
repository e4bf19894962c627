// The gate and the codec behind one function of texts: what an edge function calls, and how the
// golden vectors reach the same code natively and inside WebAssembly.
//
// call() takes one JSON object with `op` and answers one JSON object with `code` (0: good), so that
// a host needs no knowledge of C++ layouts. Operations:
//   decode_client, decode_server {"frame"|"hex"} → canonical text, per-event codes
//   check {"role","k","a"}                       → the command's form
//   traceparent {"tp"}                           → valid
//   keys {"keys":[{"kid","alg","secret","not_after_s"}]}   replaces the key set (HS256 only)
//   token {"token","now_s"}                      → claims
//   refresh {"current","fresh","now_s"}          → both tokens good, and the second may replace the
//   first pseudonym {"key","sub"}                      → who prefix {"ip"} → bits, v6, loopback
//   admission {"seed","limits":{…}}              a new Admission, without connections
//   step {"at_us","do":"open"|"join"|"event","conn","ip","who","role","class","cost"} → verdict
//   pressure {"level"}
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace footlight::gate {

class Facade {
 public:
  Facade();
  ~Facade();
  std::string call(std::string_view request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace footlight::gate
