/** The verifier as a module, for Node and for pages: `verify(await file.text())`. */
export { Verifier, verify, type Options } from './verifier.ts';
export {
  SECTIONS,
  reportLines,
  type PollReport,
  type Problem,
  type ReceiptReport,
  type Report,
  type Section,
} from './report.ts';
export {
  DiceError,
  parseDice,
  roll,
  type CritRule,
  type Dialect,
  type Die,
  type Roll,
} from './dice.ts';
export { FairDice, commitment, isNonce } from './fairness.ts';
