/** Writes the licenses of the packages that a bundle contains: each asks that its text goes with the code. */

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * @param {readonly { type: string, moduleIds?: readonly string[] }[]} output of rolldown
 * @param {string} file
 */
export async function writeLicenses(output, file) {
  const ids = output.flatMap(({ moduleIds = [] }) => moduleIds)
  const folders = new Set(ids.flatMap((id) => /^.*[\\/]node_modules[\\/](@[^\\/]+[\\/])?[^\\/]+/.exec(id)?.[0] ?? []))
  const texts = await Promise.all([...folders].sort().map(licenseOf))
  await writeFile(file, texts.join(`\n${'-'.repeat(80)}\n\n`))
}

/** @param {string} folder of a package */
async function licenseOf(folder) {
  const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  const found = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each))
  if (found === undefined) throw new Error(`${name} is put into the bundle and has no license file: look what it asks for`)
  return `${name} ${version} (${license})\n\n${await readFile(join(folder, found), 'utf8')}`
}
