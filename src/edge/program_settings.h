// What a producer chose for an episode's program and wants to find again after a restart of the
// node: the layout, and how loud each person is. Pure.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "proto/program_feed.h"

namespace footlight::edge {

// Per account: a person who comes again is as loud as before. Others have 1,000.
class ProgramGains {
 public:
  static constexpr int64_t kMostGain = 4'000;  // per mille: four times as loud
  static constexpr size_t kMostGains = 64;     // accounts that differ
  // kFieldOutOfRange: it is no such gain, or one account too many differs.
  Status set(uint64_t who, int64_t permille);
  uint16_t of(uint64_t who) const;
  const std::map<uint64_t, uint16_t>& all() const { return gains_; }
  bool operator==(const ProgramGains&) const = default;

 private:
  std::map<uint64_t, uint16_t> gains_;
};

struct ProgramSettings {
  static constexpr size_t kMostBytes = 8'192;  // of its JSON
  std::optional<proto::FeedLayout::Kind> layout;
  ProgramGains gains;
  bool operator==(const ProgramSettings&) const = default;
};

// {"layout":"grid"|null,"gains":{"0011223344556677":1500}}
std::string program_settings_json(const ProgramSettings& settings);
// Of any bytes; what cannot be understood is left out.
ProgramSettings read_program_settings(std::string_view json);

}  // namespace footlight::edge
