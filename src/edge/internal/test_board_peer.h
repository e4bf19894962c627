// A Yjs client of a board in a unit test: a document, and a connection of the stage.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "crdt/doc.h"
#include "crdt/sync.h"
#include "edge/internal/test_stage.h"

namespace footlight::edge::rig {

class BoardPeer {
 public:
  BoardPeer(Stage& stage, std::string name, uint64_t client = 77, std::string board = "table")
      : stage_(stage), name_(std::move(name)), board_(std::move(board)) {
    begin(client);
  }

  TestConnection& connection() { return stage_.clients.at(name_).connection; }
  crdt::Doc& doc() { return *doc_; }

  // Opens the board, tells what it has and asks for what it lacks.
  void open(uint64_t generation = 0) {
    stage_.send(name_, proto::encoded(proto::BoardOpen{board_, doc_->client(), generation}));
    stage_.settle();
    const Json answer = connection().last("board");
    if (answer["client"].as_int() != 0) {
      doc_->set_client(static_cast<uint64_t>(answer["client"].as_int()));
    }
    sync();
  }
  void sync() {
    send(crdt::step1_message(doc_->encode_state_vector()));
    stage_.settle();
    pump();
  }
  // A document that has nothing, under another id.
  void begin(uint64_t client) {
    doc_ = std::make_unique<crdt::Doc>(crdt::DocOptions{.client = client, .new_client = {}});
    doc_->on_update(crdt::UpdateFormat::kV1, [this](const crdt::UpdateEvent& event) {
      if (event.local && sends) send(crdt::update_message(event.update));
    });
  }
  void send(ByteView message) {
    if (bare) return stage_.send_binary(name_, message);
    stage_.send_binary(name_, crdt::board_frame(board_, message));
  }
  // Takes what has come, and answers what is asked.
  void pump() {
    for (bool more = true; more;) {
      more = false;
      auto& binaries = connection().binaries;
      for (; read_ < binaries.size(); ++read_) {
        const std::string bytes = binaries[read_];
        ByteView message = as_bytes(bytes);
        if (!bare) message = crdt::read_board_frame(as_bytes(bytes))->message;
        take(*crdt::read_message(message));
        more = true;
      }
      stage_.settle();
    }
  }
  // Two documents that hold the same have the same bytes.
  Bytes bytes() const { return *doc_->encode_state_as_update(crdt::UpdateFormat::kV2); }
  std::vector<Json> notices(std::string_view field) {
    std::vector<Json> out;
    for (Json& each : connection().of("board")) {
      if (each.find(field) != nullptr) out.push_back(std::move(each));
    }
    return out;
  }

  bool sends = true;    // local edits go out
  bool answers = true;  // so do answers to the server's step 1
  bool bare = false;
  size_t updates = 0;      // received
  size_t awareness = 0;    // received
  size_t step2_bytes = 0;  // of the last answer
  size_t questions = 0;    // step 1 received
  Bytes last_awareness;

 private:
  void take(const crdt::SyncMessage& message) {
    switch (message.kind) {
      case crdt::MessageKind::kStep1:
        ++questions;
        if (answers) {
          send(crdt::step2_message(
              *doc_->encode_state_as_update(crdt::UpdateFormat::kV1, message.payload)));
        }
        break;
      case crdt::MessageKind::kStep2:
        step2_bytes = message.payload.size();
        EXPECT_TRUE(doc_->apply_update(message.payload, crdt::UpdateFormat::kV1));
        break;
      case crdt::MessageKind::kUpdate:
        ++updates;
        EXPECT_TRUE(doc_->apply_update(message.payload, crdt::UpdateFormat::kV1));
        break;
      case crdt::MessageKind::kAwareness:
        ++awareness;
        last_awareness.assign(message.payload.begin(), message.payload.end());
        break;
      default:
        break;
    }
  }

  Stage& stage_;
  std::string name_;
  std::string board_;
  std::unique_ptr<crdt::Doc> doc_;
  size_t read_ = 0;
};

// One episode with a player and a director, and its board API.
class BoardsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    stage.start();
    stage.join("ann", proto::Role::kPlayer, 1);
    stage.join("gil", proto::Role::kGm, 2);
  }
  void run_ms(int64_t ms) { stage.run_ms(ms); }
  std::string board_at(std::string_view query = {}) {
    ApiCall call;
    call.route = ApiRoute::kBoard;
    call.board = "table";
    call.at = query;
    return ask(call);
  }
  // What was answered at once; an answer that waits for the log comes when nobody listens.
  std::string ask(const ApiCall& call) {
    const auto out = std::make_shared<std::string>();
    stage.owner->api(call, [out](ApiAnswer answer) { *out = std::move(answer.body); });
    stage.settle();
    return *out;
  }
  std::string content() {
    const auto json = Json::parse(board_at());
    return json ? (*json)["content"].dump() : "";
  }
  // The process ends and another owner reads the log.
  void restart() {
    for (auto& [name, each] : stage.clients) {
      if (!each.gone) stage.hang_up(name);
    }
    stage.settle();
    stage.owner.reset();
    stage.log.reopen();
    stage.start_owner();
  }

  Stage stage;
};

}  // namespace footlight::edge::rig
