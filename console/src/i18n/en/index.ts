import { administration } from './administration'
import { apis } from './apis'
import { common } from './common'
import { flow } from './flow'
import { frame } from './frame'
import { programs } from './programs'
import { things } from './things'

/** The English catalogue; every other one has the same keys. */
export const en = { ...common, ...frame, ...things, ...flow, ...administration, ...programs, ...apis }
