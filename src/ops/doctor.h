// Looks at this machine, or at a running server, with an operator's eyes: what would go wrong at
// the premiere, and what to do about it. Each finding is measured, not guessed.
//
// Blocks; any thread that may wait.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace footlight::ops {

enum class Health : uint8_t { kGood, kWarning, kBad };

struct Finding {
  Health health = Health::kGood;
  std::string what;    // "disk sync"
  std::string found;   // "p50 0.7 ms, p99 3.1 ms over 200 syncs"
  std::string advice;  // what to do; "" when good
};

struct DoctorOptions {
  std::string url;  // of a running server; "" = look at this machine only
  std::string data_dir = "data";
  uint16_t port = 8080;        // TCP, that a server would take; not tried with a url
  uint16_t media_port = 8080;  // UDP, for voice and video; 0 = none
  std::string certificate;     // PEM file; "" = none
  uint64_t audience = 10'000;  // connections to be ready for
};

std::vector<Finding> examine(const DoctorOptions& options);

// The single checks, each without side effects beyond a scratch file of its own in the data
// directory.
Finding check_descriptors(uint64_t audience);
// `dir` need not be there yet: then the folder is tried that serve would make it in.
Finding check_disk_sync(const std::string& dir);
Finding check_disk_space(const std::string& dir);
enum class Transport : uint8_t { kTcp, kUdp };
Finding check_port(Transport transport, uint16_t port);
Finding check_certificate(const std::string& pem_path, int64_t now_s);
Finding check_clock();
Finding check_memory(uint64_t audience);
std::vector<Finding> check_server(const std::string& url);

}  // namespace footlight::ops
