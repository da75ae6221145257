/**
 * Goal: the administrator's question, "can I trust this mount with locks?", is answered right on mounts of every kind.
 * Method: locktester on A, then on B, as the manual has it; the lines are compared to the letter.
 *
 * Hard links are refused by strace, which answers `link` with EPERM or EMLINK: a stand-in for Amazon EFS and others, where the
 * server does it. What the program sees is the same, what the client's kernel does is not.
 */

import { afterEach, describe, expect, test } from 'vitest'
import { expectDialogue, expectRefused, holds } from './dialogue.js'
import type { GuestProgram } from './lab/guest-program.js'
import type { NodeName } from './lab/messages.js'
import { GUEST_REPOSITORY } from './lab/paths.js'
import { ALL_KINDS, connectLab, Driver, isSoak, newDirectory, proves, V3, V3_NOLOCK, V42 } from './support.js'

const lab = await connectLab()

/** `when`: which calls of a thread fail, as strace has it. */
const refuseLinks = (error: string, when: string) => [
  ...['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=link,linkat'],
  ...['-e', `inject=link,linkat:error=${error}:when=${when}`],
]

const programs: GuestProgram[] = []
afterEach(() => {
  for (const program of programs.splice(0)) program.kill('SIGKILL')
})

interface TesterOptions {
  args?: string[]
  /** A command that the tester runs under. */
  under?: string[]
}

function locktester(node: NodeName, directory: string, { args = [], under = [] }: TesterOptions = {}): GuestProgram {
  const argv = [...under, 'node', `${GUEST_REPOSITORY}/bin/locktester`, directory, ...args]
  const program = lab.start(node, { argv, env: { RSTUDIO_CONFIG_DIR: '/nonexistent' } })
  programs.push(program)
  return program
}

// What needs the tracer is slow: the short run does each once.
for (const place of [V3, V42]) {
  describe(`on ${place.name}`, () => {
    test('the first node acquires both locks, the second one is refused both and says that they can be trusted', async (context) => {
      proves(context, place, 'locktester: the two-node dialogue, to the letter')
      const directory = await newDirectory(lab, place)
      const refused = await expectDialogue({ first: () => locktester('A', directory), second: () => locktester('B', directory) })
      expect(refused.stderr).toContain('held by locktester on nodeA')
    })

    if (isSoak || place === V3) {
      test('where hard links are refused the tester says what to set, and with symlinks both nodes exclude each other', async (context) => {
        proves(
          context,
          { name: `${place.name}, hard links refused (stand-in)` },
          'locktester: says what to set where hard links are refused',
        )
        const directory = await newDirectory(lab, place)
        const under = refuseLinks('EPERM', '1+')
        const refused = locktester('A', directory, { under })
        expect(await refused.end, refused.stderr).toMatchObject({ code: 69 })
        expect(refused.stdout).toContain('* Unable to acquire link-based lock\n')
        expect(refused.stderr).toContain('It probably takes none: set use-symlinks=1.')

        for (const node of ['A', 'B'] as const) await lab.exec(node, 'echo use-symlinks=1 > /tmp/file-locks')
        const args = ['--config', '/tmp/file-locks']
        await expectRefused(locktester('A', directory, { under, args }), () => locktester('B', directory, { under, args }))
      })
    }

    if (isSoak || place === V42) {
      test('where a file may have 3 links only, one process still holds 10 locks', async (context) => {
        proves(context, { name: `${place.name}, few links per file (stand-in)` }, 'holds more locks than a file may have links')
        const directory = await newDirectory(lab, place)
        // Every third link is one too many, and the next is that of another session file. One thread, because strace counts for each.
        const under = ['env', 'UV_THREADPOOL_SIZE=1', ...refuseLinks('EMLINK', '4+3')]
        const few = await Driver.start(lab, 'A', {}, under)
        programs.push(few.program)
        for (let count = 0; count < 10; count++) {
          expect(await few.ask('tryAcquire', { path: `${directory}/${count}` })).toMatchObject({ held: true })
        }
        const sessions = await lab.exec('A', `ls -A ${directory} | grep -c mountlock-41c29`)
        expect(Number(sessions)).toBeGreaterThan(1)
      })
    }

    test('with --all every variant is acquired by the first node and refused to the second', async (context) => {
      proves(context, place, 'locktester --all tells each kind of lock right')
      const directory = await newDirectory(lab, place)
      const first = locktester('A', directory, { args: ['--all'] })
      await holds(first)
      expect(first.stdout.match(/\* Acquired/g)).toHaveLength(ALL_KINDS.length)
      const second = locktester('B', directory, { args: ['--all'] })
      expect(await second.end, second.stderr).toMatchObject({ code: 0 })
      expect(second.stdout.match(/\* Unable to acquire/g)).toHaveLength(ALL_KINDS.length)
    })
  })
}

describe(`on ${V3_NOLOCK.name}`, () => {
  test('both nodes acquire the advisory lock, and the tester says that it is not safe', async (context) => {
    proves(context, V3_NOLOCK, 'locktester: says that advisory locks do not exclude')
    const directory = await newDirectory(lab, V3_NOLOCK)
    const first = locktester('A', directory)
    await holds(first)
    const second = locktester('B', directory)
    expect(await second.end, second.stderr).toMatchObject({ code: 76 })
    expect(second.stdout).toBe(
      '* Acquired advisory lock\n* Unable to acquire link-based lock\n\nYour filesystem appears to support link-based locks.\n',
    )
    expect(second.stderr).toContain('EVERY NODE ACQUIRED IT')
    expect(second.stderr).toContain('nolock')
  })
})
