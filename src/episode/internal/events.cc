#include "episode/internal/events.h"

#include <array>
#include <utility>

#include "core/json.h"

namespace footlight::episode {
namespace {

constexpr size_t kMostText = 8192;
constexpr size_t kMostElements = 1024;

constexpr std::array<std::string_view, 5> kHowNames = {"start", "gm", "poll", "choice", "rule"};
constexpr std::array<std::string_view, 5> kMediaModes = {"full", "capped", "hls", "audio", "votes"};
constexpr std::array<std::string_view, 4> kWhyNames = {"votes", "tie_break", "default",
                                                       "no_quorum"};
constexpr std::array<std::string_view, 3> kCritNames = {"", "hit", "miss"};
constexpr std::array<std::string_view, 2> kDialectNames = {"foundry", "bang"};

// Writing ---------------------------------------------------------------------------------------

struct FieldWriter {
  JsonWriter& out;

  template <class T>
  void operator()(std::string_view name, const T& value) {
    out.key(name);
    write(value);
  }
  void optional(std::string_view name, const std::string& value) {
    if (!value.empty()) (*this)(name, value);
  }

  void write(const std::string& value) { out.value(std::string_view(value)); }
  void write(int64_t value) { out.value(value); }
  void write(uint64_t value) { out.value(value); }
  void write(bool value) { out.value(value); }
  void write(const Hash256& value) { out.value(to_hex(value)); }
  void write(Pseudonym value) { out.value(hex_u64(value.who)); }
  void write(How value) { out.value(how_name(value)); }
  void write(Why value) { out.value(why_name(value)); }
  void write(MediaMode value) { out.value(media_mode_name(value)); }
  void write(Crit value) { out.value(kCritNames[static_cast<size_t>(value)]); }
  void write(Dialect value) { out.value(kDialectNames[static_cast<size_t>(value)]); }
  void write(const FieldValue& value) {
    if (value.is_text) {
      write(value.text);
    } else {
      write(value.number);
    }
  }
  void write(const Die& die) {
    out.object().field("sides", int64_t{die.sides}).field("value", die.value);
    out.field("kept", die.kept);
    if (die.exploded) out.field("exploded", true);
    if (die.rerolled) out.field("rerolled", true);
    out.end_object();
  }
  template <class T>
  void write(const std::vector<T>& values) {
    out.array();
    for (const T& value : values) write(value);
    out.end_array();
  }
};

// Reading ---------------------------------------------------------------------------------------

template <size_t kCount, class Enum>
void read_name(JsonReader& in, const std::array<std::string_view, kCount>& names, Enum& out) {
  const std::string_view text = in.read_string();
  for (size_t i = 0; i < kCount; ++i) {
    if (names[i] == text) {
      out = static_cast<Enum>(i);
      return;
    }
  }
  in.fault(Code::kMissingField);
}

void read(JsonReader& in, std::string& out) {
  const std::string_view text = in.read_string();
  if (text.size() > kMostText) return in.fault(Code::kFieldOutOfRange);
  out = text;
}
void read(JsonReader& in, int64_t& out) { out = in.read_int(); }
void read(JsonReader& in, uint64_t& out) {
  const int64_t number = in.read_int();
  if (number < 0) return in.fault(Code::kFieldOutOfRange);
  out = static_cast<uint64_t>(number);
}
void read(JsonReader& in, bool& out) { out = in.read_bool(); }
void read_pseudonym(JsonReader& in, uint64_t& out) {
  const std::string_view text = in.read_string();
  if (text.size() != 16 || !parse_hex_u64(text, out)) in.fault(Code::kMissingField);
}
void read(JsonReader& in, Pseudonym& out) { read_pseudonym(in, out.who); }
void read(JsonReader& in, Hash256& out) {
  Bytes bytes;
  const std::string_view text = in.read_string();
  if (text.size() != 2 * out.size() || !from_hex(text, bytes)) {
    return in.fault(Code::kMissingField);
  }
  for (size_t i = 0; i < out.size(); ++i) out[i] = bytes[i];
}
void read(JsonReader& in, How& out) { read_name(in, kHowNames, out); }
void read(JsonReader& in, Why& out) { read_name(in, kWhyNames, out); }
void read(JsonReader& in, MediaMode& out) { read_name(in, kMediaModes, out); }
void read(JsonReader& in, Crit& out) { read_name(in, kCritNames, out); }
void read(JsonReader& in, Dialect& out) { read_name(in, kDialectNames, out); }
void read(JsonReader& in, FieldValue& out) {
  out.is_text = in.peek() == JsonType::kString;
  if (out.is_text) {
    read(in, out.text);
  } else {
    read(in, out.number);
  }
}
void read(JsonReader& in, Die& out) {
  if (!in.enter_object()) return;
  std::string_view key;
  while (in.next_key(key)) {
    if (key == "sides") {
      const int64_t sides = in.read_int();
      if (sides < 0 || sides > DiceLimits::kSides) return in.fault(Code::kFieldOutOfRange);
      out.sides = static_cast<int32_t>(sides);
    } else if (key == "value") {
      out.value = in.read_int();
    } else if (key == "kept") {
      out.kept = in.read_bool();
    } else if (key == "exploded") {
      out.exploded = in.read_bool();
    } else if (key == "rerolled") {
      out.rerolled = in.read_bool();
    } else {
      in.skip();
    }
  }
}
template <class T>
void read(JsonReader& in, std::vector<T>& out) {
  out.clear();
  if (!in.enter_array()) return;
  while (in.next_element()) {
    if (out.size() == kMostElements) return in.fault(Code::kFieldOutOfRange);
    T value{};
    read(in, value);
    out.push_back(std::move(value));
  }
}

// Reads the member `key` where its name matches; otherwise only counts.
struct FieldReader {
  JsonReader& in;
  std::string_view key;
  uint32_t position = 0;
  uint32_t matched = 0;  // bit of the member that was read

  template <class T>
  void operator()(std::string_view name, T& value) {
    const uint32_t bit = 1u << position++;
    if (matched != 0 || key != name) return;
    matched = bit;
    read(in, value);
  }
  void optional(std::string_view name, std::string& value) { (*this)(name, value); }
};

struct RequiredFields {
  uint32_t position = 0;
  uint32_t bits = 0;
  template <class T>
  void operator()(std::string_view, T&) {
    bits |= 1u << position++;
  }
  void optional(std::string_view, std::string&) { ++position; }
};

template <class T>
void read_fields(JsonReader& in, T& fact) {
  if (!in.enter_object()) return;
  uint32_t seen = 0;
  std::string_view key;
  while (in.next_key(key)) {
    const std::string name(key);  // reading a text ends the key's life
    FieldReader reader{in, name};
    T::fields(fact, reader);
    if (reader.matched == 0) in.skip();
    if ((seen & reader.matched) != 0) return in.fault(Code::kBadFrame);
    seen |= reader.matched;
  }
  RequiredFields required;
  T::fields(fact, required);
  if ((seen & required.bits) != required.bits) in.fault(Code::kMissingField);
}

template <size_t kIndex = 0>
bool make_fact(std::string_view kind, Fact& out) {
  if constexpr (kIndex == std::variant_size_v<Fact>) {
    return false;
  } else {
    using Held = std::variant_alternative_t<kIndex, Fact>;
    if (Held::kKind != kind) return make_fact<kIndex + 1>(kind, out);
    out.emplace<kIndex>();
    return true;
  }
}

void read_role(JsonReader& in, proto::Role& out) {
  const auto role = proto::parse_role(in.read_string());
  if (!role) return in.fault(Code::kMissingField);
  out = *role;
}

// False: `key` is none of an origin's.
bool read_origin(JsonReader& in, std::string_view key, Origin& out) {
  if (key == "who") {
    read_pseudonym(in, out.who);
  } else if (key == "name") {
    read(in, out.name);
  } else if (key == "role") {
    read_role(in, out.role);
  } else if (key == "cid") {
    read_pseudonym(in, out.cid);
  } else if (key == "i") {
    read(in, out.i);
  } else if (key == "body") {
    read_pseudonym(in, out.body);
  } else if (key == "tp") {
    read(in, out.trace);
  } else if (key == "rule") {
    read(in, out.rule);
  } else {
    return false;
  }
  return true;
}

void write_origin(JsonWriter& out, const Origin& origin) {
  if (origin.who != 0) {
    out.field("who", std::string_view(hex_u64(origin.who)));
    out.field("name", std::string_view(origin.name));
    out.field("role", proto::role_name(origin.role));
  }
  if (origin.i != 0) {
    out.field("cid", std::string_view(hex_u64(origin.cid)));
    out.field("i", origin.i);
    out.field("body", std::string_view(hex_u64(origin.body)));
  }
  if (!origin.trace.empty()) out.field("tp", std::string_view(origin.trace));
  if (!origin.rule.empty()) out.field("rule", std::string_view(origin.rule));
}

}  // namespace

std::string_view how_name(How how) { return kHowNames[static_cast<size_t>(how)]; }
std::string_view media_mode_name(MediaMode mode) { return kMediaModes[static_cast<size_t>(mode)]; }
std::optional<MediaMode> parse_media_mode(std::string_view text) {
  const auto found = std::ranges::find(kMediaModes, text);
  if (found == kMediaModes.end()) return std::nullopt;
  return static_cast<MediaMode>(found - kMediaModes.begin());
}
std::string_view why_name(Why why) { return kWhyNames[static_cast<size_t>(why)]; }

std::string_view fact_kind(const Fact& fact) {
  return with_fact(fact,
                   [](const auto& held) { return std::remove_cvref_t<decltype(held)>::kKind; });
}

std::string encode_event(const TypedEvent& event) {
  std::string json;
  json.reserve(256);
  JsonWriter out(json);
  out.object().field("k", fact_kind(event.fact));
  write_origin(out, event.origin);
  out.key("d").object();
  FieldWriter writer{out};
  with_fact(event.fact, [&](const auto& held) { held.fields(held, writer); });
  out.end_object().end_object();
  return json;
}

Result<TypedEvent> decode_event(const Event& event) {
  TypedEvent out;
  out.at_ms = event.at_ms;
  JsonReader in(event.json, 8);
  bool has_kind = false;
  bool has_data = false;
  std::string_view key;
  if (in.enter_object()) {
    while (in.next_key(key)) {
      const std::string name(key);
      if (name == "k" && !has_kind) {  // it comes first: the data's shape depends on it
        if (!make_fact(in.read_string(), out.fact)) in.fault(Code::kUnknownCommand);
        has_kind = true;
      } else if (name == "d" && has_kind && !has_data) {
        with_fact(out.fact, [&](auto& held) { read_fields(in, held); });
        has_data = true;
      } else if (name == "k" || name == "d") {
        in.fault(Code::kBadFrame);
      } else if (!read_origin(in, name, out.origin)) {
        in.skip();
      }
    }
  }
  if (!in.finish() || !has_data) {
    return fail(Code::kLogCorrupt,
                "an event is malformed at byte " + std::to_string(in.position()));
  }
  return out;
}

}  // namespace footlight::episode
