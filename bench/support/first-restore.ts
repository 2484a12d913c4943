/** A fresh process that resumes: prints how long its own plain read of the same bytes took, and what the engine did. */

import * as fs from 'node:fs';
import { Snap } from '../../src/index.js';

const [, , folder = '', flat = ''] = process.argv;

const start = performance.now();
const file = fs.openSync(flat, 'r');
const target = Buffer.from(new ArrayBuffer(fs.fstatSync(file).size));
for (let done = 0; done < target.length; )
  done += fs.readSync(file, target, done, target.length - done, done);
fs.closeSync(file);
const readAt = performance.now();
const snap = await Snap.open(folder);
const openedAt = performance.now();
await snap.resume(() => {
  throw new Error('nothing was saved here');
});
const resumedAt = performance.now();
await snap.close();
console.log(JSON.stringify({ read: readAt - start, open: openedAt - readAt, resume: resumedAt - openedAt }));
