import { difference, type Fields } from './difference'
import classes from './Timeline.module.css'
import { useFieldName } from './words'

/** Show what a change changed, field by field. */
export function Difference({ before, after }: { before: Fields; after: Fields }) {
  const name = useFieldName()
  const rows = difference(before, after)
  if (rows.length === 0) return null
  return (
    <dl className={classes.change}>
      {rows.map(([key, from, to]) => (
        <div key={key} style={{ display: 'contents' }}>
          <dt>{name(key)}</dt>
          <dd>
            {before && <del>{from}</del>} {before && after && '→ '}
            {after && <ins>{to}</ins>}
          </dd>
        </div>
      ))}
    </dl>
  )
}
