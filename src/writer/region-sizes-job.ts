/** Sizes by region as a background job. */

import { regionSizes } from '../store/region-sizes.js';
import type { Store } from '../store/store.js';
import type { Job, JobContext } from './background.js';

/** Replies with undefined where it was stopped. */
export async function* regionSizesJob(store: Store, context: JobContext): Job {
  const steps = regionSizes(store);
  for (;;) {
    const { done, value } = await steps.next();
    if (done) return value;
    yield value;
    if (context.shouldStop()) return undefined;
  }
}
