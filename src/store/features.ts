/** What a program has to know to use a store, as its descriptor says: said before anything is written that takes it. */

import { type Descriptor, type Feature, hasFeature, withFeature } from '../format/descriptor.js';
import { numberFilter, takesBase } from '../format/number-filters.js';
import { Filter } from '../format/record.js';
import { toSnapError } from '../io/failure.js';
import type { Io } from '../io/io.js';
import { checkInPlace, writeDescriptor } from './folder.js';
import type { Layout } from './layout.js';

export class Features {
  descriptor: Descriptor;
  readonly #io: Io;
  readonly #layout: Layout;

  constructor(io: Io, layout: Layout, descriptor: Descriptor) {
    this.#io = io;
    this.#layout = layout;
    this.descriptor = descriptor;
  }

  /** Makes sure, durably, that who cannot read records with this filter is told so. */
  require(filter: Filter): void {
    if (numberFilter(filter)) this.#add('shuffle');
    if (takesBase(filter) && filter !== Filter.patch) this.#add('base');
  }

  #add(feature: Feature): void {
    if (hasFeature(this.descriptor, feature)) return;
    checkInPlace(this.#io, this.#layout, this.descriptor.uuid);
    const descriptor = withFeature(this.descriptor, feature);
    try {
      writeDescriptor(this.#io, this.#layout, descriptor);
    } catch (error) {
      throw toSnapError(error, `writing ${this.#layout.descriptor}`);
    }
    this.descriptor = descriptor;
  }
}
