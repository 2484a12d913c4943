/** What a program has to know to use a store, as its descriptor says: said before anything is written that takes it. */

import { takesBase } from '../format/bases.js';
import { type Descriptor, type Feature, hasFeature, withFeature } from '../format/descriptor.js';
import { numberFilter } from '../format/number-filters.js';
import { Filter } from '../format/record.js';
import { toSnapError } from '../io/failure.js';
import type { Io } from '../io/io.js';
import { checkInPlace, findStore, writeDescriptor } from './folder.js';
import type { Layout } from './layout.js';

export class Features {
  descriptor: Descriptor;
  readonly #io: Io;
  readonly #layout: Layout;
  /** The last writing failed so late that the old descriptor or the new one may be on the disk. */
  #isUncertain = false;

  constructor(io: Io, layout: Layout, descriptor: Descriptor) {
    this.#io = io;
    this.#layout = layout;
    this.descriptor = descriptor;
  }

  /** Makes sure, durably, that who cannot read records with this filter is told so. */
  require(filter: Filter): void {
    if (numberFilter(filter)) this.#add('shuffle');
    if (takesBase(filter) && filter !== Filter.patch) this.#add('base');
    if (filter === Filter.dictionary) this.#add('dictionary');
  }

  /** Before anything relies on the descriptor: writes it again where that failed. */
  settle(): void {
    if (this.#isUncertain) this.#write(this.descriptor);
  }

  #add(feature: Feature): void {
    if (!hasFeature(this.descriptor, feature)) this.#write(withFeature(this.descriptor, feature));
  }

  #write(descriptor: Descriptor): void {
    checkInPlace(this.#io, this.#layout, this.descriptor.uuid);
    try {
      writeDescriptor(this.#io, this.#layout, descriptor);
    } catch (error) {
      this.#isUncertain ||= !this.#stands();
      throw toSnapError(error, `writing ${this.#layout.descriptor}`);
    }
    this.#isUncertain = false;
    this.descriptor = descriptor;
  }

  /** The descriptor is on the disk as it was: nothing took its place. */
  #stands(): boolean {
    try {
      const found = findStore(this.#io, this.#layout);
      return JSON.stringify(found?.features) === JSON.stringify(this.descriptor.features);
    } catch {
      return false;
    }
  }
}
