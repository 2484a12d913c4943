/**
 * Compares one node with one live object: whether it is of the same kind, lies the same way over its buffer, and has a
 * buffer or memory that can take the saved bytes.
 *
 * Invariants
 *  - nothing is changed, and no code of the caller runs
 *  - misfits are told in words that follow a path: "state.grid has a buffer of ..."
 */

import { types } from 'node:util';
import { bufferFacts, isLengthTracking, isPool } from './buffers.js';
import { type BufferDetail, bufferOf, type GraphNode } from './graph.js';
import {
  type AnyBuffer,
  dataViewBuffer,
  dataViewLength,
  dataViewOffset,
  MemoryPrototype,
  memoryBuffer,
  typedArrayBuffer,
  typedArrayLength,
  typedArrayName,
  typedArrayOffset,
  VIEW_BUFFER,
  VIEW_DATAVIEW,
  viewBrand,
  viewName,
  viewPrototype,
  type WasmMemory,
} from './intrinsics.js';
import * as tag from './tags.js';

const { getPrototypeOf } = Object;

/** True where the live object is of the node's kind; `cls` is the prototype of the node's class, if it has one. */
export function fits(node: GraphNode, live: object, cls: object | undefined): boolean {
  const prototype: unknown = getPrototypeOf(live);
  switch (node.tag) {
    case tag.T_ARRAY:
    case tag.T_INT32_LIST:
    case tag.T_FLOAT64_LIST:
      return Array.isArray(live) && prototype === (cls ?? Array.prototype);
    case tag.T_MAP:
      return types.isMap(live) && prototype === (cls ?? Map.prototype);
    case tag.T_SET:
      return types.isSet(live) && prototype === (cls ?? Set.prototype);
    case tag.T_VIEW: {
      const type = node.detail?.type as number;
      if (prototype !== (cls ?? viewPrototype(type))) return false;
      return type === VIEW_DATAVIEW ? types.isDataView(live) : typedArrayName.call(live) === viewBrand(type);
    }
    case tag.T_NULL_OBJECT:
    case tag.T_NULL_DICT:
      return prototype === null;
    default:
      return prototype === (cls ?? Object.prototype);
  }
}

/** True where a live view lies over its buffer just as the saved one did. */
export function sameGeometry(node: GraphNode, live: object): boolean {
  const { byteOffset, viewLength } = node.detail as { byteOffset: number; viewLength?: number };
  try {
    const isDataView = types.isDataView(live);
    const buffer = bufferOfView(live);
    if ((isDataView ? dataViewOffset.call(live) : typedArrayOffset.call(live)) !== byteOffset) return false;
    const shared = types.isSharedArrayBuffer(buffer);
    const { resizable } = bufferFacts(buffer, shared);
    const tracking = resizable && isLengthTracking(live as ArrayBufferView, buffer, shared);
    if (tracking || viewLength === undefined) return tracking && viewLength === undefined;
    return (isDataView ? dataViewLength.call(live) : typedArrayLength.call(live)) === viewLength;
  } catch {
    // A DataView out of its buffer's bounds throws at every question.
    return false;
  }
}

export function bufferOfView(view: object): AnyBuffer {
  return types.isDataView(view) ? dataViewBuffer.call(view) : typedArrayBuffer.call(view);
}

/** True for a live Buffer cut from Node's pool: its buffer is not the state's to rewrite. */
export function isPoolCut(node: GraphNode, live: object, buffer: AnyBuffer): boolean {
  if (node.detail?.type !== VIEW_BUFFER || types.isSharedArrayBuffer(buffer)) return false;
  return typedArrayLength.call(live) !== buffer.byteLength && isPool(buffer as ArrayBuffer);
}

/** Why a live buffer cannot take a saved buffer's bytes in place. */
export function bufferMisfit(saved: BufferDetail, live: AnyBuffer): string | undefined {
  const facts = bufferFacts(live, types.isSharedArrayBuffer(live));
  if (facts.shared !== saved.shared) {
    return `has ${saved.shared ? 'a shared' : 'an unshared'} buffer in the snapshot and not in the live state`;
  }
  const samePower = !saved.resizable || facts.maxByteLength === saved.maxByteLength;
  if (facts.resizable !== saved.resizable || !samePower) {
    return 'has a buffer that can be resized in another way than the one in the snapshot';
  }
  if (facts.byteLength === saved.byteLength) return undefined;
  // A shared buffer can grow and never shrink.
  if (saved.resizable && !(saved.shared && facts.byteLength > saved.byteLength)) return undefined;
  return `has a buffer of ${saved.byteLength} bytes in the snapshot and of ${facts.byteLength} in the live state`;
}

export function isMemory(live: unknown): live is WasmMemory {
  if (typeof live !== 'object' || live === null || types.isProxy(live)) return false;
  if (MemoryPrototype === undefined || getPrototypeOf(live) !== MemoryPrototype) return false;
  try {
    memoryBuffer.call(live);
    return true;
  } catch {
    return false;
  }
}

/** Why a live memory cannot become the saved one. */
export function memoryMisfit(saved: BufferDetail, live: WasmMemory): string | undefined {
  const buffer = memoryBuffer.call(live);
  if (types.isSharedArrayBuffer(buffer) !== saved.shared) {
    return `is ${saved.shared ? '' : 'not '}shared in the snapshot, unlike in the live state`;
  }
  if (saved.byteLength % tag.WASM_PAGE_BYTES !== 0)
    return `has ${saved.byteLength} bytes, which are no whole pages`;
  if (buffer.byteLength <= saved.byteLength) return undefined;
  return (
    `has ${saved.byteLength} bytes in the snapshot and already ${buffer.byteLength} in the live state, and a memory ` +
    'cannot shrink: restore into a new instance'
  );
}

/** What a node is, in a few words. */
export function nodeName(node: GraphNode): string {
  const cls = node.detail?.cls?.name;
  if (cls !== undefined) return `an instance of ${cls}`;
  switch (node.tag) {
    case tag.T_ARRAY:
    case tag.T_INT32_LIST:
    case tag.T_FLOAT64_LIST:
      return 'an Array';
    case tag.T_MAP:
      return 'a Map';
    case tag.T_SET:
      return 'a Set';
    case tag.T_VIEW:
      return `a ${viewName(node.detail?.type as number)}`;
    case tag.T_BYTES:
    case tag.T_REGION:
      return bufferOf(node).shared ? 'a SharedArrayBuffer' : 'an ArrayBuffer';
    case tag.T_NULL_OBJECT:
    case tag.T_NULL_DICT:
      return 'an object without a prototype';
    case tag.T_OBJECT:
    case tag.T_DICT:
      return 'a plain object';
    default:
      return 'a value';
  }
}
