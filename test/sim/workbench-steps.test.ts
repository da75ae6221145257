/**
 * Our lock that Workbench respects, with a session that arrives between any two of its steps, and with an end at any of them. Goal:
 * exactly one of the two has the lock; what ours leaves at whatever step is cleared away by the next one of ours, but for the public
 * name. Method: ours runs step by step on the simulated server, and at one step after the other a session takes the lock, in one go.
 */

import { describe, expect, test } from 'vitest'
import type { Clock, FileStatus, Reply } from '../../src/protocol/operations.js'
import { lookAtName, refresh } from '../../src/protocol/kept-file.js'
import { namesOf } from '../../src/workbench/names.js'
import type { Terms } from '../../src/workbench/outer.js'
import { Client, type ClientOperation } from './client-cache.js'
import { FileServer, ROOT } from './server.js'
import type { Form, Holding, Session } from './specimens/workbench.js'
import { giveBack, keptOf, take, type Taken } from './specimens/workbench-ours.js'
import { form2026 } from './specimens/workbench-2026.js'
import { advisory2026, legacyAdvisory } from './specimens/workbench-advisory.js'
import { legacy } from './specimens/workbench-legacy.js'

const TIMEOUT_MS = 30_000
/** Ours can be asked for so many steps in one take and one release, at the most. */
const STEPS_MAX = 150
const FORMS: Record<string, Form> = { legacy, 2026: form2026, 'legacy advisory': legacyAdvisory, '2026 advisory': advisory2026 }

type Program<Result> = Generator<unknown, Result, unknown>

/** It goes on from one run to the next, as the memory of what was watched does. */
let nowMs = 1_700_000_000_000
let runs = 0

/** A process, which performs its steps one by one. */
class Process {
  readonly #place: Place
  #names = 0
  steps = 0

  constructor(place: Place) {
    this.#place = place
  }

  answer(step: ClientOperation | { op: string; file?: number }): unknown {
    switch (step.op) {
      case 'clock':
        return { ownMs: nowMs, wallMs: nowMs } satisfies Clock
      case 'name':
        return `${this.#place.processes.indexOf(this)}${++this.#names}`.padStart(16, '0')
      case 'process':
        return 'alive'
      case 'locked':
        return this.#place.server.holderOf(step.file as number) === this
      default:
        this.steps++
        this.#place.server.actingProcess = this
        return this.#place.client.perform(step as ClientOperation, true)
    }
  }

  run<Result>(program: Program<Result>): Result {
    let step = program.next()
    while (!step.done) step = program.next(this.answer(step.value as ClientOperation))
    return step.value
  }

  /** `before`: called before the step of that number; `false`: the process ends there. */
  runUntil<Result>(program: Program<Result>, at: number, before: () => boolean): Result | 'ended' {
    let step = program.next()
    while (!step.done) {
      const isAsked = !['clock', 'name', 'process', 'locked'].includes((step.value as { op: string }).op)
      if (isAsked && this.steps === at && !before()) {
        this.#place.server.ended(this)
        return 'ended'
      }
      step = program.next(this.answer(step.value as ClientOperation))
    }
    return step.value
  }
}

/** A directory with a public path. */
class Place {
  readonly server = new FileServer()
  readonly client = new Client(this.server, 1)
  readonly directory = `/d${++runs}`
  readonly path = `${this.directory}/lock_file`
  readonly names = namesOf(this.path)
  readonly processes: Process[] = []

  constructor() {
    this.server.clockMs = () => nowMs
    this.server.makeDirectory(ROOT, this.directory.slice(1), 0o755)
  }

  process(): Process {
    const process = new Process(this)
    this.processes.push(process)
    return process
  }

  session(form: string, useSymlinks: boolean): Session {
    const pid = 100 + this.processes.length
    return {
      path: this.path,
      pid,
      host: `h${pid}`,
      timeoutMs: TIMEOUT_MS,
      useSymlinks: useSymlinks && !/advisory/.test(form),
      isLoadBalanced: true,
    }
  }

  perform(operation: ClientOperation): Reply<unknown> {
    return this.client.perform(operation, true)
  }

  /** All names below it, and what is in each file. */
  tree(path = this.directory): string[] {
    const listed = this.perform({ op: 'list', path }) as Reply<string[]>
    return (listed.ok ? listed.value.sort() : []).flatMap((name) => {
      const below = `${path}/${name}`
      const status = this.perform({ op: 'stat', path: below }) as Reply<FileStatus>
      const { type } = (status as { value: FileStatus }).value
      const text = this.server.inodes.get((status as { value: FileStatus }).value.ino)?.text ?? ''
      const shown = `${below.slice(this.directory.length + 1)} ${type === 'directory' ? '/' : JSON.stringify(text)}`
      return [shown, ...(type === 'directory' ? this.tree(below) : [])]
    })
  }
}

/** And it is the last one. */
function* leave(terms: Terms, taken: Taken): Program<void> {
  yield* giveBack(terms, taken)
  yield { op: 'rmdir', path: terms.names.hidden }
}

const termsOf = ({ names }: Place, useSymlinks: boolean): Terms => ({
  names,
  pid: 7,
  timeoutMs: TIMEOUT_MS,
  useSymlinks,
  locksFirst: true,
  isShared: false,
})

/** What lies at the public path before. */
const BEFORE: Record<string, (place: Place) => void> = {
  nothing: () => {},
  'a released lock': ({ path, client }) => void client.perform({ op: 'create', path, text: '-1\n', mode: 0o644 }, true),
  'a free advisory file': ({ path, client }) => void client.perform({ op: 'create', path, text: '', mode: 0o666 }, true),
  'a link that leads nowhere': ({ path, directory, client }) =>
    void client.perform({ op: 'symlink', path, target: `${directory}/.rstudio-lock-owner-41c29-${'0'.repeat(32)}` }, true),
  'an abandoned lock': (place) => {
    place.process().run(legacy.acquire(place.session('legacy', false)))
    // It is watched for as long as it takes.
    const ours = place.process()
    expect(ours.run(take(termsOf(place, false)))).toBeNull()
    nowMs += 1.2 * TIMEOUT_MS
  },
  'what a dead one of ours left': (place) => {
    const dead = place.process()
    expect(dead.run(take(termsOf(place, false)))).not.toBeNull()
    place.server.ended(dead)
    nowMs += TIMEOUT_MS
  },
}

const SETS = Object.keys(FORMS).flatMap((form) => [false, true].map((useSymlinks) => ({ form, useSymlinks })))

/** What lies there before, for the schedule in which something happens at that step. */
function sceneFor(at: number, before: string, useSymlinks: boolean) {
  expect(at).toBeLessThan(STEPS_MAX)
  const place = new Place()
  BEFORE[before]?.(place)
  return { place, terms: termsOf(place, useSymlinks) }
}

describe.each(SETS)('a session of the form $form, symbolic links: $useSymlinks', ({ form: name, useSymlinks }) => {
  const form = FORMS[name] as Form

  test.each(Object.keys(BEFORE))('that comes between any two steps has the lock, or is kept out: %s', (before) => {
    let isOver = false
    for (let at = 0; !isOver; at++) {
      const { place, terms } = sceneFor(at, before, useSymlinks)
      const theirs = place.process()
      let holding: Holding | null = null
      const arrive = () => {
        holding = theirs.run(form.acquire(place.session(name, useSymlinks)))
        return true
      }
      const ours = place.process()
      const taken = ours.runUntil(take(terms), at, arrive)
      isOver = ours.steps < at
      if (isOver) arrive()
      if (taken === 'ended') throw new Error('Expected it to come to its end')
      const where = `before step ${at}: ${place.tree().join(', ')}`
      if (taken === null) {
        // Its claim may have kept a session of 2026 out, which kept ours out: then it is free, and the next try gets it.
        if (holding === null) expect(place.process().run(take(terms)), where).not.toBeNull()
        continue
      }
      expect(holding, where).toBeNull()
      expect(ours.run(refresh(keptOf(terms, taken.prepared))), where).toMatchObject({ kind: 'kept' })
      ours.run(leave(terms, taken))
      // And then it gets it, whatever ours has left.
      arrive()
      expect(holding, where).not.toBeNull()
    }
  })
})

test('a claim that another session has put in the place of an abandoned one stays, whenever that happens', () => {
  let replacements = 0
  for (let at = 0; at < STEPS_MAX; at++) {
    const place = new Place()
    const { firstClaim: path } = place.names
    place.perform({ op: 'create', path, text: '4711\n', mode: 0o644 })
    const terms = termsOf(place, false)
    expect(place.process().run(take(terms))).toBeNull()
    nowMs += 1.2 * TIMEOUT_MS
    let isReplaced = false
    const replace = () => {
      isReplaced = place.server.inodes.get(place.client.directoryOf(`${path}/x`))?.text === '4711\n'
      if (isReplaced) place.perform({ op: 'unlink', path })
      if (isReplaced) place.perform({ op: 'create', path, text: '4712\n', mode: 0o644 })
      return true
    }
    place.process().runUntil(take(terms), at, replace)
    if (!isReplaced) continue
    replacements++
    expect(place.tree(), `before step ${at}`).toContain(`${path.slice(place.directory.length + 1)} "4712\\n"`)
  }
  expect(replacements).toBeGreaterThan(3)
})

describe.each([false, true])('symbolic links: %s', (useSymlinks) => {
  test.each(Object.keys(BEFORE))('what ours leaves that ends at any step is gone after the next one: %s', (before) => {
    let isOver = false
    for (let at = 0; !isOver; at++) {
      const { place, terms } = sceneFor(at, before, useSymlinks)
      const dead = place.process()
      const life = (function* () {
        const taken = yield* take(terms)
        if (taken !== null) yield* leave(terms, taken)
      })()
      isOver = dead.runUntil(life, at, () => false) !== 'ended'
      const next = place.process()
      const taken = next.run(take(terms))
      expect(taken, `after step ${at}: ${place.tree().join(', ')}`).not.toBeNull()
      if (taken === null) return
      expect(next.run(lookAtName(keptOf(terms, taken.prepared)))).toBe('kept')
      next.run(leave(terms, taken))
      expect(place.tree(), `after step ${at}`).toEqual(useSymlinks ? [] : ['lock_file "-1\\n"'])
    }
  })
})
