/** A copy of the repository in which one step is left out at a time, and one test is run. */

import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { mutated, REPOSITORY } from './apply.js'
import type { LibraryMutation } from './library-list.js'

const NOT_COPIED = new Set(['.git', 'node_modules'])

interface Outcome {
  passed: number
  failed: number
}

export class Copy {
  #directory: string | null = null
  /** Tests that were seen to pass with nothing left out: one that fails anyway proves nothing. */
  readonly #sound = new Set<string>()

  /** Does its test fail without the step? @throws Error if the test fails with it as well, or the library cannot be built */
  async catches(mutation: LibraryMutation): Promise<boolean> {
    this.#directory ??= copyOfRepository()
    const [file, test] = mutation.caughtBy
    const text = mutated(mutation)
    const source = join(this.#directory, 'src', mutation.file)
    const original = readFileSync(source, 'utf8')
    if (!this.#sound.has(`${file} ${test}`)) {
      if (usesBuild(file)) await this.#build()
      const { passed, failed } = await this.#test(file, test)
      if (passed === 0 || failed > 0)
        throw new Error(`Expected test/${file} -t "${test}" to pass, got ${passed} passed, ${failed} failed`)
      this.#sound.add(`${file} ${test}`)
    }
    writeFileSync(source, text)
    try {
      if (usesBuild(file)) await this.#build()
      return (await this.#test(file, test)).failed > 0
    } finally {
      writeFileSync(source, original)
    }
  }

  remove(): void {
    if (this.#directory !== null) rmSync(this.#directory, { recursive: true, force: true })
  }

  async #build(): Promise<void> {
    const { status, output } = await this.#run('npm', ['run', 'build', '--silent'])
    if (status !== 0) throw new Error(`Expected the library to be built, got:\n${output}`)
  }

  /** A test file that does not even load fails as one. */
  async #test(file: string, test: string): Promise<Outcome> {
    const report = join(this.#directory as string, 'report.json')
    rmSync(report, { force: true })
    const pattern = test.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    const args = ['vitest', 'run', `test/${file}`, '-t', pattern, '--reporter=json', `--outputFile=${report}`]
    const { output } = await this.#run('npx', args)
    try {
      const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(report, 'utf8'))
      return { passed: numPassedTests, failed: numFailedTests || numFailedTestSuites }
    } catch (error) {
      throw new Error(`Expected a report of vitest, got:\n${output}`, { cause: error })
    }
  }

  #run(command: string, args: readonly string[]): Promise<{ status: number; output: string }> {
    const options = { cwd: this.#directory as string, maxBuffer: 2 ** 26 }
    return new Promise((resolve) => {
      execFile(command, args, options, (error, stdout, stderr) => {
        resolve({ status: error === null ? 0 : 1, output: stdout + stderr })
      })
    })
  }
}

function copyOfRepository(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mountlock-mutants-'))
  cpSync(REPOSITORY, directory, { recursive: true, filter: (path) => !NOT_COPIED.has(basename(path)) })
  symlinkSync(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'))
  // A step that is left out leaves names behind that nothing uses.
  const settings = join(directory, 'tsconfig.json')
  writeFileSync(settings, readFileSync(settings, 'utf8').replace(/"noUnused(Locals|Parameters)": true,/g, ''))
  return directory
}

/** Tests of real processes run what was built; those that load the source need no build. */
const usesBuild = (file: string): boolean => !readFileSync(join(REPOSITORY, 'test', file), 'utf8').includes("from '../../src/")
