import { administration } from './administration'
import { errors } from './errors'
import { flow } from './flow'

/** The English catalogue; every other one has the same keys. */
export const en = { ...flow, ...administration, ...errors }
