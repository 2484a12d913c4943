/**
 * The written form of a place inside a state, as it stands in errors, in a region's name and in `only`.
 *
 *   solver.grids[0].u          keys that are identifiers, and array indexes
 *   limits["max speed"]        any other key, as JSON writes the string
 *   probes.get("a")            the value of a Map entry whose key is a primitive
 *   probes.keys()[2]           the third key of a Map; `values()[2]` its value, where the key is an object
 *   tags.values()[2]           the third member of a Set
 *
 * The state itself is ''. Paths are made only when one is needed: on an error, or once per region.
 *
 * Invariant: `parsePath(formatPath(p))` is p, but for a path that was cut (see ELIDE_OVER), which finds nothing.
 */

export type Segment =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'get'; readonly key: unknown }
  | { readonly kind: 'mapKey'; readonly index: number }
  | { readonly kind: 'member'; readonly index: number };

/** Longer paths keep their ends: a chain of 10^5 objects, each with a region, would need 50 GB of names. */
const ELIDE_OVER = 200;
const ELIDE_KEEP = 100;

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

export function keySegment(key: string): string {
  return IDENTIFIER.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

export function indexSegment(index: number): string {
  return `[${index}]`;
}

/** The value of the Map entry number `index`: by its key where that is a primitive. */
export function mapValueSegment(key: unknown, index: number): string {
  const literal = primitiveLiteral(key);
  return literal === undefined ? `.values()[${index}]` : `.get(${literal})`;
}

export function mapKeySegment(index: number): string {
  return `.keys()[${index}]`;
}

export function memberSegment(index: number): string {
  return `.values()[${index}]`;
}

export function joinPath(segments: readonly string[]): string {
  let kept: readonly string[] = segments;
  if (segments.length > ELIDE_OVER) {
    kept = [...segments.slice(0, ELIDE_KEEP), '…', ...segments.slice(-ELIDE_KEEP)];
  }
  const path = kept.join('');
  return path.startsWith('.') ? path.slice(1) : path;
}

/** `state.solver.u` for messages. */
export function stateAt(path: string): string {
  if (path === '') return 'state';
  return path.startsWith('[') ? `state${path}` : `state.${path}`;
}

function primitiveLiteral(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'bigint':
      return `${value}n`;
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'symbol': {
      const key = Symbol.keyFor(value);
      return key === undefined ? undefined : `Symbol.for(${JSON.stringify(key)})`;
    }
    default:
      return value === null ? 'null' : undefined;
  }
}

const NAME = /[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/uy;
const INDEX = /(\d{1,16})\]/y;
const ENTRY = /(keys|values)\(\)\[(\d{1,16})\]/y;
const NUMBER = /-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Infinity)|NaN/y;
const WORDS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['null', null],
  ['undefined', undefined],
]);

/** The segments of a written path; undefined for text that is no path. */
export function parsePath(path: string): Segment[] | undefined {
  const segments: Segment[] = [];
  let at = 0;

  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(path);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  const take = (text: string): boolean => {
    if (!path.startsWith(text, at)) return false;
    at += text.length;
    return true;
  };
  /** A quoted string; single quotes are taken too, because a shell or a person may prefer them. */
  const quoted = (): string | undefined => {
    const quote = path[at];
    if (quote !== '"' && quote !== "'") return undefined;
    let end = at + 1;
    while (end < path.length && path[end] !== quote) end += path[end] === '\\' ? 2 : 1;
    if (end >= path.length) return undefined;
    let body = path.slice(at + 1, end);
    if (quote === "'") body = body.replaceAll("\\'", "'").replaceAll(/(?<!\\)"/g, '\\"');
    at = end + 1;
    try {
      return JSON.parse(`"${body}"`) as string;
    } catch {
      return undefined;
    }
  };
  const literal = (): { value: unknown } | undefined => {
    if (take('Symbol.for(')) {
      const key = quoted();
      return key !== undefined && take(')') ? { value: Symbol.for(key) } : undefined;
    }
    const text = quoted();
    if (text !== undefined) return { value: text };
    const number = match(NUMBER);
    if (number !== null) {
      if (!take('n')) return { value: Number(number[0]) };
      return /^-?\d+$/.test(number[0]) ? { value: BigInt(number[0]) } : undefined;
    }
    const word = match(NAME)?.[0];
    return word !== undefined && WORDS.has(word) ? { value: WORDS.get(word) } : undefined;
  };

  while (at < path.length) {
    if (take('[')) {
      const index = match(INDEX);
      if (index !== null) {
        segments.push({ kind: 'index', index: Number(index[1]) });
        continue;
      }
      const key = quoted();
      if (key === undefined || !take(']')) return undefined;
      segments.push({ kind: 'key', key });
      continue;
    }
    if (!take('.') && at !== 0) return undefined;
    const entry = match(ENTRY);
    if (entry !== null) {
      const kind = entry[1] === 'keys' ? 'mapKey' : 'member';
      segments.push({ kind, index: Number(entry[2]) });
    } else if (take('get(')) {
      const key = literal();
      if (key === undefined || !take(')')) return undefined;
      segments.push({ kind: 'get', key: key.value });
    } else {
      const name = match(NAME);
      if (name === null) return undefined;
      segments.push({ kind: 'key', key: name[0] });
    }
  }
  return segments;
}
