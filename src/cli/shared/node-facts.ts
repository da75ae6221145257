/** Who this node says it is, and what its configuration says. */

import { existsSync, readFileSync } from 'node:fs'
import type { LoadedConfig } from '../../config/load.js'
import { printable } from '../../log/printable.js'
import { ownIdentity } from './identity.js'
import { type Finding, fine, trouble } from '../doctor/finding.js'

/** The pid namespace that sees every process of a machine has this fixed number (PROC_PID_INIT_INO). */
const INITIAL_PID_NAMESPACE = 'pid:[4026531836]'

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

export function nodeFindings({ host, bootId, container, uid, user }: NodeFacts): Finding[] {
  const findings = [fine('IDENTITY', `${printable(host)}, as ${user ?? 'uid'} (uid ${uid}), Node ${process.versions.node}`)]
  if (/^(localhost|localhost\..*|\(none\))$/.test(host)) {
    const breaks = 'Holders of locks are named so: nobody can tell which node it is.'
    findings.push(
      trouble('warning', 'HOST_NAME', `This node calls itself ${host}`, breaks, 'Give each node a host name of its own.'),
    )
  }
  if (bootId === null) {
    const breaks = 'Dead processes of this host are found out by watching only, for a timeout-interval.'
    findings.push(trouble('note', 'NO_BOOT_ID', 'This platform has no boot id', breaks))
  }
  if (container !== null) findings.push(containerFinding(container))
  return findings
}

export function configurationFindings({ file, found, diagnostics }: LoadedConfig): Finding[] {
  const state = found ? 'is clean' : 'does not exist: the defaults are in force'
  if (diagnostics.length === 0) return [fine('CONFIGURATION', `${printable(file)} ${state}`)]
  return diagnostics.map(({ severity, code, message, line, column }) => {
    const where = line === 0 ? '' : `:${line}:${column}`
    const breaks =
      severity === 'error' ? 'Nodes that read it differently do not exclude each other.' : 'Locks may be lost without need.'
    return trouble(severity, `CONFIG_${code}`, `${printable(file)}${where}: ${message}`, breaks, 'Correct the file.')
  })
}

function containerFinding(container: string): Finding {
  const seen = `This is a container (${container})`
  if (ownIdentity().pidNamespace === INITIAL_PID_NAMESPACE) return fine('CONTAINER', `${seen} that sees all processes`)
  const breaks = 'To processes outside it is another node: a dead holder is taken over after a timeout-interval.'
  return trouble('note', 'CONTAINER', seen, breaks)
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
