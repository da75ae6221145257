/**
 * `locktester demo`: two terminals, played by real processes of this very program in a temporary directory. It shows the
 * dialogue as an administrator would see it on two nodes, then what happens when a holder crashes, and fails unless every
 * line came out as it must.
 */

import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../config/load.js'
import { AdvisoryUnavailableError } from '../../errors.js'
import { createLocker } from '../../locker/locker.js'
import { codeOf, endsWithin } from '../shared/bounded.js'
import { EXIT } from '../shared/exit-codes.js'
import { Interrupt, Interrupted } from '../shared/interrupt.js'
import { messageOf } from '../shared/output.js'
import { cleanUpAtLast } from '../shared/unexpected.js'
import * as words from './print.js'
import { SurpriseError, Terminal } from './terminal.js'

/** For everything: a few starts of Node, with much to spare. */
const LIMIT_MS = 60_000
const CLEAN_UP_LIMIT_MS = 3000

/** Runs the command and ends the process. */
export async function runDemo(): Promise<void> {
  const interrupt = new Interrupt()
  const demo = new Demo()
  cleanUpAtLast(() => demo.cleanUp())
  let code: number | null = null
  try {
    const played = demo.play()
    if (!(await interrupt.race(endsWithin(LIMIT_MS, played)))) throw new SurpriseError(`It took longer than ${LIMIT_MS} ms`)
    await played
    code = EXIT.ok
  } catch (error) {
    if (!(error instanceof Interrupted)) {
      words.failed(error)
      code = EXIT.cannotLock
    }
  }
  const isClean = await endsWithin(CLEAN_UP_LIMIT_MS, demo.cleanUp())
  await interrupt.end(code, !isClean)
}

class Demo {
  #directory = ''
  readonly #terminals: Terminal[] = []

  async play(): Promise<void> {
    this.#directory = await makeStage(tmpdir())
    const missing = await whyNoAdvisoryLocks(join(this.#directory, 'probe'))
    words.begin(missing)
    // Without advisory locks the test would not hold on by itself.
    const args = missing === null ? [] : ['--hold', String(LIMIT_MS / 1000)]
    const holderLines = [`* ${missing === null ? 'Acquired' : 'Unable to acquire'} advisory lock`, '* Acquired link-based lock']
    const isConfigured = loadConfig().settings.lockType === 'advisory'
    const holderCode = missing !== null && isConfigured ? EXIT.cannotLock : EXIT.ok

    const first = await this.#open('terminal 1', args)
    await first.expectLines(holderLines)
    words.waits()

    const second = await this.#open('terminal 2', [])
    const families = missing === null ? 'advisory and link-based' : 'link-based'
    await second.expectLines([
      '* Unable to acquire advisory lock',
      '* Unable to acquire link-based lock',
      '',
      `Your filesystem appears to support ${families} locks.`,
    ])
    await second.expectEnd(holderCode)

    words.crashes()
    await first.kill('SIGKILL')
    const third = await this.#open('terminal 2', args)
    await third.expectLines(holderLines)
    words.interrupted()
    await third.kill('SIGINT')
    await third.expectEnd(holderCode)
    words.end()
  }

  async cleanUp(): Promise<void> {
    await Promise.all(this.#terminals.map((terminal) => terminal.kill('SIGKILL')))
    if (this.#directory !== '') await rm(this.#directory, { recursive: true, force: true })
  }

  async #open(title: string, args: readonly string[]): Promise<Terminal> {
    const terminal = await Terminal.open(title, [this.#directory, ...args, '--quiet'])
    this.#terminals.push(terminal)
    return terminal
  }
}

/** @throws SurpriseError where nothing can be made there */
async function makeStage(place: string): Promise<string> {
  try {
    return await realpath(await mkdtemp(join(place, 'locktester-demo-')))
  } catch (error) {
    const next = 'Name a directory in which this user may write: TMPDIR=DIR locktester demo'
    throw new SurpriseError(
      `Nothing can be made in ${place}, where temporary files belong (${codeOf(error) ?? String(error)}). ${next}`,
    )
  }
}

/** The reason and the remedy, or `null` where advisory locks can be tried. */
async function whyNoAdvisoryLocks(path: string): Promise<string | null> {
  const locker = createLocker({ lockType: 'advisory' })
  try {
    await locker.tryAcquire(path)
    return null
  } catch (error) {
    if (error instanceof AdvisoryUnavailableError) return messageOf(error)
    throw error
  } finally {
    await locker.close()
  }
}
