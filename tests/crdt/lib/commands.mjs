// The commands of the replica program, in step with replica_commands.h.
export const C = {
  reset: 0, // forget everything
  newDoc: 1, // doc, client, gc
  freeDoc: 2, // doc
  setClient: 3, // doc, client
  begin: 4, // doc, origin: a transaction of the commands up to end
  end: 5, // -> the updates emitted
  apply: 6, // doc, version, update, origin -> the updates emitted
  encode: 7, // doc, version, state vector (may be empty) -> update
  stateVector: 8, // doc -> state vector
  json: 10, // type -> any
  root: 13, // doc, kind, name: define a root type
  merge: 14, // version, n, updates -> update
  diff: 15, // version, update, state vector -> update
  vectorOf: 16, // version, update -> state vector
  convert: 17, // from version, update -> update of the other version
  snapshot: 18, // doc, version -> snapshot
  restore: 19, // doc, version, snapshot, new doc: a document as of the snapshot
  deltaAt: 20, // type, version, snapshot, previous snapshot (both may be empty) -> any
  relative: 21, // type, index, assoc (0 or 1: left) -> encoded relative position
  absolute: 22, // doc, encoded relative position -> any: null or [index, assoc, length of the type]
  undoNew: 23, // doc, manager, capture timeout, all (0, 1), n, types; n origins
  undo: 24, // doc, manager -> any done, updates emitted
  redo: 25,
  undoStop: 26, // manager
  undoClear: 27, // doc, manager -> updates emitted
  events: 28, // doc, on (0, 1): keep the events of every transaction
  takeEvents: 29, // doc -> any: list of events
  subdocs: 30, // doc -> any: sorted guids
  awarenessNew: 31, // awareness
  awarenessApply: 33, // awareness, update, now_ms
  awarenessEncode: 34, // awareness, n, clients -> update
  awarenessStates: 35, // awareness -> any: client -> JSON text
  syncStep1: 36, // doc -> message
  syncRead: 37, // doc, message -> the answer's message, or nothing
  pending: 38, // doc -> any [structs pending, deletes pending]

  mapSet: 64, // type, key, content
  mapDelete: 65, // type, key
  mapClear: 66, // type
  listInsert: 67, // type, index, n, contents
  listDelete: 68, // type, index, length
  listPush: 69, // type, n, contents
  textInsert: 70, // type, index, string, has attributes, attributes
  textEmbed: 71, // type, index, content, has attributes, attributes
  textDelete: 72, // type, index, length
  textFormat: 73, // type, index, length, attributes
  textDeltaApply: 74, // type, n, operations
  attributeSet: 75, // type, name, any
  attributeDelete: 76, // type, name
};

// Content tags.
export const ANY = 0;
export const TYPE = 1; // kind, and a name for XML elements and hooks
export const DOC = 2; // guid, any options

// Kinds of types: yjs's type references.
export const KIND = { array: 0, map: 1, text: 2, element: 3, fragment: 4, hook: 5, xmltext: 6 };
