/**
 * The example. Goal: of many launchers on two nodes exactly one starts the session, a crashed one is replaced, and one that
 * was thought dead does no harm. Method: the example itself, run many times in two process namespaces.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { temporaryFolder } from './support/folder.js'
import { childrenOf, otherNode, type Space } from './support/space.js'

const EXAMPLE = fileURLToPath(new URL('../../examples/session-launch.ts', import.meta.url))
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
const TIMEOUT_INTERVAL_MS = 3000
/** To be imported by a launcher: it stands still as soon as it has said that it started, before its next step. */
const STANDS_STILL_ONCE_STARTED = `data:text/javascript,${encodeURIComponent(`
  const say = console.log
  console.log = (words) => {
    say(words)
    if (/^started: /.test(words)) process.kill(process.pid, 'SIGSTOP')
  }
`)}`

class Launcher {
  output = ''
  readonly ended: Promise<number | null>
  readonly #child: ChildProcessByStdio<null, Readable, Readable>

  constructor(node: Space, directory: string, args: string[] = [], imports: string[] = []) {
    const options = [TSX, ...imports].flatMap((module) => ['--import', module])
    const [command = '', ...rest] = [...node.entrance, process.execPath, ...options, EXAMPLE, directory, 'ann', ...args]
    const env = { ...process.env, FILE_LOCKS: join(directory, 'file-locks') }
    this.#child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'], env })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
      })
    }
    this.ended = once(this.#child, 'close').then(([code]) => code)
    onTestFinished(async () => {
      if (this.isRunning) await this.kill('SIGKILL')
      await this.ended
    })
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  get token(): bigint {
    return BigInt(/token (\d+)/.exec(this.output)?.[1] ?? -1)
  }

  get hasStarted(): boolean {
    return this.output.startsWith('started: ')
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const [inner] = await childrenOf(this.#child.pid as number)
    if (inner !== undefined) process.kill(inner, signal)
    // What entered the node for it stops itself when it stops, is not woken with it, and would not see that it has ended.
    if (signal === 'SIGCONT' || signal === 'SIGKILL') this.#child.kill('SIGCONT')
  }

  async says(text: RegExp): Promise<void> {
    await vi.waitFor(() => expect(this.output).toMatch(text), { timeout: 30_000, interval: 20 })
  }
}

async function share(): Promise<string> {
  const directory = await temporaryFolder()
  await writeFile(join(directory, 'file-locks'), `refresh-rate=1\ntimeout-interval=${TIMEOUT_INTERVAL_MS / 1000}\n`)
  return directory
}

/** Some launchers on each node, started at the same moment. */
function launchEverywhere(nodes: Space[], directory: string, ...args: string[]): Launcher[] {
  return [0, 1, 2, 3, 4, 5].map((i) => new Launcher(nodes[i % nodes.length] as Space, directory, args))
}

const theOneThatStarted = (launchers: Launcher[]) =>
  vi.waitFor(() => launchers.find(({ hasStarted }) => hasStarted) ?? expect.unreachable('no launcher has started it'), {
    timeout: 30_000,
    interval: 20,
  })

const stateOf = async (directory: string) => JSON.parse(await readFile(join(directory, 'ann.session.json'), 'utf8'))

test('of many launchers on two nodes exactly one starts the session, and the others say that it runs already', async () => {
  const directory = await share()
  const launchers = launchEverywhere(await Promise.all([otherNode(), otherNode()]), directory)
  const winner = await theOneThatStarted(launchers)
  for (const launcher of launchers.filter((other) => other !== winner)) {
    expect(await launcher.ended).toBe(0)
    expect(launcher.output).toMatch(/^(already running: ann on .*|the session of ann is just starting)\n$/)
  }
  expect(winner.isRunning).toBe(true)
  expect(await stateOf(directory)).toMatchObject({ token: String(winner.token) })

  await winner.kill('SIGTERM')
  expect(await winner.ended).toBe(0)
  expect(winner.output).toMatch(/\nended: .*: SIGTERM\n$/)
})

test('a session whose launcher crashes is started again by exactly one of those on standby, with a higher token', async () => {
  const directory = await share()
  const nodes = await Promise.all([otherNode(), otherNode()])
  const launchers = launchEverywhere(nodes, directory, '--standby')
  let tokens = [0n]
  for (let left = launchers; left.length > 3;) {
    const winner = await theOneThatStarted(left)
    expect(left.filter(({ hasStarted }) => hasStarted)).toEqual([winner])
    expect(await stateOf(directory)).toMatchObject({ token: String(winner.token) })
    expect(winner.token).toBeGreaterThan(tokens.at(-1) as bigint)
    tokens = [...tokens, winner.token]
    await winner.kill('SIGKILL')
    await winner.ended
    left = left.filter((other) => other !== winner)
  }
})

test('a launcher that stood still until it was replaced ends its session, and leaves the state of its successor alone', async () => {
  const directory = await share()
  const [here, there] = await Promise.all([otherNode(), otherNode()])
  const first = new Launcher(here, directory)
  await first.says(/^started: /)
  await first.kill('SIGSTOP')
  await endsOnceReplaced(first, there, directory)
})

test('a launcher that stood still right after it said that it started finds its lock lost, and ends its session', async () => {
  const directory = await share()
  const [here, there] = await Promise.all([otherNode(), otherNode()])
  const first = new Launcher(here, directory, [], [STANDS_STILL_ONCE_STARTED])
  await first.says(/^started: /)
  await endsOnceReplaced(first, there, directory)
})

async function endsOnceReplaced(first: Launcher, there: Space, directory: string): Promise<void> {
  const second = new Launcher(there, directory, ['--standby'])
  await second.says(/^started: /)
  expect(second.token).toBeGreaterThan(first.token)
  await first.kill('SIGCONT')
  await first.says(/\nended: .*may have been lost/)
  expect(await first.ended).not.toBe(0)
  expect(await stateOf(directory)).toMatchObject({ token: String(second.token) })
  expect(second.isRunning).toBe(true)
}

test('a launcher that finds a higher token in the state file than its own starts nothing', async () => {
  const directory = await share()
  const state = JSON.stringify({ token: String(10n ** 19n), host: 'elsewhere', pid: 1 })
  await writeFile(join(directory, 'ann.session.json'), state)
  const launcher = new Launcher(await otherNode(), directory)
  expect(await launcher.ended).toBe(1)
  expect(launcher.output).toMatch(/The session was started again meanwhile/)
  expect(launcher.output).not.toMatch(/started: /)
  expect(await readFile(join(directory, 'ann.session.json'), 'utf8')).toBe(state)
})
