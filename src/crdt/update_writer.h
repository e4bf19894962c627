// Writes updates, v1 and v2, byte for byte as yjs 13.6 does. A writer is made once and used for
// many updates: it keeps its memory and does not allocate when warm.
//
//   writer.reset();
//   writer.begin(2);                 // how many clients; descending ids, as yjs writes them
//   writer.client(9, 1, 40);         // client, how many structs, first clock
//   writer.write(item);              // ... each struct of it
//   writer.client(7, 1, 12);
//   writer.write(item, 3);           // without its first 3 clocks
//   writer.deletes(set);             // normal (delete_set.h)
//   send(writer.finish());           // valid until reset()
//
// Who does not know the counts beforehand calls open_client() and write_open() for each client,
// then close_clients(): at the price of one more copy.
//
// Contents are canonical (struct.h); what a DecodedUpdate holds is. Broken order of calls asserts.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "crdt/columns.h"
#include "crdt/delete_set.h"
#include "crdt/scratch.h"
#include "crdt/struct.h"

namespace footlight::crdt {

class UpdateWriter {
 public:
  explicit UpdateWriter(UpdateFormat format) : v2_(format == UpdateFormat::kV2) {}

  void reset();
  void begin(uint64_t clients) { rest_.var_uint(clients); }
  void client(uint64_t id, uint64_t structs, uint64_t clock) {
    rest_.var_uint(structs);
    write_client(id);
    rest_.var_uint(clock);
  }
  // `offset` < len: the struct from there on, whose origin is then its own previous clock. The
  // client() before named the clock it begins at.
  void write(const DecodedStruct& s, uint64_t offset = 0);

  void open_client(uint64_t id, uint64_t clock);
  void write_open(const DecodedStruct& s, uint64_t offset = 0) {
    ++sections_.back().structs;
    write(s, offset);
  }
  void close_clients();

  void deletes(const DeleteSet& set) { set.write(rest_, format()); }
  void no_deletes() { rest_.u8(0); }
  ByteView finish();

  UpdateFormat format() const { return v2_ ? UpdateFormat::kV2 : UpdateFormat::kV1; }

 private:
  struct Section {
    uint64_t structs = 0;
    size_t begin = 0;  // in rest_, while open
  };

  void write_client(uint64_t id) {
    if (v2_) {
      clients_.write(id);
    } else {
      rest_.var_uint(id);
    }
  }
  void write_len(uint64_t len) {
    if (v2_) {
      lens_.write(len);
    } else {
      rest_.var_uint(len);
    }
  }
  void write_left(Id id);
  void write_right(Id id);
  void write_text(std::string_view text);
  void write_key(std::string_view key);
  void write_json(ByteView any);  // v1: as JSON text
  void write_info(uint8_t info);
  void write_parent(const DecodedStruct& s);
  void write_content(const DecodedStruct& s, uint64_t offset);
  void write_type(const DecodedStruct& s);
  void write_string(std::string_view text, uint64_t offset);
  void write_json_texts(const DecodedStruct& s, uint64_t offset);
  void write_values(const DecodedStruct& s, uint64_t offset);
  void write_texts_column();

  bool v2_;
  Encoder rest_;  // v1: the update itself
  // v2 only
  uint64_t key_clock_ = 0;
  IntDiffOptRleEncoder key_clocks_;
  UintOptRleEncoder clients_;
  IntDiffOptRleEncoder left_clocks_;
  IntDiffOptRleEncoder right_clocks_;
  RleEncoder infos_;
  Encoder texts_;
  UintOptRleEncoder text_lens_;
  RleEncoder parent_infos_;
  UintOptRleEncoder type_refs_;
  UintOptRleEncoder lens_;
  Encoder out_;
  // open_client() only
  std::vector<Section> sections_;
  Encoder swap_;
  std::string json_;  // of v1 embeds and formats
};

// Cuts the first `offset` clocks off: 0 < offset < s.len. What is left has its own previous clock
// as its origin. Of text cut within a surrogate pair the rest begins with U+FFFD, whose bytes are
// taken from `scratch`.
void cut_front(DecodedStruct& s, uint64_t offset, Scratch& scratch);

}  // namespace footlight::crdt
