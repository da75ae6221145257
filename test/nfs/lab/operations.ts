/** What can be done to a lab beyond starting and stopping its machines: mounts, the network, clocks. */

import type { LabClient } from './client.js'
import type { NodeName } from './messages.js'
import { ADDRESSES } from './root-file-system.js'

export type NfsVersion = '3' | '4.1' | '4.2'

/**
 * `share` is an ordinary one; `small` holds 256 KiB; `quota` maps all users to one, which may have as much; `squashed` maps root
 * to `nobody`; `coarse` has time stamps of whole seconds.
 */
export type ExportName = 'share' | 'small' | 'quota' | 'readonly' | 'squashed' | 'coarse'

export interface MountOptions {
  version: NfsVersion
  /** As for mount(8), see nfs(5): "actimeo=60,nolock". */
  options?: string
  from?: ExportName
}

/** Mounts an export on a node, unless something is mounted there. @throws LabError */
export async function mount(lab: LabClient, node: NodeName, at: string, mountOptions: MountOptions): Promise<void> {
  const { version, options = '', from = 'share' } = mountOptions
  // Version 4 sees one tree, whose root is exported; version 3 names the directory on the server.
  const path = version === '3' ? `/srv/${from}` : `/${from}`
  const all = [`vers=${version}`, 'proto=tcp', options].filter(Boolean).join(',')
  await lab.exec(node, `grep -q ' ${at} ' /proc/mounts || { mkdir -p ${at} && mount.nfs server:${path} ${at} -o ${all}; }`)
}

/** At once, or when the last user has gone: `lazy`. */
export async function unmount(lab: LabClient, node: NodeName, at: string, { lazy = false } = {}): Promise<void> {
  await lab.exec(node, `umount ${lazy ? '-l' : ''} ${at}`)
}

/** All that is mounted from an NFS server: before another server takes its place. Its users may have gone with it, or not. */
export async function unmountNfs(lab: LabClient, node: NodeName): Promise<void> {
  await lab.exec(node, "for at in $(sed -n 's/^[^ ]* \\([^ ]*\\) nfs4* .*/\\1/p' /proc/mounts); do umount -l $at; done")
}

/** An address that no machine has: what is sent there is lost in silence, as behind a dead switch. */
const NOWHERE = '02:00:00:00:00:99'

/** Cuts the network between a node and the server. Neither is told; the lab still reaches both. */
export async function cut(lab: LabClient, node: NodeName): Promise<void> {
  await lab.exec('server', `arp -s ${ADDRESSES[node]} ${NOWHERE}`)
  await lab.exec(node, `arp -s ${ADDRESSES.server} ${NOWHERE}`)
}

export async function heal(lab: LabClient, node: NodeName): Promise<void> {
  await lab.exec('server', `arp -d ${ADDRESSES[node]}`)
  await lab.exec(node, `arp -d ${ADDRESSES.server}`)
}

/** Sets a machine's wall clock so many seconds ahead of where it is (or behind). */
export async function skew(lab: LabClient, node: NodeName, seconds: number): Promise<void> {
  await lab.exec(node, `date -s @$(( $(date +%s) + ${seconds} ))`)
}

/** Stops the server as if its power had failed, and starts it again; its clients may reclaim what they held. */
export async function restartServer(lab: LabClient, { downMs = 0 } = {}): Promise<void> {
  await lab.machine('kill', 'server')
  await new Promise((resolve) => setTimeout(resolve, downMs))
  await lab.machine('start', 'server', { recover: true })
}
