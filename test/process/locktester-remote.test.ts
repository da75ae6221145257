/**
 * What another machine says is not believed: `--ssh-command` starts programs here that say what no agent says. Each trial ends
 * with 69 and a sentence, in bounded time and memory, and nothing that they say does anything to a terminal.
 */

import { existsSync } from 'node:fs'
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Node } from '../../src/cli/remote/node.js'
import { Bench, childrenOf, PACKAGE } from './fixtures/locktester-driver.mjs'

let bench: Bench
let directory: string
beforeEach(async () => {
  bench = new Bench()
  directory = await bench.directory()
})
afterEach(() => bench.close())

/** What would do something to a terminal, but for the colours that are ours. */
const UNSAFE = /[\p{Cc}\p{Cf}]/u
const STACK = /^ {4}at |TypeError|RangeError|Unhandled/m

/** A program in place of ssh. `answers`: JavaScript, by question; all else is answered as an agent does that has workers. */
async function pretender(answers: string, before = ''): Promise<string> {
  const file = join(await bench.directory(), 'ssh')
  const program = `#!${process.execPath}
const tell = (message) => process.stdout.write(JSON.stringify({ locktester: 1, ...message }) + '\\n')
const held = { outcome: 'acquired', token: '1' }
const answers = {
  hello: () => ({ host: 'h', bootId: null, container: null, uid: 0, user: 'u', pid: 7, nodeVersion: '20.0.0' }),
  clock: () => 1, start: () => ({ worker: 1, pid: 8 }), sees: () => 1,
  enter: () => ({ directory: '/d', mount: null, isThere: true }),
  ask: ({ op }) => (({ try: held, acquire: held, held: { held: true, lost: null }, release: { lost: null } })[op] ?? null),
  ...${answers}
}
${before}
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, op, args } = JSON.parse(line)
  try {
    const value = (answers[op] ?? (() => null))(args)
    if (value !== undefined) tell({ id, value })
  } catch (error) { tell({ id, error: error.told }) }
}).on('close', () => process.exit())
process.stdout.on('error', () => process.exit())`
  await writeFile(file, program)
  await chmod(file, 0o755)
  return file
}

async function ended(ssh: string, command: readonly string[]) {
  const only = bench.locktester([...command, '--ssh-command', ssh])
  const status = await only.end
  expect(only.stderr, only.stderr).not.toMatch(STACK)
  expect(only.stdout.replaceAll('\n', '')).not.toMatch(UNSAFE)
  expect(only.stderr.replaceAll('\n', '')).not.toMatch(UNSAFE)
  return { status, stderr: only.stderr, stdout: only.stdout }
}

const nodes = () => ['nodes', '--kinds', 'flock', 'h1', 'h2', directory]
const stress = () => ['stress', directory, '--nodes', 'h1', '--procs', '1', '--duration', '1']

describe('an answer that no agent gives', () => {
  test.each([
    ['null for what it is', 'hello: () => null'],
    [
      'a name that is a list',
      "hello: () => ({ host: ['h'], pid: 7, uid: 0, user: null, bootId: null, container: null, nodeVersion: '' })",
    ],
    ['no mount', 'enter: () => ({ isThere: true })'],
    ['a word for the time that it took', "sees: () => 'soon'"],
    ['null for a worker', 'start: () => null'],
    ['an outcome that there is not', "ask: () => ({ outcome: 'perhaps' })"],
    ['a token that is none', "ask: ({ op }) => op === 'open' ? null : ({ outcome: 'acquired', token: 'x' })"],
    ['null for an error', 'ask: () => { throw { told: null } }'],
    ['an error without words', 'start: () => { throw { told: {} } }'],
  ])('%s ends nodes with 69', async (_, answers) => {
    const { status } = await ended(await pretender(`{ ${answers} }`), nodes())
    expect(status).toBe(69)
    expect(await readdir(directory)).toEqual([])
  })

  test.each([
    ['a time that is none', "{ clock: () => 'noon' }", ''],
    ['an event that is none', '{}', 'setInterval(() => tell({ word: { worker: 1, said: { event: null } } }), 5)'],
    [
      'an event of a kind that there is not',
      '{}',
      "setInterval(() => tell({ word: { worker: 1, said: { event: { type: 'toString' } } } }), 5)",
    ],
    [
      'a question with a token that is none',
      '{}',
      "setInterval(() => tell({ word: { worker: 1, said: { question: { id: 1, attempt: 1, lock: 0, token: 'x', written: null } } } }), 5)",
    ],
    ['an end that is none', '{}', 'setInterval(() => tell({ word: { worker: 1, ended: 7 } }), 5)'],
    ['a word that is null', '{}', 'setInterval(() => tell({ word: null }), 5)'],
    ['no word at all', '{}', 'setInterval(() => tell({}), 5)'],
  ])('%s ends stress with 69', async (_, answers, before) => {
    const { status } = await ended(await pretender(answers, before), stress())
    expect(status).toBe(69)
  })
})

describe('what has no end', () => {
  const flood = (line: string) => `const many = (${line}).repeat(1000)
    const more = () => { while (process.stdout.write(many)); process.stdout.once('drain', more) }
    setTimeout(more, 100)`

  test.each([
    ['a line', "'x'.repeat(1000)", 'a line of more than'],
    ['lines that are no answers', "'hello\\n'", 'lines that are no answers'],
    ['answers to no question', '\'{"locktester":1,"id":99999,"value":1}\\n\'', 'lines that are no answers'],
    [
      'words',
      '\'{"locktester":1,"word":{"worker":1,"said":{"event":{"type":"asked","attempt":1,"lock":0,"atMs":1}}}}\\n\'',
      'more words than',
    ],
  ])('%s: it is not read any more, which is said, and takes little memory', async (_, line, sentence) => {
    const ssh = await pretender('{ hello: () => {} }', flood(line))
    const only = bench.locktester(['nodes', '--kinds', 'flock', 'h1', 'local', directory, '--ssh-command', ssh], {
      env: { NODE_OPTIONS: '--max-old-space-size=128' },
    })
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain(sentence)
    expect(only.stderr).not.toMatch(STACK)
  })
})

describe('questions that are never answered', () => {
  const questions = (count: number) => `let id = 0
    const say = () => tell({ word: { worker: 1, said: { question: { id: ++id, attempt: 1, lock: 0, token: '1', written: null } } } })
    const begin = () => { for (let index = 0; index < ${count}; index++) say() }`
  const answers = "{ ask: ({ op }) => { if (op === 'begin') setImmediate(begin); return op === 'answer' ? undefined : null } }"

  test('thousands of them are no agent: nothing more is asked, which is said', async () => {
    const { status, stdout } = await ended(await pretender(answers, questions(5000)), stress())
    expect(status).toBe(69)
    expect(stdout).toContain('no answer to thousands of questions')
  })

  test('some hundreds are what a slow node may come to', async () => {
    const { stdout } = await ended(await pretender(answers, questions(500)), stress())
    expect(stdout).not.toContain('no answer to thousands of questions')
  })
})

describe('silence', () => {
  const BRISK = { everyMs: 100, silentMax: 5 }
  const reach = (sshCommand: string) => ({ sshCommand, remoteCommand: undefined })

  test('of an agent that has answered before ends the conversation: nothing that is asked afterwards waits as long again', async () => {
    const ssh = await pretender('{ clock: () => {}, enter: () => {}, start: () => {} }')
    const node = new Node('h1', { host: 'h1', directory }, reach(ssh), BRISK)
    await node.connect()
    await expect(node.enter('any', null)).rejects.toThrow('h1 has not answered for 0.5 s')
    let hasWaited = false
    const wait = setTimeout(() => (hasWaited = true), BRISK.everyMs)
    await expect(node.startWorker('holder')).rejects.toThrow('h1 has not answered')
    // However slow this process is: no timer had its turn before.
    expect(hasWaited).toBe(false)
    clearTimeout(wait)
    await node.end()
  })

  test('of one that answers for its clock meanwhile is patience with its file server', async () => {
    // Silent for 3 s, the pretender is only slow. It answers once it was asked for its clock more often than a silent one is.
    const pulse = { everyMs: 20, silentMax: 150 }
    const ssh = await pretender(
      `{ enter: () => {}, clock: () => { if (++clocks > ${pulse.silentMax}) tell({ id: entering, value: { isThere: true, mount: null } }); return 1 } }`,
      `let [clocks, entering] = [0, 0]
      const { parse } = JSON
      JSON.parse = (text) => {
        const question = parse(text)
        if (question.op === 'enter') entering = question.id
        return question
      }`,
    )
    const node = new Node('h1', { host: 'h1', directory }, reach(ssh), pulse)
    await node.connect()
    expect(await node.enter('any', null)).toBe(true)
    await node.end()
  })
})

test('a process that stands still goes on also where what was to continue it is gone', async () => {
  const node = new Node('local', { host: 'local', directory }, { sshCommand: 'ssh', remoteCommand: undefined })
  await node.connect()
  const worker = await node.startWorker('holder')
  await worker.signal('stop')
  const reviver = (await childrenOf(node.facts)).find((pid) => pid !== worker.pid) as number
  process.kill(reviver, 'SIGKILL')
  await vi.waitUntil(() => !existsSync(`/proc/${reviver}`), { timeout: 20_000 })
  await worker.signal('continue')
  await worker.ask('open', { options: {}, path: join(directory, 'lock') })
  await node.end()
})

test('what ssh says after its end is told as well', async () => {
  const ssh = join(await bench.directory(), 'ssh')
  await writeFile(ssh, `#!/bin/sh\n(while kill -0 $$ 2>/dev/null; do sleep 0.01; done; echo 'the reason' >&2) >&- &\nexit 255\n`)
  await chmod(ssh, 0o755)
  const { status, stderr } = await ended(ssh, nodes())
  expect(status).toBe(69)
  expect(stderr).toContain('it said: the reason')
})

describe('what would do something to a terminal', () => {
  test.each([
    ['nodes', nodes],
    ['stress', stress],
  ] as const)('does not reach it from %s', async (_, command) => {
    const evil = '\\u001b[31mEVIL\\u009b2J\\u202e\\n'
    const facts = `hello: () => ({ host: '${evil}', bootId: '${evil}', container: '${evil}', uid: 0, user: '${evil}', pid: 7, nodeVersion: '${evil}' })`
    const refusal = `ask: () => { throw { told: { code: '${evil}', message: '${evil}' } } }`
    const mount = `enter: () => ({ isThere: true, mount: { type: '${evil}', source: '${evil}', mountPoint: '${evil}', options: ['${evil}'], reach: 'shared' } })`
    const ssh = await pretender(`{ ${facts}, ${mount}, ${refusal} }`, `console.error('${evil}')`)
    for (const more of [[], ['--json']]) {
      const { stderr, status } = await ended(ssh, [...command(), ...more])
      expect(status).toBe(69)
      expect(stderr).toContain('\\u001b[31mEVIL')
    }
  })
})

test('a greeting without an end of its line, before the first answer, is no obstacle', async () => {
  const ssh = join(await bench.directory(), 'ssh')
  const agent = `exec ${process.execPath} ${PACKAGE}/bin/locktester agent`
  await writeFile(ssh, `#!/bin/sh\nprintf '\\033]0;title\\007Welcome! '\n${agent}\n`)
  await chmod(ssh, 0o755)
  const { status, stdout } = await ended(ssh, ['nodes', '--kinds', 'flock', 'h1', 'local', directory])
  expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('exclude') })
})

test('another version of the conversation is told at once', async () => {
  const ssh = join(await bench.directory(), 'ssh')
  await writeFile(ssh, `#!/bin/sh\nwhile read -r line; do echo '{"locktester":2,"id":1,"value":{}}'; done\n`)
  await chmod(ssh, 0o755)
  const { status, stderr } = await ended(ssh, nodes())
  expect(status).toBe(69)
  expect(stderr).toContain('it gave the words of another version of locktester')
})

test('once ssh has ended, nothing more is waited for, though what it has left behind keeps its output open', async () => {
  const ssh = join(await bench.directory(), 'ssh')
  await writeFile(ssh, `#!/bin/sh\nsleep 50 2>/dev/null &\nexit 3\n`)
  await chmod(ssh, 0o755)
  const startMs = performance.now()
  const { status, stderr } = await ended(ssh, nodes())
  expect(performance.now() - startMs).toBeLessThan(30_000)
  expect(status).toBe(69)
  expect(stderr).toContain('the agent did not start (exit code 3)')
})

test('a terminal over there, which gives the questions back, is no answer', async () => {
  const ssh = join(await bench.directory(), 'ssh')
  const echo = `while read -r line; do echo "$line" >&3; echo "$line"; done`
  await writeFile(ssh, `#!/bin/bash\nexec 3>&1\n${echo} | ${process.execPath} ${PACKAGE}/bin/locktester agent\n`)
  await chmod(ssh, 0o755)
  const { status, stdout } = await ended(ssh, ['nodes', '--kinds', 'flock', 'h1', 'local', directory])
  expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('exclude') })
})

test('a host that would be an option of ssh is refused before anything is started', async () => {
  const ssh = await pretender('{}', `require('fs').writeFileSync('${directory}/started', '')`)
  for (const host of ['ann@-oProxyCommand=touch', 'ssh://-oProxyCommand=touch']) {
    const { status, stderr } = await ended(ssh, ['nodes', host, 'local', directory])
    expect(status).toBe(64)
    expect(stderr).toContain('Expected the name of a host')
  }
  expect(await readdir(directory)).toEqual([])
})

test('ssh is told of a host as it understands it', async () => {
  const log = join(directory, 'log')
  const ssh = join(await bench.directory(), 'ssh')
  await writeFile(ssh, `#!/bin/sh\necho "$1" >> ${log}\nexit 255\n`)
  await chmod(ssh, 0o755)
  const hosts = ['ann@my_node-1', '[::1]', 'node2:2222', 'ssh://ann@node3:22']
  const { status, stderr } = await ended(ssh, ['nodes', ...hosts, directory])
  expect(status).toBe(69)
  expect(stderr).toContain('ssh could not connect')
  const told = (await readFile(log, 'utf8')).trim().split('\n').sort()
  expect(told).toEqual(['::1', 'ann@my_node-1', 'ssh://ann@node3:22', 'ssh://node2:2222'])
})
