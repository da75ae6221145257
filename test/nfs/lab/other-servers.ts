/**
 * Servers beside the kernel's: Samba, NFS-Ganesha, MooseFS and Ceph, from Debian's packages. Their trees stay on this machine, and a
 * guest sees them as it sees its own root: in User-mode Linux only.
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
function treeOf(kind: string, ...names: readonly string[]): string {
  const finish = (root: string) => {
    for (const directory of DIRECTORIES) mkdirSync(join(root, directory), { recursive: true })
  }
  return cachedTree({ kind, packages: withDependencies(...names), recipe: [String(RECIPE)], finish })
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

const mooseFs = () => treeOf('moosefs', 'moosefs-master', 'moosefs-chunkserver', 'moosefs-client')

/** A master and one chunkserver, beside the kernel's NFS server: they need {@link MOOSEFS_SERVER_MB}. @throws LabError */
export async function startMooseFs(lab: LabClient): Promise<void> {
  await lab.exec('server', `sh ${GUEST_SCRIPTS}/moosefs.sh ${mooseFs()} ${ADDRESSES.server}`, { msMax: START_MS_MAX })
}

/** With 384 MB, as a node has, its kernel ended other programs for want of memory; the master alone takes some 300 MB. */
export const MOOSEFS_SERVER_MB = 1024

/** `options`: as for mfsmount(8). @throws LabError */
export async function mountMooseFs(lab: LabClient, node: NodeName, at: string, options: string): Promise<void> {
  const command = `sh ${GUEST_SCRIPTS}/mfsmount.sh ${mooseFs()} ${at} ${ADDRESSES.server} ${options}`
  await lab.exec(node, command, { msMax: START_MS_MAX })
}

/** Its monitor, OSD and mds take some 100 MB together; the objects, which are in memory, and the programs' files the rest. */
export const CEPH_SERVER_MB = 1024
/** Each of a dozen steps starts a program of some hundred MB through the host's file system. */
const CEPH_START_MS_MAX = 400_000

/** Its mds gives a silent node up after the least session_timeout that is allowed, which it looks at every 5 s. */
export const CEPH_KEPT_MS = 35_000

/** A cluster of one, beside the kernel's NFS server: it needs {@link CEPH_SERVER_MB}. @throws LabError */
export async function startCeph(lab: LabClient): Promise<void> {
  const tree = treeOf('ceph', 'ceph-mon', 'ceph-osd', 'ceph-mds', 'ceph-common')
  await lab.exec('server', `sh ${GUEST_SCRIPTS}/ceph.sh ${tree} ${ADDRESSES.server}`, { msMax: CEPH_START_MS_MAX })
}

/** @throws LabError */
export async function mountCephFs(lab: LabClient, node: NodeName, at: string): Promise<void> {
  await lab.exec(node, `sh ${GUEST_SCRIPTS}/cephfs.sh ${at} ${ADDRESSES.server}`, { msMax: START_MS_MAX })
}

/** @throws LabError */
export async function mountSmb(lab: LabClient, node: NodeName, at: string, options: string): Promise<void> {
  await lab.exec(node, `sh ${GUEST_SCRIPTS}/cifs.sh ${at} ${ADDRESSES.server} ${options}`, { msMax: START_MS_MAX })
}
