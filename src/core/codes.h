// Every numbered error of Footlight, once. The numbers lie in 4000..4999, the range RFC 6455 7.4.2
// leaves to applications, so that any of them can close a WebSocket as it stands.
//
//   40xx protocol   41xx token and rights   42xx admission   43xx polls and story
//   44xx dice, characters, rules   45xx chat and moderation   46xx event log and storage
//   47xx configuration and files, media (473x transport, 475x tracks,
//   478x program)   48xx command line and
//   operations   49xx the server's life
//
// docs/errors.md and sdk/src/codes.ts are generated from this table (`./dev fmt`), and a test
// checks it.
#pragma once
#include <cstdint>
#include <string_view>

// X(name, number, sentence: what happened and what to do)
#define FOOTLIGHT_CODES(X)                                                                         \
  X(kBadFrame, 4000, "The frame is not a JSON object of this protocol; see docs/protocol.md.")     \
  X(kFrameTooLarge, 4001, "The frame is larger than allowed; split the batch.")                    \
  X(kTooDeep, 4002, "The JSON is nested deeper than allowed; flatten it.")                         \
  X(kUnknownVersion, 4003, "This protocol version is not spoken here; update the client.")         \
  X(kHelloExpected, 4004, "The first message must be hello; send it before anything else.")        \
  X(kUnknownType, 4005, "The message type is unknown; it was ignored.")                            \
  X(kMissingField, 4006,                                                                           \
    "A required field is missing or has the wrong type; see docs/protocol.md.")                    \
  X(kFieldOutOfRange, 4007, "A field is outside its range; see docs/protocol.md.")                 \
  X(kEventIdReused, 4008, "This event id was used before with another body; use a new id.")        \
  X(kEventIdStale, 4009, "This event id is older than what the server remembers; use a new id.")   \
  X(kHelloTimeout, 4010, "No hello arrived in time; connect again.")                               \
  X(kBatchTooLarge, 4011, "Too many events in one message; send fewer.")                           \
  X(kUnknownCommand, 4012, "This kind of event is unknown; check its name.")                       \
  X(kBadUtf8, 4013, "The text is not valid UTF-8; encode it as UTF-8.")                            \
  X(kUnknownSession, 4014, "This session is not known here; open a new one.")                      \
  X(kBadWebSocket, 4015, "The WebSocket framing breaks RFC 6455; the connection is closed.")       \
  X(kBadRequest, 4016, "The HTTP request cannot be understood; see /v1/openapi.json.")             \
  X(kNotFound, 4017, "There is nothing at this address; see /v1/openapi.json.")                    \
  X(kMethodNotAllowed, 4018,                                                                       \
    "This address does not take that method; its Allow header names those it takes.")              \
  X(kHelloAgain, 4019,                                                                             \
    "This connection has said hello; send token for a fresh token, or open another connection.")   \
  X(kSrtpMalformed, 4060, "The media packet is too short or its header is wrong; it was dropped.") \
  X(kSrtpForged, 4061, "The media packet is not authentic; it was dropped.")                       \
  X(kSrtpReplayed, 4062, "The media packet came before or is too old; it was dropped.")            \
  X(kSrtpStreams, 4063, "The session uses more media streams than allowed; close some.")           \
  X(kSrtpExhausted, 4064, "The media key has been used up; connect again.")                        \
  X(kSrtpKey, 4065, "The media key does not have its profile's size.")                             \
  X(kDtlsFailed, 4066, "The DTLS handshake failed; connect again.")                                \
  X(kDtlsFingerprint, 4067, "The DTLS certificate is not the one the session description names.")  \
  X(kDtlsTimeout, 4068, "The DTLS handshake took too long; connect again.")                        \
  X(kDtlsClosed, 4069, "The DTLS connection is closed.")                                           \
  X(kSctpProtocol, 4070, "The peer broke the rules of SCTP; the data channels are closed.")        \
  X(kSctpTimeout, 4071, "The peer stopped answering; the data channels are closed.")               \
  X(kSctpClosed, 4072, "The data channels are closed.")                                            \
  X(kChannelUnknown, 4073, "No such data channel.")                                                \
  X(kChannelTooMany, 4074, "There are as many data channels as a session may have.")               \
  X(kChannelMessageSize, 4075, "The message is larger than the data channel takes.")               \
  X(kChannelFull, 4076, "The data channel's send buffer is full; wait and send again.")            \
  X(kTokenMalformed, 4100, "The token is not a JWT; ask for a new one.")                           \
  X(kTokenBadSignature, 4101, "The token's signature is wrong; ask for a new one.")                \
  X(kTokenExpired, 4102, "The token has expired; ask for a new one.")                              \
  X(kTokenNotYet, 4103, "The token is not valid yet; check the clock of its issuer.")              \
  X(kTokenUnknownKey, 4104, "The token names a key that is not known here; check the kid.")        \
  X(kTokenAlgorithm, 4105,                                                                         \
    "The token's algorithm is not accepted for its key; sign with the key's own.")                 \
  X(kTokenClaims, 4106, "The token lacks a claim or has a bad one; see docs/protocol.md.")         \
  X(kTokenForeignEpisode, 4107, "The token is for another episode; ask for one for this episode.") \
  X(kForbidden, 4108, "This role may not do that; it takes a token of another role.")              \
  X(kForeignVoter, 4109, "The vote names another voter; a session votes for itself only.")         \
  X(kTokenChanged, 4110,                                                                           \
    "A refreshed token must keep subject, episode and role; to change them, connect again.")       \
  X(kRateConnection, 4200, "This connection sends too fast; wait and send again.")                 \
  X(kRateVoter, 4201, "This account sends too fast; wait and send again.")                         \
  X(kRatePrefix, 4202, "Too much comes from this network; wait and send again.")                   \
  X(kRateEpisode, 4203, "The episode takes no more at this moment; wait and send again.")          \
  X(kJoinPaced, 4204, "Many are joining at once; wait and connect again.")                         \
  X(kServerFull, 4205, "This server is full; wait and connect again.")                             \
  X(kOverloaded, 4206, "The server sheds load; wait and send again.")                              \
  X(kEpisodeUnknown, 4300, "No such episode runs here; check its id.")                             \
  X(kEpisodeNotStarted, 4301, "The episode has not started; wait until it does.")                  \
  X(kEpisodeEnded, 4302, "The episode has ended; it can be read and verified.")                    \
  X(kPollUnknown, 4303, "No such poll; check its id.")                                             \
  X(kPollNotOpen, 4304, "The poll is not open; wait until it opens.")                              \
  X(kPollClosed, 4305, "The poll is closed; the vote came after its deadline.")                    \
  X(kPollAlreadyOpen, 4306, "The poll is open already; there is nothing to do.")                   \
  X(kOptionUnknown, 4307,                                                                          \
    "The vote names an option the poll does not have; choose one of its options.")                 \
  X(kTooManyChoices, 4308, "The vote names more options than the poll allows; choose fewer.")      \
  X(kVoteFinal, 4309, "Votes in this poll cannot be changed; the first one counts.")               \
  X(kVoteSuperseded, 4310,                                                                         \
    "A vote of the same voter with this number or a later one counts; number a new one higher.")   \
  X(kSceneUnknown, 4311, "No such scene; check its id.")                                           \
  X(kChoiceUnknown, 4312, "The scene has no such choice; take one of its own.")                    \
  X(kEpisodeStarted, 4313, "The episode has started already; there is nothing to do.")             \
  X(kTimerUnknown, 4314, "No such timer; check its id.")                                           \
  X(kTooMany, 4315, "There are as many of these as the episode may hold; end or remove one.")      \
  X(kNotEligible, 4316, "This role has no vote in this poll; the poll's weights say who has.")     \
  X(kDiceSyntax, 4400, "The dice expression cannot be read; see docs/formats/dice.md.")            \
  X(kDiceTooLarge, 4401, "The roll has too many dice or sides; roll fewer.")                       \
  X(kDiceNonce, 4402,                                                                              \
    "The roll's nonce must be 16 to 64 hexadecimal digits, never used before; make a new one.")    \
  X(kCharacterUnknown, 4410, "No such character; check its id.")                                   \
  X(kCharacterForeign, 4411,                                                                       \
    "This character belongs to another player; change your own, or ask the GM.")                   \
  X(kVersionConflict, 4412, "The character changed meanwhile; look at it and try again.")          \
  X(kItemUnknown, 4413,                                                                            \
    "The character does not have that item, or not so many; look at what it carries.")             \
  X(kFieldUnknown, 4414, "The character has no such field; check its name.")                       \
  X(kConditionUnknown, 4415, "No such condition in this episode; the episode file lists them.")    \
  X(kRuleFuel, 4420, "The episode's rules ran out of fuel; the command was refused whole.")        \
  X(kRuleError, 4421, "A rule of the episode failed; the command was refused whole.")              \
  X(kMuted, 4500, "You are muted; wait until the mute ends.")                                      \
  X(kBanned, 4501, "You are banned from this episode; only its crew can lift that.")               \
  X(kChatSlow, 4502, "Slow mode: wait before the next message.")                                   \
  X(kChatTooLong, 4503, "The message is too long; shorten it.")                                    \
  X(kChatUnknown, 4504, "No such message; it may be deleted already.")                             \
  X(kEmoteUnknown, 4505, "No such emote; the episode file lists them.")                            \
  X(kPersonUnknown, 4506, "No such person; check the id.")                                         \
  X(kCaptionText, 4507, "A caption is 1 to 200 characters in one or two lines; say it in parts.")  \
  X(kCaptionLang, 4508, "The language is no BCP 47 tag of at most 16 characters; say en, pt-BR.")  \
  X(kCaptionTime, 4509,                                                                            \
    "A caption's words were spoken in the last 30 s; correct at_ms, or leave it out.")             \
  X(kCaptionUnknown, 4510, "No such caption among the last 20; it may be taken back already.")     \
  X(kLogHalted, 4600,                                                                              \
    "The event log cannot be written; the episode accepts nothing until an operator restarts it.") \
  X(kLogCorrupt, 4601, "The event log is damaged; restore a copy. Nothing was truncated.")         \
  X(kLogOpen, 4602, "The event log cannot be opened; check path and permissions.")                 \
  X(kLogReadOnly, 4603, "The data directory is read-only; make it writable.")                      \
  X(kDiskFull, 4604, "The disk is full; free space and restart the episode. Reading goes on.")     \
  X(kLogFormat, 4605,                                                                              \
    "The file is not an episode log of a known version; restore a copy, or move it away.")         \
  X(kLogFenced, 4606, "Another owner has taken this episode; this one stops.")                     \
  X(kLogLocked, 4607, "Another process holds this episode file; stop it first.")                   \
  X(kBoardUnknown, 4620, "This episode has no such board; check its id.")                          \
  X(kBoardForeignClient, 4621, "The edit uses another account's client id; use the one given.")    \
  X(kBoardForbidden, 4622,                                                                         \
    "This role may not change that part of the board; the episode file says who may.")             \
  X(kBoardMalformed, 4623, "The board message cannot be read; see docs/protocol.md.")              \
  X(kBoardUpdateTooLarge, 4624, "The edit is more than a board takes at once; make smaller ones.") \
  X(kBoardTooDeep, 4625, "The edit nests deeper than a board holds; make it flatter.")             \
  X(kBoardGap, 4626, "The edit builds on what the server lacks; the server asks for it.")          \
  X(kBoardFull, 4627, "The board is as large as it may be; delete something.")                     \
  X(kBoardReadOnly, 4628, "This board is written by the server alone; change what it mirrors.")    \
  X(kBoardNotOpen, 4629, "The board is not open in this session; open it first.")                  \
  X(kBoardTooMany, 4630, "This session has as many boards open as it may; close one.")             \
  X(kBoardAwareness, 4631, "The awareness state is too large; send less.")                         \
  X(kBoardHistory, 4632, "The board has no history at that point; ask for the points there are.")  \
  X(kBoardDamaged, 4633, "The stored board is damaged; restore a copy of the episode.")            \
  X(kBoardRenewed, 4634, "The board has begun anew; take an empty document, this copy is void.")   \
  X(kCrdtMalformed, 4640, "The document update cannot be read; it was refused whole.")             \
  X(kCrdtLimit, 4641, "The document update holds more than allowed; it was refused whole.")        \
  X(kCrdtRange, 4642, "The position is outside the list.")                                         \
  X(kCrdtGone, 4643, "The shared type was deleted; look it up again.")                             \
  X(kCrdtType, 4644, "The shared type is of another kind.")                                        \
  X(kCrdtSnapshot, 4645, "The document does not hold that moment of its history.")                 \
  X(kConfigSyntax, 4700, "The configuration cannot be read; correct it at the place named.")       \
  X(kConfigValue, 4701, "A configuration value is wrong; see docs/configuration.md.")              \
  X(kEpisodeSyntax, 4710, "The episode file is not valid YAML; correct it at the place named.")    \
  X(kEpisodeField, 4711,                                                                           \
    "The episode file has a wrong or missing field; see docs/formats/episode-file.md.")            \
  X(kEpisodeReference, 4712,                                                                       \
    "The episode file names something it does not define; define it, or correct the name.")        \
  X(kEpisodeLimit, 4713,                                                                           \
    "The episode file holds more than allowed; see docs/formats/episode-file.md.")                 \
  X(kKeyFile, 4720, "The key file cannot be used; see docs/configuration.md, keys.")               \
  X(kCertificate, 4721,                                                                            \
    "The TLS certificate or key cannot be used; give both in PEM, the whole chain first.")         \
  X(kSdpSyntax, 4730, "The session description cannot be read.")                                   \
  X(kSdpTooLarge, 4731, "The session description is larger than allowed; offer fewer tracks.")     \
  X(kSdpTransport, 4732, "The offer must use BUNDLE, rtcp-mux, ICE and a DTLS fingerprint.")       \
  X(kSdpChanged, 4733, "The new offer does not keep the order and kind of the earlier m-lines.")   \
  X(kSdpState, 4734, "A description of this kind is not expected now.")                            \
  X(kIceFrame, 4735, "A frame on the media connection is larger than allowed; it was closed.")     \
  X(kIceConsent, 4736, "Nothing was heard from the media peer; connect again.")                    \
  X(kMediaMalformed, 4737, "The media datagram cannot be read; it was dropped.")                   \
  X(kMediaStranger, 4738, "The datagram belongs to no session; it was dropped.")                   \
  X(kMediaUnknownStream, 4739, "The media packet belongs to no offered track; it was dropped.")    \
  X(kTrackUnknown, 4750, "No such track.")                                                         \
  X(kTrackLimit, 4751, "There are as many tracks or subscriptions as the room may hold.")          \
  X(kTrackExists, 4752, "The track is published or subscribed already.")                           \
  X(kTrackCodec, 4753, "The subscriber cannot decode this track's codec.")                         \
  X(kMediaPublish, 4754, "This token does not let its holder publish.")                            \
  X(kMediaSubscribe, 4755, "This token does not let its holder watch.")                            \
  X(kMediaTracks, 4756, "This token does not let its holder publish that kind.")                   \
  X(kMediaOff, 4757, "This node carries no voice and video.")                                      \
  X(kRelaySilent, 4758, "The TURN relay does not answer.")                                         \
  X(kRelayRefused, 4759, "The TURN relay does not serve the credentials it was given.")            \
  X(kRecordDiskFull, 4770,                                                                         \
    "The disk has no room for the recording; it stopped. The call goes on.")                       \
  X(kRecordIo, 4771, "A file of the recording failed; the recording stopped. The call goes on.")   \
  X(kRecordLimit, 4772, "The recording is as large as it may be and stopped. The call goes on.")   \
  X(kRecordFormat, 4773, "The file is no recording of a known version, or it is damaged.")         \
  X(kRecordEmpty, 4774, "The recording holds nothing that can be exported.")                       \
  X(kMediaExport, 4775, "The recording cannot be written in that form.")                           \
  X(kProgramOff, 4780, "This episode has no program stream now; ask again.")                       \
  X(kProgramUnknown, 4781, "This program has no such rendition, file or epoch.")                   \
  X(kProgramGone, 4782, "That part of the program is not kept here, or is not made yet.")          \
  X(kProgramDirective, 4783, "The _HLS_ directives of the request cannot be understood.")          \
  X(kProgramAhead, 4784, "The playlist that was asked for lies too far ahead.")                    \
  X(kProgramLate, 4785, "The program did not go on in time; ask again.")                           \
  X(kProgramCrowded, 4786, "Too many requests wait for this program; ask again.")                  \
  X(kFeedHello, 4787, "The program's description breaks a rule; the stream was refused.")          \
  X(kFeedRendition, 4788, "The feed names a rendition it did not describe.")                       \
  X(kFeedOrder, 4789, "The unit is not the next of its rendition; it was refused.")                \
  X(kFeedTime, 4790, "The unit's time does not follow; it was refused.")                           \
  X(kFeedOverrun, 4791, "The part is longer than the stream's part target; it was refused.")       \
  X(kFeedBroken, 4792, "The unit is not one moof and its mdat; it was refused.")                   \
  X(kFeedTooLarge, 4793, "The unit or cue is larger than a program holds; it was refused.")        \
  X(kFeedLag, 4794, "The rendition fell behind the others; new viewers are not sent to it.")       \
  X(kFeedEnded, 4795, "The program has ended; a new one needs a new epoch.")                       \
  X(kPushFailed, 4796, "The program could not be pushed; it goes on without.")                     \
  X(kPushFull, 4797, "The place the program is pushed to is full; it goes on without.")            \
  X(kPushBehind, 4798, "Pushing fell behind the program; what was too old was left out.")          \
  X(kCueForged, 4799, "The cue was not made by this server for this episode; it was ignored.")     \
  X(kPortBusy, 4800, "The port is taken; stop the other process or choose another port.")          \
  X(kFileDescriptors, 4801, "Too few file descriptors; raise `ulimit -n`.")                        \
  X(kUsage, 4802, "The command line is wrong; see `footlight --help`.")                            \
  X(kBudgetBroken, 4803, "A latency budget was not held; the lines marked ! say which.")           \
  X(kVerifyFailed, 4804, "The log does not verify; keep it as evidence and restore a copy.")       \
  X(kUnreachable, 4805, "The server cannot be reached; check that it runs, and its address.")      \
  X(kIo, 4806, "A file or socket operation failed; what follows says which.")                      \
  X(kFeedMalformed, 4810, "A frame between node and compositor cannot be read; it is restarted.")  \
  X(kFeedFrameTooLarge, 4811,                                                                      \
    "A frame between node and compositor is too large; it is restarted.")                          \
  X(kFeedVersion, 4812,                                                                            \
    "Node and footlight-media differ in version; install both from one build.")                    \
  X(kCompositorEnded, 4813, "The compositor ended; it is started again.")                          \
  X(kCompositorSilent, 4814, "The compositor stopped answering; it is started again.")             \
  X(kCompositorSetup, 4815, "The compositor cannot start: an encoder, a font or an address.")      \
  X(kDraining, 4900, "The server is going down for maintenance; connect again as advised.")        \
  X(kSlowConsumer, 4901, "This connection reads too slowly and was cut; resume where it stopped.") \
  X(kSessionReplaced, 4902, "The same client opened another session.")                             \
  X(kIdle, 4903, "Nothing was heard from this connection; connect again.")                         \
  X(kInternal, 4904, "The server could not do this; the fault is ours and was logged.")            \
  X(kKicked, 4905, "The producer ended this session.")

namespace footlight {

enum class Code : uint16_t {
  kOk = 0,
#define X(name, number, sentence) name = number,
  FOOTLIGHT_CODES(X)
#undef X
};

// The table's sentence for `code`; "" for kOk and unknown numbers.
std::string_view code_sentence(Code code);
// The name in the table, e.g. "kPollClosed"; "kOk" for kOk and unknown numbers.
std::string_view code_name(Code code);

}  // namespace footlight
