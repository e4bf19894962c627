// A folder that program streams are pushed to: `{folder}/{episode}/` and the addresses of
// hls/address.h.
#pragma once
#include <string>
#include <vector>

#include "core/result.h"
#include "hls/push.h"

namespace footlight::edge {

// Writes the file, or removes it and the folders of its epoch that are empty then. Waits for the
// disk. kPushFull, kPushFailed. Any thread.
Status carry_to_folder(const std::string& episode_folder, const hls::PushJob& job);

// What streams of earlier lives of the process left there, as names below `episode_folder`: files
// of the kinds that are pushed, whole or half written, in the folders of epochs that have no
// recording. Links are not followed. At most kMostLeftovers; the rest is for the next start.
std::vector<std::string> leftovers(const std::string& episode_folder);
inline constexpr size_t kMostLeftovers = 50'000;

}  // namespace footlight::edge
