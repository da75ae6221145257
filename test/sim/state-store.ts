/** The states that were reached: each once, exactly (no hashes instead of states), with the way that led there. */

export class StateStore {
  readonly width: number
  count = 0
  #states: Int32Array
  #ways: Int32Array
  /** Pairs: the number of a state and 1 (0: none), and its hash. */
  #table: Int32Array

  constructor(width: number) {
    this.width = width
    this.#states = new Int32Array(width << 16)
    this.#ways = new Int32Array(2 << 16)
    this.#table = new Int32Array(2 << 18)
  }

  /** Adds a state if it is new; `parent` and `action` say how it was reached first. */
  add(state: Int32Array, parent: number, action: number): boolean {
    if (this.count * 4 > this.#table.length) this.#rehash()
    const table = this.#table
    const mask = table.length - 2
    const hash = this.#hash(state)
    let slot = (hash << 1) & mask
    for (;;) {
      const index = (table[slot] as number) - 1
      if (index === -1) break
      if (table[slot + 1] === hash && this.#equals(index, state)) return false
      slot = (slot + 2) & mask
    }
    if ((this.count + 1) * this.width > this.#states.length) this.#grow()
    this.#states.set(state, this.count * this.width)
    this.#ways[2 * this.count] = parent
    this.#ways[2 * this.count + 1] = action
    table[slot + 1] = hash
    table[slot] = ++this.count
    return true
  }

  read(index: number, into: Int32Array): void {
    const start = index * this.width
    for (let word = 0; word < this.width; word++) into[word] = this.#states[start + word] as number
  }

  /** The actions that led to a state. */
  way(index: number): { state: number; action: number }[] {
    const way: { state: number; action: number }[] = []
    for (let state = index; state > 0; state = this.#ways[2 * state] as number)
      way.unshift({ state: this.#ways[2 * state] as number, action: this.#ways[2 * state + 1] as number })
    return way
  }

  #equals(index: number, state: Int32Array): boolean {
    const start = index * this.width
    for (let word = 0; word < this.width; word++) if (this.#states[start + word] !== state[word]) return false
    return true
  }

  #hash(words: Int32Array): number {
    let hash = 0x811c9dc5
    for (let word = 0; word < this.width; word++) {
      hash = Math.imul(hash ^ (words[word] as number), 0x9e3779b1)
      hash ^= hash >>> 15
    }
    return Math.imul(hash, 0x85ebca6b) | 0
  }

  #grow(): void {
    const states = new Int32Array(this.#states.length * 2)
    states.set(this.#states)
    this.#states = states
    const ways = new Int32Array(this.#ways.length * 2)
    ways.set(this.#ways)
    this.#ways = ways
  }

  #rehash(): void {
    const before = this.#table
    const table = new Int32Array(before.length * 2)
    const mask = table.length - 2
    for (let from = 0; from < before.length; from += 2) {
      if (before[from] === 0) continue
      const hash = before[from + 1] as number
      let slot = (hash << 1) & mask
      while (table[slot] !== 0) slot = (slot + 2) & mask
      table[slot] = before[from] as number
      table[slot + 1] = hash
    }
    this.#table = table
  }
}
