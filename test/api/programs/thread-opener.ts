/** A thread that tries to own a store when the others of its round do, says how that ended, and closes when told to. */
import { once } from 'node:events';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Snap, SnapError } from '../../../src/index.js';

export interface Task {
  path: string;
  /** How many threads are still to come. */
  missing: Int32Array;
}

const { path, missing } = workerData as Task;
const port = parentPort as MessagePort;
Atomics.sub(missing, 0, 1);
Atomics.notify(missing, 0);
for (let still = Atomics.load(missing, 0); still > 0; still = Atomics.load(missing, 0)) {
  Atomics.wait(missing, 0, still);
}
try {
  const snap = await Snap.open(path);
  await snap.save({ n: 1 }, { durable: true });
  port.postMessage('owner');
  await once(port, 'message');
  await snap.close();
} catch (error) {
  port.postMessage(error instanceof SnapError ? `${error.code} ${error.pid}` : String(error));
}
