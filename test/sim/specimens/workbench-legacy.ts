/**
 * The legacy form, 2021 to the middle of 2026. Its races are kept: two that find the lock stale can both hold it, and what is
 * released, refreshed or reaped is whatever lies at the path by then.
 */

import type { Reply, Stamp } from '../../../src/protocol/operations.js'
import type { Program } from '../process.js'
import {
  baseOf,
  contents,
  directoryOf,
  follow,
  type Form,
  type Holding,
  isOld,
  isProcess,
  list,
  remove,
  type Session,
  status,
  TAG,
  wallMs,
} from './workbench.js'

const PREFIX = `.rstudio-lock-${TAG}`
const proxyOf = ({ path, host, pid }: Session) => `${directoryOf(path)}/${PREFIX}-${host}-${pid}-7f3a`

function* isStale(path: string, { isLoadBalanced, timeoutMs }: Session): Program<boolean> {
  const found = yield* follow(path)
  if (found === 'dangling') return true
  if (!isLoadBalanced && found !== null) {
    const pid = Number((yield* contents(found.real))?.trim() || Number.NaN)
    if (!Number.isInteger(pid) || !(yield* isProcess(pid))) return true
  }
  return yield* isOld(found === null ? 0 : found.status.modifiedMs, timeoutMs)
}

/** By name, whatever that is by now: a directory with all that is in it. */
function* removeAny(path: string): Program<void> {
  const found = yield* status(path)
  if (found === null) return
  if (found.type === 'directory') {
    for (const name of yield* list(path)) yield* removeAny(`${path}/${name}`)
    yield { op: 'rmdir', path }
    return
  }
  if (found.type === 'symlink') {
    const link = (yield { op: 'readlink', path }) as Reply<string>
    if (link.ok) yield* remove(link.value)
  }
  yield* remove(path)
}

function* publish(session: Session, proxy: string): Program<boolean> {
  const { path, useSymlinks, pid } = session
  if (useSymlinks && (yield* follow(path)) === 'dangling') yield* remove(path)
  const linked = (
    useSymlinks ? yield { op: 'symlink', target: proxy, path } : yield { op: 'link', from: proxy, to: path }
  ) as Reply<void>
  if (!linked.ok) {
    // A second way, which never ends with the lock: a defect of theirs.
    yield { op: 'create', path, text: String(pid), mode: 0o755 }
    return false
  }
  if (useSymlinks) {
    const link = (yield { op: 'readlink', path }) as Reply<string>
    return link.ok && link.value === proxy
  }
  const own = yield* status(proxy)
  yield* remove(proxy)
  return own?.links === 2
}

export const legacy: Form = {
  *acquire(session): Program<Holding | null> {
    const { path, pid } = session
    const found = yield* follow(path)
    if (found !== null && found !== 'dangling') {
      if (!(yield* isStale(path, session))) return null
      yield* removeAny(path)
    }
    const proxy = proxyOf(session)
    yield* removeAny(proxy)
    const made = (yield { op: 'create', path: proxy, text: String(pid), mode: 0o644 }) as Reply<Stamp>
    if (!made.ok || !(yield* publish(session, proxy))) return null
    for (const name of yield* list(directoryOf(path))) {
      const beside = `${directoryOf(path)}/${name}`
      const isOwn = beside === proxy || name === baseOf(path)
      if (name.startsWith(PREFIX) && !isOwn && (yield* isStale(beside, session))) yield* removeAny(beside)
    }
    return { owner: proxy, file: 0 }
  },

  *refresh({ path }): Program {
    const found = yield* follow(path)
    if (found === null || found === 'dangling') return
    yield { op: 'utimes', path: found.real, modifiedMs: Math.floor((yield* wallMs()) / 1000) * 1000 }
  },

  *release({ path }): Program {
    yield* removeAny(path)
  },
}
