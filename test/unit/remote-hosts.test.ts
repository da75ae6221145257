/** Hosts as people know them from ssh, scp and rsync: what ssh is told, and what is refused. */

import { describe, expect, test } from 'vitest'
import { readAddresses } from '../../src/cli/remote/options.js'
import { UsageError } from '../../src/cli/shared/usage.js'

const read = (word: string) => {
  const [{ host, directory } = { host: '', directory: '' }] = readAddresses([word], '/common')
  return `${host} ${directory}`
}

describe('the name of a host', () => {
  test.each([
    ['local', 'local /common'],
    ['node1', 'node1 /common'],
    ['my_node-1.example.org', 'my_node-1.example.org /common'],
    ['_alias', '_alias /common'],
    ['Knöterich', 'Knöterich /common'],
    ['ann@node1', 'ann@node1 /common'],
    ['ann@example.org@node1', 'ann@example.org@node1 /common'],
    ['DOMAIN\\ann@node1', 'DOMAIN\\ann@node1 /common'],
    ['node1:/mnt/a', 'node1 /mnt/a'],
    ['ann@node1:/mnt/a:/b', 'ann@node1 /mnt/a:/b'],
    ['node1:2222', 'ssh://node1:2222 /common'],
    ['ann@node1:2222:/mnt', 'ssh://ann@node1:2222 /mnt'],
    ['192.0.2.7', '192.0.2.7 /common'],
    ['::1', '::1 /common'],
    ['[::1]', '::1 /common'],
    ['[::1]:/mnt', '::1 /mnt'],
    ['ann@[fe80::1%eth0]:/mnt', 'ann@fe80::1%eth0 /mnt'],
    ['[::1]:2222:/mnt', 'ssh://[::1]:2222 /mnt'],
    ['ssh://node1', 'node1 /common'],
    ['ssh://ann@node1:2222', 'ssh://ann@node1:2222 /common'],
    ['ssh://ann@node1:2222/mnt/a', 'ssh://ann@node1:2222 /mnt/a'],
    ['ssh://a%40b@node1', 'a@b@node1 /common'],
    ['ssh://a%40b@[::1]:22', 'ssh://a%40b@[::1]:22 /common'],
    ['scp://node1/mnt', 'node1 /mnt'],
  ])('%s is %s', (word, said) => {
    expect(read(word)).toBe(said)
  })

  test.each([
    '-oProxyCommand=x',
    'ann@-oProxyCommand=x',
    '-ann@node1',
    'ssh://-oProxyCommand=x',
    'ssh://-ann@node1',
    'ssh://%2Dann@node1',
    'ssh://',
    'ssh://%zz@node1',
    '@node1',
    'ann@',
    'node1:0',
    'node1:65536',
    'node1:dir',
    'a/b',
    'node 1',
    'node\u001b[31m',
    'node1;true',
    '$(true)',
    '[node1]',
    '[::1',
  ])('%s is refused', (word) => {
    expect(() => read(word)).toThrow(UsageError)
  })
})
