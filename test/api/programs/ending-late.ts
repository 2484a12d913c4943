/** Owns a store and ends when it is told to, by itself or with process.exit. */
import { Snap } from '../../../src/index.js';

const [, , path, way] = process.argv as [string, string, string, string];
const snap = await Snap.open(path);
await snap.save({ n: 1 }, { durable: true });
process.send?.('saved');
process.once('message', () => {
  if (way === 'exit') process.exit(0);
  process.disconnect?.();
});
