/**
 * The state that tortured programs save: whatever is restored can be told whole from torn by itself, because the
 * state carries a hash of everything else in it.
 */

import { createHash } from 'node:crypto';

export interface Tortured {
  step: number;
  seed: number;
  grids: Float64Array[];
  /** Bytes that move. */
  text: Uint8Array;
  /** Numbers that drift, as those of a field do. */
  drifting: [Float64Array, Float32Array];
  /** Bytes of which a few change at random places, as those of a heap do. */
  heap: Uint8Array;
  notes: Map<string, string>;
  check: string;
}

const TEXT_BYTES = 300_000;
const HEAP_BYTES = 200_000;

/** A small generator, so that one seed replays one program. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function initial(seed: number): Tortured {
  const grids = [20_000, 3_000, 40].map((length) => new Float64Array(length));
  const random = randomFrom(seed);
  const text = Uint8Array.from({ length: TEXT_BYTES }, () => 256 * random());
  const drifting: Tortured['drifting'] = [new Float64Array(16_000), new Float32Array(16_000)];
  for (const field of drifting) for (let at = 0; at < field.length; at++) field[at] = 20 + Math.sin(at / 300);
  const heap = Uint8Array.from({ length: HEAP_BYTES }, () => 256 * random());
  return sealed({ step: 0, seed, grids, text, drifting, heap, notes: new Map(), check: '' });
}

/**
 * One step: some of the grids change in places, sometimes everywhere; sometimes one changes its length. Into the text
 * something is put, here or there. Fields drift, and a few bytes of the heap change.
 */
export function advance(state: Tortured, random: () => number): void {
  state.step++;
  for (const [index, grid] of state.grids.entries()) {
    const choice = random();
    if (choice < 0.3) continue;
    if (choice > 0.95)
      state.grids[index] = new Float64Array(1 + Math.floor(random() * 30_000)).fill(state.step);
    const target = state.grids[index] as Float64Array;
    const from = Math.floor(random() * target.length);
    const to = choice > 0.85 ? target.length : Math.min(target.length, from + Math.floor(random() * 2000));
    for (let at = from; at < to; at++) target[at] = random() * state.step;
    void grid;
  }
  if (random() < 0.4) state.text = inserted(state.text, random);
  for (const field of state.drifting) drift(field, (random() - 0.5) / 1000);
  for (let times = 0; times < 20; times++) {
    state.heap[Math.floor(random() * state.heap.length)] = 256 * random();
  }
  state.notes.set(`note ${Math.floor(random() * 20)}`, `written at ${state.step}`);
  sealed(state);
}

function drift(field: Float64Array | Float32Array, push: number): void {
  for (let at = 0; at < field.length; at++) field[at] = (field[at] as number) + push * Math.cos(at / 500);
}

/** Near the beginning, so that most of it moves; what has become too long is cut off. */
function inserted(text: Uint8Array, random: () => number): Uint8Array {
  const at = Math.floor((random() * text.length) / 8);
  const part = Uint8Array.from({ length: 1 + Math.floor(random() * 300) }, () => 256 * random());
  const longer = new Uint8Array(text.length + part.length);
  longer.set(text.subarray(0, at));
  longer.set(part, at);
  longer.set(text.subarray(at), at + part.length);
  return longer.length < TEXT_BYTES + 2000 ? longer : longer.slice(0, TEXT_BYTES);
}

export function sealed(state: Tortured): Tortured {
  state.check = hashOf(state);
  return state;
}

/** True where the state is exactly one that `sealed` has seen. */
export function isWhole(state: Tortured): boolean {
  return state.check === hashOf(state);
}

function hashOf({ step, seed, grids, text, drifting, heap, notes }: Tortured): string {
  const hash = createHash('sha256');
  hash.update(`${step} ${seed} ${JSON.stringify([...notes])}`);
  for (const array of [...grids, ...drifting, text, heap]) {
    hash.update(`${array.length} `).update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  return hash.digest('hex');
}
