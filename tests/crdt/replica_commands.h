// The commands of the replica program, in step with lib/commands.mjs, which says what each takes
// and answers.
#pragma once
#include <cstdint>

namespace footlight::crdt::replica {

enum class Command : uint64_t {
  kReset = 0,
  kNewDoc = 1,
  kFreeDoc = 2,
  kSetClient = 3,
  kBegin = 4,
  kEnd = 5,
  kApply = 6,
  kEncode = 7,
  kStateVector = 8,
  kJson = 10,
  kRoot = 13,
  kMerge = 14,
  kDiff = 15,
  kVectorOf = 16,
  kConvert = 17,
  kSnapshot = 18,
  kRestore = 19,
  kDeltaAt = 20,
  kRelative = 21,
  kAbsolute = 22,
  kUndoNew = 23,
  kUndo = 24,
  kRedo = 25,
  kUndoStop = 26,
  kUndoClear = 27,
  kEvents = 28,
  kTakeEvents = 29,
  kSubdocs = 30,
  kAwarenessNew = 31,
  kAwarenessApply = 33,
  kAwarenessEncode = 34,
  kAwarenessStates = 35,
  kSyncStep1 = 36,
  kSyncRead = 37,
  kPending = 38,

  kMapSet = 64,
  kMapDelete = 65,
  kMapClear = 66,
  kListInsert = 67,
  kListDelete = 68,
  kListPush = 69,
  kTextInsert = 70,
  kTextEmbed = 71,
  kTextDelete = 72,
  kTextFormat = 73,
  kTextDeltaApply = 74,
  kAttributeSet = 75,
  kAttributeDelete = 76,
};

}  // namespace footlight::crdt::replica
