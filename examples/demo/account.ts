/** What the run cost and what it proved: figures from the lives of the computing process, and the verdict. */

import { median, percentile, sum } from '../../bench/support/samples.js';
import { PATCH_EVERY, PATCH_SIDE, STRIDE } from '../heat.js';
import type { Computing, Iteration, Save } from './computing.js';

/** What one life tells; the process itself does not matter here. */
export type Life = Pick<Computing, 'iterations' | 'saves'>;

export interface Costs {
  saves: number;
  durableSaves: number;
  stallP50: number;
  stallP99: number;
  /** Time inside `await snap.save` over all time of the loop. */
  lostShare: number;
  /** Median iteration with no save in the background, and with one all the while. */
  plainMs: number;
  duringMs: number;
  logicalBytes: number;
  changedBytes: number;
  storedBytes: number;
}

export function costsOf(lives: readonly Life[]): Costs {
  const saves = lives.flatMap((life) => life.saves);
  const durable = saves.filter(isDurable);
  const held = saves.map(({ heldMs }) => heldMs);
  const computed = sum(lives.flatMap(({ iterations }) => iterations).map(({ ms }) => ms));
  const { plain, during } = byBackground(lives);
  return {
    saves: saves.length,
    durableSaves: durable.length,
    stallP50: median(held),
    stallP99: percentile(held, 0.99),
    lostShare: sum(held) / (sum(held) + computed),
    plainMs: median(plain),
    duringMs: median(during),
    logicalBytes: sum(durable.map(({ logicalBytes }) => logicalBytes)),
    changedBytes: sum(durable.map(({ changedBytes }) => changedBytes)),
    storedBytes: sum(durable.map(({ storedBytes }) => storedBytes)),
  };
}

function isDurable(save: Save): save is Required<Save> {
  return save.durableMs !== undefined;
}

/** Iterations that ran wholly while a save was written, and those that ran wholly beside none. */
function byBackground(lives: readonly Life[]): { plain: number[]; during: number[] } {
  const plain: number[] = [];
  const during: number[] = [];
  for (const { iterations, saves } of lives) {
    // A save that was cut off was being written until the end.
    const windows = saves.map(({ savedAt, durableMs = Number.POSITIVE_INFINITY }) => ({
      from: savedAt,
      to: savedAt + durableMs,
    }));
    for (const iteration of iterations) {
      const relation = relationTo(iteration, windows);
      if (relation === 'inside') during.push(iteration.ms);
      else if (relation === 'apart') plain.push(iteration.ms);
    }
  }
  return { plain, during };
}

function relationTo(
  { startedAt, ms }: Iteration,
  windows: readonly { from: number; to: number }[],
): 'inside' | 'apart' | 'partly' {
  let touches = false;
  for (const { from, to } of windows) {
    if (startedAt >= from && startedAt + ms <= to) return 'inside';
    if (startedAt < to && startedAt + ms > from) touches = true;
  }
  return touches ? 'partly' : 'apart';
}

const CHUNK_BYTES = 64 * 1024;
const ROW_BYTES = STRIDE * Float64Array.BYTES_PER_ELEMENT;
/** One plane of a plate, and so the temperatures. */
const PLANE_BYTES = STRIDE * ROW_BYTES;
/** What a replaced patch touches in the four planes of the conductivity map, in whole chunks. */
const PATCH_BYTES = 4 * ((PATCH_SIDE + 1) * ROW_BYTES + 2 * CHUNK_BYTES);
/** Probes, counters and the like, with room to spare. */
const REST_BYTES = 64 * 1024;
/** Pages, manifests, record headers and the index come on top. */
const METADATA_SHARE = 0.05;
const METADATA_BYTES = 2 * 1024 * 1024;

/**
 * The most that incremental saves of these lives may take on disk, uncompressed. It follows from the physics,
 * not from what the engine says of itself: a first save of everything, then for each save the temperatures, and
 * for each replaced patch its part of the conductivity map.
 */
export function explainedBytes(lives: readonly Life[]): number {
  const saves = lives.flatMap((life) => life.saves).length;
  const iterations = lives.flatMap((life) => life.iterations);
  const patches = iterations.filter(({ step }) => step % PATCH_EVERY === 0).length;
  const raw = 5 * PLANE_BYTES + saves * (PLANE_BYTES + REST_BYTES) + patches * PATCH_BYTES;
  return raw * (1 + METADATA_SHARE) + METADATA_BYTES;
}

/** What the demo found out. */
export interface Findings {
  /** Parts of the state in which the resumed run, or the restored snapshot, differs from the uninterrupted one. */
  different: readonly string[];
  writtenBytes: number;
  explainedBytes: number;
  /** Steps of saves that were reported durable before the kill, and the step the store still had. */
  durableSteps: readonly number[];
  survivingStep: number | undefined;
  /** Where the restarted process went on. */
  resumedStep: number | undefined;
}

/** The last lines of the demo, and its exit status. */
export function verdictOn(findings: Findings): { lines: string[]; status: 0 | 1 } {
  const { different, writtenBytes, explainedBytes, durableSteps, survivingStep, resumedStep } = findings;
  const failures: string[] = [];
  const newest = Math.max(-1, ...durableSteps);
  if (survivingStep === undefined || survivingStep < newest) {
    failures.push(`a durable save was lost: step ${newest} was durable, the store has ${survivingStep}`);
  }
  if (resumedStep !== survivingStep) {
    failures.push(`resumed at step ${resumedStep}, but the newest snapshot is of ${survivingStep}`);
  }
  if (writtenBytes > explainedBytes) {
    failures.push(
      `not incremental: ${writtenBytes} bytes written, where what changed explains ${Math.round(explainedBytes)}`,
    );
  }
  if (different.length > 0) failures.push(`different: ${different.join(', ')}`);
  return {
    lines: [...failures, `identical: ${different.length === 0 ? 'yes' : 'no'}`],
    status: failures.length === 0 ? 0 : 1,
  };
}
