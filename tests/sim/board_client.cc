#include "board_client.h"

#include <algorithm>
#include <utility>

#include "crdt/roots.h"
#include "crdt/sync.h"

namespace footlight::sim {
namespace {

constexpr std::string_view kBoard = "table";
constexpr MonoUs kPingUs = 10 * kUsPerSecond;
constexpr MonoUs kSilenceUs = 25 * kUsPerSecond;
constexpr MonoUs kJoinUs = 12 * kUsPerSecond;

}  // namespace

BoardClient::BoardClient(Scheduler& scheduler, Prng random, BoardClientSpec spec, BoardWatch& watch,
                         Dial dial, MonoUs show_us)
    : scheduler_(scheduler),
      random_(random),
      spec_(std::move(spec)),
      watch_(watch),
      dial_(std::move(dial)),
      show_us_(show_us) {
  fresh_document(1 + random_.below(UINT32_MAX));
}

BoardClient::~BoardClient() = default;

void BoardClient::fresh_document(uint64_t client) {
  client_ = client;
  doc_ = std::make_unique<crdt::Doc>(crdt::DocOptions{.client = client, .gc = true});
  doc_->on_update(crdt::UpdateFormat::kV1, [this](const crdt::UpdateEvent& event) {
    if (event.local && !applying_) send_update(event.update, false);
  });
  fresh_.clear();
  sending_.clear();
  unconfirmed_.clear();
}

void BoardClient::start() {
  connect_after(random_.between(0, 600) * kUsPerMs);
  scheduler_.after(random_.between(300, 2'000) * kUsPerMs, [this] { turn(); });
}

void BoardClient::settle() { over_ = true; }

bool BoardClient::idle() const { return live_ && open_ && synced_ && unconfirmed_.empty(); }

std::string BoardClient::describe() const {
  return "board of " + spec_.account + (live_ ? " live" : " offline") + (open_ ? " open" : "") +
         (synced_ ? " synced" : "") + ", unconfirmed " + std::to_string(unconfirmed_.size()) +
         ", sent " + std::to_string(sent_) + ", acked " + std::to_string(acked_);
}

std::string BoardClient::content() {
  crdt::type_roots(*doc_);
  return doc_->to_json();
}

void BoardClient::connect_after(MonoUs delay_us) {
  const uint64_t number = ++connection_;
  scheduler_.after(delay_us, [this, number] {
    if (number == connection_) connect();
  });
}

void BoardClient::connect() {
  link_ = dial_(*this);
  if (link_ == nullptr) return lost();
  heard_us_ = scheduler_.now_us();
  proto::Hello hello;
  const std::string token = spec_.token();
  hello.token = token;
  hello.cid = spec_.cid;
  hello.client = "sim-board/1";
  link_->send(proto::encoded(hello));
  const uint64_t number = connection_;
  scheduler_.after(kJoinUs, [this, number] {
    if (number != connection_ || link_ == nullptr || synced_) return;
    link_->abandon();
    link_->cut(kNever, kPingUs);
    lost();
  });
}

void BoardClient::lost() {
  link_ = nullptr;
  live_ = open_ = synced_ = false;
  ++attempts_;
  sending_.clear();  // what was not confirmed goes out with the next step 2
  const uint64_t limit_ms = std::min<uint64_t>(30'000, 500ull << std::min<uint64_t>(attempts_, 6));
  connect_after(static_cast<MonoUs>(random_.below(limit_ms + 1)) * kUsPerMs);
}

void BoardClient::on_gone(Code) { lost(); }

void BoardClient::ping(uint64_t connection) {
  scheduler_.after(kPingUs, [this, connection] {
    if (connection != connection_ || !live_) return;
    if (scheduler_.now_us() - heard_us_ > kSilenceUs) {
      link_->abandon();
      link_->cut(kNever, kPingUs);
      return lost();
    }
    link_->send(proto::encoded(proto::Ping{scheduler_.now_us()}));
    ping(connection);
  });
}

void BoardClient::send_message(ByteView message) {
  const Bytes frame = crdt::board_frame(kBoard, message);
  link_->send_binary(std::string(as_text(frame)));
}

void BoardClient::send_update(ByteView update, bool answer) {
  if (!synced_ && !answer) return;  // the step 2 to come has it
  Sent sent;
  sent.n = ++sent_;
  if (answer) {
    sent.marks.assign(unconfirmed_.begin(), unconfirmed_.end());
  } else {
    sent.marks = std::exchange(fresh_, {});
  }
  fresh_.clear();
  sending_.push_back(std::move(sent));
  send_message(answer ? crdt::step2_message(update) : crdt::update_message(update));
}

void BoardClient::on_frame(std::string_view json) {
  heard_us_ = scheduler_.now_us();
  const auto message = decoder_.decode(json);
  if (!message) return watch_.board_violation("an unreadable frame: " + std::string(json));
  if (std::holds_alternative<proto::Welcome>(*message)) {
    live_ = true;
    ping(connection_);
    proto::BoardOpen open{kBoard, client_, generation_};
    link_->send(proto::encoded(open));
  } else if (const auto* m = std::get_if<proto::BoardNotice>(&*message)) {
    notice(*m);
  }
}

void BoardClient::notice(const proto::BoardNotice& notice) {
  if (notice.has_ack) {
    if (notice.ack < acked_ || notice.ack > sent_) {
      watch_.board_violation("ack " + std::to_string(notice.ack) + " of " + std::to_string(sent_));
    }
    acked_ = notice.ack;
    while (!sending_.empty() && sending_.front().n <= acked_) {
      for (const std::string& each : sending_.front().marks) {
        if (unconfirmed_.erase(each) > 0) watch_.board_confirmed(each);
      }
      sending_.erase(sending_.begin());
    }
  } else if (!notice.overruled.empty()) {
    ++overruled_;
  } else if (notice.code != Code::kOk && notice.client != 0) {
    refused(notice);
  } else if (notice.code != Code::kOk && notice.n != 0) {
    // Not taken: its marks go out again when the server asks.
    std::erase_if(sending_, [&](const Sent& sent) { return sent.n == notice.n; });
  } else if (notice.code == Code::kOk && notice.client != 0) {
    opened(notice);
  }
}

void BoardClient::opened(const proto::BoardNotice& notice) {
  if (generation_ != 0 && generation_ != notice.generation) {
    watch_.board_violation("the generation changed");
  }
  generation_ = notice.generation;
  if (notice.client != client_) doc_->set_client(notice.client);
  client_ = notice.client;
  open_ = true;
  attempts_ = 0;
  sent_ = acked_ = 0;
  sending_.clear();
  send_message(crdt::step1_message(doc_->encode_state_vector()));
}

void BoardClient::refused(const proto::BoardNotice& notice) {
  if (!spec_.tampers) {
    watch_.board_violation("an honest edit was refused: " + std::string(code_name(notice.code)) +
                           " " + std::string(notice.message));
  }
  for (const std::string& each : unconfirmed_) watch_.board_refused(each);
  synced_ = false;
  fresh_document(notice.client);
  send_message(crdt::step1_message(doc_->encode_state_vector()));
}

void BoardClient::on_binary(std::string_view bytes) {
  heard_us_ = scheduler_.now_us();
  const auto frame = crdt::read_board_frame(as_bytes(bytes));
  if (!frame || frame->board != kBoard) return watch_.board_violation("a frame of no board");
  const auto message = crdt::read_message(frame->message);
  if (!message) return watch_.board_violation("an unreadable board message");
  if (!open_) return;
  switch (message->kind) {
    case crdt::MessageKind::kStep1: {
      auto update = doc_->encode_state_as_update(crdt::UpdateFormat::kV1, message->payload);
      if (!update) return watch_.board_violation("a bad state vector");
      synced_ = true;
      return send_update(*update, true);
    }
    case crdt::MessageKind::kStep2:
    case crdt::MessageKind::kUpdate: {
      applying_ = true;
      const auto applied = doc_->apply_update(message->payload, crdt::UpdateFormat::kV1);
      applying_ = false;
      if (!applied) return watch_.board_violation("a bad update: " + applied.error().message());
      if (applied->client_taken) watch_.board_violation("another wrote under this client id");
      return;
    }
    default:
      return;
  }
}

void BoardClient::turn() {
  if (over_ || scheduler_.now_us() > show_us_) return;
  if (spec_.tampers && random_.below(6) == 0) {
    tamper();
  } else {
    edit();
  }
  scheduler_.after(random_.between(10, 500) * kUsPerMs, [this] { turn(); });
}

void BoardClient::mark(const std::string& text) {
  fresh_.push_back(text);
  unconfirmed_.insert(text);
}

void BoardClient::edit() {
  const std::string text = spec_.account + "-" + std::to_string(spec_.cid & 0xFFFF) + "-" +
                           std::to_string(++made_) + ";";
  mark(text);
  switch (random_.below(4)) {
    case 0: {  // a drag: few keys, many values
      auto tokens = doc_->map("tokens");
      const crdt::Value token = tokens->get(spec_.account);
      if (token.type() && token.type()->as_map()) {
        (void)crdt::Map(*token.type()->as_map()).set("at", text);
      } else {
        (void)tokens->set(spec_.account, crdt::Input::map({{"at", crdt::Input(text)}}));
      }
      // The value is overwritten by the next: it is no mark to look for.
      unconfirmed_.erase(text);
      std::erase(fresh_, text);
      return;
    }
    case 1:
      (void)doc_->map("marks")->set(text, crdt::Input(1));
      return;
    default: {
      auto notes = doc_->text("notes");
      (void)notes->insert(notes->size(), text);
      return;
    }
  }
}

// What a raw Yjs client can write and may not: the fog, another's hit points.
void BoardClient::tamper() {
  if (random_.below(2) == 0) {
    (void)doc_->map("fog")->set("zz-" + spec_.account, crdt::Input(static_cast<int>(++made_)));
    return;
  }
  auto tokens = doc_->map("tokens");
  const crdt::Value token = tokens->get("aria");
  if (token.type() && token.type()->as_map()) {
    (void)crdt::Map(*token.type()->as_map()).set("hp", crdt::Input(999));
  } else {
    (void)tokens->set("aria", crdt::Input::map({{"hp", crdt::Input(999)}}));
  }
}

}  // namespace footlight::sim
