/**
 * The checker must be able to fail. Goal: each kind of violation is found where it is, and only there. Method: logs written
 * by hand, one fault in each, beside the same story without it.
 */

import { describe, expect, test } from 'vitest'
import { type Rule, sectionsOf } from '../../src/cli/evidence/checker.js'
import type { Evidence, ResourceRequest, StormEvent } from '../../src/cli/evidence/records.js'
import { Resource } from '../../src/cli/evidence/resource.js'
import { takeoversOf } from '../../src/cli/evidence/takeover.js'
import { checkStorm as check } from './counters.js'

/** One acquisition, told briefly: every moment that is given becomes a line of the log. */
interface Story {
  attempt?: number
  askedMs: number
  acquiredMs: number
  token: number | null
  sureMs?: number[]
  lostMs?: number
  releasingMs?: number
  lost?: boolean
  /** [when, read], and one more is written right after. */
  counter?: [atMs: number, value: number]
  /** Killed before the second line about its write. */
  killedWriting?: boolean
}

const LOCK = 0

function events(story: Story): StormEvent[] {
  const {
    attempt = 0,
    askedMs,
    acquiredMs,
    sureMs = [],
    lostMs,
    releasingMs,
    lost = false,
    counter,
    killedWriting = false,
  } = story
  const token = story.token === null ? null : String(story.token)
  const entry = { attempt, lock: LOCK }
  const lines: StormEvent[] = [
    { ...entry, type: 'asked', atMs: askedMs },
    { ...entry, type: 'acquired', atMs: acquiredMs, token },
    ...sureMs.map((atMs): StormEvent => ({ ...entry, type: 'sure', atMs, token })),
  ]
  if (counter !== undefined) {
    const [atMs, value] = counter
    lines.push({ ...entry, type: 'read', atMs, value }, { ...entry, type: 'writing', atMs: atMs + 1, value: value + 1 })
    if (!killedWriting) lines.push({ ...entry, type: 'wrote', atMs: atMs + 2, value: value + 1 })
  }
  if (lostMs !== undefined) lines.push({ ...entry, type: 'lost', atMs: lostMs, token, how: 'asserted' })
  if (releasingMs !== undefined) {
    lines.push({ ...entry, type: 'releasing', atMs: releasingMs, token })
    lines.push({ ...entry, type: 'released', atMs: releasingMs + 1, token, lost })
  }
  return lines
}

function evidence(stories: Record<string, Story | Story[]>, resource: ResourceRequest[] = []): Evidence {
  const processes = Object.entries(stories).map(([name, told]) => ({ name, events: [told].flat().flatMap(events) }))
  return { hasTokens: Object.values(stories).flat()[0]?.token !== null, processes, resource }
}

const rules = (...args: Parameters<typeof evidence>): Rule[] => check(evidence(...args)).map(({ rule }) => rule)

const FIRST: Story = { askedMs: 0, acquiredMs: 10, token: 1, sureMs: [10, 20, 30], releasingMs: 31 }
const SECOND: Story = { askedMs: 5, acquiredMs: 40, token: 2, sureMs: [40, 50], releasingMs: 51 }

describe('holders', () => {
  test('one after the other is no violation', () => {
    expect(rules({ first: FIRST, second: SECOND })).toEqual([])
  })

  test('one that is sure of the lock after another has acquired it is an overlap', () => {
    expect(rules({ first: { ...FIRST, sureMs: [10, 20, 45], releasingMs: 46 }, second: SECOND })).toContain('overlap')
  })

  test('an overlap is found whichever of the two began first, and also behind a shorter section', () => {
    const long = { ...FIRST, sureMs: [10, 90], releasingMs: 91 }
    const last = { ...SECOND, token: 3, acquiredMs: 70, sureMs: [70, 75], releasingMs: 76 }
    const found = check(evidence({ long, second: SECOND, last })).filter(({ rule }) => rule === 'overlap')
    expect(found.map(({ text }) => text)).toEqual([
      'second (token 2) had it while long (token 1) was still sure of it, for 10.000 ms',
      'last (token 3) had it while long (token 1) was still sure of it, for 5.000 ms',
    ])
  })

  test('one that stalls, is taken over and declares the loss is no violation', () => {
    const stalled = { ...FIRST, sureMs: [10, 20], lostMs: 60, releasingMs: 61, lost: true }
    expect(rules({ stalled, second: SECOND })).toEqual([])
  })

  test('one that is sure again after such a stall is an overlap, whatever it declares later', () => {
    const stalled = { ...FIRST, sureMs: [10, 20, 60], lostMs: 65, releasingMs: 66, lost: true }
    expect(rules({ stalled, second: SECOND })).toEqual(['overlap'])
  })

  test('one that never was sure holds nothing', () => {
    expect(
      rules({ late: { ...FIRST, acquiredMs: 45, sureMs: [], lostMs: 46 }, second: { ...SECOND, askedMs: 41, acquiredMs: 42 } }),
    ).toEqual([])
  })

  test('two sections of one process overlap as well', () => {
    const twice = [FIRST, { ...SECOND, attempt: 1, acquiredMs: 25 }]
    expect(rules({ twice })).toContain('overlap')
  })

  test('different locks have nothing to do with each other', () => {
    const { processes } = evidence({ second: { ...SECOND, token: 1, acquiredMs: 15, sureMs: [15, 25] } })
    for (const { events } of processes) for (const event of events) event.lock = 7
    const both = [...evidence({ first: FIRST }).processes, ...processes]
    expect(check({ hasTokens: true, processes: both, resource: [] })).toEqual([])
  })

  test('a release that calls the lock its own although another had acquired it is a loss that was not told', () => {
    const stalled = { ...FIRST, sureMs: [10, 20], releasingMs: 60, lost: false }
    expect(rules({ stalled, second: SECOND })).toEqual(['loss-not-told'])
    const third = { ...SECOND, token: 3, askedMs: 52, acquiredMs: 70, sureMs: [70], releasingMs: 72 }
    expect(rules({ stalled, second: SECOND, third })).toEqual(['loss-not-told'])
  })
})

describe('a clock that is known within bounds only', () => {
  /** The same story, told by a clock that may be wrong by so much. */
  const told = (story: Story, slackMs: number) => events(story).map((event) => ({ ...event, slackMs }))
  const rulesOf = (slackMs: number, second: Story) =>
    check({
      hasTokens: true,
      processes: [
        { name: 'here', events: events(FIRST) },
        { name: 'elsewhere', events: told(second, slackMs) },
      ],
      resource: [],
    }).map(({ rule }) => rule)
  const early = { ...SECOND, acquiredMs: 20, sureMs: [20, 60], releasingMs: 61 }

  test('an overlap that is longer than the doubt is found', () => {
    expect(rulesOf(8, early)).toContain('overlap')
  })

  test('one that could be none accuses no process', () => {
    expect(rulesOf(12, early)).toEqual([])
  })

  test('the same when the clock of the first holder is the doubtful one', () => {
    const rulesWith = (slackMs: number) => {
      const second = { ...SECOND, acquiredMs: 25, sureMs: [25, 60], releasingMs: 61 }
      const processes = [
        { name: 'elsewhere', events: told({ ...FIRST, releasingMs: 70, lost: true }, slackMs) },
        { name: 'here', events: events(second) },
      ]
      return check({ hasTokens: true, processes, resource: [] }).map(({ rule }) => rule)
    }
    expect(rulesWith(4)).toEqual(['overlap'])
    expect(rulesWith(6)).toEqual([])
  })

  test('where nothing is known of it, nothing of order is concluded; a token given twice still is', () => {
    expect(rulesOf(Number.POSITIVE_INFINITY, { ...early, token: 1 })).toEqual(['token-twice'])
  })
})

describe('takeovers', () => {
  const takeoversIn = (stories: Record<string, Story>) =>
    takeoversOf(sectionsOf(evidence(stories))).map(({ from, to, afterMs }) => [from.process, to.process, afterMs])

  test('a lock that was given back is taken over by no process', () => {
    expect(takeoversIn({ first: FIRST, second: SECOND })).toEqual([])
  })

  test('of a holder that was killed, and of one that wakes up too late', () => {
    const { releasingMs: _, ...killed } = FIRST
    expect(takeoversIn({ killed, second: SECOND })).toEqual([['killed', 'second', 10]])
    const late = { ...FIRST, lostMs: 60, releasingMs: 61, lost: true }
    expect(takeoversIn({ late, second: SECOND })).toEqual([['late', 'second', 10]])
  })
})

describe('tokens', () => {
  test('one that is given twice is found', () => {
    expect(rules({ first: FIRST, second: { ...SECOND, token: 1 } })).toContain('token-twice')
  })

  test('a smaller one for a process that asked later is found', () => {
    expect(rules({ first: { ...FIRST, token: 5 }, second: { ...SECOND, askedMs: 35 } })).toContain('token-order')
  })

  test('their order among processes that asked at the same time proves nothing', () => {
    // The second one acquired first, and was stopped before it could write that down.
    const held = { ...FIRST, token: 5, acquiredMs: 10, sureMs: [10, 20] }
    expect(
      rules({ held, stopped: { ...SECOND, token: 4, askedMs: 5, sureMs: [], lostMs: 41, releasingMs: 42, lost: true } }),
    ).toEqual([])
  })
})

describe('the fenced resource', () => {
  const request = (token: number, written: number | null, accepted = true, process = 'first', atMs = 100): ResourceRequest => {
    return { atMs, process, attempt: 0, lock: LOCK, token: String(token), written, accepted }
  }
  const two = { first: FIRST, second: SECOND }

  test('tokens that rise, and a late one that is refused, are no violation', () => {
    expect(rules(two, [request(1, null), request(1, 1), request(2, null), request(1, 2, false), request(2, 2)])).toEqual([])
  })

  test('a late write that is taken is found', () => {
    expect(rules(two, [request(1, null), request(2, null), request(1, 1)])).toEqual(['late-write'])
  })

  test('an increment that overwrites another is found', () => {
    expect(rules(two, [request(1, 1), request(1, 2), request(2, 2)])).toEqual(['lost-increment'])
  })

  test('one that was refused and is sure of the lock afterwards is found', () => {
    expect(rules(two, [request(2, null), request(1, 1, false, 'first', 25)])).toEqual(['sure-after-refusal'])
    expect(rules(two, [request(2, null), request(1, 1, false, 'first', 35)])).toEqual([])
  })
})

describe('the resource, of locks without tokens', () => {
  const ask = (resource: Resource, process: string, written: number | null) =>
    resource.answer(process, { id: 0, token: null, attempt: 0, lock: LOCK, written })
  const found = (resource: Resource) =>
    check({ hasTokens: false, processes: [], resource: resource.requests }).map(({ rule }) => rule)

  test('an increment between the read and the write of another is lost, and found', () => {
    const resource = new Resource()
    ask(resource, 'first', ask(resource, 'first', null).value + 1)
    const { value } = ask(resource, 'first', null)
    ask(resource, 'second', ask(resource, 'second', null).value + 1)
    ask(resource, 'first', value + 1)
    expect(found(resource)).toEqual(['lost-increment'])
  })

  test('what a killed process had sent is not heard any more, and accuses no process', () => {
    const resource = new Resource()
    const { value } = ask(resource, 'killed', null)
    resource.bury('killed')
    const successor = ask(resource, 'second', null).value
    expect(ask(resource, 'killed', value + 1).accepted).toBe(false)
    ask(resource, 'second', successor + 1)
    expect(found(resource)).toEqual([])
  })
})

describe('the counter file', () => {
  const first: Story = { ...FIRST, token: null, counter: [12, 0] }
  const second: Story = { ...SECOND, token: null, counter: [42, 1] }

  test('values that follow each other are no violation', () => {
    expect(rules({ first, second })).toEqual([])
  })

  test('an increment that is not there any more is found', () => {
    expect(rules({ first, second: { ...second, counter: [42, 0] } })).toEqual(['lost-increment'])
  })

  test('of a process that was killed in the middle of its write either value may be seen, and no other', () => {
    const killed = { ...first, killedWriting: true }
    expect(rules({ killed, second })).toEqual([])
    expect(rules({ killed, second: { ...second, counter: [42, 0] } })).toEqual([])
    expect(rules({ killed, second: { ...second, counter: [42, 2] } })).toEqual(['lost-increment'])
  })
})
