/**
 * Every interleaving of a few processes, with every answer that faults allow. A state is the file tree, what each process
 * knows (see exhaustive-program.ts), and a little bookkeeping for the properties; breadth first, so that the first violation
 * is a shortest one.
 *
 * What is left out, and why nothing is lost:
 * - Crashes are no transitions of their own. No verdict depends on whether the judged process lives (any may be judged dead
 *   at any moment), so a crashed process is one that is never scheduled again, and all prefixes are explored.
 * - Clean-up: whatever is lower than the highest generation may vanish at any moment. A process that cleans up has seen a higher
 *   generation, so each unlink of a clean-up is one of these. When it vanished makes no difference until a process touches it,
 *   so that is when both are explored; and what no process can touch any more (see exhaustive-generations.ts) is gone. Where a
 *   process sees what is lower (listings name by name), the lowest vanishes by a transition of its own: clean-up goes upwards. Where the
 *   lock is taken away and made again, none of this holds: there clean-up is done by processes, step by step.
 * - Local questions (clock, verdict, lease, wanted) are answered together with the file operation before them: they touch
 *   nothing that others can see. A clock jumps by a transition of its own, between any two file operations. So are
 *   operations that no other process can notice: making a session file, of which none has the name yet.
 * - Random names are never used twice. Where names stay, the lowest one that no process knows and that stands nowhere is new.
 * - Of states that differ only in which process is which, one is explored (see exhaustive-renaming.ts).
 * - What a process remembers of the highest generation that it saw makes no difference once it looks again, as long as that
 *   never shrinks. This is checked; where it does, in a protocol with a step removed, everything is explored without this rule.
 */

import { assert } from '../../src/assert.js'
import type { FileOperation, Operation } from '../../src/protocol/operations.js'
import {
  afterHeartbeat,
  afterJump,
  afterLettingGo,
  afterStandingStill,
  afterSuperseded,
  afterTick,
  afterWrite,
  hasToKnow,
  jumpsAtWrite,
  jumpsMoved,
  jumpsOf,
  ownTicks,
  stoodStillUnnoticed,
  ticksOf,
  ticksStoodStill,
  withoutSession,
} from './exhaustive-clocks.js'
import { type Executed, FileTable, pathsOf, type Tree, withoutLower } from './exhaustive-files.js'
import { generationOfPath, NO_GENERATIONS, placeOf, setOf, touchedAfterListing, touchedBy } from './exhaustive-generations.js'
import { type Circumstances, type LocalState, LocalTable, Numbered } from './exhaustive-local.js'
import { claimOf, comesAndGoes, ExhaustiveProgram, freshName, type ProgramRules, TICK_MS } from './exhaustive-program.js'
import { type Permutation, permutations, renameValue } from './exhaustive-renaming.js'
import { Violation } from './properties.js'
import type { ProtocolBundle } from './protocol.js'
import { FileServer, failure, ROOT } from './server.js'
import { StateStore } from './state-store.js'
import { describeOperation, describeReply } from './trace.js'

export interface Setting extends ProgramRules {
  name: string
  processes: number
  acquisitions: number
  /** Any lock may be judged dead at any moment; otherwise only one whose heartbeat the owner's clock has jumped over. */
  arbitraryVerdicts: boolean
  /** It happened, and the answer is what a repetition gets. */
  lostReplies: boolean
  /** Answered "timed out" when it happened, or did not. */
  timeOuts: boolean
  /** How many operations may be under way after their answers ("timed out", or done once already) at the same time. */
  lateMax: number
  staleListings: boolean
  /** The name of a session file may seem to be missing, until its directory was changed by the same node. */
  staleNames: boolean
  /** After a rename into place whose reply was lost, the draft's old name may lead to the lock, until its directory was changed by the same node. */
  staleDrafts: boolean
  /** Attempts may be given up on at every question. */
  givenUp: boolean
  /** So many milliseconds of the server's clock: a lock that is made again is numbered by them. */
  serverTicksMax: number
  /** For so many steps of time each machine may stand still: its clocks do, and the server's does not. */
  stillMax: number
  /** Where time passes: the server's time stamps show it. */
  hasStamps: boolean
  /** Time may pass between what was done and its reply. */
  slowReplies: boolean
  /** So many names that no listing is made in one piece. */
  fillers: number
  statesMax: number
}

export const PLAIN: Omit<Setting, 'name' | 'processes' | 'acquisitions'> = {
  claim: 'hardLinkClaim',
  intruder: null,
  isCoherent: true,
  hasBeats: false,
  arbitraryVerdicts: true,
  lostReplies: false,
  timeOuts: false,
  lateMax: 0,
  staleListings: false,
  staleNames: false,
  staleDrafts: false,
  givenUp: false,
  jumpsMax: 0,
  ticksMax: 0,
  beatsMax: 0,
  stillMax: 0,
  hasStamps: false,
  slowReplies: false,
  forgetsFloor: true,
  startsWithoutLock: false,
  administrator: null,
  makesWay: false,
  besideWorkbench: false,
  looksBefore: false,
  serverTicksMax: 0,
  fillers: 0,
  listsNameByName: false,
  statesMax: 25_000_000,
}

export interface ExhaustiveReport {
  states: number
  transitions: number
  isComplete: boolean
  violation: Violation | null
  /** Readable steps of a shortest way to the violation. */
  trace: string[]
}

const REPEATED: Record<string, string> = {
  link: 'EEXIST',
  symlink: 'EEXIST',
  mkdir: 'EEXIST',
  create: 'EEXIST',
  rename: 'ENOENT',
  unlink: 'ENOENT',
}
/** A step that is part of the way to a state: which process did what, in which way, and how processes were renamed after it. */
enum Kind {
  Step = 0,
  Jump = 1,
  Fill = 2,
  Late = 3,
  Vanish = 4,
  Tick = 5,
  StandStill = 6,
}

const encodeAction = (kind: Kind, index: number, way = 0, variant = 0, operand = 0) =>
  kind | (index << 3) | (way << 6) | (variant << 10) | (operand << 17)
const withRenaming = (action: number, renaming: number) => action | (renaming << 12)
const decodeAction = (action: number) => ({
  kind: (action & 7) as Kind,
  index: (action >> 3) & 7,
  way: (action >> 6) & 15,
  variant: (action >> 10) & 3,
  renaming: (action >> 12) & 31,
  operand: action >>> 17,
})

/** The highest generation has shrunk: what a process remembers of it may make a difference after all. */
class Shrunk extends Error {}

/** Operations of which a time-out or a late execution can make a difference to a lock. */
const DECIDING = new Set(['link', 'symlink', 'rename', 'unlink'])
const ATOMIC_ENTRIES_MAX = 32
const ALL = -1

enum Way {
  Plain = 0,
  LostReply = 1,
  NotDone = 2,
  DoneTimedOut = 3,
  Later = 4,
  Twice = 5,
  StaleListing = 6,
  EarlyPiece = 7,
  LatePiece = 8,
  /** Executed, and the reply is under way. */
  Slow = 9,
  Delivered = 10,
  StaleName = 11,
  OldName = 12,
  NamesRead = 13,
}
const WAYS = [
  '',
  'reply lost',
  'timed out, not done',
  'timed out, but done',
  'timed out, done later',
  'done, and again later',
  'from the cache',
  'first piece',
  'second piece',
  'the reply takes its time',
  '(the reply arrives)',
  'but the client believes that it is missing',
  'by the name that it had as a draft',
  '(these names are looked up next)',
]

/** Offsets in a state, after the file tree and the local states. */
interface Layout {
  given: number
  claims: number
  caches: number
  clocks: number
  late: number
  width: number
}

export function exploreExhaustively(setting: Setting, protocol: ProtocolBundle): ExhaustiveReport {
  // A stale listing may show a lower generation at any time, and so may a lock that is being taken away.
  const forgetsFloor = setting.forgetsFloor && setting.isCoherent && !comesAndGoes(setting)
  try {
    return new Exhaustive({ ...setting, forgetsFloor }, protocol).run()
  } catch (error) {
    if (!(error instanceof Shrunk)) throw error
    return new Exhaustive({ ...setting, forgetsFloor: false }, protocol).run()
  }
}

class Exhaustive {
  readonly #setting: Setting
  readonly #operations = new Numbered<Operation>()
  readonly #files: FileTable
  readonly #locals: LocalTable[]
  readonly #layout: Layout
  readonly #store: StateStore
  readonly #state: Int32Array
  readonly #next: Int32Array
  readonly #other: Int32Array
  readonly #least: Int32Array
  readonly #base: number
  readonly #permutations: Permutation[]
  readonly #anything: Circumstances
  readonly #comesAndGoes: boolean
  /** Which of the trees in which an operation may find itself; see `FileTable.variants`. */
  #variant = 0
  /** For each tree: the permutations that lead to the one that stands for it and its like. */
  readonly #leading: { files: number; permutations: number[] }[] = []
  #transitions = 0
  #parent = 0
  #action = 0

  constructor(setting: Setting, protocol: ProtocolBundle) {
    this.#setting = setting
    this.#anything = { jumps: 0, convictable: ALL, mayGiveUp: setting.givenUp, freshName: 0 }
    this.#comesAndGoes = comesAndGoes(setting)
    this.#base = setting.startsWithoutLock ? 0 : 10
    this.#files = new FileTable(this.#operations, this.#base, {
      keepsLower: this.#keepsLower,
      hasNumbers: this.#comesAndGoes,
      hasTimes: setting.hasStamps,
      tickMs: setting.hasStamps ? TICK_MS : setting.serverTicksMax > 0 ? 1 : 0,
    })
    const n = setting.processes
    this.#locals = [...Array(n).keys()].map(
      (index) => new LocalTable(index, new ExhaustiveProgram(protocol, setting), this.#operations, this.#base),
    )
    this.#permutations = permutations(n).filter((permutation) => isLikeBefore(permutation, setting))
    const given = 1 + n
    this.#layout = {
      given,
      claims: given + 1,
      caches: given + 1 + n,
      clocks: given + 1 + 2 * n,
      late: given + 2 + 2 * n,
      width: given + 2 + 2 * n + setting.lateMax,
    }
    this.#store = new StateStore(this.#layout.width)
    this.#state = new Int32Array(this.#layout.width)
    this.#next = new Int32Array(this.#layout.width)
    this.#other = new Int32Array(this.#layout.width)
    this.#least = new Int32Array(this.#layout.width)
  }

  /** What is lower than the highest generation stays until a process removes it. */
  get #keepsLower(): boolean {
    return this.#setting.fillers > 0 || this.#comesAndGoes || this.#setting.listsNameByName
  }

  #prepare(): FileServer {
    const server = new FileServer()
    server.makeDirectory(ROOT, 'd', 0o755)
    if (this.#setting.startsWithoutLock) return server
    const directory = server.lookUp(ROOT, 'd')
    assert(directory !== null, 'a directory of locks', directory)
    server.makeDirectory(directory, 'P', 0o755)
    const lock = server.lookUp(directory, 'P')
    assert(lock !== null, 'a lock directory', lock)
    server.create(lock, this.#setting.claim === 'renameClaim' ? '.renames' : '.links', '', 0o644)
    server.create(lock, `${this.#base}.free`, '', 0o644)
    for (let filler = 0; filler < this.#setting.fillers; filler++) server.create(lock, `filler-${filler}`, '', 0o644)
    return server
  }

  run(): ExhaustiveReport {
    const setting = this.#setting
    let violation: Violation | null = null
    try {
      this.#begin()
      for (let index = 0; index < this.#store.count && index < setting.statesMax; index++) {
        this.#store.read(index, this.#state)
        this.#parent = index
        this.#expand()
      }
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      violation = error
    }
    const states = this.#store.count
    const isComplete = violation === null && states < setting.statesMax
    return { states, transitions: this.#transitions, isComplete, violation, trace: violation === null ? [] : this.#trace() }
  }

  #begin(): void {
    const first = this.#next
    first.fill(0)
    first[0] = this.#files.begin(this.#prepare())
    const starts = this.#locals.map((table) => table.begin(this.#setting.acquisitions, this.#anything))
    // Every combination of first choices.
    const combine = (index: number): void => {
      if (index === starts.length) return this.#reach()
      for (const local of starts[index] as number[]) {
        first[1 + index] = local
        this.#withPrivate(index, () => combine(index + 1))
      }
    }
    combine(0)
  }

  #circumstances(index: number, state: Int32Array): Circumstances {
    const { arbitraryVerdicts, givenUp, processes, jumpsMax } = this.#setting
    const clocks = state[this.#layout.clocks] as number
    if (this.#setting.ticksMax > 0) {
      return { jumps: ownTicks(clocks, index), convictable: 0, mayGiveUp: givenUp, freshName: 0 }
    }
    if (this.#comesAndGoes)
      return { jumps: 0, convictable: arbitraryVerdicts ? ALL : 0, mayGiveUp: givenUp, freshName: this.#freshName(index, state) }
    if (arbitraryVerdicts && jumpsMax === 0) return this.#anything
    let convictable = arbitraryVerdicts ? ALL : 0
    if (!arbitraryVerdicts) {
      // The bit of a process is that of its process id. A jump since its last write, and it may be convicted.
      for (let other = 0; other < processes; other++)
        if (jumpsOf(clocks, other) > jumpsAtWrite(clocks, other)) convictable |= 1 << (other + 1)
    }
    return { jumps: jumpsOf(clocks, index), convictable, mayGiveUp: givenUp, freshName: 0 }
  }

  /** A random name that neither stands anywhere nor is known to any process. */
  #freshName(index: number, state: Int32Array): number {
    let used = (this.#files.trees[state[0] as number] as Tree).namesUsed
    for (let other = 0; other < this.#setting.processes; other++) used |= this.#local(other, state).namesUsed
    return freshName(index, used)
  }

  #local(index: number, state: Int32Array): LocalState {
    return (this.#locals[index] as LocalTable).states[state[1 + index] as number] as LocalState
  }

  #expand(): void {
    const {
      processes,
      jumpsMax,
      ticksMax,
      serverTicksMax,
      stillMax,
      lateMax,
      staleListings,
      slowReplies,
      fillers,
      listsNameByName,
    } = this.#setting
    let isOver = true
    for (let index = 0; index < processes; index++) {
      const local = this.#local(index, this.#state)
      if (local.operation === null) continue
      isOver = false
      if (slowReplies && this.#state[this.#layout.caches + index] !== 0) {
        this.#deliver(index)
        if (stillMax > 0) this.#standStill(index, local)
        continue
      }
      this.#inEachTree(local.operationId, (variant) => this.#step(index, local, local.operation as FileOperation, variant))
      if (jumpsMax > 0) this.#jump(index)
      if (stillMax > 0) this.#standStill(index, local)
      if (staleListings) this.#fill(index)
    }
    for (let slot = 0; slot < lateMax; slot++) {
      const late = this.#state[this.#layout.late + slot] as number
      if (late === 0) continue
      isOver = false
      this.#inEachTree((late - 1) >> 3, (variant) => this.#executeLate(slot, variant))
    }
    // A process that reads a listing piece by piece sees what has vanished.
    if (fillers > 0 || (listsNameByName && !this.#comesAndGoes)) this.#vanish()
    if (isOver) this.#checkEnd()
    else if (ticksMax + serverTicksMax > 0) this.#tick()
  }

  /** A reply that is under way arrives. */
  #deliver(index: number): void {
    const at = this.#layout.caches + index
    const reply = this.#state[at] as number
    this.#state[at] = 0
    this.#answer(index, Way.Delivered, this.#state[0] as number, reply - 1)
    this.#state[at] = reply
  }

  #tick(): void {
    const clocks = this.#state[this.#layout.clocks] as number
    if (ticksOf(clocks) >= this.#setting.ticksMax + this.#setting.serverTicksMax) return
    this.#setClocks(afterTick(clocks), encodeAction(Kind.Tick, 0))
  }

  #setClocks(clocks: number, action: number): void {
    this.#next.set(this.#state)
    this.#next[this.#layout.clocks] = clocks
    this.#action = action
    this.#reach()
  }

  #standStill(index: number, { checkpoint, operation }: LocalState): void {
    const { ticksMax, stillMax } = this.#setting
    const clocks = this.#state[this.#layout.clocks] as number
    if (ticksOf(clocks) >= ticksMax || ticksStoodStill(clocks, index) >= stillMax) return
    const after = afterStandingStill(clocks, index, checkpoint.session !== null, isHeartbeat(operation))
    this.#setClocks(after, encodeAction(Kind.StandStill, index))
  }

  /** Something was answered. If it was a heartbeat, the holder knows now. */
  #tell(index: number, asked: Operation | null, local: LocalState, state: Int32Array): void {
    const at = this.#layout.clocks
    let clocks = state[at] as number
    if (isHeartbeat(asked)) {
      if (local.holds > 0 && hasToKnow(clocks, index))
        this.#violated('heartbeat did not tell', `process ${index} was replaced in ${local.holds}, and goes on`)
      clocks = afterHeartbeat(clocks, index)
    }
    if (local.holds === 0) clocks = afterLettingGo(clocks, index)
    if (local.checkpoint.session === null && !isHeartbeat(local.operation)) clocks = withoutSession(clocks, index)
    state[at] = clocks
  }

  /** What the clocks of all processes and of the server show. */
  #ticks(state: Int32Array): number {
    return this.#setting.ticksMax + this.#setting.serverTicksMax > 0 ? ticksOf(state[this.#layout.clocks] as number) : 0
  }

  /** In the tree as it is, and in those where a process has cleaned up what the operation touches. */
  #inEachTree(operationId: number, step: (variant: number) => void): void {
    const files = this.#state[0] as number
    const variants = this.#keepsLower ? [files] : this.#files.variants(files, operationId)
    for (let variant = 0; variant < variants.length; variant++) {
      this.#state[0] = variants[variant] as number
      step(variant)
    }
    this.#state[0] = files
  }

  #vanish(): void {
    const { lower } = this.#files.trees[this.#state[0] as number] as Tree
    const lowest = Math.min(...lower.map(generationOfPath))
    for (let operand = 0; operand < lower.length; operand++) {
      if (this.#setting.listsNameByName && generationOfPath(lower[operand] as string) !== lowest) continue
      this.#next.set(this.#state)
      this.#next[0] = this.#files.without(this.#state[0] as number, [lower[operand] as string])
      this.#action = encodeAction(Kind.Vanish, 0, 0, 0, operand)
      this.#reach()
    }
  }

  #reach(): void {
    this.#transitions++
    const renaming = this.#canonicalise()
    this.#store.add(this.#least, this.#parent, withRenaming(this.#action, renaming))
  }

  /** The state that stands for `#next` and its like, in `#least`; returns by which permutation. */
  #canonicalise(): number {
    const { late, width, given } = this.#layout
    const next = this.#next
    const touched = this.#touched()
    if (!this.#keepsLower) next[0] = this.#files.strip(next[0] as number, touched)
    if (this.#setting.forgetsFloor) next[given] = relevantTokens(next[given] as number, touched)
    // What is under way is a set: its order makes no difference.
    if (this.#setting.lateMax > 1) next.subarray(late, width).sort()
    const { files, permutations } = this.#leadingTo(next[0] as number)
    let chosen = 0
    for (let at = 0; at < permutations.length; at++) {
      const number = permutations[at] as number
      const candidate = at === 0 ? this.#least : this.#other
      if (number === 0) candidate.set(next)
      else this.#renameInto(candidate, number, files)
      if (at === 0) chosen = number
      else if (isLess(candidate, this.#least)) {
        this.#least.set(candidate)
        chosen = number
      }
    }
    return chosen
  }

  #touched(): number {
    const { processes, lateMax, staleListings, slowReplies } = this.#setting
    let touched = NO_GENERATIONS
    for (let index = 0; index < processes; index++) {
      touched |= this.#local(index, this.#next).touched
      const cached = staleListings || slowReplies ? (this.#next[this.#layout.caches + index] as number) : 0
      if (cached > 0) touched |= touchedAfterListing(this.#files.answers.values[cached - 1], this.#base)
    }
    for (let slot = 0; slot < lateMax; slot++) {
      const late = this.#next[this.#layout.late + slot] as number
      if (late > 0) touched |= touchedBy(this.#operations.values[(late - 1) >> 3] as Operation, this.#base)
    }
    return touched
  }

  #leadingTo(files: number): { files: number; permutations: number[] } {
    let leading = this.#leading[files]
    if (leading === undefined) {
      const all = this.#permutations.map((permutation, number) =>
        number === 0 ? files : this.#files.rename(files, number, permutation),
      )
      const least = Math.min(...all)
      leading = { files: least, permutations: [...all.keys()].filter((number) => all[number] === least) }
      this.#leading[files] = leading
    }
    return leading
  }

  /** `#next` with its processes renamed. */
  #renameInto(target: Int32Array, number: number, files: number): void {
    const { given, claims, caches, clocks, late } = this.#layout
    const { processes, lateMax } = this.#setting
    const permutation = this.#permutations[number] as Permutation
    const next = this.#next
    target[0] = files
    target[given] = next[given] as number
    let renamedClocks = 0
    for (let index = 0; index < processes; index++) {
      const to = permutation[index] as number
      target[1 + to] = (this.#locals[index] as LocalTable).renamed(next[1 + index] as number, number, permutation, this.#locals)
      const claim = next[claims + index] as number
      let renamedClaim = claim & 127
      if (claim > 255)
        for (let other = 0; other < processes; other++)
          if ((claim & (256 << other)) !== 0) renamedClaim |= 256 << (permutation[other] as number)
      target[claims + to] = renamedClaim
      const cached = next[caches + index] as number
      target[caches + to] = cached === 0 ? 0 : 1 + this.#files.answers.renamed(cached - 1, number, permutation)
      renamedClocks |= jumpsMoved(next[clocks] as number, index, to)
    }
    // The server's clock is no process's.
    target[clocks] = this.#setting.serverTicksMax > 0 ? (next[clocks] as number) : renamedClocks
    for (let slot = 0; slot < lateMax; slot++) {
      const word = next[late + slot] as number
      if (word === 0) {
        target[late + slot] = 0
        continue
      }
      const operation = this.#operations.renamed((word - 1) >> 3, number, permutation)
      target[late + slot] = 1 + (permutation[(word - 1) & 7] as number) + 8 * operation
    }
    if (lateMax > 1) target.subarray(late, late + lateMax).sort()
  }

  #step(index: number, local: LocalState, operation: FileOperation, variant: number): void {
    const { lostReplies, timeOuts, lateMax, staleListings } = this.#setting
    this.#variant = variant
    if (operation.op === 'list' && staleListings && this.#state[this.#layout.caches + index] !== 0)
      this.#answer(index, Way.StaleListing, this.#state[0] as number, (this.#state[this.#layout.caches + index] as number) - 1)
    if (this.#setting.staleNames && isSessionRead(operation) && this.#state[this.#layout.caches + index] === 0)
      this.#answer(index, Way.StaleName, this.#state[0] as number, this.#files.answerId(failure('ENOENT')))
    if (this.#setting.staleDrafts) this.#stepByOldName(index, local, operation)
    const executed = this.#files.execute(this.#state[0] as number, local.operationId, this.#ticks(this.#state))
    if (operation.op === 'list' && this.#setting.fillers > 0) this.#listInPieces(index, executed.answer)
    else if (operation.op === 'list' && this.#setting.listsNameByName) this.#listNameByName(index, executed.answer)
    else this.#perform(index, local, executed.files, Way.Plain, executed.answer, executed.ok)
    const repeated = REPEATED[operation.op]
    if (lostReplies && repeated !== undefined && this.#decides(operation) && executed.ok)
      this.#perform(index, local, executed.files, Way.LostReply, this.#files.answerId(failure(repeated)), true)
    // Where time passes, what comes late is a heartbeat.
    if (this.#setting.ticksMax > 0 ? operation.op !== 'rewrite' : !DECIDING.has(operation.op)) return
    const timedOut = this.#files.answerId(failure('ETIMEDOUT'))
    if (timeOuts) {
      this.#answer(index, Way.NotDone, this.#state[0] as number, timedOut)
      if (executed.ok) this.#perform(index, local, executed.files, Way.DoneTimedOut, timedOut, true)
    }
    const slot = this.#freeSlot()
    if (lateMax === 0 || slot === -1) return
    this.#withLate(slot, index, local.operationId, () => {
      this.#answer(index, Way.Later, this.#state[0] as number, timedOut)
      this.#perform(index, local, executed.files, Way.Twice, executed.answer, executed.ok)
    })
  }

  #stepByOldName(index: number, local: LocalState, operation: FileOperation): void {
    const inLock = byOldName(operation)
    if (inLock === null || this.#state[this.#layout.caches + index] === 0) return
    const operationId = this.#operations.numberOf(inLock)
    const executed = this.#files.execute(this.#state[0] as number, operationId, this.#ticks(this.#state))
    this.#perform(index, local, executed.files, Way.OldName, executed.answer, executed.ok)
  }

  /** What is done beside a lock that comes and goes only leaves more behind if its reply is lost: without end. */
  #decides(operation: FileOperation): boolean {
    return DECIDING.has(operation.op) && (!this.#comesAndGoes || pathsOf(operation).some((path) => path.startsWith('/d/P')))
  }

  #freeSlot(): number {
    const { late, width } = this.#layout
    for (let slot = late; slot < width; slot++) if (this.#state[slot] === 0) return slot
    return -1
  }

  #withLate(slot: number, index: number, operationId: number, step: () => void): void {
    this.#state[slot] = 1 + index + 8 * operationId
    step()
    this.#state[slot] = 0
  }

  /** An operation that is executed and answered. */
  #perform(index: number, local: LocalState, files: number, way: Way, answer: number, isDone: boolean): void {
    const claimed = isDone ? local.claims : 0
    const isWrite = isDone && (local.operation?.op === 'rewrite' || local.operation?.op === 'create')
    this.#checkOthers(index, files, way)
    const cache = this.#layout.caches + index
    const cached = this.#state[cache] as number
    // Only a change that was answered as done makes the next listing fresh.
    const forgets =
      this.#setting.staleListings && isDone && way === Way.Plain && REPEATED[local.operation?.op ?? ''] !== undefined
    if (forgets) this.#state[cache] = 0
    if (this.#setting.staleNames && isDone && way === Way.Plain && isLookInDirectory(local.operation as Operation))
      this.#state[cache] = 1
    if (this.#setting.staleDrafts && isDone) this.#state[cache] = leadsOn(local.operation as FileOperation, way, cached)
    this.#answer(index, way, files, answer, claimed, isWrite)
    this.#state[cache] = cached
    if (this.#setting.slowReplies && way === Way.Plain) this.#replyLater(index, files, answer, claimed)
  }

  #replyLater(index: number, files: number, answer: number, claimed: number): void {
    this.#next.set(this.#state)
    this.#next[0] = files
    this.#next[this.#layout.caches + index] = answer + 1
    if (claimed > 0) this.#claim(index, claimed, this.#next)
    this.#action = encodeAction(Kind.Step, index, Way.Slow, this.#variant)
    this.#reach()
  }

  #answer(index: number, way: Way, files: number, answer: number, claimed = 0, isWrite = false): void {
    const table = this.#locals[index] as LocalTable
    this.#action = encodeAction(Kind.Step, index, way, this.#variant)
    const before = this.#next
    before.set(this.#state)
    before[0] = files
    if (isWrite && this.#setting.jumpsMax > 0)
      before[this.#layout.clocks] = afterWrite(before[this.#layout.clocks] as number, index)
    if (claimed > 0) this.#claim(index, claimed, before)
    const circumstances = this.#circumstances(index, before)
    const moves = table.move(this.#state[1 + index] as number, answer, this.#files.answers.values[answer], circumstances)
    const saved = moves.length > 1 ? before.slice() : before
    for (let at = 0; at < moves.length; at++) {
      const moved = moves[at] as number
      if (at > 0) before.set(saved)
      before[1 + index] = moved
      const local = table.states[moved] as LocalState
      if (this.#setting.stillMax > 0) this.#tell(index, this.#local(index, this.#state).operation, local, before)
      if (local.acquired > 0 && local.isBeginning) this.#acquire(index, local.acquired, before)
      else if (local.isIdle) this.#dropClaim(index, before)
      if (this.#setting.staleNames && local.isBeginning) before[this.#layout.caches + index] = 0
      if (local.isPrivate) this.#withPrivate(index, () => this.#reach())
      else this.#reach()
    }
  }

  /** Lets a process go on, in `#next`, through what no other process can notice. */
  #withPrivate(index: number, then: () => void): void {
    const next = this.#next
    const { isPrivate, operationId } = this.#local(index, next)
    if (!isPrivate) return then()
    const saved = next.slice()
    const executed = this.#files.execute(next[0] as number, operationId, this.#ticks(next))
    const answer = this.#files.answers.values[executed.answer]
    const table = this.#locals[index] as LocalTable
    for (const moved of table.move(next[1 + index] as number, executed.answer, answer, this.#circumstances(index, next))) {
      next.set(saved)
      next[0] = executed.files
      next[1 + index] = moved
      if ((table.states[moved] as LocalState).isIdle) this.#dropClaim(index, next)
      this.#withPrivate(index, then)
    }
    next.set(saved)
  }

  /** Bookkeeping of tokens: [0..5] the generation claimed, [6] a higher one was decided earlier, [8..] whose higher claims are open. */
  #claim(index: number, generation: number, state: Int32Array): void {
    const { claims, given } = this.#layout
    const token = placeOf(generation, this.#base)
    let claim = token
    if ((state[given] as number) >> (token + 1) !== 0) claim |= 64
    for (let other = 0; other < this.#setting.processes; other++)
      if (other !== index && ((state[claims + other] as number) & 63) > token) claim |= 256 << other
    state[claims + index] = claim
  }

  #dropClaim(index: number, state: Int32Array): void {
    const { claims } = this.#layout
    state[claims + index] = 0
    for (let other = 0; other < this.#setting.processes; other++)
      state[claims + other] = (state[claims + other] as number) & ~(256 << index)
  }

  #acquire(index: number, generation: number, state: Int32Array): void {
    const { claims, given } = this.#layout
    const token = placeOf(generation, this.#base)
    const claim = state[claims + index] as number
    this.#checkToken(index, generation, claim, state[given] as number)
    // A machine that stood still during its last look does not know what came after, until its next heartbeat.
    const isSuperseded = this.#isExcused(index, state) && (state[given] as number) >> (token + 1) !== 0
    if (isSuperseded) this.#supersede(index, state)
    for (let other = 0; other < this.#setting.processes; other++) {
      const watched = state[claims + other] as number
      if ((watched & (256 << index)) !== 0) state[claims + other] = watched | 64
      if (!this.#setting.arbitraryVerdicts && other !== index && !isSuperseded) this.#checkKnows(index, other, state)
    }
    this.#dropClaim(index, state)
    state[given] = (state[given] as number) | (1 << token)
  }

  #checkToken(index: number, token: number, claim: number, given: number): void {
    if ((given & setOf(token, this.#base)) !== 0) this.#violated('token twice', `${token}, the second time to process ${index}`)
    if ((claim & 64) !== 0) this.#violated('tokens out of order', `${token} of process ${index} was decided after a higher one`)
  }

  #checkKnows(index: number, other: number, state: Int32Array): void {
    const local = this.#local(other, state)
    const { jumps } = this.#circumstances(other, state)
    // It has called for the release already.
    if (this.#setting.slowReplies && state[this.#layout.caches + other] !== 0 && local.operation?.op === 'rename') return
    if (local.holds === 0 || (this.#locals[other] as LocalTable).remainingMs(local.checkpoint, jumps) <= 0) return
    if (this.#isBroken(local.holds, state)) return
    if (this.#isExcused(other, state)) this.#supersede(other, state)
    else this.#violated('holder did not know', `process ${index} acquired while process ${other} is sure of ${local.holds}`)
  }

  /** An administrator takes the lock from exactly this holder. */
  #isBroken(generation: number, state: Int32Array): boolean {
    const { administrator, processes } = this.#setting
    return administrator === 'break' && this.#local(processes - 1, state).checkpoint.target === BigInt(generation)
  }

  /** Its machine stood still, and it cannot know. */
  #isExcused(index: number, state: Int32Array): boolean {
    return this.#setting.stillMax > 0 && stoodStillUnnoticed(state[this.#layout.clocks] as number, index)
  }

  #supersede(index: number, state: Int32Array): void {
    state[this.#layout.clocks] = afterSuperseded(state[this.#layout.clocks] as number, index)
  }

  /** Has a process changed which one holds the lock, without taking it over? */
  #checkOthers(index: number, files: number, way: Way): void {
    const before = this.#files.trees[this.#state[0] as number] as Tree
    const after = this.#files.trees[files] as Tree
    if (after.top < before.top && this.#setting.forgetsFloor) throw new Shrunk()
    if (before.isUsable && !after.isUsable && !this.#comesAndGoes) {
      this.#action = encodeAction(Kind.Step, index, way, this.#variant)
      this.#violated('no progress', `process ${index} made the lock useless for all processes`)
    }
    // A process that is judged dead may lose the lock with its directory.
    if (this.#comesAndGoes && this.#setting.arbitraryVerdicts) return
    if (before === after || before.topIsFree || after.top > before.top || after.topOwner === before.topOwner) return
    for (let other = 0; other < this.#setting.processes; other++) {
      if (other !== index && this.#local(other, this.#state).holds === before.top) {
        this.#action = encodeAction(Kind.Step, index, way, this.#variant)
        this.#violated("another's lock removed", `process ${index} removed ${before.top}, which process ${other} holds`)
      }
    }
  }

  #violated(property: Violation['property'], message: string): never {
    this.#transitions++
    throw new Violation(property, message)
  }

  #executeLate(slot: number, variant: number): void {
    const at = this.#layout.late + slot
    const late = (this.#state[at] as number) - 1
    const index = late & 7
    const operationId = late >> 3
    const executed = this.#files.execute(this.#state[0] as number, operationId, this.#ticks(this.#state))
    this.#checkOthers(index, executed.files, Way.Plain)
    this.#next.set(this.#state)
    this.#next[0] = executed.files
    this.#next[at] = 0
    const claimed = executed.ok ? claimOf(this.#operations.values[operationId] as Operation) : 0
    // What was tried in an earlier attempt decides nothing any more.
    const trying = (this.#state[this.#layout.claims + index] as number) & 63
    const isTried = trying === 0 || (claimed > 0 && trying === placeOf(claimed, this.#base))
    if (claimed > 0 && isTried && !this.#local(index, this.#state).isIdle) this.#claim(index, claimed, this.#next)
    this.#action = encodeAction(Kind.Late, 0, 0, variant, slot)
    this.#reach()
  }

  #jump(index: number): void {
    const clocks = this.#state[this.#layout.clocks] as number
    if (jumpsOf(clocks, index) >= this.#setting.jumpsMax) return
    this.#setClocks(afterJump(clocks, index), encodeAction(Kind.Jump, index))
  }

  /** Another process on the same node lists the directory: it is in the node's cache now. */
  #fill(index: number): void {
    const at = this.#layout.caches + index
    if (this.#state[at] !== 0) return
    const operation: Operation = { op: 'list', path: '/d/P' }
    const operationId = this.#operations.numberOf(operation)
    this.#next.set(this.#state)
    this.#next[at] = this.#files.execute(this.#state[0] as number, operationId, this.#ticks(this.#state)).answer + 1
    this.#action = encodeAction(Kind.Fill, index)
    this.#reach()
  }

  /** The first piece holds the names after a pivot, the second one, later, those before it: `12.free` is read before `12`. */
  #listInPieces(index: number, answer: number): void {
    const reply = this.#files.answers.values[answer]
    const at = this.#layout.caches + index
    const names = reply?.ok ? (reply.value as string[]) : []
    const begun = this.#state[at] as number
    if (begun === 0 && names.length > ATOMIC_ENTRIES_MAX) {
      for (const pivot of names.filter((name) => !name.startsWith('filler'))) {
        this.#next.set(this.#state)
        this.#next[at] = this.#pieceNumber(names, pivot)
        this.#action = encodeAction(Kind.Step, index, Way.EarlyPiece)
        this.#reach()
      }
    }
    const { early, pivot } =
      begun === 0 ? { early: [], pivot: '\uffff' } : (this.#pieces[begun - 1] as { early: string[]; pivot: string })
    const value = withoutLower([...early, ...names.filter((name) => name <= pivot)])
    this.#state[at] = 0
    this.#answer(index, Way.LatePiece, this.#state[0] as number, reply?.ok ? this.#files.answerId({ ok: true, value }) : answer)
    this.#state[at] = begun
  }

  /** The names are read first; those of them that are still there make the listing. */
  #listNameByName(index: number, answer: number): void {
    const at = this.#layout.caches + index
    const begun = this.#state[at] as number
    const reply = this.#files.answers.values[answer]
    if (begun === 0 && reply?.ok) {
      this.#next.set(this.#state)
      this.#next[at] = answer + 1
      this.#action = encodeAction(Kind.Step, index, Way.NamesRead)
      return this.#reach()
    }
    const read = begun === 0 ? undefined : this.#files.answers.values[begun - 1]
    const names =
      read?.ok && reply?.ok ? (read.value as string[]).filter((name) => (reply.value as string[]).includes(name)) : null
    this.#state[at] = 0
    this.#answer(
      index,
      Way.Plain,
      this.#state[0] as number,
      names === null ? answer : this.#files.answerId({ ok: true, value: names }),
    )
    this.#state[at] = begun
  }

  readonly #pieces: { early: string[]; pivot: string }[] = []
  readonly #pieceNumbers = new Map<string, number>()
  #pieceNumber(names: string[], pivot: string): number {
    const early = names.filter((name) => name > pivot)
    const key = `${pivot}|${early.join()}`
    let number = this.#pieceNumbers.get(key)
    if (number === undefined) {
      this.#pieces.push({ early, pivot })
      number = this.#pieces.length
      this.#pieceNumbers.set(key, number)
    }
    return number
  }

  /** All are done: no process holds anything without knowing it. */
  #checkEnd(): void {
    const tree = this.#files.trees[this.#state[0] as number] as Tree
    if (tree.top === 0) return
    if (tree.topIsFree || tree.topOwner.includes('"state":"ended"')) return
    for (let index = 0; index < this.#setting.processes; index++) {
      const { memory, session } = this.#local(index, this.#state).checkpoint
      if (session !== null && memory.unsettled === null && tree.topOwner.includes(session.record.id))
        this.#violated('held without a holder', `${tree.top} is held by process ${index}, which does not know it`)
    }
  }

  /** Told in the names that the processes had in the beginning. */
  #trace(): string[] {
    const steps = [...this.#store.way(this.#parent), { state: this.#parent, action: this.#action }]
    let names: Permutation = this.#permutations[0] as Permutation
    return steps.map(({ state, action }) => {
      this.#store.read(state, this.#state)
      const line = this.#describe(action, names)
      const renaming = this.#permutations[decodeAction(action).renaming] as Permutation
      const before = names
      names = names.map((_, name) => before[renaming.indexOf(name)] as number)
      return line
    })
  }

  #describe(action: number, names: Permutation): string {
    const { kind, index, way, variant, operand } = decodeAction(action)
    const name = `process ${names[index]}`
    const tell = (operation: Operation) => describeOperation(renameValue(operation, names))
    const files = this.#state[0] as number
    const cleaned = variant === 0 ? '' : ', which another process has cleaned up'
    switch (kind) {
      case Kind.Vanish:
        return `another    cleans up ${(this.#files.trees[files] as Tree).lower[operand]}`
      case Kind.Late: {
        const late = (this.#state[this.#layout.late + operand] as number) - 1
        return `process ${names[late & 7]} ${tell(this.#operations.values[late >> 3] as Operation)} (executed late${cleaned})`
      }
      case Kind.Tick:
        return `time       passes: ${TICK_MS} ms`
      case Kind.StandStill:
        return `${name} stands still with its machine: ${TICK_MS} ms`
      case Kind.Jump:
        return `${name} stalls for longer than its timeout-interval`
      case Kind.Fill:
        return `node of ${name} caches the listing of P`
      default: {
        const local = this.#local(index, this.#state)
        if (local.operation === null) return `${name} is done`
        const operation = way === Way.OldName ? (byOldName(local.operation) as Operation) : local.operation
        const operationId = this.#operations.numberOf(operation)
        const tree = this.#files.variants(files, operationId)[variant] ?? files
        const executed: Executed = this.#files.execute(tree, operationId, this.#ticks(this.#state))
        const reply = renameValue(this.#files.answers.values[executed.answer], names)
        return `${name} ${tell(operation)}${cleaned} = ${describeReply(reply)} ${WAYS[way]}`
      }
    }
  }
}

const SESSION_FILE = '/d/.mountlock-41c29-'
/** What leaves a sign of life. */
const isHeartbeat = (operation: Operation | null) =>
  operation !== null && (operation.op === 'rewrite' || (operation.op === 'create' && operation.path.startsWith(SESSION_FILE)))
const isSessionRead = (operation: Operation) => operation.op === 'read' && operation.path.startsWith(SESSION_FILE)
const isLookInDirectory = (operation: Operation) => operation.op === 'create' && operation.path.startsWith('/d/.look-')

/** The operation that a change in a draft is if the draft has become the lock. */
function byOldName(operation: Operation): Operation | null {
  if (operation.op !== 'unlink') return null
  const inDraft = /^\/d\/\.mountlock-new-[0-9a-f]+\/(.+)$/.exec(operation.path)
  return inDraft === null ? null : { op: 'unlink', path: `/d/P/${inDraft[1]}` }
}

/** Whether the name of a draft leads to the lock after an operation that was done. */
function leadsOn(operation: FileOperation, way: Way, before: number): number {
  if (operation.op === 'rename' && operation.to === '/d/P') return way === Way.LostReply ? 1 : 0
  const path = 'from' in operation ? operation.from : 'path' in operation ? operation.path : ''
  const isChange = REPEATED[operation.op] !== undefined && path.lastIndexOf('/') === '/d'.length
  return isChange && way === Way.Plain ? 0 : before
}

/** May these processes change places? */
function isLikeBefore(permutation: Permutation, setting: Setting): boolean {
  const { administrator, fillers, intruder, processes, staleDrafts, staleNames, ticksMax } = setting
  // Pieces of listings have numbers that cannot be renamed, and clocks of different paces are not interchangeable.
  const areAlike = fillers === 0 && ticksMax === 0 && !staleNames && !staleDrafts && intruder === null
  const isSame = permutation.every((to, from) => to === from)
  return isSame || (areAlike && (administrator === null || permutation[processes - 1] === processes - 1))
}

const isLess = (one: Int32Array, other: Int32Array): boolean => {
  for (let word = 0; word < one.length; word++)
    if (one[word] !== other[word]) return (one[word] as number) < (other[word] as number)
  return false
}

/** Tokens that may be claimed once more, and the highest one, which shows that a lower one comes too late. */
function relevantTokens(given: number, touched: number): number {
  if (given === 0) return 0
  return (given & touched) | (1 << (31 - Math.clz32(given)))
}
