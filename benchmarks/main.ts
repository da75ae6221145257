/** `npm run bench`: asks the questions, prints the table, writes the files. */

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileFloor, endAllAgents } from './agents.js'
import { type Bench, emptyDirectories, type Place, type Question, removeAll } from './bench.js'
import { describeMachine, fileSystemType, load } from './machine.js'
import { HELP, type Options, readOptions, UsageError } from './options.js'
import { publish } from './publish.js'
import { QUESTIONS } from './questions/all.js'
import { type Answered, type Report, toHtml, toJson, toTable } from './report.js'
import { type Answer, emptyAnswer, missingRow } from './result.js'

const EXIT = { usage: 64, internal: 70 }
const SHARED_MEMORY = '/dev/shm'

const created: string[] = []

try {
  const options = readOptions(process.argv.slice(2))
  if (options.help) console.log(HELP)
  else await run(options)
} catch (error) {
  const isUsage = error instanceof UsageError
  console.error(isUsage ? `bench: ${error.message}\nbench: --help shows how it is used.` : error)
  process.exitCode = isUsage ? EXIT.usage : EXIT.internal
} finally {
  cleanUp()
}

async function run(options: Options): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupted(signal))
  const startedMs = performance.now()
  const loadBefore = load()
  const places = choosePlaces(options)
  const [first] = places
  let title = ''
  const bench: Bench = {
    places,
    peers: options.peers,
    quick: options.quick,
    floorProgram: compileFloor(makeDirectory(tmpdir())),
    progress: (text) => showProgress(`${title}: ${text}`),
  }
  const answered: Answered[] = []
  const questions = QUESTIONS.filter(({ id }) => options.only === null || options.only.has(id))
  for (const [index, question] of questions.entries()) {
    title = `[${index + 1}/${questions.length}] ${question.title}`
    bench.progress(question.about)
    const beforeMs = performance.now()
    const answer = await question.ask(bench).catch((error) => failedAnswer(question, error))
    const seconds = Math.round((performance.now() - beforeMs) / 1000)
    answered.push({ id: question.id, title: question.title, about: question.about, seconds, ...answer })
    emptyDirectories(bench)
  }
  showProgress('')
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  const report: Report = {
    machine: describeMachine(loadBefore),
    quick: options.quick,
    seconds,
    fileSystem: first.name,
    questions: answered,
  }
  console.log(toTable(report))
  if (options.json !== null) writeFileSync(options.json, toJson(report))
  if (options.publish !== null) publish(report, options.publish)
  if (options.html !== null) writeFileSync(options.html, toHtml(report))
}

/** One question that broke does not take the answers of the others with it. */
function failedAnswer({ title }: Question, error: unknown): Answer {
  process.exitCode = EXIT.internal
  return { ...emptyAnswer(), rows: [missingRow({ question: title, subject: 'all', place: '' }, '', (error as Error).message)] }
}

function choosePlaces({ directory, quick }: Options): [Place, ...Place[]] {
  const place = (parent: string): Place => ({ name: fileSystemType(parent), directory: makeDirectory(parent) })
  const first = place(directory ?? tmpdir())
  const alsoMemory = directory === null && !quick && first.name !== 'tmpfs' && fileSystemType(SHARED_MEMORY) === 'tmpfs'
  return alsoMemory ? [first, place(SHARED_MEMORY)] : [first]
}

function makeDirectory(parent: string): string {
  const path = mkdtempSync(join(parent, 'mountlock-bench-'))
  created.push(path)
  return path
}

function cleanUp(): void {
  endAllAgents()
  removeAll(created)
}

function interrupted(signal: NodeJS.Signals): void {
  cleanUp()
  process.kill(process.pid, signal)
}

function showProgress(text: string): void {
  if (!process.stderr.isTTY) return
  const width = process.stderr.columns || 80
  process.stderr.write(`\r\x1b[2K${text.slice(0, width - 1)}`)
}
