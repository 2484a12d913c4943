/**
 * The real kill: children use a store and are SIGKILLed at random moments; this process, outside of them, keeps
 * what they were promised and checks after every kill that it is there, bit for bit. In the end bits of the store are
 * flipped, and nothing wrong may be restored from it.
 *
 * As many stores at a time as there are processors; after some kills each is replaced by a new one, so that a check
 * stays quick. The first snapshot that is lost or wrong ends it, and leaves that store for a look.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { throwIfAborted } from '../base/abort.js';
import { processors } from '../io/machine.js';
import { realIo } from '../io/real.js';
import { flipBits } from './flips.js';
import { kill } from './kill.js';
import { AIMS, type Aim } from './moments.js';
import { Oracle, onDamage } from './oracle.js';
import type { Look } from './reader.js';
import { randomFrom } from './state.js';

const KILLS_PER_STORE = 25;
const FLIPS_PER_STORE = 10;
/** Snapshots restored after each kill; all of them when the store is given up. */
const CHECKED_AFTER_KILL = 8;
/** Shares of the kills: the child is stopped before; a reader looks while it is killed. */
const STOPPED_SHARE = 0.15;
const WATCHED_SHARE = 0.2;
const LONGEST_STOP_MS = 30;

export interface TortureOptions {
  /** Where the stores are made: on the disk that is to be tried. It is there, and empty. */
  directory: string;
  kills: number;
  seed: number;
  signal: AbortSignal;
  onProgress(progress: { phase: 'kills'; done: number; total: number }): void;
}

/** What was done, and what was found. */
export interface TortureReport {
  kills: number;
  /** How many of the kills hit what they were aimed at, by its name; the others came elsewhere. */
  hits: Record<string, number>;
  elsewhere: number;
  /** How many children were stopped before they were killed; how often a reader looked beside them. */
  stopped: number;
  looks: number;
  /** Snapshots that were reported durable, and states that were restored and compared. */
  promised: number;
  restored: number;
  /** Bits that were flipped; those that `verify` saw, as not every byte of a store is in use. */
  flips: number;
  flipsSeen: number;
  /** What was lost, wrong, or should not have happened: nothing. */
  problems: string[];
}

const READER = fileURLToPath(new URL('./reader.js', import.meta.url));

/** Makes stores in the folder and removes those that held. An AbortError where it is ended early. */
export async function torture(options: TortureOptions): Promise<TortureReport> {
  const report: TortureReport = {
    kills: 0,
    hits: Object.fromEntries(AIMS.map(({ name }) => [name, 0])),
    elsewhere: 0,
    stopped: 0,
    looks: 0,
    promised: 0,
    restored: 0,
    flips: 0,
    flipsSeen: 0,
    problems: [],
  };
  const lanes = Math.min(processors(), Math.ceil(options.kills / KILLS_PER_STORE));
  const shared = { report, oracles: new Map<string, Oracle>(), begun: 0, stores: 0 };
  const stopListening = onDamage((directory, message) =>
    shared.oracles.get(directory)?.problems.push(message),
  );
  try {
    await Promise.all(
      Array.from({ length: lanes }, (_, lane) =>
        new Lane(options, shared, randomFrom(options.seed + lane)).run(),
      ),
    );
  } finally {
    stopListening();
  }
  throwIfAborted(options.signal);
  if (report.promised === 0) report.problems.push('no child was promised anything: nothing was tried');
  return report;
}

interface Shared {
  report: TortureReport;
  /** By folder of the store. */
  oracles: Map<string, Oracle>;
  /** Kills that are done or under way. */
  begun: number;
  stores: number;
}

/** One store after the other. */
class Lane {
  readonly #options: TortureOptions;
  readonly #shared: Shared;
  readonly #random: () => number;

  constructor(options: TortureOptions, shared: Shared, random: () => number) {
    this.#options = options;
    this.#shared = shared;
    this.#random = random;
  }

  async run(): Promise<void> {
    while (this.#goesOn())
      await this.#oneStore(join(this.#options.directory, `store-${this.#shared.stores++}`));
  }

  #goesOn(): boolean {
    const { report, begun } = this.#shared;
    return begun < this.#options.kills && report.problems.length === 0 && !this.#options.signal.aborted;
  }

  async #oneStore(store: string): Promise<void> {
    const { report, oracles } = this.#shared;
    const oracle = new Oracle();
    const reader = fork(READER, [store]);
    oracles.set(store, oracle);
    try {
      for (let round = 0; round < KILLS_PER_STORE && this.#goesOn() && oracle.isContent; round++) {
        this.#shared.begun++;
        await this.#killOnce(store, reader, oracle);
        await oracle.check(store, CHECKED_AFTER_KILL, this.#random);
        this.#options.onProgress({ phase: 'kills', done: report.kills, total: this.#options.kills });
      }
      if (oracle.isContent) await oracle.check(store, Number.POSITIVE_INFINITY, this.#random);
      oracles.delete(store);
      if (oracle.isContent) await this.#flip(store, oracle);
    } finally {
      if (reader.connected) reader.disconnect();
    }
    report.promised += oracle.promised;
    report.restored += oracle.restored;
    report.problems.push(...oracle.problems.map((problem) => `${store}: ${problem}`));
    if (oracle.isContent) realIo.removeFolder(store);
  }

  async #flip(store: string, oracle: Oracle): Promise<void> {
    const { report } = this.#shared;
    const seen = await flipBits(store, FLIPS_PER_STORE, oracle, this.#random);
    report.flipsSeen += seen;
    report.flips += FLIPS_PER_STORE;
    // Every bit is back where it was.
    await oracle.check(store, Number.POSITIVE_INFINITY, this.#random);
  }

  async #killOnce(store: string, reader: ChildProcess, oracle: Oracle): Promise<void> {
    const { report } = this.#shared;
    const random = this.#random;
    const aim = drawAim(random);
    if (aim.losesIndex) {
      if (random() < 0.5) realIo.removeFolder(join(store, 'index'));
      else realIo.removeFolder(join(store, 'clean.json'));
    }
    const stoppedMs = random() < STOPPED_SHARE ? random() * LONGEST_STOP_MS : 0;
    const watched = random() < WATCHED_SHARE;
    let looking: Promise<void> | undefined;
    const hit = await kill(
      store,
      {
        aim,
        seed: Math.floor(random() * 2 ** 31),
        skips: Math.floor(random() * (aim.skips + 1)),
        afterMs: random() * aim.withinMs,
        stoppedMs,
        continued: random() < 0.5,
        onSaving: () => {
          if (watched) looking ??= look(reader, oracle, report);
        },
      },
      oracle,
    );
    await looking;
    report.kills++;
    if (stoppedMs > 0) report.stopped++;
    if (hit) report.hits[aim.name] = (report.hits[aim.name] ?? 0) + 1;
    else report.elsewhere++;
  }
}

function drawAim(random: () => number): Aim {
  let left = random() * AIMS.reduce((sum, { share }) => sum + share, 0);
  for (const aim of AIMS) {
    left -= aim.share;
    if (left < 0) return aim;
  }
  return AIMS[0] as Aim;
}

/** A look that is begun beside the child, and ends perhaps after it was killed. */
async function look(reader: ChildProcess, oracle: Oracle, report: TortureReport): Promise<void> {
  const seen = await new Promise<Look>((resolve) => {
    reader.once('message', resolve);
    reader.once('exit', () => resolve({ wrong: 'the reader ended' }));
    reader.send('look');
  });
  if ('wrong' in seen) oracle.problems.push(seen.wrong);
  report.looks++;
}
