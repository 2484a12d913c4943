/** Whole transfers over calls that may be short, and small files that are replaced at once. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  readFully,
  readSmallFile,
  replaceFile,
  writeFully,
  writeFullyBehind,
} from '../../src/io/transfer.js';
import { CRASHES } from '../support/disk-crash.js';
import { Random } from '../support/random.js';
import { diskAfter, SimulatedDisk } from '../support/simulated-disk.js';

function shortDisk(seed: number): SimulatedDisk {
  const disk = new SimulatedDisk(seed);
  disk.makeFolder('/f');
  disk.faults.set(
    { call: 'write', effect: 'short', nth: 1, forGood: true },
    { call: 'read', effect: 'short', nth: 1, forGood: true },
  );
  return disk;
}

test('transfers are whole however short the calls are', async () => {
  for (let seed = 1; seed < 20; seed++) {
    const disk = shortDisk(seed);
    const bytes = new Random(seed).bytes(1000);
    const file = disk.open('/f/x', 'create');
    writeFully(file, bytes, 5);
    await writeFullyBehind(file, bytes, 2000);
    const target = Buffer.alloc(1000);
    assert.equal(readFully(file, target, 5), 1000);
    assert.ok(target.equals(bytes));
    assert.equal(readFully(file, target, 2000), 1000);
    assert.ok(target.equals(bytes));
    assert.equal(readFully(file, target, 2500), 500);
    assert.equal(readFully(file, target, 9000), 0);
    file.close();
  }
});

test('a small file is read whole up to a limit; there may be none', () => {
  const disk = shortDisk(1);
  assert.equal(readSmallFile(disk, '/f/x', 100), undefined);
  assert.equal(readSmallFile(disk, '/f', 100), undefined);
  replaceFile(disk, '/f/x', Buffer.from('content'));
  assert.equal(readSmallFile(disk, '/f/x', 100)?.toString(), 'content');
  assert.equal(readSmallFile(disk, '/f/x', 3)?.toString(), 'con');
  assert.equal(disk.openFiles, 0);
});

test('a file that is replaced holds the old content or the new after any crash, and the new once it is done', () => {
  const disk = new SimulatedDisk(1);
  disk.makeFolder('/f');
  disk.syncFolder('/');
  replaceFile(disk, '/f/x', Buffer.from('old content'));
  const images = [disk.image()];
  disk.beforeChange = () => images.push(disk.image());
  replaceFile(disk, '/f/x', Buffer.from('new'));
  replaceFile(disk, '/f/x', Buffer.from('newer still'));
  const done = disk.image();
  for (const crash of CRASHES) {
    for (let seed = 0; seed < 20; seed++) {
      for (const image of images) {
        const found = new SimulatedDisk(1, diskAfter(image, crash, seed));
        const content = readSmallFile(found, '/f/x', 100)?.toString();
        assert.ok(['old content', 'new', 'newer still'].includes(content ?? ''), `${crash}: ${content}`);
        // What a crash left beside it is in nobody's way.
        replaceFile(found, '/f/x', Buffer.from('after'));
        assert.equal(readSmallFile(found, '/f/x', 100)?.toString(), 'after');
      }
      const found = new SimulatedDisk(1, diskAfter(done, crash, seed));
      assert.equal(readSmallFile(found, '/f/x', 100)?.toString(), 'newer still');
    }
  }
});
