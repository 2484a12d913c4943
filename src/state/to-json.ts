/**
 * A graph as JSON that loses nothing: plain objects and arrays are themselves, everything else is an object whose
 * keys begin with `$`. docs/cli.md describes it.
 *
 * Invariants
 *  - no class is needed and no code of one runs: instances are written as what was saved of them
 *  - a key of the state never passes for one of ours: those that begin with `$` get another
 *  - a node is written once; wherever else it is met, a reference to its `$id` stands
 *  - the document is never nested deeper than DEPTH and a few: what lies deeper is written at the end
 */

import { Buffer } from 'node:buffer';
import { dtypeOf, type RegionKind } from '../format/kinds.js';
import { elementsOf } from './elements.js';
import { bufferOf, type Graph, type GraphNode, HoleRun, isNode, PARTIAL, UNWANTED } from './graph.js';
import { errorName, VIEW_BUFFER, viewElementBytes, viewKind, viewName } from './intrinsics.js';
import type { Part } from './json-text.js';
import { builtinName } from './node-names.js';
import * as tag from './tags.js';

/** Where a region was written to, and as what. */
export interface WrittenRegion {
  file: string;
  kind: RegionKind;
  shape: readonly number[];
}

type Field = [key: string, part: Part];

/** Containers nested deeper than this are moved to the end: not every reader takes more, and no person does. */
const DEPTH = 50;
/** Lists and objects of primitives are put on one line up to this length. */
const LINE = 120;
const SHORT = 20;

/** The fields of a state's document: `state`, and `deep` with what lies too deep in it, if anything does. */
export function* stateFields(
  graph: Graph,
  regions: readonly (WrittenRegion | undefined)[],
): Generator<Field> {
  const writer = new JsonWriter(graph, regions);
  yield ['state', writer.part(graph.root, 0)];
  // Asked for only when the state is written.
  if (writer.hasDeep) yield ['deep', { list: writer.deep() }];
}

/** Values of JSON as they are. */
export function plainPart(value: unknown): Part {
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return JSON.stringify(value);
  if (Array.isArray(value)) return list(value.map(plainPart), value);
  return fields(Object.entries(value).map(([key, field]): Field => [key, plainPart(field)]));
}

class JsonWriter {
  readonly #regions: readonly (WrittenRegion | undefined)[];
  readonly #shared: ReadonlySet<GraphNode>;
  readonly #ids = new Map<GraphNode, number>();
  /** Nodes that were met too deep, to be written at the end. */
  readonly #deep: GraphNode[] = [];

  constructor(graph: Graph, regions: readonly (WrittenRegion | undefined)[]) {
    this.#regions = regions;
    this.#shared = sharedNodes(graph);
  }

  get hasDeep(): boolean {
    return this.#deep.length > 0;
  }

  *deep(): Generator<Part> {
    // The list grows while it is written.
    for (const node of this.#deep) yield this.#body(node, 0);
  }

  part(value: unknown, depth: number): Part {
    if (!isNode(value)) return primitive(value);
    const id = this.#ids.get(value);
    if (id !== undefined) return `{ "$ref": ${id} }`;
    if (this.#shared.has(value)) this.#ids.set(value, this.#ids.size + 1);
    if (depth < DEPTH || isLeaf(value)) return this.#body(value, depth);
    const ref = this.#ids.get(value) ?? this.#ids.size + 1;
    this.#ids.set(value, ref);
    this.#deep.push(value);
    return `{ "$ref": ${ref} }`;
  }

  #body(node: GraphNode, depth: number): Part {
    const marks = this.#marks(node);
    const extras = this.#extras(node, depth);
    switch (node.tag) {
      case tag.T_OBJECT:
      case tag.T_DICT:
      case tag.T_NULL_OBJECT:
      case tag.T_NULL_DICT:
        return object(marks, this.#properties(node, depth), node.children);
      case tag.T_ARRAY:
      case tag.T_INT32_LIST:
      case tag.T_FLOAT64_LIST: {
        const elements = list(this.#elements(node, depth), node.children);
        return marks.length + extras.length === 0 ? elements : fields(marks, [['$array', elements]], extras);
      }
      case tag.T_MAP:
        return fields(marks, [['$map', { list: this.#entries(node, depth) }]], extras);
      case tag.T_SET:
        return fields(marks, [['$set', list(this.#values(node.children, depth), node.children)]], extras);
      case tag.T_ERROR:
        return fields(marks, this.#error(node, depth), extras);
      case tag.T_REGEXP: {
        const { source, flags } = node.detail ?? {};
        const lastIndex = this.part(node.children[0], depth + 1);
        return fields(
          marks,
          [text('$regexp', source), text('flags', flags), ['lastIndex', lastIndex]],
          extras,
        );
      }
      case tag.T_ENCODED:
        return fields(marks, [['$encoded', this.part(node.children[0], depth + 1)]], extras);
      case tag.T_DATE:
        return fields(marks, [['$date', dateText(node.detail?.value as number)]], extras);
      case tag.T_BOXED:
        return fields(marks, [['$boxed', primitive(node.detail?.value)]], extras);
      case tag.T_VIEW:
        return fields(marks, this.#view(node, depth), extras);
      case tag.T_MEMORY:
        return fields(marks, this.#memory(node, depth), extras);
      default:
        return fields(marks, this.#buffer(node), extras);
    }
  }

  #marks(node: GraphNode): Field[] {
    const marks: Field[] = [];
    const id = this.#ids.get(node);
    const { cls } = node.detail ?? {};
    if (id !== undefined) marks.push(['$id', String(id)]);
    if (cls) marks.push(text('$class', cls.name));
    if (cls && cls.version !== 0) marks.push(['$version', String(cls.version)]);
    if (node.tag === tag.T_NULL_OBJECT || node.tag === tag.T_NULL_DICT) marks.push(['$prototype', 'null']);
    return marks;
  }

  /** Further own properties of a built-in. */
  #extras(node: GraphNode, depth: number): Field[] {
    const { extraKeys = [], extraValues = [] } = node.detail ?? {};
    if (extraKeys.length === 0 || node.want === PARTIAL) return [];
    const properties = extraKeys.map((key, i): Field => [escaped(key), this.part(extraValues[i], depth + 2)]);
    return [['$properties', { fields: properties }]];
  }

  *#properties(node: GraphNode, depth: number): Generator<Field> {
    for (const [i, key] of node.keys.entries()) {
      if (isKept(node, i)) yield [escaped(key), this.part(node.children[i], depth + 1)];
    }
  }

  /** Elements that were not asked for are holes, as in a restored array. */
  *#elements(node: GraphNode, depth: number): Generator<Part> {
    let holes = 0;
    for (const [i, child] of node.children.entries()) {
      if (child instanceof HoleRun) holes += child.count;
      else if (!isKept(node, i)) holes++;
      else {
        if (holes > 0) yield hole(holes);
        holes = 0;
        yield this.part(child, depth + 1);
      }
    }
    if (holes > 0) yield hole(holes);
  }

  *#values(values: readonly unknown[], depth: number): Generator<Part> {
    for (const value of values) yield this.part(value, depth + 1);
  }

  *#entries(node: GraphNode, depth: number): Generator<Part> {
    for (let i = 0; i < node.children.length; i += 2) {
      const hasValue = isKept(node, i + 1);
      if (!hasValue && !isKept(node, i)) continue;
      const entry = [node.children[i], hasValue ? node.children[i + 1] : undefined];
      yield list(this.#values(entry, depth + 1), entry);
    }
  }

  #error(node: GraphNode, depth: number): Field[] {
    const properties = function* (this: JsonWriter): Generator<Part> {
      for (const [i, key] of node.keys.entries()) {
        const enumerable = String(node.detail?.enumerable?.[i] === true);
        yield { list: [JSON.stringify(key), this.part(node.children[i], depth + 3), enumerable] };
      }
    };
    const name = errorName(node.detail?.type as number);
    return [text('$error', name), ['properties', { list: properties.call(this) }]];
  }

  #view(node: GraphNode, depth: number): Field[] {
    const { type = 0, byteOffset = 0, viewLength } = node.detail ?? {};
    const child = node.children[0] as GraphNode;
    const buffer = bufferOf(child);
    const name = viewName(type);
    const place: Field[] = [];
    if (byteOffset > 0) place.push(['offset', String(byteOffset)]);
    if (viewLength !== undefined) place.push(['length', String(viewLength)]);
    if (buffer.bytes === undefined) {
      const { file, shape, kind } = this.#written(buffer.region);
      const whole = viewLength !== undefined && byteOffset === 0 && kind === viewKind(type);
      if (whole && shape.length !== 1) place.push(['shape', `[${shape.join(', ')}]`]);
      return [text('$region', file), text('type', name), text('dtype', dtypeOf(viewKind(type))), ...place];
    }
    const isWhole = byteOffset === 0 && (viewLength ?? -1) * viewElementBytes(type) === buffer.byteLength;
    if (isWhole && !buffer.shared && !buffer.resizable && !this.#shared.has(child)) {
      return [text('$typed', name), values(type, buffer.bytes)];
    }
    return [text('$view', name), ['buffer', this.part(child, depth + 1)], ...place];
  }

  #memory(node: GraphNode, depth: number): Field[] {
    const buffer = bufferOf(node.children[0] as GraphNode);
    if (buffer.bytes !== undefined) return [['$memory', this.part(node.children[0], depth + 1)]];
    return [text('$region', this.#written(buffer.region).file), text('type', 'WebAssembly.Memory')];
  }

  #buffer(node: GraphNode): Field[] {
    const { bytes, region, shared, resizable, maxByteLength } = bufferOf(node);
    if (bytes === undefined)
      return [text('$region', this.#written(region).file), text('type', builtinName(node))];
    const form: Field[] = [];
    if (shared) form.push(['shared', 'true']);
    if (resizable) form.push(['maxByteLength', String(maxByteLength)]);
    return [text('$buffer', Buffer.from(bytes).toString('base64')), ...form];
  }

  #written(region: number): WrittenRegion {
    const written = this.#regions[region];
    if (written === undefined) throw new Error('holdfast: internal invariant broken: a region has no file');
    return written;
  }
}

/** Nodes that are met more than once. The buffer of a region needs no id: its file tells it from others. */
function sharedNodes(graph: Graph): Set<GraphNode> {
  const met = new Set<GraphNode>();
  const shared = new Set<GraphNode>();
  const meet = (child: unknown): void => {
    if (!isNode(child) || child.tag === tag.T_REGION) return;
    if (met.has(child)) shared.add(child);
    else met.add(child);
  };
  meet(graph.root);
  for (const node of graph.nodes) {
    if (node.want === UNWANTED) continue;
    for (const [i, child] of node.children.entries()) if (isMet(node, i)) meet(child);
    if (node.want !== PARTIAL) node.detail?.extraValues?.forEach(meet);
  }
  return shared;
}

function isLeaf(node: GraphNode): boolean {
  return node.children.length === 0 && node.detail?.extraKeys === undefined;
}

/** True where a child is written: a Map's key is, with its value. */
function isMet(node: GraphNode, position: number): boolean {
  const isKey = node.tag === tag.T_MAP && position % 2 === 0;
  return isKept(node, position) || (isKey && isKept(node, position + 1));
}

/** True where the child at a position was asked for. */
function isKept(node: GraphNode, position: number): boolean {
  return node.want !== PARTIAL || node.kept?.has(position) === true;
}

function primitive(value: unknown): string {
  switch (typeof value) {
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return String(value);
      return `{ "$number": "${Object.is(value, -0) ? '-0' : value}" }`;
    case 'bigint':
      return `{ "$bigint": "${value}" }`;
    case 'undefined':
      return '{ "$undefined": true }';
    case 'symbol':
      return `{ "$symbol": ${JSON.stringify(Symbol.keyFor(value))} }`;
    default:
      return JSON.stringify(value);
  }
}

function hole(count: number): string {
  return `{ "$hole": ${count} }`;
}

function dateText(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? 'null' : `"${date.toISOString()}"`;
}

function escaped(key: string): string {
  return key.startsWith('$') ? `$${key}` : key;
}

function text(key: string, value: string | undefined): Field {
  return [key, JSON.stringify(value ?? '')];
}

/** The content of a small typed array: its numbers, or its bytes where those say more. */
function values(type: number, bytes: Uint8Array): Field {
  const numbers = type === VIEW_BUFFER ? undefined : elementsOf(type, bytes);
  if (numbers === undefined || hasOddNaN(numbers, bytes))
    return text('base64', Buffer.from(bytes).toString('base64'));
  return ['values', list(numbers.map(primitive), numbers)];
}

/** NaNs differ in their bits, which no number can tell. */
function hasOddNaN(numbers: readonly (number | bigint)[], bytes: Uint8Array): boolean {
  const width = bytes.length / numbers.length;
  return numbers.some((number, i) => {
    if (!Number.isNaN(number)) return false;
    const [high, low] = [bytes[(i + 1) * width - 1] as number, bytes[(i + 1) * width - 2] as number];
    const rest = bytes.subarray(i * width, (i + 1) * width - 2);
    return `${high} ${low}` !== PLAIN_NAN[width] || rest.some((byte) => byte !== 0);
  });
}

/** The two highest bytes of the NaN that JavaScript makes, by width; all others are 0. */
const PLAIN_NAN: Record<number, string> = { 2: `${0x7e} 0`, 4: `${0x7f} ${0xc0}`, 8: `${0x7f} ${0xf8}` };

/** A list of parts; on one line where its values are few and short. */
function list(parts: Iterable<Part>, values: readonly unknown[]): Part {
  if (values.length === 0) return '[]';
  if (values.length > SHORT || values.some(isNode)) return { list: parts };
  const all = [...parts];
  if (!all.every((part) => typeof part === 'string')) return { list: all };
  const line = `[${all.join(', ')}]`;
  return line.length <= LINE ? line : { list: all };
}

function object(marks: Field[], properties: Iterable<Field>, values: readonly unknown[]): Part {
  if (values.length > SHORT || values.some(isNode)) return { fields: chain(marks, properties) };
  return fields(marks, [...properties]);
}

/** Fields; on one line where they are few and short. */
function fields(...groups: Field[][]): Part {
  const all = groups.flat();
  if (all.length === 0) return '{}';
  if (all.length <= SHORT && all.every(([, part]) => typeof part === 'string')) {
    const line = `{ ${all.map(([key, part]) => `${JSON.stringify(key)}: ${part as string}`).join(', ')} }`;
    if (line.length <= LINE) return line;
  }
  return { fields: all };
}

function* chain<T>(...groups: Iterable<T>[]): Generator<T> {
  for (const group of groups) yield* group;
}
