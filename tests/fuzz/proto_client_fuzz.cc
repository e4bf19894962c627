// DEPS: footlight_proto
// What a client sends: decoding never goes wrong, and encoding what was decoded decodes to the
// same.
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/assert.h"
#include "core/bytes.h"
#include "proto/messages.h"

using namespace footlight;
using namespace footlight::proto;

namespace {

void check_event(const ClientEvent& event) {
  FL_ASSERT(event.i >= 1, "every event can be answered");
  FL_ASSERT(is_valid_utf8(event.kind_text), "texts are UTF-8");
  FL_ASSERT(event.traceparent.empty() || event.traceparent.size() >= 55, "traceparents are valid");
  for (int role = 0; role < kRoleCount; ++role) {
    const FormFault fault = check_command(event.kind, static_cast<Role>(role), event.args);
    if (event.kind != Kind::kPollVote) continue;
    FL_ASSERT(fault.code == event.fault.code, "both readings of a vote agree");
  }
  if (event.kind == Kind::kPollVote && event.fault.ok()) {
    FL_ASSERT(event.vote.n >= 1 && !event.vote.poll.empty(), "a good vote is whole");
    FL_ASSERT(is_valid_utf8(event.vote.poll), "texts are UTF-8");
  }
}

std::string encode_any(const ClientMessage& message) {
  return std::visit([](const auto& m) { return encoded(m); }, message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static ClientDecoder decoder, again;
  const std::string frame(reinterpret_cast<const char*>(data), size);
  const Result<ClientMessage> message = decoder.decode(frame);
  if (!message) {
    FL_ASSERT(message.error().code != Code::kOk, "a refusal has a code");
    return 0;
  }
  if (const auto* batch = std::get_if<EventBatch>(&*message)) {
    FL_ASSERT(!batch->events.empty() && batch->events.size() <= kMaxBatch, "batches are bounded");
    for (const ClientEvent& event : batch->events) check_event(event);
  }
  const std::string text = encode_any(*message);
  if (text.size() > kMaxFrameBytes) return 0;
  const Result<ClientMessage> back = again.decode(text);
  FL_ASSERT(back.has_value(), "what was decoded encodes to something that decodes");
  FL_ASSERT(encode_any(*back) == text, "encoding is stable");
  return 0;
}
