import { Group, Text } from '@mantine/core'
import {
  IconAlertTriangleFilled,
  IconCircle,
  IconCircleCheckFilled,
  IconCircleDashed,
  IconCircleXFilled,
  IconClock,
  IconInfoCircleFilled,
  IconPlayerPauseFilled,
} from '@tabler/icons-react'
import classes from './Status.module.css'

export type Tone = 'good' | 'info' | 'warning' | 'bad' | 'waiting' | 'paused' | 'quiet' | 'none'

const SHAPES = {
  good: IconCircleCheckFilled,
  info: IconInfoCircleFilled,
  warning: IconAlertTriangleFilled,
  bad: IconCircleXFilled,
  waiting: IconClock,
  paused: IconPlayerPauseFilled,
  quiet: IconCircle,
  none: IconCircleDashed,
} as const

/** Show a state by shape, colour and word. */
export function Status({ tone, children }: { tone: Tone; children: string }) {
  const Shape = SHAPES[tone]
  return (
    <Group gap={6} wrap="nowrap" component="span" display="inline-flex" className={classes.status}>
      <Shape size={14} className={classes[tone]} aria-hidden="true" />
      <Text span inherit className={classes.words}>
        {children}
      </Text>
    </Group>
  )
}
