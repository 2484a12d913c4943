/**
 * Makes the few objects that no literal can: sparse arrays without their holes' memory, boxed primitives of a subclass,
 * properties that no prototype gets to see.
 */

import type { ClassEntry } from './registry.js';

export function define(target: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable, configurable: true });
}

/**
 * An array of a length with few elements in it. Setting `length` would allocate every hole (240 MB for a skeleton of
 * ten bytes), so an array that is mostly holes is first turned into V8's dictionary form, by an element that only
 * this form can hold.
 */
export function emptyArray(length: number, present: number, entry: ClassEntry | undefined): unknown[] {
  const array = (entry === undefined ? [] : Reflect.construct(Array, [], entry.newTarget)) as unknown[];
  if (length > 64 && length > present * 4) {
    Object.defineProperty(array, 0, { value: 0, writable: false, enumerable: true, configurable: true });
    Reflect.deleteProperty(array, 0);
  }
  array.length = length;
  return array;
}

export function createBoxed(value: unknown, entry: ClassEntry | undefined): object {
  if (entry === undefined) return Object(value) as object;
  const native = { number: Number, string: String, boolean: Boolean }[typeof value as 'number'];
  return Reflect.construct(native, [value], entry.newTarget) as object;
}

interface ResizableBuffer {
  readonly byteLength: number;
  readonly maxByteLength: number;
  resize(byteLength: number): void;
}

/**
 * A view that follows its buffer's length, where that is no multiple of the element: Node 20 refuses to make one then,
 * though such a view comes about when the buffer is resized later. So the buffer is given a fitting length meanwhile.
 */
export function trackUnaligned(
  buffer: ResizableBuffer,
  odd: number,
  width: number,
  make: () => object,
): object {
  const { byteLength } = buffer;
  const room = byteLength + width - odd <= buffer.maxByteLength;
  const tail = new Uint8Array(buffer as unknown as ArrayBuffer, byteLength - odd).slice();
  buffer.resize(room ? byteLength + width - odd : byteLength - odd);
  try {
    return make();
  } finally {
    buffer.resize(byteLength);
    new Uint8Array(buffer as unknown as ArrayBuffer, byteLength - odd).set(tail);
  }
}
