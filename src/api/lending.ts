/**
 * Lending: buffers that are handed to the writer thread instead of being copied here, and come back.
 *
 * Invariants
 *  - what cannot be lent is refused before anything was done to the state
 *  - a loan is settled once: given back, or lost with the writer thread
 */

import { SnapError } from '../base/errors.js';
import { isTransferable, noteTransferred, type Region, stateAt } from '../state/index.js';
import type { LiveRegion } from '../writer/slot.js';
import { Later } from './later.js';

/** How many paths an error names. */
const MOST_NAMED = 10;

/** What is lent for one save. */
export class Loan {
  readonly #regions: readonly LiveRegion[];
  readonly #later = new Later<Map<string, ArrayBufferLike>>();

  constructor(regions: readonly LiveRegion[]) {
    this.#regions = regions;
  }

  /** The buffers by the paths of their regions. */
  get released(): Promise<Map<string, ArrayBufferLike>> {
    return this.#later.promise;
  }

  /** `buffers`: what came back, in the order of the regions; undefined for what is shared. */
  giveBack(buffers: readonly (ArrayBuffer | undefined)[]): void {
    const byPath = new Map<string, ArrayBufferLike>();
    for (const [index, { path, bytes }] of this.#regions.entries()) {
      const returned = buffers[index];
      const isGone = bytes.buffer.byteLength === 0;
      if (isGone && returned) noteTransferred(returned);
      byPath.set(path, isGone && returned ? returned : bytes.buffer);
    }
    this.#later.succeed(byPath);
  }

  /** The writer thread died; no effect where everything had come back. */
  lose(cause: Error): void {
    const message = `what was lent was not given back, and ArrayBuffers are lost: ${cause.message}`;
    this.#later.fail(new SnapError('SNAP_BROKEN', message, { cause }));
  }
}

/**
 * The regions of a state, those marked that are lent.
 *
 * @throws TypeError for what cannot be lent, and for a path that names no region
 */
export function markLent(regions: readonly Region[], lend: true | readonly string[]): LiveRegion[] {
  const wanted = lend === true ? undefined : new Set(lend);
  if (wanted) checkPaths(regions, wanted);
  const seen = new Set<string>();
  return regions.map((region): LiveRegion => {
    const { path } = region;
    if (wanted && !wanted.has(path)) return region;
    checkLendable(region);
    if (seen.has(path)) throw new TypeError(`two buffers are named ${stateAt(path)}: lend neither`);
    seen.add(path);
    return { ...region, lent: true };
  });
}

function checkPaths(regions: readonly Region[], wanted: ReadonlySet<string>): void {
  const paths = new Set(regions.map(({ path }) => path));
  for (const path of wanted) {
    if (paths.has(path)) continue;
    const named = [...paths].slice(0, MOST_NAMED).map((other) => JSON.stringify(other));
    if (paths.size > MOST_NAMED) named.push(`${paths.size - MOST_NAMED} more`);
    throw new TypeError(
      `lend: ${JSON.stringify(path)} names no region of the state (a buffer of more than 1 KiB, by the path of its first view); ` +
        `the regions are: ${named.join(', ') || 'none'}`,
    );
  }
}

function checkLendable({ path, kind, bytes }: Region): void {
  const { buffer } = bytes;
  if (!(buffer instanceof ArrayBuffer)) return;
  const refuse = (what: string, todo: string) => {
    throw new TypeError(
      `${stateAt(path)} cannot be lent, because ${what}: ${todo}, or name in lend what can be, as in lend: ["solver.u"]`,
    );
  };
  if (bytes.byteLength !== buffer.byteLength)
    refuse('small Buffers share one buffer', 'make it with Buffer.alloc');
  if (kind === 'WebAssembly.Memory') refuse('WebAssembly keeps its memory', 'save it without lend');
  if (!isTransferable(buffer))
    refuse(
      'its buffer cannot be transferred (it is the memory of WebAssembly, or shared by small Buffers, or marked so)',
      'copy it into one of its own',
    );
}
