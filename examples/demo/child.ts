/** The computing process of the demo: an ordinary loop that saves as it goes, and tells what it does. */

import { type SaveTicket, Snap } from 'holdfast';
import { kernelWrittenBytes } from '../../bench/support/disk.js';
import { createPlate, createSolver, type Plate } from '../heat.js';
import { fingerprint } from './compare.js';
import type { Assignment, Report } from './messages.js';

const { steps, seed, saving } = JSON.parse(process.argv[2] ?? '') as Assignment;

// Without a parent nobody wants the result.
const orphaned = (): never => process.exit(1);
process.on('disconnect', orphaned);

if (saving) await computeAndSave(saving.store, saving.every);
else await compute();
process.off('disconnect', orphaned);
process.disconnect();

async function computeAndSave(store: string, every: number): Promise<void> {
  const openedAt = performance.now();
  const snap = await Snap.open(store, { run: 'heat' });
  let plate: Plate;
  try {
    plate = await snap.resume(() => createPlate(seed));
    const advance = createSolver(plate);
    report({ type: 'started', step: plate.step, resumeMs: performance.now() - openedAt });
    while (plate.step < steps) {
      timed(advance, plate);
      if (plate.step % every !== 0 && plate.step !== steps) continue;
      const calledAt = performance.now();
      const ticket = await snap.save(plate, { step: plate.step });
      const heldMs = performance.now() - calledAt;
      report({ type: 'saved', step: plate.step, savedAt: performance.timeOrigin + calledAt, heldMs });
      announce(ticket);
    }
  } finally {
    await snap.close();
  }
  await finish(plate);
}

async function compute(): Promise<void> {
  const plate = createPlate(seed);
  const advance = createSolver(plate);
  report({ type: 'started', step: 0, resumeMs: 0 });
  while (plate.step < steps) timed(advance, plate);
  await finish(plate);
}

function timed(advance: () => void, plate: Plate): void {
  const start = performance.now();
  advance();
  const ms = performance.now() - start;
  report({ type: 'step', step: plate.step, startedAt: performance.timeOrigin + start, ms });
}

/** A failure to save is thrown by the next save, or by `close`: here nobody has to wait for it. */
function announce(ticket: SaveTicket): void {
  ticket.durable.then(
    ({ step = 0, durableMs = 0, logicalBytes, changedBytes, storedBytes }) =>
      report({ type: 'durable', step, durableMs, logicalBytes, changedBytes, storedBytes }),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
}

function report(message: Report): void {
  process.send?.(message);
}

/** Waits until the last report is on its way, so that leaving does not cut it off. */
function finish(plate: Plate): Promise<void> {
  const last: Report = {
    type: 'finished',
    fingerprint: fingerprint(plate),
    kernelBytes: kernelWrittenBytes(),
  };
  return new Promise((resolve) => process.send?.(last, () => resolve()));
}
