/**
 * `locktester run`: a command under a lock. Real commands that say when they run and go on until their standard input ends,
 * so that nothing here waits for time to pass, unless time is what is tested.
 */

import { spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Bench, childrenOf, keeperOf, OTHER_NODE, PACKAGE, type Program, withMounts } from './fixtures/locktester-driver.mjs'

/** Runs until its standard input ends, then exits with 7. */
const UNTIL_END = ['sh', '-c', 'echo running; cat >/dev/null; exit 7']

const PATIENCE = { timeout: 20_000 }

let bench: Bench
let path: string
beforeEach(async () => {
  bench = new Bench()
  path = join(await bench.directory(), 'job.lock')
})
afterEach(() => bench.close())

function run(options: readonly string[], command: readonly string[], more: Parameters<Bench['locktester']>[1] = {}): Program {
  return bench.locktester(['run', path, ...options, '--', ...command], more)
}

/** What proc_pid_stat(5) says. */
async function parentOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1')
  return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])
}

const commandLineOf = (pid: number) => readFile(`/proc/${pid}/cmdline`, 'latin1')

async function commandOf(first: Program): Promise<number> {
  for (const pid of await childrenOf(first)) if (!(await commandLineOf(pid)).includes('keeper.js')) return pid
  throw new Error('Expected a command')
}

/** A run that holds the lock, until its input ends. */
async function holder(...options: string[]): Promise<Program> {
  const first = run(options, UNTIL_END)
  await first.says('running')
  return first
}

/** How many sessions there are in the directory of the lock. */
const sessions = async () => (await readdir(join(path, '..'))).filter((name) => name.startsWith('.mountlock-')).length

const brisk = () => bench.config('refresh-rate=1\ntimeout-interval=3\n')

/** A user deletes the lock; whether it is still linked is seen by processes that have seen links counted. */
async function lose(): Promise<void> {
  const directory = join(path, '..')
  const hasBeaten = async () => {
    const session = (await readdir(directory)).find((name) => name.startsWith('.mountlock-41c29')) as string
    return /"beat":([2-9]|\d\d)/.test(await readFile(join(directory, session), 'utf8'))
  }
  await vi.waitUntil(hasBeaten, PATIENCE)
  await rm(path, { recursive: true })
}

describe('the lock', () => {
  test('is held while the command runs, refuses a second run with 75 and the name of the holder, and is free afterwards', async () => {
    const first = await holder()
    const second = run(['--no-wait'], ['echo', 'never'])
    expect(await second.end).toBe(75)
    expect(second.stdout).toBe('')
    const [, shown] = /held by process (\d+) on/.exec(second.stderr) ?? []
    expect(await parentOf(Number(shown))).toBe(first.pid)
    expect(second.stderr).toContain('(sh)')
    first.endInput()
    expect(await first.end).toBe(7)
    expect(await run(['--no-wait'], ['true']).end).toBe(0)
  })

  test('is waited for, and the command starts when the first one ends', async () => {
    const first = await holder()
    const second = run([], ['echo', 'my turn'])
    await vi.waitUntil(
      async () => (await readdir(join(path, '..'))).filter((name) => name.startsWith('.mountlock-')).length === 2,
      PATIENCE,
    )
    expect(second.stdout).toBe('')
    first.endInput()
    expect(await second.end).toBe(0)
    expect(second.stdout).toBe('my turn\n')
  })

  test('--wait gives up after that many seconds, with the exit code that was asked for', async () => {
    await holder()
    const startMs = performance.now()
    const second = run(['--wait', '1.5', '-E', '9'], ['echo', 'never'])
    expect(await second.end).toBe(9)
    expect(performance.now() - startMs).toBeGreaterThan(1400)
    expect(second.stdout).toBe('')
  })

  test('an option with a value is given once: nothing runs where two contradict each other', async () => {
    const twice = run(['--wait', '0', '-E', '9', '-E', '8'], ['echo', 'never'])
    expect(await twice.end).toBe(64)
    expect(twice.stderr).toContain('-E was given 2 times: give it once')
    expect(twice.stdout).toBe('')
  })

  test('without -- the command begins with the first word behind the path that is no option', async () => {
    const only = bench.locktester(['run', path, '--label', 'l', 'sh', '-c', 'echo "$0 $1"', '-n', '--wait'])
    expect(await only.end).toBe(0)
    expect(only.stdout).toBe('-n --wait\n')
  })

  test('of a killed run is held as long as its command lives, and free then', async () => {
    const first = run([], ['sh', '-c', 'echo running; exec sleep 1000'])
    await first.says('running')
    const command = await commandOf(first)
    first.kill('SIGKILL')
    await vi.waitUntil(async () => (await parentOf(command)) !== first.pid, PATIENCE)
    expect(await run(['--no-wait'], ['true']).end).toBe(75)
    process.kill(command, 'SIGKILL')
    expect(await run(['--wait', '20'], ['true']).end).toBe(0)
  })

  test('of a killed run on another node is taken over by one that waits', async () => {
    const config = await brisk()
    const first = run(['--config', config], UNTIL_END, { through: OTHER_NODE })
    await first.says('running')
    await first.killChild('SIGKILL')
    await first.end
    const second = run(['--config', config, '--wait', '30'], ['echo', 'mine'])
    expect(await second.end).toBe(0)
    expect(second.stdout).toBe('mine\n')
  })

  test('--shared lets readers in together, and keeps a writer out', async () => {
    const options = ['--lock-type', 'advisory', '--shared']
    const first = await holder(...options)
    const second = await holder(...options)
    expect(await run(['--lock-type', 'advisory', '--no-wait'], ['true']).end).toBe(75)
    for (const reader of [first, second]) {
      reader.endInput()
      expect(await reader.end).toBe(7)
    }
    expect(await run(['--lock-type', 'advisory', '--no-wait'], ['true']).end).toBe(0)
  })

  test('is not taken by the defaults where a configuration that was named is not there', async () => {
    const missing = join(path, '..', 'file-lokcs')
    const only = run(['--config', missing], ['true'])
    expect(await only.end).toBe(64)
    expect(only.stderr).toContain(`There is no such file: ${missing}`)
  })

  test('is of the type and variant that the configuration says, unless the options say otherwise', async () => {
    const config = await bench.config('lock-type=advisory\n')
    expect(await run(['--config', config], ['test', '-f', path]).end).toBe(0)
    await rm(path)
    const symlink = ['--lock-type', 'linkbased', '--use-symlinks', '1']
    expect(await run(['--config', config, ...symlink], ['sh', '-c', `find ${path} -type l | grep -q .`]).end).toBe(0)
  })
})

describe('the command', () => {
  test('has the fencing token in its environment, and the next one has a larger one', async () => {
    const tokens: bigint[] = []
    for (let count = 0; count < 2; count++) {
      const only = run([], ['sh', '-c', 'echo "$MOUNTLOCK_TOKEN"'])
      expect(await only.end).toBe(0)
      tokens.push(BigInt(only.stdout.trim()))
    }
    expect(tokens[1]).toBeGreaterThan(tokens[0] as bigint)
  })

  test('under an advisory lock has no token, not even one that we inherited', async () => {
    const env = { MOUNTLOCK_TOKEN: '7' }
    const only = run(['--lock-type', 'advisory'], ['sh', '-c', 'echo "[$MOUNTLOCK_TOKEN]"'], { env })
    expect(await only.end).toBe(0)
    expect(only.stdout).toBe('[]\n')
  })

  test('gets its arguments as they are, options and a second -- included', async () => {
    const only = run([], ['printf', '%s|', '--wait', '-x', '--', '7', ''])
    expect(await only.end).toBe(0)
    expect(only.stdout).toBe('--wait|-x|--|7||')
  })

  test('that a signal ends makes us end by that signal, and the lock is released', async () => {
    for (const signal of ['TERM', 'KILL', 'HUP']) {
      expect(await run([], ['sh', '-c', `kill -${signal} $$`]).end).toBe(`SIG${signal}`)
    }
    // One that would write a core file is told as shells tell it.
    expect(await run([], ['sh', '-c', 'ulimit -c 0; kill -SEGV $$']).end).toBe(128 + 11)
    expect(await run(['--no-wait'], ['true']).end).toBe(0)
  })

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGQUIT'] as const)('gets %s, and its answer is ours', async (signal) => {
    const name = signal.slice(3)
    const only = run([], ['sh', '-c', `trap 'echo got; exit 9' ${name}; echo ready; while :; do sleep 0.05; done`])
    await only.says('ready')
    only.kill(signal)
    expect(await only.end).toBe(9)
    expect(only.stdout).toBe('ready\ngot\n')
  })

  test('gets the signal, and not a child that a shell had before it became run', async () => {
    const folder = await bench.directory()
    const shell = `sh -c 'trap "touch ${folder}/wrong" TERM; echo there; while :; do sleep 0.05; done' & exec "$@"`
    const command = ['sh', '-c', `trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.05; done`]
    const only = run([], command, { through: ['sh', '-c', shell, 'sh'] })
    await only.says('there')
    await only.says('ready')
    only.kill('SIGTERM')
    await only.says('got')
    expect(await readdir(folder)).toEqual([])
    only.killAll()
  })

  test('gets Ctrl+C of a terminal once, not twice', async () => {
    const entry = join(await bench.directory(), 'counts.mjs')
    // Says how often it was interrupted, once a second one would have come.
    const counts = "let n = 0; process.on('SIGINT', () => { if (n++ === 0) setTimeout(() => console.log('total', n), 500) })"
    await writeFile(entry, `${counts}\nsetInterval(() => {}, 1000)\nconsole.log('ready')\n`)
    const locktester = [process.execPath, join(import.meta.dirname, '../../bin/locktester')]
    const command = [...locktester, 'run', path, '--', process.execPath, entry].join(' ')
    const terminal = bench.start(['script', '-qec', command, '/dev/null'])
    await terminal.says('ready')
    terminal.write('\x03')
    await terminal.says('total')
    expect(terminal.stdout).toContain('total 1')
  })

  test('that does not exist is 127, one that cannot be executed 126, and the lock is released', async () => {
    const missing = run([], ['no-such-command'])
    expect(await missing.end).toBe(127)
    expect(missing.stderr).toContain('no-such-command')
    expect(missing.stderr).not.toContain('lost')
    expect(await run([], ['/etc/passwd']).end).toBe(126)
    expect(await run(['--no-wait'], ['true']).end).toBe(0)
  })

  test.each([
    ['a script', `#!/no/such/interpreter -x\n`, 'it needs /no/such/interpreter, which is not there'],
    ['a script from Windows', `#!/bin/sh\r\n`, 'it needs /bin/sh\\u000d, which is not there. Its lines end as on Windows'],
    ['a program', loadedBy('/no/such/loader'), 'it needs /no/such/loader, which is not there'],
  ])(
    'that needs an interpreter or loader which is missing: 127, as in a shell, and what is missing (%s)',
    async (_, text, sentence) => {
      const folder = await bench.directory()
      const file = join(folder, 'job')
      await writeFile(file, text, { mode: 0o755 })
      for (const [command, PATH] of [
        [file, '/usr/bin:/bin'],
        ['job', `/no/such:${folder}:/usr/bin:/bin`],
      ] as const) {
        const only = run([], [command], { env: { PATH } })
        expect(await only.end).toBe(127)
        expect(only.stderr).toContain(`${file} cannot be executed: ${sentence}`)
      }
    },
  )
})

/** The head of a program of which the only program header names its loader: elf(5). */
function loadedBy(loader: string): Buffer {
  const text = Buffer.from(`${loader}\0`)
  const head = Buffer.alloc(64 + 56)
  head.write('\x7fELF\x02\x01\x01', 'latin1')
  for (const [at, value] of [
    [16, 3], // a shared object, as programs are
    [18, process.arch === 'arm64' ? 183 : 62],
    [52, 64], // how long this head is
    [54, 56], // and each program header
    [56, 1],
  ] as const)
    head.writeUInt16LE(value, at)
  head.writeUInt32LE(1, 20)
  head.writeUInt32LE(3, 64)
  for (const [at, value] of [
    [32, 64],
    [64 + 8, 64 + 56],
    [64 + 32, text.length],
    [64 + 40, text.length],
  ] as const)
    head.writeBigUInt64LE(BigInt(value), at)
  return Buffer.concat([head, text])
}

describe('a lock that is lost', () => {
  /** Ignores TERM, and so does its child. */
  const STUBBORN = ['sh', '-c', `trap '' TERM; (echo child; sleep 1000) & echo running; wait; wait`]

  test('terminates the command, and ends with 74 and the reason', async () => {
    const only = run(
      ['--config', await brisk()],
      ['sh', '-c', `trap 'echo term; exit 0' TERM; echo running; while :; do sleep 0.05; done`],
    )
    await only.says('running')
    await lose()
    expect(await only.end).toBe(74)
    expect(only.stdout).toBe('running\nterm\n')
    expect(only.stderr).toContain('The lock may have been lost')
  })

  test('kills a command that does not end on TERM, with all that it started', async () => {
    const only = run(['--config', await brisk(), '--kill-after', '0.3'], STUBBORN)
    await only.says('running')
    await only.says('child')
    await lose()
    // Its end is that of its output, too: a child that lived on would keep that open.
    expect(await only.end).toBe(74)
  })

  test('before the command is started, because run stood still meanwhile: it is not started, and the end is 74', async () => {
    const log = join(await bench.directory(), 'log')
    const config = await bench.config(`refresh-rate=1\ntimeout-interval=3\nenable-logging=1\nlog-file=${log}\n`)
    for (const onLoss of ['terminate', 'ignore']) {
      const first = await holder('--config', await brisk())
      const second = run(['--config', config, '--on-loss', onLoss], ['echo', 'never'])
      await vi.waitUntil(async () => (await sessions()) === 2, PATIENCE)
      second.kill('SIGSTOP')
      first.endInput()
      await first.end
      await vi.waitUntil(async () => (await readFile(log, 'utf8').catch(() => '')).includes('event=acquire '), PATIENCE)
      await lose()
      await vi.waitUntil(async () => (await readFile(log, 'utf8')).includes('event=lost '), PATIENCE)
      await rm(log)
      second.kill('SIGCONT')
      expect(await second.end).toBe(74)
      expect(second.stdout).toBe('')
      expect(second.stderr).toContain('It was lost before echo was started, so that was left out.')
    }
  })

  test('--on-loss ignore lets the command go on, says so, and ends as it does', async () => {
    const only = run(['--config', await brisk(), '--on-loss', 'ignore'], UNTIL_END)
    await only.says('running')
    await lose()
    await only.says('goes on', 'stderr')
    only.endInput()
    expect(await only.end).toBe(7)
  })
})

describe('the keeper', () => {
  /** Ends with 3 and leaves a process behind that holds nothing but the leash: its pid is said. TERM it tells in a file. */
  const leaving = (told: string) => [
    'sh',
    '-c',
    `sh -c 'trap "echo term >>${told}; exit" TERM; >${told}.trap; while :; do sleep 0.05; done' </dev/null >/dev/null 2>&1 & echo $!
    until [ -e ${told}.trap ]; do sleep 0.01; done; exit 3`,
  ]
  const isGone = async (pid: number) => !/^\d+ \(.*\) [^ZX]/s.test(await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => ''))
  const gone = (pid: number) => vi.waitUntil(() => isGone(pid), PATIENCE)
  /** The holder that others are told of. */
  async function holderOf(): Promise<number> {
    const other = run(['--no-wait'], ['true'])
    expect(await other.end).toBe(75)
    return Number(/held by process (\d+) on/.exec(other.stderr)?.[1])
  }

  async function left(...options: string[]): Promise<{ background: number; keeper: number; told: string }> {
    const told = join(await bench.directory(), 'told')
    const only = run(options, leaving(told))
    expect(await only.end).toBe(3)
    const background = Number(only.stdout)
    bench.onEnd(() => killQuietly(background))
    return { background, keeper: await holderOf(), told }
  }

  function killQuietly(pid: number): void {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {} // gone
  }

  test('holds the lock for a process that the command has left behind, and ends with it', async () => {
    const { background, keeper } = await left()
    expect(await isGone(keeper)).toBe(false)
    process.kill(background, 'SIGKILL')
    await gone(keeper)
    expect(await run(['--no-wait'], ['true']).end).toBe(0)
  })

  test('terminates what the command has left behind when the lock is lost, and the log tells it', async () => {
    const log = join(await bench.directory(), 'log')
    const config = await bench.config(`refresh-rate=1\ntimeout-interval=3\nenable-logging=1\nlog-file=${log}\n`)
    const { background, keeper, told } = await left('--config', config)
    await lose()
    await gone(background)
    expect(await readFile(told, 'utf8')).toBe('term\n')
    await gone(keeper)
    expect(await readFile(log, 'utf8')).toMatch(/event=lost .*outcome=terminating/)
  })

  test('kills what does not end on TERM, children that have closed the leash included', async () => {
    const stubborn = `trap '' TERM; (for fd in /proc/self/fd/*; do fd=\${fd##*/}; [ $fd -le 2 ] || eval "exec $fd>&-"; done; sleep 1000) & echo $!; wait; wait`
    const options = ['--config', await brisk(), '--kill-after', '0.3']
    const only = run(options, [
      'bash',
      '-c',
      `bash -c '${stubborn.replaceAll("'", `'\\''`)}' </dev/null 2>/dev/null & sleep 0.3; exit 3`,
    ])
    await only.says('\n')
    const child = Number(only.stdout)
    await vi.waitUntil(async () => (await run(['--no-wait'], ['true']).end) === 75, PATIENCE)
    const keeper = await holderOf()
    await lose()
    await gone(child)
    await gone(keeper)
    expect(await only.end).toBe(3)
  })

  test('--on-loss ignore lets it go on', async () => {
    const { background, keeper, told } = await left('--config', await brisk(), '--on-loss', 'ignore')
    await lose()
    await gone(keeper) // it keeps nothing any more
    expect(await run(['--no-wait'], ['true']).end).toBe(0)
    expect(await isGone(background)).toBe(false)
    await expect(readFile(told)).rejects.toThrow('ENOENT')
  })

  test('when it is killed, the command is terminated, and the lock is free', async () => {
    const only = run([], ['sh', '-c', `trap 'echo term; exit 0' TERM; echo running; while :; do sleep 0.05; done`])
    await only.says('running')
    process.kill(await keeperOf(only), 'SIGKILL')
    expect(await only.end).toBe(74)
    expect(only.stdout).toBe('running\nterm\n')
    expect(only.stderr).toContain('The process that keeps the lock has ended (SIGKILL)')
    expect(await run(['--no-wait'], ['true']).end).toBe(0)
  })

  test('when it is killed after run has ended, the lock is free, and what was left behind goes on', async () => {
    const { background, keeper } = await left()
    process.kill(keeper, 'SIGKILL')
    await gone(keeper)
    expect(await run(['--no-wait'], ['true']).end).toBe(0)
    expect(await isGone(background)).toBe(false)
  })

  test('when the command is killed, the processes that it has started keep the lock', async () => {
    const only = run([], ['sh', '-c', `sh -c 'exec sleep 1000' </dev/null >/dev/null 2>&1 & echo $!; exec sleep 1000`])
    await only.says('\n')
    process.kill(await commandOf(only), 'SIGKILL')
    expect(await only.end).toBe('SIGKILL')
    const keeper = await holderOf()
    process.kill(Number(only.stdout), 'SIGKILL')
    await gone(keeper)
    expect(await run(['--no-wait'], ['true']).end).toBe(0)
  })

  test('terminates the command when run was killed and the lock is lost', async () => {
    const only = run(
      ['--config', await brisk()],
      ['sh', '-c', `trap 'echo term; exit 0' TERM; echo running; while :; do sleep 0.05; done`],
    )
    await only.says('running')
    const [keeper, command] = [await keeperOf(only), await commandOf(only)]
    only.kill('SIGKILL')
    await lose()
    await gone(command)
    await gone(keeper)
    await only.end
    expect(only.stdout).toBe('running\nterm\n')
  })

  test('ends when run is killed while it waits for the lock', async () => {
    const first = await holder()
    const second = run([], ['echo', 'never'])
    await vi.waitUntil(async () => (await sessions()) === 2, PATIENCE)
    const keeper = await keeperOf(second)
    second.kill('SIGKILL')
    await gone(keeper)
    expect(await sessions()).toBe(1)
    first.endInput()
    await first.end
  })

  test('passes a signal on to the command, as the process that is shown as the holder', async () => {
    const only = run([], ['sh', '-c', `trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.05; done`])
    await only.says('ready')
    process.kill(await holderOf(), 'SIGTERM')
    expect(await only.end).toBe(9)
    expect(only.stdout).toBe('ready\ngot\n')
  })

  test('passes a signal on to the command also where no /proc tells which process that is', async () => {
    const command = ['sh', '-c', `trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.05; done`]
    const only = run([], command, { through: withMounts('umount -l /proc') })
    await only.says('ready')
    only.kill('SIGTERM')
    expect(await only.end).toBe(9)
    expect(only.stdout).toBe('ready\ngot\n')
  })

  test('terminates a command of which it hears only after the loss: it may have been started at that very moment', async () => {
    const program = join(PACKAGE, 'dist/cli/keeper.js')
    const keeper = spawn(process.execPath, [program], { stdio: ['ignore', 'ignore', 'inherit', 'ipc', 'pipe'] })
    bench.onEnd(() => killQuietly(keeper.pid as number))
    const said = async (kind: string) => {
      for await (const [message] of on(keeper, 'message')) if (message.kind === kind) return
    }
    const locker = { lockType: 'linkbased', refreshRateMs: 1000, timeoutIntervalMs: 3000 }
    const order = { path, workbench: null, shared: false, waitMs: 0, onLoss: 'terminate', killAfterMs: 300, leash: null, locker }
    keeper.send({ kind: 'keep', order })
    await said('held')
    const lost = said('lost')
    await lose()
    await lost
    const command = spawn('sleep', ['1000'])
    keeper.send({ kind: 'started', pid: command.pid })
    expect(await once(command, 'exit')).toEqual([null, 'SIGTERM'])
  })

  test('that is killed before it has read what the command wrote to it is lost as any other: 74', async () => {
    const only = run([], ['bash', '-c', `echo running; read line; echo word >&10; echo written; sleep 1000`])
    await only.says('running')
    const keeper = await keeperOf(only)
    process.kill(keeper, 'SIGSTOP')
    only.write('go\n')
    await only.says('written')
    process.kill(keeper, 'SIGKILL')
    expect(await only.end).toBe(74)
    expect(only.stderr).toContain('The process that keeps the lock has ended (SIGKILL)')
  })

  test('goes on beating while run and the command are stopped', async () => {
    const only = run(['--config', await brisk()], UNTIL_END)
    await only.says('running')
    const command = await commandOf(only)
    for (const pid of [only.pid, command]) process.kill(pid, 'SIGSTOP')
    const other = run(['--config', await brisk(), '--wait', '6'], ['true'])
    expect(await other.end).toBe(75)
    for (const pid of [only.pid, command]) process.kill(pid, 'SIGCONT')
    only.endInput()
    expect(await only.end).toBe(7)
  })

  test('has none of the descriptors of run, so that nothing waits for it', async () => {
    const line = `exec 63> >(cat; echo end); "$@" & wait $!; code=$?; exec 63>&-; wait; exit $code`
    const only = bench.locktester(['run', path, '--', 'sh', '-c', 'sleep 1000 63>&- </dev/null >/dev/null 2>&1 & echo $!'], {
      through: ['bash', '-c', line, 'bash'],
    })
    expect(await only.end).toBe(0)
    process.kill(Number(/\d+/.exec(only.stdout)?.[0]), 'SIGKILL')
    expect(only.stdout).toContain('end')
  })
})

describe('what keeps it from starting', () => {
  test('Ctrl+C while it waits ends it by that signal, the command never runs, and nothing is left', async () => {
    const first = await holder()
    const second = run([], ['echo', 'never'])
    await vi.waitUntil(async () => (await sessions()) === 2, PATIENCE)
    second.kill('SIGINT')
    expect(await second.end).toBe('SIGINT')
    expect(second.stdout).toBe('')
    expect(await sessions()).toBe(1)
    first.endInput()
    await first.end
  })

  test('a configuration with errors is 78, with the diagnostic', async () => {
    const only = run(['--config', await bench.config('lock-type=both\n')], ['echo', 'never'])
    expect(await only.end).toBe(78)
    expect(only.stdout).toBe('')
    expect(only.stderr).toContain('file-locks:1:11: error: lock-type: expected linkbased')
  })

  test('a lock that fails with an error is 69, with the reason', async () => {
    await mkdir(path)
    const only = run([], ['echo', 'never'])
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain('perhaps the lock of another program')
  })

  test('where fs-ext is missing, the file of an advisory lock is no obstacle of unknown kind: 69, with both ways out', async () => {
    expect(await run(['--lock-type', 'advisory'], ['true']).end).toBe(0)
    const root = await bench.packageWithoutFsExt()
    const only = bench.locktester(['run', path, '--', 'echo', 'never'], { root })
    expect(await only.end).toBe(69)
    expect(only.stdout).toBe('')
    expect(only.stderr).toContain('it is the file of an advisory lock, and it cannot be told whether that is free')
    expect(only.stderr).toContain('npm install fs-ext')
    expect(only.stderr).toContain('remove the file when no process holds the lock')
  })

  test.each([
    [['run', '/tmp/x'], 'Expected a command'],
    [['run', '/tmp/x', '--'], 'Expected a command'],
    [['run', '/tmp/x', 'sleep', '--', '1'], 'Expected one PATH before --, and then the command: locktester run /tmp/x -- sleep'],
    [['run', '/tmp/x', '-c', 'true', '--', 'true'], 'Expected the whole command in one word'],
    [['run', '--wait', '1', '--no-wait', '/tmp/x', '--', 'true'], 'exclude each other'],
    [['run', '--wait', 'long', '/tmp/x', '--', 'true'], 'Expected a number of seconds'],
    [['run', '-E', '300', '/tmp/x', '--', 'true'], 'Expected a number from 0 to 255'],
    [['run', '--shared', '/tmp/x', '--', 'true'], 'A linkbased lock is always exclusive: for --shared add --lock-type advisory'],
    [['run', '/tmp/x', '--shard', '--', 'true'], 'Did you mean --shared?'],
    [['rnu', '/tmp/x', 'y'], 'Did you mean the command: locktester run'],
  ])('%j is wrong usage: %s', async (args, words) => {
    const only = bench.locktester(args)
    expect(await only.end).toBe(64)
    expect(only.stderr).toContain(words)
  })
})
