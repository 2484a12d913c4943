/**
 * A generator of random numbers that one seed replays and a state can hold.
 *
 * The bits are those of pure-rand's xoroshiro128+ (Blackman and Vigna), four words of 32 bits. Its lowest bits are its
 * weakest, so everything here is made of the upper ones of each word.
 *
 * Invariants
 *  - the four words are all there is: nothing is kept back from one call to the next, so that what is saved between
 *    any two calls goes on exactly
 *  - filling an array of doubles or integers draws what as many single calls would
 *  - nothing but Math.exp and Math.log, in `normal`, depends on the machine
 */

import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import type { JumpableRandomGenerator } from 'pure-rand/types/JumpableRandomGenerator';
import { snapDecode, snapEncode, snapName } from '../state/index.js';
import { drawNormal } from './random-normal.js';

/** What is saved of a generator: the words s0 (upper, lower half) and s1 (the same) of xoroshiro128+. */
export interface RandomState {
  xoroshiro128plus: readonly number[];
}

/** Arrays that `fillInteger` takes. */
export type IntegerArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

const WORDS = 4;
const TWO_32 = 2 ** 32;
const TWO_53 = 2 ** 53;

/**
 * Random numbers that a restored program draws just as the one that was saved would have. A state may hold any number
 * of them, without registering the class.
 *
 * @example
 * const state = await snap.resume(() => ({ step: 0, random: new Random(42), x: new Float64Array(1000) }));
 * state.random.fillNormal(state.x);
 */
export class Random {
  /** The name in stores. It never changes, whatever a minifier makes of the class's own. */
  static readonly [snapName] = 'holdfast.Random';
  #bits: JumpableRandomGenerator;

  /**
   * @param seed a safe integer, or a bigint of which the lower 64 bits count. Seeds that are near each other give
   * streams that have nothing to do with each other
   */
  constructor(seed: number | bigint) {
    const mixer = new Mixer(checkSeed(seed));
    this.#bits = fromHalves(mixer.next(), mixer.next());
  }

  static [snapEncode](random: Random): RandomState {
    return { xoroshiro128plus: [...random.#bits.getState()] };
  }

  static [snapDecode](state: RandomState): Random {
    const words: unknown = state?.xoroshiro128plus;
    const isWord = (word: unknown) => Number.isInteger(word) && word === ((word as number) | 0);
    if (!Array.isArray(words) || words.length !== WORDS || !words.every(isWord) || !words.some(Boolean)) {
      throw new TypeError('a Random is made of four int32 of which one is not 0');
    }
    const random = new Random(0);
    random.#bits = xoroshiro128plusFromState(words);
    return random;
  }

  /**
   * A number with `low <= x < high`: of [0, 1) unless other bounds are given. It has 53 random bits.
   *
   * @throws RangeError where `low` is not below `high`, or their difference is not finite
   */
  uniform(low = 0, high = 1): number {
    const span = spanOf(low, high);
    for (;;) {
      const x = low + span * double(this.#bits);
      // Rounding may take it up to the bound.
      if (x < high) return x;
    }
  }

  /**
   * A whole number with `low <= k < high`, each as likely as any other: `integer(0, array.length)` is an index.
   *
   * @throws RangeError where these are no safe integers, `low` is not below `high`, or they are more than 2^53 apart
   */
  integer(low: number, high: number): number {
    return low + below(this.#bits, rangeOf(low, high));
  }

  /**
   * A number of the normal distribution.
   *
   * @param deviation the standard deviation, at least 0
   * @throws RangeError for parameters that are not finite, and a deviation below 0
   */
  normal(mean = 0, deviation = 1): number {
    checkNormal(mean, deviation);
    return mean + deviation * drawNormal(this.#bits);
  }

  /** Fills an array as `uniform` would, and returns it. Numbers of a Float32Array have 24 random bits. */
  fillUniform<T extends Float32Array | Float64Array>(array: T, low = 0, high = 1): T {
    const span = spanOf(low, high);
    const bits = this.#bits;
    const narrow = isFloat32(array);
    if (!narrow && !(array instanceof Float64Array)) throw refuseArray('fillUniform', array, 'Float64Array');
    for (let index = 0; index < array.length; ) {
      array[index] = low + span * (narrow ? single(bits) : double(bits));
      if ((array[index] as number) < high) index++;
    }
    return array;
  }

  /**
   * Fills an array as `integer` would, and returns it.
   *
   * @throws RangeError also where the array cannot hold each of these numbers
   */
  fillInteger<T extends IntegerArray>(array: T, low: number, high: number): T {
    const range = rangeOf(low, high);
    checkHolds(array, low, high - 1);
    const bits = this.#bits;
    for (let index = 0; index < array.length; index++) array[index] = low + below(bits, range);
    return array;
  }

  /** Fills an array as `normal` would, and returns it. */
  fillNormal<T extends Float32Array | Float64Array>(array: T, mean = 0, deviation = 1): T {
    checkNormal(mean, deviation);
    if (!isFloat32(array) && !(array instanceof Float64Array))
      throw refuseArray('fillNormal', array, 'Float64Array');
    const bits = this.#bits;
    for (let index = 0; index < array.length; index++) array[index] = mean + deviation * drawNormal(bits);
    return array;
  }

  /** Puts the elements of an array into an order of which each is as likely as any other, and returns it. */
  shuffle<T extends { length: number; [index: number]: unknown }>(array: T): T {
    for (let last = array.length - 1; last > 0; last--) {
      const index = below(this.#bits, last + 1);
      [array[last], array[index]] = [array[index], array[last]];
    }
    return array;
  }

  /**
   * A generator with a stream of its own, for another part of the program; it may be split again. That any two of a
   * million such streams overlap within 2^60 numbers has a probability below 10^-8.
   */
  split(): Random {
    const random = new Random(0);
    random.#bits = fromHalves(new Mixer(this.#word()).next(), new Mixer(this.#word()).next());
    return random;
  }

  /** Goes 2^64 words ahead, at once: clones between jumps have streams that cannot overlap. Returns this. */
  jump(): this {
    this.#bits.jump();
    return this;
  }

  /** A generator that will draw what this one will. */
  clone(): Random {
    const random = new Random(0);
    random.#bits = this.#bits.clone();
    return random;
  }

  #word(): bigint {
    return BigInt.asUintN(
      64,
      (BigInt(this.#bits.next()) << 32n) | BigInt.asUintN(32, BigInt(this.#bits.next())),
    );
  }
}

/** SplitMix64, which its authors recommend to seed xoroshiro with: near seeds give far states, and never zero twice. */
class Mixer {
  #state: bigint;

  constructor(seed: bigint) {
    this.#state = seed;
  }

  next(): bigint {
    this.#state = BigInt.asUintN(64, this.#state + 0x9e3779b97f4a7c15n);
    let mixed = this.#state;
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n);
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
    return mixed ^ (mixed >> 31n);
  }
}

function fromHalves(s0: bigint, s1: bigint): JumpableRandomGenerator {
  const words = [s0 >> 32n, s0, s1 >> 32n, s1].map((half) => Number(BigInt.asIntN(32, half)));
  return xoroshiro128plusFromState(words);
}

/** [0, 1), a multiple of 2^-53. */
function double(bits: JumpableRandomGenerator): number {
  return ((bits.next() >>> 5) * 2 ** 26 + (bits.next() >>> 6)) * 2 ** -53;
}

/** [0, 1), a multiple of 2^-24. */
function single(bits: JumpableRandomGenerator): number {
  return (bits.next() >>> 8) * 2 ** -24;
}

/** A whole number in [0, range): the upper part of a draw; what would make the last one less likely is drawn anew. */
function below(bits: JumpableRandomGenerator, range: number): number {
  const narrow = range <= TWO_32;
  const bucket = Math.floor((narrow ? TWO_32 : TWO_53) / range);
  for (;;) {
    const drawn = narrow ? bits.next() >>> 0 : (bits.next() >>> 5) * 2 ** 26 + (bits.next() >>> 6);
    const number = Math.floor(drawn / bucket);
    if (number < range) return number;
  }
}

function spanOf(low: number, high: number): number {
  const span = high - low;
  if (span > 0 && span < Number.POSITIVE_INFINITY) return span;
  throw new RangeError(`from ${low} to ${high} is no range: the first must be below the second, both finite`);
}

function rangeOf(low: number, high: number): number {
  const range = high - low;
  if (Number.isSafeInteger(low) && Number.isSafeInteger(high) && range > 0 && range <= TWO_53) return range;
  throw new RangeError(
    `from ${low} to ${high} is no range of whole numbers: the first must be below the second, ` +
      'both safe integers, and at most 2^53 apart',
  );
}

function checkNormal(mean: number, deviation: number): void {
  if (Number.isFinite(mean) && deviation >= 0 && deviation < Number.POSITIVE_INFINITY) return;
  throw new RangeError(
    `a normal distribution has a finite mean and a standard deviation from 0, not ${mean} and ${deviation}`,
  );
}

function checkSeed(seed: unknown): bigint {
  if (typeof seed === 'bigint') return BigInt.asUintN(64, seed);
  if (Number.isSafeInteger(seed)) return BigInt.asUintN(64, BigInt(seed as number));
  if (typeof seed === 'number')
    throw new RangeError(`the seed is ${seed}; it takes a safe integer or a bigint`);
  throw new TypeError('Random takes a seed: a safe integer or a bigint, as in new Random(42)');
}

function checkHolds(array: IntegerArray, lowest: number, highest: number): void {
  const isNumbers = ArrayBuffer.isView(array) && !(array instanceof DataView) && !/Big/.test(nameOf(array));
  if (!isNumbers) throw refuseArray('fillInteger', array, 'Int32Array');
  const [was] = array;
  const holds = (number: number) => {
    array[0] = number;
    return array[0] === number;
  };
  if (was === undefined || (holds(lowest) && holds(highest))) return;
  array[0] = was;
  throw new RangeError(`a ${nameOf(array)} does not hold all numbers from ${lowest} to ${highest}`);
}

function isFloat32(array: unknown): boolean {
  return array instanceof Float32Array;
}

function refuseArray(method: string, array: unknown, example: string): TypeError {
  return new TypeError(`${method} takes an array of numbers, as a ${example}, not ${nameOf(array)}`);
}

function nameOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
