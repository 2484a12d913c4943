/**
 * What can be observed, through node:diagnostics_channel. Nothing is built or published while nobody listens.
 *
 *   holdfast:save:captured   { directory, run, id, step, stallMs, skipped, copiedBytes, trackedBytes }
 *   holdfast:save:durable    { directory, info: SnapshotInfo }
 *   holdfast:save:error      { directory, run, id, error: SnapError }
 *   holdfast:gc              { directory, run, report: GcReport }; `run` is undefined where `gc` was called
 *   holdfast:loop            { directory, run, event, step, cadence: CadenceInfo }; `event` is 'begin', 'cadence' (what a
 *                            save costs was measured anew) or 'end'
 *   holdfast:warning         { directory, kind, message, pack?, offset?, snapshot? }
 */

import { channel } from 'node:diagnostics_channel';
import type { GcReport } from '../writer/gc-job.js';
import type { SnapshotInfo, Warning } from '../writer/protocol.js';
import type { CadenceInfo } from './loop/cadence.js';

export interface CapturedMessage {
  directory: string;
  run: string;
  id: string;
  step: number | undefined;
  stallMs: number;
  skipped: boolean;
  /** Bytes that were copied while the caller was held; 0 where the save was skipped. */
  copiedBytes: number;
  /** Bytes of the regions of which the kernel tells what was written. */
  trackedBytes: number;
}

export interface DurableMessage {
  directory: string;
  info: SnapshotInfo;
}

export interface SaveErrorMessage {
  directory: string;
  run: string;
  id: string;
  error: Error;
}

export interface GcMessage {
  directory: string;
  /** The run whose `keep` was applied; undefined where `gc` was called. */
  run: string | undefined;
  report: GcReport;
}

export interface LoopMessage {
  directory: string;
  run: string;
  event: 'begin' | 'cadence' | 'end';
  /** Steps done, over all restarts. */
  step: number;
  cadence: CadenceInfo;
}

export type WarningMessage = Warning & { directory: string };

const captured = channel('holdfast:save:captured');
const durable = channel('holdfast:save:durable');
const failed = channel('holdfast:save:error');
const collected = channel('holdfast:gc');
const looped = channel('holdfast:loop');
const warned = channel('holdfast:warning');

/** True where somebody would hear of saves. */
export function isHeard(): boolean {
  return captured.hasSubscribers || durable.hasSubscribers || failed.hasSubscribers;
}

export function publishCaptured(message: () => CapturedMessage): void {
  if (captured.hasSubscribers) captured.publish(message());
}

export function publishDurable(message: () => DurableMessage): void {
  if (durable.hasSubscribers) durable.publish(message());
}

export function publishError(message: () => SaveErrorMessage): void {
  if (failed.hasSubscribers) failed.publish(message());
}

export function publishGc(message: () => GcMessage): void {
  if (collected.hasSubscribers) collected.publish(message());
}

export function publishLoop(message: () => LoopMessage): void {
  if (looped.hasSubscribers) looped.publish(message());
}

/** A warning is also a process warning, so that nobody has to subscribe to hear of damage. */
export function publishWarning(message: WarningMessage): void {
  if (warned.hasSubscribers) warned.publish(message);
  process.emitWarning(`${message.directory}: ${message.message}`, {
    type: 'HoldfastWarning',
    code: `SNAP_${message.kind.toUpperCase()}`,
  });
}
