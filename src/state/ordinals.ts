/**
 * Numbers the objects of a graph in the order in which a walk meets them, and says which it has met.
 *
 * Entering an object in a Map costs more than all else a walk does with it (100 to 170 ns). A graph that is saved again and
 * again mostly consists of the same objects: each is given a place, in a WeakMap that the walks share, and at its place
 * stands in which walk it was met last (11 to 30 ns). An object met for the first time costs twice as much this way, so a few are
 * followed from one walk to the next, and places are given only where most of them come again.
 *
 * Invariants
 *  - between walks nothing here keeps an object alive
 *  - in one walk an object is either at its place or in the Map
 *  - there are never more than PLACES_MAX places: a WeakMap that cannot grow any more ends the process
 */

const PLACES_MAX = 2 ** 20;
/** Smaller graphs gain nothing that could be measured. */
const OBJECTS_MIN = 1024;
/** Of so many objects one is followed; a power of two. */
const FOLLOWED_EACH = 64;
/** Shares of objects that come again from which on places are given, and below which no more. */
const GIVE_FROM = 0.75;
const STOP_BELOW = 0.5;
/** What V8 can hold in one Map. */
const MAP_ENTRIES_MAX = 2 ** 24 - 1;

export class Ordinals {
  /** Objects met so far in this walk. */
  count = 0;
  readonly #met = new Map<object, number>();
  #walk = 1;

  #gives = false;
  #places = new WeakMap<object, number>();
  #placesGiven = 0;
  /** By place: the last walk that met the object there (more walks than 2^32 are nothing unusual), and its ordinal then. */
  #walks = new Float64Array(0);
  #ordinals = new Int32Array(0);
  /** Objects of this walk that had a place before; places are no proof before the second walk that gives them. */
  #returned = 0;
  #isFirst = true;

  /** Objects of the walk before, and of this one. */
  #followed = new WeakSet<object>();
  #followedCount = 0;
  #following = new WeakSet<object>();
  #followingCount = 0;

  /** The ordinal of an object that this walk has met. */
  of(value: object): number | undefined {
    if (this.#gives) {
      const place = this.#places.get(value);
      if (place !== undefined)
        return this.#walks[place] === this.#walk ? (this.#ordinals[place] as number) : undefined;
    }
    return this.#met.get(value);
  }

  /** Gives an object that was not met the next ordinal. */
  add(value: object): number {
    const ordinal = this.count++;
    const place = this.#gives ? this.#placeOf(value) : undefined;
    if (place === undefined) {
      this.#met.set(value, ordinal);
      if (!this.#gives) this.#follow(value, ordinal);
    } else {
      this.#walks[place] = this.#walk;
      this.#ordinals[place] = ordinal;
    }
    return ordinal;
  }

  /** True where no Map can take another object. */
  get isFull(): boolean {
    return this.#met.size >= MAP_ENTRIES_MAX;
  }

  /** Ends a walk. */
  reset(): void {
    const { count } = this;
    if (this.#gives) {
      if (!this.#isFirst && this.#returned < STOP_BELOW * count) this.#gives = false;
      this.#isFirst = false;
      if (!this.#gives || this.#placesGiven > 2 * count + OBJECTS_MIN) this.#clear();
    } else {
      this.#gives =
        count >= OBJECTS_MIN && this.#returned >= GIVE_FROM * this.#followedCount && this.#followedCount > 0;
      this.#followed = this.#following;
      this.#followedCount = this.#followingCount;
    }
    this.#following = new WeakSet();
    this.#followingCount = 0;
    this.#returned = 0;
    this.#met.clear();
    this.count = 0;
    this.#walk++;
  }

  #placeOf(value: object): number | undefined {
    const known = this.#places.get(value);
    if (known !== undefined) {
      this.#returned++;
      return known;
    }
    if (this.#placesGiven === PLACES_MAX) return undefined;
    const place = this.#placesGiven++;
    if (place === this.#walks.length) this.#grow();
    this.#places.set(value, place);
    return place;
  }

  #grow(): void {
    const length = Math.max(OBJECTS_MIN, 2 * this.#walks.length);
    const walks = new Float64Array(length);
    walks.set(this.#walks);
    this.#walks = walks;
    const ordinals = new Int32Array(length);
    ordinals.set(this.#ordinals);
    this.#ordinals = ordinals;
  }

  #follow(value: object, ordinal: number): void {
    if (this.#followedCount > 0 && this.#followed.has(value)) this.#returned++;
    if (ordinal % FOLLOWED_EACH !== 0) return;
    this.#following.add(value);
    this.#followingCount++;
  }

  #clear(): void {
    this.#places = new WeakMap();
    this.#placesGiven = 0;
    this.#walks = new Float64Array(0);
    this.#ordinals = new Int32Array(0);
    this.#isFirst = true;
  }
}
