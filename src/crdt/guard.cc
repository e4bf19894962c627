#include "crdt/guard.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "crdt/delete_set.h"
#include "crdt/place.h"

namespace footlight::crdt {
namespace {

bool step_matches(const std::string& pattern, const Place::Step& step) {
  if (pattern == "*") return true;
  if (step.in_list) return pattern == "[]";
  return pattern == step.key;
}

// Whether the first `count` steps of the place (the root first) match the pattern's.
bool matches(const PathPattern& pattern, const Place& place, size_t count) {
  if (pattern[0] != place.root) return false;
  for (size_t i = 1; i < count; ++i) {
    if (!step_matches(pattern[i], place.steps[i - 1])) return false;
  }
  return true;
}

}  // namespace

Verbs Rights::at(const Place& place) const {
  Verbs out = otherwise_;
  size_t longest = 0;
  for (const RightsRule& rule : rules_) {
    const size_t size = rule.path.size();
    if (size < longest || size > place.steps.size() + 1) continue;
    if (!matches(rule.path, place, size)) continue;
    longest = size;
    out = rule.may;
  }
  return out;
}

bool Rights::guards_below(const Place& place) const {
  const size_t size = place.steps.size() + 1;
  return std::ranges::any_of(rules_, [&](const RightsRule& rule) {
    return rule.path.size() > size && (rule.may & kDelete) == 0 && matches(rule.path, place, size);
  });
}

bool Rights::nothing() const {
  return otherwise_ == 0 &&
         std::ranges::all_of(rules_, [](const RightsRule& rule) { return rule.may == 0; });
}

std::string place_text(const Place& place) {
  std::string out(place.root);
  for (const Place::Step& step : place.steps) {
    out.push_back('/');
    out += step.in_list ? std::string_view("[]") : step.key;
  }
  return out;
}

struct Guard::Check {
  const Doc& doc;
  const Rights& rights;
  const std::function<Ownership(uint64_t)>& owner;
  bool want_keys;
  const GuardLimits& limits;
  const DecodedUpdate& update;
  PlaceFinder finder{doc, update};
  Accepted out{};
  // Next clock of each client once what was looked at is applied.
  std::unordered_map<uint64_t, uint64_t> expected{};
  std::unordered_map<uint64_t, Ownership> owners{};
  std::unordered_set<std::string> replaced{};  // keys that get a new value

  uint64_t& next_of(uint64_t client) {
    const auto [it, fresh] = expected.try_emplace(client, 0);
    if (fresh) it->second = doc.state(client);
    return it->second;
  }

  Status gap(uint64_t client, uint64_t clock) const {
    return fail(Code::kBoardGap,
                "client " + std::to_string(client) + " before clock " + std::to_string(clock));
  }

  Status allow(const Place& place, Verbs wanted) {
    if ((rights.at(place) & wanted) == wanted) return {};
    return fail(Code::kBoardForbidden, place_text(place));
  }

  Status own(uint64_t client) {
    const auto [it, fresh] = owners.try_emplace(client, Ownership::kForeign);
    if (fresh) {
      it->second = client >= kMaxClient ? Ownership::kForeign : owner(client);
      if (it->second == Ownership::kFree) {
        out.new_clients.push_back(client);
        if (out.new_clients.size() > limits.new_clients) {
          return fail(Code::kBoardUpdateTooLarge, "new client ids");
        }
      }
    }
    if (it->second == Ownership::kForeign) {
      return fail(Code::kBoardForeignClient, std::to_string(client));
    }
    return {};
  }

  Status structs() {
    for (size_t i = 0; i < update.structs.size(); ++i) {
      const DecodedStruct& each = update.structs[i];
      uint64_t& next = next_of(each.id.client);
      if (each.end() <= next) {  // known
        if (auto ok = names_known(each); !ok) return ok;
        continue;
      }
      if (each.ref == Ref::kSkip || each.id.clock > next) return gap(each.id.client, next);
      if (each.end() > kMaxClock) return fail(Code::kBoardMalformed, "clock out of range");
      next = each.end();
      if (auto ok = own(each.id.client); !ok) return ok;
      out.inserts = true;
      if (each.ref == Ref::kGc) continue;  // holds nothing and stands nowhere
      if (auto ok = item(i); !ok) return ok;
    }
    return {};
  }

  // What a known struct names is known as well, and of its own client comes before it, unless it is
  // not the struct it claims to be: the engine would let it wait, as yjs does, or refuse it.
  Status names_known(const DecodedStruct& each) const {
    if (!each.is_item()) return {};
    const auto lacks = [&](Id id) {
      return id.clock >= (id.client == each.id.client ? each.id.clock : doc.state(id.client));
    };
    if ((each.has_origin && lacks(each.origin)) ||
        (each.has_right_origin && lacks(each.right_origin)) ||
        (each.parent_kind == ParentKind::kId && lacks(each.parent_id))) {
      return fail(Code::kBoardMalformed, "a known struct names what is not there");
    }
    return {};
  }

  Status item(size_t index) {
    const Place& place = finder.of(index);
    if (place.state == Place::State::kMissing) {
      const Id id = update.structs[index].id;
      return gap(id.client, id.clock);
    }
    if (place.state == Place::State::kCollected || place.steps.empty()) return {};
    if (place.steps.size() > limits.depth) return fail(Code::kBoardTooDeep, place_text(place));
    const Place::Step& last = place.steps.back();
    if (last.in_list) return allow(place, kInsert);
    const auto shown = finder.shown_at(index);
    if (auto ok = allow(place, shown ? kChange : kInsert); !ok) return ok;
    // What it replaces goes with all that hangs below.
    if (shown) {
      if (auto ok = below(*shown, place); !ok) return ok;
    }
    std::string text = place_text(place);
    if (want_keys) out.keys.push_back(text);
    replaced.insert(std::move(text));
    return {};
  }

  // `place` is the item's.
  Status below(Id id, const Place& place) {
    if (!rights.guards_below(place)) return {};
    Status status;
    doc.visit_below(id, [&](const StructInfo& info) {
      status = allow(doc.place_of(info.id), kDelete);
      return status.has_value();
    });
    return status;
  }

  Status deletes() {
    DeleteSet set;
    for (const IdRange& range : update.deletes) set.add(range.client, range.clock, range.len);
    set.normalize();
    for (const IdRange& range : set.ranges()) {
      const uint64_t known = doc.state(range.client);
      const auto after = expected.find(range.client);
      const uint64_t end = after == expected.end() ? known : after->second;
      if (range.end() > end) return gap(range.client, end);
      if (range.clock >= known) continue;  // structs of this very update
      Status status;
      doc.visit(range.client, range.clock, std::min(range.end(), known) - range.clock,
                [&](const StructInfo& info) {
                  if (!info.deleted) status = removal(info);
                  return status.has_value();
                });
      if (!status) return status;
    }
    return {};
  }

  Status removal(const StructInfo& info) {
    deletes_something = true;
    const Place place = doc.place_of(info.id);
    if (place.state != Place::State::kKnown || place.steps.empty()) return {};
    if (!place.steps.back().in_list) {
      std::string text = place_text(place);
      if (replaced.contains(text)) return {};  // judged as a change
      if (want_keys) out.keys.push_back(std::move(text));
    }
    if (auto ok = allow(place, kDelete); !ok) return ok;
    return info.ref == Ref::kType ? below(info.id, place) : Status();
  }

  bool deletes_something = false;
};

Status Guard::read(ByteView update) {
  if (update.size() > limits_.update_bytes) {
    return fail(Code::kBoardUpdateTooLarge,
                "at most " + std::to_string(limits_.update_bytes) + " bytes");
  }
  const UpdateLimits most{.max_structs = limits_.structs, .max_ranges = limits_.ranges};
  auto status = read_update(update, UpdateFormat::kV1, decoded_, most);
  if (!status) {
    const bool large = status.error().code == Code::kCrdtLimit;
    return fail(large ? Code::kBoardUpdateTooLarge : Code::kBoardMalformed,
                std::move(status.error().detail));
  }
  return {};
}

Result<Accepted> Guard::check(const Doc& doc, const Rights& rights,
                              const std::function<Ownership(uint64_t)>& owner, bool want_keys) {
  Check check{doc, rights, owner, want_keys, limits_, decoded_};
  if (auto ok = check.structs(); !ok) return std::unexpected(std::move(ok.error()));
  if (auto ok = check.deletes(); !ok) return std::unexpected(std::move(ok.error()));
  check.out.nothing = !check.out.inserts && !check.deletes_something;
  return std::move(check.out);
}

}  // namespace footlight::crdt
