#include "ops/doctor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include "core/histogram.h"
#include "core/json.h"
#include "net/asio/http_client.h"
#include "net/asio/shard.h"

namespace footlight::ops {
namespace {

constexpr int kSyncs = 100;
constexpr uint64_t kSyncWarnUs = 10'000;  // a third of the budget of a command
constexpr uint64_t kSyncBadUs = 100'000;
constexpr uint64_t kBytesPerSession = 12 * 1024;  // user space and kernel, measured
constexpr int64_t kCertificateWarnS = 14 * 86'400;

// `dir`, or the folder above it that is there.
std::string nearest_folder(const std::string& dir) {
  std::error_code error;
  std::filesystem::path at = dir;
  while (!at.empty() && !std::filesystem::exists(at, error)) at = at.parent_path();
  return at.empty() ? "." : at.string();
}

std::string milliseconds(uint64_t us) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(us) / 1000);
  return text;
}

}  // namespace

Finding check_descriptors(uint64_t audience) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  Finding finding{Health::kGood, "file descriptors", std::to_string(limit.rlim_cur) + " allowed",
                  ""};
  const uint64_t needed = audience + 1'000;
  if (limit.rlim_cur < needed) {
    finding.health = Health::kBad;
    finding.advice = std::to_string(audience) + " connections need " + std::to_string(needed) +
                     "; raise it: ulimit -n " + std::to_string(needed) +
                     ", or LimitNOFILE= in the unit";
  }
  return finding;
}

Finding check_disk_sync(const std::string& dir) {
  Finding finding{Health::kGood, "disk sync", "", ""};
  const std::string place = nearest_folder(dir);
  const std::string path = place + "/.footlight-doctor";
  const int file = ::open(path.c_str(), O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) {
    finding.health = Health::kBad;
    finding.found = dir + ": " + std::strerror(errno);
    finding.advice = place == dir ? "make the data directory writable for this user"
                                  : "serve cannot make it in " + place + "; choose another";
    return finding;
  }
  const net::SystemClock clock;
  Histogram times;
  const std::string block(4096, 'x');
  bool wrote = true;
  for (int i = 0; i < kSyncs && wrote; ++i) {
    const MonoUs before = clock.now_us();
    wrote = ::write(file, block.data(), block.size()) == static_cast<ssize_t>(block.size()) &&
            ::fdatasync(file) == 0;
    times.record(static_cast<uint64_t>(clock.now_us() - before));
  }
  const int error = errno;
  ::close(file);
  ::unlink(path.c_str());
  if (!wrote) {
    finding.health = Health::kBad;
    finding.found = std::string("writing failed: ") + std::strerror(error);
    finding.advice = "votes cannot be made durable on this disk; free space or use another";
    return finding;
  }
  const uint64_t p99 = times.quantile(990);
  finding.found = "p50 " + milliseconds(times.quantile(500)) + ", p99 " + milliseconds(p99) +
                  " over " + std::to_string(kSyncs) + " syncs";
  if (p99 > kSyncWarnUs) {
    finding.health = p99 > kSyncBadUs ? Health::kBad : Health::kWarning;
    finding.advice = "every confirmation waits for a sync; use a local SSD or NVMe disk";
  } else if (times.quantile(500) < 20) {
    finding.health = Health::kWarning;
    finding.advice =
        "this is too fast for a real sync: memory file system, or a disk that lies; a power cut "
        "would lose votes";
  }
  if (place != dir) {
    finding.health = Health::kWarning;
    finding.found += " in " + place;
    finding.advice = dir + " is not there yet; serve will make it" +
                     (finding.advice.empty() ? "" : "; " + finding.advice);
  }
  return finding;
}

Finding check_disk_space(const std::string& dir) {
  Finding finding{Health::kGood, "disk space", "", ""};
  struct statvfs space{};
  if (statvfs(nearest_folder(dir).c_str(), &space) != 0) return finding;
  const uint64_t free_mb = static_cast<uint64_t>(space.f_bavail) * space.f_frsize / (1024 * 1024);
  finding.found = std::to_string(free_mb) + " MiB free";
  if (free_mb < 1024) {
    finding.health = free_mb < 64 ? Health::kBad : Health::kWarning;
    finding.advice = "a million ballots take about 40 MiB; a full disk halts an episode";
  }
  return finding;
}

Finding check_port(Transport transport, uint16_t port) {
  const bool tcp = transport == Transport::kTcp;
  Finding finding{Health::kGood, (tcp ? "TCP port " : "UDP port ") + std::to_string(port), "free",
                  ""};
  const int probe = ::socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
  const int on = 1;
  // TCP: one whose connections have ended may be taken. UDP has no such state.
  if (tcp) ::setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  if (::bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    finding.health = Health::kBad;
    finding.found = std::strerror(errno);
    finding.advice =
        errno == EADDRINUSE
            ? (tcp ? "another process has it: stop that, or serve with --port"
                   : "another process has it: stop that, or set media.port")
            : "this user may not take it: choose one above 1023, or grant cap_net_bind_service";
  }
  ::close(probe);
  return finding;
}

Finding check_certificate(const std::string& pem_path, int64_t now_s) {
  Finding finding{Health::kGood, "certificate", "", ""};
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(pem_path.c_str(), "re"), std::fclose);
  std::unique_ptr<X509, void (*)(X509*)> certificate(
      file ? PEM_read_X509(file.get(), nullptr, nullptr, nullptr) : nullptr, X509_free);
  if (!certificate) {
    finding.health = Health::kBad;
    finding.found = pem_path + " holds no certificate in PEM form";
    finding.advice = "give the file with the full chain, the server's certificate first";
    return finding;
  }
  int days = 0;
  int seconds = 0;
  std::unique_ptr<ASN1_TIME, void (*)(ASN1_TIME*)> now(ASN1_TIME_set(nullptr, now_s),
                                                       ASN1_TIME_free);
  ASN1_TIME_diff(&days, &seconds, now.get(), X509_get0_notAfter(certificate.get()));
  const int64_t left_s = int64_t{days} * 86'400 + seconds;
  finding.found = left_s < 0 ? "expired " + std::to_string(-days) + " days ago"
                             : std::to_string(days) + " days left";
  if (left_s < kCertificateWarnS) {
    finding.health = left_s < 0 ? Health::kBad : Health::kWarning;
    finding.advice = "renew it; a running server takes the new one at SIGHUP";
  }
  return finding;
}

Finding check_clock() {
  Finding finding{Health::kGood, "clock", "", ""};
  timex state{};
  const int status = ntp_adjtime(&state);
  if (status == TIME_ERROR || (state.status & STA_UNSYNC) != 0) {
    finding.health = Health::kWarning;
    finding.found = "not synchronised";
    finding.advice = "run chrony or systemd-timesyncd: deadlines and tokens are judged by it";
  } else {
    finding.found =
        "synchronised, error at most " + milliseconds(static_cast<uint64_t>(state.maxerror));
  }
  return finding;
}

Finding check_memory(uint64_t audience) {
  Finding finding{Health::kGood, "memory", "", ""};
  const auto pages = static_cast<uint64_t>(sysconf(_SC_AVPHYS_PAGES));
  const uint64_t free_bytes = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  finding.found = std::to_string(free_bytes / (1024 * 1024)) + " MiB free";
  if (free_bytes < audience * kBytesPerSession + 256 * 1024 * 1024) {
    finding.health = Health::kWarning;
    finding.advice = std::to_string(audience) + " connections take about " +
                     std::to_string(audience * kBytesPerSession / (1024 * 1024)) +
                     " MiB with the kernel's part";
  }
  return finding;
}

std::vector<Finding> check_server(const std::string& url) {
  std::vector<Finding> findings;
  const net::SystemClock clock;
  for (const char* path : {"/healthz", "/readyz"}) {
    const MonoUs before = clock.now_us();
    net::HttpCall call;
    call.url = url + path;
    call.timeout_ms = 3'000;
    auto answer = net::http_call(call);
    Finding finding{Health::kGood, path, "", ""};
    if (!answer) {
      finding.health = Health::kBad;
      finding.found = answer.error().message();
      finding.advice =
          finding.found.find("TLS: ") != std::string::npos
              ? "browsers will refuse it as well: serve a certificate of this name, with its chain"
              : "is the server running, and does nothing stand between?";
    } else {
      finding.found = std::to_string(answer->status) + " in " +
                      milliseconds(static_cast<uint64_t>(clock.now_us() - before));
      if (answer->status != 200) {
        finding.health = Health::kBad;
        finding.advice = answer->body.substr(0, 200);
      }
    }
    findings.push_back(std::move(finding));
  }
  return findings;
}

std::vector<Finding> examine(const DoctorOptions& options) {
  if (!options.url.empty()) return check_server(options.url);
  std::vector<Finding> findings;
  findings.push_back(check_port(Transport::kTcp, options.port));
  if (options.media_port > 0) {
    findings.push_back(check_port(Transport::kUdp, options.media_port));
  }
  findings.push_back(check_descriptors(options.audience));
  findings.push_back(check_memory(options.audience));
  findings.push_back(check_disk_sync(options.data_dir));
  findings.push_back(check_disk_space(options.data_dir));
  findings.push_back(check_clock());
  if (!options.certificate.empty()) {
    findings.push_back(check_certificate(options.certificate, net::SystemClock().wall_ms() / 1000));
  }
  return findings;
}

}  // namespace footlight::ops
