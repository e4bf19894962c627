#include "proto/http_status.h"

#include "core/json.h"
#include "proto/messages.h"

namespace footlight::proto {
namespace {

// The table's ranges, where one status fits a whole range.
int status_of_range(int code) {
  switch (code / 100) {
    case 40:
      return 400;
    case 41:
      return 401;
    case 42:
      return 429;
    case 43:
    case 44:
      return 409;
    case 45:
      return 403;
    case 46:
      return 503;
    case 49:
      return 503;
    default:
      return 500;  // 47xx, 48xx: the operator's, never a client's
  }
}

// 0: another's.
int status_of_board(Code code) {
  switch (code) {
    case Code::kBoardUnknown:
    case Code::kBoardHistory:
      return 404;
    case Code::kBoardUpdateTooLarge:
    case Code::kBoardAwareness:
      return 413;
    case Code::kBoardForeignClient:
    case Code::kBoardForbidden:
    case Code::kBoardReadOnly:
      return 403;
    case Code::kBoardGap:
    case Code::kBoardFull:
    case Code::kBoardNotOpen:
    case Code::kBoardTooMany:
      return 409;
    case Code::kBoardMalformed:
    case Code::kBoardTooDeep:
      return 422;
    default:
      return 0;
  }
}

int status_of_media(Code code) {
  switch (code) {
    case Code::kTrackUnknown:
      return 404;
    case Code::kTrackLimit:
    case Code::kTrackExists:
    case Code::kSdpChanged:
      return 409;
    case Code::kSdpState:
      return 412;
    case Code::kSdpTooLarge:
      return 413;
    case Code::kSdpSyntax:
    case Code::kSdpTransport:
    case Code::kTrackCodec:
      return 422;
    case Code::kMediaOff:
      return 404;
    case Code::kMediaPublish:
    case Code::kMediaSubscribe:
    case Code::kMediaTracks:
      return 403;
    case Code::kRecordDiskFull:
      return 507;
    default:
      return 0;
  }
}

int status_of_program(Code code) {
  switch (code) {
    case Code::kProgramOff:
    case Code::kProgramUnknown:
    case Code::kProgramGone:
      return 404;
    case Code::kProgramDirective:
    case Code::kProgramAhead:
      return 400;
    case Code::kProgramLate:
    case Code::kProgramCrowded:
      return 503;
    default:
      return 0;
  }
}

int status_of_caption(Code code) {
  switch (code) {
    case Code::kCaptionText:
    case Code::kCaptionLang:
    case Code::kCaptionTime:
      return 422;
    case Code::kCaptionUnknown:
      return 404;
    default:
      return 0;
  }
}

}  // namespace

int http_status(Code code) {
  if (const int of_program = status_of_program(code); of_program != 0) return of_program;
  if (const int of_media = status_of_media(code); of_media != 0) return of_media;
  if (const int of_caption = status_of_caption(code); of_caption != 0) return of_caption;
  if (const int of_boards = status_of_board(code); of_boards != 0) return of_boards;
  switch (code) {
    case Code::kOk:
      return 200;
    case Code::kFrameTooLarge:
    case Code::kBatchTooLarge:
    case Code::kChatTooLong:
      return 413;
    case Code::kUnknownVersion:
      return 426;
    case Code::kHelloTimeout:
      return 408;
    case Code::kEventIdReused:
    case Code::kEventIdStale:
    case Code::kSessionReplaced:
      return 409;
    case Code::kUnknownSession:
    case Code::kNotFound:
    case Code::kEpisodeUnknown:
    case Code::kPollUnknown:
    case Code::kSceneUnknown:
    case Code::kTimerUnknown:
    case Code::kCharacterUnknown:
    case Code::kChatUnknown:
    case Code::kPersonUnknown:
      return 404;
    case Code::kMethodNotAllowed:
      return 405;
    case Code::kTokenForeignEpisode:
    case Code::kForbidden:
    case Code::kForeignVoter:
    case Code::kTokenChanged:
    case Code::kNotEligible:
    case Code::kCharacterForeign:
    case Code::kKicked:
      return 403;
    case Code::kServerFull:
    case Code::kOverloaded:
      return 503;
    case Code::kOptionUnknown:
    case Code::kTooManyChoices:
    case Code::kChoiceUnknown:
    case Code::kDiceSyntax:
    case Code::kDiceTooLarge:
    case Code::kDiceNonce:
    case Code::kItemUnknown:
    case Code::kFieldUnknown:
    case Code::kConditionUnknown:
    case Code::kEmoteUnknown:
    case Code::kEpisodeSyntax:
    case Code::kEpisodeField:
    case Code::kEpisodeReference:
    case Code::kEpisodeLimit:
      return 422;
    case Code::kChatSlow:
      return 429;
    case Code::kDiskFull:
      return 507;
    case Code::kInternal:
      return 500;
    default:
      return code_sentence(code).empty() ? 500 : status_of_range(static_cast<int>(code));
  }
}

std::string error_json(const Error& error) {
  std::string out;
  JsonWriter json(out);
  json.object().field("code", static_cast<int64_t>(error.code));
  json.field("message", std::string_view(peer_message(error)));
  json.field("retry_after_ms", error.retry_after_ms).end_object();
  return out;
}

}  // namespace footlight::proto
