// What happened in an episode, at which wall time: the marks on the time line of its program's
// recording. Made of the log alone, so that it is the same after a restart. What the audience may
// not see (secret rolls) is not in it.
//
// The JSON: {"v":1,"episode","title","marks":[{"at_ms","kind",...}],"captions":[…]}, both by time;
// the kinds and their members are in docs/program.md, Time line. Without captions the list is not
// there.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "log/log.h"

namespace footlight::edge {

class ProgramMarks {
 public:
  static constexpr size_t kMost = 10'000;  // later dice are left out then, later others at twice it
  static constexpr size_t kMostCaptions = 20'000;  // later ones are left out

  // The next record of the log; each once, in order.
  void take(const log::StoredRecord& record);
  uint64_t seq() const { return seq_; }  // of the last one taken
  std::string json() const;

 private:
  struct Poll {
    std::string title;
    std::vector<std::string> options;
  };
  void genesis(const Json& genesis);
  void event(const Json& event, WallMs at_ms);
  void scene(const Json& data, WallMs at_ms);
  void poll(const Json& data, WallMs at_ms, bool closed);
  void dice(const Json& event, WallMs at_ms);
  void caption(const Json& data);
  void take_back(int64_t n);
  void add(std::string mark) { marks_.push_back(std::move(mark)); }

  uint64_t seq_ = 0;
  std::string episode_, title_;
  std::map<std::string, std::string> scenes_, characters_;  // id → title, name
  std::map<std::string, Poll> polls_;
  std::vector<std::string> marks_;  // JSON
  struct Caption {
    int64_t n = 0;
    std::string json;
  };
  std::multimap<WallMs, Caption> captions_;  // the same, by when the words were spoken
};

}  // namespace footlight::edge
