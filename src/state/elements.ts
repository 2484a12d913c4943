/** The numbers in the bytes of a typed array, read as they were saved, without making the array. */

import { float16 } from '../base/float16.js';
import { VIEW_BUFFER, VIEW_DATAVIEW, viewElementBytes } from './intrinsics.js';

type Read = (view: DataView, at: number) => number | bigint;

/** By the codes of view types; a Buffer is read like a Uint8Array, and what a DataView holds nobody knows. */
const READ: readonly (Read | undefined)[] = [
  undefined,
  (view, at) => view.getInt8(at),
  (view, at) => view.getUint8(at),
  (view, at) => view.getUint8(at),
  (view, at) => view.getInt16(at, true),
  (view, at) => view.getUint16(at, true),
  (view, at) => view.getInt32(at, true),
  (view, at) => view.getUint32(at, true),
  (view, at) => view.getBigInt64(at, true),
  (view, at) => view.getBigUint64(at, true),
  (view, at) => float16(view.getUint16(at, true)),
  (view, at) => view.getFloat32(at, true),
  (view, at) => view.getFloat64(at, true),
];

/** The elements of a view of this type over these bytes, which are a whole number of them; undefined for a DataView. */
export function elementsOf(type: number, bytes: Uint8Array): (number | bigint)[] | undefined {
  if (type === VIEW_DATAVIEW) return undefined;
  const read = READ[type === VIEW_BUFFER ? 2 : type] as Read;
  const width = viewElementBytes(type);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.byteLength / width }, (_, index) => read(view, index * width));
}
