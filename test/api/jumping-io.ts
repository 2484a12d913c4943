/** The real disk with a clock of the writer thread that jumps by years, back and forth, whenever it is looked at. */

import type { Io } from '../../src/io/io.js';
import { realIo } from '../../src/io/real.js';

const YEAR_MS = 365.25 * 24 * 3600 * 1000;
let looks = 0;

export const io: Io = {
  ...realIo,
  now: () => realIo.now() + [0, -40, 30, -1, 100][looks++ % 5]! * YEAR_MS,
};
