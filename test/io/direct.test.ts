/** Writes past the page cache: what is written is read, whichever way the system took it. */

import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DIRECT_BLOCK, type IoFile } from '../../src/io/io.js';
import { realIo } from '../../src/io/real.js';
import { writeFullyBehind } from '../../src/io/transfer.js';
import { budget } from '../support/budget.js';
import { Random } from '../support/random.js';

const random = new Random(1);
const BYTES = 6 * DIRECT_BLOCK;

function newFile(t: { after(clean: () => unknown): void }): { file: IoFile; path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'file');
  return { file: realIo.open(path, 'create'), path };
}

function filled(memory: Buffer): Buffer {
  random.bytes(memory.length).copy(memory);
  return memory;
}

/** True where there are such writes, as far as opening a file tells. */
function isTaken(path: string): boolean {
  try {
    closeSync(openSync(`${path}.other`, constants.O_CREAT | constants.O_WRONLY | constants.O_DIRECT));
    return process.platform === 'linux' && 'WebAssembly' in globalThis;
  } catch {
    return false;
  }
}

test('what is written so is read, from anywhere to anywhere, beside what is written otherwise', async (t) => {
  const { file, path } = newFile(t);
  const memory = filled(realIo.memory(BYTES));
  let content: Buffer = Buffer.alloc(0);
  for (let run = 0; run < budget(60); run++) {
    // Appended, as packs are; mostly it lies in memory as it will in the file.
    const position = content.length;
    const phase = random.chance(0.8) ? position % DIRECT_BLOCK : random.below(DIRECT_BLOCK);
    const length = random.chance(0.2) ? random.below(100) : random.below(BYTES - phase);
    const source = memory.subarray(phase, phase + length);
    await writeFullyBehind(file, source, position, random.chance(0.8));
    content = Buffer.concat([content, source]);
    if (random.chance(0.3)) file.sync();
    if (content.length < 4 * BYTES) continue;
    content = content.subarray(0, random.below(content.length));
    file.truncate(content.length);
  }
  assert.ok(readFileSync(path).equals(content));
  file.close();
});

test('whole blocks go past the cache, and what is beside them does not', async (t) => {
  const { file, path } = newFile(t);
  if (!isTaken(path)) return t.skip('such writes are not to be had here');
  const memory = filled(realIo.memory(BYTES));
  const written = (start: number, end: number, position = start) =>
    file.writeBehind(memory.subarray(start, end), position, true);
  assert.equal(await written(0, 2 * DIRECT_BLOCK + 7), 2 * DIRECT_BLOCK);
  assert.equal(await written(100, 3 * DIRECT_BLOCK), DIRECT_BLOCK - 100, 'up to the next block');
  assert.equal(await written(0, DIRECT_BLOCK - 1), DIRECT_BLOCK - 1, 'less than a block');
  assert.equal(await written(1, 2 * DIRECT_BLOCK, 0), 2 * DIRECT_BLOCK - 1, 'it lies otherwise');
  const other = Buffer.allocUnsafeSlow(2 * DIRECT_BLOCK + 7);
  assert.equal(await file.writeBehind(other, 0, true), other.length, 'other memory');
  assert.equal(await file.writeBehind(memory.subarray(0, other.length), 0, false), other.length);
  file.close();
});

test('where the system takes no such writes they go the other way', async (t) => {
  if (process.platform !== 'linux') return t.skip('/dev/null is asked for them');
  const file = realIo.open('/dev/null', 'write');
  const memory = realIo.memory(BYTES);
  for (let times = 0; times < 2; times++) {
    assert.equal(await file.writeBehind(memory, 0, true), memory.length);
  }
  file.close();
});

test('a file that is closed leaves no descriptor', async (t) => {
  if (process.platform !== 'linux') return t.skip('descriptors are listed in /proc');
  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  const { file, path } = newFile(t);
  await writeFullyBehind(file, realIo.memory(BYTES), 0, true);
  assert.equal(open(), before + (isTaken(path) ? 2 : 1));
  file.close();
  assert.equal(open(), before);
});

/** A descriptor of the file at a path, past the cache. */
function isDirect(descriptor: string, path: string): boolean {
  try {
    if (readlinkSync(`/proc/self/fd/${descriptor}`) !== path) return false;
    const [, flags] = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8')) ?? [];
    return (Number.parseInt(flags ?? '', 8) & constants.O_DIRECT) !== 0;
  } catch {
    // The one by which they were listed is closed.
    return false;
  }
}

test('a write that fails is not tried the other way', async (t) => {
  if (process.platform !== 'linux') return t.skip('descriptors are listed in /proc');
  const { file, path } = newFile(t);
  if (!isTaken(path)) return t.skip('such writes are not to be had here');
  const memory = realIo.memory(BYTES);
  await writeFullyBehind(file, memory, 0, true);
  const own = readdirSync('/proc/self/fd').find((name) => isDirect(name, path));
  closeSync(Number(own));
  await assert.rejects(file.writeBehind(memory, 0, true), { code: 'EBADF' });
  assert.throws(() => file.close(), { code: 'EBADF' });
});
