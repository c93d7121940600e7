import { Box, Group, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import classes from './Panel.module.css'

interface Props {
  title?: string
  action?: ReactNode
  /** Let the content reach the edges: tables, charts, maps. */
  flush?: boolean
  children: ReactNode
}

/** A raised surface with a heading. */
export function Panel({ title, action, flush, children }: Props) {
  return (
    <Box component="section" className={classes.panel} aria-label={title}>
      {(title || action) && (
        <Group justify="space-between" className={classes.head} gap="xs">
          {title && <Title order={2}>{title}</Title>}
          {action}
        </Group>
      )}
      <div className={flush ? undefined : classes.body}>{children}</div>
    </Box>
  )
}

/** Pairs of a word and its value. */
export function Facts({ rows }: { rows: [string, ReactNode][] }) {
  return (
    <dl className={classes.facts}>
      {rows.map(([term, value]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{value ?? '–'}</dd>
        </div>
      ))}
    </dl>
  )
}
