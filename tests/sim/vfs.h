// SQLite on a SimDisk: a VFS of its own, registered under a name for as long as the object lives.
// While it is there it is also SQLite's default, so that SQLite's own random numbers (the WAL's
// salts) come from the simulation's seed.
#pragma once
#include <sqlite3.h>

#include <memory>
#include <string>

#include "disk.h"

namespace footlight::sim {

class SimVfs {
 public:
  explicit SimVfs(SimDisk& disk);
  ~SimVfs();
  SimVfs(const SimVfs&) = delete;
  SimVfs& operator=(const SimVfs&) = delete;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  sqlite3_vfs vfs_{};
};

}  // namespace footlight::sim
