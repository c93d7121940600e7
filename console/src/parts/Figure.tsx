import { Text } from '@mantine/core'
import type { ReactNode } from 'react'

/** One of the two or three numbers that matter of a thing. */
export function Figure({ label, value }: { label: string; value: ReactNode }) {
  return (
    <div
      style={{
        padding: '10px 14px',
        background: 'var(--panel)',
        border: '1px solid var(--edge)',
        borderRadius: 'var(--mantine-radius-md)',
      }}
    >
      <Text fz="sm" c="dimmed">
        {label}
      </Text>
      <Text component="div" fz={18} fw={600}>
        {value}
      </Text>
    </div>
  )
}
