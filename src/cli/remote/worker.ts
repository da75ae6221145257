/** What the agent and the processes that it starts have in common: they answer questions until their input ends. */

import type { ChildProcess } from 'node:child_process'
import { endsWithin } from '../shared/bounded.js'
import { endProcess } from '../shared/interrupt.js'
import { cleanUpAtLast } from '../shared/unexpected.js'
import { type Answers, serve } from './lines.js'
import { count, fields, orNull, type Shape, text, truth } from './shapes.js'

export const CLEAN_UP_LIMIT_MS = 4000

/** What a worker does. */
export type Role = 'holder' | 'hammer'

/** Something that a worker has said of its own accord, or that it has ended. */
export interface WorkerWord {
  worker: number
  said?: unknown
  ended?: { code: number | null; signal: NodeJS.Signals | null; wasKilled: boolean }
}

const ending = fields<NonNullable<WorkerWord['ended']>>({
  code: orNull(count),
  signal: orNull(text as Shape<NodeJS.Signals>),
  wasKilled: truth,
})

/** What an agent has told of a worker; `null` for what no agent tells. */
export function workerWordOf(raw: Record<string, unknown>): WorkerWord | null {
  try {
    const worker = count(raw.worker)
    return raw.ended === undefined ? { worker, said: raw.said } : { worker, ended: ending(raw.ended) }
  } catch {
    return null
  }
}

/** What answers questions until the asking side asks no more. */
export interface Answering {
  readonly answers: Answers
  close(): Promise<void>
}

/** Serves, and ends the process. */
export async function runWorker(worker: Answering): Promise<void> {
  cleanUpAtLast(() => worker.close())
  const asked = serve(worker.answers, process.stdin, process.stdout)
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) process.on(signal, () => resolve())
  })
  await Promise.race([asked, ended])
  const isClean = await endsWithin(CLEAN_UP_LIMIT_MS, worker.close())
  await endProcess(0, !isClean)
}

export function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null
}
