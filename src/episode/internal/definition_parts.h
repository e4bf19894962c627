// The larger parts of a definition, one function each. They append to `out` and note faults.
#pragma once
#include "episode/definition.h"
#include "episode/internal/definition_reader.h"

namespace footlight::episode {

void check_id(std::string_view id, const std::string& path, Issues& issues);
bool is_defined(const Definition& definition, RuleReference::Kind kind, std::string_view id);

void read_characters(ObjectReader& top, Definition& out, Issues& issues);
void read_scenes(ObjectReader& top, Definition& out, Issues& issues);
void read_polls(ObjectReader& top, Definition& out, Issues& issues);
void read_cues(ObjectReader& top, Definition& out, Issues& issues);
void read_boards(ObjectReader& top, Definition& out, Issues& issues);  // after the characters
// What scenes and polls say of each other; both must have been read.
void check_scene_links(const Definition& definition, Issues& issues);

}  // namespace footlight::episode
