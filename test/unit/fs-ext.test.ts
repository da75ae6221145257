/**
 * Each way in which fs-ext can be missing or broken, made for real: a temporary tree with our compiled code and an fs-ext
 * in that state, loaded by a process of its own. What npm leaves on disk in each case is told in `src/advisory/fs-ext.ts`.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { dir } from 'tmp-promise'
import { afterEach, beforeEach, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FS_EXT = join(ROOT, 'node_modules', 'fs-ext')

/** Prints what happened when fs-ext was loaded: `ok`, or the error. */
const LOAD = `
import { loadFsExt } from './build/advisory/fs-ext.js'
try {
  const fsExt = loadFsExt()
  console.log(JSON.stringify({ ok: typeof fsExt.flockSync === 'function' && loadFsExt() === fsExt }))
} catch ({ name, code, message, cause }) {
  console.log(JSON.stringify({ name, code, message, cause: cause?.code }))
}`

/** An addon as another Node's headers would have made it: it registers with a version that no Node has. */
const WRONG_NODE_ADDON = `
struct Module {
  int version; unsigned flags; void* handle; const char* file; void* init; void* contextInit; const char* name; void* priv; Module* next;
};
extern "C" void node_module_register(void* module);
static Module module = {1, 0, 0, "fs-ext.cc", 0, 0, "fs_ext", 0, 0};
__attribute__((constructor)) static void registerModule() { node_module_register(&module); }
`

let folder: string
let build: string
let removeFolder: () => Promise<void>

beforeEach(async () => {
  const temporary = await dir({ unsafeCleanup: true })
  folder = temporary.path
  removeFolder = temporary.cleanup
  build = join(folder, 'node_modules', 'fs-ext', 'build')
  cpSync(join(ROOT, 'build'), join(folder, 'build'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
})

afterEach(() => removeFolder())

/** fs-ext as it lies in the registry: without `build`. */
function installUnbuilt(): void {
  cpSync(FS_EXT, join(folder, 'node_modules', 'fs-ext'), {
    recursive: true,
    filter: (source) => basename(source) !== 'build',
  })
}

function load(script = LOAD, flags: string[] = []) {
  const output = execFileSync(process.execPath, [...flags, '--input-type=module', '-e', script], {
    cwd: folder,
    encoding: 'utf8',
  })
  return JSON.parse(output)
}

it('loads an fs-ext that is installed and built, once', () => {
  cpSync(FS_EXT, join(folder, 'node_modules', 'fs-ext'), { recursive: true })
  expect(load()).toEqual({ ok: true })
})

it('says that fs-ext is not installed, how to install it, and that a missing compiler leaves the same trace', () => {
  const answer = load()
  expect(answer).toMatchObject({ name: 'AdvisoryUnavailableError', code: 'FS_EXT_NOT_INSTALLED', cause: 'MODULE_NOT_FOUND' })
  expect(answer.message).toContain('`npm install fs-ext`')
  expect(answer.message).toContain('python3, make and g++')
  expect(answer.message).toContain("Node's headers")
  expect(answer.message).toContain('`npm_config_nodedir=/usr npm install fs-ext`')
})

it('says that the install script of fs-ext was blocked, and how to allow it', () => {
  installUnbuilt()
  const answer = load()
  expect(answer).toMatchObject({ name: 'AdvisoryUnavailableError', code: 'FS_EXT_SCRIPT_BLOCKED' })
  expect(answer.message).toContain('`npm install-scripts approve fs-ext && npm rebuild fs-ext`')
})

it('says that fs-ext could not be built, and what building it needs', () => {
  installUnbuilt()
  cpSync(join(FS_EXT, 'build'), build, { recursive: true })
  rmSync(join(build, 'Release'), { recursive: true })
  const answer = load()
  expect(answer).toMatchObject({ name: 'AdvisoryUnavailableError', code: 'FS_EXT_NOT_BUILT' })
  expect(answer.message).toContain('Install python3, make and g++, then run `npm rebuild fs-ext`')
  expect(answer.message).toContain('`npm_config_nodedir=/usr npm rebuild fs-ext`')
})

it('says that the addon is damaged when it is a truncated file', () => {
  installUnbuilt()
  mkdirSync(join(build, 'Release'), { recursive: true })
  writeFileSync(join(build, 'Release', 'fs_ext.node'), '\x7fELF')
  const answer = load()
  expect(answer).toMatchObject({ name: 'AdvisoryUnavailableError', code: 'FS_EXT_NOT_BUILT', cause: 'ERR_DLOPEN_FAILED' })
  expect(answer.message).toContain('damaged or was built for another system')
})

it('says that fs-ext was built for another Node, and how to rebuild it', () => {
  installUnbuilt()
  mkdirSync(join(build, 'Release'), { recursive: true })
  const source = join(folder, 'wrong-node.cc')
  writeFileSync(source, WRONG_NODE_ADDON)
  execFileSync('g++', ['-shared', '-fPIC', '-o', join(build, 'Release', 'fs_ext.node'), source])
  const answer = load()
  expect(answer).toMatchObject({ name: 'AdvisoryUnavailableError', code: 'FS_EXT_WRONG_NODE', cause: 'ERR_DLOPEN_FAILED' })
  expect(answer.message).toContain('NODE_MODULE_VERSION 1')
  expect(answer.message).toContain('`npm rebuild fs-ext`')
})

it('says that this process does not load addons', () => {
  cpSync(FS_EXT, join(folder, 'node_modules', 'fs-ext'), { recursive: true })
  expect(load(LOAD, ['--no-addons'])).toMatchObject({ name: 'AdvisoryUnavailableError', code: 'FS_EXT_ADDONS_DISABLED' })
})

it('loads fs-ext without a restart once it has been built', () => {
  installUnbuilt()
  const rebuild = `
import { cpSync } from 'node:fs'
import { loadFsExt } from './build/advisory/fs-ext.js'
let refused = false
try { loadFsExt() } catch { refused = true }
cpSync(${JSON.stringify(join(FS_EXT, 'build'))}, ${JSON.stringify(build)}, { recursive: true })
console.log(JSON.stringify({ refused, ok: loadFsExt() === loadFsExt() }))`
  expect(load(rebuild)).toEqual({ refused: true, ok: true })
})
