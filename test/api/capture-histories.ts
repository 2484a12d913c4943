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
import { Snap } from '../../src/index.js';
import { type Memory, PAGE, type ResizableBuffer, resizableBuffer, wasmMemory } from '../support/pages.js';
import { faulty, setFault } from './support.js';

/** Small, so that a history takes milliseconds. */
const SMALLEST_TRACKED = 4 * PAGE;

type Action =
  | { do: 'write'; part: number; at: number; length: number; value: number }
  | { do: 'save' | 'save-durably' | 'fail' | 'look' | 'rewind' | 'prepare' }
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

const rarely: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ do: fc.constantFrom('fail' as const, 'look' as const, 'rewind' as const, 'prepare' as const) }),
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
    { weight: 4, arbitrary: fc.constant<Action>({ do: 'save' }) },
    { weight: 2, arbitrary: fc.constant<Action>({ do: 'save-durably' }) },
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
}

/** Plays a history with one way of capturing, and checks every snapshot. */
export async function play(
  path: string,
  capture: CaptureChoice,
  actions: readonly Action[],
): Promise<Outcome> {
  let trackedBytes = 0;
  const listen = (message: unknown) => {
    const captured = message as { directory: string; trackedBytes: number };
    if (captured.directory === path) trackedBytes += captured.trackedBytes;
  };
  subscribe('holdfast:save:captured', listen);
  try {
    await using snap = await Snap.open(path, { ...faulty({ smallestTracked: SMALLEST_TRACKED }), capture });
    const run = new Run(path, snap);
    for (const action of actions) await run.act(action);
    return { sizes: await run.check(), trackedBytes };
  } finally {
    unsubscribe('holdfast:save:captured', listen);
  }
}

class Run {
  readonly #path: string;
  readonly #snap: Snap;
  readonly #memory: Memory = wasmMemory({ initial: 4, maximum: 40 });
  readonly #resizable: ResizableBuffer = resizableBuffer(200_000, 400_000);
  readonly #state: State;
  readonly #saved: { id: string; step: number; content: Content }[] = [];
  /** Rises where a snapshot made before can no longer be restored into the state. */
  #shape = 0;
  #restorable: { id: string; shape: number; content: Content } | undefined;

  constructor(path: string, snap: Snap) {
    this.#path = path;
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
        return this.#save(false);
      case 'save-durably':
        return this.#save(true);
      case 'fail':
        return this.#fail();
      case 'look':
        return this.#look();
      case 'rewind':
        return this.#rewind();
      case 'prepare':
        return this.#snap.prepare(this.#state);
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

  async #save(durable: boolean): Promise<void> {
    this.#state.step++;
    const content = this.#content();
    const { id } = await this.#snap.save(this.#state, { durable });
    this.#saved.push({ id, step: this.#state.step, content });
    this.#restorable = { id, shape: this.#shape, content };
  }

  async #fail(): Promise<void> {
    await this.#snap.flush();
    setFault(this.#path, { call: 'sync', code: 'EIO', times: 1 });
    await assert.rejects(this.#snap.save(this.#state, { durable: true }), { code: 'SNAP_IO' });
    setFault(this.#path);
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
