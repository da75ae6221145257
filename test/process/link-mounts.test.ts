/**
 * Shares that come and go. Goal: a held lock does not pin the mount; its holder learns when the share is gone for longer than
 * its lease; and no lock is ever taken on the disk below. Method: an ext4 image in a private mount namespace is
 * unmounted under holders and waiters, and mounted again.
 */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { Agent, BRISK } from './support/agent.js'
import { KINDS, temporaryFolder } from './support/folder.js'
import { imageShare, type Share } from './support/image.js'
import { privateMounts } from './support/space.js'
import { outlast, processState } from './support/time.js'
import { PATIENCE } from './support/waiting.js'

/** Long enough for some heartbeats to fail and the share to come back. */
const PATIENT = { refreshRateMs: 500, timeoutIntervalMs: 6000 }

/** A heartbeat opens its file for less than a millisecond: unmounting may have to be tried again. */
const unmount = (share: Share) => vi.waitFor(() => share.unmount(), PATIENCE)
/** To be imported by an agent: it stops itself when it starts its first thread, of which Node tells. */
const STANDS_STILL_AT_THREAD = `data:text/javascript,${encodeURIComponent(`
  import { subscribe, unsubscribe } from 'node:diagnostics_channel'
  const stop = () => {
    unsubscribe('worker_threads', stop)
    process.kill(process.pid, 'SIGSTOP')
  }
  subscribe('worker_threads', stop)
`)}`
const names = async ({ space, path }: Share) => (await space.run('ls -A "$1"', path)).trim()
/** But for the moment in which a heartbeat finds out whose device that is. */
const isEmptyBelow = (share: Share) => vi.waitFor(async () => expect(await names(share)).toBe(''), PATIENCE)

describe.each(KINDS)('$kind', ({ locker }) => {
  test('a share can be unmounted while a lock is held and waited for; the holder is told when its lease is over', async () => {
    const share = await imageShare()
    const path = join(share.path, 'lock')
    const [holder, waiter] = await Promise.all([
      Agent.start({ locker: { ...locker, ...PATIENT }, on: share.space }),
      Agent.start({ locker: { ...locker, ...PATIENT }, on: share.space }),
    ])
    const held = await holder.acquire(path)
    expect(await waiter.tryAcquire(path)).toBeNull()
    const waiting = waiter.refusal(path, 'acquire', 10_000)
    const before = performance.now()
    await unmount(share)
    const after = performance.now()
    const { error } = await held.lost()
    expect(error).toMatchObject({ name: 'LockLostError', code: 'LOCK_LOST' })
    // Not before what was left of the lease, not later than a whole one and a second's watch.
    expect(performance.now() - before).toBeGreaterThan(PATIENT.timeoutIntervalMs / 2)
    expect(performance.now() - after).toBeLessThan(PATIENT.timeoutIntervalMs + 1000)
    expect(await held.status()).toMatchObject({ held: false, asserted: { code: 'LOCK_LOST' } })
    expect(await held.release()).toEqual({ lost: true })
    expect((await waiting).code).toMatch(/MOUNT_CHANGED|LOCK_TIMEOUT/)
    await isEmptyBelow(share)
  })

  test.each(['tryAcquire', 'acquire', 'tryAcquireSync', 'acquireSync'] as const)(
    '%s refuses the disk below an unmounted share, where it creates nothing',
    async (call) => {
      const share = await imageShare()
      const path = join(share.path, 'lock')
      const [idle, holding] = await Promise.all([
        Agent.start({ locker, on: share.space }),
        Agent.start({ locker, on: share.space }),
      ])
      // One knows the lock from before, and would need no look at the directory to acquire it again.
      await (await idle.acquire(path)).release()
      await holding.acquire(join(share.path, 'other'))
      await unmount(share)
      for (const agent of [idle, holding]) {
        const error = await agent.refusal(path, call, 1000)
        expect(error).toMatchObject({ name: 'MountChangedError', code: 'MOUNT_CHANGED' })
        expect(await agent.refusal(join(share.path, 'new'), call, 1000)).toMatchObject({ code: 'MOUNT_CHANGED' })
      }
      await isEmptyBelow(share)

      await share.mount()
      const again = await idle.acquire(path)
      expect(await holding.tryAcquire(path)).toBeNull()
      expect(await again.release()).toEqual({ lost: false })
    },
  )

  test('a share that is unmounted in the middle of a first acquisition leaves nothing on the disk below', async () => {
    const share = await imageShare()
    const path = join(share.path, 'lock')
    const agent = await Agent.start({ locker, on: share.space, env: { NODE_OPTIONS: `--import=${STANDS_STILL_AT_THREAD}` } })
    // It has seen the share, and stands still while its heartbeat thread starts.
    await agent.inspect(path)
    const refused = agent.refusal(path, 'acquire', 20_000)
    await processState(agent.pid, 'T')
    await unmount(share)
    agent.kill('SIGCONT')
    expect(await refused).toMatchObject({ code: 'MOUNT_CHANGED' })
    await isEmptyBelow(share)
  })

  test('a share that is back within the lease has lost nothing: the lock is still held', async () => {
    const share = await imageShare()
    const path = join(share.path, 'lock')
    const patient = { ...locker, ...PATIENT }
    const [holder, rival] = await Promise.all([
      Agent.start({ locker: patient, on: share.space }),
      Agent.start({ locker: patient, on: share.space }),
    ])
    const held = await holder.acquire(path)
    expect(await rival.tryAcquire(path)).toBeNull()
    await unmount(share)
    await outlast(3 * BRISK.refreshRateMs) // some heartbeats fail
    await share.mount()
    // Longer than the lease of the last heartbeat before: the next ones did count.
    expect(await rival.refusal(path, 'acquire', 6000)).toMatchObject({ code: 'LOCK_TIMEOUT' })
    expect(await held.status()).toMatchObject({ held: true, aborted: false })
    expect(await held.release()).toEqual({ lost: false })
    expect((await rival.acquire(path)).token).toBeGreaterThan(held.token)
  })
})

describe.each(KINDS)('a lock directory that is mounted by itself, in another directory, $kind:', ({ locker }) => {
  /** Where it lies, and where it is mounted in a space of its own. */
  async function mountedByItself() {
    const [there, elsewhere] = [join(await temporaryFolder(), 'lock'), join(await temporaryFolder(), 'lock')]
    await mkdir(elsewhere)
    const space = await privateMounts()
    const [near, far] = await Promise.all([Agent.start({ locker }), Agent.start({ locker, on: space })])
    await (await near.acquire(there)).release()
    await space.run('mount --bind "$1" "$2"', there, elsewhere)
    return { space, near, far, there, elsewhere }
  }

  test('its holder, which is found where it lies, keeps it from all that see it at the other place', async () => {
    const { space, near, far, there, elsewhere } = await mountedByItself()
    const held = await near.acquire(there)
    // The record behind a hard link is read without the directory around it: the lock is simply held.
    if (locker === KINDS[0].locker) expect(await far.tryAcquire(elsewhere)).toBeNull()
    else expect(await far.refusal(elsewhere, 'tryAcquire')).toMatchObject({ code: 'CROSS_DEVICE', errno: 'EXDEV' })
    const program = join(import.meta.dirname, '../../bin/locktester')
    await space.run('"$1" prune --older-than 0 "$2"', program, elsewhere)
    await space.run('! "$1" run "$2" --no-wait --lock-type advisory -- true', program, elsewhere)
    expect(await held.release()).toEqual({ lost: false })
  })

  test('it is not acquired at the other place, where no judge would find the holder', async () => {
    const { far, there, elsewhere, near } = await mountedByItself()
    for (const call of ['tryAcquire', 'tryAcquireSync'] as const)
      expect((await far.refusal(elsewhere, call)).message).toContain('is a mount of its own')
    expect(await (await near.acquire(there)).release()).toEqual({ lost: false })
  })
})
