/**
 * Writes the keys of objects once per shape: objects with the same keys in the same order name the shape, and
 * then only their values follow.
 *
 * Invariants
 *  - a shape's slot follows from its keys, as in the string table, and for the same reason
 *  - the trie of key lists is kept from one encode to the next and is dropped only between two encodes, so that
 *    it can never change the bytes
 *  - the trie holds keys only, never an object of the state
 */

import type { Sink } from './sink.js';
import type { StringTable } from './strings.js';
import { SHAPE_DEFINED, TABLE_SLOTS } from './tags.js';

/** Past this many nodes the trie is dropped: objects used as dictionaries would grow it without end. */
const TRIE_NODES_MAX = 65536;
const PLACES = 4;

class Shape {
  readonly hash: number;
  /** The transition taken last: most often the next one too. */
  lastKey: string | undefined = undefined;
  lastShape: Shape | undefined = undefined;
  others: Map<string, Shape> | undefined = undefined;
  epoch = 0;
  slot = 0;

  constructor(hash: number) {
    this.hash = hash;
  }
}

function hashKey(seed: number, key: string): number {
  let hash = Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + key.length;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash, 31) + key.charCodeAt(i);
  return hash | 0;
}

export class ShapeTable {
  #root = new Shape(1);
  #nodes = 0;
  #epoch = 1;
  #slots: (Shape | undefined)[] = new Array<undefined>(TABLE_SLOTS).fill(undefined);

  write(sink: Sink, strings: StringTable, keys: readonly string[]): void {
    let shape = this.#root;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      shape = shape.lastKey === key ? (shape.lastShape as Shape) : this.#step(shape, key);
    }
    if (shape.epoch === this.#epoch && this.#slots[shape.slot] === shape) {
      sink.u16(shape.slot);
      return;
    }
    this.#place(shape);
    sink.u16(shape.slot | SHAPE_DEFINED);
    sink.varint(keys.length);
    for (let i = 0; i < keys.length; i++) strings.write(sink, keys[i] as string);
  }

  reset(): void {
    this.#epoch++;
    if (this.#nodes > TRIE_NODES_MAX) {
      this.#root = new Shape(1);
      this.#slots.fill(undefined);
      this.#nodes = 0;
    }
  }

  #step(shape: Shape, key: string): Shape {
    let next = shape.others?.get(key);
    if (next === undefined) {
      next = new Shape(hashKey(shape.hash, key));
      this.#nodes++;
      if (shape.lastKey !== undefined || shape.others !== undefined) {
        shape.others ??= new Map();
        if (shape.others.size === 0) shape.others.set(shape.lastKey as string, shape.lastShape as Shape);
        shape.others.set(key, next);
      }
    }
    shape.lastKey = key;
    shape.lastShape = next;
    return next;
  }

  /** The first free slot of a few; the first of all, taken from its shape, where none is free. */
  #place(shape: Shape): void {
    const home = (Math.imul(shape.hash ^ (shape.hash >>> 15), 0x2c1b3c6d) >>> 13) & (TABLE_SLOTS - 1);
    let slot = home;
    for (let i = 0; i < PLACES; i++) {
      const candidate = (home + i) & (TABLE_SLOTS - 1);
      const held = this.#slots[candidate];
      if (held === undefined || held.epoch !== this.#epoch || held.slot !== candidate) {
        slot = candidate;
        break;
      }
    }
    this.#slots[slot] = shape;
    shape.slot = slot;
    shape.epoch = this.#epoch;
  }
}
