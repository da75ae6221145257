/**
 * An adversary that makes and removes tickets of waiters as it likes: of the living, the dead and of no process. Nothing that decides
 * may see them. It has its own chance, so that a life without tickets is the same with and without it.
 */

import { Random } from './random.js'
import { type FileServer, ROOT } from './server.js'
import type { World } from './world.js'

const ROOM = '.wait'
const BETWEEN_MS_MAX = 200

export class TicketAdversary {
  readonly #world: World
  readonly #random: Random

  constructor(world: World, seed: number) {
    this.#world = world
    this.#random = new Random(seed ^ 0x71c4e7)
  }

  start(): void {
    this.#world.after(this.#random.logarithmic(1, BETWEEN_MS_MAX), () => {
      if (this.#world.isHealed) return
      this.#act(this.#world.server)
      this.start()
    })
  }

  #act(server: FileServer): void {
    const directory = server.lookUp(ROOT, 'd')
    const lock = directory === null ? null : server.lookUp(directory, 'P')
    // What has no marker may be another library's: no waiter makes anything there.
    if (directory === null || lock === null || !(server.lookUp(lock, '.links') ?? server.lookUp(lock, '.renames'))) return
    const room = server.lookUp(lock, ROOM)
    if (room === null) return void server.makeDirectory(lock, ROOM, 0o755)
    if (this.#random.chance(0.1)) return this.#clear(server, lock, room)
    if (this.#random.chance(0.3)) return this.#removeOne(server, room)
    server.create(room, this.#ticket(server, directory), '', 0o600)
  }

  #ticket(server: FileServer, directory: number): string {
    const sessions = [...(server.inodes.get(directory)?.entries.keys() ?? [])].filter((name) =>
      name.startsWith('.mountlock-41c29-'),
    )
    const owner =
      sessions.length === 0 || this.#random.chance(0.3) ? `ghost-1-${this.#random.name()}` : this.#random.pick(sessions).slice(17)
    return `${this.#random.whole(1e6)}.${owner}`
  }

  #removeOne(server: FileServer, room: number): void {
    const names = [...(server.inodes.get(room)?.entries.keys() ?? [])]
    if (names.length > 0) server.unlink(room, this.#random.pick(names))
  }

  #clear(server: FileServer, lock: number, room: number): void {
    for (const name of [...(server.inodes.get(room)?.entries.keys() ?? [])]) server.unlink(room, name)
    server.removeDirectory(lock, ROOM)
  }
}
