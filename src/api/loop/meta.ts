/** What a loop writes into `meta.loop` of each of its snapshots, and reads back when it resumes. */

import { randomBytes } from 'node:crypto';
import type { SnapshotInfo } from '../../writer/protocol.js';
import type { CadenceInfo } from './cadence.js';

export interface LoopMeta {
  /** The run clock when the snapshot was captured. */
  elapsedMs: number;
  /** How many times the run had been resumed. */
  restarts: number;
  /** True where the end condition held. */
  done: boolean;
  /** A name of the process that made it. */
  process: string;
  /** When it saved, and why. */
  cadence?: Pick<CadenceInfo, 'steps' | 'intervalMs' | 'reason'>;
}

/** A name of this process, that no other has. */
export const PROCESS: string = randomBytes(8).toString('hex');

/** Of a snapshot that a loop made, or undefined. What is missing or odd reads as a beginning. */
export function readLoopMeta({ meta }: Pick<SnapshotInfo, 'meta'>): LoopMeta | undefined {
  const loop = (meta as { loop?: unknown } | null | undefined)?.loop;
  if (typeof loop !== 'object' || loop === null) return undefined;
  const { elapsedMs, restarts, done, process, cadence } = loop as Partial<Record<keyof LoopMeta, unknown>>;
  return {
    elapsedMs: typeof elapsedMs === 'number' && elapsedMs >= 0 ? elapsedMs : 0,
    restarts: typeof restarts === 'number' && Number.isSafeInteger(restarts) ? restarts : 0,
    done: done === true,
    process: typeof process === 'string' ? process : '',
    ...(isCadence(cadence) && { cadence }),
  };
}

function isCadence(value: unknown): value is NonNullable<LoopMeta['cadence']> {
  return typeof (value as { reason?: unknown } | null | undefined)?.reason === 'string';
}
