// The messages of session protocol version 1 (docs/protocol.md), both directions, and their codec.
//
// The structs are views: what a decoder fills points into the frame or into the decoder's own
// storage and is valid until the frame goes away or the decoder decodes again. encode() appends
// JSON to a string of the caller's and never fails.
//
// A decoder keeps about 20 KiB of storage between frames, so keep one per thread, not one per
// connection. Pure: no clock, no exceptions. One thread per decoder.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/result.h"
#include "proto/commands.h"
#include "proto/media_messages.h"
#include "proto/role.h"

namespace footlight::proto {

inline constexpr int64_t kVersion = 1;
inline constexpr size_t kMaxFrameBytes = 16 * 1024;        // from a client
inline constexpr size_t kMaxBoardFrameBytes = 256 * 1024;  // a board message, on any transport
inline constexpr size_t kMaxBoardIdBytes = 64;
inline constexpr size_t kMaxServerFrameBytes = 8 * 1024 * 1024;  // a welcome holds a whole view
inline constexpr int kMaxNesting = 8;                            // from a client
inline constexpr int kMaxServerNesting = 16;
inline constexpr size_t kMaxBatch = 64;
inline constexpr size_t kMaxLatencies = 64;
inline constexpr size_t kMaxTokenBytes = 4096;
inline constexpr size_t kMaxClientNameBytes = 64;

// client → server ---------------------------------------------------------------------------------

struct Resume {
  uint64_t epoch = 0;
  uint64_t offset = 0;
};

struct Hello {
  int64_t version = kVersion;
  std::string_view token;
  uint64_t cid = 0;  // 16 hex digits on the wire
  std::optional<Resume> resume;
  std::string_view client;  // "sdk/0.1.0"; may be empty
};

// One event of a batch. With a fault the event alone is rejected, the batch goes on.
struct ClientEvent {
  uint64_t i = 0;  // 1..2^53-1
  Kind kind = Kind::kUnknown;
  std::string_view kind_text;  // as sent; empty when encoding a known kind
  std::string_view args;       // raw JSON of `a`; "" when absent. Encoding a vote: "" takes `vote`
  Vote vote;                   // kPollVote only
  std::string_view traceparent;  // valid, or ""
  FormFault fault;               // kUnknownCommand; for votes also what read_vote says
};

struct EventBatch {
  std::span<const ClientEvent> events;  // 1..64
};
struct Ping {
  int64_t c = 0;
};

enum class LatencyClass : uint8_t { kVote, kCommand, kReaction, kDelta, kRtt };
inline constexpr int kLatencyClassCount = 5;
std::string_view latency_class_name(LatencyClass c);
std::optional<LatencyClass> parse_latency_class(std::string_view text);

struct LatencySample {
  LatencyClass of = LatencyClass::kVote;
  uint32_t ms = 0;  // larger values are capped at 3,600,000
};
struct LatencyReport {
  std::span<const LatencySample> samples;  // 0..64; unknown classes are left out
};

// How a viewer watches the program, and which picture it has just been shown.
enum class WatchMode : uint8_t { kNone, kRtc, kLowLatency, kSegments, kAudio };
inline constexpr int kWatchModeCount = 5;
std::string_view watch_mode_name(WatchMode mode);  // "none", "rtc", "llhls", "hls", "audio"
std::optional<WatchMode> parse_watch_mode(std::string_view text);

struct WatchReport {
  WatchMode mode = WatchMode::kNone;
  std::string_view cue;  // of the stream (gate/cue.h), at most 64 bytes; "": it has none
};
struct TokenRefresh {
  std::string_view token;
};
struct ClientBye {};

struct BoardOpen {
  std::string_view board;
  uint64_t client = 0;      // the client id it would like; 0: none
  uint64_t generation = 0;  // of its copy; 0: none
};
struct BoardClose {
  std::string_view board;
};
// A board message where there are no binary frames.
struct BoardData {
  std::string_view board;
  std::string_view data;  // base64url
};

using ClientMessage =
    std::variant<Hello, EventBatch, Ping, LatencyReport, TokenRefresh, ClientBye, BoardOpen,
                 BoardClose, BoardData, MediaOpen, MediaResume, MediaClose, MediaIce, MediaPlace,
                 MediaMute, MediaReport, WatchReport>;

class ClientDecoder {
 public:
  ClientDecoder();
  // One message. kFrameTooLarge, kBadFrame, kTooDeep, kBadUtf8, kUnknownType, kMissingField,
  // kFieldOutOfRange, kBatchTooLarge, kUnknownVersion (a hello of another version; its other fields
  // are not looked at). Only a BoardData and a MediaOpen may be larger than kMaxFrameBytes. A batch
  // of plain votes costs no allocation.
  Result<ClientMessage> decode(std::string_view frame);

 private:
  std::vector<ClientEvent> events_;
  std::vector<LatencySample> samples_;
  std::string text_;  // unescaped texts; never grows beyond its reserve while views point into it
};

// Whether a fault of decode() ends the session (bye, then close with the code) or is told in an
// `error`. Only what leaves the stream in doubt ends it: the peer does not speak this protocol.
bool ends_session(Code code);

void encode(std::string& out, const Hello& message);
void encode(std::string& out, const EventBatch& message);
void encode(std::string& out, const Ping& message);
void encode(std::string& out, const LatencyReport& message);
void encode(std::string& out, const WatchReport& message);
void encode(std::string& out, const TokenRefresh& message);
void encode(std::string& out, const ClientBye& message);
void encode(std::string& out, const BoardOpen& message);
void encode(std::string& out, const BoardClose& message);
void encode(std::string& out, const BoardData& message);
void encode(std::string& out, const MediaOpen& message);
void encode(std::string& out, const MediaResume& message);
void encode(std::string& out, const MediaClose& message);
void encode(std::string& out, const MediaIce& message);
void encode(std::string& out, const MediaPlace& message);
void encode(std::string& out, const MediaMute& message);
void encode(std::string& out, const MediaReport& message);

// server → client ---------------------------------------------------------------------------------

struct ModeNotice {
  Mode mode = Mode::kLive;
  Code code = Code::kOk;
  std::string_view message;
};

struct Limits {
  uint32_t frame_bytes = kMaxFrameBytes;
  uint32_t batch = kMaxBatch;
  uint32_t tick_ms = 100;
};

struct Welcome {
  int64_t version = kVersion;
  std::string_view sid;
  std::string_view edge;
  uint64_t epoch = 0;
  uint64_t offset = 0;
  int64_t now_ms = 0;
  std::string_view episode;
  Role role = Role::kViewer;
  std::string_view name;
  bool resumed = false;
  std::string_view view;  // raw JSON object; "" when resumed
  std::string_view me;    // raw JSON object
  ModeNotice mode;
  Limits limits;
  std::string_view build;
};

struct Confirmed {
  uint64_t i = 0;
  uint64_t log = 0;
  bool has_receipt = false;
  std::array<uint8_t, 16> receipt{};  // 32 hex digits on the wire
};
struct Rejected {
  uint64_t i = 0;
  Code code = Code::kOk;
  std::string_view message;
  uint32_t retry_after_ms = 0;
};
struct Ack {
  std::span<const uint64_t> accepted;
  std::span<const Confirmed> confirmed;
  std::span<const Rejected> rejected;
};

struct Patch {
  std::string_view collection;
  std::string_view id;
  std::string_view entity;  // raw JSON; "" or "null" removes
};
struct Cause {
  uint64_t cid = 0;
  uint64_t i = 0;
};
struct Delta {
  uint64_t offset = 0;
  int64_t at_ms = 0;
  std::span<const Patch> patches;
  std::optional<Cause> cause;
};

struct TallyUpdate {
  std::string_view poll;
  uint64_t version = 0;
  uint64_t log = 0;
  std::span<const uint64_t> counts;  // 0..32
  uint64_t voters = 0;
  std::string_view state;  // "open", "closing", "closed"
  bool final = false;
};

struct EmoteCount {
  std::string_view name;
  uint64_t count = 0;
};
struct Emotes {
  std::span<const EmoteCount> counts;
};

struct EdgeAudience {
  std::string_view edge;
  uint64_t audience = 0;
};
struct Presence {
  uint64_t audience = 0;
  std::span<const EdgeAudience> edges;
};

struct Pong {
  int64_t c = 0;
  int64_t server_ms = 0;
};

struct SloClass {
  std::string_view name;  // "vote", ...
  uint32_t budget_ms = 0;
  uint64_t count = 0;
  uint32_t p50_ms = 0;
  uint32_t p99_ms = 0;
  uint32_t max_ms = 0;
  bool holds = true;
};
struct SloEdge {
  std::string_view edge;
  uint64_t sessions = 0;
  uint64_t queue_bytes = 0;
};
struct Slo {
  std::span<const SloClass> classes;
  uint64_t events_per_s = 0;
  uint64_t ballots_per_s = 0;
  uint64_t deliveries_per_s = 0;
  uint64_t log_seq = 0;
  uint64_t commit_p50_us = 0;
  uint64_t commit_p99_us = 0;
  std::span<const SloEdge> edges;
  std::array<uint64_t, kWatchModeCount> watching{};  // viewers by WatchMode, as they reported
};

struct ErrorNotice {
  Code code = Code::kOk;
  std::string_view message;
};
struct ServerBye {
  Code code = Code::kOk;
  std::string_view message;
  bool reconnect = false;
  uint32_t after_low_ms = 0;  // with reconnect: wait uniformly in [low, high]
  uint32_t after_high_ms = 0;
};
// Of a board: its opening, an acknowledgement, a notice, or, where there are no binary frames, a
// board message. What is absent is 0 or "".
struct BoardNotice {
  std::string_view board;
  uint64_t client = 0;
  uint64_t generation = 0;
  uint64_t ack = 0;
  bool has_ack = false;
  uint64_t n = 0;
  Code code = Code::kOk;
  std::string_view message;
  uint64_t retry_after_ms = 0;
  std::string_view data;       // base64url
  std::string_view path;       // of a refusal for want of a right
  std::string_view overruled;  // raw JSON array
  std::string_view rights;     // raw JSON object
  std::string_view title;
  std::string_view kind;
  std::string_view limits;  // raw JSON object
  bool reset = false;       // the board began anew, with this client and generation
};
// What this codec does not know: clients ignore it (a newer server).
struct UnknownMessage {
  std::string_view type;
};

using ServerMessage =
    std::variant<Welcome, Ack, Delta, TallyUpdate, Emotes, Presence, Pong, ModeNotice, Slo,
                 ErrorNotice, ServerBye, BoardNotice, MediaNotice, MediaPlaces, MediaRoom,
                 MediaQuality, UnknownMessage>;

namespace internal {
struct Source;
}

class ServerDecoder {
 public:
  // One message. kFrameTooLarge, kBadFrame, kTooDeep, kBadUtf8, kMissingField, kFieldOutOfRange,
  // kBatchTooLarge (a list of more than 65,536).
  Result<ServerMessage> decode(std::string_view frame);

 private:
  ServerMessage read(std::string_view type, internal::Source& from);
  Ack read_ack(internal::Source& from);
  Delta read_delta(internal::Source& from);
  TallyUpdate read_tally(internal::Source& from);
  Emotes read_emotes(internal::Source& from);
  Presence read_presence(internal::Source& from);
  Slo read_slo(internal::Source& from);

  std::vector<uint64_t> numbers_;
  std::vector<Confirmed> confirmed_;
  std::vector<Rejected> rejected_;
  std::vector<Patch> patches_;
  std::vector<EmoteCount> emotes_;
  std::vector<EdgeAudience> audiences_;
  std::vector<SloClass> slo_classes_;
  std::vector<SloEdge> slo_edges_;
  std::vector<IceServer> servers_;
  std::vector<PlaceInfo> places_;
  std::vector<SpeakerLevel> speaking_;
  std::vector<LinkQuality> links_;
  std::vector<PlaceQuality> qualities_;
  std::string text_;
};

void encode(std::string& out, const Welcome& message);
void encode(std::string& out, const Ack& message);
void encode(std::string& out, const Delta& message);
void encode(std::string& out, const TallyUpdate& message);
void encode(std::string& out, const Emotes& message);
void encode(std::string& out, const Presence& message);
void encode(std::string& out, const Pong& message);
void encode(std::string& out, const ModeNotice& message);
void encode(std::string& out, const Slo& message);
void encode(std::string& out, const ErrorNotice& message);
void encode(std::string& out, const ServerBye& message);
void encode(std::string& out, const BoardNotice& message);
void encode(std::string& out, const MediaNotice& message);
void encode(std::string& out, const MediaPlaces& message);
void encode(std::string& out, const MediaRoom& message);
void encode(std::string& out, const MediaQuality& message);

template <class Message>
std::string encoded(const Message& message) {
  std::string out;
  encode(out, message);
  return out;
}

// The sentence for a peer: the table's, with the detail, without the number (it has its own field).
std::string peer_message(const Error& error);
ErrorNotice error_notice(const Error& error, std::string& storage);

}  // namespace footlight::proto
