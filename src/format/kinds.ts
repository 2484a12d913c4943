/**
 * What the bytes of a region are, as the state's first view on them said.
 *
 * The kind never changes what is restored (the skeleton rebuilds every view by itself); it tells the filters
 * how wide an element is and an export which type to write. Codes are part of the format: never renumber.
 */

export const REGION_KINDS = [
  'bytes',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'BigInt64Array',
  'BigUint64Array',
  'Float16Array',
  'Float32Array',
  'Float64Array',
  'DataView',
  'WebAssembly.Memory',
  'skeleton',
] as const;

export type RegionKind = (typeof REGION_KINDS)[number];

const ELEMENT_BYTES: Record<RegionKind, number> = {
  bytes: 1,
  Int8Array: 1,
  Uint8Array: 1,
  Uint8ClampedArray: 1,
  Int16Array: 2,
  Uint16Array: 2,
  Int32Array: 4,
  Uint32Array: 4,
  BigInt64Array: 8,
  BigUint64Array: 8,
  Float16Array: 2,
  Float32Array: 4,
  Float64Array: 8,
  DataView: 1,
  'WebAssembly.Memory': 1,
  skeleton: 1,
};

/** Bytes of one element of a region of this kind. */
export function elementBytes(kind: RegionKind): number {
  return ELEMENT_BYTES[kind];
}

/** What numpy calls the numbers of a region of this kind; the bytes of regions are little-endian. */
const DTYPE: Record<RegionKind, string> = {
  bytes: '|u1',
  Int8Array: '|i1',
  Uint8Array: '|u1',
  Uint8ClampedArray: '|u1',
  Int16Array: '<i2',
  Uint16Array: '<u2',
  Int32Array: '<i4',
  Uint32Array: '<u4',
  BigInt64Array: '<i8',
  BigUint64Array: '<u8',
  Float16Array: '<f2',
  Float32Array: '<f4',
  Float64Array: '<f8',
  DataView: '|u1',
  'WebAssembly.Memory': '|u1',
  skeleton: '|u1',
};

/** The dtype of an array of this kind. */
export function dtypeOf(kind: RegionKind): string {
  return DTYPE[kind];
}
