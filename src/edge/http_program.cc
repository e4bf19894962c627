#include "edge/http_program.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <fstream>
#include <utility>

#include "core/published.h"
#include "edge/config.h"
#include "net/http.h"
#include "proto/http_status.h"

namespace footlight::edge {
namespace {

constexpr std::string_view kPrefix = "/v1/program/";
constexpr MonoUs kTimelineUs = kUsPerSecond;

// What of the request is needed when its answer comes, perhaps seconds later.
struct Wanted {
  std::string range;
  std::string if_none_match;
};

std::shared_ptr<const std::string> part_of(const hls::ResourcePtr& resource,
                                           const std::string& text) {
  return {resource, &text};
}

bool has_tag(std::string_view list, std::string_view tag) {
  if (list == "*") return true;
  while (!list.empty()) {
    std::string_view one = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), one.size() + 1));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == tag) return true;
  }
  return false;
}

// RFC 9110 section 14.1.2: one range of bytes as first and size; nullopt: to be ignored. A size of
// 0 cannot be satisfied.
struct Span {
  uint64_t first = 0, size = 0;
};
std::optional<Span> parse_range(std::string_view text, uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!text.starts_with(kUnit) || text.find(',') != std::string_view::npos) return std::nullopt;
  text.remove_prefix(kUnit.size());
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto number = [](std::string_view digits, uint64_t& out) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  uint64_t first = 0, last = UINT64_MAX;
  if (dash == 0) {  // the last so many
    if (!number(text.substr(1), last)) return std::nullopt;
    const uint64_t count = std::min(last, size);
    return Span{size - count, count};
  }
  if (!number(text.substr(0, dash), first)) return std::nullopt;
  if (dash + 1 < text.size() && !number(text.substr(dash + 1), last)) return std::nullopt;
  if (last < first) return std::nullopt;
  if (first >= size) return Span{};
  return Span{first, std::min(last, size - 1) - first + 1};
}

net::HttpResponse error_response(const hls::Reply& reply) {
  net::HttpResponse response;
  response.status = reply.status;
  response.content_type = "application/json";
  response.body = proto::error_json(reply.error);
  response.headers.emplace_back("Cache-Control", std::string(reply.cache_control));
  response.headers.emplace_back("Access-Control-Allow-Origin", "*");
  if (reply.error.retry_after_ms > 0) {
    const uint32_t seconds = (reply.error.retry_after_ms + 999) / 1000;
    response.headers.emplace_back("Retry-After", std::to_string(seconds));
  }
  return response;
}

net::HttpResponse make_response(const hls::Reply& reply, const Wanted& wanted) {
  if (!reply.resource) return error_response(reply);
  const hls::ResourcePtr& resource = reply.resource;
  net::HttpResponse response;
  response.head_lines = part_of(resource, resource->head_lines);
  response.headers.emplace_back("Cache-Control", std::string(reply.cache_control));
  if (!wanted.if_none_match.empty() && has_tag(wanted.if_none_match, resource->etag)) {
    response.status = 304;
    return response;
  }
  const std::shared_ptr<const Chain> whole(resource, &resource->body);
  response.chain = whole;
  const auto range =
      wanted.range.empty() ? std::nullopt : parse_range(wanted.range, whole->size_bytes());
  if (!range) return response;
  const std::string all = std::to_string(whole->size_bytes());
  if (range->size == 0) {
    response.status = 416;
    response.chain = nullptr;
    response.headers.emplace_back("Content-Range", "bytes */" + all);
    return response;
  }
  response.status = 206;
  response.chain = std::make_shared<const Chain>(whole->cut(range->first, range->size));
  response.headers.emplace_back("Content-Range",
                                "bytes " + std::to_string(range->first) + "-" +
                                    std::to_string(range->first + range->size - 1) + "/" + all);
  return response;
}

// What left the memory is read from its file.
void send_stored(ProgramFiles& files, const hls::Reply& reply, const Wanted& wanted,
                 net::Responder responder) {
  auto to = std::make_shared<net::Responder>(std::move(responder));
  auto done = [to, reply, wanted](Result<Blob> bytes) {
    hls::Reply whole = reply;
    if (bytes) {
      auto made = std::make_shared<hls::Resource>(*reply.resource);
      made->body.add(std::move(*bytes));
      whole.resource = std::move(made);
    } else {
      whole.resource = nullptr;
      whole.status = 404;
      whole.error = {Code::kProgramGone, "", 0};
      whole.cache_control = "no-store";
    }
    to->send(make_response(whole, wanted));
  };
  const std::string& name = reply.resource->store_name;
  if (reply.resource->packed) return files.read_packed(name, std::move(done));
  files.read(name, std::move(done));
}

net::HttpResponse public_json(std::string json, std::string cache) {
  net::HttpResponse response;
  response.content_type = "application/json";
  response.body = std::move(json);
  response.headers.emplace_back("Cache-Control", std::move(cache));
  response.headers.emplace_back("Access-Control-Allow-Origin", "*");
  return response;
}

// For pages, which would log each 404 while they wait for a program to begin.
net::HttpResponse status_response(const Program::Presence& presence) {
  return public_json(std::string("{\"there\":") + (presence.there ? "true" : "false") +
                         ",\"live\":" + (presence.live ? "true" : "false") + "}",
                     "public, max-age=1");
}

// Methods that are none here, and the question of a page of another origin whether it may ask.
net::HttpResponse other_method(const net::HttpRequest& request) {
  net::HttpResponse response;
  response.headers.emplace_back("Access-Control-Allow-Origin", "*");
  if (request.method == "OPTIONS") {
    response.status = 204;
    response.headers.emplace_back("Access-Control-Allow-Methods", "GET, HEAD");
    response.headers.emplace_back("Access-Control-Allow-Headers", "range");
    response.headers.emplace_back("Access-Control-Max-Age", "86400");
    return response;
  }
  hls::Reply reply;
  reply.status = 405;
  reply.error = {Code::kMethodNotAllowed, "", 0};
  reply.cache_control = "no-store";
  response = error_response(reply);
  response.headers.emplace_back("Allow", "GET, HEAD, OPTIONS");
  return response;
}

}  // namespace

HttpProgramOptions program_options(const Config& config) {
  HttpProgramOptions made;
  made.limits.dvr_window_ms = static_cast<uint32_t>(config.program.dvr_window_s * 1000);
  made.limits.memory_bytes = static_cast<uint64_t>(config.program.memory_bytes);
  made.limits.keep_all = true;
  made.limits.plain = !config.push.empty();
  made.limits.plain_parts = config.program.push_parts;
  made.folder = config.program.folder;
  made.pushing.parts = config.program.push_parts;
  made.pushing.window_ms = made.limits.dvr_window_ms;
  made.pushing.max_waiting_bytes = static_cast<uint64_t>(config.program.push_waiting_bytes);
  return made;
}

// Asks the shelves of its shard to answer those whose time is up.
class HttpProgram::Timer final : public net::Resident {
 public:
  Timer(HttpProgram& all, net::Shard& shard) : all_(all), shard_(shard) {
    shard_.add_resident(this);
  }
  ~Timer() override { shard_.remove_resident(this); }
  MonoUs on_turn_end(MonoUs now_us) override;

 private:
  HttpProgram& all_;
  net::Shard& shard_;
};

// One episode's program, and where it is kept.
struct HttpProgram::Stage {
  std::unique_ptr<Program> program;
  std::unique_ptr<ProgramFiles> files;  // ends before the program it reports to
  // The time line that was told last. While it is asked for anew, others get the one before.
  struct Told {
    std::shared_ptr<const std::string> json;
    MonoUs at_us = 0;
  };
  Published<Told> timeline;
  std::atomic<bool> asking = false;
};

MonoUs HttpProgram::Timer::on_turn_end(MonoUs now_us) {
  MonoUs due_us = kNever;
  for (const auto& [episode, stage] : all_.stages_) {
    const auto index = static_cast<size_t>(shard_.index());
    due_us = std::min(due_us, stage->program->on_time(index, now_us));
  }
  return due_us;
}

HttpProgram::HttpProgram(HttpProgramOptions options)
    : options_(std::move(options)),
      pushes_({options_.clock, options_.push, options_.pushing, options_.timeline, options_.log}) {}
HttpProgram::~HttpProgram() = default;

void HttpProgram::begin(const std::vector<net::Shard*>& shards,
                        const std::vector<std::string>& episodes) {
  for (const std::string& episode : episodes) {
    auto stage = std::make_unique<Stage>();
    if (!options_.folder.empty()) {
      auto stored = [raw = stage.get()](uint32_t rendition, uint64_t msn) {
        raw->program->stored(rendition, msn);
      };
      stage->files = std::make_unique<ProgramFiles>(options_.folder + "/" + episode,
                                                    std::move(stored), options_.log);
    }
    auto post = [shards](size_t shard, Program::Job job) { shards[shard]->post(std::move(job)); };
    const size_t home = stages_.size() % shards.size();
    ProgramFiles* const files = stage->files.get();
    stage->program = std::make_unique<Program>(episode, options_.limits, shards.size(), home,
                                               std::move(post), *options_.clock, files);
    if (!options_.folder.empty()) find_recording(*stage);
    pushes_.begin(episode, *stage->program, *shards[home]);
    stages_.emplace(episode, std::move(stage));
  }
  for (net::Shard* shard : shards) timers_.push_back(std::make_unique<Timer>(*this, *shard));
}

void HttpProgram::answer_timeline(Stage& stage, net::Responder responder) {
  const auto answer = [](std::shared_ptr<const std::string> json) {
    net::HttpResponse response = public_json("", "public, max-age=2");
    response.shared_body = std::move(json);
    return response;
  };
  const auto told = stage.timeline.load();
  const bool fresh = told && options_.clock->now_us() - told->at_us < kTimelineUs;
  if (fresh || (stage.asking.exchange(true) && told)) return responder.send(answer(told->json));
  auto to = std::make_shared<net::Responder>(std::move(responder));
  options_.timeline(stage.program->episode(), [this, &stage, to, answer](std::string json) {
    auto now = std::make_shared<Stage::Told>();
    now->json = std::make_shared<const std::string>(std::move(json));
    now->at_us = options_.clock->now_us();
    to->send(answer(now->json));
    stage.timeline.store(std::move(now));
    stage.asking = false;
  });
}

// Of an earlier life of the process.
void HttpProgram::find_recording(Stage& stage) const {
  const std::string path =
      options_.folder + "/" + stage.program->episode() + "/" + std::string(hls::kRecordingFile);
  std::ifstream in(path, std::ios::binary);
  if (!in) return;
  auto recorded = hls::parse_recorded(std::string(std::istreambuf_iterator<char>(in), {}));
  if (recorded) return stage.program->set_recorded(std::move(*recorded));
  options_.log(path + ": " + recorded.error().message());
}

Program* HttpProgram::find(std::string_view episode) const {
  const auto found = stages_.find(episode);
  return found == stages_.end() ? nullptr : found->second->program.get();
}

bool HttpProgram::takes(std::string_view path) { return path.starts_with(kPrefix); }

void HttpProgram::handle(const net::Shard& shard, const net::HttpRequest& request,
                         net::Responder responder) {
  if (request.method != "GET" && request.method != "HEAD") {
    return responder.send(other_method(request));
  }
  std::string_view path = std::string_view(request.path).substr(kPrefix.size());
  const std::string_view episode = path.substr(0, path.find('/'));
  const auto stage = stages_.find(episode);
  if (stage != stages_.end() && path == std::string(episode) + "/status.json") {
    return responder.send(status_response(stage->second->program->presence()));
  }
  if (stage != stages_.end() && options_.timeline &&
      path == std::string(episode) + "/timeline.json") {
    return answer_timeline(*stage->second, std::move(responder));
  }
  // The path as it was sent: another spelling of an address is no address.
  const bool plain = request.target.starts_with(request.path);
  path.remove_prefix(std::min(path.size(), episode.size() + 1));
  auto asked = stage != stages_.end() && plain ? hls::parse_request(path, request.query())
                                               : Result<hls::Request>(fail(Code::kProgramUnknown));
  if (!asked) {
    hls::Reply reply;
    reply.error = asked.error();
    reply.status = proto::http_status(reply.error.code);
    reply.cache_control = reply.status == 404 ? "public, max-age=1" : "no-store";
    return responder.send(error_response(reply));
  }
  asked->gzip = net::accepts_encoding(request.header("Accept-Encoding"), "gzip");
  Wanted wanted{std::string(request.header("Range")), std::string(request.header("If-None-Match"))};
  auto asker = responder.asker();
  stage->second->program->get(
      static_cast<size_t>(shard.index()), *asked,
      [files = stage->second->files.get(), wanted = std::move(wanted),
       responder = std::move(responder)](hls::Reply reply) mutable {
        if (!reply.resource || !reply.resource->stored) {
          return responder.send(make_response(reply, wanted));
        }
        send_stored(*files, reply, wanted, std::move(responder));
      },
      std::move(asker));
}

std::string HttpProgram::metrics() const {
  std::vector<ProgramMetrics> all;
  for (const auto& [episode, stage] : stages_) all.push_back(stage->program->metrics());
  std::string text = program_metrics(all);
  pushes_.metrics(text);
  return text;
}

}  // namespace footlight::edge
