/** Encoding and decoding with everything between them that a caller does: allocating and filling region buffers. */

import { strict as assert } from 'node:assert';
import { isSnapError, type SnapErrorCode } from '../../src/base/errors.js';
import {
  ClassRegistry,
  type DecodeOptions,
  decodeState,
  inspectSkeleton,
  type Region,
  type RegionSource,
  type RegionSummary,
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
export function allocate(summary: RegionSummary): RegionSource {
  const kind = summary.shared ? SharedArrayBuffer : ArrayBuffer;
  const { byteLength, maxByteLength } = summary;
  const args = maxByteLength === undefined ? [byteLength] : [byteLength, { maxByteLength }];
  return Reflect.construct(kind, args) as RegionSource;
}

export function sources(saved: Saved, wanted?: readonly number[]): (RegionSource | undefined)[] {
  return inspectSkeleton(saved.skeleton).map((summary, i) => {
    if (wanted !== undefined && !wanted.includes(i)) return undefined;
    const source = allocate(summary);
    new Uint8Array(source).set(saved.bytes[i] as Uint8Array);
    return source;
  });
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
