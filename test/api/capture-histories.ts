/**
 * A state with every kind of memory, and whatever can become of it between saves: written to, swapped, resized,
 * transferred, replaced, dropped, restored into. A history is played against one store and remembers what every save
 * has to give back.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import * as fc from 'fast-check';
import type { CaptureChoice } from '../../src/api/options.js';
import { type OpenOptions, type SaveTicket, Snap } from '../../src/index.js';
import { type Memory, PAGE, type ResizableBuffer, resizableBuffer, wasmMemory } from '../support/pages.js';
import { faulty, setFault } from './support.js';

/** Small, so that a history takes milliseconds. */
const SMALLEST_TRACKED = 4 * PAGE;
/** Up to here a buffer is part of the skeleton. */
const INLINE_BYTES = 1024;

type Action =
  | { do: 'write'; part: number; at: number; length: number; value: number }
  | { do: 'save' | 'save-durably' | 'fail'; lent: number[] }
  | { do: 'look' | 'rewind' | 'prepare' | 'restart' }
  | { do: 'swap'; part: number; other: number }
  | { do: 'replace' | 'transfer' | 'drop' | 'alias'; part: number }
  | { do: 'resize'; share: number }
  | { do: 'grow' | 'collect' | 'child' };

const part = fc.nat(9);
const share = fc.double({ min: 0, max: 1, noNaN: true });

const write: fc.Arbitrary<Action> = fc.record({
  do: fc.constant('write' as const),
  part,
  at: share,
  length: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 9000 }) },
    { weight: 1, arbitrary: fc.constant(1 << 30) },
  ),
  value: fc.nat(255),
});

/** Parts that are lent by a save, where the history is one of lending. */
const lent: fc.Arbitrary<number[]> = fc.oneof(
  fc.array(part, { maxLength: 3 }),
  fc.constant<number[]>([0, 1, 2, 3, 4, 5, 6]),
);

function save(what: 'save' | 'save-durably' | 'fail'): fc.Arbitrary<Action> {
  return fc.record({ do: fc.constant(what), lent });
}

const rarely: fc.Arbitrary<Action> = fc.oneof(
  save('fail'),
  fc.record({
    do: fc.constantFrom('look' as const, 'rewind' as const, 'prepare' as const, 'restart' as const),
  }),
  fc.record({ do: fc.constant('swap' as const), part, other: part }),
  fc.record({
    do: fc.constantFrom('replace' as const, 'transfer' as const, 'drop' as const, 'alias' as const),
    part,
  }),
  fc.record({ do: fc.constant('resize' as const), share }),
  fc.record({ do: fc.constantFrom('grow' as const, 'grow' as const, 'collect' as const, 'child' as const) }),
);

export const history: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: write },
    { weight: 4, arbitrary: save('save') },
    { weight: 2, arbitrary: save('save-durably') },
    { weight: 2, arbitrary: rarely },
  ),
  { minLength: 10, maxLength: 60 },
);

interface State {
  step: number;
  parts: Record<string, Uint8Array>;
}

type Content = Record<string, Buffer>;

/** What one history left. */
export interface Outcome {
  /** Of each save: the sizes that do not depend on how it was captured. */
  sizes: { logicalBytes: number; changedBytes: number }[];
  /** Bytes of regions whose dirty pages the kernel told, over all saves. */
  trackedBytes: number;
  /** Regions that were lent, over all saves. */
  lent: number;
}

/** Plays a history with one way of capturing, and checks every snapshot. `lends`: what saves say of it is done. */
export async function play(
  path: string,
  capture: CaptureChoice,
  actions: readonly Action[],
  lends = false,
): Promise<Outcome> {
  let trackedBytes = 0;
  const listen = (message: unknown) => {
    const captured = message as { directory: string; trackedBytes: number };
    if (captured.directory === path) trackedBytes += captured.trackedBytes;
  };
  subscribe('holdfast:save:captured', listen);
  try {
    await using run = await Run.begin(path, capture, lends);
    for (const action of actions) await run.act(action);
    return { sizes: await run.check(), trackedBytes, lent: run.lent };
  } finally {
    unsubscribe('holdfast:save:captured', listen);
  }
}

class Run {
  readonly #path: string;
  readonly #options: OpenOptions;
  readonly #lends: boolean;
  #snap: Snap;
  readonly #memory: Memory = wasmMemory({ initial: 4, maximum: 40 });
  #resizable: ResizableBuffer = resizableBuffer(200_000, 400_000);
  lent = 0;
  readonly #state: State;
  readonly #saved: { id: string; step: number; content: Content }[] = [];
  /** Rises where a snapshot made before can no longer be restored into the state. */
  #shape = 0;
  #restorable: { id: string; shape: number; content: Content } | undefined;

  static async begin(path: string, capture: CaptureChoice, lends: boolean): Promise<Run> {
    const options = { ...faulty({ smallestTracked: SMALLEST_TRACKED }), capture };
    return new Run(path, options, lends, await Snap.open(path, options));
  }

  private constructor(path: string, options: OpenOptions, lends: boolean, snap: Snap) {
    this.#path = path;
    this.#options = options;
    this.#lends = lends;
    this.#snap = snap;
    this.#state = {
      step: 0,
      parts: {
        plain: new Uint8Array(300_001),
        other: new Uint8Array(300_001).fill(7),
        shared: new Uint8Array(new SharedArrayBuffer(262_144)),
        heap: new Uint8Array(this.#memory.buffer),
        resizable: new Uint8Array(this.#resizable),
        small: new Uint8Array(5000),
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#snap.close();
  }

  async act(action: Action): Promise<void> {
    const { parts } = this.#state;
    switch (action.do) {
      case 'write': {
        const bytes = this.#part(action.part);
        const start = Math.floor(action.at * bytes.length);
        bytes.fill(action.value, start, start + action.length);
        return;
      }
      case 'save':
        return this.#save(false, action.lent);
      case 'save-durably':
        return this.#save(true, action.lent);
      case 'fail':
        return this.#fail(action.lent);
      case 'look':
        return this.#look();
      case 'rewind':
        return this.#rewind();
      case 'prepare':
        return this.#snap.prepare(this.#state);
      case 'restart':
        await this.#snap.close();
        this.#snap = await Snap.open(this.#path, this.#options);
        return;
      case 'swap': {
        const [a, b] = [this.#name(action.part), this.#name(action.other)];
        [parts[a], parts[b]] = [parts[b] as Uint8Array, parts[a] as Uint8Array];
        break;
      }
      case 'replace':
        parts[this.#name(action.part)] = new Uint8Array(this.#part(action.part));
        break;
      case 'transfer':
        this.#transfer(this.#name(action.part));
        break;
      case 'drop':
        if (Object.keys(parts).length > 3) delete parts[this.#name(action.part)];
        else parts.plain ??= new Uint8Array(300_001);
        break;
      case 'alias':
        this.#alias(this.#part(action.part));
        break;
      case 'resize':
        this.#resizable.resize(1 + Math.floor(action.share * 399_999));
        break;
      case 'grow':
        this.#grow();
        break;
      case 'collect':
        globalThis.gc?.();
        return new Promise(setImmediate);
      case 'child':
        spawnSync('true');
        return;
    }
    this.#shape++;
  }

  /** Restores every snapshot, the newest first. */
  async check(): Promise<Outcome['sizes']> {
    await this.#snap.flush();
    const sizes = [];
    for (const { id, step, content } of this.#saved.reverse()) {
      assertSame(await this.#snap.restore<State>(id), content, `save ${step}`);
      const { logicalBytes, changedBytes } = await this.#snap.info(id);
      sizes.push({ logicalBytes, changedBytes });
    }
    return sizes;
  }

  #name(index: number): string {
    const names = Object.keys(this.#state.parts);
    return names[index % names.length] as string;
  }

  #part(index: number): Uint8Array {
    return this.#state.parts[this.#name(index)] as Uint8Array;
  }

  #content(): Content {
    return Object.fromEntries(
      Object.entries(this.#state.parts).map(([name, bytes]) => [name, Buffer.from(bytes)]),
    );
  }

  async #save(durable: boolean, lent: readonly number[]): Promise<void> {
    this.#state.step++;
    const content = this.#content();
    const ticket = await this.#snap.save(this.#state, { durable, lend: this.#lend(lent) });
    this.#saved.push({ id: ticket.id, step: this.#state.step, content });
    this.#restorable = { id: ticket.id, shape: this.#shape, content };
    await this.#putBack(ticket, content);
  }

  async #fail(lent: readonly number[]): Promise<void> {
    await this.#snap.flush();
    const content = this.#content();
    setFault(this.#path, { call: 'sync', code: 'EIO', times: 1 });
    const lend = this.#lend(lent);
    const error = await this.#snap.save(this.#state, { durable: true, lend }).catch((reason) => reason);
    assert.equal(error.code, 'SNAP_IO');
    setFault(this.#path);
    if (lend.length > 0) await this.#putBack(error.ticket, content);
  }

  /** The paths of those parts, without what cannot be lent. */
  #lend(indexes: readonly number[]): string[] {
    if (!this.#lends) return [];
    const names = new Set(indexes.map((index) => this.#name(index)));
    const lent = [...names].filter((name) => {
      const { buffer } = this.#state.parts[name] as Uint8Array;
      return buffer !== this.#memory.buffer && buffer.byteLength > INLINE_BYTES;
    });
    this.lent += lent.length;
    return lent.map((name) => `parts.${name}`);
  }

  async #putBack({ released }: SaveTicket, content: Content): Promise<void> {
    for (const [path, buffer] of await released) {
      const name = path.slice('parts.'.length);
      const before = this.#state.parts[name]?.buffer;
      if (before === this.#resizable) this.#resizable = buffer as ResizableBuffer;
      else assert.equal(buffer instanceof SharedArrayBuffer, before === buffer, `${name} is another buffer`);
      this.#state.parts[name] = new Uint8Array(buffer);
    }
    assertSame(this.#state, content, 'what came back');
  }

  /** Restoring another snapshot beside the state: the next save continues that one. */
  async #look(): Promise<void> {
    await this.#snap.flush();
    const some = this.#saved[Math.floor(this.#saved.length / 2)];
    if (some) assertSame(await this.#snap.restore<State>(some.id), some.content, `save ${some.step}`);
  }

  async #rewind(): Promise<void> {
    if (this.#restorable?.shape !== this.#shape) return;
    await this.#snap.flush();
    const { step } = this.#state;
    await this.#snap.restore(this.#restorable.id, { into: this.#state });
    assertSame(this.#state, this.#restorable.content, 'restored in place');
    this.#state.step = step;
  }

  #transfer(name: string): void {
    const { buffer } = this.#state.parts[name] as Uint8Array;
    if (buffer instanceof SharedArrayBuffer || buffer === this.#memory.buffer || buffer === this.#resizable)
      return;
    this.#state.parts[name] = new Uint8Array(structuredClone(buffer, { transfer: [buffer] }));
  }

  /** The same shared memory once more, behind another object, as it comes from another thread. */
  #alias({ buffer }: Uint8Array): void {
    if (!(buffer instanceof SharedArrayBuffer)) return;
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(buffer);
    this.#state.parts.alias = new Uint8Array(receiveMessageOnPort(port2)?.message as SharedArrayBuffer);
    port1.close();
  }

  #grow(): void {
    if (this.#memory.buffer.byteLength >= 30 * 65_536) return;
    const names = Object.entries(this.#state.parts).filter(
      ([, { buffer }]) => buffer === this.#memory.buffer,
    );
    this.#memory.grow(1);
    for (const [name] of names) this.#state.parts[name] = new Uint8Array(this.#memory.buffer);
  }
}

function assertSame({ parts }: State, content: Content, what: string): void {
  assert.deepEqual(Object.keys(parts), Object.keys(content), what);
  for (const [name, bytes] of Object.entries(content)) {
    assert.ok(bytes.equals(parts[name] as Uint8Array), `${what}: ${name} differs`);
  }
}
