/**
 * Goal: without a log-file the lines reach a real syslog socket, and without a daemon no lock notices. Method: each test has
 * a /dev of its own, in a private mount namespace, where /dev/log is a datagram socket that prints what it receives, or nothing.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { type DirectoryResult, dir } from 'tmp-promise'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Writer } from './logging-writer.js'

const PRIVATE_DEV = `
  mount -t tmpfs tmpfs "$1" && shift
  for node in null zero random urandom; do
    touch "$DEV/$node" && mount --bind "/dev/$node" "$DEV/$node"
  done
  mount --move "$DEV" /dev
  exec "$@"`

const RECEIVER = `
import socket
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind('/dev/log')
print('ready', flush=True)
while True:
    print(log.recv(65536).decode(), flush=True)`

/** What a daemon gets for each line: its priority (user.notice), the time, and the tag. */
const MESSAGE =
  /^<13>\w{3} [ \d]\d [\d:]{8} mountlock: \S+Z pid=\d+ host=\S+ type=linkbased event=acquire path="?\/shared\/writer\/ä*(\d+)"? outcome=acquired token=\d+$/

let temporary: DirectoryResult
beforeEach(async () => {
  temporary = await dir({ unsafeCleanup: true })
})
afterEach(() => temporary.cleanup())

function withPrivateDev(): string[] {
  const { path } = temporary
  return ['env', `DEV=${path}`, 'unshare', '--mount', '--propagation', 'private', 'sh', '-ec', PRIVATE_DEV, 'sh', path]
}

class Receiver {
  readonly #process: ChildProcess
  readonly #lines: NodeJS.AsyncIterator<string>
  readonly #closed: Promise<unknown>

  private constructor() {
    const [program, ...args] = [...withPrivateDev(), 'python3', '-c', RECEIVER]
    const child = spawn(program as string, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#process = child
    this.#closed = new Promise((resolve) => child.once('close', resolve))
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver()
    expect(await receiver.message()).toBe('ready')
    return receiver
  }

  /** A command that runs another one where this receiver is. */
  get under(): string[] {
    return ['nsenter', '--mount', `--target=${this.#process.pid}`]
  }

  async message(): Promise<string> {
    return (await this.#lines.next()).value
  }

  /** The numbers of the next `count` messages. */
  async numbers(count: number): Promise<number[]> {
    const numbers: number[] = []
    while (numbers.length < count) {
      const message = await this.message()
      expect(message).toMatch(MESSAGE)
      numbers.push(Number(message.match(MESSAGE)?.[1]))
    }
    return numbers
  }

  /** Resolves when `count` different ones have come. */
  async differentNumbers(count: number): Promise<number[]> {
    const numbers = new Set<number>()
    while (numbers.size < count) for (const number of await this.numbers(1)) numbers.add(number)
    return [...numbers].sort((a, b) => a - b)
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#closed
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)

describe.skipIf(process.getuid?.() !== 0)('with a daemon', { timeout: 60_000 }, () => {
  let receiver: Receiver
  beforeEach(async () => {
    receiver = await Receiver.start()
  })
  afterEach(() => receiver.kill())

  it('lines arrive while the process lives, in order, and it ends by itself although the child still runs', async () => {
    const writer = new Writer({ logFile: '', under: receiver.under })
    await writer.tell('log 3')
    expect(await receiver.numbers(3)).toEqual([0, 1, 2])
    await writer.tell('log 2')
    expect(await receiver.numbers(2)).toEqual([3, 4])
    await writer.tell('end')
    expect(await writer.ended()).toEqual({ status: 3, complaints: [] })
  })

  it('all lines of a program that never returns to its event loop arrive, more than a pipe can hold', async () => {
    const writer = new Writer({ logFile: '', under: receiver.under, blockingCount: 2000 })
    expect(await receiver.differentNumbers(2000)).toEqual(upTo(2000))
    expect(await writer.ended()).toEqual({ status: 3, complaints: [] })
  })

  it('lines arrive before close() is done, more than a pipe can hold', async () => {
    const writer = new Writer({ logFile: '', under: receiver.under })
    await writer.tell('log 3000 100')
    const closed = writer.tell('close')
    expect(await receiver.numbers(3000)).toEqual(upTo(3000))
    await closed
    await writer.tell('end')
    expect(await writer.ended()).toEqual({ status: 3, complaints: [] })
  })

  it('a line longer than 1 KiB is one message', async () => {
    const writer = new Writer({ logFile: '', under: receiver.under })
    await writer.tell('log 1 900')
    expect(await receiver.numbers(1)).toEqual([0])
    await writer.tell('end')
  })

  it('Ctrl+C in the terminal ends the process and not the child, which still takes the line about the release', async () => {
    const writer = new Writer({ logFile: '', under: receiver.under, detached: true })
    await writer.tell('log 1')
    expect(await receiver.numbers(1)).toEqual([0])
    process.kill(-(writer.process.pid as number), 'SIGINT')
    expect(await receiver.numbers(1)).toEqual([1])
    expect(await writer.ended()).toEqual({ status: 3, complaints: [] })
  })

  it('when the daemon dies there is one complaint, and the process goes on', async () => {
    const writer = new Writer({ logFile: '', under: receiver.under })
    await writer.tell('log 1')
    expect(await receiver.numbers(1)).toEqual([0])
    await receiver.kill()
    await writer.tell('log 1')
    await writer.complained()
    for (let round = 0; round < 20; round++) await writer.tell('log 50')
    await writer.tell('end')
    const { status, complaints } = await writer.ended()
    expect(status).toBe(3)
    expect(complaints).toEqual([expect.stringMatching(/^mountlock: cannot write the system log \(logger: socket \/dev\/log: /)])
  })
})

describe.skipIf(process.getuid?.() !== 0)(
  'without a daemon there is one sentence on standard error, and nothing else',
  { timeout: 60_000 },
  () => {
    const complaint =
      'mountlock: cannot write the system log (logger: socket /dev/log: No such file or directory): start a syslog daemon ' +
      '(and install util-linux, if there is no logger program), or set log-file; the locks work on without it.'

    it('when the process goes on for long', async () => {
      const writer = new Writer({ logFile: '', under: withPrivateDev() })
      await writer.tell('log 1')
      await writer.complained()
      for (let round = 0; round < 20; round++) await writer.tell('log 50')
      await writer.tell('end')
      expect(await writer.ended()).toEqual({ status: 3, complaints: [complaint] })
    })

    it('when the process ends at once', async () => {
      const writer = new Writer({ logFile: '', under: withPrivateDev(), blockingCount: 5 })
      expect(await writer.ended()).toEqual({ status: 3, complaints: [complaint] })
    })

    it('when the event loop was blocked for long after the first line, and the process then ends', async () => {
      const writer = new Writer({ logFile: '', under: withPrivateDev() })
      writer.send('block')
      expect(await writer.ended()).toEqual({ status: 3, complaints: [complaint] })
    })

    it('when the log is closed at once', async () => {
      const writer = new Writer({ logFile: '', under: withPrivateDev() })
      await writer.tell('log 1')
      await writer.tell('close')
      await writer.tell('end')
      expect(await writer.ended()).toEqual({ status: 3, complaints: [complaint] })
    })
  },
)

describe('without the logger program there is one sentence on standard error, and nothing else', { timeout: 60_000 }, () => {
  const complaint = expect.stringMatching(/^mountlock: cannot write the system log \(no logger program\): /)

  it.each([undefined, 5])('when the process goes on, or ends at once (%s)', async (blockingCount) => {
    const env = { ...process.env, PATH: temporary.path }
    const writer = new Writer({ logFile: '', env, ...(blockingCount === undefined ? {} : { blockingCount }) })
    if (blockingCount === undefined) {
      await writer.tell('log 1')
      await writer.complained()
      await writer.tell('log 1')
      await writer.tell('close')
      await writer.tell('end')
    }
    expect(await writer.ended()).toEqual({ status: 3, complaints: [complaint] })
  })
})
