/**
 * What happens between two system calls of an attempt. Goal: no interference at any point makes an attempt answer `held`
 * for what it does not hold, or drops a lock that this process holds. Method: every call of an attempt goes through its
 * lane, so a lane that does something before its n-th call, for every n, visits each point there is.
 */
import { linkSync, readdirSync, readlinkSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dir } from 'tmp-promise'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AdvisoryHold, tryAdvisory, tryAdvisorySync } from '../../src/advisory/advisory.js'
import { Lane } from '../../src/drivers/lane.js'
import { witness } from './fixtures/advisory-driver.mjs'

const KINDS = ['flock', 'fcntl'] as const
/** More than the calls of any attempt. */
const CALLS_MAX = 12

let folder: string
let path: string
let otherName: string
let removeFolder: () => Promise<void>
const lane = new Lane()
const holds: AdvisoryHold[] = []

beforeEach(async () => {
  const temporary = await dir({ unsafeCleanup: true })
  folder = temporary.path
  removeFolder = temporary.cleanup
  path = join(folder, 'resource.lock')
  otherName = join(folder, 'other-name.lock')
  writeFileSync(path, '')
})

afterEach(async () => {
  await Promise.all(holds.splice(0).map((hold) => hold.release()))
  expect(openDescriptors()).toBe(0)
  await removeFolder()
})

/** A lane that does something first, until it is told to be a lane like any other. */
class InterferingLane extends Lane {
  #before: (call: number) => Promise<void> | void
  #calls = 0

  constructor(before: (call: number) => Promise<void> | void) {
    super()
    this.#before = before
  }

  override async run<T>(start: Parameters<typeof Lane.prototype.run<T>>[0]): Promise<T> {
    await this.#before(this.#calls++)
    return super.run(start)
  }

  disarm(): void {
    this.#before = () => {}
  }
}

function replaceFile(): void {
  writeFileSync(`${path}.new`, '')
  renameSync(`${path}.new`, path)
}

function openDescriptors(): number {
  const names = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(join('/proc/self/fd', fd))
    } catch {
      return '' // the descriptor that the listing itself used
    }
  })
  return names.filter((name) => name.startsWith(folder)).length
}

function keep(outcome: AdvisoryHold | 'busy'): AdvisoryHold | 'busy' {
  if (outcome !== 'busy') holds.push(outcome)
  return outcome
}

describe.each(KINDS)('%s', (kind) => {
  it('a lock file that is replaced during the attempt is noticed, wherever the attempt is', async () => {
    let replacedAt = 0
    for (let point = 0; point < CALLS_MAX; point++) {
      const before = replacedAt
      const interfering = new InterferingLane((call) => {
        if (call !== point) return
        replaceFile()
        replacedAt++
      })
      const hold = keep(await tryAdvisory(path, { kind, shared: false, lane: interfering }))
      interfering.disarm()
      if (replacedAt === before) break
      expect(hold).toMatchObject({ ino: statSync(path).ino })
      expect(witness(path, kind)).toBe('busy')
      await holds.pop()?.release()
    }
    expect(replacedAt).toBeGreaterThanOrEqual(4)
    expect(replacedAt).toBeLessThan(CALLS_MAX)
  })

  it('a lock file that is replaced without end is an error, and nothing is held', async () => {
    const interfering = new InterferingLane(replaceFile)
    const attempted = tryAdvisory(path, { kind, shared: false, lane: interfering })
    await expect(attempted).rejects.toMatchObject({ name: 'ForeignLockError', code: 'FOREIGN_LOCK' })
    expect(witness(path, kind)).toBe('free')
  })
})

describe('fcntl', () => {
  it.each([
    { first: 'fcntl', shared: false },
    { first: 'fcntl', shared: true },
    { first: 'flock', shared: false },
  ] as const)(
    'a lock taken in the middle of an attempt through another name is not dropped by it ($first, shared: $shared)',
    async ({ first: kind, shared }) => {
      linkSync(path, otherName)
      let visited = 0
      for (let point = 0; point < CALLS_MAX; point++) {
        const before = visited
        let during: AdvisoryHold | 'busy' | Promise<AdvisoryHold | 'busy'> | undefined
        const interfering = new InterferingLane(async (call) => {
          if (call !== point) return
          visited++
          during = tryAdvisory(path, { kind: 'fcntl', shared, lane })
          // Where the interrupted attempt has its turn, it must go on before the other one can.
          await Promise.race([during, nextTurns()])
        })
        const outcome = keep(await tryAdvisory(otherName, { kind, shared, lane: interfering }))
        interfering.disarm()
        const other = during && keep(await during)
        if (visited === before) break
        expect([outcome, other].some((one) => one !== 'busy')).toBe(true)
        if (kind === 'fcntl') expect(outcome !== 'busy' && other !== 'busy').toBe(shared)
        if (kind === 'flock') expect(other).not.toBe('busy')
        expect(witness(path, 'fcntl')).toBe('busy')
        for (const hold of holds.splice(0)) await hold.release()
        expect(witness(path, 'fcntl')).toBe('free')
        expect(openDescriptors()).toBe(0)
      }
      expect(visited).toBeGreaterThanOrEqual(4)
      expect(visited).toBeLessThan(CALLS_MAX)
    },
  )

  it('a flock cycle with blocking calls in the middle of an attempt does not drop what the attempt gets', async () => {
    let visited = 0
    for (let point = 0; point < CALLS_MAX; point++) {
      const before = visited
      const interfering = new InterferingLane((call) => {
        if (call !== point) return
        visited++
        const cycle = tryAdvisorySync(path, { kind: 'flock', shared: false, lane })
        if (cycle !== 'busy') cycle.releaseSync()
      })
      const outcome = keep(await tryAdvisory(path, { kind: 'fcntl', shared: false, lane: interfering }))
      interfering.disarm()
      expect(outcome).not.toBe('busy')
      if (visited === before) break
      expect(witness(path, 'fcntl')).toBe('busy')
      for (const hold of holds.splice(0)) await hold.release()
      expect(openDescriptors()).toBe(0)
    }
    expect(visited).toBeGreaterThanOrEqual(4)
  })

  it('a synchronous release in the middle of an asynchronous one lets go once, and nothing of the next holder', async () => {
    let visited = 0
    for (let point = 0; point < CALLS_MAX; point++) {
      let next: AdvisoryHold | 'busy' | undefined
      let first: AdvisoryHold | 'busy' | undefined
      let armed = false
      let calls = 0
      const interfering = new InterferingLane(async () => {
        if (!armed || calls++ !== point) return
        visited++
        if (first && first !== 'busy') first.releaseSync()
        next = await tryAdvisory(path, { kind: 'fcntl', shared: false, lane })
        // Leaves a descriptor behind that must not be closed before the next holder releases.
        const cycle = tryAdvisorySync(path, { kind: 'flock', shared: false, lane })
        if (cycle !== 'busy') cycle.releaseSync()
      })
      first = await tryAdvisory(path, { kind: 'fcntl', shared: false, lane: interfering })
      armed = true
      if (first !== 'busy') await first.release()
      if (next === undefined) break
      expect(keep(next)).not.toBe('busy')
      expect(witness(path, 'fcntl')).toBe('busy')
      for (const hold of holds.splice(0)) await hold.release()
    }
    expect(visited).toBeGreaterThanOrEqual(1)
  })
})

/** Turns of the event loop, enough for an attempt that nothing blocks to end or to come to its own waiting. */
async function nextTurns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
}
