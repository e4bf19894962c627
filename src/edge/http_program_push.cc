#include "edge/http_program_push.h"

#include <algorithm>
#include <map>

#include "core/json.h"
#include "core/published.h"
#include "edge/http_program_folder.h"
#include "edge/internal/metrics_page.h"
#include "net/asio/http_client.h"

namespace footlight::edge {
namespace {

constexpr uint32_t kCarryTimeoutMs = 10'000;
constexpr size_t kMaxPushAnswerBytes = 64 * 1024;
constexpr MonoUs kTellPushUs = kUsPerSecond / 4;

Status carry_to_bucket(const hls::S3Bucket& bucket, const std::string& key, const hls::PushJob& job,
                       WallMs now_ms) {
  hls::S3Request request;
  net::HttpCall call;
  if (job.remove) {
    request = hls::s3_remove(bucket, key, now_ms);
  } else {
    request = hls::s3_put(
        bucket, {key, job.body, std::string(job.content_type), std::string(job.cache_control)},
        now_ms);
    call.body = job.body.joined();
  }
  call.method = std::move(request.method);
  call.url = std::move(request.url);
  call.headers = std::move(request.headers);
  call.timeout_ms = kCarryTimeoutMs;
  call.max_body_bytes = kMaxPushAnswerBytes;
  const auto answer = net::http_call(call);
  if (!answer) return fail(Code::kPushFailed, answer.error().message());
  return hls::s3_outcome(answer->status, answer->body);
}

std::string label_of(const std::string& place) {
  std::string out = "place=\"";
  for (const char c : place) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c == '\n' ? ' ' : c);
  }
  return out + "\"";
}

std::string_view state_of(const hls::PushCounters& now) {
  if (now.failing) return "failing";
  return now.waiting > 0 ? "pushing" : "idle";
}

}  // namespace

std::string PushPlace::name() const {
  if (!folder.empty()) return folder;
  std::string out = bucket.endpoint + "/" + bucket.bucket;
  return prefix.empty() ? out : out + "/" + prefix;
}

// One program on its way to one place. On the program's home shard.
class PushHouse::Push final : public ProgramTap, public net::Resident {
 public:
  Push(PushHouse& house, Place& place, std::string episode, const hls::PushOptions& options,
       net::Shard& home)
      : house_(house), place_(place), episode_(std::move(episode)), pusher_(options), home_(home) {
    told_.store(std::make_shared<const hls::PushCounters>());
    home_.add_resident(this);
  }
  ~Push() override { home_.remove_resident(this); }

  void begin(const hls::Hello& hello) override { pusher_.begin(hello); }
  void take(const hls::Changes& changes) override {
    pusher_.take(changes);
    news_ = true;
    const bool ends = std::ranges::any_of(
        changes, [](const hls::Change& each) { return each.what == hls::Change::Do::kEnd; });
    if (!ends || !house_.options_.timeline) return;
    house_.options_.timeline(episode_, [this](std::string json) {
      home_.post([this, json = std::move(json)] {
        pusher_.put("timeline.json", json);
        news_ = true;
      });
    });
  }
  void left_before(std::vector<std::string> names) { pusher_.left_before(std::move(names)); }
  MonoUs on_turn_end(MonoUs now_us) override {
    while (auto job = pusher_.next()) send(std::move(*job));
    return std::min(tell(now_us), pusher_.next_due_us());
  }

  const std::string& episode() const { return episode_; }
  const Place& place() const { return place_; }
  std::shared_ptr<const hls::PushCounters> counters() const { return told_.load(); }

 private:
  void send(hls::PushJob job) {
    net::Worker& worker = *place_.workers[place_.next_worker++ % place_.workers.size()];
    worker.post([this, job = std::move(job)] {
      if (house_.stopping_) return;
      const Status status = house_.carry(place_.about, episode_, job);
      home_.post([this, id = job.id, status] {
        pusher_.done(id, status);
        news_ = true;
        if (!status) trouble(status.error());
      });
    });
  }
  void trouble(const Error& error) {
    if (std::exchange(complained_, true)) return;
    house_.options_.log("push of " + episode_ + " to " + place_.about.name() + ": " +
                        error.message());
  }
  // When there will be something to tell.
  MonoUs tell(MonoUs now_us) {
    if (!news_) return kNever;
    if (now_us - told_us_ < kTellPushUs) return told_us_ + kTellPushUs;
    news_ = false;
    told_us_ = now_us;
    const hls::PushCounters now = pusher_.counters();
    const auto before = told_.load();
    if (now.left_out > before->left_out) trouble(now.error);
    // Once it has taken all there was, the next trouble is news again.
    if (!now.failing && now.waiting == 0) complained_ = false;
    told_.store(std::make_shared<const hls::PushCounters>(now));
    return kNever;
  }

  PushHouse& house_;
  Place& place_;
  std::string episode_;
  hls::Pusher pusher_;
  net::Shard& home_;
  bool complained_ = false;
  bool news_ = false;
  MonoUs told_us_ = 0;
  Published<hls::PushCounters> told_;
};

PushHouse::PushHouse(PushHouseOptions options) : options_(std::move(options)) {
  for (PushPlace& about : options_.places) {
    auto place = std::make_unique<Place>();
    place->about = std::move(about);
    for (uint32_t i = 0; i < options_.push.max_carried; ++i) {
      place->workers.push_back(std::make_unique<net::Worker>("program-push"));
    }
    places_.push_back(std::move(place));
  }
}

PushHouse::~PushHouse() {
  stopping_ = true;
  for (auto& place : places_) place->workers.clear();
}

void PushHouse::begin(const std::string& episode, Program& program, net::Shard& home) {
  for (auto& place : places_) {
    hls::PushOptions made = options_.push;
    made.clock = options_.clock;
    made.remove = place->about.remove;
    made.seed = static_cast<uint64_t>(options_.clock->now_us()) + pushes_.size();
    pushes_.push_back(std::make_unique<Push>(*this, *place, episode, made, home));
    const PushPlace& about = place->about;
    if (about.remove && !about.folder.empty()) {
      pushes_.back()->left_before(leftovers(about.folder + "/" + episode));
    }
    program.add_tap(pushes_.back().get());
  }
}

// On a worker's thread.
Status PushHouse::carry(const PushPlace& place, const std::string& episode,
                        const hls::PushJob& job) const {
  if (!place.folder.empty()) {
    return carry_to_folder(place.folder + "/" + episode, job);
  }
  const std::string prefix = place.prefix.empty() ? "" : place.prefix + "/";
  return carry_to_bucket(place.bucket, prefix + episode + "/" + job.name, job,
                         options_.clock->wall_ms());
}

std::string PushHouse::status_json(std::string_view episode) const {
  std::string out;
  JsonWriter json(out);
  json.object().key("places").array();
  const MonoUs now_us = options_.clock->now_us();
  for (const auto& push : pushes_) {
    if (push->episode() != episode) continue;
    const auto now = push->counters();
    json.object().field("place", std::string_view(push->place().about.name()));
    json.field("state", state_of(*now));
    json.field("files", now->files).field("bytes", now->bytes);
    json.field("waiting", now->waiting).field("waiting_bytes", now->waiting_bytes);
    const bool waits = now->waiting_since_us != kNever;
    json.field("behind_ms",
               waits ? std::max<int64_t>(0, (now_us - now->waiting_since_us) / kUsPerMs) : 0);
    json.field("failed", now->failed).field("left_out", now->left_out);
    json.field("removed", now->removed).key("error");
    if (now->error.code == Code::kOk) {
      json.null();
    } else {
      json.object().field("code", static_cast<int64_t>(now->error.code));
      json.field("message", std::string_view(now->error.message())).end_object();
    }
    json.end_object();
  }
  json.end_array().end_object();
  return out;
}

// Of all episodes together, by place.
void PushHouse::metrics(std::string& out) const {
  if (pushes_.empty()) return;
  std::map<std::string, hls::PushCounters> sums;
  std::map<std::string, uint64_t> failing;
  for (const auto& push : pushes_) {
    const auto now = push->counters();
    hls::PushCounters& sum = sums[push->place().about.name()];
    sum.files += now->files;
    sum.bytes += now->bytes;
    sum.failed += now->failed;
    sum.left_out += now->left_out;
    sum.removed += now->removed;
    sum.waiting_bytes += now->waiting_bytes;
    failing[push->place().about.name()] += now->failing ? 1 : 0;
  }
  MetricsPage page;
  const auto each = [&](std::string_view name, std::string_view type, std::string_view help,
                        auto value) {
    page.head(name, type, help);
    for (const auto& [place, sum] : sums) {
      page.line(name, label_of(place), value(place, sum));
    }
  };
  using Sum = hls::PushCounters;
  each("footlight_program_pushed_files_total", "counter", "Files that are at the place.",
       [](const auto&, const Sum& sum) { return sum.files; });
  each("footlight_program_pushed_bytes_total", "counter", "Their bytes.",
       [](const auto&, const Sum& sum) { return sum.bytes; });
  each("footlight_program_push_failures_total", "counter", "Attempts that failed.",
       [](const auto&, const Sum& sum) { return sum.failed; });
  each("footlight_program_push_left_out_total", "counter", "Files that were given up.",
       [](const auto&, const Sum& sum) { return sum.left_out; });
  each("footlight_program_push_removed_total", "counter", "Files removed after the window.",
       [](const auto&, const Sum& sum) { return sum.removed; });
  each("footlight_program_push_waiting_bytes", "gauge", "Media that wait for the place.",
       [](const auto&, const Sum& sum) { return sum.waiting_bytes; });
  each("footlight_program_push_failing", "gauge", "Streams whose last attempt failed.",
       [&](const std::string& place, const Sum&) { return failing.at(place); });
  out += page.take();
}

}  // namespace footlight::edge
