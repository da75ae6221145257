/**
 * What mount options mean for locks: a table, and no I/O, so it answers for a dead mount too. Sources: nfs(5), mount.cifs(8),
 * fuse(8), mount.lustre(8), virtiofsd(1).
 */

import { printable } from '../../log/printable.js'
import type { Mount } from '../mounts.js'
import { type Finding, fine, trouble } from './finding.js'

/** Which advisory locks other nodes do not see, by the options alone. */
export interface LocalLocks {
  flock: boolean
  fcntl: boolean
}

interface Rule {
  /** The file system types that it is about. */
  types: RegExp
  /** The option, or `null`: the type alone says it. */
  option: RegExp | null
  severity: 'note' | 'warning' | 'error'
  code: string
  breaks: string
  remedy: string | null
  local?: 'flock' | 'fcntl' | 'both'
}

const NFS = /^nfs4?$/
const SMB = /^(cifs|smb3|smbfs)$/
const OBJECT_STORES = 's3fs|gcsfuse|blobfuse2?|mount-s3|goofys|rclone'
/** FUSE file systems that pass locks on to their servers. */
const FUSE_WITH_LOCKS = 'glusterfs|ceph|ceph-fuse|juicefs|moosefs|mfs|seaweedfs'

const NODE_ONLY = 'other nodes do not see them, so two nodes can hold the same lock.'
const LINKS_INSTEAD = 'Use lock-type=linkbased, or mount without this option on every node.'

const RULES: readonly Rule[] = [
  {
    types: /./,
    option: /^ro$/,
    severity: 'error',
    code: 'READ_ONLY',
    breaks: 'Nothing can be locked: every kind of lock writes.',
    remedy: 'Mount it read-write.',
  },
  {
    types: NFS,
    option: /^(nolock|local_lock=all)$/,
    severity: 'error',
    code: 'ADVISORY_LOCAL',
    breaks: `flock and fcntl locks stay on this node: ${NODE_ONLY}`,
    remedy: LINKS_INSTEAD,
    local: 'both',
  },
  {
    types: NFS,
    option: /^local_lock=flock$/,
    severity: 'error',
    code: 'FLOCK_LOCAL',
    breaks: `flock locks stay on this node: ${NODE_ONLY}`,
    remedy: LINKS_INSTEAD,
    local: 'flock',
  },
  {
    types: NFS,
    option: /^local_lock=posix$/,
    severity: 'error',
    code: 'FCNTL_LOCAL',
    breaks: `fcntl locks stay on this node: ${NODE_ONLY}`,
    remedy: LINKS_INSTEAD,
    local: 'fcntl',
  },
  {
    types: NFS,
    option: /^(nfs)?vers=[23](\.|$)/,
    severity: 'note',
    code: 'NFS_V3',
    breaks: 'Advisory locks need rpc.statd here and on the server, and a node that died keeps its locks until it boots again.',
    remedy: 'Prefer vers=4.1 or later for lock-type=advisory; lock-type=linkbased does not care.',
  },
  {
    types: NFS,
    option: /^soft(err|reval)?$/,
    severity: 'warning',
    code: 'SOFT_MOUNT',
    breaks:
      'When the server is slow, operations fail instead of waiting: heartbeats fail and locks are given up, and writes of other programs can be lost.',
    remedy: 'Mount with hard, or raise timeo and retrans.',
  },
  {
    types: NFS,
    option: /^nocto$/,
    severity: 'warning',
    code: 'NO_CLOSE_TO_OPEN',
    breaks:
      'An opened file may show old contents for up to acregmax: a dead holder is taken over that much later, and data that a lock protects may be read stale.',
    remedy: 'Mount without nocto.',
  },
  {
    types: NFS,
    option: /^(noac|actimeo=0)$/,
    severity: 'note',
    code: 'NO_ATTRIBUTE_CACHE',
    breaks: 'Every look at a file asks the server; locks are none the safer for it.',
    remedy: 'Unless other programs need it, mount without it.',
  },
  {
    types: NFS,
    option: /^lookupcache=(pos|positive|none)$/,
    severity: 'note',
    code: 'LOOKUP_CACHE',
    breaks: 'Names are asked for more often than by default; locks do not need it.',
    remedy: null,
  },
  {
    types: NFS,
    option: /^fsc$/,
    severity: 'warning',
    code: 'DISK_CACHE',
    breaks:
      'File contents are kept in a local cache: what a lock protects is written through, but check that your workload expects it.',
    remedy: 'Mount without fsc where nodes share data under locks.',
  },
  {
    types: SMB,
    option: /^(nobrl|nolock)$/,
    severity: 'error',
    code: 'ADVISORY_LOCAL',
    breaks: `flock and fcntl locks stay on this node: ${NODE_ONLY}`,
    remedy: LINKS_INSTEAD,
    local: 'both',
  },
  {
    types: SMB,
    option: /^cache=loose$/,
    severity: 'warning',
    code: 'LOOSE_CACHE',
    breaks:
      'This node keeps contents that other nodes have changed: heartbeats of others may seem to stand still, and data to be old.',
    remedy: 'Mount with cache=strict.',
  },
  {
    types: SMB,
    option: /^mfsymlinks$/,
    severity: 'note',
    code: 'EMULATED_SYMLINKS',
    breaks: 'Symbolic links are ordinary files in disguise here, written in more than one step.',
    remedy: 'Prefer use-symlinks=0 where hard links work.',
  },
  {
    types: SMB,
    option: null,
    severity: 'note',
    code: 'SMB',
    breaks: 'On SMB, hard links depend on the server, and advisory locks become mandatory ones that block reading.',
    remedy: 'Believe `locktester nodes` and not the manual.',
  },
  {
    types: new RegExp(`^fuse\\.(${OBJECT_STORES})$`),
    option: null,
    severity: 'error',
    code: 'OBJECT_STORE',
    breaks:
      'An object store has neither hard links nor an atomic rename or exclusive create: no lock on it excludes other nodes.',
    remedy: 'Put locks on NFS or another real file system.',
    local: 'both',
  },
  {
    types: /^fuse\.sshfs$/,
    option: null,
    severity: 'warning',
    code: 'SSHFS',
    breaks: 'flock and fcntl locks stay on this node, and names and attributes are cached without regard for other nodes.',
    remedy: 'Use it for single nodes only, or mount the share with NFS.',
    local: 'both',
  },
  {
    types: new RegExp(`^fuse\\.(?!(${FUSE_WITH_LOCKS}|${OBJECT_STORES}|sshfs|fuse-overlayfs|encfs)$)`),
    option: null,
    severity: 'warning',
    code: 'FUSE',
    breaks: 'Whether locks and links reach other nodes depends on the program behind this FUSE file system.',
    remedy: 'Ask its documentation, then prove it with `locktester nodes`.',
  },
  {
    types: /^(overlay|aufs|fuse\.fuse-overlayfs)$/,
    option: null,
    severity: 'warning',
    code: 'OVERLAY',
    breaks:
      'This is the own layer of a container: no other container or node sees what is in it, and it ends with the container.',
    remedy: 'Mount a volume on the shared file system, and put the locks there.',
  },
  {
    types: /^lustre$/,
    option: /^localflock$/,
    severity: 'error',
    code: 'ADVISORY_LOCAL',
    breaks: `flock and fcntl locks stay on this node: ${NODE_ONLY}`,
    remedy: 'Mount with flock on every node, or use lock-type=linkbased.',
    local: 'both',
  },
  {
    types: /^(gfs2|ocfs2)$/,
    option: /^localflocks$/,
    severity: 'error',
    code: 'ADVISORY_LOCAL',
    breaks: `flock and fcntl locks stay on this node: ${NODE_ONLY}`,
    remedy: LINKS_INSTEAD,
    local: 'both',
  },
  {
    types: /^virtiofs$/,
    option: null,
    severity: 'note',
    code: 'VIRTIOFS',
    breaks: 'Unless virtiofsd was started to pass them on, flock and fcntl locks stay inside this virtual machine.',
    remedy: 'Prove it with `locktester nodes`.',
  },
  {
    types: /^autofs$/,
    option: null,
    severity: 'note',
    code: 'AUTOMOUNT',
    breaks: 'Nothing is mounted here yet: the first use mounts it.',
    remedy: 'Name a directory inside.',
  },
]

export function mountFindings(mount: Mount | null): Finding[] {
  if (mount === null) {
    return [trouble('note', 'NO_MOUNT_TABLE', 'There is no mount table here', 'The options of the mount are unknown.')]
  }
  const { type, source, mountPoint, reach } = mount
  const about = `${printable(type)} (${reach}), ${printable(source)} on ${printable(mountPoint)}`
  const findings = [fine('FILE_SYSTEM', about)]
  if (reach === 'local' && !RULES.some(({ types, code }) => code === 'OVERLAY' && types.test(type))) {
    const remedy = 'Name a directory on the shared mount; if this should be one, it is not mounted.'
    findings.push(
      trouble(
        'warning',
        'LOCAL_DISK',
        `${type} is a local file system`,
        'Other nodes cannot see it: locks here exclude this node only.',
        remedy,
      ),
    )
  }
  return [
    ...findings,
    ...matches(mount).map(([rule, seen]) => trouble(rule.severity, rule.code, seen, rule.breaks, rule.remedy)),
    ...cacheFindings(mount),
  ]
}

/** By the options alone; what the mount really does only another node can tell. */
export function localLocks(mount: Mount | null): LocalLocks {
  const kinds = mount === null ? [] : matches(mount).map(([{ local }]) => local)
  return {
    flock: kinds.includes('flock') || kinds.includes('both'),
    fcntl: kinds.includes('fcntl') || kinds.includes('both'),
  }
}

function matches({ type, options }: Mount): [Rule, seen: string][] {
  return RULES.filter(({ types }) => types.test(type)).flatMap((rule): [Rule, string][] => {
    if (rule.option === null) return [[rule, `File system type ${printable(type)}`]]
    const option = options.find((each) => rule.option?.test(each))
    return option === undefined ? [] : [[rule, `Mount option ${printable(option)}`]]
  })
}

/** The defaults of nfs(5), in seconds. */
const NFS_CACHE = { acregmin: 3, acregmax: 60, acdirmin: 30, acdirmax: 60 }

/** How old the attributes of files and directories of others may be, at most. */
function cacheFindings({ type, options }: Mount): Finding[] {
  if (!NFS.test(type) || options.includes('noac') || options.includes('actimeo=0')) return []
  const secondsOf = (name: keyof typeof NFS_CACHE) => {
    const given = options.find((option) => option.startsWith(`${name}=`) || option.startsWith('actimeo='))
    return given === undefined ? NFS_CACHE[name] : Number(given.slice(given.indexOf('=') + 1))
  }
  const seen = `Attributes are cached: of files for ${secondsOf('acregmin')} to ${secondsOf('acregmax')} s, of directories for ${secondsOf('acdirmin')} to ${secondsOf('acdirmax')} s`
  const means =
    'What other nodes changed may be seen that much later. Locks of this package ask the server where it matters; other programs do not.'
  return [trouble('note', 'ATTRIBUTE_CACHE', seen, means)]
}
