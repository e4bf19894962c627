#include "ops/client.h"

#include <algorithm>

#include "core/json.h"

namespace footlight::ops {
namespace {

constexpr size_t kFrameEvents = 64;
constexpr size_t kFrameBytes = 12'000;  // below the protocol's 16 KiB with room for the envelope

}  // namespace

FrameType frame_type(std::string_view text) {
  static constexpr std::string_view kStart = R"({"t":")";
  if (!text.starts_with(kStart)) return FrameType::kOther;
  text.remove_prefix(kStart.size());
  static constexpr std::pair<std::string_view, FrameType> kTypes[] = {
      {"tally\"", FrameType::kTally},
      {"ack\"", FrameType::kAck},
      {"delta\"", FrameType::kDelta},
      {"emotes\"", FrameType::kEmotes},
      {"presence\"", FrameType::kPresence},
      {"welcome\"", FrameType::kWelcome},
      {"pong\"", FrameType::kPong},
      {"mode\"", FrameType::kMode},
      {"slo\"", FrameType::kSlo},
      {"error\"", FrameType::kError},
      {"bye\"", FrameType::kBye}};
  for (const auto& [name, type] : kTypes) {
    if (text.starts_with(name)) return type;
  }
  return FrameType::kOther;
}

Client::Client(std::string token, proto::Role role, uint64_t cid)
    : token_(std::move(token)), cid_(cid), role_(role) {}

std::string Client::hello() const {
  proto::Hello hello;
  hello.token = token_;
  hello.cid = cid_;
  hello.client = "footlight-ops";
  if (epoch_ > 0) hello.resume = proto::Resume{epoch_, offset_};
  return proto::encoded(hello);
}

void Client::on_welcome(const proto::Welcome& welcome) {
  epoch_ = welcome.epoch;
  if (!welcome.resumed) offset_ = welcome.offset;
  live_ = true;
}

PendingEvent& Client::add(proto::Kind kind, std::string_view args, MonoUs now_us, uint32_t poll) {
  PendingEvent& event = pending_.emplace_back();
  event.i = next_i_++;
  event.click_us = now_us;
  event.kind = kind;
  event.poll = poll;
  JsonWriter out(event.json);
  out.object().field("i", event.i).field("k", proto::kind_name(kind));
  out.key("a").raw(args.empty() ? "{}" : args).end_object();
  return event;
}

std::deque<std::string> Client::resend() const {
  std::deque<std::string> frames;
  std::string joined;
  size_t events = 0;
  for (const PendingEvent& event : pending_) {
    if (events == kFrameEvents || joined.size() + event.json.size() > kFrameBytes) {
      frames.push_back(event_frame(joined));
      joined.clear();
      events = 0;
    }
    if (events++ > 0) joined += ',';
    joined += event.json;
  }
  if (events > 0) frames.push_back(event_frame(joined));
  return frames;
}

const PendingEvent* Client::find(uint64_t i) const {
  const auto at =
      std::lower_bound(pending_.begin(), pending_.end(), i,
                       [](const PendingEvent& event, uint64_t n) { return event.i < n; });
  return at != pending_.end() && at->i == i ? &*at : nullptr;
}

bool Client::take(uint64_t i, PendingEvent& out) {
  const auto at =
      std::lower_bound(pending_.begin(), pending_.end(), i,
                       [](const PendingEvent& event, uint64_t n) { return event.i < n; });
  if (at == pending_.end() || at->i != i) return false;
  out = std::move(*at);
  pending_.erase(at);
  return true;
}

std::string event_frame(std::string_view events_joined_by_commas) {
  std::string frame = R"({"t":"ev","e":[)";
  frame += events_joined_by_commas;
  frame += "]}";
  return frame;
}

}  // namespace footlight::ops
