/**
 * Servers beside the kernel's: Samba and NFS-Ganesha, from Debian's packages. Their trees stay on this machine, and a guest sees
 * them as it sees its own root: in User-mode Linux only.
 */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { cachedTree } from './cached-tree.js'
import type { LabClient } from './client.js'
import type { NodeName } from './messages.js'
import { withDependencies } from './packages.js'
import { ADDRESSES } from './root-file-system.js'

/** Changes when this file builds something else from the same packages. */
const RECIPE = 1
const DIRECTORIES = ['dev', 'etc', 'proc', 'root', 'run', 'srv', 'sys', 'tmp', 'var']
/** A guest reads what it runs through the host's file system, and starts up to a dozen processes. */
const START_MS_MAX = 120_000

const GUEST_SCRIPTS = '/repo/test/nfs/lab/guest'

/** Builds it on first use, which downloads some 60 MB. @throws LabError */
function treeOf(kind: string, name: string): string {
  const finish = (root: string) => {
    for (const directory of DIRECTORIES) mkdirSync(join(root, directory), { recursive: true })
  }
  return cachedTree({ kind, packages: withDependencies(name), recipe: [String(RECIPE)], finish })
}

/** Serves `share` of the server as `//server/share`, beside the kernel's NFS server. @throws LabError */
export async function startSamba(lab: LabClient): Promise<void> {
  await lab.exec('server', `sh ${GUEST_SCRIPTS}/samba.sh ${treeOf('samba', 'samba')}`, { msMax: START_MS_MAX })
}

/** Serves `share` in the place of the kernel's server, until the server boots again. @throws LabError */
export async function startGanesha(lab: LabClient, { leaseS }: { leaseS: number }): Promise<void> {
  const tree = treeOf('ganesha', 'nfs-ganesha-vfs')
  await lab.exec('server', `sh ${GUEST_SCRIPTS}/ganesha.sh ${tree} ${leaseS}`, { msMax: START_MS_MAX })
}

/** As if its power had failed. Started again, it lets its clients reclaim what they held. @throws LabError */
export async function killGanesha(lab: LabClient): Promise<void> {
  await lab.exec('server', 'killall -9 ganesha.nfsd')
}

/** @throws LabError */
export async function mountSmb(lab: LabClient, node: NodeName, at: string, options: string): Promise<void> {
  await lab.exec(node, `sh ${GUEST_SCRIPTS}/cifs.sh ${at} ${ADDRESSES.server} ${options}`, { msMax: START_MS_MAX })
}
