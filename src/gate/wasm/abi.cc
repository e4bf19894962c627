// The module's exports: memory goes in and out as (address, length); one call at a time.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "gate/wasm/facade.h"

namespace {
footlight::gate::Facade& facade() {
  static footlight::gate::Facade instance;
  return instance;
}
std::string& reply() {
  static std::string text;
  return text;
}
}  // namespace

// Debian's wasm libc++ is built with the stack protector; wasi-libc does not define what it calls.
extern "C" {
uintptr_t __stack_chk_guard = 0x00000aff;
[[noreturn]] void __stack_chk_fail() { __builtin_trap(); }

[[clang::export_name("fl_alloc")]] void* fl_alloc(size_t size) { return std::malloc(size); }
[[clang::export_name("fl_free")]] void fl_free(void* at) { std::free(at); }

// Answers the request; the reply stands at fl_reply() until the next call. Returns its length.
[[clang::export_name("fl_call")]] size_t fl_call(const char* request, size_t size) {
  reply() = facade().call({request, size});
  return reply().size();
}
[[clang::export_name("fl_reply")]] const char* fl_reply() { return reply().data(); }
}
