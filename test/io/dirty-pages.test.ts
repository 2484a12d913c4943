/** What the kernel is relied upon for, with every kind of memory that a state may hold. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { DirtyPages, type PageSpan } from '../../src/io/dirty-pages.js';
import { PAGE, resizableBuffer, SystemMemory, TRACKED, wasmMemory } from '../support/pages.js';

/** By what else is known of this machine; PAGEMAP_SCAN came with Linux 6.7. */
function shouldBeOffered(): boolean {
  if (process.platform !== 'linux' || process.arch !== 'x64') return false;
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const isFree = /^Seccomp:\s*0$/m.test(readFileSync('/proc/self/status', 'latin1'));
  const isBuiltIn = existsSync('/proc/sys/vm/unprivileged_userfaultfd');
  return isFree && isBuiltIn && (major > 6 || (major === 6 && minor >= 7)) && hasKoffi();
}

function hasKoffi(): boolean {
  try {
    createRequire(import.meta.url)('koffi');
    return true;
  } catch {
    return false;
  }
}

test('a kernel that offers it is not taken for one that does not', (t) => {
  if (!shouldBeOffered()) return t.skip('nobody knows whether this kernel offers it');
  assert.equal(TRACKED.skip, false);
  DirtyPages.open(false)?.close();
});

type Test = { after(clean: () => unknown): void };

function open(t: Test): DirtyPages {
  const pages = DirtyPages.open(true);
  assert.ok(pages);
  t.after(() => pages.close());
  return pages;
}

function tracked(pages: DirtyPages, bytes: Uint8Array): PageSpan {
  const span = pages.locate(bytes);
  assert.ok(span);
  assert.deepEqual(pages.track([span]), [true]);
  return span;
}

/** The pages that hold these bytes of a piece, as `written` tells them; none of them may touch. */
function pagesAt(span: PageSpan, ...offsets: number[]): number[] {
  return offsets.flatMap((offset) => {
    const start = Math.floor((span.address + offset) / PAGE) * PAGE - span.address;
    return [start, start + PAGE];
  });
}

const MEMORY: Record<string, () => Uint8Array> = {
  'an ArrayBuffer': () => new Uint8Array(300 * PAGE),
  'a SharedArrayBuffer': () => new Uint8Array(new SharedArrayBuffer(300 * PAGE)),
  'a resizable ArrayBuffer': () => new Uint8Array(resizableBuffer(300 * PAGE, 900 * PAGE)),
  'a WebAssembly.Memory': () => new Uint8Array(wasmMemory({ initial: 19 }).buffer),
  'a shared WebAssembly.Memory': () =>
    new Uint8Array(wasmMemory({ initial: 19, maximum: 99, shared: true }).buffer),
};

for (const [name, make] of Object.entries(MEMORY)) {
  test(`of ${name}, just the pages that were written are told, once`, TRACKED, (t) => {
    const pages = open(t);
    const bytes = make();
    const span = tracked(pages, bytes);
    assert.deepEqual(pages.written(span), []);
    for (const offset of [9 * PAGE, 70 * PAGE + 5, 200 * PAGE]) bytes[offset] = 1;
    assert.deepEqual(pages.written(span), pagesAt(span, 9 * PAGE, 70 * PAGE + 5, 200 * PAGE));
    assert.deepEqual(pages.written(span), []);
    bytes[70 * PAGE + 5] = 2;
    assert.deepEqual(pages.written(span), pagesAt(span, 70 * PAGE + 5));
  });
}

test('memory is tracked from the call on, whether it was ever touched or not', TRACKED, (t) => {
  const pages = open(t);
  for (const bytes of [new Uint8Array(1000 * PAGE), new Uint8Array(1000 * PAGE).fill(1)]) {
    const span = tracked(pages, bytes);
    let sum = 0;
    for (const byte of bytes) sum += byte;
    assert.deepEqual(pages.written(span), [], `reading writes nothing (${sum})`);
    bytes[500 * PAGE] = 7;
    assert.deepEqual(pages.written(span), pagesAt(span, 500 * PAGE));
  }
});

test('more ranges than one call lists are told in several', TRACKED, (t) => {
  const pages = open(t);
  const count = 10_000;
  const bytes = new Uint8Array(count * PAGE);
  const span = tracked(pages, bytes);
  const offsets: number[] = [];
  for (let page = 1; page < count - 1; page += 2) offsets.push(page * PAGE);
  for (const offset of offsets) bytes[offset] = 1;
  assert.deepEqual(pages.written(span), pagesAt(span, ...offsets));
  assert.deepEqual(pages.written(span), []);
  bytes.fill(2);
  assert.deepEqual(pages.written(span), [span.start - span.address, span.end - span.address]);
});

test('only whole pages belong to a span: a piece that holds none has none', TRACKED, (t) => {
  const pages = open(t);
  const buffer = new ArrayBuffer(64 * PAGE);
  for (const [offset, length] of [
    [0, 64 * PAGE],
    [PAGE + 17, 9 * PAGE],
    [5 * PAGE - 1, PAGE + 1],
  ] as const) {
    const span = pages.locate(new Uint8Array(buffer, offset, length));
    if (!span) continue;
    assert.ok(span.start % PAGE === 0 && span.end % PAGE === 0);
    assert.ok(span.start - span.address < PAGE && span.start >= span.address);
    assert.ok(span.address + length - span.end < PAGE && span.end <= span.address + length);
  }
  assert.equal(pages.locate(new Uint8Array(buffer, 100, 200)), undefined);
  assert.equal(pages.locate(new Uint8Array(0)), undefined);
});

test('what the system writes for us is told too', TRACKED, (t) => {
  const pages = open(t);
  const bytes = new Uint8Array(300 * PAGE);
  const span = tracked(pages, bytes);
  const file = openSync(fileURLToPath(import.meta.url), 'r');
  t.after(() => closeSync(file));
  readSync(file, bytes, 50 * PAGE, 100, 0);
  assert.deepEqual(pages.written(span), pagesAt(span, 50 * PAGE));
});

test('children that are started neither lose nor hide anything', TRACKED, (t) => {
  const pages = open(t);
  const bytes = new Uint8Array(300 * PAGE).fill(1);
  const span = tracked(pages, bytes);
  bytes[20 * PAGE] = 2;
  assert.equal(spawnSync(process.execPath, ['-e', '0']).status, 0);
  bytes[40 * PAGE] = 2;
  assert.deepEqual(pages.written(span), pagesAt(span, 20 * PAGE, 40 * PAGE));
  spawnSync(process.execPath, ['-e', '0']);
  bytes[20 * PAGE] = 3;
  assert.deepEqual(pages.written(span), pagesAt(span, 20 * PAGE));
});

test(
  'memory is tracked by one at a time, in whatever thread, and by the next when it is let go',
  TRACKED,
  async (t) => {
    const [first, second] = [open(t), open(t)];
    const bytes = new Uint8Array(new SharedArrayBuffer(300 * PAGE));
    const span = tracked(first, bytes);
    assert.deepEqual(second.track([span]), [false]);
    const module = new URL('../../src/io/dirty-pages.js', import.meta.url).href;
    const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.module).then(({ DirtyPages }) => {
      const pages = DirtyPages.open(true);
      workerData.bytes[30 * ${PAGE}] = 1;
      parentPort.postMessage(pages.track([pages.locate(workerData.bytes)]));
      pages.close();
    });`;
    const worker = new Worker(program, { eval: true, workerData: { module, bytes } });
    const answer = await new Promise((resolve, reject) =>
      worker.once('message', resolve).once('error', reject),
    );
    assert.deepEqual(answer, [false]);
    assert.deepEqual(first.written(span), pagesAt(span, 30 * PAGE), 'written by another thread');
    first.untrack(span);
    assert.equal(first.written(span), undefined);
    assert.deepEqual(second.track([span]), [true]);
  },
);

test(
  'a WebAssembly.Memory that grew is another piece, which begins with all that the old one held',
  TRACKED,
  (t) => {
    const pages = open(t);
    const memory = wasmMemory({ initial: 19, maximum: 400 });
    const span = tracked(pages, new Uint8Array(memory.buffer));
    memory.grow(60);
    const bytes = new Uint8Array(memory.buffer);
    const grown = tracked(pages, bytes);
    assert.ok(grown.end > span.end);
    for (const offset of [4 * PAGE, bytes.length - PAGE]) bytes[offset] = 1;
    assert.deepEqual(pages.written(grown), pagesAt(grown, 4 * PAGE, bytes.length - PAGE));
  },
);

test('a buffer that shrank and grew again keeps no zeros to itself', TRACKED, (t) => {
  const pages = open(t);
  const buffer = resizableBuffer(300 * PAGE, 300 * PAGE);
  const bytes = new Uint8Array(buffer).fill(1);
  const span = tracked(pages, bytes);
  buffer.resize(100 * PAGE);
  buffer.resize(300 * PAGE);
  assert.equal(bytes[200 * PAGE], 0);
  const written = pages.written(span);
  // Engines that map the memory anew end the tracking of it, which is as good.
  if (written) assert.deepEqual(written, [100 * PAGE, 300 * PAGE]);
});

test('a buffer that was transferred is at the same address, and nothing of it is forgotten', TRACKED, (t) => {
  const pages = open(t);
  const before = new Uint8Array(300 * PAGE);
  const span = tracked(pages, before);
  before[7 * PAGE] = 1;
  const { port1, port2 } = new MessageChannel();
  t.after(() => port1.close());
  port1.postMessage(before.buffer, [before.buffer]);
  const after = new Uint8Array(receiveMessageOnPort(port2)?.message as ArrayBuffer);
  after[9 * PAGE] = 1;
  assert.equal(pages.locate(after)?.address, span.address);
  assert.deepEqual(pages.written(span), pagesAt(span, 7 * PAGE, 9 * PAGE));
});

test('memory that others can write to is refused: shared with another process, or a file', TRACKED, (t) => {
  const pages = open(t);
  const system = new SystemMemory();
  const path = join(tmpdir(), `holdfast-pages-${process.pid}`);
  const file = openSync(path, 'w+');
  t.after(() => {
    closeSync(file);
    rmSync(path);
  });
  ftruncateSync(file, 64 * PAGE);
  const { SHARED, PRIVATE, ANONYMOUS } = SystemMemory;
  const refused = [
    system.map(64 * PAGE, SHARED | ANONYMOUS),
    system.map(64 * PAGE, SHARED, file),
    system.map(64 * PAGE, PRIVATE, file),
  ];
  const spans = refused.map((address) => pages.locate(system.view(address, 64 * PAGE)) as PageSpan);
  assert.deepEqual(pages.track(spans), [false, false, false]);
  tracked(pages, system.view(system.map(64 * PAGE, PRIVATE | ANONYMOUS), 64 * PAGE));
});

test('pages whose content was given back count as written', TRACKED, (t) => {
  const pages = open(t);
  const system = new SystemMemory();
  // Aligned so that whole page tables become empty.
  const length = 3072 * PAGE;
  const mapped = system.map(2 * length, SystemMemory.PRIVATE | SystemMemory.ANONYMOUS);
  const address = Math.ceil(mapped / (512 * PAGE)) * (512 * PAGE);
  const bytes = system.view(address, length).fill(1);
  const span = tracked(pages, bytes);
  system.discard(address + 512 * PAGE, 1024 * PAGE);
  assert.equal(bytes[600 * PAGE], 0);
  assert.deepEqual(pages.written(span), [512 * PAGE, 1536 * PAGE]);
});

test('a span of which a piece was mapped anew is tracked no more', TRACKED, (t) => {
  const pages = open(t);
  const system = new SystemMemory();
  const { PRIVATE, ANONYMOUS, FIXED } = SystemMemory;
  const address = system.map(300 * PAGE, PRIVATE | ANONYMOUS);
  const bytes = system.view(address, 300 * PAGE).fill(1);
  const span = tracked(pages, bytes);
  system.map(10 * PAGE, PRIVATE | ANONYMOUS | FIXED, -1, address + 100 * PAGE);
  assert.equal(bytes[105 * PAGE], 0);
  assert.equal(pages.written(span), undefined);
});

test('nothing is told after closing, and closing twice is fine', TRACKED, (t) => {
  const pages = open(t);
  const span = tracked(pages, new Uint8Array(300 * PAGE));
  pages.close();
  pages.close();
  assert.equal(pages.written(span), undefined);
  pages.untrack(span);
});

test('an address that is nothing of ours is an error, not a crash', TRACKED, (t) => {
  const pages = open(t);
  const nowhere = { address: 2 * PAGE, start: 2 * PAGE, end: 90 * PAGE };
  assert.deepEqual(pages.track([nowhere]), [false]);
  pages.untrack(nowhere);
});
