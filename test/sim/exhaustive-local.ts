/**
 * What one process can do, as a table: a local state and an answer lead to other local states. The protocol's code runs
 * once for each entry, however many million global states contain it.
 */

import type { Clock, Operation } from '../../src/protocol/operations.js'
import { type GenerationSet, NO_GENERATIONS, touchable, touchedAfter } from './exhaustive-generations.js'
import {
  type Checkpoint,
  claimOf,
  clockAt,
  type ExhaustiveProgram,
  JUMP_MS,
  lookId,
  NO_NAMES,
  type NameSet,
  namesUsedIn,
  type ProgramStep,
  sessionId,
} from './exhaustive-program.js'
import { type Permutation, renameValue, toKey } from './exhaustive-renaming.js'

export interface LocalState {
  id: number
  checkpoint: Checkpoint
  answers: unknown[]
  /** What it waits for; `null`: it is done. */
  operation: Operation | null
  operationId: number
  /** The generation that the operation claims, 0: none. */
  claims: number
  /** It has just begun to hold this generation. */
  acquired: number
  /** Nothing has been answered since it got where it is. */
  isBeginning: boolean
  /** It holds this generation and has not begun to give it back; 0: none. */
  holds: number
  /** It has no claim under way whose outcome it does not know yet. */
  isIdle: boolean
  /** No other process can notice its operation or change its answer. */
  isPrivate: boolean
  /** Random names that it knows. */
  namesUsed: NameSet
  /** The generations that it may touch before it looks again. */
  touched: GenerationSet
  /** Where answers lead to, by answer and circumstances. */
  moves: Map<number, number[]>
  /** The same states of other processes, by permutation. */
  renamed: number[]
}

/** Everything in a state from which the rest follows. */
type Essence = Pick<LocalState, 'checkpoint' | 'answers' | 'operation' | 'touched' | 'acquired'>

/** What the local questions are answered. */
export interface Circumstances {
  /** How often its clock has jumped, or ticked. */
  jumps: number
  /** Sessions (by the process id of their owners) that may be judged dead; the other bits say that they may be judged alive. */
  convictable: number
  mayGiveUp: boolean
  /** The number of the next random name. */
  freshName: number
}

/** Values by number: equal ones have one number. */
export class Numbered<T> {
  readonly values: T[] = []
  readonly #numbers = new Map<string, number>()
  readonly #renamed = new Map<number, number>()

  numberOf(value: T): number {
    const key = toKey(value)
    let number = this.#numbers.get(key)
    if (number === undefined) {
      number = this.values.length
      this.#numbers.set(key, number)
      this.values.push(value)
    }
    return number
  }

  /** The number of the same value after processes were renamed; `which` permutation it is makes it cheap the next time. */
  renamed(number: number, which: number, permutation: Permutation): number {
    const key = number * 32 + which
    let renamed = this.#renamed.get(key)
    if (renamed === undefined) {
      renamed = this.numberOf(renameValue(this.values[number] as T, permutation))
      this.#renamed.set(key, renamed)
    }
    return renamed
  }
}

const isReply = (answer: unknown) => typeof answer === 'object' && answer !== null && 'ok' in answer

export class LocalTable {
  readonly states: LocalState[] = []
  readonly #index: number
  readonly #program: ExhaustiveProgram
  readonly #operations: Numbered<Operation>
  readonly #base: number
  readonly #byKey = new Map<string, number>()

  constructor(index: number, program: ExhaustiveProgram, operations: Numbered<Operation>, base: number) {
    this.#index = index
    this.#program = program
    this.#operations = operations
    this.#base = base
  }

  begin(acquisitions: number, circumstances: Circumstances): number[] {
    return this.#settle(this.#program.begin(acquisitions), [], circumstances, 0)
  }

  /** Where an answer leads to; several states where questions or choices are open. */
  move(from: number, answerId: number, answer: unknown, circumstances: Circumstances): number[] {
    const { checkpoint, answers, moves, touched, operation } = this.states[from] as LocalState
    const { jumps, convictable, mayGiveUp, freshName } = circumstances
    const key = answerId * 8192 + (freshName << 10) + ((convictable & 63) << 4) + (jumps << 1) + (mayGiveUp ? 1 : 0)
    let moved = moves.get(key)
    if (moved === undefined) {
      moved = this.#settle(checkpoint, [...answers, answer], circumstances, 0)
      const expected = touched | touchedAfter(operation, answer, this.#base)
      for (const to of moved)
        if (((this.states[to] as LocalState).touched & ~expected) !== 0)
          throw new Error(`Expected a process to touch what it has seen, got one that goes on to ${toKey(this.states[to])}`)
      moves.set(key, moved)
    }
    return moved
  }

  /** The same state, of the process that has that permutation's name. */
  renamed(from: number, number: number, permutation: Permutation, tables: readonly LocalTable[]): number {
    const state = this.states[from] as LocalState
    let other = state.renamed[number]
    if (other === undefined) {
      const { checkpoint, answers, operation, touched, acquired } = state
      const essence = renameValue({ checkpoint, answers, operation, touched, acquired }, permutation)
      other = (tables[permutation[this.#index] as number] as LocalTable).#state(essence)
      state.renamed[number] = other
    }
    return other
  }

  /** Runs on to the next file operation, through all that is answered on the spot; `acquired` with the last answer. */
  #settle(checkpoint: Checkpoint, answers: unknown[], circumstances: Circumstances, acquired: number): number[] {
    const segment = this.#program.segment(this.#index, checkpoint)
    let step = segment.next()
    let touched = NO_GENERATIONS
    for (const answer of answers) {
      if (!step.done && isReply(answer)) touched |= touchedAfter(step.value as Operation, answer, this.#base)
      step = segment.next(structuredClone(answer))
    }
    if (step.done) {
      const next = step.value
      // Given up on before anything was asked: nothing has happened.
      const isOnTheSpot = !answers.some(isReply)
      if (isOnTheSpot && toKey(next) === toKey(checkpoint)) return []
      if (this.#program.forgetsFloor) next.memory.floor = -1n
      if (next.phase === 'done') next.memory.known = null
      const isNew = next.held !== null && checkpoint.held === null
      const acquiredNow = isNew ? Number(next.held?.generation) : isOnTheSpot ? acquired : 0
      if (next.phase === 'done')
        return [this.#state({ checkpoint: next, answers: [], operation: null, touched: NO_GENERATIONS, acquired: acquiredNow })]
      return this.#settle(next, [], circumstances, acquiredNow)
    }
    const asked = step.value
    const choices = this.#choices(asked, checkpoint, circumstances)
    if (choices === null) {
      const operation = asked as Operation
      return [
        this.#state({
          checkpoint,
          answers,
          operation,
          touched: touched | touchable(checkpoint, operation, this.#base),
          acquired,
        }),
      ]
    }
    const states = choices.map((choice) => this.#settle(checkpoint, [...answers, choice], circumstances, acquired))
    return [...new Set(states.flat())]
  }

  #clock(jumps: number): Clock {
    return this.#program.hasTicks ? clockAt(this.#index, jumps) : { ownMs: jumps * JUMP_MS, wallMs: 0 }
  }

  /** How long it is sure of its locks. */
  remainingMs(checkpoint: Checkpoint, jumps: number): number {
    return this.#program.leaseAt(checkpoint, this.#clock(jumps).ownMs)
  }

  #choices(
    step: ProgramStep,
    checkpoint: Checkpoint,
    { jumps, convictable, mayGiveUp, freshName }: Circumstances,
  ): unknown[] | null {
    switch (step.op) {
      case 'choose':
        return [...Array(step.ways).keys()]
      case 'clock':
        return [this.#clock(jumps)]
      case 'name':
        return [checkpoint.session === null ? sessionId(this.#index, checkpoint.sessionsMade) : lookId(this.#index, freshName)]
      case 'process':
        return ((convictable >> step.pid) & 1) === 1 ? ['alive', 'gone'] : ['alive']
      case 'lease':
        return [step.sessionId === checkpoint.session?.record.id ? this.remainingMs(checkpoint, jumps) : 0]
      case 'wanted':
        return mayGiveUp ? [true, false] : [true]
      default:
        return null
    }
  }

  #state({ checkpoint, answers, operation, touched, acquired }: Essence): number {
    const key = toKey([checkpoint, answers, acquired])
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const id = this.states.length
    this.#byKey.set(key, id)
    const generation = checkpoint.held === null ? 0 : Number(checkpoint.held.generation)
    const operationId = operation === null ? -1 : this.#operations.numberOf(operation)
    // It holds until its release has been answered; a heartbeat (the other way to go on) changes nothing.
    const isReleasing = answers[0] !== 1 && answers.some(isReply)
    this.states.push({
      id,
      checkpoint,
      answers,
      operation,
      operationId,
      claims: operation === null ? 0 : claimOf(operation),
      acquired,
      isBeginning: !answers.some(isReply),
      holds: checkpoint.phase === 'held' && !isReleasing ? generation : 0,
      isIdle: answers.length === 0 || checkpoint.phase !== 'idle',
      isPrivate: operation !== null && this.#program.isPrivate(operation),
      touched,
      namesUsed: this.#program.comesAndGoes ? namesUsedIn(key + toKey(operation)) : NO_NAMES,
      moves: new Map(),
      renamed: [],
    })
    return id
  }
}
