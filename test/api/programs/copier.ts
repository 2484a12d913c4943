/** Copies one store to another, again and again until it has nothing to do; tells how far it is. */
import { Snap } from '../../../src/index.js';

const [, , from, to] = process.argv as [string, string, string, string];
const { copied } = await Snap.copy(from, to, {
  onProgress: ({ phase }) => process.send?.({ phase }),
});
process.send?.({ copied: copied.length });
process.disconnect?.();
