/** A small seeded random number generator (sfc32): one seed reproduces a whole life. */

/** Four hexadecimal digits for each number of 16 bits. */
const HEX = Array.from({ length: 1 << 16 }, (_, number) => number.toString(16).padStart(4, '0'))

export class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    this.#a = seed | 0
    this.#b = (seed / 2 ** 32) | 0
    this.#c = 0x9e3779b9
    for (let warmUp = 0; warmUp < 12; warmUp++) this.#next()
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return sum >>> 0
  }

  /** From 0 to below 1. */
  fraction(): number {
    return this.#next() / 2 ** 32
  }

  chance(probability: number): boolean {
    return probability > 0 && this.fraction() < probability
  }

  between(least: number, most: number): number {
    return least + (most - least) * this.fraction()
  }

  /** Small values often, large ones sometimes: every order of magnitude is as likely as the next. */
  logarithmic(least: number, most: number): number {
    return least * (most / least) ** this.fraction()
  }

  whole(below: number): number {
    return Math.floor(this.fraction() * below)
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.whole(choices.length)] as T
  }

  /** 16 hexadecimal digits. */
  name(): string {
    const [first, second] = [this.#next(), this.#next()]
    return `${HEX[first >>> 16]}${HEX[first & 0xffff]}${HEX[second >>> 16]}${HEX[second & 0xffff]}`
  }
}
