/** `npm run tried -- --table`: writes the tables of docs/file-systems.md. */

import { readFileSync, writeFileSync } from 'node:fs'
import { knownTable, withRegion } from './table.js'

const FILE = new URL('../../docs/file-systems.md', import.meta.url)

writeFileSync(FILE, withRegion(readFileSync(FILE, 'utf8'), 'known', knownTable()))
