/** What `locktester nodes` says of the mounts that it ran on. */

import { expect, test } from 'vitest'
import { mountLines } from '../../src/cli/nodes/mounts.js'

const mount = (type: string, ...options: string[]) => ({
  type,
  options,
  source: 'server:/export',
  mountPoint: '/shared',
  reach: 'shared' as const,
})

test('nodes that have mounted it alike share the lines; an option that keeps locks on a node is said of the node that has it', () => {
  const [alike, local] = [mount('nfs', 'vers=3'), mount('nfs', 'vers=3', 'nolock')]
  const lines = mountLines([
    { name: 'a', mount: alike },
    { name: 'b', mount: local },
    { name: 'c', mount: alike },
  ])
  expect(lines).toHaveLength(4)
  expect(lines[0]).toBe('a, c: nfs (shared; Linux NFS, version 3), server:/export on /shared')
  expect(lines[1]).toBe('b: nfs (shared; Linux NFS, version 3), server:/export on /shared')
  expect(lines[2]).toMatch(/^  error: Mount option nolock\. flock and fcntl locks stay on this node/)
})

test('on SMB with leases both remedies are said, and with nolease nothing is wrong', () => {
  expect(mountLines([{ name: 'a', mount: mount('cifs', 'mfsymlinks') }]).join('\n')).toMatch(
    /nolease on every node.*use-symlinks=1/,
  )
  expect(mountLines([{ name: 'a', mount: mount('cifs', 'nolease') }])).toHaveLength(2)
})

test('what is not known of a file system is said to be unknown; of a local disk there is nothing to say', () => {
  expect(mountLines([{ name: 'a', mount: mount('gpfs') }]).join('\n')).toContain('unknown: prove it with locktester nodes')
  expect(mountLines([{ name: 'a', mount: { ...mount('ext4'), reach: 'local' } }])).toEqual([])
  expect(mountLines([{ name: 'a', mount: null }])).toEqual([])
})
