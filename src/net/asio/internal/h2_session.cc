#include "net/asio/internal/h2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/assert.h"
#include "net/asio/internal/h2_fields.h"
#include "net/sse.h"

namespace footlight::net {
namespace {

constexpr int64_t kFrameCostUs = kUsPerSecond / H2Session::kFreeFramesPerS;
constexpr size_t kFieldOverhead = 32;  // RFC 9113 section 6.5.2
constexpr size_t kOutboundAcks = 100;

std::string_view text_of(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

// What nghttp2 calls.
struct H2Session::Calls {
  static H2Session& of(void* user) { return *static_cast<H2Session*>(user); }
  static uint32_t id_of(int32_t id) { return static_cast<uint32_t>(id); }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) of(user).begin(id_of(frame->hd.stream_id));
    return 0;
  }
  static int header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                    size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                    void* user) {
    Stream* stream = of(user).find(id_of(frame->hd.stream_id));
    if (stream && frame->headers.cat == NGHTTP2_HCAT_REQUEST && stream->request) {
      of(user).add_header(*stream, text_of(name, name_size), text_of(value, value_size));
    }
    return 0;
  }
  static int data(nghttp2_session*, uint8_t, int32_t id, const uint8_t* bytes, size_t size,
                  void* user) {
    Stream* stream = of(user).find(id_of(id));
    if (stream) of(user).add_body(*stream, text_of(bytes, size));
    return 0;
  }
  static int invalid(nghttp2_session*, const nghttp2_frame*, int, void* user) {
    return of(user).is_flood() ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
  }
  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    H2Session& self = of(user);
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    const bool acks = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    bool asks_nothing = false;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
      case NGHTTP2_DATA:
        if (Stream* stream = self.find(id_of(frame->hd.stream_id))) {
          if (frame->hd.type == NGHTTP2_HEADERS) self.end_header(*stream);
          stream = self.find(id_of(frame->hd.stream_id));
          if (ends && stream) self.finish(*stream);
        }
        asks_nothing = frame->hd.type == NGHTTP2_DATA && frame->hd.length == 0 && !ends;
        break;
      case NGHTTP2_PING:
      case NGHTTP2_SETTINGS:
        asks_nothing = !acks;
        break;
      case NGHTTP2_WINDOW_UPDATE:
        break;
      default:
        asks_nothing = true;
    }
    return asks_nothing && self.is_flood() ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
  }
  static int sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    const auto type = frame->hd.type;
    if ((type != NGHTTP2_HEADERS && type != NGHTTP2_DATA) ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
      return 0;
    }
    // Answered before the request was whole: the rest of it is not wanted (RFC 9113 section 8.1).
    const Stream* stream = of(user).find(id_of(frame->hd.stream_id));
    if (stream && !stream->whole) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }
  static int close(nghttp2_session*, int32_t id, uint32_t, void* user) {
    of(user).closed(id_of(id));
    return 0;
  }

  // How much of an answer goes into the next frame.
  static ssize_t read(nghttp2_session*, int32_t id, uint8_t*, size_t size, uint32_t* flags,
                      nghttp2_data_source*, void* user) {
    const Stream* stream = of(user).find(id_of(id));
    if (!stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (stream->events) {
      const size_t left = stream->events->bytes.size() - stream->events->sent;
      if (left == 0 && !stream->events->ended) return NGHTTP2_ERR_DEFERRED;
      if (left <= size && stream->events->ended) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(std::min(left, size));
    }
    BodyRest rest = stream->rest;
    size_t taken = 0;
    while (taken < size && !rest.empty()) {
      const size_t piece = std::min(rest.first().size(), size - taken);
      rest.take(piece);
      taken += piece;
    }
    if (rest.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(taken);
  }
  static int write(nghttp2_session*, nghttp2_frame* frame, const uint8_t* head, size_t size,
                   nghttp2_data_source*, void* user) {
    H2Session& self = of(user);
    if (self.out_ == nullptr || self.out_->size() >= self.up_to_) return NGHTTP2_ERR_WOULDBLOCK;
    Stream* stream = self.find(id_of(frame->hd.stream_id));
    if (!stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    constexpr size_t kFrameHeadBytes = 9;
    self.out_->append(text_of(head, kFrameHeadBytes));
    if (Events* events = stream->events.get()) {
      self.out_->append(events->bytes, events->sent, size);
      events->sent += size;
      if (events->sent == events->bytes.size()) {
        std::string().swap(events->bytes);
        events->sent = 0;
      }
      if (events->wants_room && events->bytes.size() - events->sent < kEventBytes) {
        events->wants_room = false;
        self.rooms_.push_back(stream->id);
      }
      return 0;
    }
    while (size > 0) {
      const std::string_view piece = stream->rest.first().substr(0, size);
      self.out_->append(piece);
      stream->rest.take(piece.size());
      size -= piece.size();
    }
    return 0;
  }

  static nghttp2_session_callbacks* all() {
    static nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* calls = nullptr;
      FL_ASSERT(nghttp2_session_callbacks_new(&calls) == 0, "memory at start");
      nghttp2_session_callbacks_set_on_begin_headers_callback(calls, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(calls, header);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, data);
      nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(calls, invalid);
      nghttp2_session_callbacks_set_on_frame_recv_callback(calls, frame);
      nghttp2_session_callbacks_set_on_frame_send_callback(calls, sent);
      nghttp2_session_callbacks_set_on_stream_close_callback(calls, close);
      nghttp2_session_callbacks_set_send_data_callback(calls, write);
      return calls;
    }();
    return made;
  }
};

H2Session::H2Session(const ServerOptions& options, H2App& app, MonoUs now_us)
    : options_(options),
      app_(app),
      now_us_(now_us),
      free_us_(kFreeFrames * kFrameCostUs),
      free_at_us_(now_us) {
  nghttp2_option* option = nullptr;
  FL_ASSERT(nghttp2_option_new(&option) == 0, "out of memory");
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_outbound_ack(option, kOutboundAcks);
  // Resets are counted here with the rest, by the time that is given.
  constexpr uint64_t kNoLimit = uint64_t{1} << 40;
  nghttp2_option_set_stream_reset_rate_limit(option, kNoLimit, kNoLimit);
  const int made = nghttp2_session_server_new2(&session_, Calls::all(), this, option);
  nghttp2_option_del(option);
  FL_ASSERT(made == 0, "out of memory");
  const std::array<nghttp2_settings_entry, 3> settings = {{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options.max_streams},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options.max_header_bytes},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
}

H2Session::~H2Session() { nghttp2_session_del(session_); }

H2Session::Stream* H2Session::find(uint32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : &found->second;
}

void H2Session::set_due(Stream& stream, uint32_t after_ms) {
  stream.due_us = now_us_ + after_ms * kUsPerMs;
  due_us_ = std::min(due_us_, stream.due_us);
}

bool H2Session::is_flood() {
  free_us_ = std::min<int64_t>(kFreeFrames * kFrameCostUs, free_us_ + (now_us_ - free_at_us_));
  free_at_us_ = now_us_;
  free_us_ -= kFrameCostUs;
  flooded_ = flooded_ || free_us_ < 0;
  return flooded_;
}

Status H2Session::feed(std::string_view bytes, MonoUs now_us) {
  now_us_ = now_us;
  const ssize_t used = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (used >= 0 && !flooded_) return {};
  const bool flood = flooded_ || used == NGHTTP2_ERR_FLOODED;
  nghttp2_session_terminate_session(session_,
                                    flood ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
  if (flood) return fail(Code::kOverloaded, "frames that ask for nothing", 1'000);
  return fail(Code::kBadRequest, nghttp2_strerror(static_cast<int>(used)));
}

void H2Session::output(std::string& out, size_t up_to) {
  out_ = &out;
  up_to_ = up_to;
  while (out.size() < up_to) {
    const uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size <= 0) break;  // nothing more, or no memory: then the peer times out
    out.append(text_of(bytes, static_cast<size_t>(size)));
  }
  out_ = nullptr;
  for (const uint32_t id : std::exchange(rooms_, {})) app_.on_event_room(id);
}

// --- a request comes

void H2Session::begin(uint32_t id) {
  Stream& stream = streams_[id];
  stream.id = id;
  stream.request = std::make_unique<HttpRequest>();
  set_due(stream, options_.header_timeout_ms);
}

bool H2Session::count(Stream& stream, size_t more) {
  stream.counted += static_cast<int64_t>(more);
  return app_.count_bytes(static_cast<int64_t>(more));
}

void H2Session::drop_request(Stream& stream) {
  stream.request.reset();
  app_.count_bytes(-std::exchange(stream.counted, 0));
}

void H2Session::add_header(Stream& stream, std::string_view name, std::string_view value) {
  stream.header_bytes += name.size() + value.size() + kFieldOverhead;
  if (stream.header_bytes > options_.max_header_bytes) {
    stream.too_large = true;
    return;
  }
  HttpRequest& request = *stream.request;
  if (name == ":method") {
    request.method = value;
  } else if (name == ":path") {
    request.target = value;
  } else if (name == ":authority") {
    request.headers.emplace_back("host", value);
  } else if (name == "host" && !request.header("host").empty()) {
    // The same as :authority, or it does not count (RFC 9113 section 8.3.1).
  } else if (name == "cookie" && !request.header("cookie").empty()) {
    // It may come in pieces (RFC 9113 section 8.2.3).
    for (auto& [key, all] : request.headers) {
      if (key == "cookie") all.append("; ").append(value);
    }
  } else if (!name.starts_with(':')) {
    request.headers.emplace_back(name, value);
  }
}

void H2Session::end_header(Stream& stream) {
  if (stream.stage != Stage::kHeader) return;  // a trailer
  stream.stage = Stage::kBody;
  set_due(stream, options_.body_timeout_ms);
  if (stream.too_large) {
    return refuse(stream,
                  {Code::kFrameTooLarge, "the header is larger than " +
                                             std::to_string(options_.max_header_bytes) + " bytes"});
  }
  if (!count(stream, stream.header_bytes)) {
    return refuse(stream, {Code::kOverloaded, "too much comes in", 1'000});
  }
  if (equals_ignoring_case(stream.request->header("expect"), "100-continue")) {
    const H2Fields fields(100);
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, static_cast<int32_t>(stream.id), nullptr,
                           fields.data(), fields.size(), nullptr);
  }
}

void H2Session::add_body(Stream& stream, std::string_view bytes) {
  if (stream.stage != Stage::kBody || !stream.request) return;  // refused already
  if (stream.request->body.size() + bytes.size() > options_.max_body_bytes) {
    return refuse(
        stream, {Code::kFrameTooLarge,
                 "the body is larger than " + std::to_string(options_.max_body_bytes) + " bytes"});
  }
  if (!count(stream, bytes.size())) {
    return refuse(stream, {Code::kOverloaded, "too much comes in", 1'000});
  }
  stream.request->body.append(bytes);
}

void H2Session::refuse(Stream& stream, const Error& error) {
  drop_request(stream);
  stream.stage = Stage::kAnswering;
  answer(stream.id, app_.error_response(error), now_us_);
}

void H2Session::finish(Stream& stream) {
  stream.whole = true;
  if (stream.stage != Stage::kBody) return;
  HttpRequest request = std::move(*stream.request);
  drop_request(stream);
  auto target = parse_target(request.target);
  if (!target) return refuse(stream, target.error());
  request.path = std::move(target->path);
  stream.head_only = request.method == "HEAD";
  stream.stage = Stage::kAnswering;
  set_due(stream, options_.answer_timeout_ms);
  app_.on_request(stream.id, std::move(request));
}

void H2Session::closed(uint32_t id) {
  Stream* stream = find(id);
  if (!stream) return;
  drop_request(*stream);
  const bool events = stream->stage == Stage::kEvents;
  streams_.erase(id);
  if (events) app_.on_event_end(id);
}

std::shared_ptr<void> H2Session::token(uint32_t id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.token;
}

// --- an answer goes

void H2Session::answer(uint32_t id, HttpResponse response, MonoUs now_us) {
  now_us_ = now_us;
  Stream* stream = find(id);
  if (!stream || stream->stage != Stage::kAnswering) return;
  stream->response = std::make_unique<HttpResponse>(std::move(response));
  const HttpResponse& kept = *stream->response;
  const std::string_view body = kept.shared_body ? std::string_view(*kept.shared_body) : kept.body;
  const uint64_t size = kept.chain ? kept.chain->size_bytes() : body.size();
  const bool no_body = kept.status == 204 || kept.status == 304;
  H2Fields fields(kept.status);
  if (!kept.content_type.empty()) fields.add("content-type", kept.content_type);
  const std::string length = std::to_string(size);
  if (!no_body) fields.add("content-length", length);
  fields.add("date", app_.date());
  for (const auto& [name, value] : kept.headers) fields.add(name, value);
  if (kept.head_lines) fields.add_lines(*kept.head_lines);
  stream->rest = BodyRest({}, body, kept.chain.get());
  stream->stage = Stage::kWriting;
  set_due(*stream, options_.write_timeout_ms);
  nghttp2_data_provider provider{};
  provider.read_callback = Calls::read;
  const bool has_body = size > 0 && !no_body && !stream->head_only;
  nghttp2_submit_response(session_, static_cast<int32_t>(id), fields.data(), fields.size(),
                          has_body ? &provider : nullptr);
}

bool H2Session::open_events(uint32_t id, const HeaderList& headers, MonoUs now_us) {
  now_us_ = now_us;
  Stream* stream = find(id);
  if (!stream || stream->stage != Stage::kAnswering) return false;
  H2Fields fields(200);
  fields.add("content-type", "text/event-stream");
  fields.add("cache-control", "no-store");
  fields.add("x-accel-buffering", "no");
  fields.add("date", app_.date());
  for (const auto& [name, value] : headers) fields.add(name, value);
  stream->stage = Stage::kEvents;
  stream->events = std::make_unique<Events>();
  set_due(*stream, options_.event_stream_comment_ms);
  nghttp2_data_provider provider{};
  provider.read_callback = Calls::read;
  nghttp2_submit_response(session_, static_cast<int32_t>(id), fields.data(), fields.size(),
                          &provider);
  return true;
}

bool H2Session::add_event(uint32_t id, std::string_view message, MonoUs now_us) {
  now_us_ = now_us;
  Stream* stream = find(id);
  if (!stream || stream->stage != Stage::kEvents) return false;
  Events& events = *stream->events;
  if (events.bytes.size() - events.sent >= kEventBytes) {
    events.wants_room = true;
    return false;
  }
  if (events.sent > 0) events.bytes.erase(0, std::exchange(events.sent, 0));
  events.bytes.append("data: ");
  if (is_one_line(message)) {
    events.bytes.append(message);
  } else {
    events.bytes.append(one_line_of(message));
  }
  events.bytes.append("\n\n");
  set_due(*stream, options_.event_stream_comment_ms);
  nghttp2_session_resume_data(session_, static_cast<int32_t>(id));
  return true;
}

void H2Session::end_events(uint32_t id, MonoUs now_us) {
  now_us_ = now_us;
  Stream* stream = find(id);
  if (!stream || stream->stage != Stage::kEvents) return;
  stream->events->ended = true;
  stream->stage = Stage::kWriting;
  set_due(*stream, options_.linger_ms);
  nghttp2_session_resume_data(session_, static_cast<int32_t>(id));
}

// --- time, and the end

void H2Session::expire(Stream& stream) {
  if (stream.stage == Stage::kEvents) {
    if (stream.events->bytes.empty()) {
      stream.events->bytes = ":\n\n";
      nghttp2_session_resume_data(session_, static_cast<int32_t>(stream.id));
    }
    return set_due(stream, options_.event_stream_comment_ms);
  }
  app_.on_expired();
  if (stream.stage == Stage::kAnswering) {
    HttpResponse late = app_.error_response({Code::kInternal, "no answer in time"});
    late.status = 504;
    return answer(stream.id, std::move(late), now_us_);
  }
  stream.due_us = kNever;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, static_cast<int32_t>(stream.id),
                            NGHTTP2_CANCEL);
}

void H2Session::on_time(MonoUs now_us) {
  now_us_ = now_us;
  std::vector<uint32_t> due;
  for (const auto& [id, stream] : streams_) {
    if (stream.due_us <= now_us) due.push_back(id);
  }
  for (const uint32_t id : due) {
    if (Stream* stream = find(id)) expire(*stream);
  }
  due_us_ = kNever;
  for (const auto& [id, stream] : streams_) due_us_ = std::min(due_us_, stream.due_us);
}

void H2Session::go_away() { nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR); }

bool H2Session::is_over() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

}  // namespace footlight::net
