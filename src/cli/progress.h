// The progress line of long commands, on stderr: a bar where there is a terminal, a line every few
// seconds where there is none.
#pragma once
#include "ops/stage.h"

namespace footlight::cli {

class ProgressLine {
 public:
  explicit ProgressLine(std::string name, bool quiet);
  ~ProgressLine();
  void show(const ops::Progress& progress);

 private:
  std::string name_;
  std::string last_;
  bool quiet_;
  bool terminal_;
  int told_tenths_ = -1;
};

// Set by SIGINT and SIGTERM after catch_signals().
const std::atomic<bool>& interrupted();
void catch_signals();

}  // namespace footlight::cli
