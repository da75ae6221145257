/**
 * The hidden directory of a lock that Workbench respects, when its last user leaves. Goal: it goes, unless others are at work in it.
 * Method: the protocol on a real directory.
 */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { runProtocolBlocking } from '../../src/drivers/run.js'
import { newLockName } from '../../src/protocol/names.js'
import { removeHidden } from '../../src/workbench/sweep.js'

const DRAFT = newLockName('0123456789abcdef')
let hidden: string

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mountlock-hidden-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  hidden = join(folder, '.lock_file.mountlock')
  mkdirSync(join(hidden, DRAFT), { recursive: true })
})

test('it goes with an empty draft that its maker has lost', () => {
  runProtocolBlocking(removeHidden(hidden))
  expect(existsSync(hidden)).toBe(false)
})

test('it stays with a draft that has something in it', () => {
  writeFileSync(join(hidden, DRAFT, '.links'), '')
  runProtocolBlocking(removeHidden(hidden))
  expect(readdirSync(hidden, { recursive: true }).sort()).toEqual([DRAFT, `${DRAFT}/.links`])
})

test('it stays while another process has a session in it', () => {
  const session = '.mountlock-41c29-node-1-0123456789abcdef'
  writeFileSync(join(hidden, session), '')
  runProtocolBlocking(removeHidden(hidden))
  expect(readdirSync(hidden).sort()).toEqual([session, DRAFT].sort())
})
