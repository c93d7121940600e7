import type { Catalogue } from '..'
import { administration } from './administration'
import { errors } from './errors'
import { flow } from './flow'

/** The Danish catalogue. */
export const da: Catalogue = { ...flow, ...administration, ...errors }
