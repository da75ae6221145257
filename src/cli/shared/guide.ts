/** Where people read on when a mount is not trusted: a block for each file system, and a next step for each verdict. */
export const GUIDE = 'docs/file-systems.md'
