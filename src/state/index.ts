/** The room's face: state <-> skeleton and regions. docs/skeleton.md says what the bytes are. */

export { isTransferable, noteTransferred } from './buffers.js';
export { compareSkeletons, type StateDiff, type ValueDiff } from './compare.js';
export { type DecodeOptions, type RegionNeed, Restoration } from './decode.js';
export { type RegionRole, StateDocument, wordsOf } from './document.js';
export { type EncodedState, type EncoderOptions, StateEncoder } from './encode.js';
export type { AnyBuffer } from './intrinsics.js';
export { stateAt } from './paths.js';
export { RegionPatch, type RegionSource } from './region-sources.js';
export type { Region } from './regions.js';
export {
  ClassRegistry,
  snapDecode,
  snapEncode,
  snapMigrate,
  snapName,
  snapVersion,
} from './registry.js';
export type { WrittenRegion } from './to-json.js';
