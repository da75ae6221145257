/**
 * What `doctor --report` writes is sent in by users that may not read all of it. Goal: whatever people have called their machines,
 * users, shares and programs, no such name is in it, and what tells how a mount behaves is. Method: mounts as a kernel may show
 * them, with names wherever one can stand.
 */

import { hostname } from 'node:os'
import { describe, expect, test } from 'vitest'
import { anonymous, type Examined, kernelShape } from '../../src/cli/doctor/anonymous.js'

const NAMES = /ann|bob|acme|filer|homes|10\.1\.2|fe80|example|S3cr3t/i

interface Mounted {
  type: string
  source: string
  options: string[]
  mountPoint?: string
}

function examined({ mountPoint = '/acme/homes/ann', ...mounted }: Mounted, more: Partial<Examined> = {}): Examined {
  return {
    mount: { reach: 'shared', mountPoint, ...mounted },
    findings: [
      { section: 'node', code: 'IDENTITY', severity: 'ok', seen: 'filer.example, as ann', breaks: null, remedy: null },
      { section: 'mount', code: 'FILE_SYSTEM', severity: 'ok', seen: '//filer/homes', breaks: 'ann', remedy: 'ask bob' },
    ],
    primitives: [{ name: 'hard link', failure: 'EPERM', medianMs: null }],
    trials: [{ kind: 'flock', failure: { code: 'NOT_SUPPORTED', message: '/acme/homes/ann' }, medianMs: null, isLocal: false }],
    clock: { offsetMs: 12, uncertaintyMs: 1, granularityMs: 1 },
    links: { atLeast: 177, isLimit: true },
    recommendation: { lockType: 'linkbased', useSymlinks: false },
    exitCode: 0,
    ...more,
  }
}

const sent = (mounted: Mounted, more?: Partial<Examined>) => JSON.stringify(anonymous(examined(mounted, more)))

const CIFS = {
  type: 'cifs',
  source: '//ann:S3cr3t@filer.acme.example/homes$',
  options: [
    ...[
      'rw',
      'vers=3.1.1',
      'nolease',
      'mfsymlinks',
      'cache=strict',
      'actimeo=30',
      'file_mode=0770',
      'username=ann',
      'domain=ACME',
    ],
    ...[
      'user=ann',
      'addr=10.1.2.3',
      'password=S3cr3t',
      'prefixpath=homes/ann',
      'uid=1000',
      'servern=FILER',
      'netbiosname=ANNS-PC',
    ],
  ],
}

describe('no name is in it', () => {
  test.each([
    CIFS,
    {
      type: 'nfs4',
      source: '[fe80::1%eth0]:/acme/homes',
      options: ['vers=4.1', 'clientaddr=10.1.2.4', 'addr=10.1.2.3', 'fsc=acme'],
    },
    { type: 'ceph', source: 'ann@acme.homes=/', options: ['name=ann', 'secret=S3cr3t', 'fsid=acme', 'mon_addr=10.1.2.3:6789'] },
    { type: '9p', source: 'homes', options: ['trans=tcp', 'aname=/homes/ann', 'uname=ann', 'access=user'] },
    // A value with a comma looks like several options.
    {
      type: 'overlay',
      source: 'overlay',
      options: ['lowerdir=/homes/ann', 'bob', 'acme=bob/lower', 'upperdir=/homes/ann/u', 'vers=ann/x'],
    },
    { type: 'beegfs', source: 'beegfs_nodev', options: ['cfgFile=/etc/acme/beegfs.conf', 'relatime'] },
    { type: 'fuse.sshfs', source: 'ann@filer:/homes/ann', options: ['user_id=1000', 'allow_other'] },
    { type: 'fuse.homes-of-acme', source: 'bob', options: ['rw', 'ann'] },
    { type: 'fuse.sshfs#ann@filer', source: 'ann@filer:', options: [] },
    { type: 'autofs', source: '/etc/auto.acme', options: ['fd=6', 'pgrp=1', 'indirect', 'pipe_ino=1'] },
  ])('$type', (mounted) => {
    expect(sent(mounted)).not.toMatch(NAMES)
  })

  test('nor what a trial read back, nor a sentence that is not ours', () => {
    for (const failure of ['it reads back as /homes/ann/target', "ENOENT: no such file, open '/homes/ann'", 'filer is down'])
      expect(sent(CIFS, { primitives: [{ name: 'symlink', failure, medianMs: 1 }] })).not.toMatch(NAMES)
  })

  test('nor the name of this machine in the type of a FUSE file system', () => {
    const [host = ''] = hostname().split('.')
    const type = `fuse.${host}-homes`
    expect(sent({ type, source: 'x', options: [], mountPoint: '/mnt' })).not.toContain(host)
  })
})

test('what tells how the mount behaves is in it', () => {
  expect(anonymous(examined(CIFS))).toMatchObject({
    fileSystem: {
      type: 'cifs',
      source: '//x:x@x.x.x/x',
      options: expect.arrayContaining([
        ...['rw', 'vers=3.1.1', 'nolease', 'mfsymlinks', 'cache=strict', 'actimeo=30', 'file_mode=0770', 'username=…', 'addr=…'],
      ]),
    },
    findings: [{ code: 'FILE_SYSTEM', severity: 'ok' }],
    primitives: [{ name: 'hard link', failure: 'EPERM' }],
    locks: [{ kind: 'flock', failure: 'NOT_SUPPORTED' }],
    links: { atLeast: 177, isLimit: true },
  })
})

test('an unknown program behind FUSE is named, and so is what a trial found to be wrong', () => {
  const failure = 'it works, but the link count is 1 and not 2'
  const report = anonymous(
    examined({ type: 'fuse.newfs', source: 'x', options: [] }, { primitives: [{ name: 'hard link', failure, medianMs: 1 }] }),
  )
  expect(report).toMatchObject({ fileSystem: { id: 'fuse', type: 'fuse.newfs' }, primitives: [{ failure }] })
})

test.each([
  ['6.1.0-28-cloud-amd64', '6.1.0-28-cloud-amd64'],
  ['5.14.0-427.el9.x86_64', '5.14.0-427-el9-x86_64'],
  ['6.8.0-1021-aws', '6.8.0-1021-aws'],
  ['6.12.0-acme-anns-laptop+', '6.12.0'],
  ['6.18.44-fc-v669', '6.18.44'],
  ['acme', '…'],
])('of the kernel %s the report says %s', (text, said) => {
  expect(kernelShape(text)).toBe(said)
})
