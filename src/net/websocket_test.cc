#include "net/websocket.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/prng.h"

namespace footlight::net {
namespace {

constexpr uint32_t kLimit = 16 * 1024;
constexpr WsMask kMask{0xA1B2C3D4};

struct Seen {
  WsOpcode kind;
  uint16_t close_code;
  std::string payload;
  friend bool operator==(const Seen&, const Seen&) = default;
};

struct Outcome {
  std::vector<Seen> events;
  Code fault = Code::kOk;
};

// Feeds `bytes` in pieces of `step` bytes, each in a buffer of its own, so that a view into a piece
// that is gone is caught by the address sanitizer.
Outcome decode(WsDecoder& decoder, std::string_view bytes, size_t step) {
  Outcome out;
  for (size_t at = 0; at < bytes.size(); at += step) {
    std::vector<char> piece(bytes.begin() + at, bytes.begin() + std::min(at + step, bytes.size()));
    std::span<char> in(piece);
    WsEvent event;
    for (;;) {
      auto result = decoder.next(in, event);
      if (!result) {
        out.fault = result.error().code;
        return out;
      }
      if (!*result) break;
      out.events.push_back({event.kind, event.close_code, std::string(event.payload)});
    }
  }
  return out;
}

Outcome decode_at_server(std::string_view bytes, size_t step = 1 << 20) {
  WsDecoder decoder(WsSide::kServer, kLimit);
  return decode(decoder, bytes, step);
}

std::string frame(WsOpcode opcode, std::string_view payload) {
  std::string out;
  append_ws_frame(out, opcode, payload, kMask);
  return out;
}

std::string fragment(WsOpcode opcode, std::string_view payload) {
  std::string out = frame(opcode, payload);
  out[0] = static_cast<char>(out[0] & 0x7F);
  return out;
}

TEST(WebSocket, decodes_the_examples_of_the_rfc) {
  // RFC 6455 section 5.7.
  const std::string masked("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
  EXPECT_EQ(decode_at_server(masked).events, (std::vector<Seen>{{WsOpcode::kText, 0, "Hello"}}));
  WsDecoder client(WsSide::kClient, kLimit);
  const std::string fragments("\x01\x03Hel\x80\x02lo\x89\x05Hello", 16);
  EXPECT_EQ(decode(client, fragments, 64).events,
            (std::vector<Seen>{{WsOpcode::kText, 0, "Hello"}, {WsOpcode::kPing, 0, "Hello"}}));
}

TEST(WebSocket, a_stream_means_the_same_however_it_is_cut) {
  std::string bytes = frame(WsOpcode::kText, "one");
  bytes += frame(WsOpcode::kText, std::string(300, 'x'));
  bytes += fragment(WsOpcode::kText, "fra");
  bytes += frame(WsOpcode::kPing, "in between");
  bytes += fragment(WsOpcode::kContinuation, "");
  bytes += frame(WsOpcode::kContinuation, "gments");
  bytes += frame(WsOpcode::kBinary, "");
  bytes += frame(WsOpcode::kPong, "");
  bytes += frame(WsOpcode::kClose, ws_close_payload(1000, "done"));
  const std::vector<Seen> expected = {
      {WsOpcode::kText, 0, "one"},        {WsOpcode::kText, 0, std::string(300, 'x')},
      {WsOpcode::kPing, 0, "in between"}, {WsOpcode::kText, 0, "fragments"},
      {WsOpcode::kBinary, 0, ""},         {WsOpcode::kPong, 0, ""},
      {WsOpcode::kClose, 1000, "done"},
  };
  for (size_t step = 1; step <= bytes.size(); ++step) {
    const Outcome out = decode_at_server(bytes, step);
    EXPECT_EQ(out.fault, Code::kOk) << step;
    ASSERT_EQ(out.events, expected) << step;
  }
}

TEST(WebSocket, an_idle_decoder_holds_no_heap) {
  WsDecoder decoder(WsSide::kServer, kLimit);
  const std::string whole = frame(WsOpcode::kText, std::string(1000, 'a'));
  decode(decoder, whole, whole.size());
  EXPECT_EQ(decoder.stored_bytes(), 0u);
  decode(decoder, whole, 7);
  EXPECT_EQ(decoder.stored_bytes(), 0u);
  decode(decoder, whole.substr(0, 500), 500);
  EXPECT_GT(decoder.stored_bytes(), 0u);
  decode(decoder, whole.substr(500), 500);
  EXPECT_EQ(decoder.stored_bytes(), 0u);
  EXPECT_LE(sizeof(WsDecoder), 24u);
}

TEST(WebSocket, a_whole_frame_is_handed_out_where_it_stands) {
  std::string bytes = frame(WsOpcode::kText, "zero copy");
  std::span<char> in(bytes);
  WsDecoder decoder(WsSide::kServer, kLimit);
  WsEvent event;
  ASSERT_TRUE(decoder.next(in, event).value());
  EXPECT_GE(event.payload.data(), bytes.data());
  EXPECT_LT(event.payload.data(), bytes.data() + bytes.size());
}

TEST(WebSocket, what_breaks_the_framing_is_refused) {
  const auto fault = [](std::string bytes) { return decode_at_server(bytes).fault; };
  const std::string good = frame(WsOpcode::kText, "x");
  const auto with_first = [&](int byte) {
    std::string out = good;
    out[0] = static_cast<char>(byte);
    return out;
  };
  EXPECT_EQ(fault(with_first(0xC1)), Code::kBadWebSocket) << "reserved bit";
  EXPECT_EQ(fault(with_first(0x83)), Code::kBadWebSocket) << "unknown data opcode";
  EXPECT_EQ(fault(with_first(0x8B)), Code::kBadWebSocket) << "unknown control opcode";
  EXPECT_EQ(fault(with_first(0x80)), Code::kBadWebSocket) << "continuation of nothing";
  EXPECT_EQ(fault(with_first(0x09)), Code::kBadWebSocket) << "control frame in fragments";
  EXPECT_EQ(fault(fragment(WsOpcode::kText, "a") + good), Code::kBadWebSocket) << "new message";
  EXPECT_EQ(fault(std::string("\x81\x01x", 3)), Code::kBadWebSocket) << "not masked";
  EXPECT_EQ(fault(std::string("\x81\xFE\x00\x01", 4)), Code::kBadWebSocket) << "long form of 1";
  EXPECT_EQ(fault(std::string("\x81\xFF\0\0\0\0\0\0\xFF\xFF", 10)), Code::kBadWebSocket);
  EXPECT_EQ(fault(std::string("\x81\xFF\x80\0\0\0\0\0\0\0", 10)), Code::kBadWebSocket);
  EXPECT_EQ(fault(std::string("\x89\xFE\x00\x7E", 4)), Code::kBadWebSocket) << "long ping";
  EXPECT_EQ(fault(frame(WsOpcode::kClose, "\x03")), Code::kBadWebSocket) << "half a close code";
  for (const int code : {0, 999, 1004, 1005, 1006, 1015, 2999, 5000}) {
    EXPECT_EQ(fault(frame(WsOpcode::kClose, ws_close_payload(static_cast<uint16_t>(code), ""))),
              Code::kBadWebSocket)
        << code;
  }
  WsDecoder client(WsSide::kClient, kLimit);
  EXPECT_EQ(decode(client, good, 64).fault, Code::kBadWebSocket) << "a server must not mask";
}

TEST(WebSocket, a_fault_is_final) {
  WsDecoder decoder(WsSide::kServer, kLimit);
  EXPECT_EQ(decode(decoder, "\xF1", 1).fault, Code::kBadWebSocket);
  const Outcome later = decode(decoder, frame(WsOpcode::kText, "x"), 64);
  EXPECT_EQ(later.fault, Code::kBadWebSocket);
  EXPECT_TRUE(later.events.empty());
}

TEST(WebSocket, a_message_over_the_limit_is_refused_from_its_header) {
  EXPECT_EQ(decode_at_server(frame(WsOpcode::kText, std::string(kLimit, 'a'))).events.size(), 1u);
  const std::string large = frame(WsOpcode::kText, std::string(kLimit + 1, 'a'));
  EXPECT_EQ(decode_at_server(large.substr(0, 4)).fault, Code::kFrameTooLarge);
  const std::string two =
      fragment(WsOpcode::kText, std::string(kLimit, 'a')) + frame(WsOpcode::kContinuation, "b");
  EXPECT_EQ(decode_at_server(two).fault, Code::kFrameTooLarge);
}

TEST(WebSocket, fragments_without_end_are_refused) {
  WsDecoder decoder(WsSide::kServer, kLimit);
  Outcome out = decode(decoder, fragment(WsOpcode::kText, ""), 64);
  const std::string empty = fragment(WsOpcode::kContinuation, "");
  uint32_t count = 1;
  while (out.fault == Code::kOk && count < 2 * kWsMaxFragments) {
    out = decode(decoder, empty, 64);
    ++count;
  }
  EXPECT_EQ(out.fault, Code::kBadWebSocket);
  EXPECT_EQ(count, kWsMaxFragments + 1);
}

TEST(WebSocket, text_must_be_utf8_also_across_fragments) {
  EXPECT_EQ(decode_at_server(frame(WsOpcode::kText, "12345678\xC3\xA9")).fault, Code::kOk);
  EXPECT_EQ(decode_at_server(frame(WsOpcode::kText, "12345678\xC3")).fault, Code::kBadUtf8);
  EXPECT_EQ(decode_at_server(frame(WsOpcode::kText, "\xED\xA0\x80")).fault, Code::kBadUtf8);
  EXPECT_EQ(decode_at_server(frame(WsOpcode::kBinary, "\xFF")).fault, Code::kOk);
  EXPECT_EQ(
      decode_at_server(fragment(WsOpcode::kText, "\xC3") + frame(WsOpcode::kContinuation, "\xA9"))
          .fault,
      Code::kOk);
  EXPECT_EQ(
      decode_at_server(fragment(WsOpcode::kText, "\xC3") + frame(WsOpcode::kContinuation, "x"))
          .fault,
      Code::kBadUtf8);
  EXPECT_EQ(decode_at_server(frame(WsOpcode::kClose, ws_close_payload(1000, "\xFF"))).fault,
            Code::kBadUtf8);
}

TEST(WebSocket, after_a_close_nothing_is_heard) {
  const std::string bytes = frame(WsOpcode::kClose, "") + frame(WsOpcode::kText, "late") + "\xFF";
  const Outcome out = decode_at_server(bytes);
  EXPECT_EQ(out.fault, Code::kOk);
  EXPECT_EQ(out.events, (std::vector<Seen>{{WsOpcode::kClose, kWsCloseNone, ""}}));
}

TEST(WebSocket, a_close_reason_is_cut_between_characters) {
  std::string reason(122, 'a');
  reason += "\xC3\xA9";  // its second byte is the 126th of the payload
  const std::string payload = ws_close_payload(4901, reason);
  EXPECT_EQ(payload.size(), 124u);
  EXPECT_EQ(ws_close_payload(4901, std::string(200, 'b')).size(), kWsMaxControlBytes);
}

TEST(WebSocket, what_is_written_is_read_back_at_every_size) {
  Prng random(1);
  for (const size_t size : {0u, 1u, 7u, 8u, 9u, 125u, 126u, 127u, 65535u, 65536u, 70001u}) {
    std::string payload(size, '\0');
    for (char& c : payload) c = static_cast<char>(random.below(256));
    std::string to_server;
    append_ws_frame(to_server, WsOpcode::kBinary, payload,
                    WsMask{static_cast<uint32_t>(random.next())});
    std::string to_client;
    append_ws_frame(to_client, WsOpcode::kBinary, payload);
    WsDecoder server(WsSide::kServer, 1 << 20);
    WsDecoder client(WsSide::kClient, 1 << 20);
    const std::vector<Seen> expected = {{WsOpcode::kBinary, 0, payload}};
    EXPECT_EQ(decode(server, to_server, 1 << 20).events, expected) << size;
    EXPECT_EQ(decode(client, to_client, 1000).events, expected) << size;
  }
}

}  // namespace
}  // namespace footlight::net
