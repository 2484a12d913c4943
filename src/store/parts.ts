/** The parts that an open store is put together from. Each stands on those named before it, and knows none after it. */

import { DEFAULT_LEVEL, FASTEST_LEVEL, findCompressor } from '../compress/compressor.js';
import { Encoding } from '../compress/encoding.js';
import type { Descriptor } from '../format/descriptor.js';
import { Content } from './content.js';
import type { StoreContext } from './context.js';
import { Features } from './features.js';
import type { Layout } from './layout.js';
import { LiveIndex } from './live-index.js';
import { Log } from './log.js';
import type { StoreOptions } from './options.js';
import { Packs } from './packs.js';
import { PresentPacks } from './present-packs.js';

export interface StoreParts {
  readonly context: StoreContext;
  readonly present: PresentPacks;
  readonly log: Log;
  readonly index: LiveIndex;
  readonly content: Content;
}

export function putTogether(options: StoreOptions, layout: Layout, descriptor: Descriptor): StoreParts {
  const { io, readOnly } = options;
  const packs = new Packs(io, layout);
  const warn: StoreContext['warn'] = (warning) => options.onWarning(warning);
  const features = new Features(io, layout, descriptor);
  const context = { io, layout, uuid: descriptor.uuid, readOnly, packs, features, warn };
  const present = new PresentPacks(context);
  const log = new Log(context, present, options);
  const index = new LiveIndex(context, present, log);
  const content = new Content(context, log, index, encodingFor(options));
  return { context, present, log, index, content };
}

function encodingFor({ compression, readOnly, onWarning }: StoreOptions): Encoding {
  const level = compression ? compression.level : DEFAULT_LEVEL;
  const compressor = findCompressor(level);
  if (compressor.name === 'none' && compression !== false && !readOnly) {
    onWarning({
      kind: 'compression',
      message:
        'no zstd here, so chunks are stored uncompressed; use Node >= 22.15, or allow the install script of zstd-napi and reinstall',
    });
  }
  const forFiltered = findCompressor(level === DEFAULT_LEVEL ? FASTEST_LEVEL : level);
  return new Encoding(compressor, compression !== false, forFiltered);
}
