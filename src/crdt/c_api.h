/* Footlight's shared documents for C and for whatever calls C.
 *
 * Functions return 0 or a number of docs/errors.md; out-parameters are written only on 0. Text is
 * UTF-8 with a length; positions in text are UTF-16 code units, as in Yjs. Values cross as JSON.
 * Memory: what a function fills into an fl_bytes is freed with fl_bytes_free. A document and all
 * that hangs from it belongs to one thread at a time; an fl_type is a plain value that needs no
 * freeing and says fl_type_alive() == 0 once its type was deleted.
 */
#ifndef FOOTLIGHT_CRDT_C_API_H
#define FOOTLIGHT_CRDT_C_API_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fl_doc fl_doc;
typedef struct fl_undo fl_undo;
typedef struct {
  uint8_t* data;
  size_t size;
} fl_bytes;
typedef struct {
  uint64_t opaque[2];
} fl_type;

/* Kinds of shared types, as on the wire. */
enum {
  FL_ARRAY = 0,
  FL_MAP = 1,
  FL_TEXT = 2,
  FL_XML_ELEMENT = 3,
  FL_XML_FRAGMENT = 4,
  FL_XML_HOOK = 5,
  FL_XML_TEXT = 6
};
/* Update formats. */
enum { FL_V1 = 1, FL_V2 = 2 };

void fl_bytes_free(fl_bytes* bytes);
/* The sentence of an error number; "" for 0 and unknown numbers. */
const char* fl_error_text(int code);

/* `client`: 0 to 2^53 - 1, unique among all replicas that write. `gc` != 0: forget what is deleted.
 */
fl_doc* fl_doc_new(uint64_t client, int gc);
void fl_doc_free(fl_doc* doc);
uint64_t fl_doc_client(const fl_doc* doc);
int fl_doc_apply(fl_doc* doc, const uint8_t* update, size_t size, int format, uint64_t origin);
/* `vector` may be NULL (size 0): everything. */
int fl_doc_encode(const fl_doc* doc, int format, const uint8_t* vector, size_t size, fl_bytes* out);
int fl_doc_state_vector(const fl_doc* doc, fl_bytes* out);
int fl_doc_json(const fl_doc* doc, fl_bytes* out);
/* A root, made when asked for first. */
int fl_doc_root(fl_doc* doc, const char* name, size_t size, int kind, fl_type* out);
/* What happens between begin and end is one transaction; they nest. */
void fl_doc_begin(fl_doc* doc, uint64_t origin);
void fl_doc_end(fl_doc* doc);
typedef void (*fl_update_fn)(void* context, const uint8_t* update, size_t size, uint64_t origin,
                             int local);
/* Returns the observer's number for fl_doc_unobserve, never 0. */
uint64_t fl_doc_on_update(fl_doc* doc, int format, fl_update_fn call, void* context);
void fl_doc_unobserve(fl_doc* doc, uint64_t observer);
uint64_t fl_doc_memory_bytes(const fl_doc* doc);

int fl_type_alive(fl_type type);
int fl_type_kind(fl_type type); /* one of the kinds, or -1 */
int fl_type_json(fl_type type, fl_bytes* out);
uint64_t fl_type_size(fl_type type); /* keys, elements or UTF-16 units */

int fl_map_set(fl_type map, const char* key, size_t key_size, const char* json, size_t json_size);
/* A new, empty type at the key; its handle in *out. `name` for XML elements and hooks, else NULL.
 */
int fl_map_set_type(fl_type map, const char* key, size_t key_size, int kind, const char* name,
                    fl_type* out);
int fl_map_get(fl_type map, const char* key, size_t key_size, fl_bytes* out); /* JSON */
int fl_map_get_type(fl_type map, const char* key, size_t key_size, fl_type* out);
int fl_map_erase(fl_type map, const char* key, size_t key_size);

/* `json` is an array: its elements are inserted. Arrays only. */
int fl_array_insert(fl_type array, uint64_t index, const char* json, size_t json_size);
int fl_array_insert_type(fl_type list, uint64_t index, int kind, const char* name, fl_type* out);
int fl_array_get(fl_type list, uint64_t index, fl_bytes* out);
int fl_array_get_type(fl_type list, uint64_t index, fl_type* out);
int fl_array_erase(fl_type list, uint64_t index, uint64_t count);

/* `attributes`: a JSON object, or NULL for the formats around the place. */
int fl_text_insert(fl_type text, uint64_t index, const char* utf8, size_t size,
                   const char* attributes, size_t attributes_size);
int fl_text_erase(fl_type text, uint64_t index, uint64_t length);
int fl_text_format(fl_type text, uint64_t index, uint64_t length, const char* attributes,
                   size_t attributes_size);
int fl_text_string(fl_type text, fl_bytes* out);
int fl_text_delta(fl_type text, fl_bytes* out); /* JSON */

/* Undo of changes in `scope` (NULL, 0: the whole document) made with origin 0 or by the manager.
 * Every transaction is a step of its own. Free it before the document. */
fl_undo* fl_undo_new(fl_doc* doc, const fl_type* scope, size_t count);
void fl_undo_free(fl_undo* undo);
int fl_undo_undo(fl_undo* undo); /* 1 when something was undone, else 0 */
int fl_undo_redo(fl_undo* undo);

/* Updates without a document. */
int fl_merge_updates(const fl_bytes* updates, size_t count, int format, fl_bytes* out);
int fl_diff_update(const uint8_t* update, size_t size, int format, const uint8_t* vector,
                   size_t vector_size, fl_bytes* out);

#ifdef __cplusplus
}
#endif
#endif
