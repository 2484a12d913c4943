/** The thread of a copy: it works beside the loop, and a disk or share that is slow holds up nobody else. */

import { type MessagePort, workerData } from 'node:worker_threads';
import type { Io } from '../io/io.js';
import { lowerThreadPriority } from '../io/machine.js';
import { realIo } from '../io/real.js';
import { type CopyReport, type CopyRequest, copyStores } from './copy-job.js';
import { toPlainError } from './plain-error.js';
import type { PlainError, Warning } from './protocol.js';

/** What the thread is started with. */
export interface CopyThreadData {
  port: MessagePort;
  request: CopyRequest;
  /** URL of a module whose export `io` stands in for the real disk, clock and randomness. */
  ioModule: string | undefined;
}

/** What the thread tells. Whatever it is told means: stop. */
export type FromCopy =
  | { type: 'progress'; progress: unknown }
  | { type: 'warning'; directory: string; warning: Warning }
  | { type: 'done'; report: CopyReport }
  | { type: 'failed'; error: PlainError };

/** As the writer thread's: the loop comes first. */
const NICENESS = 10;
/** How long it goes on before messages are taken, and how often a listener hears of progress. */
const SLICE_MS = 10;
const TELL_MS = 100;

const { port, request, ioModule } = workerData as CopyThreadData;
let stopped = false;
let sliceStart = performance.now();
let toldAt = 0;

function post(message: FromCopy): void {
  port.postMessage(message);
}

async function main(): Promise<void> {
  lowerThreadPriority(NICENESS);
  port.on('message', () => {
    stopped = true;
  });
  try {
    const report = await copyStores(request, {
      io: ioModule ? ((await import(ioModule)) as { io: Io }).io : realIo,
      shouldStop: () => stopped,
      progress(progress) {
        if (performance.now() - toldAt < TELL_MS) return;
        toldAt = performance.now();
        post({ type: 'progress', progress });
      },
      warning: (directory, warning) => post({ type: 'warning', directory, warning }),
      breathe() {
        if (performance.now() - sliceStart < SLICE_MS) return undefined;
        return new Promise((resolve) => {
          setImmediate(() => {
            sliceStart = performance.now();
            resolve();
          });
        });
      },
    });
    post({ type: 'done', report });
  } catch (error) {
    post({ type: 'failed', error: toPlainError(error) });
  }
  port.close();
}

void main();
