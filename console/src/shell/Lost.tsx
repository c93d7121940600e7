import { Problem } from '@/api/problem'
import { Failure } from '@/parts/Failure'

/** An address that leads nowhere. */
export function Lost() {
  return <Failure of={new Problem(404, 'page_unknown', 'There is no such page.')} />
}
