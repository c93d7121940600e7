import classes from './Timeline.module.css'

type Fields = Record<string, unknown> | null | undefined

const HIDDEN = new Set([
  'id',
  'updatedAt',
  'updatedBy',
  'createdAt',
  'createdBy',
  'updated_at',
  'updated_by',
  'created_at',
  'created_by',
])

/** Give the fields that differ, with what stood there before and after. */
export function difference(before: Fields, after: Fields): [string, unknown, unknown][] {
  const keys = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])]
  return keys
    .filter((key) => !HIDDEN.has(key) && JSON.stringify(before?.[key]) !== JSON.stringify(after?.[key]))
    .map((key) => [key, before?.[key], after?.[key]])
}

const word = (value: unknown) =>
  value === undefined || value === null || value === ''
    ? '–'
    : typeof value === 'string'
      ? value
      : JSON.stringify(value)

/** Show what a change changed, field by field. */
export function Difference({ before, after }: { before: Fields; after: Fields }) {
  const rows = difference(before, after).filter(([, from, to]) => word(from) !== word(to))
  if (rows.length === 0) return null
  return (
    <dl className={classes.change}>
      {rows.map(([key, from, to]) => (
        <div key={key} style={{ display: 'contents' }}>
          <dt>{key}</dt>
          <dd>
            {before && <del>{word(from)}</del>} {before && after && '→ '}
            {after && <ins>{word(to)}</ins>}
          </dd>
        </div>
      ))}
    </dl>
  )
}
