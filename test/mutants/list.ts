/** All mutants. One is worth its place when somebody could write it by mistake and lose somebody's data by it. */

import { bases } from './list/bases.js';
import { checks } from './list/checks.js';
import { collecting } from './list/collecting.js';
import { commits } from './list/commits.js';
import { copying } from './list/copying.js';
import { graphs } from './list/graphs.js';
import { lending } from './list/lending.js';
import { lengths } from './list/lengths.js';
import { looping } from './list/looping.js';
import { moving } from './list/moving.js';
import { opening } from './list/opening.js';
import { proving } from './list/proving.js';
import { random } from './list/random.js';
import { recovery } from './list/recovery.js';
import { restoring } from './list/restoring.js';
import { saving } from './list/saving.js';
import { smallSaves } from './list/small-saves.js';
import { tracking } from './list/tracking.js';
import { trees } from './list/trees.js';
import { verifying } from './list/verifying.js';
import type { Mutant } from './mutant.js';

export const mutants: readonly Mutant[] = [
  ...commits,
  ...checks,
  ...bases,
  ...lengths,
  ...graphs,
  ...opening,
  ...recovery,
  ...trees,
  ...saving,
  ...smallSaves,
  ...tracking,
  ...moving,
  ...lending,
  ...restoring,
  ...verifying,
  ...collecting,
  ...copying,
  ...looping,
  ...random,
  ...proving,
];
