/** The protocol under test as one bundle: the shipping modules, or copies of them with one step changed. */

import * as acquire from '../../src/protocol/acquire.js'
import * as hardLink from '../../src/protocol/claim-hard-link.js'
import * as rename from '../../src/protocol/claim-rename.js'
import * as symlink from '../../src/protocol/claim-symlink.js'
import * as dissolution from '../../src/protocol/dissolve.js'
import * as inspection from '../../src/protocol/inspect.js'
import * as lease from '../../src/protocol/lease.js'
import * as maintain from '../../src/protocol/maintain.js'
import * as names from '../../src/protocol/names.js'
import * as patrol from '../../src/protocol/patrol.js'
import * as record from '../../src/protocol/record.js'
import * as session from '../../src/protocol/session.js'
import * as settle from '../../src/protocol/settle.js'
import * as site from '../../src/protocol/site.js'

export interface ProtocolBundle {
  attempt: typeof acquire.attempt
  hardLinkClaim: typeof hardLink.hardLinkClaim
  symlinkClaim: typeof symlink.symlinkClaim
  renameClaim: typeof rename.renameClaim
  dissolve: typeof dissolution.dissolve
  inspect: typeof inspection.inspect
  leaseMs: typeof lease.leaseMs
  breakHolder: typeof maintain.breakHolder
  prune: typeof maintain.prune
  parseListing: typeof names.parseListing
  patrol: typeof patrol.patrol
  encodeRecord: typeof record.encodeRecord
  createSession: typeof session.createSession
  beat: typeof session.beat
  endSession: typeof session.endSession
  settleAgain: typeof settle.settleAgain
  release: typeof settle.release
  cleanUp: typeof settle.cleanUp
  freshListing: typeof settle.freshListing
  newMemory: typeof site.newMemory
}

/** The modules of a bundle, by file name. */
export const BUNDLE_FILES = [
  'acquire',
  'claim-hard-link',
  'claim-rename',
  'claim-symlink',
  'dissolve',
  'inspect',
  'lease',
  'maintain',
  'names',
  'patrol',
  'record',
  'session',
  'settle',
  'site',
  'wait-room',
] as const

export const shippingProtocol: ProtocolBundle = {
  ...acquire,
  ...hardLink,
  ...rename,
  ...symlink,
  ...dissolution,
  ...inspection,
  ...lease,
  ...maintain,
  ...names,
  ...patrol,
  ...record,
  ...session,
  ...settle,
  ...site,
}
