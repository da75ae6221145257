/** The identity that this node gives itself, and what its configuration says. */

import type { LoadedConfig } from '../../config/load.js'
import { printable } from '../../log/printable.js'
import { ownIdentity, person } from '../shared/identity.js'
import { INITIAL_PID_NAMESPACE, type NodeFacts } from '../shared/node-facts.js'
import { type Finding, fine, trouble } from './finding.js'

export function nodeFindings({ host, bootId, container, uid, user }: NodeFacts): Finding[] {
  const findings = [fine('IDENTITY', `${printable(host)}, as ${person({ user, uid })}, Node ${process.versions.node}`)]
  if (/^(localhost|localhost\..*|\(none\))$/.test(host)) {
    const breaks = 'Holders of locks are named so, and it cannot be told which node it is.'
    findings.push(
      trouble('warning', 'HOST_NAME', {
        seen: `This node calls itself ${host}`,
        breaks,
        remedy: 'Give each node a host name of its own.',
      }),
    )
  }
  if (bootId === null) {
    const breaks = 'Dead processes of this host are found out by watching only, for a timeout-interval.'
    findings.push(trouble('note', 'NO_BOOT_ID', { seen: 'This platform has no boot id', breaks }))
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
    return trouble(severity, `CONFIG_${code}`, {
      seen: `${printable(file)}${where}: ${message}`,
      breaks,
      remedy:
        code === 'UNREADABLE'
          ? 'Let this user read it (namei -l shows what is in the way), or name another file.'
          : 'Correct the file.',
    })
  })
}

function containerFinding(container: string): Finding {
  const seen = `This is a container (${container})`
  if (ownIdentity().pidNamespace === INITIAL_PID_NAMESPACE) return fine('CONTAINER', `${seen} that sees all processes`)
  const breaks = 'To processes outside it is another node: a dead holder is taken over after a timeout-interval.'
  return trouble('note', 'CONTAINER', { seen, breaks })
}
