/**
 * Reads what has no identity: primitives, keys, and the two tables that repeated strings and shapes are recalled from.
 *
 * Invariant: a slot is used only after the skeleton defined it.
 */

import { corrupt, type Source } from './source.js';
import * as tag from './tags.js';

/** No primitive. */
export const NONE = Symbol('none');

export class Words {
  readonly #source: Source;
  readonly #strings: string[] = [];
  readonly #shapes: (readonly string[])[] = [];

  constructor(source: Source) {
    this.#source = source;
  }

  /** A primitive whose tag was read; NONE for the tag of anything else. */
  primitive(code: number): unknown {
    const source = this.#source;
    switch (code) {
      case tag.T_INT32:
        return source.int32();
      case tag.T_FLOAT64:
        return source.double();
      case tag.T_LATIN1:
      case tag.T_UTF8:
      case tag.T_UTF16:
        return source.text(code);
      case tag.T_RECALL_STRING:
      case tag.T_DEFINE_STRING:
        return this.string(code);
      case tag.T_UNDEFINED:
        return undefined;
      case tag.T_NULL:
        return null;
      case tag.T_TRUE:
        return true;
      case tag.T_FALSE:
        return false;
      case tag.T_BIGINT_POSITIVE:
        return this.#bigint();
      case tag.T_BIGINT_NEGATIVE:
        return -this.#bigint();
      case tag.T_SYMBOL:
        return Symbol.for(this.string(source.u8()));
      default:
        return NONE;
    }
  }

  /** A string whose tag was read. */
  string(code: number): string {
    const source = this.#source;
    if (code === tag.T_RECALL_STRING) {
      const held = this.#strings[source.u16()];
      if (held === undefined)
        throw corrupt(`a string is recalled that was not defined, at byte ${source.at}`);
      return held;
    }
    if (code === tag.T_DEFINE_STRING) {
      const slot = source.u16();
      const text = source.text(source.u8());
      if (text === undefined || slot >= tag.TABLE_SLOTS)
        throw corrupt(`bad definition of a string, at byte ${source.at}`);
      this.#strings[slot] = text;
      return text;
    }
    const text = source.text(code);
    if (text === undefined) throw corrupt(`a string was expected at byte ${source.at - 1}`);
    return text;
  }

  #bigint(): bigint {
    const bytes = this.#source.raw(this.#source.count());
    let hex = '';
    for (let i = bytes.length - 1; i >= 0; i--) hex += (bytes[i] as number).toString(16).padStart(2, '0');
    try {
      return hex === '' ? 0n : BigInt(`0x${hex}`);
    } catch (error) {
      throw corrupt('a BigInt is too large', error);
    }
  }

  /** The keys of an object's shape. */
  shape(): readonly string[] {
    const slot = this.#source.u16();
    if ((slot & tag.SHAPE_DEFINED) === 0) {
      const keys = this.#shapes[slot];
      if (keys === undefined)
        throw corrupt(`a shape is used that was not defined, at byte ${this.#source.at}`);
      return keys;
    }
    const index = slot & ~tag.SHAPE_DEFINED;
    if (index >= tag.TABLE_SLOTS) throw corrupt(`a shape has no such slot, at byte ${this.#source.at}`);
    const keys = this.keys(this.#source.count());
    this.#shapes[index] = keys;
    return keys;
  }

  keys(count: number): readonly string[] {
    const keys: string[] = [];
    for (let i = 0; i < count; i++) keys.push(asPropertyKey(this.string(this.#source.u8())));
    return keys;
  }
}

/** The engine's own copy of a key: a string that was used as one is found faster each time it is used again. */
function asPropertyKey(key: string): string {
  return Object.keys({ [key]: 0 })[0] as string;
}
