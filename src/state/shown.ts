/**
 * A value of a graph in a few words, as JavaScript would write it: for people who compare two of them.
 *
 * Invariant: at most about TEXT_MAX characters, whatever the value; primitives that fit are exact.
 */

import { elementsOf } from './elements.js';
import { bufferOf, type GraphNode, HoleRun, isNode } from './graph.js';
import { VIEW_DATAVIEW, viewElementBytes } from './intrinsics.js';
import { titleOf } from './node-names.js';
import { keySegment } from './paths.js';
import * as tag from './tags.js';

const TEXT_MAX = 80;
/** What stands before the first difference of two long strings. */
const CONTEXT = 12;

/** `from` is where a long string becomes interesting. */
export function shown(value: unknown, from = 0): string {
  if (!isNode(value)) return shownPrimitive(value, from);
  return cut(shownNode(value));
}

/** Several values, as the inside of an array. */
export function shownList(values: readonly unknown[], count = values.length): string {
  return listed(count, (index) => brief(values[index]));
}

/** Two strings that differ only far from their beginning are shown from there. */
export function firstDifference(a: unknown, b: unknown): number {
  if (typeof a !== 'string' || typeof b !== 'string' || Math.max(a.length, b.length) <= TEXT_MAX) return 0;
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

function shownPrimitive(value: unknown, from: number): string {
  switch (typeof value) {
    case 'string':
      return shownString(value, from);
    case 'bigint':
      return cut(`${value}n`);
    case 'symbol':
      return `Symbol.for(${shownString(Symbol.keyFor(value) ?? '', 0)})`;
    default:
      return Object.is(value, -0) ? '-0' : String(value);
  }
}

function shownString(text: string, from: number): string {
  if (text.length <= TEXT_MAX) return JSON.stringify(text);
  const start = Math.max(0, Math.min(from, text.length) - CONTEXT);
  const part = JSON.stringify(text.slice(start, start + TEXT_MAX));
  const end = start + TEXT_MAX < text.length ? '…' : '';
  return `${start > 0 ? '…' : ''}${part}${end} (${text.length} characters)`;
}

function cut(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX - 1)}…`;
}

function shownNode(node: GraphNode): string {
  const { detail, children } = node;
  const title = titleOf(node);
  switch (node.tag) {
    case tag.T_OBJECT:
    case tag.T_DICT:
    case tag.T_NULL_OBJECT:
    case tag.T_NULL_DICT:
      return `${title === 'Object' ? '' : `${title} `}${fields(node.keys, children)}`;
    case tag.T_ARRAY:
    case tag.T_INT32_LIST:
    case tag.T_FLOAT64_LIST:
      return `${title === 'Array' ? '' : `${title} `}[${shownList(children)}]`;
    case tag.T_MAP: {
      const entry = (i: number) => `${brief(children[2 * i])} => ${brief(children[2 * i + 1])}`;
      return `${title}(${children.length / 2}) {${listed(children.length / 2, entry)}}`;
    }
    case tag.T_SET:
      return `${title}(${children.length}) {${shownList(children)}}`;
    case tag.T_DATE:
      return `${title} ${dateText(detail?.value as number)}`;
    case tag.T_REGEXP:
      return `/${detail?.source}/${detail?.flags}`;
    case tag.T_BOXED:
      return `${title} ${shown(detail?.value)}`;
    case tag.T_ERROR: {
      const message = children[node.keys.indexOf('message')];
      return typeof message === 'string' ? `${title}: ${message}` : title;
    }
    case tag.T_VIEW:
      return view(node, title);
    case tag.T_BYTES:
    case tag.T_REGION:
      return buffer(node, title);
    case tag.T_MEMORY:
      return `${title}(${bufferOf(children[0] as GraphNode).byteLength})`;
    default:
      return `${title} encoded as ${brief(children[0])}`;
  }
}

/** One level deep: what is inside of something is only named. */
function brief(value: unknown): string {
  if (value instanceof HoleRun) return `${value.count} x missing`;
  if (!isNode(value)) return shownPrimitive(value, 0);
  const title = titleOf(value);
  if (title === 'Object') return value.keys.length === 0 ? '{}' : '{…}';
  return title === 'Array' ? `Array(${lengthOf(value)})` : title;
}

function fields(keys: readonly string[], values: readonly unknown[]): string {
  if (keys.length === 0) return '{}';
  return `{ ${listed(keys.length, (i) => `${keyText(keys[i] as string)}: ${brief(values[i])}`)} }`;
}

function keyText(key: string): string {
  const segment = keySegment(key);
  return segment.startsWith('.') ? key : segment.slice(1, -1);
}

/** As many as fit a line, then how many more. */
function listed(count: number, part: (index: number) => string): string {
  const texts: string[] = [];
  for (let index = 0, length = 0; index < count; index++) {
    const text = part(index);
    length += text.length + 2;
    if (index > 0 && length > TEXT_MAX / 2) break;
    texts.push(text);
  }
  if (texts.length < count) texts.push(`… ${count - texts.length} more`);
  return texts.join(', ');
}

function view(node: GraphNode, title: string): string {
  const { type = VIEW_DATAVIEW, byteOffset = 0, viewLength } = node.detail ?? {};
  const { bytes, byteLength } = bufferOf(node.children[0] as GraphNode);
  const length = viewLength ?? Math.floor((byteLength - byteOffset) / viewElementBytes(type));
  const place = byteOffset > 0 ? ` at byte ${byteOffset}` : '';
  const name = `${title}(${length}${viewLength === undefined ? ', tracking' : ''})${place}`;
  const values =
    bytes && elementsOf(type, bytes.subarray(byteOffset, byteOffset + length * viewElementBytes(type)));
  return values ? `${name} [${shownList(values)}]` : name;
}

function buffer(node: GraphNode, title: string): string {
  const { byteLength, resizable, maxByteLength } = bufferOf(node);
  return `${title}(${byteLength}${resizable ? `, up to ${maxByteLength}` : ''})`;
}

function dateText(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? 'invalid' : date.toISOString();
}

function lengthOf(node: GraphNode): number {
  return node.detail?.length ?? node.children.length;
}
