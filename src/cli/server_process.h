// A server of our own as a child process, for commands that measure one.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "core/result.h"

namespace footlight::cli {

struct ServerSpec {
  std::string program = "/proc/self/exe";
  std::vector<std::string> args;  // of `serve`, without --port
  uint16_t port = 0;              // 0: one that is free
  std::string log_path;           // where its output goes
  uint32_t timeout_ms = 10'000;
};

class ServerProcess {
 public:
  // Runs `program serve ARGS --port P` on 127.0.0.1 and waits until it is ready. kUnreachable with
  // the log's last lines when it does not get ready.
  static Result<ServerProcess> start(const ServerSpec& spec);
  ServerProcess(ServerProcess&& other) noexcept;
  ServerProcess& operator=(ServerProcess&&) = delete;
  ~ServerProcess();  // as stop()

  const std::string& url() const { return url_; }
  int pid() const { return pid_; }
  uint64_t ready_us() const { return ready_us_; }  // from exec to ready
  // SIGTERM, then waits; the exit code, or 128 + signal.
  int stop();
  void kill();  // SIGKILL, then waits

 private:
  ServerProcess(pid_t pid, std::string url, uint64_t ready_us)
      : pid_(pid), url_(std::move(url)), ready_us_(ready_us) {}
  pid_t pid_ = 0;
  std::string url_;
  uint64_t ready_us_ = 0;
};

uint16_t free_port();  // of 127.0.0.1, free a moment ago

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
