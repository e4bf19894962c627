#include "crdt/roots.h"

#include <map>
#include <string>

#include "crdt/state_vector.h"

namespace footlight::crdt {
namespace {

// What one item of a list says about the list.
TypeRef list_kind(Doc& doc, const StructInfo& info) {
  switch (info.ref) {
    case Ref::kString:
    case Ref::kFormat:
    case Ref::kEmbed:
      return TypeRef::kText;
    case Ref::kType: {
      const auto type = doc.find_type(info.id);
      const TypeRef kind = type ? type->kind() : TypeRef::kNone;
      const bool xml = kind == TypeRef::kXmlElement || kind == TypeRef::kXmlText ||
                       kind == TypeRef::kXmlFragment || kind == TypeRef::kXmlHook;
      return xml ? TypeRef::kXmlFragment : TypeRef::kArray;
    }
    default:
      return TypeRef::kArray;
  }
}

}  // namespace

void type_roots(Doc& doc) {
  std::map<std::string, TypeRef, std::less<>> kinds;  // of roots without one
  for (const std::string& name : doc.root_names()) {
    const auto root = doc.find_root(name);
    if (root && root->kind() == TypeRef::kNone) kinds.emplace(name, TypeRef::kNone);
  }
  if (kinds.empty()) return;
  const StateVector state = doc.state_vector();
  for (const StateVector::Entry& entry : state.entries()) {
    doc.visit(entry.client, 0, entry.clock, [&](const StructInfo& info) {
      if (info.deleted || info.ref == Ref::kGc) return true;
      const Place place = doc.place_of(info.id);
      if (place.state != Place::State::kKnown || place.steps.size() != 1) return true;
      const auto root = kinds.find(place.root);
      if (root == kinds.end() || root->second != TypeRef::kNone) return true;
      root->second = place.steps[0].in_list ? list_kind(doc, info) : TypeRef::kMap;
      return true;
    });
  }
  for (const auto& [name, kind] : kinds) {
    if (kind == TypeRef::kMap) (void)doc.map(name);
    if (kind == TypeRef::kText) (void)doc.text(name);
    if (kind == TypeRef::kXmlFragment) (void)doc.xml_fragment(name);
    if (kind == TypeRef::kArray) (void)doc.array(name);
  }
}

}  // namespace footlight::crdt
