import type { Catalogue } from '..'
import { administration } from './administration'
import { apis } from './apis'
import { common } from './common'
import { flow } from './flow'
import { frame } from './frame'
import { programs } from './programs'
import { things } from './things'

/** The Danish catalogue. */
export const da: Catalogue = {
  ...common,
  ...frame,
  ...things,
  ...flow,
  ...administration,
  ...programs,
  ...apis,
}
