/** Workbench's own lock paths are known by their spelling, and ours beside them are named so that Workbench leaves them alone. */

import { basename, dirname, join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SWEPT_PREFIX } from '../../src/workbench/format.js'
import { hiddenDirectory, placeOf, type WorkbenchPath, publicPathOf, sessionOf } from '../../src/workbench/places.js'

const HOME = '/home/ann/.local/share/rstudio'
const PROJECT = '/data/projects/survey'

describe('paths that Workbench locks itself', () => {
  test.each<[string, Omit<WorkbenchPath, 'path'>]>([
    [`${HOME}/sources/session-4f2a/lock_file`, { purpose: 'session', session: '4f2a', project: null }],
    [`${HOME}/sources/s-4f2a/lock_file`, { purpose: 'session', session: '4f2a', project: null }],
    [`/home/ann/.rstudio/sdb/s-4f2a/lock_file`, { purpose: 'session', session: '4f2a', project: null }],
    [`${PROJECT}/.Rproj.user/1A2B3C4D/sources/session-a-b/lock_file`, { purpose: 'session', session: 'a-b', project: PROJECT }],
    [`${HOME}/notebooks/lock_file`, { purpose: 'notebooks', session: null, project: null }],
    [`${PROJECT}/.Rproj.user/shared/notebooks/lock_file`, { purpose: 'notebooks', session: null, project: PROJECT }],
    [`${HOME}/locktester_file`, { purpose: 'locktester', session: null, project: null }],
    // The data directory can be set to any, so only what is below it tells.
    ['/shared/state/sources/session-1/lock_file', { purpose: 'session', session: '1', project: null }],
  ])('%s', (path, place) => {
    expect(placeOf(path)).toEqual({ path, ...place })
  })

  test.each([
    '/shared/ann/lock_file',
    `${HOME}/sources/lock_file`,
    `${HOME}/sources/per/lock_file`,
    `${HOME}/sources/.session-1/lock_file`,
    `${HOME}/sources/session-/lock_file`,
    `${HOME}/session-1/lock_file`,
    `${HOME}/sources/session-1/suspend_file`,
    `${HOME}/sources/session-1/deeper/lock_file`,
    `${HOME}/notebooks/lock_file.mountlock`,
    `${HOME}/sources/.session-1.lock_file.mountlock`,
  ])('%s is none of them', (path) => {
    expect(placeOf(path)).toBeNull()
  })
})

describe('our directory for a public path', () => {
  test('is beside the directory of a session, which is renamed and emptied, and not in it', () => {
    expect(hiddenDirectory(`${HOME}/sources/session-1/lock_file`)).toBe(`${HOME}/sources/.session-1.lock_file.mountlock`)
    expect(hiddenDirectory(`/home/ann/.rstudio/sdb/s-1/lock_file`)).toBe(`/home/ann/.rstudio/sdb/.s-1.lock_file.mountlock`)
  })
  test('is beside any other public path', () => {
    expect(hiddenDirectory(`${HOME}/notebooks/lock_file`)).toBe(`${HOME}/notebooks/.lock_file.mountlock`)
    expect(hiddenDirectory(`${HOME}/locktester_file`)).toBe(`${HOME}/.locktester_file.mountlock`)
    expect(hiddenDirectory('/shared/tried')).toBe('/shared/.tried.mountlock')
  })

  const names = fc
    .string({ unit: fc.constantFrom(...'aZ09._-\n é'), minLength: 1, maxLength: 12 })
    .filter((name) => !/^\.+$/.test(name))
  const places = fc.oneof(
    names.map((id) => `${HOME}/sources/session-${id}/lock_file`),
    names.map((id) => `${PROJECT}/.Rproj.user/0123ABCD/sources/s-${id}/lock_file`),
    fc.constantFrom(`${HOME}/notebooks/lock_file`, `${PROJECT}/.Rproj.user/shared/notebooks/lock_file`),
    fc.constant(`${HOME}/locktester_file`),
  )
  test('tells the public path again, and is no place of theirs itself', () => {
    fc.assert(
      fc.property(places, (path) => {
        const hidden = hiddenDirectory(path)
        expect(placeOf(path)).not.toBeNull()
        expect(publicPathOf(hidden)).toBe(path)
        expect(placeOf(hidden)).toBeNull()
      }),
    )
  })
  test('is no session, is not swept, and is no notebook that Workbench would remove', () => {
    fc.assert(
      fc.property(places, (path) => {
        const hidden = hiddenDirectory(path)
        expect(basename(hidden)).toMatch(/^\./)
        expect(basename(hidden).startsWith(SWEPT_PREFIX)).toBe(false)
        expect(sessionOf(hidden)).toBeNull()
        if (basename(dirname(path)) === 'notebooks') expect(basename(hidden)).not.toContain('-')
      }),
    )
  })
  test('any path is judged, and no other directory counts as ours', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 4 }), (parts) => {
        const path = join('/', ...parts)
        placeOf(path)
        hiddenDirectory(path)
        if (!path.endsWith('.mountlock')) expect(publicPathOf(path)).toBeNull()
      }),
    )
  })
})
