// A client that edits a board (docs/protocol.md, Boards): it keeps its document over lost
// connections, goes on editing without one, and begins anew when it was refused. Every edit of its
// own can be told apart, so that the audit sees what was lost or came twice.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/prng.h"
#include "crdt/doc.h"
#include "network.h"
#include "proto/messages.h"
#include "scheduler.h"

namespace footlight::sim {

// What the checkers need of all board clients together.
class BoardWatch {
 public:
  virtual ~BoardWatch() = default;
  virtual void board_violation(std::string what) = 0;
  // The server said that the edit is durable, or that it refused it.
  virtual void board_confirmed(const std::string& mark) = 0;
  virtual void board_refused(const std::string& mark) = 0;
};

struct BoardClientSpec {
  std::string account;
  uint64_t cid = 0;
  proto::Role role = proto::Role::kPlayer;
  std::function<std::string()> token;
  bool tampers = false;  // now and then edits what it may not
};

class BoardClient final : public ClientEnd {
 public:
  using Dial = std::function<std::shared_ptr<Link>(BoardClient&)>;
  BoardClient(Scheduler& scheduler, Prng random, BoardClientSpec spec, BoardWatch& watch, Dial dial,
              MonoUs show_us);
  ~BoardClient() override;

  void start();
  void settle();  // no more edits
  // Connected, in step with the server, nothing unconfirmed.
  bool idle() const;
  const BoardClientSpec& spec() const { return spec_; }
  std::string content();  // JSON
  std::string describe() const;
  uint64_t overruled() const { return overruled_; }
  // Every mark whose confirmation was seen, or whose refusal was.
  Link* link() { return link_.get(); }

  void on_frame(std::string_view json) override;
  void on_binary(std::string_view bytes) override;
  void on_gone(Code code) override;

 private:
  struct Sent {
    uint64_t n = 0;
    std::vector<std::string> marks;
  };
  void connect_after(MonoUs delay_us);
  void connect();
  void lost();
  void ping(uint64_t connection);
  void fresh_document(uint64_t client);
  void opened(const proto::BoardNotice& notice);
  void notice(const proto::BoardNotice& notice);
  void refused(const proto::BoardNotice& notice);
  void send_message(ByteView message);
  void send_update(ByteView update, bool answer);
  void turn();
  void edit();
  void tamper();
  void mark(const std::string& text);

  Scheduler& scheduler_;
  Prng random_;
  BoardClientSpec spec_;
  BoardWatch& watch_;
  Dial dial_;
  MonoUs show_us_;
  std::shared_ptr<Link> link_;
  uint64_t connection_ = 0;
  uint64_t attempts_ = 0;
  bool live_ = false;
  bool open_ = false;    // the board is, and its answer has come
  bool synced_ = false;  // the server's step 2 has come, and ours was sent
  bool over_ = false;
  MonoUs heard_us_ = 0;

  std::unique_ptr<crdt::Doc> doc_;
  uint64_t client_ = 0;
  uint64_t generation_ = 0;
  uint64_t made_ = 0;
  uint64_t sent_ = 0;  // messages with updates, since the board was opened
  uint64_t acked_ = 0;
  bool applying_ = false;
  std::vector<std::string> fresh_;     // marks made since the last message
  std::set<std::string> unconfirmed_;  // marks in the document that were not confirmed
  std::vector<Sent> sending_;
  uint64_t overruled_ = 0;
  proto::ServerDecoder decoder_;
};

}  // namespace footlight::sim
