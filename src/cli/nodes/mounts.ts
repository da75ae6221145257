/** What the mounts of the nodes are, and what their options say about locks: why a kind of lock may fail to exclude. */

import { mountFindings } from '../doctor/mount-rules.js'
import { fileSystemText, type MountProfile } from '../shared/mounts.js'

interface Mounted {
  readonly name: string
  readonly mount: MountProfile | null
}

/**
 * Nodes that have mounted it alike share their lines. Of local disks, and where a node does not tell, there is nothing to say.
 */
export function mountLines(nodes: readonly Mounted[]): string[] {
  const names = new Map<string, string[]>()
  for (const { name, mount } of nodes) {
    if (mount === null || mount.reach === 'local') continue
    const text = [`: ${fileSystemText(mount)}`, ...remarks(mount)].join('\n')
    names.set(text, [...(names.get(text) ?? []), name])
  }
  const lines = [...names].flatMap(([text, of]) => `${of.join(', ')}${text}`.split('\n'))
  return lines.length === 0 ? [] : [...lines, '']
}

/** What matters between nodes: not how old attributes may be, which our locks do not mind. */
function remarks(mount: MountProfile): string[] {
  return mountFindings(mount)
    .filter(({ severity, code }) => severity === 'error' || severity === 'warning' || code === 'UNKNOWN')
    .map(
      ({ severity, seen, breaks, remedy }) =>
        `  ${severity}: ${[`${seen}.`, breaks, remedy].filter((text) => text !== null).join(' ')}`,
    )
}
