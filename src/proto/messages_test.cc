// The golden vectors prove that decoding and encoding agree; these tests pin down which field is
// which.
#include "proto/messages.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

namespace {
thread_local bool counting = false;
thread_local size_t allocations = 0;
}  // namespace

// Not inlined, or gcc takes free() for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (counting) ++allocations;
  if (void* at = std::malloc(size)) return at;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* at) noexcept { std::free(at); }
[[gnu::noinline]] void operator delete(void* at, std::size_t) noexcept { std::free(at); }

namespace footlight::proto {
namespace {

template <class T>
T decode_client(ClientDecoder& decoder, std::string_view frame) {
  const Result<ClientMessage> message = decoder.decode(frame);
  EXPECT_TRUE(message) << message.error().message();
  const T* as = message ? std::get_if<T>(&*message) : nullptr;
  EXPECT_NE(as, nullptr) << frame;
  return as != nullptr ? *as : T{};
}

template <class T>
T decode_server(ServerDecoder& decoder, std::string_view frame) {
  const Result<ServerMessage> message = decoder.decode(frame);
  EXPECT_TRUE(message) << message.error().message();
  const T* as = message ? std::get_if<T>(&*message) : nullptr;
  EXPECT_NE(as, nullptr) << frame;
  return as != nullptr ? *as : T{};
}

TEST(ClientMessages, HelloHasItsFields) {
  ClientDecoder decoder;
  const auto hello = decode_client<Hello>(
      decoder, R"({"t":"hello","v":1,"token":"a.b.c","cid":"00000000000000ff",)"
               R"("resume":{"epoch":3,"off":1240},"client":"sdk\/0.1.0"})");
  EXPECT_EQ(hello.version, 1);
  EXPECT_EQ(hello.token, "a.b.c");
  EXPECT_EQ(hello.cid, 255u);
  ASSERT_TRUE(hello.resume);
  EXPECT_EQ(hello.resume->epoch, 3u);
  EXPECT_EQ(hello.resume->offset, 1240u);
  EXPECT_EQ(hello.client, "sdk/0.1.0");
}

TEST(ClientMessages, EventsHaveTheirFields) {
  ClientDecoder decoder;
  const auto batch = decode_client<EventBatch>(
      decoder,
      R"({"t":"ev","e":[{"i":17,"k":"poll.vote","a":{"poll":"fork","choice":[1,4],"n":9,)"
      R"("voter":"00000000000000aa"},"tp":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},)"
      R"({"i":18,"k":"scene.go","a":{ "scene" : "cave" }},{"i":19,"k":"warp"}]})");
  ASSERT_EQ(batch.events.size(), 3u);
  const ClientEvent& vote = batch.events[0];
  EXPECT_EQ(vote.i, 17u);
  EXPECT_EQ(vote.kind, Kind::kPollVote);
  EXPECT_EQ(vote.vote.poll, "fork");
  EXPECT_EQ(vote.vote.choice_mask, 0b10010u);
  EXPECT_EQ(vote.vote.n, 9u);
  EXPECT_EQ(vote.vote.voter, 0xaau);
  EXPECT_EQ(vote.traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_TRUE(vote.fault.ok());
  const ClientEvent& go = batch.events[1];
  EXPECT_EQ(go.kind, Kind::kSceneGo);
  EXPECT_EQ(go.args, R"({ "scene" : "cave" })");
  EXPECT_EQ(go.traceparent, "");
  EXPECT_EQ(batch.events[2].kind, Kind::kUnknown);
  EXPECT_EQ(batch.events[2].kind_text, "warp");
  EXPECT_EQ(batch.events[2].fault.code, Code::kUnknownCommand);
}

TEST(ClientMessages, TheOthersHaveTheirFields) {
  ClientDecoder decoder;
  EXPECT_EQ(decode_client<Ping>(decoder, R"({"t":"ping","c":-5})").c, -5);
  EXPECT_EQ(decode_client<TokenRefresh>(decoder, R"({"t":"token","token":"x"})").token, "x");
  decode_client<ClientBye>(decoder, R"({"t":"bye"})");
  const auto report =
      decode_client<LatencyReport>(decoder, R"({"t":"lat","m":[["delta",7],["rtt",3]]})");
  ASSERT_EQ(report.samples.size(), 2u);
  EXPECT_EQ(report.samples[0].of, LatencyClass::kDelta);
  EXPECT_EQ(report.samples[0].ms, 7u);
  EXPECT_EQ(report.samples[1].of, LatencyClass::kRtt);
}

TEST(ClientMessages, ABatchOfVotesIsDecodedWithoutAllocating) {
  ClientDecoder decoder;
  std::string frame;
  std::vector<ClientEvent> events(kMaxBatch);
  for (size_t i = 0; i < events.size(); ++i) {
    events[i].i = i + 1;
    events[i].kind = Kind::kPollVote;
    events[i].vote = {.poll = "fork", .choice_mask = 3, .n = 1, .voter = {}};
    events[i].traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  }
  encode(frame, EventBatch{events});
  ASSERT_LT(frame.size(), kMaxFrameBytes);
  ASSERT_TRUE(decoder.decode(frame));  // the first decode makes the storage
  allocations = 0;
  counting = true;
  const bool good = decoder.decode(frame).has_value();
  counting = false;
  EXPECT_TRUE(good);
  EXPECT_EQ(allocations, 0u);
}

TEST(ClientMessages, UnescapedTextsStayInPlaceWhenAFrameIsFullOfThem) {
  ClientDecoder decoder;
  std::string frame = R"({"t":"ev","e":[)";
  for (int i = 0; i < 64; ++i) {
    const std::string n = std::to_string(100 + i);
    frame +=
        (i > 0 ? "," : "") + (R"({"i":)" + n) + R"(,"k":"poll.v\u006fte","a":{"poll":"p\u002d)";
    frame += n + std::string(100, 'x').substr(0, 50) + R"(","choice":[0],"n":1}})";
  }
  frame += "]}";
  const auto batch = decode_client<EventBatch>(decoder, frame);
  ASSERT_EQ(batch.events.size(), 64u);
  for (size_t i = 0; i < 64; ++i) {
    EXPECT_EQ(batch.events[i].vote.poll, "p-" + std::to_string(100 + i) + std::string(50, 'x'));
    EXPECT_EQ(batch.events[i].kind_text, "poll.vote");
  }
}

TEST(ClientMessages, OnlyFramesThatLeaveTheStreamInDoubtEndTheSession) {
  for (const Code code : {Code::kBadFrame, Code::kFrameTooLarge, Code::kTooDeep,
                          Code::kUnknownVersion, Code::kHelloExpected, Code::kBadUtf8}) {
    EXPECT_TRUE(ends_session(code)) << static_cast<int>(code);
  }
  for (const Code code : {Code::kUnknownType, Code::kMissingField, Code::kFieldOutOfRange,
                          Code::kBatchTooLarge, Code::kUnknownCommand, Code::kForbidden}) {
    EXPECT_FALSE(ends_session(code)) << static_cast<int>(code);
  }
}

TEST(ServerMessages, WelcomeHasItsFields) {
  ServerDecoder decoder;
  const auto m = decode_server<Welcome>(
      decoder,
      R"({"t":"welcome","v":1,"sid":"s","edge":"e","epoch":3,"off":4,"now_ms":5,"ep":"demo",)"
      R"("role":"gm","name":"Ann","resumed":false,"view":{"a":1},"me":{"b":2},)"
      R"("mode":{"mode":"halted","code":4600,"message":"m"},)"
      R"("limits":{"frame_bytes":10,"batch":11,"tick_ms":12},"build":"x"})");
  EXPECT_EQ(m.sid, "s");
  EXPECT_EQ(m.edge, "e");
  EXPECT_EQ(m.epoch, 3u);
  EXPECT_EQ(m.offset, 4u);
  EXPECT_EQ(m.now_ms, 5);
  EXPECT_EQ(m.episode, "demo");
  EXPECT_EQ(m.role, Role::kGm);
  EXPECT_EQ(m.name, "Ann");
  EXPECT_FALSE(m.resumed);
  EXPECT_EQ(m.view, R"({"a":1})");
  EXPECT_EQ(m.me, R"({"b":2})");
  EXPECT_EQ(m.mode.mode, Mode::kHalted);
  EXPECT_EQ(m.mode.code, Code::kLogHalted);
  EXPECT_EQ(m.limits.frame_bytes, 10u);
  EXPECT_EQ(m.limits.batch, 11u);
  EXPECT_EQ(m.limits.tick_ms, 12u);
  EXPECT_EQ(m.build, "x");
}

TEST(ServerMessages, AckDeltaAndTallyHaveTheirFields) {
  ServerDecoder decoder;
  const auto ack = decode_server<Ack>(
      decoder, R"({"t":"ack","accepted":[5,6],"confirmed":[{"i":7,"log":8,)"
               R"("hash":"000102030405060708090a0b0c0d0e0f"}],)"
               R"("rejected":[{"i":9,"code":4305,"message":"m","retry_after_ms":10}]})");
  EXPECT_EQ(std::vector<uint64_t>(ack.accepted.begin(), ack.accepted.end()),
            (std::vector<uint64_t>{5, 6}));
  ASSERT_EQ(ack.confirmed.size(), 1u);
  EXPECT_EQ(ack.confirmed[0].i, 7u);
  EXPECT_EQ(ack.confirmed[0].log, 8u);
  for (size_t i = 0; i < 16; ++i) EXPECT_EQ(ack.confirmed[0].receipt[i], i);
  ASSERT_EQ(ack.rejected.size(), 1u);
  EXPECT_EQ(ack.rejected[0].i, 9u);
  EXPECT_EQ(ack.rejected[0].code, Code::kPollClosed);
  EXPECT_EQ(ack.rejected[0].retry_after_ms, 10u);

  const auto delta =
      decode_server<Delta>(decoder, R"({"t":"delta","off":1,"at":2,"p":[["c","i",{"x":1}]],)"
                                    R"("cause":{"cid":"00000000000000ff","i":3}})");
  EXPECT_EQ(delta.offset, 1u);
  EXPECT_EQ(delta.at_ms, 2);
  ASSERT_EQ(delta.patches.size(), 1u);
  EXPECT_EQ(delta.patches[0].collection, "c");
  EXPECT_EQ(delta.patches[0].id, "i");
  EXPECT_EQ(delta.patches[0].entity, R"({"x":1})");
  ASSERT_TRUE(delta.cause);
  EXPECT_EQ(delta.cause->cid, 255u);
  EXPECT_EQ(delta.cause->i, 3u);

  const auto tally = decode_server<TallyUpdate>(
      decoder,
      R"({"t":"tally","poll":"p","ver":1,"log":2,"counts":[3,4],"voters":5,"state":"open","final":true})");
  EXPECT_EQ(tally.poll, "p");
  EXPECT_EQ(tally.version, 1u);
  EXPECT_EQ(tally.log, 2u);
  ASSERT_EQ(tally.counts.size(), 2u);
  EXPECT_EQ(tally.counts[1], 4u);
  EXPECT_EQ(tally.voters, 5u);
  EXPECT_EQ(tally.state, "open");
  EXPECT_TRUE(tally.final);
}

TEST(ServerMessages, TheOthersHaveTheirFields) {
  ServerDecoder decoder;
  const auto pong = decode_server<Pong>(decoder, R"({"t":"pong","c":1,"s":2})");
  EXPECT_EQ(pong.c, 1);
  EXPECT_EQ(pong.server_ms, 2);
  const auto bye = decode_server<ServerBye>(
      decoder, R"({"t":"bye","code":4900,"message":"m","reconnect":true,"after_ms":[3,4]})");
  EXPECT_EQ(bye.code, Code::kDraining);
  EXPECT_TRUE(bye.reconnect);
  EXPECT_EQ(bye.after_low_ms, 3u);
  EXPECT_EQ(bye.after_high_ms, 4u);
  const auto presence =
      decode_server<Presence>(decoder, R"({"t":"presence","audience":7,"edges":[["e",7]]})");
  EXPECT_EQ(presence.audience, 7u);
  EXPECT_EQ(presence.edges[0].edge, "e");
  EXPECT_EQ(presence.edges[0].audience, 7u);
  const auto emotes = decode_server<Emotes>(decoder, R"({"t":"emotes","c":{"h\u0065art":12}})");
  ASSERT_EQ(emotes.counts.size(), 1u);
  EXPECT_EQ(emotes.counts[0].name, "heart");
  EXPECT_EQ(emotes.counts[0].count, 12u);
  const auto slo = decode_server<Slo>(
      decoder,
      R"({"t":"slo","m":[{"class":"vote","budget_ms":1,"n":2,"p50":3,"p99":4,"max":5,"holds":false}],)"
      R"("rates":{"events_per_s":6,"ballots_per_s":7,"deliveries_per_s":8},)"
      R"("log":{"seq":9,"commit_p50_us":10,"commit_p99_us":11},)"
      R"("edges":[{"edge":"e","sessions":12,"queue_bytes":13}]})");
  ASSERT_EQ(slo.classes.size(), 1u);
  EXPECT_EQ(slo.classes[0].budget_ms, 1u);
  EXPECT_EQ(slo.classes[0].p50_ms, 3u);
  EXPECT_EQ(slo.classes[0].p99_ms, 4u);
  EXPECT_EQ(slo.classes[0].max_ms, 5u);
  EXPECT_FALSE(slo.classes[0].holds);
  EXPECT_EQ(slo.ballots_per_s, 7u);
  EXPECT_EQ(slo.log_seq, 9u);
  EXPECT_EQ(slo.commit_p99_us, 11u);
  EXPECT_EQ(slo.edges[0].queue_bytes, 13u);
}

TEST(Messages, AnErrorForAPeerHasSentenceAndDetail) {
  std::string storage;
  const ErrorNotice notice = error_notice(Error{Code::kUnknownType, "warp", 0}, storage);
  EXPECT_EQ(encoded(notice),
            R"x({"t":"error","code":4005,"message":"The message type is unknown; )x"
            R"x(it was ignored. (warp)"})x");
}

}  // namespace
}  // namespace footlight::proto
