/** Mutants of a commit: its order, its sync, what is undone when it fails, and the packs it goes to. */

import type { Mutant } from '../mutant.js';

const FAILED_SYNC = 'store/failed-sync';
const CRASH = 'store/crash';
const FAULTS = 'store/faults';

export const commits: readonly Mutant[] = [
  {
    name: 'sync-skipped',
    breaks: 'a commit is synced before it is acknowledged',
    file: 'store/pack-writer.ts',
    find: `this.#sync();
      this.#durableEnd = this.end;`,
    replace: 'this.#checkNamed(); this.#durableEnd = this.end;',
    tests: ['store/names', CRASH],
  },
  {
    name: 'synced-before-data-in-flight',
    breaks: 'a commit record is written after all data before it, and the sync after both',
    file: 'store/pack-writer.ts',
    find: `await this.#settle();
      this.#writeStaging();
      this.#sync();
      this.#durableEnd`,
    replace: `this.#writeStaging();
      this.#sync();
      await this.#settle();
      this.#durableEnd`,
    tests: [CRASH],
  },
  {
    name: 'acknowledged-before-synced',
    breaks: 'a commit resolves when it is durable, not before',
    file: 'store/log.ts',
    find: 'await writer.commit(this.#context.io.now());',
    replace: 'void writer.commit(this.#context.io.now()).catch(() => {});',
    tests: ['store/names', CRASH],
  },
  {
    name: 'told-before-commit',
    breaks: 'a loop hears that a save is durable after its commit, not before',
    file: 'writer/thread.ts',
    find: `await store.commit();
  } catch (error) {
    await fail(store, members, encoded.length, error);
    return;
  }`,
    replace: `for (const { client, job, manifest } of encoded) {
      const summary = { ...manifest, forgotten: false, durableMs: 0 } as never;
      const info = infoOf(summary, manifest, job.tags);
      post({ type: 'durable', client: client.id, ticket: job.ticket, info, shares: [] });
    }
    await store.commit();
  } catch (error) {
    await fail(store, members, encoded.length, error);
    return;
  }`,
    tests: ['api/failures'],
  },
  {
    name: 'write-error-behind-forgotten',
    breaks: 'a write that failed behind the back of a save fails its commit',
    file: 'store/pack-writer.ts',
    find: 'if (this.#inFlightError) throw this.#inFlightError;',
    replace: '',
    tests: ['store/commits'],
  },
  {
    name: 'write-error-behind-kept',
    breaks: 'a write that failed behind the back of a save fails that save and no later one',
    file: 'store/pack-writer.ts',
    find: `this.#inFlightError = undefined;
      this.#cutBack();`,
    replace: 'this.#cutBack();',
    tests: ['store/full-disk', FAULTS],
  },
  {
    name: 'rollback-does-not-wait',
    breaks: 'nothing of a save that was rolled back is written afterwards',
    file: 'store/pack-writer.ts',
    find: 'await this.#inFlight?.catch(() => {});',
    replace: '',
    tests: ['store/commits'],
  },
  {
    name: 'rollback-leaves-bytes',
    breaks: 'a save that was rolled back leaves nothing in its pack',
    file: 'store/pack-writer.ts',
    find: 'this.#file.truncate(this.#durableEnd);',
    replace: 'this.#file.size();',
    tests: ['store/full-disk'],
  },
  {
    name: 'rollback-keeps-span',
    breaks: 'a commit covers what was appended since the last one, without what was rolled back',
    file: 'store/pack-writer.ts',
    find: `this.#staging.begin(this.#durableEnd);
      this.#beginSpan();`,
    replace: 'this.#staging.begin(this.#durableEnd);',
    tests: ['store/commits'],
  },
  {
    name: 'uncut-pack-appended-to',
    breaks: 'a pack whose tail cannot be cut off is not appended to',
    file: 'store/pack-writer.ts',
    find: `} catch {
        this.#broken = true;
      }`,
    replace: '} catch {}',
    tests: ['store/commits'],
  },
  {
    name: 'failed-sync-retried',
    breaks: 'a failed sync is never retried',
    file: 'store/pack-writer.ts',
    find: `this.#file.sync();
      } catch (error) {
        // The kernel`,
    replace: `try {
        this.#file.sync();
      } catch {
        this.#file.sync();
      }
      } catch (error) {
        // The kernel`,
    tests: [FAILED_SYNC],
  },
  {
    name: 'pack-kept-after-failed-sync',
    breaks: 'a pack whose sync failed is given up',
    file: 'store/pack-writer.ts',
    find: `this.#broken = true;
      throw new SnapError(
        'SNAP_IO',
        \`the disk`,
    replace: `throw new SnapError(
        'SNAP_IO',
        \`the disk`,
    tests: [FAILED_SYNC],
  },
  {
    name: 'broken-pack-appended-to',
    breaks: 'the next save after a failed sync goes to a new pack',
    file: 'store/log.ts',
    find: 'if (writer && !writer.broken && (writer',
    replace: 'if (writer && (writer',
    tests: [FAILED_SYNC],
  },
  {
    name: 'deleted-pack-trusted',
    breaks: 'a sync of a file that was deleted is noticed',
    file: 'store/pack-writer.ts',
    find: 'if (this.#file.isNamed()) return;',
    replace: 'this.#file.isNamed(); return;',
    tests: ['store/surgery', 'api/failures'],
  },
  {
    name: 'lost-pack-still-known',
    breaks: 'nothing is built on the chunks of a pack that was deleted under the open store',
    file: 'store/log.ts',
    find: 'this.#present.lose(writer.number);',
    replace: 'this.#context.packs.drop(writer.number);',
    tests: ['store/surgery', 'api/failures'],
  },
  {
    name: 'failed-commit-not-undone',
    breaks: 'a commit that fails is undone by the store itself',
    file: 'store/log.ts',
    find: `await writer.commit(this.#context.io.now());
      } catch (error) {
        await this.rollback();
        throw error;`,
    replace: `await writer.commit(this.#context.io.now());
      } catch (error) {
        throw error;`,
    tests: ['store/commits'],
  },
  {
    name: 'rolled-back-chunks-known',
    breaks: 'chunks that were rolled back are not known',
    file: 'store/log.ts',
    find: `async rollback(): Promise<void> {
      this.#forgetRecords();`,
    replace: `async rollback(): Promise<void> {
      this.#records = [];`,
    tests: ['store/region-tree', 'store/model'],
  },
  {
    name: 'rolled-back-records-indexed',
    breaks: 'records that were rolled back never reach the index',
    file: 'store/log.ts',
    find: `async rollback(): Promise<void> {
      this.#forgetRecords();`,
    replace: `async rollback(): Promise<void> {
      this.#uncommitted.clear();`,
    tests: ['store/commits'],
  },
  {
    name: 'failed-records-handed-out',
    breaks: 'a commit that failed hands out nothing for the index to learn of',
    file: 'store/log.ts',
    find: `await this.rollback();
      throw error;`,
    replace: `const records = this.#records;
      await this.rollback();
      if (records.length > 0) return records;
      throw error;`,
    tests: ['store/commits', 'store/failed-sync'],
  },
  {
    name: 'last-pack-not-noted',
    breaks: 'the next header says how much of the pack before it counts',
    file: 'store/log.ts',
    find: 'this.#last = { number: writer.number, end: writer.durableEnd };',
    replace: '',
    tests: ['store/seal'],
  },
  {
    name: 'previous-end-too-small',
    breaks: 'the next header counts the whole of the pack before it',
    file: 'store/log.ts',
    find: 'previousPackEnd: this.#last.end,',
    replace: 'previousPackEnd: Math.max(0, this.#last.end - 8),',
    tests: [FAILED_SYNC, CRASH],
  },
  {
    name: 'previous-end-too-large',
    breaks: 'the next header does not count what failed in the pack before it',
    file: 'store/log.ts',
    find: 'previousPackEnd: this.#last.end,',
    replace: 'previousPackEnd: this.#present.sizes()[this.#last.number] ?? 0,',
    tests: [FAILED_SYNC, FAULTS],
  },
  {
    name: 'sealed-end-without-footer',
    breaks: 'the next header counts the footer of the pack before it',
    file: 'store/pack-writer.ts',
    find: 'return this.#sealed ? this.end : this.#durableEnd;',
    replace: 'return this.#durableEnd;',
    tests: ['store/commits'],
  },
  {
    name: 'footer-not-synced',
    breaks: 'a pack is sealed when its footer is durable',
    file: 'store/pack-writer.ts',
    find: `this.#sync();
        this.#sealed = true;`,
    replace: 'this.#sealed = true;',
    tests: [CRASH, 'store/sequences'],
  },
  {
    name: 'damaged-pack-sealed',
    breaks: 'a pack with a record that cannot be read gets no footer, which would hide what lies behind it',
    file: 'store/pack-writer.ts',
    find: "if (next !== end) throw damaged(pack, next, 'there is no readable record, so it is not sealed');",
    replace: '',
    tests: ['store/commits'],
  },
  {
    name: 'footer-without-notes',
    breaks: 'a footer lists every record',
    file: 'store/pack-writer.ts',
    find: '(isContent(header.type) ? content : others).add(header.id, header);',
    replace:
      'if (header.type !== RecordType.forget) (isContent(header.type) ? content : others).add(header.id, header);',
    tests: ['store/metamorphic'],
  },
  {
    name: 'new-pack-not-named-durably',
    breaks: 'the name of a new pack is durable before anything in it is acknowledged',
    file: 'store/log.ts',
    find: 'io.syncFolder(layout.packs);',
    replace: '',
    tests: ['store/names', CRASH],
  },
  {
    name: 'pack-number-from-folder-alone',
    breaks: 'the number of a pack that was deleted is not given again',
    file: 'store/log.ts',
    find: 'Math.max(this.#last.number, this.#context.packs.numbers().at(-1) ?? 0) + 1;',
    replace: '(this.#context.packs.numbers().at(-1) ?? 0) + 1;',
    tests: ['store/surgery', 'api/failures'],
  },
  {
    name: 'pack-number-from-memory-alone',
    breaks: 'a new pack takes no number that a file has already',
    file: 'store/log.ts',
    find: 'Math.max(this.#last.number, this.#context.packs.numbers().at(-1) ?? 0) + 1;',
    replace: 'this.#last.number + 1;',
    tests: ['store/commits'],
  },
  {
    name: 'sequence-stands-still',
    breaks: 'sequences rise with every record',
    file: 'store/pack-writer.ts',
    find: 'sequence: this.#chain.sequence++,',
    replace: 'sequence: this.#chain.sequence,',
    tests: ['store/metamorphic', 'store/model'],
  },
  {
    name: 'commit-number-stands-still',
    breaks: 'commit numbers rise',
    file: 'store/pack-writer.ts',
    find: 'this.#chain.commitNumber++;',
    replace: '',
    tests: ['store/commits'],
  },
  {
    name: 'chain-broken',
    breaks: 'each commit names the one before it',
    file: 'store/pack-writer.ts',
    find: 'this.#chain.commitId = id;',
    replace: '',
    tests: ['store/commits'],
  },
  {
    name: 'staging-lies-otherwise',
    breaks: 'what goes past the page cache lies in memory as it will in its file',
    file: 'store/staging.ts',
    find: 'this.#bytes = this.#area.subarray(phase, phase + this.#length);',
    replace: 'this.#bytes = this.#area.subarray(0, phase < 0 ? 0 : this.#length);',
    tests: ['store/uncached'],
  },
  {
    name: 'filled-while-written',
    breaks: 'what is being written behind the back of a save is left alone',
    file: 'store/staging.ts',
    find: '[this.#area, this.#spare] = [this.#spare, this.#area];',
    replace: '',
    tests: ['store/uncached'],
  },
  {
    name: 'bases-past-the-cache',
    breaks: 'what will be read again stays in the page cache',
    file: 'store/pack-writer.ts',
    find: ' && this.#readAgain <= this.#used * FEW;',
    replace: ';',
    tests: ['store/uncached'],
  },
  {
    name: 'bases-past-the-cache-until-tried',
    breaks: 'what may be a base stays in the page cache until that was tried in vain',
    file: 'store/filter-choice.ts',
    find: '#isInVain = false;',
    replace: '#isInVain = true;',
    tests: ['store/filter-choice'],
  },
  {
    name: 'failed-write-tried-the-other-way',
    breaks: 'a write past the page cache that fails is not tried again',
    file: 'io/direct.ts',
    find: "if (!(error instanceof Error && 'code' in error && REFUSALS.has(error.code))) throw error;",
    replace: '',
    tests: ['io/direct'],
  },
];
