/** A holder in words, for messages and the log. */

import type { SessionRecord } from '../protocol/record.js'

export function describeHolder({ host, pid, user, label }: SessionRecord): string {
  return `process ${pid} on ${host}${user === null ? '' : ` of ${user}`}${label === '' ? '' : ` (${label})`}`
}
