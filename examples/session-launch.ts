/**
 * Starts a user's session exactly once, however many launchers on however many nodes try.
 *
 *     npx tsx examples/session-launch.ts DIR USER [--standby]
 *
 * DIR is a directory on the share. The first launcher starts the session and holds its lock for as long as it runs. All
 * others say where it runs already, and end; with `--standby` they wait instead, and the first of them takes over when the
 * session has ended or its node has crashed.
 *
 * Two lines of defence keep a session from running twice:
 * - The lock. Its holder is told when it may have lost it (`lock.signal`), before another process can get it.
 * - The fencing token. Every holder's is higher than all before, and is written into the session's state file. A launcher
 *   that slept for an hour between "I hold the lock" and "I write the state" finds a higher token there, and stops.
 */

import { readFile, rename, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { createLocker, type Lock, LockTimeoutError } from 'mountlock'

/** What the launchers of all nodes know about a session. */
interface SessionState {
  /** The fencing token of the launcher that wrote it. */
  token: string
  host: string
  pid: number
}

const [directory, user, option] = process.argv.slice(2)
if (directory === undefined || user === undefined) {
  console.error('Usage: session-launch.ts DIR USER [--standby]')
  process.exit(64)
}

const STATE_FILE = join(directory, `${user}.session.json`)
/** As long as a timer of Node can be. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

const locker = createLocker({
  config: process.env.FILE_LOCKS ?? '/etc/rstudio/file-locks',
  label: `the session of ${user}`,
})

try {
  await locker.withLock(join(directory, `${user}.session.lock`), runSession, {
    waitMs: option === '--standby' ? Number.POSITIVE_INFINITY : 0,
  })
} catch (error) {
  if (!(error instanceof LockTimeoutError)) throw error
  const state = await readState()
  console.log(state === null ? `the session of ${user} is just starting` : `already running: ${describe(state)}`)
} finally {
  await locker.close()
}

/** Runs the session until it is told to end, or its lock may have been lost. */
async function runSession(lock: Lock): Promise<void> {
  const state = await writeState(lock)
  console.log(`started: ${describe(state)}`)
  const why = await endOfSession(lock)
  console.log(`ended: ${describe(state)}: ${why}`)
}

/** A real launcher would start the session's process here, and end it when one of these happens. */
async function endOfSession({ signal }: Lock): Promise<string> {
  // A held lock does not keep a process alive, and this session has nothing else to do.
  const session = setInterval(() => {}, LONGEST_TIMER_MS)
  try {
    return await new Promise((resolve) => {
      // A launcher that stood still finds it aborted already, and no event comes any more.
      if (signal.aborted) resolve(signal.reason.message)
      signal.addEventListener('abort', () => resolve(signal.reason.message))
      process.once('SIGINT', resolve).once('SIGTERM', resolve)
    })
  } finally {
    clearInterval(session)
  }
}

async function readState(): Promise<SessionState | null> {
  try {
    return JSON.parse(await readFile(STATE_FILE, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Written as a whole or not at all, and never over the state of a later holder. */
async function writeState(lock: Lock): Promise<SessionState> {
  const token = lock.token as bigint
  const present = await readState()
  if (present !== null && BigInt(present.token) > token) {
    throw new Error(`The session was started again meanwhile (token ${present.token}, ours is ${token})`)
  }
  const state = { token: String(token), host: hostname(), pid: process.pid }
  const draft = `${STATE_FILE}.${token}`
  await writeFile(draft, JSON.stringify(state))
  // The last question before others can see it: is the lock still ours?
  lock.assertHeld()
  await rename(draft, STATE_FILE)
  return state
}

function describe({ token, host, pid }: SessionState): string {
  return `${user} on ${host}, process ${pid}, token ${token}`
}
