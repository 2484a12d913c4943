/** A copy as the caller's thread sees it: a thread of its own, which the process waits for. */

import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { SnapError } from '../base/errors.js';
import type { CopyProgress } from '../store/copy.js';
import type { GcProgress } from '../store/gc.js';
import type { CopyReport, CopyRequest } from './copy-job.js';
import type { CopyThreadData, FromCopy } from './copy-thread.js';
import { keepLevel } from './owner.js';
import { fromPlainError } from './plain-error.js';
import type { Warning } from './protocol.js';

export interface CopyEvents {
  progress: ((progress: CopyProgress | GcProgress) => void) | undefined;
  warning(directory: string, warning: Warning): void;
  /** Asks it to end; it then replies with what it has done. */
  signal: AbortSignal | undefined;
  ioModule: string | undefined;
}

export async function copyBeside(request: CopyRequest, events: CopyEvents): Promise<CopyReport> {
  const { port1, port2 } = new MessageChannel();
  const data: CopyThreadData = { port: port2, request, ioModule: events.ioModule };
  const worker = new Worker(new URL('./copy-thread.js', import.meta.url), {
    workerData: data,
    transferList: [port2],
    name: 'holdfast copy',
    execArgv: [],
  });
  keepLevel();
  const stop = () => port1.postMessage('stop');
  events.signal?.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise<CopyReport>((resolve, reject) => {
      const take = (message: FromCopy): void => {
        if (message.type === 'progress') events.progress?.(message.progress as CopyProgress | GcProgress);
        else if (message.type === 'warning') events.warning(message.directory, message.warning);
        else if (message.type === 'done') resolve(message.report);
        else reject(fromPlainError(message.error));
      };
      port1.on('message', take);
      worker.on('error', (error) => reject(died(error)));
      worker.on('exit', () => {
        // What it posted last may still be on its way.
        for (let last = receiveMessageOnPort(port1); last; last = receiveMessageOnPort(port1))
          take(last.message);
        reject(died(new Error('it ended')));
      });
    });
  } finally {
    events.signal?.removeEventListener('abort', stop);
    port1.close();
  }
}

function died(cause: Error): SnapError {
  return new SnapError(
    'SNAP_BROKEN',
    `the thread of the copy died (${cause.message}); what was copied is safe: copy again`,
    { cause },
  );
}
