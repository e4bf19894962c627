// Development: links to the pages with tokens, one for each of the cast and some for an audience.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "edge/node.h"

namespace footlight::edge {

std::vector<Node::Link> make_dev_links(std::string_view episode, std::string_view definition,
                                       std::string_view dev_secret, WallMs now_ms);
// {"links":[{"page":"stage","name":"Ann","url":"/stage/#..."}]}
std::string dev_links_json(const std::vector<Node::Link>& links);

}  // namespace footlight::edge
