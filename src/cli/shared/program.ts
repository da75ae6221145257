/** Where the package is, however deep a bundler has put this file in it: the executable, a page, and what package.json says. */

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = packageRoot(dirname(fileURLToPath(import.meta.url)))

/** The executable, to start further processes of this program by. */
export const PROGRAM = join(ROOT, 'bin', 'locktester')

/** Where people read on when a mount is not trusted: a block for each file system, and a next step for each verdict. */
const GUIDE = join(ROOT, 'docs', 'file-systems.md')
/** @param heading where in it */
export const inGuide = (heading: string): string => `${GUIDE}, "${heading}"`

/** The next step for each verdict. */
export const WHAT_NOW = inGuide('My mount is not trusted: what now')

export function version(): string {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version
}

function packageRoot(folder: string): string {
  const above = dirname(folder)
  return above === folder || existsSync(join(folder, 'bin', 'locktester')) ? folder : packageRoot(above)
}
