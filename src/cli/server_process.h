// A server of our own as a child process, for commands that measure one.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "core/result.h"

namespace footlight::cli {

class ServerProcess {
 public:
  // Runs this very program as `footlight serve ARGS --port P` on a free port of 127.0.0.1 and waits
  // until it is ready. `log_path`: where its output goes. kUnreachable with the log's last lines
  // when it does not get ready.
  static Result<ServerProcess> start(std::vector<std::string> args, const std::string& log_path,
                                     uint32_t timeout_ms = 10'000);
  ServerProcess(ServerProcess&& other) noexcept;
  ServerProcess& operator=(ServerProcess&&) = delete;
  ~ServerProcess();  // as stop()

  const std::string& url() const { return url_; }
  int pid() const { return pid_; }
  uint64_t ready_us() const { return ready_us_; }  // from exec to ready
  // SIGTERM, then waits; the exit code, or 128 + signal.
  int stop();

 private:
  ServerProcess(pid_t pid, std::string url, uint64_t ready_us)
      : pid_(pid), url_(std::move(url)), ready_us_(ready_us) {}
  pid_t pid_ = 0;
  std::string url_;
  uint64_t ready_us_ = 0;
};

// A new empty directory under the system's place for temporary files, removed with the object.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace footlight::cli
