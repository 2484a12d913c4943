/** The way between an owner and the thread that writes for it: a port, a lane each way, shared words, and the thread. */

import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { newLane } from './lane.js';
import { WORD_COUNT } from './protocol.js';
import type { ThreadData } from './thread.js';

export interface Link {
  readonly port: MessagePort;
  readonly lanes: ThreadData['lanes'];
  readonly words: Int32Array;
  /** Whether the process waits for it, and its end. */
  readonly thread: Pick<Worker, 'on' | 'ref' | 'unref'>;
}

/** Both ends of what a link needs beside the thread. */
export function newLink(): {
  here: Omit<Link, 'thread'>;
  there: Pick<ThreadData, 'port' | 'lanes' | 'words'>;
} {
  const { port1, port2 } = new MessageChannel();
  const lanes = { toWriter: newLane(), fromWriter: newLane() };
  const words = new Int32Array(new SharedArrayBuffer(WORD_COUNT * Int32Array.BYTES_PER_ELEMENT));
  return { here: { port: port1, lanes, words }, there: { port: port2, lanes, words } };
}

/** Starts a writer thread. */
export function startThread(options: Omit<ThreadData, 'port' | 'lanes' | 'words'>): Link {
  const { here, there } = newLink();
  const workerData: ThreadData = { ...options, ...there };
  const { heapMiB } = options.internals;
  const thread = new Worker(new URL('./thread.js', import.meta.url), {
    workerData,
    transferList: [there.port],
    name: 'holdfast',
    execArgv: [],
    ...(heapMiB !== undefined && { resourceLimits: { maxOldGenerationSizeMb: heapMiB } }),
  });
  return { ...here, thread };
}
