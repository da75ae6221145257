/** The events to come, in the order of their times; equal times keep the order in which they were added. */

export interface Event {
  atMs: number
  order: number
  run: () => void
}

const isBefore = (a: Event, b: Event) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)

export class EventHeap {
  readonly #events: Event[] = []
  #order = 0

  push(atMs: number, run: () => void): void {
    const events = this.#events
    const event = { atMs, order: this.#order++, run }
    let index = events.length
    events.push(event)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(event, events[parent] as Event)) break
      events[index] = events[parent] as Event
      index = parent
    }
    events[index] = event
  }

  get nextMs(): number {
    return this.#events[0]?.atMs ?? Number.POSITIVE_INFINITY
  }

  pop(): Event | undefined {
    const events = this.#events
    const first = events[0]
    const last = events.pop()
    if (first === undefined || last === undefined || first === last) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= events.length) break
      if (child + 1 < events.length && isBefore(events[child + 1] as Event, events[child] as Event)) child++
      if (!isBefore(events[child] as Event, last)) break
      events[index] = events[child] as Event
      index = child
    }
    events[index] = last
    return first
  }
}
