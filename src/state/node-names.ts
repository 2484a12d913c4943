/** What a node is called: the name of the class or built-in that a program would know it by. */

import { bufferOf, type GraphNode } from './graph.js';
import { errorName, viewName } from './intrinsics.js';
import * as tag from './tags.js';

/** The built-in, whatever class extends it; `Object` for plain objects and instances saved by their fields. */
export function builtinName(node: GraphNode): string {
  switch (node.tag) {
    case tag.T_NULL_OBJECT:
    case tag.T_NULL_DICT:
      return 'Object.create(null)';
    case tag.T_ARRAY:
    case tag.T_INT32_LIST:
    case tag.T_FLOAT64_LIST:
      return 'Array';
    case tag.T_MAP:
      return 'Map';
    case tag.T_SET:
      return 'Set';
    case tag.T_DATE:
      return 'Date';
    case tag.T_REGEXP:
      return 'RegExp';
    case tag.T_BOXED:
      return Object(node.detail?.value).constructor.name as string;
    case tag.T_ERROR:
      return errorName(node.detail?.type as number);
    case tag.T_VIEW:
      return viewName(node.detail?.type as number);
    case tag.T_BYTES:
    case tag.T_REGION:
      return bufferOf(node).shared ? 'SharedArrayBuffer' : 'ArrayBuffer';
    case tag.T_MEMORY:
      return 'WebAssembly.Memory';
    default:
      return 'Object';
  }
}

/** The class if there is one, with its version where it has one; else the built-in. */
export function titleOf(node: GraphNode): string {
  const cls = node.detail?.cls;
  if (cls === undefined) return builtinName(node);
  return cls.version === 0 ? cls.name : `${cls.name} (version ${cls.version})`;
}
