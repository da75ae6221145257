/** Lets the same faults loose on the specimens. What they are asked is little: never two live holders at once. */

import { type Faults, NO_FAULTS } from '../faults.js'
import { Violation } from '../properties.js'
import { Random } from '../random.js'
import { ROOT } from '../server.js'
import type { Row } from '../table.js'
import { World } from '../world.js'
import { acquireFixedPath, refreshFixedPath, releaseFixedPath } from './fixed-path.js'
import { exploreSpecimen, fixedPathLife, properLockfileLife } from './exhaustive.js'
import { type Specimen, SpecimenProcess } from './process.js'
import { properLockfile } from './proper-lockfile.js'

const TIMEOUT_MS = 6000
const SCHEDULES_MAX = 500
/** A holder counts as live while its last refresh is younger than this share of the timeout, by true time. */
const LIVE = 0.9

const fixedPath = (): Specimen => ({
  name: 'link/unlink at a fixed path, stale by mtime',
  acquire: acquireFixedPath,
  refresh: refreshFixedPath,
  release: releaseFixedPath,
})

/** Nothing is wrong with clocks and caches: processes only stall, and crash. */
const stallsOnly = (random: Random): Faults => ({
  ...NO_FAULTS,
  stoppedProcess: random.logarithmic(0.002, 0.05),
  stalledCall: 0.01,
  crash: 0.001,
})

export function runSpecimen(seed: number, faults: Faults, make: (world: World) => Specimen): Violation | null {
  const world = new World(seed, faults, TIMEOUT_MS, null)
  world.server.makeDirectory(ROOT, 'd', 0o755)
  const specimen = make(world)
  const processes: SpecimenProcess[] = []
  const onAcquired = (process: SpecimenProcess) => {
    for (const other of processes) {
      if (other === process || !other.alive || other.heldSinceMs === null) continue
      if (world.nowMs - other.heldSinceMs < LIVE * TIMEOUT_MS)
        throw new Violation('live holder replaced', `${process.name} acquired while ${other.name} holds`)
    }
  }
  for (let index = 0; index < 3; index++) {
    const process = new SpecimenProcess(world, world.addNode(`n${index}`), `n${index}`, TIMEOUT_MS, 20, specimen, onAcquired)
    processes.push(process)
    process.start()
  }
  world.startTimeline()
  try {
    world.run(TIMEOUT_MS * 60, () => processes.every(({ alive, missing }) => !alive || missing === 0))
  } catch (error) {
    if (error instanceof Violation) return error
    throw error
  }
  return null
}

export function catchSpecimens(): Row[] {
  return [
    { make: fixedPath, life: fixedPathLife },
    { make: properLockfile, life: properLockfileLife },
  ].map(({ make, life }) => {
    const { name } = make(new World(1, NO_FAULTS, TIMEOUT_MS, null))
    const { states, isCaught } = exploreSpecimen(life)
    let caught: Violation | null = null
    let schedules = 0
    while (caught === null && schedules < SCHEDULES_MAX)
      caught = runSpecimen(++schedules, stallsOnly(new Random(schedules)), make)
    return {
      system: `${name}, 3 × 2, one crash; random: stalls and crashes only`,
      exhaustive: `${isCaught ? 'two live holders' : 'nothing'}: ${states.toLocaleString('en-US')} states`,
      random: `${caught?.property ?? 'nothing'}: ${schedules} schedules`,
      isCaught: isCaught && caught !== null,
    }
  })
}
