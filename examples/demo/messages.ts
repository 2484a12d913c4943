/** What the computing process tells the demo, over IPC. Times are milliseconds since 1970, with fractions. */

import type { Fingerprint } from './compare.js';

/** What a computing process is started with, as JSON in its first argument. */
export interface Assignment {
  steps: number;
  seed: number;
  /** Where and how often to save; undefined: never, as the run that the others are compared with. */
  saving: { store: string; every: number } | undefined;
}

export type Report =
  /** Ready to compute from `step` on; `resumeMs`: from opening the store to a state to compute with. */
  | { type: 'started'; step: number; resumeMs: number }
  | { type: 'step'; step: number; startedAt: number; ms: number }
  /** `await snap.save` took this long. */
  | { type: 'saved'; step: number; savedAt: number; heldMs: number }
  | {
      type: 'durable';
      step: number;
      durableMs: number;
      logicalBytes: number;
      changedBytes: number;
      storedBytes: number;
    }
  /** `kernelBytes`: what the kernel wrote to disks for the process, where it says. */
  | { type: 'finished'; fingerprint: Fingerprint; kernelBytes: number | undefined };
