#include "edge/program_settings.h"

#include "core/bytes.h"
#include "core/json.h"
#include "edge/compositor_view.h"

namespace footlight::edge {

Status ProgramGains::set(uint64_t who, int64_t permille) {
  if (permille < 0 || permille > kMostGain) return fail(Code::kFieldOutOfRange, "gain_permille");
  if (permille == 1'000) {
    gains_.erase(who);
    return {};
  }
  if (gains_.size() == kMostGains && !gains_.contains(who)) {
    return fail(Code::kFieldOutOfRange, "who: 64 people differ already");
  }
  gains_[who] = static_cast<uint16_t>(permille);
  return {};
}

uint16_t ProgramGains::of(uint64_t who) const {
  const auto found = gains_.find(who);
  return found == gains_.end() ? 1'000 : found->second;
}

std::string program_settings_json(const ProgramSettings& settings) {
  std::string text;
  JsonWriter out(text);
  out.object().key("layout");
  if (settings.layout) {
    out.value(layout_name(*settings.layout));
  } else {
    out.null();
  }
  out.key("gains").object();
  for (const auto& [who, gain] : settings.gains.all()) out.field(hex_u64(who), uint32_t{gain});
  out.end_object().end_object();
  return text;
}

ProgramSettings read_program_settings(std::string_view json) {
  ProgramSettings out;
  const auto read = Json::parse(json);
  if (!read) return out;
  out.layout = parse_layout((*read)["layout"].as_string());
  for (const auto& [name, gain] : (*read)["gains"].members()) {
    uint64_t who = 0;
    if (parse_hex_u64(name, who) && gain.is_integer()) (void)out.gains.set(who, gain.as_int());
  }
  return out;
}

}  // namespace footlight::edge
