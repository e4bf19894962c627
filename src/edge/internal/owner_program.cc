// What the program's overlay shows of an episode: the viewers' view as far as it is durable, and
// the tallies that viewers were told last.
#include <algorithm>
#include <cstdlib>

#include "core/json.h"
#include "edge/internal/owner_impl.h"

namespace footlight::edge {
namespace {

constexpr size_t kMostRolls = 4, kMostPolls = 32;

using Entities = std::map<std::string, EntityText>;

const Entities& collection(const ClassView& view, const std::string& name) {
  static const Entities kNone;
  const auto found = view.durable.find(name);
  return found == view.durable.end() ? kNone : found->second;
}

std::string_view text_of(const Entities& entities, const std::string& id) {
  const auto found = entities.find(id);
  return found == entities.end() || !found->second ? std::string_view("null")
                                                   : std::string_view(*found->second);
}

}  // namespace

std::string Owner::Impl::program_view() const {
  const ClassView& view = views[static_cast<size_t>(proto::ViewClass::kViewer)];
  std::string text;
  JsonWriter out(text);
  const std::string_view episode = text_of(collection(view, "episode"), "state");
  out.object().key("episode").raw(episode);
  const auto parsed = Json::parse(episode);
  const std::string scene = parsed ? (*parsed)["scene"].as_string() : std::string();
  out.key("scene").raw(text_of(collection(view, "scenes"), scene));
  out.key("polls").object();
  // Those that run are never left out. No text in JSON holds this: its quotes are escaped.
  const auto is_closed = [](const std::string& json) {
    return json.find(R"("state":"closed")") != json.npos;
  };
  size_t count = 0;
  for (const bool closed : {false, true}) {
    for (const auto& [id, entity] : collection(view, "polls")) {
      if (!entity || is_closed(*entity) != closed || ++count > kMostPolls) continue;
      out.key(id).raw(*entity);
    }
  }
  out.end_object().key("tallies").object();
  for (const auto& [slot, published] : tallies) {
    if (!published.ever || !published.tally.roles.has(proto::Role::kViewer)) continue;
    out.key(published.tally.poll).object().key("counts").array();
    for (const uint64_t each : published.tally.counts) out.value(each);
    out.end_array().field("voters", published.tally.voters).end_object();
  }
  out.end_object().key("rolls").array();
  // Their numbers are texts: the newest are those with the greatest number.
  std::vector<std::pair<uint64_t, const std::string*>> rolls;
  for (const auto& [id, entity] : collection(view, "rolls")) {
    if (entity) rolls.emplace_back(std::strtoull(id.c_str(), nullptr, 10), entity.get());
  }
  std::ranges::sort(rolls, std::greater(), &std::pair<uint64_t, const std::string*>::first);
  for (size_t i = 0; i < std::min(rolls.size(), kMostRolls); ++i) out.raw(*rolls[i].second);
  out.end_array().end_object();
  return text;
}

std::string Owner::program_view() const { return impl_->program_view(); }

}  // namespace footlight::edge
