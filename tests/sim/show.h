// The episode the simulation plays. Texts that begin with "zq-" are for the GM's eyes only: no
// viewer's frame may hold one.
#pragma once
#include <string_view>

namespace footlight::sim {

inline constexpr std::string_view kEpisode = "sim";

inline constexpr std::string_view kDefinition = R"json({
"footlight":1,"id":"sim","title":"The simulated show","start":"gate",
"cast":{"ann":{"name":"Ann","role":"player"},"ben":{"name":"Ben","role":"player"},
 "gil":{"name":"Gil","role":"gm"},"pia":{"name":"Pia","role":"producer"}},
"characters":{
 "aria":{"name":"Aria","owner":"ann","hp_max":20,"items":{"potion":2},"fields":{"level":3}},
 "bo":{"name":"Bo","owner":"ben","hp_max":30,"fields":{"class":"Bard"}},
 "ogre":{"name":"Ogre","hp_max":40}},
"items":{"potion":"Potion","rope":"Rope"},
"conditions":["down","poisoned"],
"emotes":["heart","laugh"],
"scenes":{
 "gate":{"title":"The gate","text":"Two doors.","polls":["fork","many"],
  "choices":{"left":{"label":"Left","to":"crypt"},"right":{"label":"Right","to":"hall"}}},
 "crypt":{"title":"The crypt","polls":["hush"],"choices":{"up":{"label":"Up","to":"gate"}}},
 "hall":{"title":"The hall","choices":{"out":{"label":"Out","to":"gate"}}},
 "vault":{"title":"zq-vault","text":"zq-vault-text"}},
"polls":{
 "fork":{"title":"Which door?","options":[{"label":"Crypt","to":"crypt"},{"label":"Hall","to":"hall"},"Wait"],"seconds":3},
 "many":{"title":"What to take?","options":["Torch","Rope","Map","Bread"],"kind":"multiple","max":2,"seconds":4},
 "hush":{"title":"Whom to trust?","options":["Ann","Ben"],"hidden":true,"seconds":4},
 "once":{"title":"For good?","options":["Yes","No"],"changeable":false,"quorum":2,"default":1,"seconds":3},
 "long":{"title":"The long one","options":["A","B","C"],"weights":{"viewer":1,"player":3,"gm":0,"producer":0}},
 "never":{"title":"zq-never","options":["zq-one","zq-two"]}},
"timers":{"breath":{"label":"Breath","seconds":5}},
"boards":{"table":{"kind":"map","rules":[{"path":"fog","player":"none"}],
 "mirror":{"tokens/*/hp":"characters/*/hp"}}},
"cues":[{"label":"zq-cue","k":"scene.go","a":{"scene":"hall"}}]
})json";

}  // namespace footlight::sim
