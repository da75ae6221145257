/** Debian packages for the guests: downloaded and unpacked into the cache, never installed on the host. */

import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { LabError, runTool } from './tools.js'

const NFS = ['nfs-common', 'nfs-kernel-server', 'rpcbind', 'libnfsidmap1', 'libtirpc3', 'libtirpc-common', 'keyutils', 'netbase']
const LIBRARIES = [
  'libblkid1',
  'libcap2',
  'libcom-err2',
  'libdevmapper1.02.1',
  'libevent-core-2.1-7',
  'libgssapi-krb5-2',
  'libk5crypto3',
  'libkeyutils1',
  'libkrb5-3',
  'libkrb5support0',
  'libmount1',
  'libpcre2-8-0',
  'libselinux1',
  'libsqlite3-0',
  'libudev1',
  'libunwind8',
  'libuuid1',
  'libwrap0',
]

/** Everything that a guest's root file system is made of, except Node and its libraries: those are the host's. */
export const GUEST_PACKAGES: readonly string[] = ['busybox-static', 'quota', 'strace', ...NFS, ...LIBRARIES]

/** The kernel and the switch of User-mode Linux. */
export const UML_PACKAGES: readonly string[] = ['user-mode-linux', 'uml-utilities']

/** Packages and all that they need, down to the C library, whatever the host has. @throws LabError */
export function withDependencies(...names: readonly string[]): string[] {
  const onNothing = ['-o', 'Dir::State::status=/dev/null', '--no-install-recommends']
  const plan = runTool('apt-get', ['install', '--simulate', '-qq', ...onNothing, ...names])
  return [...plan.matchAll(/^Inst (\S+)/gm)].map(([, needed]) => needed as string)
}

/** The package of Debian's current kernel, by the package that names it. @throws LabError */
export function currentKernel(naming: string): string {
  const [, name] = /Depends: (linux-image-\S+)/.exec(runTool('apt-cache', ['depends', naming])) ?? []
  if (name === undefined) throw new LabError(`apt knows no ${naming}: apt-get update`)
  return name
}

/** Makes sure that the packages are in `directory`, and returns the file of each. @throws LabError */
export function download(names: readonly string[], directory: string): string[] {
  mkdirSync(directory, { recursive: true })
  const missing = names.filter((name) => fileOf(name, directory) === undefined)
  if (missing.length > 0) {
    // As root, apt would look for the files as a user of its own, which may not write here.
    runTool('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', ...missing], { cwd: directory })
  }
  return names.map((name) => join(directory, fileOf(name, directory) ?? `${name}.deb`))
}

/** The version of a package that was downloaded. */
export function versionOf(name: string, directory: string): string {
  return (fileOf(name, directory) ?? '').split('_')[1]?.replaceAll('%3a', ':') ?? 'unknown'
}

function fileOf(name: string, directory: string): string | undefined {
  return readdirSync(directory).find((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'))
}

/** Not `dpkg-deb -x`: that would replace the links of a merged /usr (`/bin` to `/usr/bin`) by directories. */
export function unpack(file: string, root: string): void {
  runTool('sh', ['-c', 'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"', 'sh', file, root])
}
