/**
 * What is known of file systems: how each is recognised, and what its vendor says about links, advisory locks and caches. One
 * table: the library, `doctor`, `nodes` and docs/file-systems.md take what they say from it. Pure, and no I/O.
 *
 * A fact has its source beside it. What no source says is {@link UNKNOWN}, and never "ok": only `locktester nodes` proves that
 * locks exclude between nodes.
 */

export const UNKNOWN = 'unknown: prove it with locktester nodes'

/** Whether other nodes can see it. */
export type Reach = 'shared' | 'local' | 'unknown'

export interface FileSystem {
  /** Stable, for programs and for the table of errors. */
  readonly id: string
  /** As in docs/file-systems.md. */
  readonly title: string
  readonly reach: Reach
  /** Hard and symbolic links. */
  readonly links: string
  /** flock and fcntl. */
  readonly advisory: string
  /** How old may be what a node sees. */
  readonly caches: string
  /** Where that is from. */
  readonly source: string
  /** How it is recognised in the kernel's mount table; `null`: not at all, it looks like any NFS server. */
  readonly type: RegExp | null
  /** If absent, any source. */
  readonly mountSource?: RegExp
  /** The source by which it is known where the kernel calls it no more than `fuse`. */
  readonly fuseSource?: RegExp
  /** If present, an option that it must have. */
  readonly option?: RegExp
}

/** What the kernel's mount table says of a mount. */
export interface MountedAs {
  readonly type: string
  readonly source: string
  readonly options: readonly string[]
}

const NFS_CACHES = 'attributes of files 3 to 60 s, of directories 30 to 60 s; open asks the server'
const MAN_NFS = 'nfs(5)'
const SHARES_ONE_LOCK = 'flock and fcntl exclude each other and other nodes'
const OBJECTS = 'no hard links, no exclusive create, rename is a copy'
const NO_LOCKS = 'none between nodes'

const row = (
  [id, title, reach]: readonly [id: string, title: string, reach: Reach],
  type: RegExp | null,
  [links, advisory, caches, source]: readonly [links: string, advisory: string, caches: string, source: string],
  more: Pick<FileSystem, 'mountSource' | 'fuseSource' | 'option'> = {},
): FileSystem => ({ id, title, reach, type, links, advisory, caches, source, ...more })

const NOTHING_KNOWN = [UNKNOWN, UNKNOWN, UNKNOWN] as const
const NFS = /^nfs4?$/
const SMB = /^(cifs|smb3|smbfs)$/

/** The first that fits is the one. */
export const FILE_SYSTEMS: readonly FileSystem[] = [
  row(
    ['efs', 'Amazon EFS', 'shared'],
    NFS,
    [
      'hard links, at most 177 of a file; symbolic links',
      'at most 8,192 locks of a mount, on 256 pairs of file and process',
      NFS_CACHES,
      'Amazon EFS User Guide, "Quotas" and "Troubleshooting file operation errors"',
    ],
    { mountSource: /^fs-[0-9a-f]+\.efs\.|^[^:]*\.efs\.[^:]*amazonaws/ },
  ),
  row(
    ['fsx', 'Amazon FSx for OpenZFS and for NetApp ONTAP', 'shared'],
    NFS,
    ['hard and symbolic links', SHARES_ONE_LOCK, NFS_CACHES, 'what NFS promises, nfs(5)'],
    { mountSource: /^[^:]*\.fsx\.[^:]*amazonaws/ },
  ),
  row(
    ['azure-files-nfs', 'Azure Files, NFS', 'shared'],
    NFS,
    [
      'hard and symbolic links, version 4.1 only',
      SHARES_ONE_LOCK,
      NFS_CACHES,
      'Microsoft Learn, Azure Files REST API, "Create Hard Link"',
    ],
    { mountSource: /^[^:]*\.file\.core\./ },
  ),
  row(['netapp', 'NetApp ONTAP', 'shared'], null, [
    'hard and symbolic links; none in .snapshot, which is read-only',
    SHARES_ONE_LOCK,
    NFS_CACHES,
    'what NFS promises, nfs(5)',
  ]),
  row(['azure-netapp', 'Azure NetApp Files', 'shared'], null, [
    UNKNOWN,
    'version 3: NLM, and what an outage leaves held is broken by hand; version 4.1: leased by the server',
    NFS_CACHES,
    'Microsoft Learn, Azure NetApp Files, "Understand file locking and lock types"',
  ]),
  row(['filestore', 'Google Filestore', 'shared'], null, [
    UNKNOWN,
    'version 3 in all tiers, version 4.1 in some; the rest is ' + UNKNOWN,
    NFS_CACHES,
    'Google Cloud, "Supported file system protocols"',
  ]),
  row(['ganesha', 'NFS-Ganesha', 'shared'], null, [
    'hard and symbolic links',
    SHARES_ONE_LOCK,
    NFS_CACHES,
    'the lab: version 4.3, NFS 3 and 4.2',
  ]),
  row(
    ['nfs3', 'Linux NFS, version 3', 'shared'],
    /^nfs$/,
    [
      'as the file system of the server',
      `${SHARES_ONE_LOCK}, through rpc.statd on both sides; a dead node keeps its locks`,
      NFS_CACHES,
      MAN_NFS,
    ],
    { option: /^(nfs)?vers=[23](\.|$)/ },
  ),
  row(['nfs4', 'Linux NFS, version 4', 'shared'], NFS, [
    'as the file system of the server',
    `${SHARES_ONE_LOCK}; the server's lease ends those of a node that is silent`,
    NFS_CACHES,
    MAN_NFS,
  ]),
  row(
    ['azure-files-smb', 'Azure Files, SMB', 'shared'],
    SMB,
    [
      'no hard links; symbolic ones with mfsymlinks',
      'byte ranges of SMB, mandatory; EACCES where they are held; flock does not exclude (as on any SMB)',
      'leases; with actimeo=30 attributes for 30 s',
      'Microsoft Learn, "Create Hard Link" (NFS only) and "mountOptions settings in Azure Files"',
    ],
    { mountSource: /^\/\/[^/]*\.file\.core\./ },
  ),
  row(['smb', 'SMB', 'shared'], SMB, [
    'hard links as the server has them, with nolease only; symbolic ones with mfsymlinks, or as the server has them',
    "byte ranges of SMB, mandatory; EACCES where they are held; fcntl excludes, flock does not: another process of the holder's node that closes the file ends it on the server",
    'leases of the server; attributes for 1 s (actimeo)',
    'mount.cifs(8); the lab: Samba 4.17 with cifs of Linux 6.1, in the full run also of 6.12',
  ]),
  row(
    ['cephfs', 'CephFS', 'shared'],
    /^(ceph|(fuse\.)?ceph-fuse|fuse\.ceph)$/,
    [
      'hard and symbolic links',
      'flock and fcntl exclude other nodes, and do not see each other',
      'kept coherent by capabilities of the server; those of a dead node last for session_timeout, 60 s by default',
      'Ceph documentation, "Differences from POSIX"; the full run of the lab: version 16.2, kernel client',
    ],
    { fuseSource: /^ceph-fuse$/ },
  ),
  row(['glusterfs', 'GlusterFS', 'shared'], /^(fuse\.)?glusterfs$/, [
    'hard links, on bricks of ext4 some 45 of a file (ENOSPC); symbolic links are made in steps (now and then an error among many contenders)',
    SHARES_ONE_LOCK,
    'performance translators, about 1 s',
    'the full run of the lab: version 10.3, one brick',
  ]),
  row(
    ['moosefs', 'MooseFS', 'shared'],
    /^(fuse\.(mfs|moosefs|mfsmount)|moosefs)$/,
    [
      'hard and symbolic links',
      'flock and fcntl exclude other nodes, unless mounted with mfsnobsdlocks or mfsnoposixlocks',
      'attributes and names of directories for 1 s (mfsattrcacheto, mfsdirentrycacheto)',
      'mfsmount(8); the full run of the lab: version 3.0, one chunkserver',
    ],
    { fuseSource: /^mfs|^moosefs|:9421$/ },
  ),
  row(['lustre', 'Lustre, FSx for Lustre', 'shared'], /^lustre$/, [
    'hard and symbolic links',
    'flock: between nodes; localflock: on this node only; noflock: ENOSYS',
    'kept coherent by locks of the server',
    'mount.lustre(8); Amazon FSx for Lustre User Guide, "Mounting from an EC2 instance"',
  ]),
  row(['gpfs', 'IBM Storage Scale (GPFS)', 'shared'], /^gpfs$/, [...NOTHING_KNOWN, 'no source was found']),
  row(['beegfs', 'BeeGFS', 'shared'], /^beegfs(_nodev)?$/, [
    UNKNOWN,
    'on this node only, unless beegfs-client.conf of each node says tuneUseGlobalFileLocks=true (its default is false)',
    UNKNOWN,
    'the BeeGFS client, defaults of beegfs-client.conf',
  ]),
  row(['weka', 'WEKA', 'shared'], /^weka(fs)?$/, [...NOTHING_KNOWN, 'no source was found']),
  row(['cluster-disk', 'GFS2, OCFS2', 'shared'], /^(gfs2|ocfs2)$/, [
    'hard and symbolic links',
    'between nodes; localflocks: on this node only',
    'kept coherent by locks of the cluster',
    'Linux, Documentation/filesystems/ocfs2.rst and gfs2.rst',
  ]),
  row(
    ['other-shared', 'AFS, Coda, NCP, PanFS, OrangeFS, SeaweedFS, WebDAV', 'shared'],
    /^(afs|coda|ncpfs|ncp|panfs|orangefs|pvfs2|fuse\.seaweedfs|davfs2?|fuse\.davfs2?)$/,
    [...NOTHING_KNOWN, 'no source was found'],
    // davfs2 names the URL that it shows.
    { fuseSource: /^https?:\/\// },
  ),
  row(
    ['juicefs', 'JuiceFS', 'shared'],
    /^(fuse\.)?juicefs$/,
    [
      'hard and symbolic links',
      'flock and fcntl exclude other nodes',
      'open sees what was closed before; attributes and names for 1 s',
      'JuiceFS documentation, "POSIX Compatibility"',
    ],
    { fuseSource: /^JuiceFS:/ },
  ),
  row(
    ['object-store', 'Object stores (s3fs, gcsfuse, blobfuse, Mountpoint for S3, goofys, rclone)', 'shared'],
    /^fuse\.(s3fs|gcsfuse|blobfuse2?|mount-s3|mountpoint-s3|goofys|rclone)$/,
    [
      OBJECTS,
      NO_LOCKS,
      'names and contents of this node',
      'Google Cloud, "Cloud Storage FUSE", limitations; s3fs README, limitations',
    ],
    { fuseSource: /^(s3fs|gcsfuse|blobfuse2?|mount-s3|mountpoint-s3|goofys)$/ },
  ),
  row(
    ['sshfs', 'sshfs', 'shared'],
    /^fuse\.sshfs$/,
    [
      'hard links as the server has them (not with disable_hardlink); symbolic links',
      'on this node only',
      'names and attributes for 20 s',
      'sshfs(1); the lab',
    ],
    { fuseSource: /^sshfs#/ },
  ),
  row(['virtiofs', 'virtiofs', 'shared'], /^virtiofs$/, [
    'as the file system of the host',
    'on this virtual machine only, unless virtiofsd passes them on',
    'as virtiofsd is told (cache=)',
    'virtiofsd(1)',
  ]),
  row(['9p', '9p', 'shared'], /^9p$/, [
    'as the server',
    'fcntl as the server; the rest is ' + UNKNOWN,
    'none, unless cache= says so',
    'Linux, Documentation/filesystems/9p.rst',
  ]),
  row(['vm-folder', 'VirtualBox and VMware shared folders', 'shared'], /^(vboxsf|vmhgfs|fuse\.vmhgfs-fuse)$/, [
    ...NOTHING_KNOWN,
    'no source was found',
  ]),
  row(
    ['bindfs', 'bindfs', 'unknown'],
    /^fuse\.bindfs$/,
    ['as the file system below; owners and modes as the mount says', UNKNOWN, 'of FUSE, 1 s', 'bindfs(1); the tests'],
    // It names the directory that it shows. A program that names nothing is called by its device.
    { fuseSource: /^\/(?!dev\/)/ },
  ),
  row(['mergerfs', 'mergerfs', 'unknown'], /^fuse\.mergerfs$/, [
    'within a branch; EXDEV between branches',
    UNKNOWN,
    'of FUSE, 1 s',
    'mergerfs(1); the tests',
  ]),
  row(['overlay', 'Layers of a container (overlay)', 'local'], /^(overlay|aufs|fuse\.fuse-overlayfs)$/, [
    'hard and symbolic links, of the upper layer',
    'of this machine',
    'none: it is of this machine',
    'Linux, Documentation/filesystems/overlayfs.rst; the tests',
  ]),
  row(
    ['local-disk', 'Disks of this machine', 'local'],
    // What shows another directory in another form (encfs, eCryptfs) is none: that may be a share.
    /^(ext[234]|xfs|btrfs|zfs|bcachefs|f2fs|nilfs2|jfs|jffs2|reiserfs|(dev)?tmpfs|ramfs|rootfs|(ex|v)fat|msdos|ntfs3?|fuseblk|hfs(plus)?|udf|minix|squashfs|erofs|iso9660|ubifs)$/,
    ['as that file system has them', 'of this machine', 'none: it is of this machine', 'flock(2), fcntl(2)'],
  ),
]

/** How the kernel calls those that are in the table. */
export const FILE_SYSTEM_TYPES: readonly RegExp[] = [/^fuse$/, ...FILE_SYSTEMS.flatMap(({ type }) => type ?? [])]

const OTHER_FUSE = row(['fuse', 'FUSE, by a program that is not in the table', 'unknown'], /^fuse(\.|$)/, [
  ...NOTHING_KNOWN,
  'it is not in the table',
])
const OTHER = row(['unknown', 'Unknown file system', 'unknown'], /./, [...NOTHING_KNOWN, 'it is not in the table'])

/** What it is, by what the kernel says of the mount. */
export function fileSystemOf({ type, source, options }: MountedAs): FileSystem {
  const isCalled = (each: FileSystem) =>
    (each.type?.test(type) === true && (each.mountSource?.test(source) ?? true)) ||
    (type === 'fuse' && each.fuseSource?.test(source) === true)
  const fits = (each: FileSystem) =>
    isCalled(each) && (each.option === undefined || options.some((option) => each.option?.test(option)))
  return FILE_SYSTEMS.find(fits) ?? (fits(OTHER_FUSE) ? OTHER_FUSE : OTHER)
}

/**
 * On SMB the client has one lease for each file, whatever the name it is opened by: a waiter opens the session file by the link,
 * its holder by the name of the session, and their opens break each other. Seen with Samba 4.17 and Linux 6.1 and 6.12: the
 * heartbeat of a live holder failed with EINVAL as soon as two waiters of its node looked at it, and 11 of 15 rewrites failed
 * without any waiter. With `nolease` none did.
 */
export const breaksHardLinks = ({ type, options }: MountedAs): boolean => SMB.test(type) && !options.includes('nolease')

/** What helps there; shares of Azure Files have no hard links at all. */
export const remedyForHardLinks = (fileSystem: string | null): string =>
  fileSystem === 'azure-files-smb'
    ? 'Mount it with mfsymlinks, and set use-symlinks=1'
    : 'Mount it with nolease on every node, or set use-symlinks=1 on a mount with mfsymlinks'

/**
 * On SMB Linux lets the processes of a node that open a file with the same flags share one open file of the server, and gives a
 * flock back for all of it: once another process closes the file, the server has no lock any more, and the holder is not told.
 * Seen with Samba 4.17 and Linux 6.1, each time, with leases and without. An fcntl lock is given back by its process alone.
 */
export const breaksFlock = ({ type }: Pick<MountedAs, 'type'>): boolean => SMB.test(type)
