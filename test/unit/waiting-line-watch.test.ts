/**
 * Goal: a waiter hears what happens to the name that it listens to, also when another file or directory gets that name. Method: real
 * watches on a real directory.
 */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { LineWatch } from '../../build/waiting/line-watch.js'
import { temporaryFolder } from '../process/support/folder.js'

const PATIENCE = { timeout: 10_000, interval: 2 }

async function listening() {
  const path = join(await temporaryFolder(), 'lock')
  mkdirSync(path)
  const names: (string | null)[] = []
  let gone = 0
  const watch = new LineWatch(
    path,
    (name) => names.push(name),
    () => gone++,
  )
  onTestFinished(() => watch.close())
  return { path, watch, names, goneTimes: () => gone }
}

test('names in the lock’s directory are heard, and one that the directory itself may have is told as something', async () => {
  const { path, names } = await listening()
  writeFileSync(join(path, '18.free'), '')
  await vi.waitUntil(() => names.includes('18.free'), PATIENCE)
  writeFileSync(join(path, 'lock'), '')
  await vi.waitUntil(() => names.includes(null), PATIENCE)
  expect(names).not.toContain('lock')
})

test('a directory that was made again under its name is heard once it is listened to again, which is due then', async () => {
  const { path, watch, names } = await listening()
  expect(watch.listenTo(null)).toBe(false)
  rmSync(path, { recursive: true })
  await vi.waitUntil(() => names.includes(null), PATIENCE)
  expect(watch.listenTo(null)).toBe(false)
  expect(watch.isThere).toBe(false)
  mkdirSync(path)
  expect(watch.listenTo(null)).toBe(true)
  expect(watch.isThere).toBe(true)
  writeFileSync(join(path, '19'), '')
  await vi.waitUntil(() => names.includes('19'), PATIENCE)
})

test('a ticket that was made again under its name is heard to go a second time', async () => {
  const { path, watch, goneTimes } = await listening()
  const ticket = join(path, '18.host-1-0123456789abcdef')
  for (const times of [1, 2]) {
    writeFileSync(ticket, '')
    expect(watch.listenTo(ticket)).toBe(false)
    const before = goneTimes()
    rmSync(ticket)
    await vi.waitUntil(() => goneTimes() > before, PATIENCE)
    expect(goneTimes()).toBeGreaterThanOrEqual(times)
  }
})

test('where a ticket cannot be watched the lock is listened to', async () => {
  const { path, watch, names } = await listening()
  expect(watch.listenTo(join(path, 'missing'))).toBe(true)
  writeFileSync(join(path, '18.free'), '')
  await vi.waitUntil(() => names.includes('18.free'), PATIENCE)
})
