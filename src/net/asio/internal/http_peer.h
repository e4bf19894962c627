// Who speaks HTTP on a connection: HTTP/1.1 (http_session.h), or HTTP/2 once ALPN chose it
// (h2_peer.h). The seam between the two and everything else: the connection tells it of readiness,
// time and the end, a Responder of an answer. On the shard's thread.
#pragma once
#include <cstdint>
#include <memory>

#include "net/asio/server.h"

namespace footlight::net {

class HttpPeer : public std::enable_shared_from_this<HttpPeer> {
 public:
  virtual ~HttpPeer() = default;

  virtual void on_ready(uint32_t events) = 0;  // EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP
  virtual void on_timeout() = 0;               // the deadline it set
  virtual void detach() = 0;                   // the connection is gone
  virtual bool is_idle() const = 0;            // may be cut to make room for others
  virtual void flush() {}                      // asked for by ServerShard::flush_later
  virtual void end_streams(ServerApp&) {}      // the server goes: on_closed for what is open

  // `stream` is what the request came with.
  virtual void answer(uint32_t stream, HttpResponse response) = 0;
  virtual Connection* open_event_stream(uint32_t stream, const HeaderList& headers) = 0;
};

}  // namespace footlight::net
