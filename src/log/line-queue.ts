/** Lines on their way to a log. Bounded: a log that hangs must not eat the memory of the process whose locks it describes. */

const LINES_MAX = 10_000

export interface Batch {
  /** Whole lines. */
  text: string
  lines: string[]
  /** How many lost lines the batch reports. */
  lossReported: number
}

export class LineQueue {
  readonly #formatLoss: (lines: number) => string
  #lines: string[] = []
  #lost = 0

  constructor(formatLoss: (lines: number) => string) {
    this.#formatLoss = formatLoss
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0
  }

  push(line: string): void {
    if (this.#lines.length < LINES_MAX) this.#lines.push(line)
    else this.#lost++
  }

  /** As many whole lines as fit in `charactersMax`, one at the least, after a line that owns up to what was lost before. */
  take(charactersMax: number): Batch {
    let characters = 0
    let count = 0
    for (const line of this.#lines) {
      characters += line.length
      if (count > 0 && characters > charactersMax) break
      count++
    }
    const lines = this.#lines.splice(0, count)
    const lossReported = this.#lost
    this.#lost = 0
    const text = (lossReported > 0 ? this.#formatLoss(lossReported) : '') + lines.join('')
    return { text, lines, lossReported }
  }

  /** The batch was not written and will be tried again. */
  putBack({ lines, lossReported }: Batch): void {
    this.#lines = [...lines, ...this.#lines]
    this.#lost += lossReported
  }

  /** The batch is given up. */
  lose({ lines, lossReported }: Batch): void {
    this.#lost += lossReported + lines.length
  }
}
