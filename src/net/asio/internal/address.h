// Socket addresses of IPv4 and IPv6.
#pragma once
#include <sys/socket.h>

#include <string>

#include "core/result.h"

namespace footlight::net {

class SocketAddress {
 public:
  // A textual address; kIo when it is none.
  static Result<SocketAddress> parse(const std::string& ip, uint16_t port);
  // Also a name, by the system's resolver, which waits. kUnreachable.
  static Result<SocketAddress> resolve(const std::string& host, uint16_t port);
  static SocketAddress of_socket(int fd);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage_); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }
  socklen_t* size_for_accept() {
    size_ = sizeof storage_;
    return &size_;
  }
  int family() const { return storage_.ss_family; }
  uint16_t port() const;
  std::string ip() const;  // textual; an IPv4 address mapped into IPv6 as IPv4

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = sizeof(sockaddr_storage);
};

}  // namespace footlight::net
