/** What every part of an open store stands on. */

import type { Io } from '../io/io.js';
import type { Features } from './features.js';
import type { Layout } from './layout.js';
import type { StoreWarning } from './options.js';
import type { Packs } from './packs.js';

export interface StoreContext {
  readonly io: Io;
  readonly layout: Layout;
  /** UUID of the store. */
  readonly uuid: string;
  readonly readOnly: boolean;
  readonly packs: Packs;
  readonly features: Features;
  warn(warning: StoreWarning): void;
}
