#include "proto/codes/codes_doc.h"

#include <string_view>

#include "core/codes.h"
#include "core/json.h"
#include "proto/http_status.h"
#include "proto/messages.h"

namespace footlight::proto {
namespace {

constexpr Code kAllCodes[] = {
#define X(name, number, sentence) Code::name,
    FOOTLIGHT_CODES(X)
#undef X
};

struct Section {
  int first;
  std::string_view title;
};
constexpr Section kSections[] = {
    {4000, "Protocol"},
    {4100, "Token and rights"},
    {4200, "Admission"},
    {4300, "Polls and story"},
    {4400, "Dice, characters, rules"},
    {4500, "Chat, captions and moderation"},
    {4600, "Event log and storage"},
    {4700, "Configuration and files"},
    {4800, "Command line and operations"},
    {4900, "The server's life"},
};

// "kPollClosed" → "PollClosed"
std::string_view public_name(Code code) { return code_name(code).substr(1); }

}  // namespace

std::string errors_markdown() {
  std::string out =
      "<!-- Generated from src/core/codes.h by `footlight_codes --markdown`; do not edit. -->\n"
      "# Errors\n\n"
      "Every fault has one number, the same over WebSocket (as the close code, or in `error`, "
      "`bye` and\n"
      "`ack.rejected`), over HTTP (in the body, with the status below), on the command line and in "
      "the logs.\n"
      "*Ends* marks the faults of a frame that end the session: what follows such a frame cannot "
      "be trusted.\n";
  size_t section = 0;
  for (const Code code : kAllCodes) {
    const int number = static_cast<int>(code);
    if (section < std::size(kSections) && number >= kSections[section].first) {
      out += "\n## ";
      out += kSections[section++].title;
      out += "\n\n| code | name | HTTP | what happened, what to do |\n|---|---|---|---|\n";
    }
    out += "| " + std::to_string(number) + " | `";
    out += public_name(code);
    out += "` | " + std::to_string(http_status(code)) + " | ";
    out += code_sentence(code);
    if (ends_session(code)) out += " *Ends.*";
    out += " |\n";
  }
  return out;
}

std::string codes_typescript() {
  std::string out =
      "// Generated from src/core/codes.h by `footlight_codes --typescript`; do not edit.\n\n"
      "/** The numbers by name. */\nexport const Codes = {\n";
  for (const Code code : kAllCodes) {
    out += "  ";
    out += public_name(code);
    out += ": " + std::to_string(static_cast<int>(code)) + ",\n";
  }
  out +=
      "} as const;\n\nexport type CodeName = keyof typeof Codes;\n"
      "export type Code = (typeof Codes)[CodeName];\n\n"
      "/** Name and sentence of every number; see docs/errors.md. */\n"
      "export const codes: Readonly<Record<number, { name: CodeName; sentence: string }>> = {\n";
  for (const Code code : kAllCodes) {
    out += "  " + std::to_string(static_cast<int>(code)) + ": { name: ";
    append_json_string(out, public_name(code));
    out += ", sentence: ";
    append_json_string(out, code_sentence(code));
    out += " },\n";
  }
  return out + "};\n";
}

}  // namespace footlight::proto
