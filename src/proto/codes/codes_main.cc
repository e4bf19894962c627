// footlight_codes --markdown > docs/errors.md; footlight_codes --typescript > sdk/src/codes.ts
#include <cstdio>
#include <cstring>

#include "proto/codes/codes_doc.h"

int main(int argc, char** argv) {
  using namespace footlight::proto;
  std::string text;
  if (argc == 2 && std::strcmp(argv[1], "--markdown") == 0) text = errors_markdown();
  if (argc == 2 && std::strcmp(argv[1], "--typescript") == 0) text = codes_typescript();
  if (text.empty()) {
    std::fputs("usage: footlight_codes --markdown | --typescript\n", stderr);
    return 2;
  }
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}
