// The whole state of an episode. What a fact changes in it is said once, in apply.cc; decide only
// reads.
#pragma once
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "episode/definition.h"
#include "episode/episode.h"
#include "episode/internal/dedup.h"
#include "episode/internal/events.h"
#include "episode/internal/people.h"
#include "episode/internal/registers.h"
#include "episode/internal/world.h"

namespace footlight::episode {

struct StateLimits {
  static constexpr size_t kChat = 100;     // messages kept
  static constexpr size_t kCaptions = 20;  // captions kept, and said in kCaptionsMs at most
  static constexpr int64_t kCaptionsMs = 10'000;
  static constexpr int64_t kCaptionAgeMs = 30'000;  // so long ago its words were spoken at most
  static constexpr size_t kRolls = 50;              // rolls kept
  static constexpr size_t kLog = 50;                // lines of the log's tail kept
  static constexpr size_t kStory = 1000;            // steps kept
  static constexpr int64_t kSlowSeconds = 3600;
  static constexpr size_t kNonces = 100'000;  // rolls of an episode: then kTooMany
};

struct StoryStep {
  uint64_t n = 0;  // 1, 2, 3…
  WallMs at_ms = 0;
  int scene = 0;
  How how = How::kStart;
  std::string poll;
  std::string choice;
};

struct ChatMessage {
  uint64_t id = 0;
  WallMs at_ms = 0;
  uint64_t who = 0;  // 0: a rule
  std::string name;
  proto::Role role = proto::Role::kViewer;
  std::string text;
};

struct Caption {
  uint64_t n = 0;  // 1, 2, 3…
  WallMs said_ms = 0;
  WallMs at_ms = 0;
  uint64_t for_ms = 0;
  std::string lang;
  std::string text;
};

struct RollEntry {
  WallMs at_ms = 0;
  uint64_t who = 0;
  std::string name;
  DiceRolled roll;
};

struct LogLine {
  uint64_t log = 0;
  WallMs at_ms = 0;
  std::string kind;
  uint64_t who = 0;
  std::string name;
  std::string text;
};

struct Genesis {
  std::string episode;
  WallMs created_ms = 0;
  Hash256 seed_commit{};
  Bytes payload;  // as it stands in the log
};

struct State::Impl {
  Genesis genesis;
  Definition definition;
  World world;
  std::vector<RegisterTable> registers;  // by poll
  Dedup dedup;
  People people;

  uint64_t last_log = 0;  // of the last event; ballots do not count
  WallMs started_ms = 0;
  WallMs ended_ms = 0;
  Hash256 seed{};  // after the end
  Hash256 chain{};
  bool slate_on = false;
  std::string slate_text;
  MediaMode media_mode = MediaMode::kFull;
  int64_t slow_seconds = 0;
  uint64_t story_steps = 0;  // ever, so the others: numbers are not used again
  std::deque<StoryStep> story;
  uint64_t chat_messages = 0;
  std::deque<ChatMessage> chat;
  uint64_t caption_count = 0;
  std::deque<Caption> captions;
  uint64_t roll_count = 0;
  std::deque<RollEntry> rolls;
  std::set<uint64_t> nonces;  // first 8 bytes of their SHA-256
  std::vector<bool> cues_done;
  std::deque<LogLine> log_tail;
};

uint64_t nonce_key(std::string_view nonce);

// One line for people: what the event did, in the state before it.
std::string describe_fact(const State::Impl& state, const Fact& fact);

}  // namespace footlight::episode
