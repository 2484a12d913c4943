/**
 * A reader of exported states, written from the description in docs/cli.md and nothing else: it makes the state again,
 * so that a test can compare it with the one that was saved.
 */

import { strict as assert } from 'node:assert';

type Json = null | boolean | number | string | Json[] | Fields;
type Fields = { [key: string]: Json };

export interface StateJson {
  regions: { file: string; shared?: boolean; maxByteLength?: number }[];
  state: Json;
  deep?: Json[];
}

type Class = { name: string; prototype: object } & Record<symbol, unknown>;

/** The state of a document; `contentOf` gives the bytes of a region's file. */
export function fromJson(
  document: StateJson,
  contentOf: (file: string) => Uint8Array,
  classes: readonly object[],
): unknown {
  return new Reader(document, contentOf, classes as Class[]).read(document.state);
}

class Reader {
  readonly #contentOf: (file: string) => Uint8Array;
  readonly #classes: readonly Class[];
  readonly #definitions = new Map<number, Fields>();
  readonly #made = new Map<Fields, object>();
  readonly #buffers = new Map<string, ArrayBufferLike>();
  readonly #regions: StateJson['regions'];

  constructor(document: StateJson, contentOf: (file: string) => Uint8Array, classes: readonly Class[]) {
    this.#contentOf = contentOf;
    this.#classes = classes;
    this.#regions = document.regions;
    const stack: Json[] = [document.state, ...(document.deep ?? [])];
    for (let json = stack.pop(); json !== undefined; json = stack.pop()) {
      if (typeof json !== 'object' || json === null) continue;
      if (!Array.isArray(json) && typeof json.$id === 'number') {
        assert.ok(!this.#definitions.has(json.$id), 'an id is given once');
        this.#definitions.set(json.$id, json);
      }
      for (const child of Object.values(json)) stack.push(child);
    }
  }

  read(json: Json): unknown {
    if (typeof json !== 'object' || json === null) return json;
    if (Array.isArray(json)) return this.#fillArray([], json);
    if ('$number' in json) return Number(json.$number);
    if ('$bigint' in json) return BigInt(json.$bigint as string);
    if ('$undefined' in json) return undefined;
    if ('$symbol' in json) return Symbol.for(json.$symbol as string);
    if ('$ref' in json) return this.read(this.#definitions.get(json.$ref as number) as Fields);
    const before = this.#made.get(json);
    if (before !== undefined) return before;
    return this.#object(json);
  }

  #object(json: Fields): object {
    const cls = '$class' in json ? this.#classes.find(({ name }) => name === json.$class) : undefined;
    assert.equal(cls !== undefined, '$class' in json, 'the class is one of the test');
    const keep = <T extends object>(made: T): T => {
      if (cls && !('$encoded' in json)) Object.setPrototypeOf(made, cls.prototype);
      this.#made.set(json, made);
      return made;
    };
    const made = this.#builtin(json, keep, cls);
    for (const [key, value] of Object.entries((json.$properties as Fields) ?? {})) {
      define(made, key.startsWith('$$') ? key.slice(1) : key, this.read(value));
    }
    return made;
  }

  #builtin(json: Fields, keep: <T extends object>(made: T) => T, cls: Class | undefined): object {
    if ('$array' in json) return this.#fillArray(keep([]), json.$array as Json[]);
    if ('$map' in json) {
      const map = keep(new Map());
      for (const [key, value] of json.$map as [Json, Json][]) {
        Map.prototype.set.call(map, this.read(key), this.read(value));
      }
      return map;
    }
    if ('$set' in json) {
      const set = keep(new Set());
      for (const member of json.$set as Json[]) set.add(this.read(member));
      return set;
    }
    if ('$date' in json) return keep(new Date(json.$date === null ? Number.NaN : (json.$date as string)));
    if ('$regexp' in json) {
      const regexp = keep(new RegExp(json.$regexp as string, json.flags as string));
      regexp.lastIndex = this.read(json.lastIndex as Json) as number;
      return regexp;
    }
    if ('$boxed' in json) return keep(Object(this.read(json.$boxed as Json)) as object);
    if ('$error' in json) return this.#error(json, keep);
    if ('$encoded' in json) {
      const decode = cls?.[Symbol.for('holdfast.decode')] as (data: unknown) => object;
      return keep(decode.call(cls, this.read(json.$encoded as Json)));
    }
    if ('$region' in json || '$typed' in json || '$view' in json || '$buffer' in json)
      return this.#memory(json, keep);
    const object = keep(json.$prototype === null ? Object.create(null) : {}) as object;
    for (const [key, value] of Object.entries(json)) {
      if (!key.startsWith('$')) define(object, key, this.read(value));
      else if (key.startsWith('$$')) define(object, key.slice(1), this.read(value));
      else assert.ok(['$id', '$class', '$version', '$prototype'].includes(key), `${key} is described`);
    }
    return object;
  }

  #error(json: Fields, keep: <T extends object>(made: T) => T): object {
    const native = (globalThis as unknown as Record<string, new (...args: unknown[]) => object>)[
      json.$error as string
    ];
    const error = keep(
      Reflect.construct(native as never, json.$error === 'AggregateError' ? [[]] : []) as object,
    );
    for (const key of Reflect.ownKeys(error)) Reflect.deleteProperty(error, key);
    for (const [key, value, enumerable] of json.properties as [string, Json, boolean][]) {
      define(error, key, this.read(value), enumerable);
    }
    return error;
  }

  #fillArray(array: unknown[], json: readonly Json[]): unknown[] {
    let index = 0;
    for (const element of json) {
      const isHole = typeof element === 'object' && element !== null && '$hole' in element;
      if (isHole) index += element.$hole as number;
      else array[index++] = this.read(element);
    }
    array.length = index;
    return array;
  }

  #memory(json: Fields, keep: <T extends object>(made: T) => T): object {
    if ('$buffer' in json) {
      return keep(buffer(Buffer.from(json.$buffer as string, 'base64'), json));
    }
    if ('$typed' in json) {
      const { bytesPerElement, make } = viewType(json.$typed as string);
      if ('base64' in json) {
        const bytes = Buffer.from(json.base64 as string, 'base64');
        return keep(make([buffer(bytes, {}), 0, bytes.length / bytesPerElement]));
      }
      return keep(make([(json.values as Json[]).map((value) => this.read(value))]));
    }
    const below =
      '$region' in json
        ? this.#region(json.$region as string)
        : (this.read(json.buffer as Json) as ArrayBufferLike);
    const type = (json.type ?? json.$view) as string;
    if (type.endsWith('ArrayBuffer')) return below;
    const range = [below, (json.offset ?? 0) as number, ...('length' in json ? [json.length as number] : [])];
    return keep(viewType(type).make(range));
  }

  #region(file: string): ArrayBufferLike {
    const made = this.#buffers.get(file);
    if (made) return made;
    const region = this.#regions.find((entry) => entry.file === file);
    assert.ok(region, `${file} is listed`);
    const filled = buffer(this.#contentOf(file), region as unknown as Fields);
    this.#buffers.set(file, filled);
    return filled;
  }
}

function buffer(bytes: Uint8Array, { shared, maxByteLength }: Fields): ArrayBufferLike {
  const args = maxByteLength === undefined ? [bytes.length] : [bytes.length, { maxByteLength }];
  const made = Reflect.construct(shared === true ? SharedArrayBuffer : ArrayBuffer, args) as ArrayBufferLike;
  new Uint8Array(made).set(bytes);
  return made;
}

function viewType(name: string): { bytesPerElement: number; make(args: unknown[]): object } {
  const type = (globalThis as unknown as Record<string, new () => object>)[
    name === 'Buffer' ? 'Uint8Array' : name
  ];
  return {
    bytesPerElement: (type as unknown as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1,
    make: (args) =>
      Reflect.construct(type as never, args, (name === 'Buffer' ? Buffer : type) as never) as object,
  };
}

function define(object: object, key: string, value: unknown, enumerable = true): void {
  Object.defineProperty(object, key, { value, enumerable, writable: true, configurable: true });
}
