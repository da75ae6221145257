/** The identity that this node gives itself. */

import { existsSync, readFileSync } from 'node:fs'
import { ownIdentity } from './identity.js'

/** The pid namespace that sees every process of a machine has this fixed number (PROC_PID_INIT_INO). */
export const INITIAL_PID_NAMESPACE = 'pid:[4026531836]'

export interface NodeFacts {
  host: string
  bootId: string | null
  /** What kind of container this is; `null` for none that can be told. */
  container: string | null
  uid: number
  user: string | null
}

export function nodeFacts(): NodeFacts {
  const { host, bootId, uid, user } = ownIdentity()
  return { host, bootId, container: containerKind(), uid, user }
}

function containerKind(): string | null {
  if (process.env.KUBERNETES_SERVICE_HOST !== undefined) return 'Kubernetes'
  if (existsSync('/.dockerenv')) return 'Docker'
  if (existsSync('/run/.containerenv')) return 'Podman'
  const groups = readText('/proc/1/cgroup')
  const [kind] = /docker|kubepods|containerd|lxc|libpod/.exec(groups) ?? []
  if (kind !== undefined) return kind
  const { pidNamespace } = ownIdentity()
  return pidNamespace !== null && pidNamespace !== INITIAL_PID_NAMESPACE ? 'a process namespace of its own' : null
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
