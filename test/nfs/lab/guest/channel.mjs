/**
 * The command channel, inside a guest: JSON lines over a serial line. Starts programs for the host, and carries their input,
 * output and end. The messages are those of `lab/messages.ts`.
 */

import { spawn } from 'node:child_process'
import { openSync, readSync, writeSync } from 'node:fs'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

if (isMainThread) serve(process.argv[2] ?? '')
else readLines(workerData)

/** Blocking reads have a thread of their own: in the thread pool they would take a quarter of it. @param {number} fd */
function readLines(fd) {
  const buffer = Buffer.alloc(64 * 1024)
  let rest = ''
  for (;;) {
    const length = readSync(fd, buffer)
    if (length === 0) throw new Error('the serial line was hung up')
    const lines = (rest + buffer.toString('latin1', 0, length)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') parentPort?.postMessage(line)
  }
}

/** @param {string} device */
function serve(device) {
  const fd = openSync(device, 'r+')
  /** @type {Map<number, import('node:child_process').ChildProcessWithoutNullStreams>} */
  const running = new Map()

  /** @param {object} message */
  const send = (message) => {
    const bytes = Buffer.from(`${JSON.stringify(message)}\n`)
    for (let sent = 0; sent < bytes.length;) sent += writeSync(fd, bytes, sent)
  }

  /** @param {{ id: number, argv: string[], cwd?: string, env?: Record<string, string> }} message */
  const start = ({ id, argv: [file = '', ...args], cwd = '/tmp', env = {} }) => {
    const child = spawn(file, args, { cwd, env: { ...process.env, ...env }, detached: true })
    running.set(id, child)
    child.stdin.on('error', () => {}) // a program need not read its input
    child.stdout.on('data', (data) => send({ id, stdout: data.toString('base64') }))
    child.stderr.on('data', (data) => send({ id, stderr: data.toString('base64') }))
    child.on('error', (error) => {
      running.delete(id)
      send({ id, error: error.message })
    })
    child.on('close', (code, signal) => {
      if (running.delete(id)) send({ id, exit: { code, signal } })
    })
  }

  /** @param {any} message */
  const handle = (message) => {
    const child = running.get(message.id)
    if (message.op === 'spawn') start(message)
    else if (child === undefined) return
    else if (message.op === 'stdin') child.stdin.write(Buffer.from(message.data, 'base64'))
    else if (message.op === 'stdin-end') child.stdin.end()
    else if (message.op === 'signal') signalGroup(child.pid ?? 0, message.signal)
  }

  new Worker(new URL(import.meta.url), { workerData: fd })
    .on('message', (line) => handle(JSON.parse(line)))
    .on('error', (error) => {
      console.error(`lab: ${error.message}`)
      process.exit(1)
    })
  send({ hello: process.env.LAB_ROLE })
}

/** Each program leads a group of its own: a shell's children end with it. @param {number} pid @param {NodeJS.Signals} signal */
function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal)
  } catch {
    // it has just ended
  }
}
