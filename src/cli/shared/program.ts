/** Where the package is, however deep a bundler has put this file in it: the executable, and what package.json says. */

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = packageRoot(dirname(fileURLToPath(import.meta.url)))

/** The executable, to start further processes of this program by. */
export const PROGRAM = join(ROOT, 'bin', 'locktester')

export function version(): string {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version
}

function packageRoot(folder: string): string {
  const above = dirname(folder)
  return above === folder || existsSync(join(folder, 'bin', 'locktester')) ? folder : packageRoot(above)
}
