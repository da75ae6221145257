/** The options that say how a mount behaves. Sources: mount(8), nfs(5), mount.cifs(8), and the kernel's documentation of each. */

/** Words that are options by themselves. */
export const FLAGS: ReadonlySet<string> = new Set(
  [
    // any
    'rw ro relatime norelatime atime noatime strictatime lazytime nodiratime suid nosuid dev nodev exec noexec sync async dirsync',
    'acl noacl posixacl user_xattr nouser_xattr noxattr quota noquota usrquota grpquota prjquota discard nodiscard remote-block',
    // nfs
    'hard soft softerr softreval nosoftreval intr nointr lock nolock cto nocto ac noac rdirplus nordirplus fsc nofsc sharecache',
    'nosharecache resvport noresvport migration nomigration trunkdiscovery notrunkdiscovery nosharetransport bg fg tcp udp rdma',
    // cifs
    'nolease lease mfsymlinks nomfsymlinks nobrl brl perm noperm serverino noserverino mapposix mapchars nomapchars unix nounix',
    'posix noposix posixpaths noposixpaths forceuid noforceuid forcegid noforcegid dynperm nodynperm handlecache nohandlecache',
    'strictsync nostrictsync multiuser persistenthandles nopersistenthandles resilienthandles noresilienthandles seal sign nocase',
    'nohandlecache setuids nosetuids cifsacl nocifsacl idsfromsid modefromsid multichannel nomultichannel sloppy forcemandatorylock',
    'rwpidforward witness nodfs noautotune tcpnodelay noblocksend noblocksnd sfu nosfu locallease',
    // ceph
    'share noshare dirstat nodirstat rbytes norbytes asyncreaddir noasyncreaddir dcache nodcache ino32 noino32 wsync nowsync',
    'copyfrom nocopyfrom poolperm nopoolperm quotadf noquotadf require_active_mds norequire_active_mds sparseread',
    // lustre
    'flock noflock localflock lazystatfs nolazystatfs checksum nochecksum verbose noverbose encrypt noencrypt user_fid2path',
    'nouser_fid2path statfs_project nostatfs_project 32bitapi always_ping',
    // gfs2, ocfs2, gpfs, weka, beegfs
    'localflocks localcaching coherent writecache readcache forcedirect mtime nomtime syncnfs nosyncnfs autostart inode64',
    // FUSE, virtiofs, 9p
    'allow_other allow_root default_permissions nonempty blkdev dax loose fscache mmap nodevmap cache_mmap direct_io kernel_cache',
    'auto_unmount writeback_cache',
    // overlay and local ones
    'volatile userxattr index noindex metacopy redirect_dir nouserxattr seclabel barrier nobarrier delalloc nodelalloc inode32',
    'attr2 noikeep largeio space_cache nospace_cache ssd nossd flushoncommit autodefrag xattr noxattr casesensitive',
  ].flatMap((line) => line.split(' ')),
)

/** Of these the value says how the mount behaves, too, and names no user and no place. */
export const TELLING: ReadonlySet<string> = new Set(
  [
    'vers nfsvers version proto sec timeo retrans rsize wsize acregmin acregmax acdirmin acdirmax actimeo local_lock lookupcache',
    'cache nconnect file_mode dir_mode trans msize max_read blksize bsize xprtsec namlen max_connect recover_session reparse',
    'data errors index xino redirect_dir metacopy coherency flock locktype echo_interval closetimeo handletimeout',
  ].flatMap((line) => line.split(' ')),
)

/** Of these only the name tells something. */
export const SETTINGS: ReadonlySet<string> = new Set(
  [
    'user_id group_id uid gid cruid username user domain addr clientaddr mountaddr mountport mountproto mountvers port srcaddr ip',
    'name secret fsid mon_addr mds_namespace conf fs lowerdir upperdir workdir cfgFile connInterfacesFile subtype fsname',
    'iocharset umask dmask fmask dmode fmode ttl tag aname uname access dfltuid dfltgid rootmode fd context fscontext defcontext',
    'size nr_inodes mode snapdirname backupuid backupgid servern netbiosname prefixpath container_name dev minor_version',
  ].flatMap((line) => line.split(' ')),
)
