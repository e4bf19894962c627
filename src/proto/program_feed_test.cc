#include "proto/program_feed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace footlight::proto {
namespace {

template <class Message>
Bytes frame_of(const Message& message) {
  Bytes out;
  if constexpr (std::is_constructible_v<NodeMessage, Message>) {
    encode(NodeMessage(message), out);
  } else {
    encode(CompositorMessage(message), out);
  }
  return out;
}

FeedReader::Frame read_one(FeedReader& reader, ByteView bytes) {
  reader.push(bytes);
  const auto frame = reader.next();
  EXPECT_TRUE(frame && *frame);
  return frame && *frame ? **frame : FeedReader::Frame{};
}

template <class Message>
Message there_and_back(const Message& message) {
  FeedReader reader;
  const auto frame = read_one(reader, frame_of(message));
  if constexpr (std::is_constructible_v<NodeMessage, Message>) {
    const auto back = decode_node(frame);
    EXPECT_TRUE(back && *back);
    return std::get<Message>(**back);
  } else {
    const auto back = decode_compositor(frame);
    EXPECT_TRUE(back && *back);
    return std::get<Message>(**back);
  }
}

FeedSnapshot a_snapshot() {
  FeedSnapshot out;
  out.number = 71;
  out.scene = "The bridge";
  out.card_title = "Nächste Folge";
  out.poll = FeedPoll{"Fight or flee?",
                      {{"Fight", 4'000'000'000}, {"Flee", 3}},
                      7,
                      1'700'000'000'123,
                      true,
                      "fork",
                      5};
  out.dice = {{"Gale", "2d6-9", "1 2", -6}};
  return out;
}

TEST(ProgramFeed, EveryMessageComesOutAsItWentIn) {
  FeedHello hello{kFeedVersion,
                  77,
                  40'000,
                  533'333,
                  4,
                  {{"v720", FeedMedia::kVideo, "avc1.64001f", 2'500'000, 30'000, 1280, 720, 30'000},
                   {"audio", FeedMedia::kAudio, "mp4a.40.2", 128'000, 48'000, 0, 0, 0, 2, 48'000}}};
  EXPECT_EQ(there_and_back(hello), hello);
  FeedStatus status{29'970, 640, 1, 2, 3,         4,
                    5,      6,   2, 9, "libx264", {{3, FeedInput::State::kFrozen, 900, 12}}};
  EXPECT_EQ(there_and_back(status), status);
  EXPECT_EQ(there_and_back(FeedCueShown{9, 300, 4, 2, -5}), (FeedCueShown{9, 300, 4, 2, -5}));
  EXPECT_EQ(there_and_back(FeedKeyFrame{0xDEADBEEF}), FeedKeyFrame{0xDEADBEEF});
  EXPECT_EQ(there_and_back(FeedEnd{4815, "no encoder"}), (FeedEnd{4815, "no encoder"}));
  EXPECT_EQ(there_and_back(FeedNodeHello{kFeedVersion, 9}), (FeedNodeHello{kFeedVersion, 9}));
  FeedParticipants people{{{2,
                            "Gale",
                            FeedParticipant::Role::kGm,
                            {FeedCodec::kOpus, 1, 111, 48'000},
                            {FeedCodec::kVp8, 2, 96, 90'000},
                            500,
                            true,
                            0xDEADBEEF00000001}}};
  EXPECT_EQ(there_and_back(people), people);
  EXPECT_EQ(there_and_back(FeedLayout{FeedLayout::Kind::kSlate, 3}),
            (FeedLayout{FeedLayout::Kind::kSlate, 3}));
  EXPECT_EQ(there_and_back(a_snapshot()), a_snapshot());
  EXPECT_EQ(there_and_back(FeedStop{}), FeedStop{});
}

TEST(ProgramFeed, APartsBytesMayFollowItsHead) {
  const Bytes media(70'000, 0x5A);
  const FeedPart part{1, 12, 3, true, 480'000, 16'000, 1'700'000'000'000'000, media};
  Bytes split;
  encode_head(part, split);
  split.insert(split.end(), media.begin(), media.end());
  EXPECT_EQ(split, frame_of(part));
  FeedReader reader;
  const auto back = decode_compositor(read_one(reader, split));
  const auto& got = std::get<FeedPart>(**back);
  EXPECT_EQ(
      std::tuple(got.rendition, got.msn, got.part, got.independent, got.tfdt, got.duration,
                 got.pdt_us),
      std::tuple(part.rendition, part.msn, part.part, true, part.tfdt, part.duration, part.pdt_us));
  EXPECT_TRUE(std::ranges::equal(got.bytes, media));
}

TEST(ProgramFeed, FramesComeOutWholeHoweverTheyAreCut) {
  Bytes all = frame_of(FeedKeyFrame{7});
  const Bytes second = frame_of(FeedEnd{0, "done"});
  all.insert(all.end(), second.begin(), second.end());
  for (size_t cut = 0; cut <= all.size(); ++cut) {
    FeedReader reader;
    size_t frames = 0;
    for (const ByteView piece : {ByteView(all).first(cut), ByteView(all).subspan(cut)}) {
      reader.push(piece);
      while (true) {
        const auto frame = reader.next();
        ASSERT_TRUE(frame);
        if (!*frame) break;
        ++frames;
      }
    }
    EXPECT_EQ(frames, 2u);
    EXPECT_EQ(reader.buffered(), 0u);
  }
}

TEST(ProgramFeed, ATooLargeOrEmptyFrameEndsTheReader) {
  FeedReader large;
  large.push(Bytes{0, 0, 0, 0x7F});
  EXPECT_EQ(large.next().error().code, Code::kFeedFrameTooLarge);
  large.push(frame_of(FeedStop{}));
  EXPECT_EQ(large.next().error().code, Code::kFeedFrameTooLarge);
  FeedReader empty;
  empty.push(Bytes(4));
  EXPECT_EQ(empty.next().error().code, Code::kFeedMalformed);
}

TEST(ProgramFeed, ACutBodyIsRefusedAndABodyWithMoreIsRead) {
  const Bytes frame = frame_of(a_snapshot());
  const uint8_t type = frame[4];
  const ByteView body = ByteView(frame).subspan(5);
  for (size_t size = 0; size < body.size(); ++size) {
    EXPECT_EQ(decode_node({type, body.first(size)}).error().code, Code::kFeedMalformed) << size;
  }
  Bytes longer(body.begin(), body.end());
  longer.push_back(1);
  EXPECT_TRUE(decode_node({type, longer}).has_value());
}

TEST(ProgramFeed, AnotherVersionIsToldAndAnUnknownTypeIsSkipped) {
  FeedHello hello;
  hello.version = kFeedVersion + 1;
  Bytes frame = frame_of(hello);
  EXPECT_EQ(decode_compositor({frame[4], ByteView(frame).subspan(5)}).error().code,
            Code::kFeedVersion);
  EXPECT_FALSE(decode_compositor({40, {}})->has_value());
  EXPECT_FALSE(decode_node({40, {}})->has_value());
  EXPECT_FALSE(decode_node({200, {}})->has_value());
}

TEST(ProgramFeed, AWriterClipsWhatIsTooLongAtACharactersBorder) {
  FeedSnapshot snapshot;
  for (size_t i = 0; i < kMaxFeedText; ++i) snapshot.scene += "ä";
  snapshot.scene.insert(0, "x");
  snapshot.dice.resize(50);
  const FeedSnapshot back = there_and_back(snapshot);
  EXPECT_EQ(back.scene.size(), kMaxFeedText - 1);
  EXPECT_EQ(back.dice.size(), kMaxFeedDice);
}

}  // namespace
}  // namespace footlight::proto
