let answers = 0
/** How many operations have been answered so far, on whatever mount: it goes on while this process gets anywhere. */
export const answersSoFar = (): number => answers

/**
 * A lane to one mount: at most two asynchronous file operations in flight. libuv has four threads for all of them, so
 * a mount that hangs must not be able to take more than its share: half of them.
 */
export class Lane {
  static readonly #inFlightMax = 2
  #inFlight = 0
  readonly #waiting: (() => void)[] = []

  /** Starts an operation as soon as there is room. `start` gets a Node-style callback. */
  run<T>(start: (done: (error: Error | null, value?: T) => void) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const begin = () => {
        this.#inFlight++
        const done = (error: Error | null, value?: T) => {
          answers++
          this.#inFlight--
          this.#waiting.shift()?.()
          if (error) reject(error)
          else resolve(value as T)
        }
        try {
          start(done)
        } catch (error) {
          done(error as Error)
        }
      }
      if (this.#inFlight < Lane.#inFlightMax) begin()
      else this.#waiting.push(begin)
    })
  }
}
