// What peers say to each other beside updates: awareness, and the messages of the sync protocol.
#include "crdt/sync.h"
#include "replica_player.h"

namespace footlight::crdt::replica {

void Player::step_awareness(Command command) {
  const uint64_t number = in_.var_uint();
  if (command == Command::kAwarenessNew) {
    awareness_.erase(number);
    awareness_.try_emplace(number);
    return;
  }
  Awareness& awareness = awareness_[number];
  switch (command) {
    case Command::kAwarenessApply: {
      const ByteView update = in_.var_bytes();
      const MonoUs now_us = static_cast<MonoUs>(in_.var_uint()) * 1000;
      std::vector<uint64_t> changed;
      const auto anybody = [](uint64_t) { return true; };
      const Status applied = awareness.apply(update, now_us, anybody, changed);
      if (!applied) return answer_error(applied.error());
      return answer_bytes(ByteView{});
    }
    case Command::kAwarenessEncode: {
      std::vector<uint64_t> clients;
      for (uint64_t n = in_.var_uint(); n > 0; --n) clients.push_back(in_.var_uint());
      return answer_bytes(ByteView(awareness.encode(clients)));
    }
    default:
      return answer_any(states_of(awareness));
  }
}

// Client -> JSON text, read from what it would send.
Any Player::states_of(const Awareness& awareness) {
  AnyObject states;
  const Bytes update = awareness.encode(awareness.present());
  Decoder in{ByteView(update)};
  for (uint64_t n = in.var_uint(); n > 0; --n) {
    std::string client = std::to_string(in.var_uint());
    in.var_uint();  // the clock
    states.emplace_back(std::move(client), Any(in.var_text()));
  }
  return Any(std::move(states));
}

// As a server treats a message: step 1 is answered with step 2, the others are applied.
void Player::sync_read() {
  Doc& at = doc();
  const auto message = read_message(in_.var_bytes());
  if (!message) return answer_error(message.error());
  if (message->kind == MessageKind::kStep1) {
    const auto lacking = at.encode_state_as_update(UpdateFormat::kV1, message->payload);
    if (!lacking) return answer_error(lacking.error());
    return answer_bytes(ByteView(step2_message(*lacking)));
  }
  if (message->kind == MessageKind::kStep2 || message->kind == MessageKind::kUpdate) {
    const auto applied = at.apply_update(message->payload, UpdateFormat::kV1);
    if (!applied) return answer_error(applied.error());
  }
  answer_bytes(ByteView{});
}

}  // namespace footlight::crdt::replica
