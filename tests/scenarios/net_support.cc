#include "net_support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>

namespace footlight::net {
namespace {

constexpr int kPatienceMs = 10'000;

std::vector<Shard*> pointers(const std::vector<std::unique_ptr<Shard>>& shards) {
  std::vector<Shard*> out;
  for (const auto& shard : shards) out.push_back(shard.get());
  return out;
}

int number_in(std::string_view text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

void write_certificate(const std::string& name, const std::string& certificate_file,
                       const std::string& key_file) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, subject);
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  X509_add_ext(certificate, names, -1);
  X509_EXTENSION_free(names);
  X509_sign(certificate, key, EVP_sha256());
  FILE* file = std::fopen(certificate_file.c_str(), "w");
  PEM_write_X509(file, certificate);
  std::fclose(file);
  file = std::fopen(key_file.c_str(), "w");
  PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = popen(command.c_str(), "r");
  char bytes[4096];
  while (const size_t count = std::fread(bytes, 1, sizeof bytes, pipe)) out.append(bytes, count);
  pclose(pipe);
  return out;
}

void Tally::add(const std::string& what, uint64_t count) {
  {
    const std::lock_guard lock(mutex_);
    counts_[what] += count;
  }
  changed_.notify_all();
}

uint64_t Tally::of(const std::string& what) const {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(what);
  return found == counts_.end() ? 0 : found->second;
}

bool Tally::wait(const std::string& what, uint64_t at_least) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::milliseconds(kPatienceMs), [&] {
    const auto found = counts_.find(what);
    return at_least == 0 || (found != counts_.end() && found->second >= at_least);
  });
}

std::shared_ptr<const std::string> text_frame(std::string_view text) {
  auto frame = std::make_shared<std::string>();
  append_ws_frame(*frame, WsOpcode::kText, text);
  return frame;
}

void EchoApp::on_request(HttpRequest request, Responder responder) {
  HttpResponse response;
  response.content_type = "text/plain";
  if (request.path == "/later" || request.path == "/never") {
    const std::lock_guard lock(mutex_);
    (request.path == "/later" ? later_ : never_).push_back(std::move(responder));
    tally_.add(request.path);
    return;
  }
  if (request.path == "/drop") return;
  if (request.path == "/events") {
    Connection* stream = responder.open_event_stream({{"X-Test", "1"}});
    if (stream == nullptr) return;
    tally_.add("stream");
    peers_[stream];
    stream->write_event("first");
    return;
  }
  if (request.path == "/hello") {
    response.body = "hello " + request.peer_ip + (request.tls ? " by TLS" : "");
  } else if (request.path == "/echo") {
    response.body = request.body;
  } else if (request.path == "/large") {
    response.shared_body = std::make_shared<std::string>(kLargeBytes, 'L');
  } else {
    response.status = 404;
  }
  responder.send(std::move(response));
}

void EchoApp::release_later() {
  std::vector<Responder> held;
  {
    const std::lock_guard lock(mutex_);
    held.swap(later_);
  }
  for (Responder& responder : held) {
    HttpResponse response;
    response.body = "later";
    responder.send(std::move(response));
  }
}

std::optional<HttpResponse> EchoApp::refuse_upgrade(const HttpRequest& request) {
  if (request.query() != "full") return std::nullopt;
  HttpResponse response;
  response.status = 503;
  return response;
}

void EchoApp::on_open(Connection& connection, const HttpRequest&) {
  peers_[&connection];
  tally_.add("open");
}

void EchoApp::on_message(Connection& connection, std::string_view text) {
  tally_.add("message");
  if (text.starts_with("close ")) {
    return connection.close(static_cast<uint16_t>(number_in(text.substr(6))), "as asked");
  }
  if (text.starts_with("push ")) {
    const auto frame = text_frame(std::string(kPushBytes, 'p'));
    for (int i = number_in(text.substr(5)); i > 0; --i) send(connection, frame);
    return;
  }
  if (text.starts_with("all ")) {
    const auto frame = text_frame(text.substr(4));
    std::vector<Connection*> everyone;
    for (const auto& [peer, state] : peers_) everyone.push_back(peer);
    for (Connection* peer : everyone) send(*peer, frame);
    return;
  }
  send(connection, text_frame(text));
}

void EchoApp::send(Connection& connection, std::shared_ptr<const std::string> frame) {
  peers_[&connection].queue.push_back(std::move(frame));
  pump(connection);
}

void EchoApp::pump(Connection& connection) {
  Peer& peer = peers_[&connection];
  while (!peer.queue.empty()) {
    const std::string_view rest = std::string_view(*peer.queue.front()).substr(peer.offset);
    const size_t taken = connection.write(rest);
    peer.offset += taken;
    if (taken < rest.size()) {
      tally_.add("blocked");
      return;
    }
    peer.queue.erase(peer.queue.begin());
    peer.offset = 0;
  }
}

void EchoApp::on_fault(Connection& connection, Code code) {
  tally_.add("fault");
  connection.close(static_cast<uint16_t>(code));
}

void EchoApp::on_writable(Connection& connection) { pump(connection); }

void EchoApp::on_closed(Connection& connection) {
  peers_.erase(&connection);
  tally_.add("closed");
}

TestServer::TestServer(ServerOptions options, int shards) {
  std::vector<ServerApp*> apps;
  for (int i = 0; i < shards; ++i) {
    shards_.push_back(std::make_unique<Shard>(i));
    apps_.push_back(std::make_unique<EchoApp>(tally_));
    apps.push_back(apps_.back().get());
  }
  auto server = Server::listen(std::move(options), pointers(shards_), apps);
  if (!server) {
    ADD_FAILURE() << server.error().message();
    std::abort();
  }
  server_ = std::move(*server);
  for (const auto& shard : shards_) shard->start();
}

TestServer::~TestServer() {
  for (const auto& shard : shards_) {
    shard->stop();
    shard->join();
  }
  server_.reset();
  apps_.clear();
}

RawClient::RawClient(uint16_t port, int receive_buffer_bytes) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer_bytes > 0) {
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
}

RawClient::~RawClient() { close(); }

void RawClient::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

void RawClient::end_sending() { ::shutdown(fd_, SHUT_WR); }

bool RawClient::fill() {
  pollfd one{fd_, POLLIN, 0};
  if (::poll(&one, 1, kPatienceMs) != 1) {
    ADD_FAILURE() << "nothing came";
    return false;
  }
  char bytes[65536];
  const ssize_t count = ::recv(fd_, bytes, sizeof bytes, 0);
  if (count < 0) reset_ = true;
  if (count <= 0) return false;
  buffer_.append(bytes, static_cast<size_t>(count));
  return true;
}

std::string RawClient::read_until(std::string_view mark) {
  size_t at = buffer_.find(mark);
  while (at == std::string::npos) {
    if (!fill()) return std::exchange(buffer_, {});
    at = buffer_.find(mark);
  }
  std::string out = buffer_.substr(0, at + mark.size());
  buffer_.erase(0, at + mark.size());
  return out;
}

std::string RawClient::read_exactly(size_t bytes) {
  while (buffer_.size() < bytes) {
    if (!fill()) return std::exchange(buffer_, {});
  }
  std::string out = buffer_.substr(0, bytes);
  buffer_.erase(0, bytes);
  return out;
}

std::string RawClient::read_to_end() {
  while (fill()) {
  }
  return std::exchange(buffer_, {});
}

std::string RawClient::read_response() {
  std::string out = read_until("\r\n\r\n");
  const size_t at = out.find("Content-Length: ");
  if (at == std::string::npos) return out;
  const int length = number_in(std::string_view(out).substr(at + 16));
  return out + read_exactly(static_cast<size_t>(length));
}

std::string RawClient::upgrade(std::string_view extra_headers, std::string_view protocol) {
  std::string request =
      "GET /v1/ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  request.append("Sec-WebSocket-Protocol: ").append(protocol).append("\r\n");
  request.append(extra_headers).append("\r\n");
  send(request);
  return read_until("\r\n\r\n");
}

std::string client_frame(WsOpcode opcode, std::string_view payload) {
  std::string out;
  append_ws_frame(out, opcode, payload, WsMask{0x12345678});
  return out;
}

void RawClient::send_text(std::string_view text) { send(client_frame(WsOpcode::kText, text)); }

RawClient::Frame RawClient::read_frame() {
  Frame frame;
  WsDecoder decoder(WsSide::kClient, 16 * 1024 * 1024);
  for (;;) {
    std::string bytes = std::exchange(buffer_, {});
    std::span<char> in(bytes);
    WsEvent event;
    auto more = decoder.next(in, event);
    if (!more) {
      ADD_FAILURE() << more.error().message();
      return frame;
    }
    if (*more) {
      frame = {event.kind, event.close_code, std::string(event.payload)};
      buffer_.assign(in.begin(), in.end());
      return frame;
    }
    if (!fill()) return frame;
  }
}

}  // namespace footlight::net
