#include "board_hand.h"

#include "core/assert.h"
#include "crdt/update_reader.h"

namespace footlight {
namespace {

constexpr MonoUs kRetryUs = 50 * kUsPerMs;
constexpr MonoUs kRenewUs = 15 * kUsPerSecond;  // who is silent for 45 s is closed

}  // namespace

BoardHand::BoardHand(net::Shard& shard, const Place& place, uint64_t client)
    : shard_(shard), doc_({.client = client, .new_client = {}}) {
  net::WsClientOptions to;
  to.port = place.port;
  to.path = "/v1/yjs/" + place.episode + "/" + place.board + "?token=" + place.token;
  to.subprotocol.clear();
  engine_ = std::move(*net::WsClients::create(shard, *this, to));
  doc_.on_update(crdt::UpdateFormat::kV1, [this](const crdt::UpdateEvent& event) {
    if (!event.local || socket_ == nullptr || !socket_->is_open()) return;
    socket_->send_binary(as_text(crdt::update_message(event.update)));
  });
  shard.add_resident(this);
}

BoardHand::~BoardHand() = default;

void BoardHand::close() {
  shard_.remove_resident(this);
  engine_.reset();
  socket_ = nullptr;
}

void BoardHand::on_open(net::WsClient& socket) {
  socket.send_binary(as_text(crdt::step1_message(doc_.encode_state_vector())));
}

void BoardHand::on_binary(net::WsClient& socket, std::string_view bytes) {
  const auto message = crdt::read_message(as_bytes(bytes));
  FL_ASSERT(message.has_value(), "the server speaks y-protocols");
  switch (message->kind) {
    case crdt::MessageKind::kStep1: {
      const auto lacks = doc_.encode_state_as_update(crdt::UpdateFormat::kV1, message->payload);
      if (lacks) socket.send_binary(as_text(crdt::step2_message(*lacks)));
      break;
    }
    case crdt::MessageKind::kStep2:
      take(message->payload);
      synced_ = true;
      break;
    case crdt::MessageKind::kUpdate:
      take(message->payload);
      break;
    default:
      break;
  }
}

void BoardHand::take(ByteView update) {
  FL_ASSERT(doc_.apply_update(update, crdt::UpdateFormat::kV1).has_value(), "it applies");
  crdt::Scratch scratch;
  crdt::UpdateReader reader(update, crdt::UpdateFormat::kV1, scratch);
  for (crdt::DecodedStruct each; reader.next(each);) {
    if (each.ref == crdt::Ref::kSkip || each.id.client != doc_.client()) continue;
    durable_clock_ = std::max<uint64_t>(durable_clock_, each.id.clock + each.len);
  }
}

void BoardHand::on_closed(net::WsClient&, const net::WsClosed& how) {
  socket_ = nullptr;
  synced_ = false;
  last_code_ = how.code;
  retry_us_ = clock_.now_us() + kRetryUs;
}

MonoUs BoardHand::on_turn_end(MonoUs now_us) {
  if (socket_ == nullptr && now_us >= retry_us_) {
    socket_ = &engine_->open(nullptr);
    renew_us_ = now_us + kRenewUs;
  } else if (socket_ != nullptr && socket_->is_open() && now_us >= renew_us_) {
    socket_->send_binary(as_text(crdt::query_awareness_message()));
    renew_us_ = now_us + kRenewUs;
  }
  return now_us + 10 * kUsPerMs;
}

}  // namespace footlight
