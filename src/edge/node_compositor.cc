#include "edge/node_compositor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "core/json.h"
#include "edge/compositor.h"
#include "edge/node_episode.h"
#include "net/asio/readiness.h"

namespace footlight::edge {
namespace {

constexpr MonoUs kTickUs = 100 * kUsPerMs;
constexpr size_t kMostUnsent = 1 << 20;  // bytes for a compositor that does not read: it is ended
constexpr int kSocketInChild = 3;

std::vector<std::string> arguments_of(const Config& config) {
  std::string program = config.program.compositor;
  if (program.empty()) {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    program = (self.parent_path() / "footlight-media").string();
  }
  std::vector<std::string> out{program, "compose", "--socket",
                               "fd:" + std::to_string(kSocketInChild)};
  for (const std::string& rung : config.program.rungs) {
    out.insert(out.end(), {"--rung", rung});
  }
  out.insert(out.end(), {"--fps", std::to_string(config.program.fps)});
  out.insert(out.end(), {"--encoder", config.program.encoder});
  out.insert(out.end(), {"--preset", config.program.preset});
  out.insert(out.end(), {"--sound-kbps", std::to_string(config.program.sound_kbps)});
  return out;
}

// A program stream that nobody takes.
class NoSink final : public ProgramSink {
 public:
  void on_hello(const proto::FeedHello&) override {}
  void on_init(const proto::FeedInit&) override {}
  void on_part(const proto::FeedPart&) override {}
  void on_cue_shown(const proto::FeedCueShown&, const proto::FeedSnapshot*) override {}
  void on_status(const proto::FeedStatus&) override {}
  void on_poster(const proto::FeedPoster&) override {}
  void on_discontinuity(const Error&) override {}
  void on_end(const Error&) override {}
};

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  if (WEXITSTATUS(status) == 127) return "footlight-media is not there";
  return "exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

// The connection to a compositor. Its own call may be what ends it: so it lives on, without its
// show, until the turn's end, and what comes by it until then concerns nobody.
struct NodeCompositors::Line {
  explicit Line(Show* show, int descriptor) : show(show), descriptor(descriptor) {}
  ~Line() {
    readiness.reset();
    ::close(descriptor);
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  Show* show;
  const int descriptor;
  std::unique_ptr<net::Readiness> readiness;
};

struct NodeCompositors::Show final : CompositorPort, sfu::Sink {
  Show(NodeCompositors& whole, NodeEpisode& of, std::unique_ptr<ProgramSink> to)
      : all(whole),
        episode(of),
        sink(to ? std::move(to) : std::make_unique<NoSink>()),
        compositor(*this, *sink) {}
  ~Show() override {
    kill();
    if (udp >= 0) ::close(udp);
  }

  // CompositorPort
  Status start() override;
  // What a producer chose, in {folder}/{episode}.program.json. A file that cannot be read or
  // written costs itself: the show goes on as it is.
  std::string settings_file() const { return all.folder_ + "/" + episode.id() + ".program.json"; }
  void load_settings();
  void save_settings() const;
  void write(Bytes frames) override;
  void kill() override;
  uint16_t rtp_port() override { return port; }
  void feed_to(uint16_t to) override;
  void want_key_frame(uint32_t ssrc) override {
    all.media_.want_key_frame(episode.id(), ssrc, all.clock_.now_us());
  }

  // sfu::Sink
  void send_rtp(ByteView head, ByteView payload) override { send(head, payload); }
  void send_rtcp(ByteView compound) override { send(compound, {}); }

  void send(ByteView first, ByteView second) const;
  Status open_port();
  bool read();
  std::string reap();
  void flush();
  void on_time(MonoUs now);

  NodeCompositors& all;
  NodeEpisode& episode;
  std::unique_ptr<ProgramSink> sink;
  ProgramView view;
  bool asking = false, live = false, tapped = false, ever = false;
  pid_t pid = -1;
  int udp = -1;
  uint16_t port = 0;
  bool feeding = false;
  Bytes unsent;
  std::unique_ptr<Line> line;
  Compositor compositor;
};

void NodeCompositors::Show::load_settings() {
  std::ifstream in(settings_file(), std::ios::binary);
  std::string text(ProgramSettings::kMostBytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (!text.empty()) compositor.restore(read_program_settings(text));
}

void NodeCompositors::Show::save_settings() const {
  const std::string file = settings_file(), fresh = file + ".new";
  std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
  out << program_settings_json(compositor.settings());
  out.close();
  if (out) (void)std::rename(fresh.c_str(), file.c_str());
}

// One port for the episode's life: the same sends to every compositor that follows.
Status NodeCompositors::Show::open_port() {
  if (udp >= 0) return {};
  udp = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (udp < 0 || ::bind(udp, reinterpret_cast<sockaddr*>(&at), size) != 0 ||
      ::getsockname(udp, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
    return fail(Code::kIo, std::string("a UDP port: ") + std::strerror(errno));
  }
  port = ntohs(at.sin_port);
  return {};
}

Status NodeCompositors::Show::start() {
  if (auto status = open_port(); !status) return status;
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    return fail(Code::kIo, std::string("a socket: ") + std::strerror(errno));
  }
  std::vector<std::string> words = all.arguments_;
  std::vector<char*> list;
  for (std::string& each : words) list.push_back(each.data());
  list.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pair[1], kSocketInChild);
  posix_spawnattr_init(&attributes);
  // Signals are the node's affair, blocked in its threads: not so in the compositor.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  const int error =
      ::posix_spawn(&pid, words[0].c_str(), &actions, &attributes, list.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(pair[1]);
  if (error != 0) {
    pid = -1;
    ::close(pair[0]);
    return fail(Code::kCompositorSetup, words[0] + ": " + std::strerror(error));
  }
  line = std::make_unique<Line>(this, pair[0]);
  (void)::fcntl(pair[0], F_SETFL, O_NONBLOCK);
  auto watched = net::Readiness::watch(all.shard_, pair[0], [here = line.get()] {
    return here->show != nullptr && here->show->read();
  });
  if (!watched) {
    kill();
    return std::unexpected(watched.error());
  }
  line->readiness = std::move(*watched);
  return {};
}

// Ends the process; how it went, if it was over by itself.
std::string NodeCompositors::Show::reap() {
  if (pid <= 0) return {};
  int status = 0;
  ::kill(pid, SIGKILL);
  ::waitpid(pid, &status, 0);  // at once: it was killed
  pid = -1;
  return how_it_ended(status);
}

void NodeCompositors::Show::kill() {
  reap();
  feeding = false;
  unsent.clear();
  if (!line) return;
  line->show = nullptr;
  all.ended_.push_back(std::move(line));
}

void NodeCompositors::Show::feed_to(uint16_t to) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(to);
  feeding = ::connect(udp, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0;
}

void NodeCompositors::Show::send(ByteView first, ByteView second) const {
  if (!feeding) return;
  std::array<iovec, 2> parts{};
  parts[0] = {const_cast<uint8_t*>(first.data()), first.size()};
  parts[1] = {const_cast<uint8_t*>(second.data()), second.size()};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  // What does not fit is lost, as on any network.
  (void)!::sendmsg(udp, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void NodeCompositors::Show::write(Bytes frames) {
  unsent.insert(unsent.end(), frames.begin(), frames.end());
  flush();
}

void NodeCompositors::Show::flush() {
  while (line && !unsent.empty()) {
    const ssize_t wrote =
        ::send(line->descriptor, unsent.data(), unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (wrote <= 0) return;
    unsent.erase(unsent.begin(), unsent.begin() + wrote);
  }
}

// False: everything was read. At the end of the stream the process is over, or as good as.
bool NodeCompositors::Show::read() {
  static thread_local std::array<uint8_t, 256 * 1024> bytes;
  const MonoUs now = all.clock_.now_us();
  for (int i = 0; i < 4; ++i) {
    if (!line) return false;
    const ssize_t got = ::recv(line->descriptor, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got > 0) {
      compositor.on_bytes({bytes.data(), static_cast<size_t>(got)}, now);
      continue;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    const std::string how = reap();
    kill();
    compositor.on_exit(how, now);
    return false;
  }
  return true;
}

void NodeCompositors::Show::on_time(MonoUs now) {
  flush();
  // What it said while this thread stood still is heard before it is found silent.
  while (read()) {
  }
  if (unsent.size() > kMostUnsent) {
    kill();
    compositor.on_exit("it does not read", now);
  }
  auto people = all.media_.tapped(episode.id());
  const ProgramScene scene = view.scene(all.clock_.wall_ms());
  const bool over = scene.state == "ended";
  if (!ever && !over && (scene.state == "live" || all.media_.publishers(episode.id()) > 0)) {
    ever = true;
    all.media_.tap(episode.id(), this);
    people = all.media_.tapped(episode.id());
  }
  if (over && ever && live) {
    all.media_.tap(episode.id(), nullptr);
    live = false;
    return compositor.set_wanted(false, now);
  }
  if (!ever || over) return;
  compositor.set_people({std::move(people)});
  compositor.set_scene(scene);
  if (!live) {
    live = true;
    compositor.set_wanted(true, now);
  }
  compositor.on_time(now);
}

NodeCompositors::NodeCompositors(const Config& config, net::Shard& shard, Media& media,
                                 const Clock& clock)
    : arguments_(arguments_of(config)),
      folder_(config.data.dir),
      shard_(shard),
      media_(media),
      clock_(clock) {}

NodeCompositors::~NodeCompositors() {
  shard_.remove_resident(this);
  end_all();
}

void NodeCompositors::begin(const std::vector<NodeEpisode*>& episodes, ProgramSinkMaker maker) {
  for (NodeEpisode* each : episodes) {
    auto& show = shows_[each->id()];
    show = std::make_unique<Show>(*this, *each, maker ? maker(each->id()) : nullptr);
    show->load_settings();
  }
  shard_.add_resident(this);
}

void NodeCompositors::end_all() {
  for (const auto& [id, show] : shows_) {
    media_.tap(id, nullptr);
    if (show->live) show->compositor.set_wanted(false, clock_.now_us());
  }
  shows_.clear();
}

MonoUs NodeCompositors::on_turn_end(MonoUs now_us) {
  ended_.clear();
  if (now_us < due_us_) return due_us_;
  due_us_ = now_us + kTickUs;
  for (const auto& [id, show] : shows_) {
    if (!show->asking) {
      show->asking = true;
      show->episode.ask_program_view([this, id](std::string json) {
        shard_.post([this, id, json = std::move(json)] { on_view(id, json); });
      });
    }
    show->on_time(now_us);
  }
  return due_us_;
}

void NodeCompositors::on_view(const std::string& episode, const std::string& json) {
  const auto found = shows_.find(episode);
  if (found == shows_.end()) return;
  found->second->asking = false;
  found->second->view.update(json, clock_.wall_ms());
}

ApiAnswer NodeCompositors::wish_layout(const ApiCall& call, Show& show) {
  const auto read = Json::parse(call.body);
  const std::string name = read ? (*read)["layout"].as_string() : std::string();
  if (name == "auto") {
    show.compositor.wish_layout(std::nullopt);
  } else if (const auto kind = parse_layout(name)) {
    const int64_t slot = (*read)["slot"].as_int(255);
    if (slot < 0 || slot > 255) return api_error({Code::kFieldOutOfRange, "slot", 0});
    show.compositor.wish_layout(proto::FeedLayout{*kind, static_cast<uint8_t>(slot)});
  } else {
    return api_error({Code::kBadRequest,
                      R"({"layout":"auto|table|speaker|grid|single|title|slate","slot":N})", 0});
  }
  show.save_settings();
  return {.body = show.compositor.status_json()};
}

ApiAnswer NodeCompositors::set_gain(const ApiCall& call, Show& show) {
  const auto read = Json::parse(call.body);
  uint64_t who = 0;
  const bool understood = read && parse_hex_u64((*read)["who"].as_string(), who);
  if (!understood || !(*read)["gain_permille"].is_integer()) {
    return api_error({Code::kBadRequest, R"({"who":"16 hex digits","gain_permille":N})", 0});
  }
  const auto status = show.compositor.set_gain(who, (*read)["gain_permille"].as_int());
  if (!status) return api_error(status.error());
  show.save_settings();
  return {.body = show.compositor.status_json()};
}

ApiAnswer NodeCompositors::api(const ApiCall& call, const std::string& episode) {
  const auto found = shows_.find(episode);
  if (found == shows_.end()) return api_error({Code::kProgramOff, "", 0});
  Show& show = *found->second;
  if (call.route == ApiRoute::kProgramLayout) return wish_layout(call, show);
  if (call.route == ApiRoute::kProgramGain) return set_gain(call, show);
  if (call.route == ApiRoute::kProgramRestart) {
    if (!show.live) return api_error({Code::kProgramOff, "it has not begun", 0});
    show.compositor.restart(clock_.now_us());
  }
  return {.body = show.compositor.status_json()};
}

}  // namespace footlight::edge
