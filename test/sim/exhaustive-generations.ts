/** Small sets of generations, as bits: those that a process may still touch. What is lower than the highest and in no set is as good as removed. */

import type { Operation } from '../../src/protocol/operations.js'
import { type Checkpoint, claimOf } from './exhaustive-program.js'

export type GenerationSet = number

export const NO_GENERATIONS: GenerationSet = 0

/** A lock that is made again is numbered by the server's clock, in milliseconds × 1000: so many generations of each have a place. */
const REMADE = 1000
const PLACES_PER_LOCK = 8

/** A small number for each generation, in the same order. */
export function placeOf(generation: number, base: number): number {
  const remade = Math.floor(generation / REMADE)
  const place = remade === 0 ? generation - base : remade * PLACES_PER_LOCK + (generation % REMADE)
  if (place < 0 || place > 29) throw new RangeError(`Expected a generation among the first after ${base}, got ${generation}`)
  return place
}

export const setOf = (generation: number, base: number): GenerationSet => 1 << placeOf(generation, base)

/** The generation of an entry of the lock, 0: it is none. */
export function generationOfPath(path: string): number {
  return Number(/^\/d\/P\/(\d+)(?:\.|$)/.exec(path)?.[1] ?? 0)
}

const generationOfName = (name: string) => generationOfPath(`/d/P/${name}`)

/** A process that has seen a generation may touch it, and the next one. */
const seen = (generation: number, base: number) => setOf(generation, base) | setOf(generation + 1, base)

/** What an answer leads to: a listing shows a generation, and a claim that counts is the highest one. */
export function touchedAfter(operation: Operation | null, answer: unknown, base: number): GenerationSet {
  const claimed = operation === null ? 0 : claimOf(operation)
  return (claimed === 0 ? NO_GENERATIONS : seen(claimed, base)) | touchedAfterListing(answer, base)
}

export function touchedAfterListing(answer: unknown, base: number): GenerationSet {
  if (typeof answer !== 'object' || answer === null || !('value' in answer) || !Array.isArray(answer.value)) return NO_GENERATIONS
  let touched = NO_GENERATIONS
  for (const name of answer.value as string[]) {
    const generation = generationOfName(name)
    if (generation > 0 || name === '0.free') touched |= seen(generation, base)
  }
  return touched
}

export function touchedBy(operation: Operation, base: number): GenerationSet {
  const paths = 'from' in operation ? [operation.from, operation.to] : 'path' in operation ? [operation.path] : []
  let touched = NO_GENERATIONS
  for (const path of paths) if (generationOfPath(path) > 0) touched |= setOf(generationOfPath(path), base)
  return touched
}

/** All that a process may touch before it looks again, by what it remembers and is about to do. */
export function touchable({ memory, held, seenFree }: Checkpoint, operation: Operation, base: number): GenerationSet {
  let touched = touchedBy(operation, base)
  if (memory.known !== null) touched |= seen(Number(memory.known), base)
  if (seenFree !== null) touched |= seen(Number(seenFree), base)
  if (memory.unsettled !== null) touched |= setOf(Number(memory.unsettled.generation), base)
  // Once released it is known, and the next one is tried without a look.
  if (held !== null) touched |= seen(Number(held.generation), base)
  return touched
}
