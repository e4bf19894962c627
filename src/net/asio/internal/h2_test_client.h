// A client of HTTP/2 by nghttp2, bytes in and bytes out, for tests.
#pragma once
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.h"

namespace footlight::net {

struct Answer {
  std::map<std::string, std::string> fields;
  std::string body;
  bool whole = false;
  uint32_t reset = 0;
};

// A client by nghttp2. Its bytes go to a session and back by Rig::run.
class Client {
 public:
  std::map<int32_t, Answer> answers;
  uint32_t gone_away = UINT32_MAX;  // GOAWAY's error
  bool takes = true;                // false: windows are not opened again

  Client() {
    nghttp2_session_callbacks* calls = nullptr;
    nghttp2_session_callbacks_new(&calls);
    nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_session_client_new2(&session_, calls, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(calls);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Client() { nghttp2_session_del(session_); }

  int32_t ask(std::string_view path, const HeaderList& more = {}, std::string_view method = "GET",
              const std::string* body = nullptr) {
    HeaderList fields = {{":method", std::string(method)},
                         {":scheme", "https"},
                         {":authority", "t"},
                         {":path", std::string(path)}};
    fields.insert(fields.end(), more.begin(), more.end());
    std::vector<nghttp2_nv> made;
    for (auto& [name, value] : fields) {
      made.push_back({reinterpret_cast<uint8_t*>(name.data()),
                      reinterpret_cast<uint8_t*>(value.data()), name.size(), value.size(), 0});
    }
    nghttp2_data_provider provider{};
    provider.source.ptr = const_cast<std::string*>(body);
    provider.read_callback = [](nghttp2_session*, int32_t, uint8_t* to, size_t size,
                                uint32_t* flags, nghttp2_data_source* source, void*) -> ssize_t {
      auto& text = *static_cast<std::string*>(source->ptr);
      size = std::min(size, text.size());
      std::copy_n(text.data(), size, to);
      text.erase(0, size);
      if (text.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(size);
    };
    return nghttp2_submit_request(session_, nullptr, made.data(), made.size(),
                                  body ? &provider : nullptr, nullptr);
  }
  void reset(int32_t stream) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
  }
  void open_window(int32_t stream, int32_t bytes) {
    nghttp2_submit_window_update(session_, NGHTTP2_FLAG_NONE, stream, bytes);
  }
  std::string out() {
    std::string all;
    const uint8_t* bytes = nullptr;
    for (ssize_t size; (size = nghttp2_session_mem_send(session_, &bytes)) > 0;) {
      all.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
    }
    return all;
  }
  void in(std::string_view bytes) {
    nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()),
                             bytes.size());
  }

 private:
  static Client& of(void* user) { return *static_cast<Client*>(user); }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                       size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                       void* user) {
    of(user)
        .answers[frame->hd.stream_id]
        .fields[std::string(reinterpret_cast<const char*>(name), name_size)] =
        std::string(reinterpret_cast<const char*>(value), value_size);
    return 0;
  }
  static int on_data(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* bytes,
                     size_t size, void* user) {
    of(user).answers[id].body.append(reinterpret_cast<const char*>(bytes), size);
    if (of(user).takes) nghttp2_session_consume(session, id, size);
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_GOAWAY) of(user).gone_away = frame->goaway.error_code;
    return 0;
  }
  static int on_close(nghttp2_session*, int32_t id, uint32_t error, void* user) {
    of(user).answers[id].whole = error == NGHTTP2_NO_ERROR;
    of(user).answers[id].reset = error;
    return 0;
  }
  nghttp2_session* session_ = nullptr;
};

}  // namespace footlight::net
