/**
 * Tries to own a store whenever it is told to, and says how it went. While it is the owner a mark stands beside the
 * store that only one process can set: a second owner finds it.
 */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { Snap, SnapError } from '../../../src/index.js';

export type Order = 'open' | 'save' | 'close';
export type Outcome =
  | { owns: true; saved: number }
  | { owns: false; code: string; pid: number | undefined }
  | { closed: true }
  | { wrong: string };

const [, , path] = process.argv as [string, string, string];
const mark = `${path}.mark`;
const report = (outcome: Outcome) => process.send?.(outcome);
let snap: Snap | undefined;

async function open(): Promise<void> {
  try {
    snap = await Snap.open(path);
  } catch (error) {
    if (!(error instanceof SnapError)) throw error;
    report({ owns: false, code: error.code, pid: error.pid });
    return;
  }
  setMark();
  await save();
}

async function save(): Promise<void> {
  const state = await (snap as Snap).resume(() => ({ count: 0, u: new Float64Array(5000) }));
  state.u[state.count % 5000] = ++state.count;
  await (snap as Snap).save(state, { durable: true });
  report({ owns: true, saved: state.count });
}

async function close(): Promise<void> {
  rmSync(mark);
  await snap?.close();
  report({ closed: true });
}

function setMark(): void {
  if (markOwner() !== undefined) report({ wrong: `${process.pid} owns the store beside ${markOwner()}` });
  rmSync(mark, { force: true });
  const file = openSync(mark, 'wx');
  writeSync(file, String(process.pid));
  closeSync(file);
}

/** The process that set the mark, if it is alive. */
function markOwner(): number | undefined {
  try {
    const pid = Number(readFileSync(mark, 'utf8'));
    process.kill(pid, 0);
    return pid;
  } catch {
    return undefined;
  }
}

const orders: Record<Order, () => Promise<void>> = { open, save, close };
process.on('message', (order: Order) => void orders[order]());
