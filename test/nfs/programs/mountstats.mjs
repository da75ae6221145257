/** What the kernel's NFS client counts in /proc/self/mountstats. The lock manager of version 3 is not in there. */

/**
 * The calls that were made so far through the mount at `at`, by operation.
 * @param {string} text @param {string} at @returns {Map<string, number>}
 */
export function callsOf(text, at) {
  const sections = text.split(/^(?=device )/m)
  const own = sections.find((section) => section.includes(` mounted on ${at} with `)) ?? ''
  const operations = own.slice(own.indexOf('per-op statistics'))
  return new Map([...operations.matchAll(/^\s+([A-Z_]+): (\d+) /gm)].map(([, name, count]) => [String(name), Number(count)]))
}
