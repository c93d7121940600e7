import { useTranslation } from 'react-i18next'
import type { FeedState } from '@/api/feed'
import { Status, type Tone } from '@/parts/Status'

const TONES: Record<FeedState, Tone> = {
  connecting: 'waiting',
  live: 'good',
  paused: 'paused',
  lost: 'bad',
  ended: 'bad',
}

/** Say whether what is shown is live. */
export function FeedMark({ state }: { state: FeedState }) {
  const { t } = useTranslation()
  return (
    <span role="status">
      <Status tone={TONES[state]}>{t(`feed.${state}`)}</Status>
    </span>
  )
}
