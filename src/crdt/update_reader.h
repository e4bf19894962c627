// Reads updates of untrusted origin: v1 and v2 become the same DecodedStructs, whose content is
// canonical (struct.h). All of an update is checked: text is UTF-8, JSON is JSON, values nest
// boundedly, counts are held against the bytes that are left, clocks stay in range, nothing follows
// the end. What passes here can be applied, merged and written without further checks of its form;
// whether its ids make sense is the document's business.
//
// Formats: docs/formats/crdt-update.md. Source: yjs 13.6 `src/utils/updates.js`.
#pragma once
#include <cstdint>
#include <vector>

#include "core/result.h"
#include "crdt/columns.h"
#include "crdt/delete_set.h"
#include "crdt/scratch.h"
#include "crdt/struct.h"

namespace footlight::crdt {

struct UpdateLimits {
  // In v2 a few bytes may stand for any number of structs; each costs its reader memory and time.
  uint64_t max_structs = 4'000'000;
  uint64_t max_ranges = 4'000'000;  // of the delete set
};

// kCrdtLimit for Fault::kLimit, else kCrdtMalformed; `what` names the thing that was read.
std::unexpected<Error> crdt_fault(Fault fault, std::string_view what);

// One pass over an update: all structs in the order written, then all deleted ranges.
//
//   UpdateReader reader(bytes, format, scratch);
//   for (DecodedStruct s; reader.next(s);) ...
//   for (IdRange r; reader.next_deleted(r);) ...
//   if (reader.fault() != Fault::kNone) ...   // nothing of the update may be used
//
// No allocation but from `scratch`; both it and the bytes must outlive what was read. The order of
// clients is as written (descending, from yjs), and a client may come more than once.
class UpdateReader {
 public:
  UpdateReader(ByteView update, UpdateFormat format, Scratch& scratch,
               const UpdateLimits& limits = {});

  // False at the end of the structs, and after a fault. `out` is valid only when true.
  bool next(DecodedStruct& out);
  // After `last` from next(), a tombstone of length 1 whose origin is its own client's: passes
  // those that follow in its block and differ only in that both clocks go on by one each time.
  // Returns how many; 0 says nothing (v2 is not looked at, nor what is not written in the shortest
  // way).
  uint64_t pass_run(const DecodedStruct& last);
  // False at the end of the update, and after a fault. Reads past structs that are left.
  bool next_deleted(IdRange& out);
  // Final when next_deleted() said false.
  Fault fault() const { return fault_; }
  bool block_begun() const { return block_begun_; }  // the last struct was the first of its block
  uint64_t in_block() const { return in_block_; }    // structs to come in the current block
  uint64_t blocks_left() const { return blocks_; }   // blocks after the current one

 private:
  bool next_block();
  uint64_t took_run(uint64_t passed);
  void read_item(uint8_t info, DecodedStruct& out);
  void read_content(DecodedStruct& out);
  void content_text(DecodedStruct& out);
  void content_json(DecodedStruct& out);
  void content_values(DecodedStruct& out);
  void content_format(DecodedStruct& out);
  void content_type(DecodedStruct& out);
  void content_doc(DecodedStruct& out);
  uint64_t read_len();
  uint64_t read_client();
  Id read_left();
  Id read_right();
  std::string_view read_text(uint64_t& units);
  std::string_view read_key();
  std::string_view cut_text(uint64_t units);
  ByteView read_values(uint64_t count);
  ByteView read_json_value();
  bool next_delete_client();
  uint8_t* reserve(size_t size);  // nullptr after a fault
  ByteView keep(ByteView content);
  ByteView keep_named(std::string_view name, ByteView value);
  bool fail(Fault fault);
  void collect_faults();

  struct Columns {
    IntDiffOptRleDecoder key_clock;
    UintOptRleDecoder client;
    IntDiffOptRleDecoder left_clock;
    IntDiffOptRleDecoder right_clock;
    RleDecoder info;
    std::string_view text;  // of all strings, one after the other
    bool ascii = false;     // all of it
    bool half = false;      // the first unit of the character at its front is read
    UintOptRleDecoder text_len;
    RleDecoder parent_info;
    UintOptRleDecoder type_ref;
    UintOptRleDecoder len;
    std::vector<std::string_view> keys;
  };
  void open_columns();

  Decoder rest_;
  bool v2_ = false;
  bool block_begun_ = false;
  Fault fault_ = Fault::kNone;
  Scratch& scratch_;
  size_t scratch_limit_ = 0;
  uint64_t structs_left_ = 0;  // of the limit
  uint64_t ranges_left_ = 0;   // of the limit
  uint64_t blocks_ = 0;        // to come
  uint64_t in_block_ = 0;      // structs to come in this block
  uint64_t client_ = 0;
  uint64_t clock_ = 0;
  bool deletes_begun_ = false;
  uint64_t delete_clients_ = 0;
  uint64_t delete_client_ = 0;
  uint64_t delete_ranges_ = 0;
  uint64_t delete_clock_ = 0;
  Columns columns_;
};

// A whole update in memory. Its views point into the bytes that were read and into `scratch`.
struct DecodedUpdate {
  std::vector<DecodedStruct> structs;  // in the order written; skips included
  std::vector<ClientBlock> blocks;     // of at least one struct each
  std::vector<IdRange> deletes;        // in the order written, neither sorted nor joined
  Scratch scratch;

  void clear();  // keeps the memory
};

// Clears `out`, keeps its memory, and reads all of `update` into it. kCrdtMalformed, kCrdtLimit:
// `out` is cleared.
Status read_update(ByteView update, UpdateFormat format, DecodedUpdate& out,
                   const UpdateLimits& limits = {});

}  // namespace footlight::crdt
