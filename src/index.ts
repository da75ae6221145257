/** The public surface of mountlock, nothing else. */

export { type Diagnostic, type DiagnosticCode, formatDiagnostic } from './config/diagnostics.js'
export { type LoadConfigOptions, type LoadedConfig, loadConfig } from './config/load.js'
export {
  AbortError,
  AdvisoryUnavailableError,
  ConfigError,
  type ErrorCode,
  ForeignLockError,
  InvalidArgumentError,
  LockerClosedError,
  LockFileSystemError,
  LockLostError,
  type LockTimeoutDetails,
  LockTimeoutError,
  type LostReason,
  MountChangedError,
  MountlockError,
  type MountlockErrorOptions,
  type SeenHolder,
  UnsupportedPlatformError,
} from './errors.js'
export { createLocker } from './locker/locker.js'
export type { ChannelName, LockEvent, LockEventName, LockOutcome } from './log/events.js'
export type {
  AcquireOptions,
  AcquireSyncOptions,
  AdvisoryCall,
  AdvisoryKind,
  Holder,
  Inspection,
  Lock,
  Locker,
  LockerOptions,
  LockerSettings,
  LockList,
  LockType,
  ReleaseResult,
  TokenOf,
  TryAcquireOptions,
  WaitingProcess,
  WorkbenchOptions,
} from './types.js'
