/**
 * Saves and reads while the files of its own index are harmed. Is told over IPC of stores and harms, one after another,
 * and answers with what came of it; LevelDB may end this process.
 */

import diagnostics from 'node:diagnostics_channel';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { Snap, SnapError } from '../../../src/index.js';

export interface LiveTask {
  store: string;
  /** `what: way`, as in `a table: cut off`. */
  harm: string;
  /** An older copy of the index. */
  older: string;
}

export interface LiveReport {
  /** Of the states saved, by n. */
  durable: [n: number, id: string][];
  /** What any operation failed with. */
  errors: string[];
  warnings: string[];
  listed: number;
  tags: Record<string, string>;
}

const stateOf = (n: number) => ({ n, u: new Float64Array(20_000).fill(n), v: new Uint8Array(n) });

/** Files of the index, those whose names match. */
function files(index: string, pattern: RegExp): string[] {
  return fs
    .readdirSync(index)
    .filter((name) => pattern.test(name))
    .map((name) => join(index, name));
}

/** In place, as a program does that has the file open: not by putting another one there. */
function overwrite(file: string, change: (bytes: Buffer) => Buffer): void {
  const bytes = change(fs.readFileSync(file));
  const descriptor = fs.openSync(file, 'r+');
  fs.writeSync(descriptor, bytes, 0, bytes.length, 0);
  fs.ftruncateSync(descriptor, bytes.length);
  fs.closeSync(descriptor);
}

const WAYS: Record<string, (file: string) => void> = {
  deleted: (file) => fs.rmSync(file),
  'cut off': (file) => overwrite(file, (bytes) => bytes.subarray(0, bytes.length >> 1)),
  emptied: (file) => fs.truncateSync(file, 0),
  zeroed: (file) => overwrite(file, (bytes) => Buffer.alloc(bytes.length)),
  garbled: (file) => overwrite(file, (bytes) => Buffer.from(bytes.map((byte, at) => byte ^ (at & 0xff)))),
  longer: (file) => fs.appendFileSync(file, 'more of it'),
  replaced(file) {
    fs.writeFileSync(`${file}.new`, 'something else');
    fs.renameSync(`${file}.new`, file);
  },
};
const WHAT: Record<string, RegExp> = {
  'a table': /\.ldb$/,
  'the tables': /\.ldb$/,
  manifest: /^MANIFEST/,
  CURRENT: /^CURRENT$/,
  log: /\.log$/,
  LOCK: /^LOCK$/,
  LOG: /^LOG$/,
  everything: /./,
};

function doHarm({ store, harm, older }: LiveTask): void {
  const index = join(store, 'index');
  const [what = '', way = ''] = harm.split(': ');
  if (harm === 'nothing: done') return;
  if (harm === 'folder: deleted') fs.rmSync(index, { recursive: true });
  else if (harm === 'folder: moved away') fs.renameSync(index, `${store}-index`);
  else if (harm === 'folder: overwritten with an older copy') fs.cpSync(older, index, { recursive: true });
  else {
    const found = files(index, WHAT[what] as RegExp);
    for (const file of what === 'a table' ? found.slice(0, 1) : found) WAYS[way]?.(file);
  }
}

class Session {
  readonly report: LiveReport = { durable: [], errors: [], warnings: [], listed: 0, tags: {} };
  readonly #snap: Snap;

  constructor(snap: Snap) {
    this.#snap = snap;
  }

  async attempt(what: string, operation: () => Promise<unknown>): Promise<void> {
    try {
      await operation();
    } catch (error) {
      this.report.errors.push(`${what}: ${error instanceof SnapError ? error.code : ''} ${error}`);
    }
  }

  save(n: number): Promise<void> {
    return this.attempt(`save ${n}`, async () => {
      const { id } = await this.#snap.save(stateOf(n), { durable: true, tag: `t${n % 3}`, step: n });
      this.report.durable.push([n, id]);
    });
  }

  async readEverything(): Promise<void> {
    for (const [n, id] of this.report.durable) {
      await this.attempt(`restore ${n}`, async () => {
        const state = await this.#snap.restore<ReturnType<typeof stateOf>>(id.slice(0, 20));
        if (state.n !== n || state.u[7] !== n || state.v.length !== n) throw new Error('it is another state');
      });
    }
    await this.attempt('list', async () => {
      this.report.listed = 0;
      for await (const _ of this.#snap.list()) this.report.listed++;
    });
    await this.attempt('tags', async () => {
      this.report.tags = Object.fromEntries(await this.#snap.tags());
    });
  }
}

async function perform(task: LiveTask): Promise<LiveReport> {
  const snap = await Snap.open(task.store, { run: 'live' });
  const session = new Session(snap);
  const { report } = session;
  const hear = (message: unknown) => report.warnings.push((message as { message: string }).message);
  diagnostics.subscribe('holdfast:warning', hear);
  for (let n = 1; n <= 3; n++) await session.save(n);
  doHarm(task);
  // What was looked at a moment ago is not looked at again at once.
  await new Promise((resolve) => setTimeout(resolve, 30));
  await session.readEverything();
  for (let n = 4; n <= 8; n++) await session.save(n);
  await session.readEverything();
  await session.attempt('close', () => snap.close());
  diagnostics.unsubscribe('holdfast:warning', hear);
  return report;
}

process.on('message', (task: LiveTask) => {
  perform(task).then(
    (answer) => process.send?.({ answer }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
