// A client of the session protocol (docs/protocol.md): an outbox that is sent until confirmed, a
// view kept by deltas, resume, reconnecting with full jitter. What it sees it reports to a Witness.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/prng.h"
#include "core/sha256.h"
#include "network.h"
#include "proto/messages.h"
#include "scheduler.h"

namespace footlight::sim {

class Client;

struct SentEvent {
  uint64_t i = 0;
  proto::Kind kind = proto::Kind::kUnknown;
  std::string args;
  std::string poll;  // a ballot's, as are the next two
  uint32_t choice_mask = 0;
  uint32_t n = 0;
  uint32_t copies = 0;       // sent on this connection
  bool sent = false;         // on the connection that is open now
  bool accepted = false;     // told so
  MonoUs not_before_us = 0;  // rejected for now
};

// Told of everything a client sees, in order.
class Witness {
 public:
  virtual ~Witness() = default;
  virtual void saw_frame(const Client& client, std::string_view json) = 0;
  virtual void saw_welcome(const Client& client, const proto::Welcome& welcome) = 0;
  virtual void saw_delta(const Client& client, const proto::Delta& delta) = 0;
  virtual void saw_tally(const Client& client, const proto::TallyUpdate& tally) = 0;
  virtual void saw_confirmed(const Client& client, const SentEvent& event,
                             const proto::Confirmed& confirmed) = 0;
  virtual void saw_rejected(const Client& client, const SentEvent& event,
                            const proto::Rejected& rejected) = 0;
  virtual void saw_deferred(const Client& client, const SentEvent& event,
                            const proto::Rejected& rejected) = 0;  // it may be sent again
  // The view is now that of `offset`; `view_hash` is of all but the cast.
  virtual void view_is(const Client& client, uint64_t offset, uint64_t view_hash) = 0;
  virtual void violation(const Client& client, std::string what) = 0;
};

struct ClientSpec {
  std::string account;
  proto::Role role = proto::Role::kViewer;
  std::vector<std::string> characters;
  uint64_t cid = 0;
  std::string ip;
  std::function<std::string()> token;  // asked for each connection
  bool impatient = false;              // sends some events twice
  // Sees the program so much later than it happens, and says so by signed cues; 0: not late.
  int64_t behind_ms = 0;
  std::function<std::string()> cue;  // of the picture that is on its screen now
};

using View = std::map<std::string, std::map<std::string, std::string>>;

class Client final : public ClientEnd {
 public:
  // `dial` opens a connection and returns it, or nullptr when nobody listens.
  using Dial = std::function<std::shared_ptr<Link>(Client&)>;

  Client(Scheduler& scheduler, Prng random, ClientSpec spec, Witness& witness, Dial dial);

  void start() { connect_after(0); }
  void stop();  // for good, politely
  // Puts an event in the outbox and sends it if it can.
  uint64_t send(proto::Kind kind, std::string args);
  void vote(const std::string& poll, uint32_t choice_mask);
  void send_lossy(proto::Kind kind, const std::string& args);
  void send_raw(std::string text);
  void drop_connection(MonoUs edge_notices_us);

  const ClientSpec& spec() const { return spec_; }
  proto::ViewClass view_class() const { return proto::view_class(spec_.role); }
  bool live() const { return live_; }
  bool stopped() const { return stopped_; }
  bool idle() const { return outbox_.empty(); }
  size_t outbox_size() const { return outbox_.size(); }
  const std::deque<SentEvent>& outbox() const { return outbox_; }
  uint64_t epoch() const { return epoch_; }
  uint64_t offset() const { return offset_; }
  const View& view() const { return view_; }
  Link* link() { return link_.get(); }
  std::string describe() const;  // for a failure's message
  uint64_t frames() const { return frames_; }
  proto::Mode mode() const { return mode_; }
  Hash256 digest() { return digest_.finish(); }  // of every frame it got; once, at the end
  void forget_resume() { has_view_ = false; }    // as after a reload without storage

  void on_frame(std::string_view json) override;
  void on_gone(Code code) override;

 private:
  void connect_after(MonoUs delay_us);
  void connect();
  void lost(MonoUs wait_us);
  MonoUs backoff();
  void send_outbox();
  void retry_later();
  void confirmed_again(const proto::Confirmed& confirmed);
  void ping();
  void watch();
  void welcome(const proto::Welcome& welcome);
  void delta(const proto::Delta& delta);
  void ack(const proto::Ack& ack);
  void tally(const proto::TallyUpdate& tally);
  void bye(const proto::ServerBye& bye);
  void set(std::string_view collection, std::string_view id, std::string_view entity);
  void load_view(std::string_view json);
  std::deque<SentEvent>::iterator find(uint64_t i);

  Scheduler& scheduler_;
  Prng random_;
  ClientSpec spec_;
  Witness& witness_;
  Dial dial_;
  std::shared_ptr<Link> link_;
  uint64_t connection_ = 0;  // number of the attempt; timers of older ones do nothing
  uint64_t attempts_ = 0;    // failed in a row
  bool stopped_ = false;
  bool live_ = false;
  bool bye_advised_ = false;
  MonoUs bye_wait_us_ = 0;
  MonoUs heard_us_ = 0;

  uint64_t next_i_ = 1;
  std::deque<SentEvent> outbox_;
  std::map<uint64_t, proto::Confirmed> done_;  // of events that were sent twice
  std::map<std::string, uint32_t> vote_n_;
  uint64_t highest_confirmed_ = 0;

  View view_;
  bool has_view_ = false;
  uint64_t view_hash_ = 0;
  uint64_t epoch_ = 0;
  uint64_t offset_ = 0;
  proto::Mode mode_ = proto::Mode::kLive;
  std::map<std::string, uint64_t> tally_version_;
  std::set<std::string> final_tallies_;
  uint64_t frames_ = 0;
  Sha256 digest_;
  proto::ServerDecoder decoder_;
  std::string scratch_;
};

uint64_t hash_text(uint64_t seed, std::string_view text);

}  // namespace footlight::sim
