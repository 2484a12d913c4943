/** Encoding and decoding with everything between them that a caller does: allocating and filling region buffers. */

import { strict as assert } from 'node:assert';
import { isSnapError, type SnapErrorCode } from '../../src/base/errors.js';
import {
  type AnyBuffer,
  ClassRegistry,
  type DecodeOptions,
  type Region,
  type RegionNeed,
  type RegionSource,
  Restoration,
  StateEncoder,
} from '../../src/state/index.js';

export interface Saved {
  skeleton: Uint8Array;
  regions: Region[];
  /** The regions' bytes at the time. */
  bytes: Uint8Array[];
}

export function save(state: unknown, classes: Iterable<object> = [], inlineBytes?: number): Saved {
  const options = inlineBytes === undefined ? {} : { inlineBytes };
  const encoder = new StateEncoder(new ClassRegistry(classes as Iterable<() => void>), options);
  const { skeleton, regions } = encoder.encode(state);
  return { skeleton: skeleton.slice(), regions, bytes: regions.map(({ bytes }) => new Uint8Array(bytes)) };
}

/** A buffer of the kind that a region asks for. */
export function allocate({ shared, byteLength, maxByteLength }: RegionNeed): AnyBuffer {
  const kind = shared ? SharedArrayBuffer : ArrayBuffer;
  const args = maxByteLength === undefined ? [byteLength] : [byteLength, { maxByteLength }];
  return Reflect.construct(kind, args) as AnyBuffer;
}

/** Buffers that hold the bytes of all regions. */
export function sources(saved: Saved): AnyBuffer[] {
  return needsOf(saved).map((need, i) => filled(need, saved, i));
}

/** The same, but of those regions alone that `only` wants. */
export function wantedSources(saved: Saved, only: readonly string[]): (AnyBuffer | undefined)[] {
  return needsOf(saved, only).map((need, i) => (need.wanted ? filled(need, saved, i) : undefined));
}

function filled(need: RegionNeed, saved: Saved, index: number): AnyBuffer {
  const buffer = allocate(need);
  new Uint8Array(buffer).set(saved.bytes[index] as Uint8Array);
  return buffer;
}

export function needsOf({ skeleton }: { skeleton: Uint8Array }, only?: readonly string[]): RegionNeed[] {
  return new Restoration(skeleton, new ClassRegistry(), only && { only }).regions;
}

/** Indexes of the regions that `only` wants. */
export function regionsFor(saved: { skeleton: Uint8Array }, only: readonly string[]): number[] {
  return needsOf(saved, only).flatMap(({ wanted }, index) => (wanted ? index : []));
}

export function decodeState(
  skeleton: Uint8Array,
  regions: readonly (RegionSource | undefined)[],
  registry: ClassRegistry,
  options: DecodeOptions = {},
): unknown {
  return new Restoration(skeleton, registry, options).finish(regions);
}

export function load(saved: Saved, classes: Iterable<object> = [], options: DecodeOptions = {}): unknown {
  const registry = new ClassRegistry(classes as Iterable<() => void>);
  return decodeState(saved.skeleton, sources(saved), registry, options);
}

export function roundTrip<T>(state: T, classes: Iterable<object> = [], inlineBytes?: number): T {
  return load(save(state, classes, inlineBytes), classes) as T;
}

/** Asserts that `action` throws a SnapError of this code and path whose message says this. */
export function assertRefused(
  action: () => unknown,
  code: SnapErrorCode,
  path: string | undefined,
  says: RegExp,
): void {
  assert.throws(action, (error: unknown) => {
    assert.ok(isSnapError(error), `a SnapError, not ${String(error)} ${(error as Error)?.stack}`);
    assert.equal(error.code, code, error.message);
    assert.equal(error.path, path, error.message);
    assert.match(error.message, says);
    return true;
  });
}
