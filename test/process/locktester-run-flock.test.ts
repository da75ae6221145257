/**
 * The table "flock(1) → locktester run" in docs/cli.md, row by row. Goal: what a row promises holds, and what it says of flock(1)
 * is what flock(1) does on this machine. Method: the same shell line with both programs, each with a lock of its own.
 */

import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Bench, PACKAGE } from './fixtures/locktester-driver.mjs'

const LOCKTESTER = join(PACKAGE, 'bin/locktester')
const NOBODY = 'setpriv --reuid=65534 --regid=65534 --clear-groups --'
/** A command that goes on in the background until something is written into the FIFO `go`; no output waits for it. */
const BACKGROUND = 'sh -c "read line" <>go >/dev/null 2>&1 &'

let bench: Bench
let folder: string
beforeEach(async () => {
  bench = new Bench()
  folder = await bench.directory()
  await chmod(folder, 0o755)
})
afterEach(() => bench.close())

interface Answer {
  end: number | string
  stdout: string
  stderr: string
}

/** In the folder, where `L` is the file of the lock, and `$run` the program. */
async function shell(line: string, run: string): Promise<Answer> {
  const program = bench.start(['bash', '-c', line], { cwd: folder, env: { run, LC_ALL: 'C' } })
  return { end: await program.end, stdout: program.stdout, stderr: program.stderr }
}

const L = /\bL\b/g
const OURS = `${process.execPath} ${LOCKTESTER} run`
const flock = (line: string) => shell(line.replace(L, 'flock.lock'), 'flock')
const ours = (line: string) => shell(line.replace(L, 'ours.lock'), OURS)
const advisory = (line: string) => shell(line.replace(L, 'advisory.lock'), `${OURS} --lock-type advisory`)

/** Exit code and output are those of flock(1), with the lock type of the row. */
async function same(line: string, program = ours): Promise<Answer> {
  const [theirs, answer] = [await flock(line), await program(line)]
  expect({ ...answer, stderr: '' }).toEqual({ ...theirs, stderr: '' })
  return answer
}

/** The exit codes of a refusal differ. */
async function refused(line: string, program = ours): Promise<void> {
  expect(await flock(line)).toMatchObject({ end: 1, stdout: '' })
  expect(await program(line)).toMatchObject({ end: 75, stdout: '' })
}

const HELD = '$run L sh -c'

const ROWS: Record<string, () => Promise<void>> = {
  '`flock FILE COMMAND ARGUMENT…`': async () => {
    expect((await same(`$run L printf '%s|' -x --wait '' 'a b'`)).stdout).toBe('-x|--wait||a b|')
    expect((await ours(`$run L -- printf '%s|' -x -- 7`)).stdout).toBe('-x|--|7|')
    expect((await flock('$run --excl L true')).end).toBe(0)
    expect((await ours('$run --excl L true')).end).toBe(64)
    expect((await flock('$run -- L true')).end).toBe(0)
    expect((await ours('$run -- L true')).end).toBe(64)
  },
  "`-c 'LINE'`": async () => {
    expect((await same(`$run L -c 'echo a && echo b; exit 5'`)).end).toBe(5)
    expect((await same(`SHELL=/bin/echo $run L -c 'x y'`)).stdout).toBe('-c x y\n')
    expect((await same(`SHELL= $run L -c 'echo $0 | grep -c sh'`)).stdout).toBe('1\n')
    expect((await ours(`$run L -c 'echo a' b`)).end).toBe(64)
  },
  '`-x`, `-e`, `--exclusive`': async () => {
    for (const option of ['-x', '-e', '--exclusive']) await refused(`${HELD} '$run -n ${option} L true'`)
    expect((await same(`$run -en L echo in`)).stdout).toBe('in\n')
  },
  '`-s`, `--shared`': async () => {
    expect((await same(`$run -s L sh -c '$run -n --shared L echo both'`, advisory)).stdout).toBe('both\n')
    await refused(`$run -s L sh -c '$run -n L true'`, advisory)
    expect((await ours('$run -s L true')).end).toBe(64)
  },
  '`-n`, `--nb`, `--nonblock`': async () => {
    for (const option of ['-n', '--nb', '--nonblock']) await refused(`${HELD} '$run ${option} L true'`)
  },
  '`-w`, `--wait`, `--timeout SECONDS`': async () => {
    for (const option of ['-w 0.2', '-w0', '--wait 0', '--timeout 0.1']) await refused(`${HELD} '$run ${option} L true'`)
  },
  '`-E`, `--conflict-exit-code NUMBER`': async () => {
    expect((await same(`${HELD} '$run -n -E 9 L true'`)).end).toBe(9)
    expect((await same(`${HELD} '$run -n --conflict-exit-code 0 L true'`)).end).toBe(0)
  },
  '`-o`, `--close`': async () => {
    for (const option of ['-o', '--close']) {
      const line = `rm -f go; mkfifo go; $run ${option} L -c '${BACKGROUND}'; $run -n L echo free; echo >go`
      expect((await same(line)).stdout).toBe('free\n')
    }
  },
  '`-u`, `--unlock`': async () => {
    expect((await same(`${HELD} '$run -u L echo unlocked'`)).stdout).toBe('unlocked\n')
  },
  '`-F`, `--no-fork`': async () => {
    expect((await same(`$run -F L -c 'echo in; exit 3'`)).end).toBe(3)
    expect((await flock('$run -F -o L true')).end).toBe(64)
    expect((await ours('$run -F -o L true')).end).toBe(64)
  },
  '`--verbose`': async () => {
    const [theirs, answer] = [await flock('$run --verbose L true'), await ours('$run --verbose L true')]
    for (const text of [theirs.stdout, answer.stderr]) {
      expect(text).toMatch(/: getting lock took [\d.]+ seconds\n.*: executing true\n/)
    }
    expect(answer.stdout).toBe('')
    // Without a wait, none is told of.
    expect((await ours(`${HELD} '$run --verbose -n L true'`)).stderr).not.toContain('waiting for')
  },
  'contradicting options': async () => {
    expect((await flock('$run -s -x L true')).end).toBe(0)
    for (const options of ['-s -x', '-x -u', '-s -u', '-n -w 1']) expect((await ours(`$run ${options} L true`)).end).toBe(64)
  },
  'a file that may only be read': async () => {
    for (const name of ['flock.lock', 'advisory.lock']) await writeFile(join(folder, name), '', { mode: 0o644 })
    expect((await same(`HOME=/tmp ${NOBODY} $run -n L echo in`, advisory)).stdout).toBe('in\n')
    await refused(`${NOBODY} $run L sh -c '$run -n L true'`, advisory)
  },
  'a program that is being executed': async () => {
    for (const name of ['flock.lock', 'advisory.lock']) {
      await copyFile('/bin/sleep', join(folder, name))
      await chmod(join(folder, name), 0o755)
    }
    const line = `./L 1000 & until [ /proc/$!/exe -ef L ]; do sleep 0.01; done; $run -n L ./L 0; code=$?; kill $!; exit $code`
    expect((await same(line, advisory)).end).toBe(0)
  },
  'a script that locks itself': async () => {
    const row = tableRows.find(([first]) => first === 'a script that locks itself')?.[1] ?? ''
    const idiom = /`(.*)`/.exec(row)?.[1] ?? ''
    const script = `#!/bin/bash\n${idiom.replace('locktester run', OURS)}\necho "ran $1"\n`
    const manual = `#!/bin/bash\n[ "$FLOCKER" != "$0" ] && exec env FLOCKER="$0" flock -en "$0" "$0" "$@" || :\necho "ran $1"\n`
    await writeFile(join(folder, 'flock.lock'), manual, { mode: 0o755 })
    await writeFile(join(folder, 'ours.lock'), script, { mode: 0o755 })
    expect((await same('./L now')).stdout).toBe('ran now\n')
    expect((await same(`HOME=/tmp ${NOBODY} ./L now`)).stdout).toBe('ran now\n')
  },
  '`flock DIRECTORY`': async () => {
    await mkdir(join(folder, 'd'))
    expect((await flock('$run -n d true')).end).toBe(0)
    for (const program of [ours, advisory]) expect((await program('$run -n d true')).end).toBe(69)
    expect((await flock('$run -n /dev/null true')).end).toBe(0)
    for (const program of [ours, advisory]) expect((await program('mkfifo -m 666 fifo; $run -n fifo true')).end).toBe(69)
    for (const program of [ours, advisory]) expect((await program('$run -n /dev/null true')).end).toBe(69)
  },
  'a symbolic link to the file': async () => {
    await writeFile(join(folder, 'file'), '')
    await symlink('file', join(folder, 'link'))
    expect((await flock('$run -n link true')).end).toBe(0)
    expect((await advisory('$run -n link true')).end).toBe(69)
    expect((await advisory('$run -n "$(readlink -f link)" true')).end).toBe(0)
  },
  '`flock NUMBER`': async () => {
    expect((await flock('exec 9>L; $run -n 9')).end).toBe(0)
    expect((await advisory('exec 9>L; $run -n 9')).end).toBe(64)
  },
  'the exit status': async () => {
    for (const code of [0, 1, 129, 143, 255]) expect((await same(`$run L sh -c 'exit ${code}'`)).end).toBe(code)
  },
  'the command is not there, or cannot be executed': async () => {
    await writeFile(join(folder, 'text'), '')
    for (const [command, end] of [
      ['nowhere', 127],
      ['./text', 126],
    ] as const) {
      expect((await flock(`$run L ${command}`)).end).toBe(69)
      expect((await ours(`$run L ${command}`)).end).toBe(end)
    }
  },
  'the directory of the lock is not there': async () => {
    expect((await flock('$run missing/L true')).end).toBe(66)
    for (const program of [ours, advisory]) expect((await program('$run missing/L true')).end).toBe(69)
  },
  'a signal ends the command': async () => {
    expect((await same(`$run L sh -c 'kill -TERM $$'; exit $?`)).end).toBe(143)
    expect(await bench.locktester(['run', join(folder, 'x'), 'sh', '-c', 'kill -TERM $$']).end).toBe('SIGTERM')
  },
  'a real-time signal ends the command': async () => {
    for (const number of [34, 40, 64]) {
      const line = `$run L sh -c 'kill -${number} $$'`
      expect((await flock(line)).end).toBe(128 + number)
      for (const option of ['', '-o ', '-u ']) expect((await ours(line.replace('L', `${option}L`))).end).toBe(255)
    }
    expect(
      (await ours(`mkfifo go; $run L sh -c '${BACKGROUND} kill -40 $$'; code=$?; echo >go; $run L true; exit $code`)).end,
    ).toBe(255)
  },
  'a signal ends the command, where Node can start no thread or there is no `/proc`': async () => {
    const hidden = (line: string) =>
      `unshare -m bash -c 'mount --make-rprivate /; umount -l /proc; eval "$0"' "$(cat <<'END'\n${line}\nEND\n)"`
    for (const [ending, end] of [
      ['exit 0', 0],
      ['exit 3', 3],
      ['kill -40 $$', 168],
      ['kill -TERM $$', 143],
    ] as const) {
      const line = `$run L sh -c '${ending}'; exit $?`
      expect((await flock(line)).end).toBe(end)
      expect((await ours(hidden(line))).end).toBe(end)
    }
    expect((await ours(`mkdir gone; cd gone; rmdir ../gone; $run ${folder}/L sh -c 'kill -40 $$'`)).end).toBe(255)
  },
  'a background child': async () => {
    for (const program of [ours, advisory]) {
      const line = `rm -f go; mkfifo go; $run L -c '(${BACKGROUND}) ; exit 3'; echo $?; $run -n -E 9 L true; echo $?; echo >go; $run L echo after`
      expect((await same(line, program)).stdout).toBe('3\n9\nafter\n')
    }
  },
  'a child that closes its descriptors': async () => {
    const closing = `for fd in /proc/self/fd/*; do fd=\${fd##*/}; [ $fd -le 2 ] || eval "exec $fd>&-"; done`
    const line = `mkfifo go; $run L bash -c '(${closing}; ${BACKGROUND})'; $run -n L echo free; echo >go`
    expect((await same(line)).stdout).toBe('free\n')
  },
  'words that are not UTF-8': async () => {
    const word = String.raw`$'a b\xe9\'\n'`
    await same(`$run L sh -c 'printf %s "$@" | od -c' sh ${word} '' é; exit 3`)
    expect((await same(`$run L sh -c 'kill -KILL $$' ${word} && echo success || echo failure`)).stdout).toBe('failure\n')
    expect((await same(`$run L -c $'printf %s a\\xe9z | od -c'`)).stdout).toContain('351')
    expect(await ours(`$run $'L\\xe9' -- echo ran`)).toMatchObject({ end: 64, stdout: '' })
    expect((await ours(`X=$'a\\xe9' $run L -- sh -c 'printf %s "$X" | od -c'`)).stdout).toContain('357 277 275')
  },
  'inherited descriptors': async () => {
    const line = `exec 3>three 9>nine 63</etc/hostname {both}<> <(:); $run L bash -c 'echo 3 >&3; echo 9 >&9; cat <&63; [ -e /proc/self/fd/'$both' ] && echo pipe'; cat three nine`
    expect((await same(line)).stdout).toMatch(/\npipe\n3\n9\n$/)
    // Of those that are not ours and not the leash: only what the shell has, as flock(1) adds only its own.
    const list = `exec 3>three 7</dev/null 9>nine 40>/dev/null; $run L bash -c 'cd /proc/$$/fd; for fd in *; do [ $fd -gt 2 ] && readlink $fd; done' | sed 's/:.*//; s/.*\\///' | grep -v lock | sort`
    const [theirs, answer] = [await flock(list), await ours(list)]
    expect(answer.stdout.split('\n').filter((what) => what !== 'socket')).toEqual(theirs.stdout.split('\n'))
    // The jobserver of make is a pipe with both its ends in each process.
    await writeFile(
      join(folder, 'Makefile'),
      'all: one\none:\n\t+@$(run) L $(MAKE) --no-print-directory two\ntwo:\n\t@echo made\n',
    )
    const made = await ours('sed -i s/L/ours.lock/ Makefile; make --no-print-directory -j2 run="$run" 2>&1')
    expect(made.stdout).toBe('made\n')
  },
  '`ulimit`': async () => {
    expect((await same(`ulimit -n 200; ulimit -c 0; ulimit -f 100000; $run L sh -c 'ulimit -n; ulimit -c; ulimit -f'`)).end).toBe(
      0,
    )
    expect((await same(`ulimit -n 64; $run L echo in`)).stdout).toBe('in\n')
    // With fewer than 32 what there is not enough of is said in one sentence; with far fewer Node itself does not start.
    for (const descriptors of [24, 28]) {
      const { end, stderr } = await ours(`ulimit -n ${descriptors}; $run L true`)
      if (end === 0) continue
      expect(end, stderr).toBe(69)
      const said = stderr.split('\n').filter((each) => !each.startsWith('bash: ') && each !== '')
      expect(said).toEqual([expect.stringMatching(/^locktester(?: run: error)?: .*EMFILE/)])
    }
  },
  '`kill -9` of it': async () => {
    // The command says the number of its parent, which is the one to kill, and goes on until it reads a line.
    const line = (options: string, wait: string) =>
      `rm -f go pid; mkfifo go pid; ($run ${options} L sh -c 'echo $PPID >pid; read line <>go' & wait) 2>/dev/null & read pid <pid; kill -9 $pid; ` +
      `while kill -0 $pid 2>/dev/null; do sleep 0.01; done; $run ${wait} -E 9 L true; echo $?; echo >go; $run L echo after`
    expect((await same(line('', '-w 0.3'))).stdout).toBe('9\nafter\n')
    // The process that keeps the lock may take a moment to see it.
    expect((await ours(line('-o', '-w 30'))).stdout).toBe('0\nafter\n')
  },
  'an ignored signal (`nohup`)': async () => {
    const line = `trap '' HUP; $run L sh -c 'kill -HUP $$; echo goes on'; :`
    expect((await flock(line)).stdout).toBe('goes on\n')
    expect((await ours(line)).stdout).toBe('')
    expect((await ours(`$run L nohup sh -c 'kill -HUP $$; echo goes on'`)).stdout).toBe('goes on\n')
  },
}

const page = await readFile(join(PACKAGE, 'docs/cli.md'), 'utf8')
const [, table = ''] = /### From flock\(1\)\n\n(?:\|.*\n){2}((?:\|.*\n)+)/.exec(page) ?? []
const tableRows = table
  .trim()
  .split('\n')
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )

test('the table has a test for each row, and no test is of another row', () => {
  expect(tableRows.map(([first]) => first)).toEqual(Object.keys(ROWS))
})

test.each(Object.entries(ROWS))('%s', { timeout: 60_000 }, (_, proves) => proves())
