// One connection of HTTP/2 (RFC 9113), the server's side: bytes and the time in, requests, bytes
// and a deadline out. No socket, no clock. Frames, HPACK and flow control are nghttp2's; what a
// peer can make of it is bounded here:
//
// - streams at once (SETTINGS_MAX_CONCURRENT_STREAMS; more are refused), and for each the time to
//   send its header and its body, to be answered, and to take the answer: who reads slowly costs
//   that stream alone;
// - header and body of a request, as HTTP/1.1 has it; what unfinished requests hold is counted with
//   the application's shard;
// - frames that ask for nothing (resets, pings, settings, priorities, empty data, refused streams):
//   1,000 at once and 100 a second, then GOAWAY with ENHANCE_YOUR_CALM (CVE-2023-44487 and its
//   kin);
// - what waits to be sent is made only as it is taken, out of the shared bodies.
//
// One thread.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "net/asio/internal/body_rest.h"
#include "net/asio/server.h"

struct nghttp2_session;

namespace footlight::net {

// What a session makes of its peer's bytes. Called from feed() and output(); a request may be
// answered at once.
class H2App {
 public:
  virtual void on_request(uint32_t stream, HttpRequest request) = 0;  // without peer_ip and tls
  // What unfinished requests hold grew or shrank. False: that is too much.
  virtual bool count_bytes(int64_t more) = 0;
  virtual HttpResponse error_response(const Error& error) = 0;
  virtual void on_event_room(uint32_t stream) = 0;  // after add_event said kBlocked
  virtual void on_event_end(uint32_t stream) = 0;   // an event stream that the peer ended
  virtual void on_expired() = 0;                    // a stream took too long
  virtual std::string_view date() = 0;              // for answers

 protected:
  ~H2App() = default;
};

class H2Session {
 public:
  static constexpr uint32_t kFreeFrames = 1'000, kFreeFramesPerS = 100;
  static constexpr size_t kEventBytes = 16 * 1024;  // of an event stream that wait for the peer

  // Of `options` it takes max_streams, max_header_bytes, max_body_bytes, event_stream_comment_ms
  // and the time limits. All given outlive it.
  H2Session(const ServerOptions& options, H2App& app, MonoUs now_us);
  ~H2Session();
  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;

  // A fault is final; output() then has what the peer is to be told. kBadRequest, kOverloaded.
  Status feed(std::string_view bytes, MonoUs now_us);
  // Appends frames until `out` has `up_to` bytes or there are none; may exceed it by one frame.
  void output(std::string& out, size_t up_to);

  // A stream that is gone, or that has its answer, is passed over.
  void answer(uint32_t stream, HttpResponse response, MonoUs now_us);
  // Instead of an answer: what add_event gives, until end_events.
  bool open_events(uint32_t stream, const HeaderList& headers, MonoUs now_us);
  // False when kEventBytes wait already: on_event_room follows.
  bool add_event(uint32_t stream, std::string_view message, MonoUs now_us);
  void end_events(uint32_t stream, MonoUs now_us);
  // Lives as long as the stream, which has a request that is not answered in full.
  std::shared_ptr<void> token(uint32_t stream) const;

  void on_time(MonoUs now_us);
  MonoUs due_us() const { return due_us_; }  // when on_time has something to do, or earlier
  void go_away();                            // in order: what is under way is finished
  bool is_over() const;                      // nothing is to be read or written any more
  size_t streams() const { return streams_.size(); }

 private:
  struct Calls;
  enum class Stage : uint8_t { kHeader, kBody, kAnswering, kWriting, kEvents };
  struct Events {
    std::string bytes;
    size_t sent = 0;
    bool ended = false, wants_room = false;
  };
  struct Stream {
    uint32_t id = 0;
    Stage stage = Stage::kHeader;
    bool head_only = false, too_large = false, whole = false;
    size_t header_bytes = 0;
    int64_t counted = 0;
    MonoUs due_us = kNever;
    std::shared_ptr<void> token = std::make_shared<char>();
    std::unique_ptr<HttpRequest> request;    // while it is read
    std::unique_ptr<HttpResponse> response;  // while it is written
    BodyRest rest;
    std::unique_ptr<Events> events;
  };

  Stream* find(uint32_t id);
  void set_due(Stream& stream, uint32_t after_ms);
  void begin(uint32_t id);
  void add_header(Stream& stream, std::string_view name, std::string_view value);
  void end_header(Stream& stream);
  void add_body(Stream& stream, std::string_view bytes);
  void finish(Stream& stream);
  void refuse(Stream& stream, const Error& error);
  void drop_request(Stream& stream);
  bool count(Stream& stream, size_t more);
  void closed(uint32_t id);
  bool is_flood();  // one more frame that asks for nothing
  void expire(Stream& stream);

  const ServerOptions& options_;
  H2App& app_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<uint32_t, Stream> streams_;
  std::vector<uint32_t> rooms_;
  std::string* out_ = nullptr;
  size_t up_to_ = 0;
  MonoUs now_us_;
  MonoUs due_us_ = kNever;
  int64_t free_us_;  // what is left of the allowance, at 1/kFreeFramesPerS each
  MonoUs free_at_us_;
  bool flooded_ = false;
};

}  // namespace footlight::net
