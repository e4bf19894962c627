#include "cli/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "net/asio/http_client.h"
#include "net/asio/shard.h"

extern char** environ;

namespace footlight::cli {
namespace {

std::string last_lines(const std::string& path) {
  std::ifstream in(path);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  return text.size() > 600 ? text.substr(text.size() - 600) : text;
}

}  // namespace

uint16_t free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  uint16_t port = 0;
  if (::bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port = ntohs(address.sin_port);
  }
  ::close(probe);
  return port;
}

Result<ServerProcess> ServerProcess::start(const ServerSpec& spec) {
  const uint16_t port = spec.port > 0 ? spec.port : free_port();
  std::vector<std::string> words = {"footlight", "serve"};
  words.insert(words.end(), spec.args.begin(), spec.args.end());
  words.insert(words.end(), {"--port", std::to_string(port)});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, spec.log_path.c_str(), O_CREAT | O_WRONLY | O_TRUNC,
                                   0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  const net::SystemClock clock;
  const MonoUs began_us = clock.now_us();
  pid_t pid = 0;
  const int error =
      posix_spawn(&pid, spec.program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail(Code::kIo, "the server could not be started");

  ServerProcess server(pid, "http://127.0.0.1:" + std::to_string(port), 0);
  while (clock.now_us() - began_us < int64_t{spec.timeout_ms} * kUsPerMs) {
    net::HttpCall call;
    call.url = server.url_ + "/readyz";
    call.timeout_ms = 1'000;
    if (auto answer = net::http_call(call); answer && answer->status == 200) {
      server.ready_us_ = static_cast<uint64_t>(clock.now_us() - began_us);
      return server;
    }
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) == pid) {
      server.pid_ = 0;
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return fail(Code::kUnreachable, "the server did not get ready: " + last_lines(spec.log_path));
}

ServerProcess::ServerProcess(ServerProcess&& other) noexcept
    : pid_(other.pid_), url_(std::move(other.url_)), ready_us_(other.ready_us_) {
  other.pid_ = 0;
}

ServerProcess::~ServerProcess() { stop(); }

int ServerProcess::stop() {
  if (pid_ == 0) return 0;
  ::kill(pid_, SIGTERM);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void ServerProcess::kill() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

ScratchDirectory::ScratchDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "footlight-XXXXXX").string();
  if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace footlight::cli
