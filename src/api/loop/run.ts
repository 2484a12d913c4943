/** The two forms of a loop: with a `step` that it calls, and as an async iterable whose body is the step. */

import { checkLoopOptions } from './check-options.js';
import type { LoopContext } from './context.js';
import type { LoopHost } from './host.js';
import { Loop, type LoopResult } from './loop.js';
import type { LoopOptions } from './options.js';

/** What the body of a `for await` loop is given. */
export interface LoopItem<S extends object> {
  state: S;
  /** Number of this step, from 0, counted over all restarts. */
  step: number;
  loop: LoopContext;
}

/** A loop as an async iterable, to be iterated once. */
export interface LoopIterable<S extends object> extends AsyncIterable<LoopItem<S>> {
  /** How it ended; undefined before, and where the body left it by `break` or an error. */
  readonly result: LoopResult<S> | undefined;
}

export function startLoop<S extends object>(
  host: LoopHost,
  options: LoopOptions<S>,
): Promise<LoopResult<S>> | LoopIterable<S> {
  return options?.step === undefined ? new IteratedLoop(host, options) : runLoop(host, options);
}

async function runLoop<S extends object>(host: LoopHost, options: LoopOptions<S>): Promise<LoopResult<S>> {
  const checked = checkLoopOptions(options);
  host.claim();
  const loop = new Loop(host, checked);
  return Promise.race([runSteps(host, loop, checked.step as Step<S>), loop.late]);
}

type Step<S extends object> = NonNullable<LoopOptions<S>['step']>;

async function runSteps<S extends object>(
  host: LoopHost,
  loop: Loop<S>,
  step: Step<S>,
): Promise<LoopResult<S>> {
  const { context } = loop;
  try {
    await loop.begin();
    while (!loop.isOver) {
      const returned = step(loop.state, context);
      if (returned !== undefined) loop.replace(isThenable(returned) ? await returned : returned);
      if (loop.stepped()) await loop.attend();
    }
    return await loop.finish();
  } catch (error) {
    await loop.abandon();
    throw error;
  } finally {
    loop.release();
    host.release();
  }
}

class IteratedLoop<S extends object> implements LoopIterable<S>, AsyncIterator<LoopItem<S>, undefined> {
  readonly #host: LoopHost;
  readonly #loop: Loop<S>;
  #stage: 'new' | 'running' | 'ended' = 'new';
  #isIterated = false;
  result: LoopResult<S> | undefined;

  constructor(host: LoopHost, options: LoopOptions<S>) {
    this.#host = host;
    this.#loop = new Loop(host, checkLoopOptions(options));
  }

  [Symbol.asyncIterator](): AsyncIterator<LoopItem<S>, undefined> {
    if (this.#isIterated) throw new TypeError('this loop was iterated already; call snap.loop again');
    this.#isIterated = true;
    return this;
  }

  /** The body of the last step is through, so it counts. */
  next(): Promise<IteratorResult<LoopItem<S>, undefined>> {
    if (this.#stage === 'new') return this.#goOn(() => this.#begin());
    if (this.#stage === 'ended') return Promise.resolve({ done: true, value: undefined });
    try {
      if (!this.#loop.stepped()) return Promise.resolve(this.#item());
    } catch (error) {
      return this.#goOn(() => Promise.reject(error));
    }
    return this.#goOn(() => this.#loop.attend());
  }

  /** The body left by `break`, `return` or an error, and which of them nobody can tell: its step does not count. */
  async return(): Promise<IteratorResult<LoopItem<S>, undefined>> {
    if (this.#stage === 'running') {
      await this.#loop.abandon();
      this.#end();
    }
    return { done: true, value: undefined };
  }

  /** Whoever awaits it takes it for the other form, and nothing would be computed. */
  // biome-ignore lint/suspicious/noThenProperty: awaiting it is to fail
  then(_: unknown, reject: (error: Error) => void): void {
    reject(
      new TypeError(
        'this loop has no step: give it one, or iterate it by for await (const { state } of ...)',
      ),
    );
  }

  async #goOn(work: () => Promise<void>): Promise<IteratorResult<LoopItem<S>, undefined>> {
    try {
      await work();
      if (!this.#loop.isOver) return this.#item();
      this.result = await Promise.race([this.#loop.finish(), this.#loop.late]);
      this.#end();
      return { done: true, value: undefined };
    } catch (error) {
      await this.#loop.abandon();
      this.#end();
      throw error;
    }
  }

  async #begin(): Promise<void> {
    this.#host.claim();
    this.#stage = 'running';
    await this.#loop.begin();
  }

  #item(): IteratorResult<LoopItem<S>, undefined> {
    const { state, step, context } = this.#loop;
    return { done: false, value: { state, step, loop: context } };
  }

  #end(): void {
    if (this.#stage === 'running') {
      this.#loop.release();
      this.#host.release();
    }
    this.#stage = 'ended';
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null)?.then === 'function';
}
